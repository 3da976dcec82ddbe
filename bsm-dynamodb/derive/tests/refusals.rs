//! Declarations and calls that do not compile, and what the compiler says about them.
//!
//! A part of the messages is the compiler's own and differs between its versions, so this runs where the
//! version is known: `cargo test -p bsm-dynamodb-derive --test refusals -- --ignored`. After a change of a
//! message, run it with `TRYBUILD=overwrite` and read the difference.

#[test]
#[ignore = "the messages are those of one version of the compiler"]
fn what_cannot_work_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/refusals/*.rs");
}

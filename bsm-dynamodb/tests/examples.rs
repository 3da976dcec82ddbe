//! The examples run whatever is set in the environment.

use std::process::{Command, Output};

use bsm_tests::hostile;

/// `cargo test` builds the examples beside the tests.
fn example(name: &str) -> Command {
    let test = std::env::current_exe().expect("a test has a path");
    let folder = test
        .ancestors()
        .nth(2)
        .expect("tests are built in a folder");
    let example = folder
        .join("examples")
        .join(name)
        .with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        example.exists(),
        "the example is not built: run `cargo build --examples` first"
    );
    Command::new(example)
}

fn table(output: &Output) -> Vec<String> {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

const WANTED: [&str; 3] = [
    "111111111111 profile \"default\" (no table)",
    "222222222222 profile \"staging\" 123, 456",
    "333333333333 profile \"production\" 123, 456",
];

#[test]
fn quick_start_ends_with_which_account_holds_which_items() {
    let output = example("quick_start").env_clear().output().unwrap();
    assert_eq!(table(&output), WANTED);
}

#[test]
fn quick_start_does_not_see_the_environment_it_runs_in() {
    let output = hostile(&mut example("quick_start")).output().unwrap();
    assert_eq!(table(&output), WANTED);
}

#[test]
fn other_model_layers_follow_the_session_through_a_slot() {
    let output = hostile(&mut example("other_layers")).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "profile \"staging\": 2 sessions\nprofile \"production\": 1 sessions\n"
    );
}

#[test]
fn copy_table_ends_with_two_tables_that_are_the_same() {
    let mut example = example("copy_table");
    let output = hostile(example.args(["--items", "1500"])).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text} {output:?}");
    assert!(
        text.contains("items written                1,500"),
        "{text}"
    );
    assert!(text.ends_with("the tables are the same\n"), "{text}");
}

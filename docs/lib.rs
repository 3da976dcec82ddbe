//! Every chapter of the guide, and the README, as documentation, so that `cargo test` compiles and
//! runs the snippets. `build.rs` makes the list, so that no chapter can be forgotten.

include!(concat!(env!("OUT_DIR"), "/chapters.rs"));

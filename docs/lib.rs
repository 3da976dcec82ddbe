//! Every page of the guide, and every README, as documentation, so that `cargo test` compiles and runs
//! the snippets. `build.rs` generates the list, so that no page can be forgotten.

include!(concat!(env!("OUT_DIR"), "/chapters.rs"));

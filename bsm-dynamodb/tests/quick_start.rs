//! The example runs for anybody, whatever is set in their environment.

use std::path::PathBuf;
use std::process::{Command, Output};

use bsm_tests::hostile;

/// `cargo test` builds the examples beside the tests.
fn example() -> Command {
    let test = std::env::current_exe().expect("a test has a path");
    let folder = test
        .parent()
        .and_then(|deps| deps.parent())
        .expect("tests are built in a folder");
    let example: PathBuf = folder.join("examples").join("quick_start");
    assert!(
        example
            .with_extension(std::env::consts::EXE_EXTENSION)
            .exists(),
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
fn it_ends_with_which_account_holds_which_items() {
    let output = example().env_clear().output().unwrap();
    assert_eq!(table(&output), WANTED);
}

#[test]
fn it_does_not_see_the_environment_it_runs_in() {
    let output = hostile(&mut example()).output().unwrap();
    assert_eq!(table(&output), WANTED);
}

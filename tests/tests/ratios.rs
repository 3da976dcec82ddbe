//! The program `ratios` runs on a machine that has only cargo.

use std::process::Command;

use bsm_tests::hostile;

/// A part of the name of each row that requires neither valgrind nor Python nor a network.
const ROWS: [&str; 16] = [
    "current(), nothing overridden",
    "current(), overridden",
    "get, answered at once: time",
    "get, from the local AWS: time",
    "switch and get, answered at once",
    "switch and get, local AWS",
    "first use of a manager",
    "profiles used once: sockets",
    "roles used once: sockets",
    "one more manager on a file of",
    "credentials(), cached",
    "tasks during a refresh: calls of STS",
    "copied item: CPU",
    "copied item with a filter: CPU",
    "compared item: CPU",
    "loaded item of an export: CPU",
];

#[test]
#[cfg_attr(
    not(target_os = "linux"),
    ignore = "the memory of a process is read from Linux's /proc"
)]
fn every_group_is_measured() {
    let mut ratios = Command::new(env!("CARGO_BIN_EXE_ratios"));
    ratios.arg("--once").args([
        "--only",
        "current,get,switch,first-use,managers,profiles,refresh,copy,load,command,python",
    ]);
    ratios.args(["--python", "/no/such/python"]);
    let output = hostile(&mut ratios).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}");
    for row in ROWS {
        assert!(printed.contains(row), "{row} is missing in\n{printed}");
    }
    // cargo builds the command for the tests of its own package only.
    let allowed = ["the Python originals", "the command"];
    let mut not_measured = printed.lines().filter(|line| line.contains("not measured"));
    assert!(
        not_measured.all(|line| allowed.iter().any(|group| line.starts_with(group))),
        "{printed}"
    );
}

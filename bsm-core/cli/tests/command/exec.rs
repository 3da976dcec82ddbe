use std::process::Stdio;

use bsm_local_aws::LocalAws;
use bsm_local_aws::standard::{SECRET_ACCESS_KEY, STAGING_ACCOUNT};

use crate::support::{Home, run, wait};

fn world() -> (LocalAws, Home) {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let home = Home::of(&aws);
    (aws, home)
}

#[test]
fn a_program_gets_the_session_whatever_the_environment_contains() {
    let (_aws, home) = world();
    // The program is bsm itself, which says whose credentials it has.
    let mut command = home.bsm(&["exec", "-p", "staging", "--", "bsm", "whoami", "--json"]);
    command
        .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "hostile")
        .env("AWS_SESSION_TOKEN", "hostile")
        .env("AWS_PROFILE", "hostile")
        .env("AWS_DEFAULT_PROFILE", "hostile")
        .env("AWS_ROLE_ARN", "arn:aws:iam::999999999999:role/Hostile")
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", "/nonexistent");
    let whoami = run(command).json();
    assert_eq!(whoami["account"], STAGING_ACCOUNT);
    assert_eq!(whoami["source"], "environment");
}

#[test]
fn a_program_ends_as_it_would_without_bsm() {
    let (_aws, home) = world();
    for (program, status) in [
        (&["sh", "-c", "exit 0"][..], 0),
        (&["sh", "-c", "exit 7"], 7),
        (&["sh", "-c", "exit 255"], 255),
        // An option of the program, not of bsm.
        (&["sh", "-c", "exit 3", "-p", "--json"], 3),
        (&["/nonexistent"], 127),
        (&["/"], 126),
    ] {
        let with_dashes = [&["exec", "-p", "staging", "--"], program].concat();
        assert_eq!(home.run(&with_dashes).status, Some(status), "{program:?}");
        let without = [&["exec", "-p", "staging"], program].concat();
        assert_eq!(home.run(&without).status, Some(status), "{program:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_program_replaces_bsm_and_dies_of_its_own_signals() {
    use std::os::unix::process::ExitStatusExt as _;

    let (_aws, home) = world();
    let mut command = home.bsm(&[
        "exec",
        "-p",
        "staging",
        "--",
        "sh",
        "-c",
        "echo $$; kill -TERM $$",
    ]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    let status = wait(&mut child);
    assert_eq!(status.signal(), Some(15));
    let printed = std::io::read_to_string(child.stdout.unwrap()).unwrap();
    assert_eq!(printed.trim(), pid.to_string());
}

#[test]
fn no_secret_is_in_the_arguments_of_a_process() {
    let (_aws, home) = world();
    let script = "tr '\\0' ' ' < /proc/$$/cmdline; env";
    let ran = home.run(&["exec", "--", "sh", "-c", script]);
    let printed = ran.ok();
    let (arguments, environment) = printed.split_once("AWS_").unwrap();
    assert!(arguments.contains("/proc/"), "{arguments}");
    assert!(!arguments.contains(SECRET_ACCESS_KEY), "{arguments}");
    assert!(environment.contains(SECRET_ACCESS_KEY), "{environment}");
}

#[test]
fn credentials_that_would_expire_too_soon_are_replaced() {
    let (aws, home) = world();
    home.run(&["exec", "-p", "staging", "true"]).ok();
    home.run(&["exec", "-p", "staging", "--min-lifetime", "30m", "true"])
        .ok();
    assert_eq!(aws.call_count("sts", "AssumeRole"), 1);
    let too_long = home.run(&["exec", "-p", "staging", "--min-lifetime", "2h", "true"]);
    let stderr = too_long.fails_with(125);
    assert!(stderr.contains("valid for only"), "{stderr}");
}

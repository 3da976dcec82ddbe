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

#[test]
fn keys_in_the_environment_are_handed_on_with_their_expiry() {
    let (_aws, home) = world();
    let variables = home.variables_of("staging");
    let time = &*variables["AWS_CREDENTIAL_EXPIRATION"];
    let bsm = |expiration: Option<&str>, arguments: &[&str]| {
        let mut command = home.bsm(arguments);
        command.envs(&variables);
        command.env_remove("AWS_CREDENTIAL_EXPIRATION");
        command.envs(expiration.map(|time| ("AWS_CREDENTIAL_EXPIRATION", time)));
        run(command)
    };
    const PAST: &str = "2020-01-01T00:00:00Z";
    let printed = [
        "exec",
        "--",
        "sh",
        "-c",
        "printf %s \"$AWS_CREDENTIAL_EXPIRATION\"",
    ];
    for (expiration, handed_on) in [
        (Some(time), Some(time)),
        // That of older keys: AWS decides.
        (Some(PAST), None),
        (Some("soon"), None),
        (None, None),
    ] {
        let exported = bsm(expiration, &["export"]).json();
        assert_eq!(exported["Expiration"].as_str(), handed_on, "{expiration:?}");
        let of_program = bsm(expiration, &printed).ok();
        assert_eq!(of_program, handed_on.unwrap_or_default(), "{expiration:?}");
        // It needs no server that cannot refresh them.
        let with_server = [&["exec", "--server"], &printed[1..]].concat();
        assert_eq!(bsm(expiration, &with_server).ok(), of_program);
    }
    for command in ["exec", "export", "env"] {
        let demands = |time: &'static str| match command {
            "exec" => vec![command, "--min-lifetime", time, "true"],
            _ => vec![command, "--min-lifetime", time],
        };
        bsm(Some(time), &demands("30m")).ok();
        bsm(None, &demands("2h")).ok();
        for (expiration, demanded) in [(time, "2h"), (PAST, "1s")] {
            let ran = bsm(Some(expiration), &demands(demanded));
            let stderr = ran.fails_with(if command == "exec" { 125 } else { 4 });
            assert!(
                stderr.contains("the keys in the environment expire at"),
                "{stderr}"
            );
        }
    }
}

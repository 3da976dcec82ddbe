//! Credentials as text, read back by the programs that they are for.

use std::fmt::Write as _;
use std::process::Command;

use bsm_local_aws::LocalAws;
use bsm_local_aws::standard::{ACCESS_KEY_ID, SECRET_ACCESS_KEY};
use serde_json::json;

use crate::support::{Home, is_installed, run};

/// Every printable character of ASCII. The blank is inside: bsm refuses keys with one at an end.
fn every_printable_character() -> String {
    ('!'..='O').chain([' ']).chain('P'..='~').collect()
}

/// A home directory whose default profile has this secret.
fn home_with_secret(secret: &str) -> Home {
    let home = Home::empty();
    let output = json!({
        "Version": 1, "AccessKeyId": "AKIAEXAMPLE", "SecretAccessKey": secret,
        "SessionToken": secret, "Expiration": "2999-01-01T00:00:00Z",
    });
    let file = home.write("output.json", &output.to_string());
    home.add_config(&format!(
        "[default]\ncredential_process = cat {}",
        file.display()
    ));
    home
}

/// Runs a script of a shell, and returns the secret and the profile that its child sees.
fn round_trip(home: &Home, shell: &str, arguments: &[&str]) {
    if !is_installed(shell) {
        return;
    }
    let mut command: Command = home.command(shell);
    command
        .args(arguments)
        .env("AWS_ROLE_ARN", "arn:aws:iam::999999999999:role/Hostile");
    let printed = run(command).ok();
    let expected = format!("{0}\n{0}\nunset\n", every_printable_character());
    assert_eq!(printed, expected, "{shell}");
}

const SHOW: &str = "printenv AWS_SECRET_ACCESS_KEY; printenv AWS_SESSION_TOKEN; \
                    printenv AWS_ROLE_ARN || echo unset";

#[test]
fn a_shell_of_the_bourne_family_gets_every_character_back() {
    let home = home_with_secret(&every_printable_character());
    for shell in ["sh", "bash", "zsh", "dash", "ksh"] {
        let name = if matches!(shell, "bash" | "zsh") {
            shell
        } else {
            "sh"
        };
        if shell == "sh" || is_installed(shell) {
            let script = format!("set -eu; eval \"$(bsm env --shell {name})\"; {SHOW}");
            // dash and ksh have no --version, so sh stands for them.
            round_trip_unchecked(&home, shell, &["-c", &script]);
        }
    }
}

fn round_trip_unchecked(home: &Home, shell: &str, arguments: &[&str]) {
    let mut command = home.command(shell);
    command
        .args(arguments)
        .env("AWS_ROLE_ARN", "arn:aws:iam::999999999999:role/Hostile");
    let expected = format!("{0}\n{0}\nunset\n", every_printable_character());
    assert_eq!(run(command).ok(), expected, "{shell}");
}

#[test]
fn fish_gets_every_character_back() {
    let home = home_with_secret(&every_printable_character());
    let show = SHOW.replace("||", "; or");
    let script = format!("bsm env --shell fish | source; {show}");
    round_trip(&home, "fish", &["--no-config", "-c", &script]);
}

#[test]
fn powershell_gets_every_character_back() {
    let home = home_with_secret(&every_printable_character());
    let script = "bsm env --shell powershell | Out-String | Invoke-Expression; \
                  $Env:AWS_SECRET_ACCESS_KEY; $Env:AWS_SESSION_TOKEN; \
                  if ($Env:AWS_ROLE_ARN) { 'set' } else { 'unset' }";
    round_trip(&home, "pwsh", &["-NoProfile", "-Command", script]);
}

#[test]
fn the_shell_of_the_user_decides_the_form() {
    let home = home_with_secret("secret");
    for (shell, line) in [
        ("/bin/bash", "export AWS_SECRET_ACCESS_KEY='secret'"),
        ("/usr/bin/fish", "set -gx AWS_SECRET_ACCESS_KEY 'secret'"),
        ("/usr/bin/pwsh", "$Env:AWS_SECRET_ACCESS_KEY = 'secret'"),
        ("", "export AWS_SECRET_ACCESS_KEY='secret'"),
    ] {
        let mut command = home.bsm(&["env"]);
        command.env("SHELL", shell);
        let printed = run(command).ok();
        assert!(printed.lines().any(|found| found == line), "{printed}");
    }
}

#[test]
fn each_format_of_the_aws_cli_is_exported() {
    let home = home_with_secret("se'cret");
    for (format, line) in [
        ("env", r"export AWS_SECRET_ACCESS_KEY='se'\''cret'"),
        ("env-no-export", "AWS_SECRET_ACCESS_KEY=se'cret"),
        ("fish", r"set -gx AWS_SECRET_ACCESS_KEY 'se\'cret'"),
        ("powershell", "$Env:AWS_SECRET_ACCESS_KEY = 'se''cret'"),
        ("windows-cmd", "set \"AWS_SECRET_ACCESS_KEY=se'cret\""),
    ] {
        let printed = home.run(&["export", "--format", format]).ok();
        assert!(printed.lines().any(|found| found == line), "{printed}");
    }
    let process = home.run(&["export"]).json();
    assert_eq!(process["SecretAccessKey"], "se'cret");
    assert_eq!(process["Version"], 1);
}

#[test]
fn a_form_that_cannot_express_a_secret_is_refused_without_a_part_of_it() {
    let home = home_with_secret(&every_printable_character());
    let stderr = home.run(&["env", "--shell", "cmd"]).fails_with(1);
    assert!(stderr.contains("AWS_SECRET_ACCESS_KEY"), "{stderr}");
}

#[test]
fn long_lived_keys_need_no_request() {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let home = Home::of(&aws);
    let printed = home.run(&["env", "--shell", "sh"]).ok();
    let mut expected = String::new();
    writeln!(expected, "export AWS_ACCESS_KEY_ID='{ACCESS_KEY_ID}'").unwrap();
    writeln!(
        expected,
        "export AWS_SECRET_ACCESS_KEY='{SECRET_ACCESS_KEY}'"
    )
    .unwrap();
    assert!(printed.contains(&expected), "{printed}");
    assert_eq!(aws.calls().len(), 0);
}

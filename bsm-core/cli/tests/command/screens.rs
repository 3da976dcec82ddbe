//! What a new user sees.

use std::process::Stdio;

use crate::support::{Home, Ran, on_terminal, run, wait};

#[test]
fn each_screen_of_a_new_user_says_what_to_do_next() {
    let home = Home::empty();
    for (arguments, status, expected) in [
        (&[][..], 2, "Usage: bsm"),
        (&["exec"], 125, "bsm exec -p PROFILE -- PROGRAM"),
        (&["frobnicate"], 2, "unrecognized subcommand"),
        (&["whomi"], 2, "a similar subcommand exists: 'whoami'"),
        (&["whoami", "--bogus"], 2, "unexpected argument '--bogus'"),
        (
            &["exec", "--min-lifetime", "x", "--", "true"],
            125,
            "invalid value 'x'",
        ),
        (
            &["-p", "x", "each", "--jobs", "x", "--", "true"],
            125,
            "invalid value 'x'",
        ),
        (
            &["whoami", "-p", "x"],
            3,
            "`aws configure` or `aws configure sso` creates one",
        ),
        (&["env", "-p", "x"], 3, "profile \"x\" does not exist in"),
    ] {
        let stderr = home.run(arguments).fails_with(status);
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
    }
    let list = home.run(&["list"]);
    assert!(list.stderr.contains("`aws configure`"), "{list:?}");
    list.ok();
    let nothing = home.run(&["whoami"]).fails_with(4);
    assert!(nothing.contains("no profile files were found"), "{nothing}");
}

#[test]
fn a_typo_in_a_profile_is_answered_with_the_profile_that_was_meant() {
    let home = Home::empty();
    home.add_config("[profile staging]\nregion = x\n[profile production]\nregion = x");
    let stderr = home.run(&["whoami", "-p", "stagign"]).fails_with(3);
    let meant = "did you mean \"staging\"?";
    // Once: the hint does not repeat the message.
    assert_eq!(stderr.matches(meant).count(), 1, "{stderr}");
    let stderr = home.run(&["whoami", "-p", "zebra"]).fails_with(3);
    assert!(!stderr.contains("did you mean"), "{stderr}");
    assert!(stderr.contains("production, staging"), "{stderr}");
    let stderr = home.run(&["whoami"]).fails_with(4);
    assert!(stderr.contains("add --profile production"), "{stderr}");
}

#[test]
fn a_broken_profile_file_is_reported_with_its_line() {
    let home = Home::empty();
    home.add_config("[default]\nregion = x\nsecret without a delimiter");
    let stderr = home.run(&["list"]).fails_with(3);
    assert!(stderr.contains("caused by: line 3"), "{stderr}");
    assert!(!stderr.contains("secret without"), "{stderr}");
}

#[test]
fn every_command_has_help_with_its_purpose() {
    let home = Home::empty();
    let help = home.run(&["--help"]).ok();
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let (commands, _) = commands.split_once("\n\n").unwrap();
    let names: Vec<_> = commands
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(names.len() >= 8, "{names:?}");
    for name in names {
        for flag in ["-h", "--help"] {
            let help = home.run(&[name, flag]).ok();
            assert!(help.contains(&format!("Usage: bsm {name}")), "{help}");
            assert!(help.contains("--expect-account"), "{help}");
        }
    }
}

#[test]
fn what_restricts_credentials_says_that_it_is_no_sandbox() {
    let home = Home::empty();
    for command in ["exec", "env"] {
        let help = home.run(&[command, "--help"]).ok();
        assert!(help.contains("--read-only"), "{help}");
        assert!(help.contains("not a sandbox"), "{command}: {help}");
    }
}

#[test]
fn verbose_says_what_is_read_and_without_it_nothing_is_said() {
    let home = Home::empty();
    home.add_config("[profile staging]\nregion = us-east-1");
    let quiet = home.run(&["list"]);
    assert_eq!(quiet.stderr, "", "{quiet:?}");
    let verbose = home.run(&["list", "--verbose"]);
    let event = "DEBUG bsm_core::profile";
    assert!(verbose.stderr.contains(event), "{verbose:?}");
    // The log is not data.
    assert_eq!(verbose.ok(), quiet.stdout);
}

#[test]
fn colours_are_for_terminals_only() {
    let home = Home::empty();
    let mut command = home.bsm(&["whoami", "-p", "x"]);
    command.env("TERM", "xterm-256color");
    let stderr = run(command).fails_with(3);
    assert!(!stderr.contains('\u{1b}'), "{stderr:?}");
    let mut command = home.bsm(&["whoami", "-p", "x"]);
    command.env("CLICOLOR_FORCE", "1");
    let stderr = run(command).fails_with(3);
    assert!(stderr.contains('\u{1b}'), "{stderr:?}");
}

#[test]
fn on_a_terminal_production_has_a_warning_colour_unless_no_color_is_set() {
    let home = Home::empty();
    home.add_config(
        "[profile live]\nregion = us-east-1\nbsm_production = true\n\
         aws_access_key_id = AKIA\naws_secret_access_key = x",
    );
    let exec = ["bsm", "exec", "-p", "live", "--yes", "--", "true"];
    let shown = |variables: &[&str]| {
        let colourful = ["env", "TERM=xterm-256color"];
        on_terminal(&home, &[], &[&colourful, variables, &exec].concat()).map(Ran::ok)
    };
    let Some(colourful) = shown(&[]) else {
        return;
    };
    // Bold and yellow, and what is not the mark is not.
    let mark = "\u{1b}[1m\u{1b}[33mproduction:\u{1b}[0m profile ";
    assert!(colourful.contains(mark), "{colourful:?}");
    for variable in ["NO_COLOR=1", "CLICOLOR=0", "TERM=dumb"] {
        let plain = shown(&[variable]).unwrap();
        assert!(plain.contains("production: profile live"), "{plain:?}");
        assert!(!plain.contains('\u{1b}'), "{variable}: {plain:?}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let home = Home::empty();
    let mut command = home.bsm(&["completions", "bash"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(wait(&mut child).success());
}

#[test]
fn completions_and_man_pages_cover_every_command() {
    let home = Home::empty();
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = home.run(&["completions", shell]).ok();
        assert!(script.contains("credential-process"), "{shell}");
    }
    let page = home.run(&["man"]).ok();
    assert!(page.contains(".SH SYNOPSIS"), "{page}");
    assert!(page.contains("Exit codes"), "{page}");
    let dir = home.path().join("man1");
    std::fs::create_dir(&dir).unwrap();
    home.run(&["man", "--dir", dir.to_str().unwrap()]).ok();
    assert!(dir.join("bsm-credential-process.1").exists());
}

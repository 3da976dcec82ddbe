//! Every secret of a session, looked for wherever a command could leave it.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;

use bsm_local_aws::{Account, IdentityCenter, LocalAws, Profile, Role, Trust, User};
use serde_json::Value;

use crate::support::{Home, Ran, on_terminal, run};

const ACCOUNT: &str = "111111111111";
const USER: &str = "arn:aws:iam::111111111111:user/dev";
const SECRET: &str = "the/secret+of-the-one-user-of-these-tests";

/// Writes down the arguments and the environment of each process with this home directory. The arguments
/// are the file, and `child` for a program that is meant to have the credentials.
const SPY: &str = r#"#!/bin/sh
for process in /proc/[0-9]*; do
    grep -qz "^HOME=$HOME$" $process/environ 2>/dev/null || continue
    tr '\0' ' ' < $process/cmdline >> "$HOME/seen-arguments"
    [ "$1" = child ] && [ "$process" = "/proc/$$" ] && continue
    # A program in a pipe of the child's.
    [ "$1" = child ] && [ "$(cut -d' ' -f4 $process/stat)" = "$$" ] && continue
    tr '\0' '\n' < $process/environ >> "$HOME/seen-environments"
done 2>/dev/null
echo spied >> "$HOME/seen-count"
"#;

fn world() -> (LocalAws, Home) {
    let center = IdentityCenter::new("corp", "https://corp.example.com/start");
    let aws = LocalAws::builder()
        .account(
            Account::new(ACCOUNT)
                .user(User::new("dev").access_key("AKIASECRETTEST000001", SECRET))
                .role(Role::new("Admin").trust(Trust::principal(USER))),
        )
        .identity_center(center.assign(ACCOUNT, "Reader"))
        .profile(Profile::new("dev").region("us-east-1").user(USER))
        .profile(
            Profile::new("admin")
                .region("us-east-1")
                .role(format!("arn:aws:iam::{ACCOUNT}:role/Admin"), "dev"),
        )
        .profile(
            Profile::new("reader")
                .region("us-east-1")
                .sso("corp", ACCOUNT, "Reader"),
        )
        .start_blocking()
        .unwrap();
    let home = Home::of(&aws);
    let spy = home.write("spy.sh", SPY);
    let json = format!(
        r#"{{"Version": 1, "AccessKeyId": "AKIASECRETTEST000001", "SecretAccessKey": "{SECRET}"}}"#
    );
    let keys = home.write("keys.json", &json);
    let process = home.write(
        "process.sh",
        &format!("sh {}; cat {}", spy.display(), keys.display()),
    );
    let broken = home.write(
        "broken.sh",
        &format!("sh {}; cat {} >&2; exit 1", spy.display(), keys.display()),
    );
    home.add_config(&format!(
        "[profile process]\nregion = us-east-1\ncredential_process = sh {}\n\
         [profile broken]\nregion = us-east-1\ncredential_process = sh {}\n",
        process.display(),
        broken.display()
    ));
    (aws, home)
}

/// Signs in to the profile `reader`, with somebody who allows it.
fn sign_in(aws: &LocalAws, home: &Home) -> Ran {
    let mut login = home.bsm(&["login", "-p", "reader", "--verbose"]);
    login.stdin(Stdio::null());
    thread::scope(|scope| {
        let ran = scope.spawn(|| run(login));
        while !ran.is_finished() {
            aws.decide_devices(true);
            thread::yield_now();
        }
        ran.join().unwrap()
    })
}

/// The secrets in the caches of the home directory.
fn cached(home: &Home) -> Vec<String> {
    let mut secrets = Vec::new();
    for cache in ["cli/cache", "sso/cache"] {
        for entry in fs::read_dir(home.aws_dir().join(cache)).unwrap().flatten() {
            let text = fs::read_to_string(entry.path()).unwrap();
            if let Ok(json) = serde_json::from_str(&text) {
                find_secrets(&json, &mut secrets);
            }
        }
    }
    secrets
}

fn find_secrets(json: &Value, secrets: &mut Vec<String>) {
    const NAMES: [&str; 6] = [
        "SecretAccessKey",
        "SessionToken",
        "secretAccessKey",
        "accessToken",
        "refreshToken",
        "clientSecret",
    ];
    for (name, value) in json.as_object().into_iter().flatten() {
        match value {
            Value::String(text) if NAMES.contains(&&**name) => secrets.push(text.clone()),
            value => find_secrets(value, secrets),
        }
    }
}

#[test]
fn no_secret_is_in_arguments_other_environments_messages_or_files() {
    let (aws, home) = world();
    let spy = home.path().join("spy.sh");
    let spy = spy.to_str().unwrap();
    let log = home.path().join("audit.jsonl");
    let child = ["--", "sh", spy, "child"];
    let login = sign_in(&aws, &home);
    assert_eq!(login.status, Some(0), "{login:?}");
    let mut said = vec![login];
    // Commands whose standard output is no place for a secret, and their exit codes.
    let silent: [(&[&str], i32); 17] = [
        (&["whoami", "-p", "admin"], 0),
        (&["whoami", "-p", "reader", "--json"], 0),
        (&["whoami", "-p", "process"], 0),
        (&["whoami", "-p", "broken"], 4),
        (&["whoami", "-p", "nobody"], 3),
        (&["list"], 0),
        (&["sessions", "--json"], 0),
        (&["doctor"], 0),
        (&["doctor", "--online", "--json"], 4),
        (&["tables", "-p", "admin"], 0),
        (&["profiles", "sync", "-p", "reader", "--dry-run"], 0),
        (&["exec", "-p", "admin"], 0),
        (&["exec", "-p", "process"], 0),
        (&["exec", "-p", "reader", "--server"], 0),
        (
            &["exec", "-p", "admin", "--expect-account", "222222222222"],
            125,
        ),
        (&["each", "--profiles", "*e*r"], 0),
        (&["console", "-p", "dev"], 4),
    ];
    for (arguments, expected) in silent {
        let runs = matches!(arguments[0], "exec" | "each");
        let arguments = [arguments, &["--verbose"], if runs { &child } else { &[] }].concat();
        let mut command = home.bsm(&arguments);
        command.env("BSM_AUDIT_LOG", &log);
        let ran = run(command);
        assert_eq!(ran.status, Some(expected), "{arguments:?}: {ran:?}");
        said.push(ran);
    }
    // Those whose output is secret.
    for arguments in [
        &["env", "-p", "admin"][..],
        &["export", "-p", "reader"],
        &["credential-process", "-p", "process"],
        &["console", "-p", "admin"],
    ] {
        let mut command = home.bsm(arguments);
        command.arg("--verbose").env("BSM_AUDIT_LOG", &log);
        let mut ran = run(command);
        assert_eq!(ran.status, Some(0), "{arguments:?}: {ran:?}");
        ran.stdout.clear();
        said.push(ran);
    }
    let opener = format!("BROWSER=sh {spy}");
    let console = ["env", &opener, "bsm", "console", "-p", "admin"];
    said.extend(on_terminal(&home, &[], &console));

    let mut secrets = cached(&home);
    assert!(secrets.len() > 6, "{secrets:?}");
    secrets.push(SECRET.to_owned());
    said.push(home.run(&["logout", "-p", "reader", "--verbose"]));
    let read = |name: &str| fs::read_to_string(home.path().join(name)).unwrap();
    // The spy has looked: at itself, and at the commands that ran it.
    assert!(read("seen-count").lines().count() >= 8);
    assert!(read("seen-arguments").contains("bsm each --profiles"));
    assert!(read("seen-environments").contains("BSM_AUDIT_LOG="));
    assert!(read("audit.jsonl").lines().count() >= 7);
    let mut places: Vec<_> = said
        .iter()
        .flat_map(|ran| [ran.stdout.clone(), ran.stderr.clone()])
        .collect();
    places.extend(files(home.path()));
    for secret in &secrets {
        for place in &places {
            assert!(!place.contains(secret.as_str()), "{secret} in {place}");
        }
    }
}

/// The texts of all files outside the credentials file, the caches, and the program that prints keys.
fn files(directory: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        let is_meant_to = ["credentials", "cli", "sso", "keys.json"]
            .iter()
            .any(|name| path.ends_with(name));
        if path.is_dir() && !is_meant_to {
            texts.extend(files(&path));
        } else if !is_meant_to {
            texts.push(String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned());
        }
    }
    texts
}

//! Every secret of a session, looked for wherever a command could leave it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::Stdio;
use std::thread;

use bsm_local_aws::{Account, IdentityCenter, LocalAws, Profile, Role, Trust, User};
use serde_json::Value;

use crate::support::{Home, Ran, on_terminal, run, wait};

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
# The secrets of the server of this program, if it has one.
[ "$1" = child ] && env | grep '^AWS_CONTAINER' >> "$SERVER_SECRETS"
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

/// Signs in to the profile `reader`; the person allows it.
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

/// The secrets in what the variables of a server are: the path of an address, and the token.
fn secrets_of_server(variables: &str) -> Vec<String> {
    // All of them are 64 hexadecimal digits.
    let words = variables.split(|c: char| !c.is_ascii_hexdigit());
    let secrets = words.filter(|word| word.len() == 64);
    secrets.map(str::to_owned).collect()
}

/// Runs `bsm serve` and ends it with Ctrl-C, and returns the variables and what it said.
fn serve(home: &Home, spy: &str) -> (String, Ran) {
    let mut command = home.bsm(&["serve", "reader", "--verbose"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut variables = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    while !variables.contains("AWS_EC2_METADATA_SERVICE_ENDPOINT=") {
        assert_ne!(stdout.read_line(&mut variables).unwrap(), 0, "{variables}");
    }
    // As no child, because these variables are not its own.
    let mut sh = home.command("sh");
    sh.args([spy]);
    run(sh).ok();
    let mut kill = home.command("kill");
    kill.args(["-INT", &child.id().to_string()]);
    run(kill).ok();
    let status = wait(&mut child).code();
    let mut stderr = String::new();
    let mut said = child.stderr.take().unwrap();
    said.read_to_string(&mut stderr).unwrap();
    let ran = Ran {
        status,
        stdout: String::new(),
        stderr,
    };
    (variables, ran)
}

/// The token in an address that signs a browser in, as it is and as the address has it.
fn signin_token(url: &str) -> [String; 2] {
    let (_, token) = url.trim().rsplit_once("SigninToken=").unwrap();
    let mut plain = token.to_owned();
    for (escaped, character) in [("%2B", "+"), ("%2F", "/"), ("%3D", "=")] {
        plain = plain.replace(escaped, character);
    }
    [token.to_owned(), plain]
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
    // Elsewhere, because the home directory must not have it.
    let elsewhere = tempfile::tempdir().unwrap();
    let server_secrets = elsewhere.path().join("server");
    let login = sign_in(&aws, &home);
    assert_eq!(login.status, Some(0), "{login:?}");
    let mut said = vec![login];
    // Commands whose standard output is no place for a secret, and their exit codes.
    let silent: [(&[&str], i32); 19] = [
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
        (
            &[
                "copy", "table", "-p", "admin", "--as", "other", "--create", "--yes",
            ],
            1,
        ),
        (
            &[
                "migrate", "plan", "table", "-p", "admin", "--as", "other", "--bucket", "b",
            ],
            1,
        ),
    ];
    for (arguments, expected) in silent {
        let runs = matches!(arguments[0], "exec" | "each");
        let arguments = [arguments, &["--verbose"], if runs { &child } else { &[] }].concat();
        let mut command = home.bsm(&arguments);
        command.env("BSM_AUDIT_LOG", &log);
        command.env("SERVER_SECRETS", &server_secrets);
        let ran = run(command);
        assert_eq!(ran.status, Some(expected), "{arguments:?}: {ran:?}");
        said.push(ran);
    }
    let mut secrets = Vec::new();
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
        if arguments[0] == "console" {
            secrets.extend(signin_token(&ran.stdout));
        }
        ran.stdout.clear();
        said.push(ran);
    }
    let (variables, serving) = serve(&home, spy);
    assert_eq!(serving.status, Some(0), "{serving:?}");
    said.push(serving);
    for variables in [variables, fs::read_to_string(server_secrets).unwrap()] {
        let of_server = secrets_of_server(&variables);
        assert!(of_server.len() >= 2, "{variables}");
        secrets.extend(of_server);
    }
    let opener = format!("BROWSER=sh {spy}");
    let console = ["env", &opener, "bsm", "console", "-p", "admin"];
    said.extend(on_terminal(&home, &[], &console));

    let cached = cached(&home);
    assert!(cached.len() > 6, "{cached:?}");
    secrets.extend(cached);
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
    // The log, in which a secret could be.
    assert!(said.iter().any(|ran| ran.stderr.contains(" bsm_core")));
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

//! The servers of credentials.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use bsm_local_aws::LocalAws;
use bsm_local_aws::standard::{
    ACCESS_KEY_ID, DEFAULT_ACCOUNT, PRODUCTION_ACCOUNT, SECRET_ACCESS_KEY, STAGING_ACCOUNT,
    STAGING_ROLE_ARN,
};
use serde_json::{Deserializer, Value};

use crate::support::{Home, is_installed, run, wait};

/// A running `bsm serve`. Dropping it kills it.
struct Serving {
    child: Child,
    announced: Value,
    _stdout: BufReader<ChildStdout>,
}

impl Serving {
    fn start(home: &Home, profiles: &[&str]) -> Self {
        Self::of(home.bsm(&[&["serve", "--json"], profiles].concat()))
    }

    fn of(mut command: Command) -> Self {
        command.stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        // It prints one document and keeps running.
        let mut text = String::new();
        while !text.ends_with("]\n") {
            assert_ne!(stdout.read_line(&mut text).unwrap(), 0, "{text}");
        }
        let announced = Deserializer::from_str(&text).into_iter().next();
        Self {
            child,
            announced: announced.unwrap().unwrap(),
            _stdout: stdout,
        }
    }

    fn variable(&self, index: usize, protocol: &str, name: &str) -> &str {
        self.announced[index][protocol][name].as_str().unwrap()
    }

    fn container(&self, index: usize) -> (&str, &str) {
        (
            self.variable(index, "container", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
            self.variable(index, "container", "AWS_CONTAINER_AUTHORIZATION_TOKEN"),
        )
    }

    fn metadata(&self, index: usize) -> &str {
        self.variable(index, "metadata", "AWS_EC2_METADATA_SERVICE_ENDPOINT")
    }

    /// Returns the access key that a client of the container protocol gets.
    fn id_by_container(&self) -> String {
        let (url, token) = self.container(0);
        access_key_id(get(url, &[("Authorization", token)]))
    }

    /// Returns the access key that a client of instance metadata gets, which asks for a token first.
    fn id_by_metadata(&self) -> String {
        let base = self.metadata(0);
        let ttl = [("X-aws-ec2-metadata-token-ttl-seconds", "60")];
        let (status, token) = request("PUT", &format!("{base}latest/api/token"), &ttl);
        assert_eq!(status, 200, "{token}");
        let token = [("X-aws-ec2-metadata-token", token.as_str())];
        let role = format!("{base}latest/meta-data/iam/security-credentials/");
        let (status, name) = get(&role, &token);
        assert_eq!(status, 200, "{name}");
        access_key_id(get(&format!("{role}{name}"), &token))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a request, and returns the status and the body.
fn request(method: &str, url: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let (host, path) = url
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let mut text = format!("{method} /{path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "Host") {
        text += &format!("Host: {host}\r\n");
    }
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    stream.write_all((text + "\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

fn get(url: &str, headers: &[(&str, &str)]) -> (u16, String) {
    request("GET", url, headers)
}

fn access_key_id((status, body): (u16, String)) -> String {
    assert_eq!(status, 200, "{body}");
    let body: Value = serde_json::from_str(&body).unwrap();
    body["AccessKeyId"].as_str().unwrap().to_owned()
}

#[test]
fn a_container_client_gets_credentials_with_the_token_and_403_without() {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let serving = Serving::start(&Home::of(&aws), &["staging", "production"]);
    let (url, token) = serving.container(0);
    let (status, body) = get(url, &[("Authorization", token)]);
    assert_eq!(status, 200);
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["AccountId"], STAGING_ACCOUNT);
    assert!(body["AccessKeyId"].as_str().unwrap().starts_with("ASIA"));

    let (other_url, other_token) = serving.container(1);
    let (origin, _) = url.split_at(url.find("/container").unwrap() - 64);
    let secret = &url[origin.len()..origin.len() + 64];
    let token = ("Authorization", token);
    for (method, url, headers) in [
        ("GET", url.to_owned(), vec![]),
        ("GET", url.to_owned(), vec![("Authorization", "")]),
        ("GET", url.to_owned(), vec![("Authorization", other_token)]),
        ("GET", other_url.to_owned(), vec![token]),
        ("POST", url.to_owned(), vec![token]),
        ("GET", origin.to_owned(), vec![token]),
        ("GET", format!("{origin}{secret}"), vec![token]),
        ("GET", format!("{origin}{secret}/"), vec![token]),
        (
            "GET",
            format!("{origin}{}/container", &secret[1..]),
            vec![token],
        ),
        (
            "GET",
            format!("{origin}{}/container", "0".repeat(64)),
            vec![token],
        ),
        ("GET", format!("{origin}latest/meta-data/"), vec![token]),
        (
            "GET",
            url.to_owned(),
            vec![token, ("Origin", "http://127.0.0.1")],
        ),
        (
            "GET",
            url.to_owned(),
            vec![token, ("Sec-Fetch-Site", "none")],
        ),
        (
            "GET",
            url.to_owned(),
            vec![token, ("X-Forwarded-For", "1.2.3.4")],
        ),
        (
            "GET",
            url.to_owned(),
            vec![token, ("Host", "attacker.example")],
        ),
    ] {
        let answer = request(method, &url, &headers);
        assert_eq!(answer, (403, String::new()), "{method} {url} {headers:?}");
    }
}

#[test]
fn a_metadata_client_gets_credentials_and_region_by_version_2_only() {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let serving = Serving::start(&Home::of(&aws), &["staging"]);
    let base = serving.metadata(0);
    let token_url = format!("{base}latest/api/token");
    let ttl = "X-aws-ec2-metadata-token-ttl-seconds";
    assert_eq!(request("PUT", &token_url, &[]).0, 400);
    assert_eq!(request("PUT", &token_url, &[(ttl, "0")]).0, 400);
    assert_eq!(request("GET", &token_url, &[(ttl, "60")]).0, 400);
    let (status, token) = request("PUT", &token_url, &[(ttl, "21600")]);
    assert_eq!(status, 200);
    let token = [("X-aws-ec2-metadata-token", token.as_str())];

    let role = format!("{base}latest/meta-data/iam/security-credentials/");
    assert_eq!(get(&role, &[]).0, 401);
    let (_, name) = get(&role, &token);
    let (status, body) = get(&format!("{role}{name}"), &token);
    assert_eq!(status, 200);
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["Code"], "Success");
    assert!(
        body["Token"]
            .as_str()
            .is_some_and(|token| !token.is_empty())
    );
    // A client that joins paths with a slash of its own.
    let region = format!("{base}/latest/meta-data/placement/region");
    assert_eq!(get(&region, &token), (200, "us-east-1".to_owned()));
    assert_eq!(get(&format!("{role}other"), &token).0, 404);
}

#[test]
fn sdk_clients_use_both_protocols() {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let serving = Serving::start(&Home::of(&aws), &["staging"]);
    let (url, token) = serving.container(0);
    // bsm is a client here, in another home directory.
    let elsewhere = Home::empty();
    let whoami = |variables: &[(&str, &str)]| {
        let mut command = elsewhere.bsm(&["whoami", "--json"]);
        command.envs(variables.iter().copied());
        command.env("AWS_ENDPOINT_URL", aws.endpoint_url());
        run(command).json()
    };
    let by_container = whoami(&[
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", token),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]);
    assert_eq!(by_container["account"], STAGING_ACCOUNT);
    let by_metadata = whoami(&[
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", serving.metadata(0)),
        ("AWS_EC2_METADATA_DISABLED", "false"),
    ]);
    assert_eq!(by_metadata["account"], STAGING_ACCOUNT);
}

#[test]
fn a_thousand_requests_while_the_credentials_rotate_all_succeed() {
    let home = Home::empty();
    // Each run gives keys that expire soon, so that the session fetches new ones all the time.
    let script = home.write(
        "rotate.sh",
        "id=$(date +%N)\n\
         echo \"{\\\"Version\\\": 1, \\\"AccessKeyId\\\": \\\"ASIA$id\\\", \\\"SecretAccessKey\\\": \\\"x\\\", \
         \\\"SessionToken\\\": \\\"t\\\", \\\"Expiration\\\": \\\"$(date -u -d '+4 seconds' +%FT%TZ)\\\"}\"\n",
    );
    home.add_config(&format!(
        "[profile rotating]\nregion = us-east-1\ncredential_process = sh {}",
        script.display()
    ));
    let serving = Serving::start(&home, &["rotating"]);
    let ids = Mutex::new(BTreeSet::new());
    let start = Instant::now();
    std::thread::scope(|threads| {
        for number in 0..8 {
            let (serving, ids) = (&serving, &ids);
            threads.spawn(move || {
                let mut requests = 0;
                // On a fast machine, the keys live longer than a thousand requests.
                while requests < 125 || ids.lock().unwrap().len() < 3 {
                    assert!(start.elapsed() < Duration::from_secs(60), "{ids:?}");
                    let id = match number % 2 {
                        0 => serving.id_by_container(),
                        _ => serving.id_by_metadata(),
                    };
                    ids.lock().unwrap().insert(id);
                    requests += 1;
                }
            });
        }
    });
}

/// Adds the profile `rotating`, which has the role of `staging` with keys that seem to expire in a few
/// seconds: the session fetches new ones all the time.
fn add_rotating(home: &Home) {
    let script = home.write(
        "rotate.sh",
        "soon=$(date -u -d '+4 seconds' +%FT%TZ)\n\
         bsm export -p staging --no-cache |\n\
         sed \"s/\\\"Expiration\\\": *\\\"[^\\\"]*\\\"/\\\"Expiration\\\": \\\"$soon\\\"/\"\n",
    );
    home.add_config(&format!(
        "[profile rotating]\nregion = us-east-1\ncredential_process = sh {}",
        script.display()
    ));
}

#[test]
fn each_set_of_credentials_that_a_server_gives_out_is_recorded_once() {
    let (_aws, home) = world();
    add_rotating(&home);
    let log = home.path().join("audit.jsonl");
    let mut command = home.bsm(&["serve", "rotating", "--json"]);
    command.env("BSM_AUDIT_LOG", &log);
    let serving = Serving::of(command);
    let start = Instant::now();
    let mut given = BTreeSet::new();
    while given.len() < 3 {
        assert!(start.elapsed() < Duration::from_secs(60), "{given:?}");
        given.insert(serving.id_by_container());
        given.insert(serving.id_by_metadata());
    }
    let text = std::fs::read_to_string(&log).unwrap();
    let mut recorded = BTreeSet::new();
    for line in text.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        // The script's command also issues credentials.
        if record["command"] != "serve" {
            continue;
        }
        assert_eq!(record["profile"], "rotating");
        assert_eq!(record["account"], STAGING_ACCOUNT);
        let id = record["access_key_id"].as_str().unwrap().to_owned();
        assert!(recorded.insert(id), "{text}");
    }
    assert!(recorded.is_superset(&given), "{given:?}: {text}");
}

#[test]
fn a_program_with_a_server_gets_new_credentials_before_its_own_expire() {
    const CLIENT: &str = "\
import http.client, json, os, time, urllib.parse
url = urllib.parse.urlsplit(os.environ['AWS_CONTAINER_CREDENTIALS_FULL_URI'])
token = os.environ['AWS_CONTAINER_AUTHORIZATION_TOKEN']
keys = []
deadline = time.monotonic() + 45
while len(keys) < 3 and time.monotonic() < deadline:
    connection = http.client.HTTPConnection(url.netloc)
    connection.request('GET', url.path, headers={'Authorization': token})
    answer = json.load(connection.getresponse())
    if answer['AccessKeyId'] not in keys:
        keys.append(answer['AccessKeyId'])
        print(answer['AccessKeyId'], answer['AccountId'])
";
    if !is_installed("python3") {
        return;
    }
    let (_aws, home) = world();
    add_rotating(&home);
    let exec = [
        "exec", "--server", "-p", "rotating", "--", "python3", "-c", CLIENT,
    ];
    let printed = home.run(&exec).ok();
    assert_eq!(printed.lines().count(), 3, "{printed}");
    for line in printed.lines() {
        assert!(line.starts_with("ASIA"), "{printed}");
        assert!(line.ends_with(STAGING_ACCOUNT), "{printed}");
    }
}

#[test]
fn a_source_without_credentials_is_unavailable_and_says_why() {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let home = Home::of(&aws);
    let flag = home.write("works", "");
    let script = home.write(
        "process.sh",
        &format!(
            "test -e {} || exit 1\n\
             echo \"{{\\\"Version\\\": 1, \\\"AccessKeyId\\\": \\\"ASIA\\\", \\\"SecretAccessKey\\\": \\\"x\\\", \
             \\\"SessionToken\\\": \\\"t\\\", \\\"Expiration\\\": \\\"$(date -u -d '+2 seconds' +%FT%TZ)\\\"}}\"\n",
            flag.display()
        ),
    );
    home.add_config(&format!(
        "[profile fragile]\ncredential_process = sh {}",
        script.display()
    ));
    let serving = Serving::start(&home, &["fragile"]);
    std::fs::remove_file(&flag).unwrap();
    let (url, token) = serving.container(0);
    let start = Instant::now();
    let body = loop {
        // The last keys are served until they expire.
        let (status, body) = get(url, &[("Authorization", token)]);
        match status {
            503 => break body,
            200 if start.elapsed() < Duration::from_secs(30) => {}
            _ => panic!("{status} {body}"),
        }
    };
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["code"], "CredentialsUnavailable");
    assert!(
        body["message"]
            .as_str()
            .unwrap()
            .contains("credential_process")
    );

    home.run(&["serve", "missing"]).fails_with(3);
    let ran = home.run(&["serve", "fragile"]);
    assert!(ran.fails_with(4).contains("credential_process"));
    let stderr = home.run(&["serve"]).fails_with(2);
    assert!(stderr.contains("do not expire"), "{stderr}");
    let mut command = home.bsm(&["serve"]);
    command
        .envs(home.variables_of("staging"))
        .env_remove("AWS_PROFILE");
    let stderr = run(command).fails_with(2);
    assert!(stderr.contains("cannot be refreshed"), "{stderr}");
}

#[test]
fn other_machines_reach_the_server_only_if_that_is_said() {
    let home = Home::empty();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80"] {
        let stderr = home.run(&["serve", "--listen", address]).fails_with(2);
        assert!(stderr.contains("--allow-remote"), "{stderr}");
    }
    // No client can use the variables that would name it.
    for address in ["0.0.0.0:0", "[::]:0"] {
        let remote = ["serve", "--allow-remote", "--listen", address];
        let stderr = home.run(&remote).fails_with(2);
        assert!(stderr.contains("clients need one address"), "{stderr}");
    }
    // Unlike the others, it is optional.
    let remote = ["serve", "--allow-remote", "--listen", "192.0.2.1:80"];
    let (_aws, home) = world();
    let stderr = home
        .run(&[&remote[..], &["staging"]].concat())
        .fails_with(1);
    assert!(stderr.contains("cannot listen on 192.0.2.1:80"), "{stderr}");
}

#[test]
fn a_server_ends_with_a_signal() {
    let (_aws, home) = world();
    for signal in ["-TERM", "-INT"] {
        let mut serving = Serving::start(&home, &["staging"]);
        let mut kill = home.command("kill");
        kill.args([signal, &serving.child.id().to_string()]);
        run(kill).ok();
        assert!(wait(&mut serving.child).success(), "{signal}");
    }
}

fn world() -> (LocalAws, Home) {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let home = Home::of(&aws);
    (aws, home)
}

#[test]
fn a_program_with_a_server_keeps_the_settings_of_its_profile_that_select_no_identity() {
    let (aws, home) = world();
    let endpoint = aws.endpoint_url();
    home.add_config(&format!(
        "[profile set]\nrole_arn = {STAGING_ROLE_ARN}\nsource_profile = default\nregion = eu-west-1\n\
         endpoint_url = {endpoint}\nmax_attempts = 2\nretry_mode = standard\noutput = text\n\
         use_fips_endpoint = false\nexternal_id = ticket\n\
         cli_pager = less\n  credential_process = false\n"
    ));
    let script = "cat $AWS_CONFIG_FILE";
    let exec = ["exec", "--server", "-p", "set", "--", "sh", "-c", script];
    // Without the pager, whose second line would be a setting.
    let expected = format!(
        "[default]\nregion = eu-west-1\nendpoint_url = {endpoint}\nmax_attempts = 2\noutput = text\n\
         retry_mode = standard\nuse_fips_endpoint = false\n"
    );
    assert_eq!(home.run(&exec).ok(), expected);
}

/// What a program with a server gets of a variable.
enum Variable {
    /// The value of the environment of the command.
    Kept,
    Cleared,
    /// A value of the server or the session, which begins with this.
    Replaced(&'static str),
}

#[test]
fn a_program_with_a_server_keeps_every_variable_that_selects_no_identity() {
    use Variable::{Cleared, Kept, Replaced};
    let (_aws, home) = world();
    let variables = [
        ("AWS_ACCESS_KEY_ID", "other", Cleared),
        ("AWS_SECRET_ACCESS_KEY", "other", Cleared),
        ("AWS_SESSION_TOKEN", "other", Cleared),
        ("AWS_SECURITY_TOKEN", "other", Cleared),
        ("AWS_CREDENTIAL_EXPIRATION", "2020-01-01T00:00:00Z", Cleared),
        ("AWS_PROFILE", "production", Cleared),
        ("AWS_DEFAULT_PROFILE", "production", Cleared),
        ("AWS_ACCOUNT_ID", "999999999999", Cleared),
        ("AWS_ROLE_ARN", "other", Cleared),
        ("AWS_ROLE_SESSION_NAME", "other", Cleared),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "other", Cleared),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/other", Cleared),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "other", Cleared),
        ("AWS_BEARER_TOKEN_BEDROCK", "other", Cleared),
        ("AWS_CREDENTIAL_FILE", "other", Cleared),
        (
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "http://127.0.0.1:9/other",
            Replaced("http://127.0.0.1:"),
        ),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "other", Replaced("")),
        ("AWS_EC2_METADATA_DISABLED", "false", Replaced("true")),
        ("BOTO_CONFIG", "other", Replaced("/")),
        // They precede the region of the profile, so the session has it too.
        ("AWS_REGION", "ap-south-1", Kept),
        ("AWS_DEFAULT_REGION", "ap-south-1", Kept),
        ("AWS_MAX_ATTEMPTS", "2", Kept),
        ("AWS_RETRY_MODE", "standard", Kept),
        ("AWS_DEFAULT_OUTPUT", "text", Kept),
        ("AWS_PAGER", "less", Kept),
        ("AWS_CLI_AUTO_PROMPT", "on", Kept),
        ("LANG", "de_DE.UTF-8", Kept),
        ("EDITOR", "vi", Kept),
    ];
    let mut command = home.bsm(&["exec", "--server", "-p", "staging", "--", "env"]);
    command.envs(variables.iter().map(|(name, value, _)| (name, value)));
    let printed = run(command).ok();
    for (name, value, expected) in variables {
        let mut lines = printed.lines().filter_map(|line| line.split_once('='));
        let found = lines.find(|(found, _)| *found == name);
        let found = found.map(|(_, value)| value);
        let is_expected = match expected {
            Kept => found == Some(value),
            Cleared => found.is_none(),
            Replaced(start) => {
                found.is_some_and(|found| found != value && found.starts_with(start))
            }
        };
        assert!(is_expected, "{name}: {found:?}");
    }
}

#[test]
fn programs_with_servers_use_their_own_accounts_whatever_the_default_profile_has() {
    // [default] of this home directory has the keys of another account.
    let (aws, home) = world();
    let account = |profile: &str| {
        let exec = [
            "exec", "--server", "-p", profile, "--", "bsm", "whoami", "--json",
        ];
        let whoami = home.run(&exec).json();
        whoami["account"].as_str().unwrap().to_owned()
    };
    std::thread::scope(|threads| {
        let staging = threads.spawn(|| account("staging"));
        let production = threads.spawn(|| account("production"));
        assert_eq!(staging.join().unwrap(), STAGING_ACCOUNT);
        assert_eq!(production.join().unwrap(), PRODUCTION_ACCOUNT);
    });
    // Its keys do not expire, and need no server.
    assert_eq!(account("default"), DEFAULT_ACCOUNT);
    assert!(aws.calls().iter().all(|call| call.error_code.is_none()));
}

#[test]
fn a_program_with_a_server_has_no_secret_but_the_servers() {
    let (_aws, home) = world();
    let script = "env; cat $AWS_CONFIG_FILE $AWS_SHARED_CREDENTIALS_FILE; \
                  stat -c %a $(dirname $AWS_CONFIG_FILE); cat /proc/$PPID/cmdline /proc/$PPID/environ";
    let mut command = home.bsm(&[
        "exec", "--server", "-p", "staging", "--", "sh", "-c", script,
    ]);
    // What the AWS CLI and the SDKs for Go, Java and Ruby would use before they ask the server.
    let others = [
        "AWS_ACCESS_KEY",
        "AWS_SECRET_KEY",
        "AMAZON_ACCESS_KEY_ID",
        "AMAZON_SECRET_ACCESS_KEY",
        "AWS_CREDENTIAL_FILE",
        "BOTO_CONFIG",
        "AWS_BEARER_TOKEN_BEDROCK",
    ];
    command
        .envs(others.map(|name| (name, "somebody-else")))
        .env("AWS_PROFILE", "default")
        .env("http_proxy", "http://127.0.0.1:9")
        .env("NO_PROXY", "127.0.0.1");
    let printed = run(command).ok();
    for absent in [ACCESS_KEY_ID, SECRET_ACCESS_KEY, "AWS_SECRET_ACCESS_KEY"] {
        assert!(!printed.contains(absent), "{absent}: {printed}");
    }
    for present in [
        "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:",
        "AWS_EC2_METADATA_DISABLED=true",
        "AWS_REGION=us-east-1",
        "NO_PROXY=127.0.0.1,127.0.0.1",
        "[default]\nregion = us-east-1",
        "\n700\n",
    ] {
        assert!(printed.contains(present), "{present}: {printed}");
    }
    // The parent was started with it, and has not given it to the child.
    let (child, parent) = printed.split_once("\n700\n").unwrap();
    assert!(!child.contains("AWS_PROFILE"), "{child}");
    assert!(!child.contains("somebody-else"), "{child}");
    let boto = child
        .lines()
        .find_map(|line| line.strip_prefix("BOTO_CONFIG="));
    assert!(
        boto.is_some_and(|file| child.contains(&format!("AWS_SHARED_CREDENTIALS_FILE={file}")))
    );
    assert!(parent.contains("AWS_PROFILE=default"), "{parent}");
    let file = child
        .lines()
        .find_map(|line| line.strip_prefix("AWS_CONFIG_FILE="));
    assert!(!std::fs::exists(file.unwrap()).unwrap());
}

#[cfg(unix)]
#[test]
fn a_program_with_a_server_gets_signals_and_decides_how_the_command_ends() {
    use std::os::unix::process::ExitStatusExt as _;

    let (_aws, home) = world();
    let exec = |script: &str| {
        let mut command = home.bsm(&[
            "exec", "--server", "-p", "staging", "--", "bash", "-c", script,
        ]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        (child, stdout, line)
    };
    let signal = |pid: u32, name: &str| {
        let mut kill = home.command("kill");
        kill.args([&format!("-{name}"), &pid.to_string()]);
        run(kill).ok();
    };
    let (mut child, ..) = exec("echo; exit 42");
    assert_eq!(wait(&mut child).code(), Some(42));

    for name in ["TERM", "HUP", "INT", "USR1"] {
        let script = format!("trap 'exit 7' {name}; echo ready; while :; do sleep 0.05; done");
        let (mut child, _stdout, _) = exec(&script);
        signal(child.id(), name);
        assert_eq!(wait(&mut child).code(), Some(7), "{name}");
    }
    let (mut child, _stdout, _) = exec("echo ready; exec sleep 60");
    signal(child.id(), "TERM");
    assert_eq!(wait(&mut child).signal(), Some(15));

    let (mut child, ..) = exec("echo; kill -KILL $$");
    assert_eq!(wait(&mut child).signal(), Some(9));
}

#[test]
fn a_program_that_cannot_be_started_with_a_server_is_reported_as_without() {
    let (_aws, home) = world();
    for (program, status) in [("/nonexistent", 127), ("/", 126)] {
        let exec = ["exec", "--server", "-p", "staging", program];
        home.run(&exec).fails_with(status);
    }
}

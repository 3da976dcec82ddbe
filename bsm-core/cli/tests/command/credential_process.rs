use bsm_local_aws::LocalAws;
use bsm_local_aws::standard::STAGING_ACCOUNT;
#[cfg(target_os = "linux")]
use std::{
    io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::Stdio,
};

use crate::support::Home;

#[test]
fn an_sdk_gets_a_profile_through_credential_process() {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let home = Home::of(&aws);
    home.add_config(&format!(
        "[profile other]\nregion = us-east-1\nendpoint_url = {}\n\
         credential_process = bsm credential-process -p staging",
        aws.endpoint_url()
    ));
    // bsm stands for the SDK here, and is also the process that it starts.
    let whoami = home.run(&["whoami", "--json", "-p", "other"]).json();
    assert_eq!(whoami["account"], STAGING_ACCOUNT);

    let printed = home.run(&["credential-process", "-p", "staging"]).json();
    let mut keys: Vec<_> = printed.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(
        keys,
        [
            "AccessKeyId",
            "AccountId",
            "Expiration",
            "SecretAccessKey",
            "SessionToken",
            "Version"
        ]
    );
}

#[test]
fn a_profile_that_is_its_own_credential_process_ends_with_an_error() {
    let home = Home::empty();
    home.add_config(
        "[profile a]\ncredential_process = bsm credential-process -p a\n\
         [profile b]\ncredential_process = bsm credential-process -p c\n\
         [profile c]\ncredential_process = sh -c 'exec bsm exec -p d -- bsm export -p b'\n\
         [profile d]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = x\n\
         [profile e]\nrole_arn = arn:aws:iam::111111111111:role/E\nsource_profile = f\nregion = us-east-1\n\
         [profile f]\ncredential_process = bsm credential-process -p e\n\
         [default]\ncredential_process = bsm credential-process",
    );
    for (profile, circle) in [
        ("a", "a -> a"),
        ("b", "b -> c -> b"),
        ("c", "c -> b -> c"),
        ("e", "e -> e"),
        ("f", "f -> e -> f"),
        ("default", "default -> default"),
    ] {
        let ran = home.run(&["credential-process", "-p", profile, "--verbose"]);
        // The innermost process says why, and the outermost one which profile is the culprit. Between
        // processes without a terminal the reason is not handed on.
        let stderr = ran.fails_with(4);
        assert!(stderr.contains("credential_process"), "{profile}: {stderr}");
        let mut command = home.bsm(&["credential-process", "-p", profile]);
        let (_, outer) = circle.rsplit_once(" -> ").unwrap();
        command.env(
            "BSM_CREDENTIAL_PROCESS_CHAIN",
            circle.rsplit_once(" -> ").unwrap().0.replace(" -> ", "\n"),
        );
        assert_eq!(outer, profile);
        let stderr = crate::support::run(command).fails_with(3);
        assert!(stderr.contains(circle), "{profile}: {stderr}");
    }
}

/// The SDK of every request waits for this command, so a warm cache must not cost what only a request needs.
#[cfg(target_os = "linux")]
#[test]
fn credentials_from_a_warm_cache_take_no_worker_thread_no_tls_and_no_http_client() {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let home = Home::of(&aws);
    let credential_process = || {
        let mut bsm = home.bsm(&["credential-process", "-p", "staging", "--verbose"]);
        // A client for HTTPS cannot be created without certificates, even for an endpoint with HTTP.
        bsm.env("SSL_CERT_FILE", home.path().join("none"))
            .env("SSL_CERT_DIR", home.path().join("none"));
        bsm
    };
    let without_cache = crate::support::run(credential_process());
    assert_ne!(without_cache.status, Some(0), "{without_cache:?}");

    let issued = home.run(&["credential-process", "-p", "staging"]).json();
    aws.clear_calls();
    // The command cannot end before its output is read, and nor can its threads.
    let (mut output, full) = UnixStream::pair().unwrap();
    fill(&full);
    let mut command = credential_process();
    command.stdout(OwnedFd::from(full)).stderr(Stdio::piped());
    let mut bsm = command.spawn().unwrap();
    // The command has a copy of the other end of its output.
    drop(command);
    // Open until the command has ended, which logs more than this line.
    let mut log = BufReader::new(bsm.stderr.take().unwrap()).lines();
    let found = "found the role's credentials in the AWS CLI's cache";
    assert!(log.any(|line| line.unwrap().contains(found)));
    let threads = threads_of(bsm.id());
    let mut printed = String::new();
    output.read_to_string(&mut printed).unwrap();
    assert!(bsm.wait().unwrap().success());

    // The thread of all sessions, and the one on which it reads files.
    assert_eq!(threads, ["bsm", "bsm-engine", "bsm-engine-bloc"]);
    let printed: serde_json::Value = serde_json::from_str(printed.trim()).unwrap();
    assert_eq!(printed, issued);
    assert_eq!(aws.calls().len(), 0);
}

/// Writes spaces until the reader would have to take some.
#[cfg(target_os = "linux")]
fn fill(mut stream: &UnixStream) {
    stream.set_nonblocking(true).unwrap();
    let full = loop {
        if let Err(full) = stream.write(&[b' '; 4096]) {
            break full;
        }
    };
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    stream.set_nonblocking(false).unwrap();
}

/// Returns the names of a process's threads, sorted. Linux keeps 15 characters of each.
#[cfg(target_os = "linux")]
fn threads_of(process: u32) -> Vec<String> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let names = threads.map(|thread| {
        let name = std::fs::read_to_string(thread.unwrap().path().join("comm"));
        name.unwrap().trim().to_owned()
    });
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

//! Credentials that can do less, and the record of those that were issued.

use bsm_local_aws::LocalAws;
use bsm_local_aws::standard::{
    DEFAULT_ACCOUNT, PRODUCTION_ROLE_ARN, SECRET_ACCESS_KEY, STAGING_ACCOUNT, STAGING_ROLE_ARN,
};
use serde_json::Value;

use crate::support::{Home, run};

fn world() -> (LocalAws, Home) {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let home = Home::of(&aws);
    (aws, home)
}

#[test]
fn the_credentials_of_a_program_are_issued_with_every_restriction() {
    let (aws, home) = world();
    let policy = r#"{"Version": "2012-10-17", "Statement": []}"#;
    let file = home.write("policy.json", policy);
    let file = file.to_str().unwrap();
    for session in [&["-p", "staging"][..], &["--role", STAGING_ROLE_ARN]] {
        let options = [
            "--read-only",
            "--policy",
            "arn:aws:iam::222222222222:policy/Own",
            "--policy",
            file,
            "--tag",
            "ticket=42=x",
            "--source-identity",
            "me@example.com",
        ];
        let program = ["--", "bsm", "whoami", "--json"];
        let exec = [&["exec"], session, &options, &program].concat();
        assert_eq!(home.run(&exec).json()["account"], STAGING_ACCOUNT);
        let issued = aws.sessions().pop().unwrap();
        assert_eq!(issued.policy.as_deref(), Some(policy));
        assert_eq!(
            issued.policy_arns,
            [
                "arn:aws:iam::222222222222:policy/Own",
                "arn:aws:iam::aws:policy/ReadOnlyAccess"
            ]
        );
        assert_eq!(issued.tags["ticket"], "42=x");
        assert_eq!(issued.source_identity.as_deref(), Some("me@example.com"));
        // Not those of the cache, which can do more, and the other way round.
        let plain = [&["exec"], session, &program].concat();
        home.run(&plain).ok();
        assert_eq!(aws.sessions().pop().unwrap().policy, None, "{session:?}");
        let again = [&["env"], session, &["--read-only"]].concat();
        home.run(&again).ok();
        let issued = aws.sessions().pop().unwrap();
        assert_eq!(issued.policy_arns.len(), 1, "{session:?}");
        std::fs::remove_dir_all(home.aws_dir().join("cli")).unwrap();
    }
}

#[test]
fn the_other_settings_of_a_role_stay() {
    let (aws, home) = world();
    home.add_config(&format!(
        "[profile narrow]\nrole_arn = {STAGING_ROLE_ARN}\nsource_profile = default\n\
         region = eu-west-1\nrole_session_name = me\nexternal_id = ticket-42\nduration_seconds = 900\n\
         endpoint_url = {}\nservices = narrow\n\
         [services narrow]\ndynamodb =\n  endpoint_url = http://127.0.0.1:9\n",
        aws.endpoint_url()
    ));
    let exec = [
        "exec",
        "-p",
        "narrow",
        "--read-only",
        "--",
        "printenv",
        "AWS_REGION",
    ];
    assert_eq!(home.run(&exec).ok(), "eu-west-1\n");
    // The variable would take precedence over the endpoint of one service.
    let env = |options: &[&str]| {
        let mut command = home.command("bsm");
        command.env_remove("AWS_ENDPOINT_URL");
        command.args(["env", "-p", "narrow"]).args(options);
        run(command).ok()
    };
    let (variables, whole) = (env(&["--read-only"]), env(&[]));
    let endpoints = |variables: &str| {
        let lines = variables.lines().filter(|line| line.contains("ENDPOINT"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(
        variables.contains("AWS_ENDPOINT_URL_DYNAMODB"),
        "{variables}"
    );
    assert_eq!(endpoints(&variables), endpoints(&whole));
    let issued = aws.sessions().pop().unwrap();
    assert_eq!(issued.session_name.as_deref(), Some("me"));
    assert_eq!(issued.external_id.as_deref(), Some("ticket-42"));
    assert_eq!(issued.duration().as_secs(), 900);
    let wrong = ["--expect-account", DEFAULT_ACCOUNT];
    let exec = [&exec[..4], &wrong, &exec[4..]].concat();
    home.run(&exec).fails_with(125);
}

#[test]
fn what_cannot_be_narrowed_is_refused_with_what_it_needs() {
    let (aws, home) = world();
    home.add_config(
        "[profile sso]\nsso_session = corp\nsso_account_id = 111111111111\nsso_role_name = Admin\n\
         [profile process]\ncredential_process = true\n\
         [profile odd]\nrole_arn = arn:aws:iam::111111111111:role/X\ncredential_source = Environment",
    );
    for profile in ["default", "sso", "process", "odd"] {
        let stderr = home
            .run(&["env", "--read-only", "-p", profile])
            .fails_with(2);
        assert!(stderr.contains("add --role"), "{profile}: {stderr}");
    }
    for policy in ["/nonexistent", "/dev/zero"] {
        let role = ["--role", PRODUCTION_ROLE_ARN, "--policy", policy];
        let env = [&["env"], &role[..]].concat();
        let stderr = home.run(&env).fails_with(2);
        assert!(stderr.contains("cannot be read"), "{stderr}");
    }
    assert_eq!(aws.calls().len(), 0);
}

#[test]
fn each_set_of_credentials_is_recorded_without_a_secret() {
    let (_aws, home) = world();
    let log = home.path().join("audit.jsonl");
    let audited = |arguments: &[&str]| {
        let mut command = home.bsm(arguments);
        command.env("BSM_AUDIT_LOG", &log);
        run(command).ok()
    };
    audited(&["exec", "-p", "staging", "--", "sh", "-c", "true # MARKER"]);
    audited(&["env"]);
    audited(&["credential-process", "-p", "staging"]);
    audited(&["export"]);
    audited(&["exec", "--server", "-p", "staging", "--", "bsm", "list"]);
    audited(&["each", "--profiles", "staging", "--", "true"]);
    audited(&["console", "-p", "staging"]);
    // Nothing is issued by these.
    audited(&["whoami"]);
    audited(&["list"]);
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(!text.contains("MARKER"), "{text}");
    assert!(!text.contains(SECRET_ACCESS_KEY), "{text}");
    let records: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let commands: Vec<_> = records
        .iter()
        .map(|it| it["command"].as_str().unwrap())
        .collect();
    assert_eq!(
        commands,
        [
            "exec sh",
            "env",
            "credential-process",
            "export",
            "exec bsm",
            "each true",
            "console"
        ]
    );
    let first = &records[0];
    assert_eq!(first["profile"], "staging");
    assert_eq!(first["account"], STAGING_ACCOUNT);
    assert!(first["principal"].as_str().unwrap().contains("Staging"));
    assert!(first["expiration"].as_str().unwrap().ends_with('Z'));
    assert_eq!(first["parent_pid"], std::process::id());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&log).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn credentials_that_cannot_be_recorded_are_not_issued() {
    let (_aws, home) = world();
    let mark = home.path().join("started");
    let mark = mark.to_str().unwrap();
    let mut command = home.bsm(&["exec", "--", "touch", mark]);
    command.env("BSM_AUDIT_LOG", "/nonexistent/audit.jsonl");
    let stderr = run(command).fails_with(125);
    assert!(stderr.contains("no credentials are issued"), "{stderr}");
    assert!(!std::fs::exists(mark).unwrap());
}

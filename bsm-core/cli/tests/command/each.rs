//! A program in many accounts.

use std::collections::BTreeSet;
use std::process::Stdio;

use bsm_local_aws::standard::{
    DEFAULT_ACCOUNT, PRODUCTION_ACCOUNT, PRODUCTION_ROLE_ARN, STAGING_ACCOUNT,
};
use bsm_local_aws::{Account, Fault, LocalAws, Organization, Role, Trust};

use crate::support::{Home, run, wait};

fn world() -> (LocalAws, Home) {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let home = Home::of(&aws);
    (aws, home)
}

fn lines(text: &str) -> BTreeSet<&str> {
    text.lines().collect()
}

/// A program that prints the account of its credentials.
const ACCOUNT: [&str; 3] = [
    "sh",
    "-c",
    "bsm whoami --json | sed -n 's/.*\"account\": \"\\(.*\\)\",/\\1/p'",
];

#[test]
fn each_profile_gets_its_own_account_and_its_lines_are_marked() {
    let (_aws, home) = world();
    let mut arguments = vec![
        "each",
        "--profiles",
        "staging",
        "--profiles",
        "prod*",
        "--yes",
        "--",
    ];
    arguments.extend(ACCOUNT);
    let ran = home.run(&arguments);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let (staging, production) = (
        format!("staging | {STAGING_ACCOUNT}"),
        format!("production | {PRODUCTION_ACCOUNT}"),
    );
    assert_eq!(
        lines(&ran.stdout),
        BTreeSet::from([&*staging, &*production])
    );
    assert!(ran.stderr.ends_with("2 done\n"), "{}", ran.stderr);

    let mut arguments = vec!["each", "--json", "--profiles", "staging"];
    arguments.extend(["--regions", "us-east-1,eu-west-1", "--", "sh", "-c"]);
    arguments.push("echo $AWS_REGION; echo oops >&2");
    let printed = home.run(&arguments).ok();
    let printed: Vec<serde_json::Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (report, said) = printed.split_last().unwrap();
    assert_eq!(said.len(), 4);
    for line in said {
        let expected = match line["stream"].as_str().unwrap() {
            "stdout" => &line["region"],
            _ => &serde_json::Value::from("oops"),
        };
        assert_eq!(line["line"], *expected, "{line}");
    }
    assert_eq!(report["report"].as_array().unwrap().len(), 2);
}

#[test]
fn a_role_is_assumed_in_each_account_of_a_file_and_failures_are_counted() {
    let audit = || Role::new("Audit").trust(Trust::principal(DEFAULT_ACCOUNT));
    let aws = LocalAws::standard();
    let aws = aws
        .account(Account::new("444444444444").role(audit()))
        .account(Account::new("555555555555").role(audit()))
        .start_blocking()
        .unwrap();
    let home = Home::of(&aws);
    let file = home.write(
        "accounts",
        "444444444444\n# not yet: 777777777777\n\n555555555555 # the second\n666666666666\n",
    );
    let file = file.to_str().unwrap();
    let mut arguments = vec![
        "each",
        "-p",
        "default",
        "--accounts",
        file,
        "--role-name",
        "Audit",
        "--",
    ];
    arguments.extend(ACCOUNT);
    let ran = home.run(&arguments);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert_eq!(
        lines(&ran.stdout),
        BTreeSet::from(["444444444444 | 444444444444", "555555555555 | 555555555555"])
    );
    assert!(
        ran.stderr.contains("failed: 666666666666: "),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.ends_with("2 done, 1 without a session\n"),
        "{}",
        ran.stderr
    );
    assert_eq!(aws.call_count("sts", "AssumeRole"), 3);

    let plan = home.run(&[
        "each",
        "--accounts",
        file,
        "--role-name",
        "Audit",
        "--dry-run",
        "--",
        "true",
    ]);
    assert_eq!(plan.ok().lines().count(), 3);

    let broken = home.write("broken", "444444444444\nprod\n");
    let arguments = [
        "each",
        "--accounts",
        broken.to_str().unwrap(),
        "--role-name",
        "A",
        "--",
        "true",
    ];
    assert!(home.run(&arguments).fails_with(125).contains("line 2"));
}

#[test]
fn an_organization_is_a_fleet() {
    let organization = Organization::new(DEFAULT_ACCOUNT)
        .accounts_in("", ["444444444444", "555555555555", "666666666666"])
        .member_role("Audit")
        .tag("444444444444", "team", "a")
        .tag("555555555555", "team", "a");
    let aws = LocalAws::standard().organization(organization);
    let aws = aws.start_blocking().unwrap();
    let home = Home::of(&aws);
    let mut arguments = vec!["each", "-p", "default", "--org", "--role-name", "Audit"];
    arguments.extend(["--without", "555555555555", "--account-tag", "team=a", "--"]);
    arguments.extend(ACCOUNT);
    assert_eq!(home.run(&arguments).ok(), "444444444444 | 444444444444\n");
    home.run(&["each", "--org", "--", "true"]).fails_with(125);
}

#[test]
fn a_program_never_starts_with_the_credentials_of_another_account() {
    let (_aws, home) = world();
    home.add_config(&format!(
        "[profile guarded]\nrole_arn = arn:aws:iam::{STAGING_ACCOUNT}:role/Admin\nsource_profile = default\n\
         bsm_expect_account = {DEFAULT_ACCOUNT}\n"
    ));
    let started = home.path().join("started");
    let touch = format!("touch {}", started.display());
    let ran = home.run(&["each", "--profiles", "guarded", "--", "sh", "-c", &touch]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("failed: guarded: "), "{}", ran.stderr);
    assert!(!started.exists());
}

#[test]
fn a_report_says_what_is_left_and_a_resumed_run_does_it() {
    let (_aws, home) = world();
    let report = home.path().join("report");
    let report = report.to_str().unwrap();
    let run = |more: &[&str], command: &str| {
        let mut arguments = vec![
            "each",
            "--profiles",
            "staging",
            "--profiles",
            "production",
            "--yes",
        ];
        arguments.extend(["--report", report]);
        arguments.extend(more);
        arguments.extend(["--", "sh", "-c", command]);
        home.run(&arguments)
    };
    let ran = run(&[], &format!("bsm whoami | grep -q {STAGING_ACCOUNT}"));
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(
        ran.stderr.contains("failed: production: exit status 1"),
        "{}",
        ran.stderr
    );
    let rest = "run the same command with --resume to continue";
    assert!(ran.stderr.contains(rest), "{}", ran.stderr);
    assert!(run(&[], "true").fails_with(125).contains("--resume"));
    let ran = run(&["--resume"], "echo again");
    assert_eq!(ran.stdout, "production | again\n");
    assert!(
        ran.stderr.ends_with("2 done, 1 skipped\n"),
        "{}",
        ran.stderr
    );
}

#[cfg(unix)]
#[test]
fn an_interrupt_and_a_time_limit_end_the_programs() {
    let (aws, home) = world();
    let over = home.path().join("over");
    let command = format!(
        "trap 'echo ended > {}; exit 1' TERM; echo up; sleep 3600 & wait",
        over.display()
    );
    let ended = || std::fs::read_to_string(&over).is_ok_and(|text| text == "ended\n");

    let ran = home.run(&[
        "each",
        "--profiles",
        "staging",
        "--time-limit",
        "2s",
        "--",
        "sh",
        "-c",
        &command,
    ]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("timed out"), "{}", ran.stderr);
    while !ended() {
        std::thread::yield_now();
    }
    std::fs::remove_file(&over).unwrap();

    let mut each = home.bsm(&["each", "--profiles", "staging", "--", "sh", "-c", &command]);
    each.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = each.spawn().unwrap();
    let mut up = String::new();
    let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut stdout, &mut up).unwrap();
    assert_eq!(up, "staging | up\n");
    let id = child.id().to_string();
    let killed = std::process::Command::new("kill")
        .args(["-INT", &id])
        .status();
    assert!(killed.unwrap().success());
    assert_eq!(wait(&mut child).code(), Some(1));
    assert!(ended());
    // An STS that does not answer does not delay the other profiles.
    aws.faults()
        .add(Fault::unavailable().operation("AssumeRole"));
    let ran = home.run(&["each", "--no-cache", "--profiles", "staging", "--", "true"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
}

#[test]
fn what_cannot_be_run_is_said_before_anything_is_sent() {
    let (aws, home) = world();
    assert!(
        home.run(&["each", "--profiles", "staging"])
            .fails_with(125)
            .contains("no program")
    );
    let plan = home.run(&["each", "--profiles", "staging", "--dry-run"]);
    assert_eq!(plan.ok(), "staging\n");
    let nobody = home.run(&["each", "--profiles", "nobody-*", "--", "true"]);
    assert!(nobody.fails_with(125).contains("no account was selected"));
    home.run(&["each", "--", "true"]).fails_with(125);
    assert!(aws.calls().is_empty());
}

#[test]
fn the_options_of_one_session_are_refused_for_several_and_guard_the_one_that_assumes_roles() {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let home = Home::of(&aws);
    for option in [
        ["--expect-account", "222222222222"],
        ["--role", "arn:aws:iam::222222222222:role/App"],
    ] {
        let each = [
            &["each", "--profiles", "staging"],
            &option[..],
            &["--", "true"],
        ]
        .concat();
        let error = home.run(&each).fails_with(125);
        assert!(error.contains("for one session"), "{error}");
    }
    let accounts = home.write("accounts", "222222222222\n");
    let each = |guard: &str| {
        let path = accounts.to_str().unwrap();
        let role = bsm_local_aws::standard::STAGING_ROLE_ARN
            .rsplit('/')
            .next()
            .unwrap();
        let mut command = home.bsm(&[
            "each",
            "-p",
            "default",
            "--accounts",
            path,
            "--role-name",
            role,
        ]);
        command.args(["--expect-account", guard, "--", "true"]);
        run(command)
    };
    // The role is in the cache from then on.
    each("111111111111").ok();
    each("333333333333").fails_with(125);
}

#[test]
fn a_production_session_that_assumes_the_roles_is_named() {
    let (_aws, home) = world();
    home.add_config(&format!(
        "[profile hub]\nrole_arn = {PRODUCTION_ROLE_ARN}\nsource_profile = default\nbsm_production = true"
    ));
    let accounts = home.write("accounts", "222222222222\n");
    let accounts = accounts.to_str().unwrap();
    for (profile, is_production) in [("hub", true), ("default", false)] {
        let select = ["each", "-p", profile, "--accounts", accounts];
        let ran = home.run(&[&select[..], &["--role-name", "Any", "--", "true"]].concat());
        let is_named = ran.stderr.contains("production: hub");
        assert_eq!(is_named, is_production, "{ran:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_program_has_ended_when_its_process_has_whatever_holds_its_pipes() {
    let (_aws, home) = world();
    let id = home.path().join("id");
    let command = format!("sleep 3600 & echo $! > {}; echo done", id.display());
    let ran = home.run(&["each", "--profiles", "staging", "--", "sh", "-c", &command]);
    let id = std::fs::read_to_string(id).unwrap();
    let kill = std::process::Command::new("kill").arg(id.trim()).status();
    assert!(kill.unwrap().success());
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert_eq!(ran.stdout, "staging | done\n");
}

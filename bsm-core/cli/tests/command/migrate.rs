//! `bsm migrate`

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use bsm_local_aws::LocalAws;
use serde_json::Value;

use crate::dynamodb::{staging, world};
use crate::support::{Home, run, wait};

const BUCKET: &str = "migrations";

/// As [`world`], with a bucket.
fn world_with_bucket() -> (LocalAws, Home) {
    let (aws, home) = world();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let s3 = staging(&home).client(aws_sdk_s3::Client::new).await;
        let created = s3.unwrap().create_bucket().bucket(BUCKET).send().await;
        created.unwrap();
    });
    (aws, home)
}

fn migrate<'a>(command: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let common = [
        "things",
        "--from",
        "staging",
        "--as",
        "moved",
        "--bucket",
        BUCKET,
        "--poll-interval",
        "1s",
    ];
    [&["migrate", command], &common[..], more].concat()
}

#[test]
fn a_table_is_planned_migrated_and_the_writers_are_stopped_by_a_program() {
    let (aws, home) = world_with_bucket();
    let plan = home.bsm(&migrate("plan", &[]));
    let plan = run(plan).ok();
    assert!(plan.contains("to   table moved"), "{plan}");
    assert!(
        plan.contains("\"dynamodb:ExportTableToPointInTime\""),
        "{plan}"
    );
    let plan: Value = home.run(&migrate("plan", &["--json"])).json();
    assert!(plan["bucket_policy"].is_null());
    assert!(plan["source_policy"]["Statement"].is_array(), "{plan}");

    let stopped = home.path().join("stopped");
    let cutover = ["--yes", "--json", "--", "touch", stopped.to_str().unwrap()];
    let mut command = home.bsm(&migrate("run", &cutover));
    command.current_dir(home.path());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Restorable times are minutes behind.
    while aws.call_count("dynamodb", "ExportTableToPointInTime") == 0 {
        aws.clock().advance(Duration::from_secs(5));
        std::thread::sleep(Duration::from_millis(50));
        assert!(child.try_wait().unwrap().is_none());
    }
    let status = wait(&mut child);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(status.success(), "{stderr}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["loaded"], 2);
    assert_eq!(summary["verified"], true);
    assert!(stderr.contains("streaming"), "{stderr}");
    assert!(stopped.exists());
    let left: Vec<_> = fs::read_dir(home.path()).unwrap().collect();
    assert_eq!(left.len(), 2, "no checkpoint is left: {left:?}");
    assert!(
        home.run(&["tables", "-p", "staging"])
            .ok()
            .contains("moved")
    );
}

#[test]
fn a_migration_that_is_interrupted_has_a_status_and_can_be_aborted() {
    let (aws, home) = world_with_bucket();
    let checkpoint = home.path().join("checkpoint");
    let at = ["--checkpoint", checkpoint.to_str().unwrap()];
    let of = |command, more: &[&'static str]| {
        let arguments: Vec<String> = migrate(command, &at)
            .into_iter()
            .map(str::to_owned)
            .collect();
        let more = more.iter().map(|one| (*one).to_owned());
        let arguments: Vec<_> = arguments.into_iter().chain(more).collect();
        home.bsm(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert_eq!(
        run(of("status", &[])).ok(),
        "there is no migration under way\n"
    );

    let mut child = of("run", &["--yes", "--", "true"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while aws.call_count("dynamodb", "UpdateTable") == 0 {
        std::thread::sleep(Duration::from_millis(10));
        assert!(child.try_wait().unwrap().is_none());
    }
    while run(of("status", &[])).ok() != "preparing\n" {}
    child.kill().unwrap();
    wait(&mut child);
    assert_eq!(run(of("status", &["--json"])).json()["phase"], "preparing");
    let error = run(of("abort", &[])).fails_with(2);
    assert!(error.contains("add --yes"), "{error}");
    let aborted = run(of("abort", &["--yes", "--json"])).json();
    assert_eq!(aborted["deleted_target"], false);
    assert!(!checkpoint.exists());
}

#[test]
fn a_migration_that_nobody_could_cut_over_does_not_begin() {
    let (aws, home) = world_with_bucket();
    let error = home.run(&migrate("run", &["--yes"])).fails_with(2);
    assert!(error.contains("add -- and the command"), "{error}");
    assert_eq!(aws.call_count("dynamodb", "UpdateTable"), 0);
}

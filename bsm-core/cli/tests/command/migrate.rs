//! `bsm migrate`

use std::fs;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bsm_local_aws::standard::STAGING_ACCOUNT;
use bsm_local_aws::{Fault, LocalAws};
use serde_json::Value;

use crate::dynamodb::{staging, world};
use crate::support::{Home, on_terminal, run, wait};

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

/// Lets time pass while a migration runs, until it has begun its export: restorable times are minutes
/// behind.
fn while_time_passes<T>(aws: &LocalAws, work: impl FnOnce() -> T) -> T {
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let exports = || aws.call_count("dynamodb", "ExportTableToPointInTime");
            while exports() == 0 && !is_done.load(Ordering::Relaxed) {
                aws.clock().advance(Duration::from_secs(5));
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        let result = work();
        is_done.store(true, Ordering::Relaxed);
        result
    })
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
    let ran = while_time_passes(&aws, || run(command));
    let stderr = ran.stderr.clone();
    let summary = ran.json();
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
    assert_eq!(run(of("status", &[])).ok(), "no migration in progress\n");

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

/// Returns how many items the target has.
fn moved(aws: &LocalAws) -> usize {
    let items = aws.table_items(STAGING_ACCOUNT, "us-east-1", "moved");
    items.unwrap_or_default().len()
}

#[test]
fn a_run_whose_writers_did_not_stop_is_resumed_by_the_same_command() {
    let (aws, home) = world_with_bucket();
    let bsm = |command, more: &[&'static str]| {
        let mut command = home.bsm(&migrate(command, more));
        command.current_dir(home.path());
        command
    };
    let failing = bsm("run", &["--yes", "--", "sh", "-c", "exit 3"]);
    let stderr = while_time_passes(&aws, || run(failing)).fails_with(1);
    for part in [
        "the writers were not stopped: sh failed: exit status: 3: make sure",
        "run the same command again to resume from things.migration.json",
    ] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
    assert_eq!(run(bsm("status", &[])).ok(), "streaming\n");
    let plan = run(bsm("plan", &["--json"])).json();
    assert_eq!(plan["resumes"], "streaming");

    let summary = run(bsm("run", &["--yes", "--json", "--", "true"])).json();
    assert_eq!(summary["loaded"], 2);
    assert_eq!(summary["verified"], true);
    assert_eq!(moved(&aws), 2);
    assert_eq!(aws.call_count("dynamodb", "ExportTableToPointInTime"), 1);
    assert_eq!(run(bsm("status", &[])).ok(), "no migration in progress\n");
}

#[test]
fn a_migration_asks_before_it_begins_and_whether_the_writers_have_stopped() {
    let (aws, home) = world_with_bucket();
    let checkpoint = home.path().join("checkpoint");
    let arguments = migrate("run", &["--checkpoint", checkpoint.to_str().unwrap()]);
    // A script cannot answer.
    let cutover = [&arguments[..], &["--", "true"]].concat();
    let stderr = home.run(&cutover).fails_with(2);
    assert!(stderr.contains("add --yes"), "{stderr}");

    let migrate = [&["bsm"], &arguments[..]].concat();
    let begin = format!("Write to table moved of account {STAGING_ACCOUNT}? [y/N]");
    for answer in ["n", ""] {
        let Some(ran) = on_terminal(&home, &[&begin, answer], &migrate) else {
            return;
        };
        assert_eq!(ran.status, Some(5), "{answer:?}: {ran:?}");
    }
    assert_eq!(aws.call_count("dynamodb", "UpdateTable"), 0);
    assert!(!checkpoint.exists());

    let stopped = "Have they stopped? [y/N]";
    for (answer, status) in [("n", 1), ("y", 0)] {
        let answers = [&begin, "y", stopped, answer];
        let ran = while_time_passes(&aws, || on_terminal(&home, &answers, &migrate)).unwrap();
        assert_eq!(ran.status, Some(status), "{ran:?}");
        assert_eq!(checkpoint.exists(), status != 0, "{ran:?}");
        let refused = ran.stdout.contains("were not stopped: you answered no");
        assert_eq!(refused, status != 0, "{ran:?}");
    }
    assert_eq!(moved(&aws), 2);
}

#[test]
fn ctrl_c_interrupts_a_migration_which_continues_where_it_was() {
    let (aws, home) = world_with_bucket();
    let checkpoint = home.path().join("checkpoint");
    let minutes = Duration::from_secs(600);
    aws.faults()
        .add(Fault::slow_job(minutes).operation("ImportTable"));
    let checkpoint = ["--checkpoint", checkpoint.to_str().unwrap(), "--yes"];
    let arguments = [&migrate("run", &checkpoint)[..], &["--", "true"]].concat();
    // A dumb terminal shows no phases while they last.
    let interrupted = [&["env", "TERM=xterm", "bsm"], &arguments[..]].concat();
    let run = || on_terminal(&home, &["loading", "^C"], &interrupted);
    let Some(ran) = while_time_passes(&aws, run) else {
        return;
    };
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(
        ran.stdout
            .contains("run the same command again to resume from"),
        "{ran:?}"
    );
    let status = migrate("status", &checkpoint[..2]);
    assert_eq!(home.run(&status).ok(), "loading\n");

    aws.clock().advance(minutes);
    home.run(&arguments).ok();
    assert_eq!(moved(&aws), 2);
    // The request may have been sent twice, with one token, if the first run ended before its response.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let imports = runtime.block_on(async {
        let client = staging(&home).client(aws_sdk_dynamodb::Client::new).await;
        client.unwrap().list_imports().send().await.unwrap()
    });
    assert_eq!(imports.import_summary_list().len(), 1);
}

//! Killed at any point, and run again.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use bsm_core::BotoSesManager;
use bsm_dynamodb::copy_table;
use bsm_local_aws::Fault;
use fastrand::Rng;

use super::support::{Pair, TABLE, create};
use crate::support::PRODUCTION;

const FOLDER: &str = "BSM_TEST_COPY_FOLDER";
const TARGET: &str = "BSM_TEST_COPY_TARGET";

/// The copy that is killed: this test, run by the one below in a process of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let target = std::env::var(TARGET).unwrap();
    let manager = |profile: &str| {
        BotoSesManager::builder()
            .profile_name(profile)
            .config_file(folder.join("config"))
            .shared_credentials_file(folder.join("credentials"))
            .environment([])
            .build()
    };
    let copy = copy_table(&manager("staging"), &manager("production"), TABLE);
    copy.checkpoint(checkpoint(&folder, &target))
        .target_table(target)
        .page_size(25)
        .write_concurrency(2)
        .await
        .unwrap();
}

/// Most seeds need fewer than ten runs. A copy that made no progress would need endlessly many.
const MAX_RUNS: u64 = 100;

#[cfg(unix)]
fn was_killed(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    // SIGKILL
    status.signal() == Some(9)
}

/// Windows ends a killed process with this code, and a panicking test ends with 101.
#[cfg(not(unix))]
fn was_killed(status: ExitStatus) -> bool {
    status.code() == Some(1)
}

fn checkpoint(folder: &Path, target: &str) -> PathBuf {
    folder.join(target).with_extension("json")
}

fn start(folder: &Path, target: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "copy::kill::child"])
        .env(FOLDER, folder)
        .env(TARGET, target)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_killed_at_any_point_ends_with_all_items() {
    let pair = Pair::start(700).await;
    let slow = Fault::latency(Duration::from_millis(40)).operation("BatchWriteItem");
    pair.local.aws.faults().add(slow);
    let folder = pair.local.dir();
    let (mut killed, mut in_the_middle) = (0, 0);
    for seed in 0..20 {
        let target = format!("target-{seed}");
        create(&pair.target, &target).await;
        let checkpoint = checkpoint(folder, &target);
        let mut rng = Rng::with_seed(seed);
        let mut began = false;
        for run in 0.. {
            assert!(run < MAX_RUNS, "seed {seed} does not come to its end");
            let mut child = start(folder, &target);
            // Let the last of a few runs come to its end, on a busy machine too.
            let patience = rng.u64(50..800) * (1 + run / 20);
            tokio::time::sleep(Duration::from_millis(patience)).await;
            child.kill().unwrap();
            let status = child.wait().unwrap();
            let done = status.success();
            // A copy that fails by itself is not to be mistaken for one that was killed.
            assert!(done || was_killed(status), "seed {seed}: {status}");
            began |= checkpoint.exists();
            if done || (began && !checkpoint.exists()) {
                break;
            }
            killed += 1;
            let stored = pair.stored(PRODUCTION, &target).len();
            in_the_middle += usize::from(stored > 0 && stored < 700);
        }
        let copied = pair.stored(PRODUCTION, &target);
        assert!(
            copied == pair.in_source(),
            "seed {seed}: {} items",
            copied.len()
        );
    }
    assert!(
        killed >= 20 && in_the_middle >= 10,
        "{killed} {in_the_middle}"
    );
}

//! Killed at any point, and run again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bsm_local_aws::Fault;
use fastrand::Rng;

use crate::support::*;
use crate::writers::Writers;

const FOLDER: &str = "BSM_TEST_MIGRATE_FOLDER";
const WAY: &str = "BSM_TEST_MIGRATE_WAY";

/// How a migration loads the table, and catches up.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Imports,
    Loads,
    /// Loads, and has no stream.
    Windows,
}

impl Way {
    /// The steps in which a process is killed as soon as they are seen.
    fn steps(self) -> Vec<&'static str> {
        let mut steps = vec!["preparing", "exporting", "catching_up"];
        steps.push(match self {
            Self::Imports => "importing",
            Self::Loads | Self::Windows => "loading",
        });
        if self != Self::Windows {
            // These two last for the stream.
            steps.extend(["streaming", "finishing"]);
        }
        steps
    }
}

/// The files by which the two processes tell each other that the writers are to stop, and have.
const STOP: &str = "stop";
const STOPPED: &str = "stopped";

/// More runs mean that a migration makes no progress.
const MAX_RUNS: usize = 150;

/// Requests that the migration makes, and the writers do not.
const OF_EVERY_STEP: [&str; 6] = [
    "BatchWriteItem",
    "DescribeContinuousBackups",
    "DescribeExport",
    "DescribeImport",
    "DescribeTable",
    "GetRecords",
];

/// Those that take a while, so that a step lasts.
const SLOW: [&str; 4] = [
    "BatchWriteItem",
    "DescribeExport",
    "DescribeImport",
    "GetRecords",
];

/// The migration that is killed: this test, run by the one below in a process of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let way = std::env::var(WAY).unwrap();
    let manager = |profile| manager(&folder, profile).build();
    let checkpoint = folder.join("users.migration.json");
    let files = folder.clone();
    migration(&manager("source"), &manager("target"), &checkpoint)
        .import(way == "Imports")
        .stream(way != "Windows")
        .cutover(move || async move {
            std::fs::write(files.join(STOP), "")?;
            while !files.join(STOPPED).exists() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Ok(())
        })
        .await
        .unwrap();
}

fn start(folder: &Path, way: Way) -> Child {
    Command::new(std::env::current_exe().unwrap())
        // Otherwise its panic would be part of the standard output, which is not shown.
        .args(["--exact", "kill::child", "--nocapture"])
        .env(FOLDER, folder)
        .env(WAY, format!("{way:?}"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// The step that a checkpoint records.
fn step(checkpoint: &Path) -> Option<&'static str> {
    let text = std::fs::read_to_string(checkpoint).ok()?;
    let steps = [
        "preparing",
        "exporting",
        "importing",
        "loading",
        "catching_up",
        "streaming",
        "finishing",
    ];
    steps
        .into_iter()
        .find(|step| text.contains(&format!("\"step\":{{\"{step}\"")))
}

/// Returns how many requests of the migration have arrived.
fn requests(world: &World) -> usize {
    let operations = OF_EVERY_STEP.into_iter();
    operations
        .map(|operation| world.aws.call_count("dynamodb", operation))
        .sum()
}

/// Kills a migration again and again until it has ended; returns how often it was killed in which step.
async fn kill(way: Way, seed: u64) -> BTreeMap<Option<&'static str>, u32> {
    let mut killed = BTreeMap::new();
    // A process of each step is killed as soon as the step is seen, and the others at any point.
    let mut unseen = way.steps();
    let world = World::start(700).await;
    let checkpoint = world.checkpoint();
    let writers = Writers::start(&world, 900).await;
    let folder = world.folder().to_owned();
    let waiting = Arc::clone(&writers);
    let stop = tokio::spawn(async move {
        while !folder.join(STOP).exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        waiting.stop().await;
        std::fs::write(folder.join(STOPPED), "").unwrap();
    });
    let slow = |operation| Fault::latency(Duration::from_millis(60)).operation(operation);
    for operation in SLOW {
        world.aws.faults().add(slow(operation));
    }
    // Without a stream, the last window begins when the writers have stopped.
    let _hurry = match way {
        Way::Windows => world.hurry_slowly(usize::MAX),
        _ => world.hurry(1),
    };
    let mut rng = Rng::with_seed(seed);
    let mut began = false;
    for run in 0.. {
        assert!(
            run < MAX_RUNS,
            "{way:?}: the migration does not come to its end"
        );
        let mut child = start(world.folder(), way);
        // Counted in requests, so that a fast machine and a busy one meet the same steps. Few at
        // first, because the first steps make few, and more from run to run, so that the last one
        // comes to its end.
        let until = requests(&world) + rng.usize(1..6 + 3 * run);
        while requests(&world) < until && child.try_wait().unwrap().is_none() {
            if step(&checkpoint).is_some_and(|step| unseen.contains(&step)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        child.kill().unwrap();
        let status = child.wait().unwrap();
        began |= checkpoint.exists();
        if status.success() || (began && !checkpoint.exists()) {
            break;
        }
        // A migration that fails by itself is not to be mistaken for one that was killed.
        assert_eq!(status.code(), None, "{status}");
        let step = step(&checkpoint);
        unseen.retain(|unseen| Some(*unseen) != step);
        *killed.entry(step).or_insert(0) += 1;
    }
    stop.await.unwrap();
    world.assert_migrated().await;
    killed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_is_killed_in_every_step_ends_with_all_items() {
    let mut killed = kill(Way::Imports, 0).await;
    for (step, times) in kill(Way::Loads, 1).await {
        *killed.entry(step).or_insert(0) += times;
    }
    // `finishing` lasts for two requests, so a busy machine may not meet it.
    let steps = killed.keys().flatten().filter(|step| **step != "finishing");
    assert!(
        killed.values().sum::<u32>() >= 20 && steps.count() == 6,
        "{killed:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_without_a_stream_that_is_killed_in_every_step_ends_with_all_items() {
    let killed = kill(Way::Windows, 2).await;
    assert!(
        Way::Windows
            .steps()
            .iter()
            .all(|step| killed.contains_key(&Some(*step))),
        "{killed:?}"
    );
}

//! Migrations beside programs in Python. They need a `python3` with boto3, so they are ignored:
//! `cargo test --workspace --test migrate -- --ignored --nocapture`.

use std::process::{Command, Stdio};
use std::time::Instant;

use crate::support::*;

/// A script under `tests/peers`, with the session of the source.
fn script(world: &World, name: &str) -> Command {
    let mut command = Command::new("python3");
    command
        .arg(format!("{}/peers/{name}", env!("CARGO_MANIFEST_DIR")))
        .env("AWS_CONFIG_FILE", world.folder().join("config"))
        .env(
            "AWS_SHARED_CREDENTIALS_FILE",
            world.folder().join("credentials"),
        )
        .env("AWS_PROFILE", "source")
        .env("AWS_EC2_METADATA_DISABLED", "true");
    for variable in [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_ENDPOINT_URL",
        "AWS_DEFAULT_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_RETRY_MODE",
        "AWS_MAX_ATTEMPTS",
    ] {
        command.env_remove(variable);
    }
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Python with boto3"]
async fn exports_are_read_by_a_program_in_python() {
    let world = World::start(200).await;
    let _hurry = world.hurry(9);
    let client = client(&world.source).await;
    // The last writes arrive by an incremental export.
    let migration = world.migrate().stream(false).cutover(move || async move {
        for id in 0..150 {
            let key = user(id).remove("id").unwrap();
            if id % 3 == 0 {
                let request = client.delete_item().table_name(TABLE).key("id", key);
                request.send().await?;
            } else {
                let request = client.put_item().table_name(TABLE);
                request.set_item(Some(user(id + 1_000))).send().await?;
            }
        }
        Ok(())
    });
    migration.await.unwrap();
    let keys = world.aws.object_keys(BUCKET, "AWSDynamoDB/");
    let summaries = keys
        .iter()
        .filter(|key| key.ends_with("manifest-summary.json"));
    let mut command = script(&world, "exports.py");
    // The names begin with the time of the export.
    command.args([BUCKET, TABLE]).args(summaries);
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "250 150");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Python with boto3, and takes a minute"]
async fn a_table_is_migrated_under_writers_in_python() {
    for items in [10_000, 200_000] {
        let world = World::start(items).await;
        let stop = world.folder().join("stop");
        let mut command = script(&world, "writers.py");
        command.args([
            TABLE,
            &(items + items / 10).to_string(),
            stop.to_str().unwrap(),
        ]);
        let writers = command.stdout(Stdio::piped()).spawn().unwrap();
        let began = Instant::now();
        let _hurry = world.hurry(1);
        let summary = world
            .migrate()
            .cutover(move || async move {
                std::fs::write(stop, "")?;
                let ended = tokio::task::spawn_blocking(|| writers.wait_with_output()).await??;
                let printed = String::from_utf8_lossy(&ended.stdout);
                println!("{}", printed.trim());
                let rate = printed.split_whitespace().nth(2).unwrap_or_default();
                assert!(
                    rate.parse::<u32>().is_ok_and(|rate| rate >= 100),
                    "{printed}"
                );
                Ok(())
            })
            .await
            .unwrap();
        println!(
            "{items} items: {:?}, pause {:?}",
            began.elapsed(),
            summary.pause().unwrap()
        );
        world.assert_migrated().await;
        assert!(summary.is_verified());
        assert!(summary.pause().unwrap().as_secs() < 5, "{summary:?}");
    }
}

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
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env_remove("AWS_SESSION_TOKEN")
        .env_remove("AWS_ENDPOINT_URL");
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Python with boto3"]
async fn an_export_is_read_by_a_program_in_python() {
    let world = World::start(200).await;
    let _hurry = world.hurry(1);
    world.migrate().await.unwrap();
    let keys = world.aws.object_keys(BUCKET, "AWSDynamoDB/");
    let summary = keys
        .iter()
        .find(|key| key.ends_with("manifest-summary.json"));
    let mut command = script(&world, "exports.py");
    command.args([BUCKET, summary.unwrap(), TABLE]);
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "200");
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
                println!("{}", String::from_utf8_lossy(&ended.stdout).trim());
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

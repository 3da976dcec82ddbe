//! The CPU time of a migration's loader, beside a plain loop of the SDK, over the local AWS.

use std::collections::HashMap;
use std::io::Read as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use bsm_core::BotoSesManager;
use bsm_dynamodb::{MigrationPhase, Model, Set, copy_table, migrate_table, with_boto_session};
use bsm_tests::Playground;
use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};

use super::one_thread;
use crate::Result;
use crate::measure::{Effort, median, on_cpu};
use crate::row::{Row, Target, Unit};

const TABLE: &str = "things";
const LOADED: &str = "loaded";
const BUCKET: &str = "migration";

/// DynamoDB's limit for a BatchWriteItem.
const BATCH: usize = 25;

#[derive(Serialize, Deserialize, Model)]
#[model(table = "things")]
struct Thing {
    #[model(hash_key)]
    id: String,
    number: u32,
    tags: Set<String>,
    note: String,
}

type Item = HashMap<String, AttributeValue>;

pub(crate) fn measure(effort: Effort, report: &mut dyn FnMut(Row)) -> Result {
    let (items, rounds) = match effort {
        Effort::Steady => (20_000, 5),
        Effort::Once => (100, 1),
    };
    let runtime = one_thread()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        // A new local AWS for each round: a table and an export can be made only once.
        let world = runtime.block_on(World::with_items(items))?;
        ours.push(runtime.block_on(world.load())? / f64::from(items));
        theirs.push(runtime.block_on(world.load_plainly(items))? / f64::from(items));
    }
    report(Row::new(
        "loaded item of an export: CPU; a loop of the SDK",
        Unit::Seconds,
        median(&mut ours),
        median(&mut theirs),
        Target::Ratio(0.3),
    ));
    Ok(())
}

struct World {
    playground: Playground,
    source: BotoSesManager,
    target: BotoSesManager,
}

impl World {
    async fn with_items(items: u32) -> Result<Self> {
        let playground = Playground::start().await;
        let (source, target) = (
            playground.profile("staging"),
            playground.profile("production"),
        );
        let things = (0..items).map(|number| Thing {
            id: format!("{number:08}"),
            number,
            tags: ["a", "b"].map(String::from).into_iter().collect(),
            note: "x".repeat(300),
        });
        with_boto_session::<Thing, _>(&source, async {
            Thing::create_table().wait().await?;
            let write = Thing::batch_write();
            write.save_all(things.collect::<Vec<_>>()).await
        })
        .await?;
        // The table of the plain loop.
        let copy = copy_table(&source, &target, TABLE).create_target(true);
        copy.filter(|_| false).await?;

        let s3 = source.client(aws_sdk_s3::Client::new).await?;
        s3.create_bucket().bucket(BUCKET).send().await?;
        let policy = format!(
            r#"{{"Statement": [{{"Effect": "Allow", "Principal": {{"AWS": "{}"}},
            "Action": ["s3:ListBucket", "s3:GetObject"],
            "Resource": ["arn:aws:s3:::{BUCKET}", "arn:aws:s3:::{BUCKET}/*"]}}]}}"#,
            target.aws_account_id().await?
        );
        let put = s3.put_bucket_policy().bucket(BUCKET).policy(policy);
        put.send().await?;
        Ok(Self {
            playground,
            source,
            target,
        })
    }

    /// Runs a migration until its export is loaded, and returns the CPU seconds of the loading.
    async fn load(&self) -> Result<f64> {
        let times: Arc<Mutex<Vec<(MigrationPhase, Duration)>>> = Arc::default();
        let seen = Arc::clone(&times);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let mut stop = Some(stop);
        let folder = tempfile::tempdir()?;
        let migration = migrate_table(&self.source, &self.target, TABLE)
            .target_table(LOADED)
            .bucket(BUCKET)
            .checkpoint(folder.path().join("loaded.json"))
            .import(false)
            .stream(false)
            .poll_interval(Duration::from_millis(20))
            .cutover(std::future::pending)
            .on_progress(move |progress| {
                let phase = progress.phase();
                if phase >= MigrationPhase::Loading
                    && let (Ok(mut times), Ok(cpu)) = (seen.lock(), on_cpu())
                {
                    times.push((phase, cpu));
                    if phase > MigrationPhase::Loading {
                        drop(stop.take());
                    }
                }
            })
            .stop_when(async { drop(stopped.await) });
        let outcome = tokio::select! {
            outcome = migration => outcome,
            never = self.let_time_pass() => match never {},
        };
        let times = times.lock().map_err(|_| "a callback has panicked")?;
        let end = times
            .iter()
            .find(|(phase, _)| *phase > MigrationPhase::Loading);
        match (times.first(), end) {
            (Some((_, began)), Some((_, ended))) => Ok((*ended - *began).as_secs_f64()),
            _ => Err(format!("nothing was loaded: {outcome:?}").into()),
        }
    }

    /// Moves the clock until the export begins: restorable times are minutes behind.
    async fn let_time_pass(&self) -> std::convert::Infallible {
        let aws = &self.playground.aws;
        while aws.call_count("dynamodb", "ExportTableToPointInTime") == 0 {
            aws.clock().advance(Duration::from_secs(20));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        std::future::pending().await
    }

    /// Loads the same export as most programs do, and returns the CPU seconds.
    async fn load_plainly(&self, items: u32) -> Result<f64> {
        let s3 = self.target.client(aws_sdk_s3::Client::new).await?;
        let client = self.target.client(Client::new).await?;
        let began = on_cpu()?;
        let mut loaded = 0;
        let objects = s3.list_objects_v2().bucket(BUCKET).send().await?;
        let keys = objects.contents().iter().filter_map(|object| object.key());
        for key in keys.filter(|key| key.ends_with(".json.gz")) {
            let object = s3.get_object().bucket(BUCKET).key(key).send().await?;
            let compressed = object.body.collect().await?.into_bytes();
            let mut text = String::new();
            MultiGzDecoder::new(&compressed[..]).read_to_string(&mut text)?;
            let lines: Vec<_> = text.lines().collect();
            for lines in lines.chunks(BATCH) {
                let puts = lines.iter().map(|line| {
                    let put = PutRequest::builder().set_item(Some(parse(line)?)).build()?;
                    Ok(WriteRequest::builder().put_request(put).build())
                });
                let puts = puts.collect::<Result<Vec<_>>>()?;
                loaded += puts.len();
                let request = client.batch_write_item().request_items(TABLE, puts);
                request.send().await?;
            }
        }
        let taken = on_cpu()? - began;
        match loaded == items as usize {
            true => Ok(taken.as_secs_f64()),
            false => Err(format!("{loaded} of {items} items were exported").into()),
        }
    }
}

fn parse(line: &str) -> Result<Item> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Line {
        item: serde_dynamo::Item,
    }
    let line: Line = serde_json::from_str(line)?;
    Ok(line.item.into())
}

//! Programs that write to the source during a migration.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use fastrand::Rng;
use tokio::sync::{Mutex, RwLock};
use tokio::task::JoinSet;

use crate::support::{TABLE, World, client, user};

/// Tasks that put, update and delete items until they are stopped.
pub(crate) struct Writers {
    stopping: AtomicBool,
    writes: AtomicU64,
    /// Held by every write. A request would fail if the clock jumped between its signature and its
    /// arrival.
    gate: RwLock<()>,
    tasks: Mutex<JoinSet<()>>,
}

impl Writers {
    /// Starts some writers of the items with numbers below `ids`.
    pub(crate) async fn start(world: &World, ids: usize) -> Arc<Self> {
        let writers = Arc::new(Self {
            stopping: AtomicBool::new(false),
            writes: AtomicU64::new(0),
            gate: RwLock::new(()),
            tasks: Mutex::default(),
        });
        let client = client(&world.source).await;
        for seed in 0..4 {
            let (own, client) = (Arc::clone(&writers), client.clone());
            writers.tasks.lock().await.spawn(async move {
                let mut rng = Rng::with_seed(seed);
                while !own.stopping.load(Ordering::Relaxed) {
                    let writing = own.gate.read().await;
                    write(&client, rng.usize(..ids), &mut rng).await;
                    drop(writing);
                    own.writes.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(rng.u64(1..10))).await;
                }
            });
        }
        writers
    }

    /// Stops the writers; returns when the last write has been acknowledged.
    pub(crate) async fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        let mut tasks = self.tasks.lock().await;
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap();
        }
    }

    /// Moves the clock between writes.
    pub(crate) async fn advance(&self, world: &World, by: Duration) {
        let _writing = self.gate.write().await;
        world.aws.clock().advance(by);
    }

    pub(crate) fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }
}

async fn write(client: &Client, id: usize, rng: &mut Rng) {
    let key = AttributeValue::S(format!("{id:06}"));
    match rng.u8(..4) {
        0 => {
            let request = client.delete_item().table_name(TABLE).key("id", key);
            request.send().await.unwrap();
        }
        1 => {
            let request = client.put_item().table_name(TABLE).set_item(Some(user(id)));
            request.send().await.unwrap();
        }
        _ => {
            let value = AttributeValue::N(rng.u64(..).to_string());
            let request = client.update_item().table_name(TABLE).key("id", key);
            let request = request.update_expression("SET #v = :v REMOVE photo");
            let request = request.expression_attribute_names("#v", "value");
            request
                .expression_attribute_values(":v", value)
                .send()
                .await
                .unwrap();
        }
    }
}

//! Cached credentials, beside fixed ones, and credentials while they are being refreshed, beside the same when
//! nothing happens.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::config::{Credentials, ProvideCredentials as _, SharedCredentialsProvider};
use bsm_core::BotoSesManager;
use bsm_local_aws::{Fault, standard};
use bsm_tests::Playground;
use tokio::runtime::Builder;
use tokio::task::{self, JoinSet};

use super::one_thread;
use crate::Result;
use crate::measure::{Effort, median, percentile, time};
use crate::row::{Row, Target, Unit};

const TASKS: usize = 1_000;

const SHARES: [(&str, f64, Target); 3] = [
    ("median", 0.5, Target::Nothing),
    ("p99", 0.99, Target::Ratio(2.0)),
    ("p99.9", 0.999, Target::Nothing),
];

/// How long STS takes, so that there is time to ask meanwhile.
const STS: Duration = Duration::from_millis(500);

pub(crate) fn measure(effort: Effort, report: &mut dyn FnMut(Row)) -> Result {
    report(cached(effort)?);
    let rounds = effort.times(9);
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let rounds = (0..rounds).map(|_| runtime.block_on(round()));
    let rounds = rounds.collect::<Result<Vec<_>>>()?;
    for (place, (name, _, target)) in SHARES.into_iter().enumerate() {
        let of_all = |of: fn(&Round) -> &Latencies| {
            let mut figures: Vec<_> = rounds.iter().map(|round| of(round)[place]).collect();
            median(&mut figures)
        };
        report(Row::new(
            format!("credentials() of {TASKS} tasks during a refresh, {name}; idle"),
            Unit::Seconds,
            of_all(|round| &round.refreshing),
            of_all(|round| &round.idle),
            target,
        ));
    }
    let calls = rounds.iter().map(|round| round.sts_calls).max();
    report(Row::new(
        format!("{TASKS} tasks during a refresh: calls of STS"),
        Unit::Count,
        calls.unwrap_or_default() as f64,
        0.0,
        Target::AtMost(1.0),
    ));
    Ok(())
}

/// Measures credentials of a role that need no refresh. The alternative, keys that never change, has nothing to check.
fn cached(effort: Effort) -> Result<Row> {
    let runtime = one_thread()?;
    let playground = runtime.block_on(Playground::start());
    let manager = playground.profile("staging");
    runtime.block_on(manager.credentials())?;
    let (id, secret) = (standard::ACCESS_KEY_ID, standard::SECRET_ACCESS_KEY);
    let keys = Credentials::new(id, secret, None, None, "by hand");
    let provider = SharedCredentialsProvider::new(keys);
    let [ours, theirs] = time(
        effort,
        [
            &mut |calls| {
                runtime.block_on(async {
                    for _ in 0..calls {
                        black_box(manager.credentials().await.expect("they are cached"));
                    }
                });
            },
            &mut |calls| {
                runtime.block_on(async {
                    for _ in 0..calls {
                        black_box(provider.provide_credentials().await.expect("fixed keys"));
                    }
                });
            },
        ],
    );
    Ok(Row::new(
        "credentials(), cached; provide_credentials() of fixed keys",
        Unit::Seconds,
        ours,
        theirs,
        Target::Nothing,
    ))
}

/// The latencies below which each of [`SHARES`] lies, in seconds.
type Latencies = [f64; SHARES.len()];

struct Round {
    idle: Latencies,
    refreshing: Latencies,
    sts_calls: usize,
}

async fn round() -> Result<Round> {
    let playground = Playground::start().await;
    let manager = playground.profile("staging");
    manager.credentials().await?;
    let sts_calls = || playground.aws.call_count("sts", "AssumeRole");
    let before = sts_calls();

    let idle = ask(&manager, STS).await?;
    let slow = Fault::latency(STS).operation("AssumeRole");
    playground.aws.faults().add(slow);
    // Of their hour, 14 minutes are left.
    playground.aws.clock().advance(Duration::from_secs(46 * 60));
    let refreshing = ask(&manager, STS).await?;
    Ok(Round {
        idle,
        refreshing,
        sts_calls: sts_calls() - before,
    })
}

/// Lets all tasks ask for credentials, again and again for this long.
async fn ask(manager: &BotoSesManager, time: Duration) -> Result<Latencies> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let (manager, stop) = (manager.clone(), Arc::clone(&stop));
        tasks.spawn(async move {
            let mut taken = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let began = Instant::now();
                let credentials = manager.credentials().await;
                taken.push(began.elapsed().as_secs_f64());
                credentials?;
                task::yield_now().await;
            }
            Ok::<_, bsm_core::Error>(taken)
        });
    }
    let waker = Arc::clone(&stop);
    std::thread::spawn(move || {
        std::thread::sleep(time);
        waker.store(true, Ordering::Relaxed);
    });
    let mut taken = Vec::new();
    for of_task in tasks.join_all().await {
        taken.extend(of_task?);
    }
    Ok(SHARES.map(|(_, share, _)| percentile(&mut taken, share)))
}

//! The Python originals, on the same local AWS.

use std::collections::BTreeMap;
use std::future::IntoFuture as _;
use std::path::Path;
use std::process::Command;

use bsm_core::BotoSesManager;
use bsm_dynamodb::{Model, Set, copy_table, use_boto_session, with_boto_session};
use bsm_local_aws::standard::{PRODUCTION_ACCOUNT, REGION, STAGING_ACCOUNT};
use bsm_tests::Playground;
use serde::{Deserialize, Serialize};

use super::one_thread;
use crate::Result;
use crate::measure::{Effort, time};
use crate::probe::{figures_in, successful};
use crate::row::{Row, Target, Unit};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/sessions.py");

/// The model of the script, by the same name.
#[derive(Serialize, Deserialize, Model)]
#[model(table = "users")]
struct User {
    #[model(hash_key)]
    id: String,
}

/// What is copied: the items of the script `copy_table.py`.
#[derive(Serialize, Deserialize, Model)]
#[model(table = "bench")]
struct Thing {
    #[model(hash_key)]
    id: String,
    number: u32,
    tags: Set<String>,
    note: String,
}

pub(crate) fn measure(effort: Effort, python: &Path, report: &mut dyn FnMut(Row)) -> Result {
    let (gets, writes, things) = match effort {
        Effort::Steady => (200, 2_000, 10_000),
        Effort::Once => (2, 20, 100),
    };
    let runtime = one_thread()?;
    let playground = runtime.block_on(Playground::start());
    let (staging, production) = (
        playground.profile("staging"),
        playground.profile("production"),
    );
    for manager in [&staging, &production] {
        runtime.block_on(with_boto_session::<User, _>(manager, async {
            User::create_table().wait().await?;
            User { id: "123".into() }.save().await
        }))?;
    }
    runtime.block_on(with_boto_session::<Thing, _>(&staging, fill(things)))?;

    let theirs = run(python, &playground, gets, writes)?;
    let their_wrong = in_the_wrong_account(&playground, "python");

    let copied = runtime.block_on(async {
        let copy = copy_table(&staging, &production, "bench").create_target(true);
        copy.target_table("bench-copy").await
    })?;
    let [get, switch] = time(
        effort,
        [
            &mut |calls| {
                let _session = use_boto_session::<User>(&staging);
                for _ in 0..calls {
                    let user = runtime.block_on(User::get("123").into_future());
                    user.expect("the user is there");
                }
            },
            &mut |calls| {
                for call in 0..calls {
                    let manager = if call % 2 == 0 { &staging } else { &production };
                    let _session = use_boto_session::<User>(manager);
                    let user = runtime.block_on(User::get("123").into_future());
                    user.expect("the user is there");
                }
            },
        ],
    );
    write_in_two_threads(
        writes,
        [(&staging, "rust-staging"), (&production, "rust-production")],
    )?;
    let our_wrong = in_the_wrong_account(&playground, "rust");

    let than = |what: &str, package: &str| format!("{what}; {package}");
    report(Row::new(
        than("one get", "pynamodb"),
        Unit::Seconds,
        get,
        theirs["get_seconds"],
        Target::Nothing,
    ));
    report(Row::new(
        than("switches a second", "pynamodb-session-manager"),
        Unit::PerSecond,
        1.0 / switch,
        1.0 / theirs["switch_seconds"],
        Target::Nothing,
    ));
    report(Row::new(
        format!("{writes} writes of two threads: in the wrong account"),
        Unit::Count,
        our_wrong as f64,
        their_wrong as f64,
        Target::AtMost(0.0),
    ));
    report(Row::new(
        than("items copied a second", "pynamodb"),
        Unit::PerSecond,
        copied.statistics().items_per_second(),
        theirs["copied_per_second"],
        Target::Nothing,
    ));
    Ok(())
}

async fn fill(things: u32) -> std::result::Result<(), bsm_dynamodb::Error> {
    Thing::create_table().wait().await?;
    let things = (0..things).map(|number| Thing {
        id: format!("{number:08}"),
        number,
        tags: ["a", "b"].map(String::from).into_iter().collect(),
        note: "x".repeat(300),
    });
    Thing::batch_write()
        .save_all(things.collect::<Vec<_>>())
        .await
}

/// Runs the script, and returns the figures that it prints.
fn run(
    python: &Path,
    playground: &Playground,
    gets: usize,
    writes: usize,
) -> Result<BTreeMap<String, f64>> {
    let known = Command::new(python)
        .args(["-c", "import pynamodb_session_manager"])
        .output()
        .map_err(|error| format!("{} cannot be run: {error}", python.display()))?;
    if !known.status.success() {
        return Err(format!(
            "{} has no pynamodb_session_manager: install tests/peers/copy_table_requirements.txt, \
             and name that Python with --python",
            python.display()
        )
        .into());
    }
    let output = Command::new(python)
        .arg(SCRIPT)
        .args([gets.to_string(), writes.to_string()])
        .env_clear()
        .env("AWS_CONFIG_FILE", playground.dir().join("config"))
        .env(
            "AWS_SHARED_CREDENTIALS_FILE",
            playground.dir().join("credentials"),
        )
        .env("AWS_ENDPOINT_URL", playground.aws.endpoint_url())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()?;
    figures_in(&successful(output)?)
}

/// Writes with one model in two threads, each in a session of its own.
fn write_in_two_threads(writes: usize, sides: [(&BotoSesManager, &str); 2]) -> Result {
    std::thread::scope(|threads| {
        let writers = sides.map(|(manager, prefix)| {
            threads.spawn(move || {
                let runtime = one_thread().map_err(|error| error.to_string())?;
                let _session = use_boto_session::<User>(manager);
                for number in 0..writes / 2 {
                    let id = format!("{prefix}-{number}");
                    let saved = runtime.block_on(User { id }.save().into_future());
                    saved.map_err(|error| error.to_string())?;
                }
                Ok::<_, String>(())
            })
        });
        for writer in writers {
            writer.join().map_err(|_| "a writer panicked")??;
        }
        Ok(())
    })
}

/// Counts what a program has written to the other account than it meant to.
fn in_the_wrong_account(playground: &Playground, program: &str) -> usize {
    let accounts = [
        (STAGING_ACCOUNT, format!("{program}-production-")),
        (PRODUCTION_ACCOUNT, format!("{program}-staging-")),
    ];
    let wrong = accounts.map(|(account, of_the_other)| {
        let items = playground.aws.table_items(account, REGION, "users");
        let ids = items.into_iter().flatten().filter_map(|item| {
            let id = item["id"]["S"].as_str()?;
            Some(id.starts_with(&of_the_other))
        });
        ids.filter(|&is_wrong| is_wrong).count()
    });
    wrong.iter().sum()
}

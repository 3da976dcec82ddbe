//! One get of a model, and one switch of it, beside the same by hand.

use std::hint::black_box;

use aws_sdk_dynamodb::Client;
use bsm_core::BotoSesManager;
use bsm_dynamodb::{Model, slot, use_boto_session, with_boto_session};
use bsm_tests::Playground;
use bsm_tests::measured::{User, by_hand, http_without_a_network, manager};
use tokio::runtime::Runtime;

use super::one_thread;
use crate::Result;
use crate::measure::{Effort, cpu_time, time};
use crate::probe::{Side, Subject, allocations, instructions};
use crate::row::{Row, Target, Unit};

async fn get_ours() {
    let user = User::get(User::ID).await;
    assert_eq!(user.expect("the user is there"), User::example());
}

async fn get_theirs(client: &Client) {
    let user = User::get_by_hand(client, User::ID).await;
    assert_eq!(user.expect("the user is there"), User::example());
}

/// Both sides, ready to be called as often as one likes.
struct Sides {
    runtime: Runtime,
    manager: BotoSesManager,
    other: BotoSesManager,
    client: Client,
}

impl Sides {
    /// Sides that are answered at once.
    fn without_a_network() -> Result<Self> {
        let runtime = one_thread()?;
        let http_client = http_without_a_network();
        let config = by_hand().http_client(http_client.clone()).load();
        let client = Client::new(&runtime.block_on(config));
        Ok(Self {
            runtime,
            manager: manager(http_client.clone()),
            other: manager(http_client),
            client,
        })
    }

    /// Sides that share the connections to a local AWS, which has the user to be read.
    fn with_a_local_aws() -> Result<(Playground, Self)> {
        let runtime = one_thread()?;
        let playground = runtime.block_on(Playground::start());
        let manager = || playground.profile("default");
        let (manager, other) = (manager(), manager());
        let client = runtime.block_on(async {
            let http_client = manager.sdk_config().await?.http_client();
            let http_client = http_client.ok_or("a manager has an HTTP client")?;
            let config = by_hand().http_client(http_client);
            let config = config.endpoint_url(playground.aws.endpoint_url());
            let client = Client::new(&config.load().await);
            let put = async {
                User::create_table().wait().await?;
                User::example().save().await
            };
            with_boto_session::<User, _>(&manager, put).await?;
            crate::Result::Ok(client)
        })?;
        let sides = Self {
            runtime,
            manager,
            other,
            client,
        };
        Ok((playground, sides))
    }

    /// Times a get beside the same by hand.
    fn time_get(&self, effort: Effort) -> [f64; 2] {
        let mut ours = |calls| self.ours(calls);
        let mut theirs = |calls| self.theirs(calls);
        time(effort, [&mut ours, &mut theirs])
    }

    /// Times a get in a session that is entered and left, beside the same get alone.
    fn time_switch(&self, effort: Effort) -> [f64; 2] {
        let mut switching = |calls| self.switching(calls);
        let mut staying = |calls| self.ours(calls);
        time(effort, [&mut switching, &mut staying])
    }

    fn ours(&self, calls: usize) {
        let _env = self.manager.awsenv();
        self.runtime.block_on(async {
            for _ in 0..calls {
                get_ours().await;
            }
        });
    }

    fn theirs(&self, calls: usize) {
        self.runtime.block_on(async {
            for _ in 0..calls {
                get_theirs(&self.client).await;
            }
        });
    }

    /// Enters a session, takes its client, and leaves, with two managers in turn.
    fn entering(&self, calls: usize) {
        self.runtime.block_on(async {
            for call in 0..calls {
                let _session = use_boto_session::<User>(self.in_turn(call));
                let client = slot::<User>().client().await;
                black_box(client.expect("the manager has a client"));
            }
        });
    }

    fn in_turn(&self, call: usize) -> &BotoSesManager {
        match call % 2 {
            0 => &self.manager,
            _ => &self.other,
        }
    }

    /// Enters a session, reads, and leaves, with two managers in turn.
    fn switching(&self, calls: usize) {
        self.runtime.block_on(async {
            for call in 0..calls {
                let _session = use_boto_session::<User>(self.in_turn(call));
                get_ours().await;
            }
        });
    }
}

pub(crate) fn measure(effort: Effort, report: &mut dyn FnMut(Row)) -> Result {
    let sides = Sides::without_a_network()?;
    let [ours, theirs] = sides.time_get(effort);
    let name = "get, answered at once: time";
    report(Row::new(name, Unit::Seconds, ours, theirs, Target::Nothing));

    let (_playground, sides) = Sides::with_a_local_aws()?;
    let [ours, theirs] = sides.time_get(effort);
    let name = "get, from the local AWS: time";
    report(Row::new(name, Unit::Seconds, ours, theirs, Target::Nothing));

    if effort == Effort::Once {
        return Ok(());
    }
    report(Row::new(
        "get, answered at once: instructions",
        Unit::Instructions,
        instructions(Subject::Get, Side::Ours)?,
        instructions(Subject::Get, Side::Theirs)?,
        Target::Ratio(1.03),
    ));
    report(Row::new(
        "get, answered at once: allocations",
        Unit::Allocations,
        allocations(Subject::Get, Side::Ours)?,
        allocations(Subject::Get, Side::Theirs)?,
        Target::Ratio(1.05),
    ));
    Ok(())
}

pub(crate) fn measure_switch(effort: Effort, report: &mut dyn FnMut(Row)) -> Result {
    let most = Target::Ratio(1.02);
    let [ours, theirs] = Sides::without_a_network()?.time_switch(effort);
    let name = "switch and get, answered at once; the same get alone";
    report(Row::new(name, Unit::Seconds, ours, theirs, most));

    let (playground, sides) = Sides::with_a_local_aws()?;
    let [ours, theirs] = sides.time_switch(effort);
    let name = "switch and get, local AWS; the same get alone";
    report(Row::new(name, Unit::Seconds, ours, theirs, most));

    // As most programs do it: with the SDK's own HTTP client.
    let endpoint_url = playground.aws.endpoint_url();
    let fresh = async || {
        let config = by_hand().endpoint_url(endpoint_url).load();
        Client::new(&config.await)
    };
    let [ours, theirs] = cpu_time(
        effort,
        [&mut |calls| sides.entering(calls), &mut |calls| {
            sides.runtime.block_on(async {
                for _ in 0..calls {
                    black_box(fresh().await);
                }
            });
        }],
    )?;
    report(Row::new(
        "switch, client and back: CPU; load and Client::new",
        Unit::Seconds,
        ours,
        theirs,
        Target::Ratio(0.05),
    ));
    let [ours, theirs] = cpu_time(
        effort,
        [&mut |calls| sides.switching(calls), &mut |calls| {
            sides.runtime.block_on(async {
                for _ in 0..calls {
                    get_theirs(&fresh().await).await;
                }
            });
        }],
    )?;
    report(Row::new(
        "switch and get: CPU; load, Client::new and get",
        Unit::Seconds,
        ours,
        theirs,
        Target::Nothing,
    ));

    if effort == Effort::Once {
        return Ok(());
    }
    report(Row::new(
        "switch and get: instructions; the same get alone",
        Unit::Instructions,
        instructions(Subject::Switch, Side::Ours)?,
        instructions(Subject::Switch, Side::Theirs)?,
        most,
    ));
    Ok(())
}

/// Reads items in the child process whose instructions or allocations are counted.
pub(crate) fn probe(side: Side, calls: usize) -> Result {
    let sides = Sides::without_a_network()?;
    match side {
        Side::Ours => sides.ours(calls),
        Side::Theirs => sides.theirs(calls),
    }
    Ok(())
}

/// The same, in a session that is entered and left each time.
pub(crate) fn probe_switch(side: Side, calls: usize) -> Result {
    let sides = Sides::without_a_network()?;
    match side {
        Side::Ours => sides.switching(calls),
        Side::Theirs => sides.ours(calls),
    }
    Ok(())
}

//! The active manager in every runtime, for every kind of activity, inside every kind of override.
//!
//! In each case the activity runs inside the override. It asserts which manager its code sees before
//! and after awaits, and which one its values see when they are dropped. A task that was spawned
//! outside runs at the same time and must see the default.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::any::TypeId;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use bsm_core::{BotoSesManager, InCurrentScope as _, adapter, in_current_scope_fn};
use bsm_dynamodb::{ConnectionSlot, slot, use_boto_session, with_boto_session};
use futures_util::FutureExt as _;
use tokio::runtime;
use tokio::task::{JoinHandle, LocalSet, spawn_blocking, spawn_local, yield_now};

struct User;
struct Order;

impl ConnectionSlot for User {}
impl ConnectionSlot for Order {}

/// The profile of the general default, and the profiles that two models use.
type Seen = [Option<String>; 3];

fn see() -> Seen {
    [
        BotoSesManager::current(),
        slot::<User>().manager().clone(),
        slot::<Order>().manager().clone(),
    ]
    .map(|manager| manager.profile_name().map(String::from))
}

fn twice(seen: &Seen) -> [Seen; 2] {
    [seen.clone(), seen.clone()]
}

const DEFAULT: Seen = [None, None, None];

/// Tells what is in force where it is dropped.
struct Probe(Sender<Seen>);

fn probe() -> (Probe, Receiver<Seen>) {
    let (sender, receiver) = channel();
    (Probe(sender), receiver)
}

impl Drop for Probe {
    fn drop(&mut self) {
        let _ = self.0.send(see());
    }
}

/// Looks before and after an await, with a value that looks when it is dropped.
async fn look(probe: Probe) -> [Seen; 2] {
    let _probe = probe;
    let before = see();
    yield_now().await;
    [before, see()]
}

/// Never completes, and tells when it has begun.
async fn wait(probe: Probe, begun: Arc<AtomicBool>) {
    let _probe = probe;
    begun.store(true, Ordering::SeqCst);
    std::future::pending::<()>().await;
}

async fn until(flag: &AtomicBool) {
    while !flag.load(Ordering::SeqCst) {
        yield_now().await;
    }
}

/// The managers that an activity inside the override must see.
struct Inside {
    seen: Seen,
    host: Host,
}

/// # Activities
impl Inside {
    async fn spawn(&self) {
        let ((plain, plain_drop), (carried, carried_drop)) = (probe(), probe());
        let plain = self.spawn_task(look(plain));
        let carried = self.spawn_task(look(carried).in_current_scope());
        assert_eq!(plain.await.unwrap(), [DEFAULT, DEFAULT]);
        assert_eq!(plain_drop.recv().unwrap(), DEFAULT);
        assert_eq!(carried.await.unwrap(), twice(&self.seen));
        assert_eq!(carried_drop.recv().unwrap(), self.seen);
    }

    async fn join(&self) {
        let other = BotoSesManager::from_profile("other");
        let ((left, left_drop), (right, right_drop)) = (probe(), probe());
        let models = [TypeId::of::<User>(), TypeId::of::<Order>()];
        let right = other.scope(adapter::scope_for(&other, &models, look(right)));
        let (left, right) = tokio::join!(look(left), right);
        assert_eq!(left, twice(&self.seen));
        assert_eq!(left_drop.recv().unwrap(), self.seen);
        let others = ["other"; 3].map(|name| Some(name.to_owned()));
        assert_eq!(right, twice(&others));
        assert_eq!(right_drop.recv().unwrap(), others);
    }

    async fn select(&self) {
        let ((winner, winner_drop), (loser, loser_drop)) = (probe(), probe());
        tokio::select! {
            seen = look(winner) => assert_eq!(seen, twice(&self.seen)),
            () = wait(loser, Arc::default()) => unreachable!("it never completes"),
        }
        assert_eq!(winner_drop.recv().unwrap(), self.seen);
        assert_eq!(loser_drop.recv().unwrap(), self.seen);
    }

    async fn abort(&self) {
        let ((plain, plain_drop), (carried, carried_drop)) = (probe(), probe());
        let begun = [Arc::<AtomicBool>::default(), Arc::default()];
        let plain = self.spawn_task(wait(plain, begun[0].clone()));
        let carried = self.spawn_task(wait(carried, begun[1].clone()).in_current_scope());
        for (task, begun) in [plain, carried].into_iter().zip(&begun) {
            until(begun).await;
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
        }
        assert_eq!(plain_drop.recv().unwrap(), DEFAULT);
        assert_eq!(carried_drop.recv().unwrap(), self.seen);
    }

    async fn blocking(&self) {
        let ((plain, plain_drop), (carried, carried_drop)) = (probe(), probe());
        let plain = spawn_blocking(move || (see(), drop(plain)).0);
        let carried = spawn_blocking(in_current_scope_fn(move || (see(), drop(carried)).0));
        assert_eq!(plain.await.unwrap(), DEFAULT);
        assert_eq!(plain_drop.recv().unwrap(), DEFAULT);
        assert_eq!(carried.await.unwrap(), self.seen);
        assert_eq!(carried_drop.recv().unwrap(), self.seen);
    }

    async fn panic(&self) {
        async fn fail(probe: Probe) {
            let _probe = probe;
            yield_now().await;
            // Like `panic!`, and silent.
            resume_unwind(Box::new("caught by the test"));
        }
        let (inner, inner_drop) = probe();
        let caught = AssertUnwindSafe(fail(inner)).catch_unwind().await;
        assert!(caught.is_err());
        assert_eq!(inner_drop.recv().unwrap(), self.seen);
        assert_eq!(see(), self.seen);

        let ((plain, plain_drop), (carried, carried_drop)) = (probe(), probe());
        let plain = self.spawn_task(fail(plain));
        let carried = self.spawn_task(fail(carried).in_current_scope());
        assert!(plain.await.unwrap_err().is_panic());
        assert!(carried.await.unwrap_err().is_panic());
        assert_eq!(plain_drop.recv().unwrap(), DEFAULT);
        assert_eq!(carried_drop.recv().unwrap(), self.seen);
    }
}

impl Inside {
    fn spawn_task<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        match self.host {
            Host::LocalSet => spawn_local(future),
            Host::CurrentThread | Host::MultiThread => tokio::spawn(future),
        }
    }
}

#[derive(Clone, Copy)]
enum Host {
    CurrentThread,
    MultiThread,
    LocalSet,
}

impl Host {
    fn run(self, future: impl Future<Output = ()> + 'static) {
        let mut runtime = match self {
            Self::CurrentThread | Self::LocalSet => runtime::Builder::new_current_thread(),
            Self::MultiThread => runtime::Builder::new_multi_thread(),
        };
        let runtime = runtime.worker_threads(4).build().unwrap();
        match self {
            Self::CurrentThread | Self::MultiThread => runtime.block_on(future),
            Self::LocalSet => LocalSet::new()
                .block_on(&runtime, async { spawn_local(future).await })
                .unwrap(),
        }
    }
}

#[derive(Clone, Copy)]
enum Way {
    Awsenv,
    Scope,
    AwsenvFor,
    ScopeFor,
    UseBotoSession,
    WithBotoSession,
}

impl Way {
    fn seen(self) -> Seen {
        let staging = || Some("staging".to_owned());
        match self {
            Self::Awsenv | Self::Scope => [staging(), staging(), staging()],
            Self::AwsenvFor | Self::ScopeFor | Self::UseBotoSession | Self::WithBotoSession => {
                [None, staging(), None]
            }
        }
    }

    async fn over(self, future: impl Future<Output = ()>) {
        let staging = BotoSesManager::from_profile("staging");
        let user = [TypeId::of::<User>()];
        match self {
            Self::Awsenv => {
                let _env = staging.awsenv();
                future.await;
            }
            Self::Scope => staging.scope(future).await,
            Self::AwsenvFor => {
                let _env = adapter::awsenv_for(&staging, &user);
                future.await;
            }
            Self::ScopeFor => adapter::scope_for(&staging, &user, future).await,
            Self::UseBotoSession => {
                let _session = use_boto_session::<User>(&staging);
                future.await;
            }
            Self::WithBotoSession => with_boto_session::<User, _>(&staging, future).await,
        }
    }
}

fn case(host: Host, way: Way, activity: impl AsyncFnOnce(&Inside) + 'static) {
    host.run(async move {
        let inside = Inside {
            seen: way.seen(),
            host,
        };
        let done = Arc::<AtomicBool>::default();
        let stop = done.clone();
        let bystander = inside.spawn_task(async move {
            while !stop.load(Ordering::SeqCst) {
                assert_eq!(see(), DEFAULT);
                yield_now().await;
            }
        });
        way.over(async {
            assert_eq!(see(), inside.seen);
            activity(&inside).await;
            assert_eq!(see(), inside.seen);
        })
        .await;
        assert_eq!(see(), DEFAULT);
        done.store(true, Ordering::SeqCst);
        bystander.await.unwrap();
    });
}

macro_rules! hosts {
    ($($name:ident = $host:ident)*) => {
        $(mod $name { activities!($host: spawn join select abort blocking panic); })*
    };
}

macro_rules! activities {
    ($host:ident: $($activity:ident)*) => {
        $(mod $activity {
            ways!($host, $activity:
                awsenv = Awsenv
                scope = Scope
                awsenv_for = AwsenvFor
                scope_for = ScopeFor
                use_boto_session = UseBotoSession
                with_boto_session = WithBotoSession
            );
        })*
    };
}

macro_rules! ways {
    ($host:ident, $activity:ident: $($name:ident = $way:ident)*) => {
        $(#[test]
        fn $name() {
            crate::case(crate::Host::$host, crate::Way::$way, crate::Inside::$activity);
        })*
    };
}

hosts! {
    current_thread = CurrentThread
    multi_thread = MultiThread
    local_set = LocalSet
}

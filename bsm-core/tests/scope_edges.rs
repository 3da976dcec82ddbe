//! What a guard does that is returned, stored or forgotten, and what a thread sees at its end.

use std::cell::RefCell;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake};
use std::thread;

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{
    ProvideCredentials, future::ProvideCredentials as ProvideCredentialsFuture,
};
use bsm_core::{BotoSesManager, InCurrentScope as _, in_current_scope_fn};

fn staging() -> BotoSesManager {
    BotoSesManager::from_profile("staging")
}

fn profile() -> Option<String> {
    let current = BotoSesManager::current();
    current.profile_name().map(String::from)
}

#[tokio::test]
async fn a_guard_has_no_effect_outside_of_the_scope_that_made_it() {
    let other = BotoSesManager::from_profile("other");
    let returned = staging().scope(async { other.awsenv() }).await;
    assert_eq!(profile(), None);
    assert_eq!(returned.manager().profile_name(), Some("other"));
}

#[tokio::test]
async fn a_guard_that_an_async_fn_returns_stays_in_force() {
    async fn enter() -> bsm_core::AwsEnvGuard {
        staging().awsenv()
    }
    let _env = enter().await;
    assert_eq!(profile().as_deref(), Some("staging"));
}

#[test]
fn a_forgotten_guard_is_its_threads_only() {
    thread::spawn(|| {
        mem::forget(staging().awsenv());
        assert_eq!(profile().as_deref(), Some("staging"));
    })
    .join()
    .unwrap();
    assert_eq!(thread::spawn(profile).join().unwrap(), None);
}

/// A source of credentials that looks around when it is dropped, and says so.
#[derive(Debug)]
struct Source(Sender<Option<String>>);

impl Drop for Source {
    fn drop(&mut self) {
        drop(staging().awsenv());
        let _ = self.0.send(profile());
    }
}

impl ProvideCredentials for Source {
    fn provide_credentials<'a>(&'a self) -> ProvideCredentialsFuture<'a>
    where
        Self: 'a,
    {
        ProvideCredentialsFuture::ready(Err(CredentialsError::not_loaded("a test has none")))
    }
}

#[tokio::test]
async fn an_override_that_has_ended_keeps_no_manager() {
    let (sender, dropped) = channel();
    let with_source = || {
        let source = Source(sender.clone());
        BotoSesManager::builder()
            .credentials_provider(source)
            .build()
    };
    let is_gone = || dropped.try_recv().is_ok();

    let outer = with_source().awsenv();
    let inner = staging().awsenv();
    drop(outer);
    assert!(is_gone(), "dropped before the inner one");
    drop(inner);

    drop(with_source().scope(async { tokio::task::yield_now().await }));
    assert!(is_gone(), "a scope that was never polled");

    let guard = with_source().scope(async { with_source().awsenv() }).await;
    assert!(is_gone(), "a scope that has ended");
    assert!(!is_gone(), "its guard is still there");
    drop(guard);
    assert!(is_gone(), "a guard that was returned");

    staging()
        .scope(async {
            let parked = with_source().awsenv();
            tokio::task::yield_now().await;
            drop(parked);
        })
        .await;
    assert!(is_gone(), "a guard that was parked");
}

/// Looks around, and overrides, when its thread ends.
struct AtExit(Sender<(String, Option<String>)>);

impl Drop for AtExit {
    fn drop(&mut self) {
        let other = BotoSesManager::from_profile("other");
        drop(other.awsenv());
        let carried = in_current_scope_fn(BotoSesManager::current);
        let current = BotoSesManager::current().to_string();
        // The thread that continues has the overrides that applied here.
        let carried = thread::spawn(|| carried().to_string()).join();
        let _ = self.0.send((current, carried.ok()));
    }
}

thread_local! {
    static BEFORE: RefCell<Option<AtExit>> = const { RefCell::new(None) };
    static AFTER: RefCell<Option<AtExit>> = const { RefCell::new(None) };
}

#[test]
fn at_thread_exit_an_override_is_seen_or_nothing_is() {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        BEFORE.set(Some(AtExit(sender.clone())));
        mem::forget(staging().awsenv());
        AFTER.set(Some(AtExit(sender)));
    })
    .join()
    .unwrap();
    let seen: Vec<_> = receiver.iter().collect();
    assert_eq!(seen.len(), 2);
    for (current, carried) in seen {
        assert!(
            ["no session", "profile \"staging\""].contains(&&*current),
            "{current}"
        );
        assert_eq!(carried, Some(current));
    }
}

/// An executor whose tasks are polled inside `wake()`, on top of whatever woke them.
#[derive(Default)]
struct PollsInWake {
    task: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
}

impl Wake for PollsInWake {
    fn wake(self: Arc<Self>) {
        let task = self.task.lock().expect("no thread panics").take();
        if let Some(mut task) = task
            && task
                .as_mut()
                .poll(&mut Context::from_waker(&self.clone().into()))
                .is_pending()
        {
            *self.task.lock().expect("no thread panics") = Some(task);
        }
    }
}

impl PollsInWake {
    /// Polls a task until it waits.
    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        let executor = Arc::new(Self::default());
        *executor.task.lock().expect("no thread panics") = Some(Box::pin(task));
        executor.wake();
    }
}

#[test]
fn work_that_runs_on_top_of_a_scope_sees_it_unless_it_is_sealed() {
    let (sender, seen) = channel();
    let signal = Arc::new(tokio::sync::Notify::new());
    let task = |sealed: bool| {
        let (sender, signal) = (sender.clone(), signal.clone());
        async move {
            signal.notified().await;
            sender.send((sealed, profile())).unwrap();
        }
    };
    PollsInWake::spawn(task(false));
    PollsInWake::spawn(task(true).in_current_scope());
    staging().sync_scope(|| signal.notify_waiters());
    let mut seen: Vec<_> = seen.try_iter().collect();
    seen.sort();
    assert_eq!(seen, [(false, Some("staging".to_owned())), (true, None)]);
    assert_eq!(profile(), None);
}

#[tokio::test]
async fn a_tokio_task_that_runs_on_top_of_a_scope_does_not_see_it() {
    let local = tokio::task::LocalSet::new();
    let task = local.spawn_local(async { profile() });
    let (seen, own) = staging()
        .scope(local.run_until(async move { (task.await.unwrap(), profile()) }))
        .await;
    assert_eq!(seen, None);
    assert_eq!(own.as_deref(), Some("staging"));
}

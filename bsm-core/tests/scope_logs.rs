//! What is logged of guards that were moved, and of bindings that are shadowed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::any::TypeId;
use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::future::{Future, pending};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Once;

use bsm_core::{AwsEnvGuard, BotoSesManager, adapter};
use futures_util::FutureExt as _;
use tokio::task::{LocalSet, spawn_local, yield_now};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

thread_local! {
    /// The events of this thread at WARN and above: level, then fields.
    static EVENTS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

struct ToThread;

impl<S: Subscriber> Layer<S> for ToThread {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() <= Level::WARN {
            let mut line = Line(event.metadata().level().to_string());
            event.record(&mut line);
            EVENTS.with_borrow_mut(|events| events.push(line.0));
        }
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

/// Returns the events that this thread logs while `f` runs.
fn logged(f: impl FnOnce()) -> Vec<String> {
    static SUBSCRIBER: Once = Once::new();
    SUBSCRIBER.call_once(|| {
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(ToThread))
            .unwrap();
    });
    EVENTS.take();
    f();
    EVENTS.take()
}

fn manager(profile: &str) -> BotoSesManager {
    BotoSesManager::from_profile(profile)
}

type Boxed = Pin<Box<dyn Future<Output = ()>>>;

/// Polls a future in this task once, and runs the rest of it in another one.
async fn move_to_another_task(mut future: Boxed) {
    let first = (&mut future).now_or_never();
    assert_eq!(first, None, "it holds its guard across an await");
    spawn_local(future).await.unwrap();
}

fn holding(guard: impl FnOnce() -> AwsEnvGuard + 'static) -> Boxed {
    Box::pin(async {
        let _guard = guard();
        yield_now().await;
    })
}

fn run(future: impl Future<Output = ()> + 'static) {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    LocalSet::new().block_on(&runtime.unwrap(), async move {
        spawn_local(future).await.unwrap();
    });
}

#[test]
fn a_guard_that_ends_in_another_task_or_scope_is_an_error_with_both_managers() {
    struct User;
    let user = [TypeId::of::<User>()];
    let a = || manager("a").awsenv();
    let b_for_user = move || adapter::awsenv_for(&manager("b"), &user);
    let in_another_scope = move || manager("other").scope(async move { a() });
    let cases: [(&str, Boxed, Option<[&str; 2]>); 10] = [
        (
            "moved",
            Box::pin(move_to_another_task(holding(a))),
            Some(["a", "default chain"]),
        ),
        (
            "moved, for a model",
            Box::pin(move_to_another_task(holding(b_for_user))),
            Some(["b", "default chain"]),
        ),
        (
            "moved into a scope",
            Box::pin(async move {
                let mut future = holding(a);
                assert_eq!((&mut future).now_or_never(), None);
                spawn_local(manager("c").scope(future)).await.unwrap();
            }),
            Some(["a", "\"c\""]),
        ),
        (
            "returned from its scope",
            Box::pin(async move { drop(in_another_scope().await) }),
            Some(["a", "default chain"]),
        ),
        (
            "moved within its scope",
            Box::pin(move_to_another_task(Box::pin(
                manager("other").scope(holding(a)),
            ))),
            None,
        ),
        ("ended in its task", holding(a), None),
        (
            "dropped with its task",
            Box::pin(async move {
                let task = spawn_local(async move {
                    let _guard = a();
                    pending::<()>().await;
                });
                yield_now().await;
                task.abort();
                assert!(task.await.unwrap_err().is_cancelled());
            }),
            None,
        ),
        (
            "dropped with its scope",
            Box::pin(async move {
                let scope = manager("other").scope(async move {
                    let _guard = a();
                    pending::<()>().await;
                });
                assert!(scope.now_or_never().is_none());
            }),
            None,
        ),
        (
            "dropped out of order",
            Box::pin(async move {
                let (outer, inner) = (a(), a());
                drop(outer);
                manager("other").scope(async move { drop(inner) }).await;
            }),
            None,
        ),
        (
            "held by a task while another one runs",
            Box::pin(async move {
                let task = spawn_local(holding(a));
                yield_now().await;
                drop(a());
                task.await.unwrap();
            }),
            None,
        ),
    ];
    for (case, future, expected) in cases {
        let events = logged(|| run(future));
        match expected {
            None => assert!(events.is_empty(), "{case}: {events:?}"),
            Some([manager, instead]) => {
                let [event] = events.as_slice() else {
                    panic!("{case}: {events:?}");
                };
                assert!(event.starts_with("ERROR"), "{case}: {event}");
                assert!(
                    event.contains(&format!("manager=profile \"{manager}\"")),
                    "{case}: {event}"
                );
                let (_, seen) = event.split_once("instead=").unwrap();
                assert!(seen.contains(instead), "{case}: {event}");
            }
        }
    }
}

/// The report above is about this: the guard's manager applies where it should not, and not where it
/// should.
#[test]
fn a_moved_guard_stays_behind_and_a_moved_scope_does_not() {
    fn profile() -> Option<String> {
        BotoSesManager::current().profile_name().map(String::from)
    }
    run(async {
        for in_scope in [false, true] {
            let seen = Rc::new(RefCell::new(None));
            let after = seen.clone();
            let look = async move {
                yield_now().await;
                after.replace(profile());
            };
            let mut future: Boxed = match in_scope {
                true => Box::pin(manager("a").scope(look)),
                false => Box::pin(async {
                    let _guard = manager("a").awsenv();
                    look.await;
                }),
            };
            assert_eq!((&mut future).now_or_never(), None);
            assert_eq!(profile().is_none(), in_scope);
            spawn_local(future).await.unwrap();
            assert_eq!(seen.take().is_some(), in_scope);
        }
    });
}

#[test]
fn a_shadowed_binding_is_logged_once() {
    struct User;
    let user = TypeId::of::<User>();
    let follow = || drop(BotoSesManager::current_for::<User>());
    let (bound, other) = (manager("bound"), manager("other"));

    adapter::bind_model(user, &bound);
    let quiet = logged(|| {
        follow();
        bound.sync_scope(follow);
        let _env = adapter::awsenv_for(&other, &[user]);
        follow();
    });
    assert!(quiet.is_empty(), "{quiet:?}");

    let twice = || {
        other.sync_scope(follow);
        other.sync_scope(follow);
    };
    let events = logged(twice);
    let [event] = events.as_slice() else {
        panic!("{events:?}");
    };
    for part in [
        "WARN",
        "::User",
        "manager=profile \"other\"",
        "bound=profile \"bound\"",
    ] {
        assert!(event.contains(part), "{event}");
    }
    // Another binding is another mistake.
    adapter::bind_model(user, &bound);
    assert_eq!(logged(twice).len(), 1);

    adapter::bind_model(user, &bound);
    adapter::fix_model(user, &other);
    assert_eq!(logged(follow).len(), 1);
    adapter::unfix_model(user);
    adapter::unbind_model(user);
}

//! When the end of a guard binds its models, and when it does not.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::any::TypeId;
use std::future::{pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;

use bsm_core::{AwsEnvGuard, BotoSesManager, InCurrentScope as _, adapter, in_current_scope_fn};
use futures_util::{FutureExt as _, StreamExt as _, stream};

/// Binds a model to "kept" when it is dropped, as a guard with `restore_on_exit(false)` does.
struct Keep(Option<AwsEnvGuard>);

impl Drop for Keep {
    fn drop(&mut self) {
        adapter::end_and_bind(self.0.take().unwrap());
    }
}

fn keep(model: TypeId) -> Keep {
    let kept = BotoSesManager::from_profile("kept");
    Keep(Some(adapter::awsenv_for(&kept, &[model])))
}

fn other() -> BotoSesManager {
    BotoSesManager::from_profile("other")
}

fn fail() {
    // Like `panic!`, and silent.
    resume_unwind(Box::new("caught by the test"));
}

/// Polls a future once, and drops it.
fn cancel(future: impl Future<Output = ()>) {
    assert_eq!(pin!(future).now_or_never(), None);
}

/// Calls a closure when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn a_model_is_bound_only_where_the_block_ends_regularly() {
    struct Case<const NUMBER: usize>;
    macro_rules! cases {
        ($($number:literal $name:literal $bound:literal $block:expr;)*) => {$({
            let model = TypeId::of::<Case<$number>>();
            let block: fn(TypeId) = $block;
            let caught = catch_unwind(AssertUnwindSafe(|| block(model)));
            let panics = $name.contains("a panic");
            assert_eq!(caught.is_err(), panics, "{}", $name);
            assert_eq!(adapter::unbind_model(model).is_some(), $bound, "{}", $name);
        })*};
    }
    cases! {
        0 "a block" true |model| drop(keep(model));
        1 "a panic" false |model| { let _keep = keep(model); fail() };
        2 "a panic in sync_scope" false |model| other().sync_scope(|| { let _keep = keep(model); fail() });
        3 "a scope" true |model| other().scope(async { drop(keep(model)) }).now_or_never().unwrap();
        4 "the end of a scope" true |model| {
            other().scope(async { let _keep = keep(model); ready(()).await }).now_or_never().unwrap();
        };
        5 "a cancelled scope" false |model| {
            cancel(other().scope(async { let _keep = keep(model); pending().await }));
        };
        6 "a future in a cancelled scope" false |model| {
            cancel(other().scope(async { async { let _keep = keep(model); pending().await }.await }));
        };
        7 "a scope that ends in a cancelled one" true |model| {
            cancel(other().scope(async {
                other().scope(async { let _keep = keep(model); ready(()).await }).await;
                pending().await
            }));
        };
        8 "a cancelled future that carries its overrides" false |model| {
            cancel(async { let _keep = keep(model); pending().await }.in_current_scope());
        };
        9 "a branch that is dropped later than its sibling panicked" false |model| {
            let both = async move {
                let mut holder = pin!(async { let _keep = keep(model); pending::<()>().await });
                let _ = (&mut holder).now_or_never();
                let panicked = AssertUnwindSafe(async { fail() }).catch_unwind().await;
                assert!(panicked.is_err());
                pending().await
            };
            cancel(other().scope(both));
        };
        10 "a stream that ends" true |model| {
            let items = stream::once(async move { let _keep = keep(model); ready(()).await });
            let items = Box::pin(items.in_current_scope()).collect::<Vec<_>>();
            assert_eq!(items.now_or_never().unwrap().len(), 1);
        };
        11 "a stream that is dropped" false |model| {
            let items = stream::once(async move { let _keep = keep(model); pending::<()>().await });
            let mut items = Box::pin(items.in_current_scope());
            assert!(items.next().now_or_never().is_none());
        };
        12 "a stream that holds it until its end" true |model| {
            let keep = keep(model);
            let items = stream::iter([(), ()]).map(move |()| { let _ = &keep; });
            // The guard was made outside, and is dropped when the stream has ended.
            let items = Box::pin(items.in_current_scope()).collect::<Vec<_>>();
            assert_eq!(items.now_or_never().unwrap().len(), 2);
        };
        13 "a closure that is called" true |model| in_current_scope_fn(|| drop(keep(model)))();
        14 "a block in a destructor, in a panic" true |model| {
            let _on_drop = OnDrop(move || drop(keep(model)));
            fail();
        };
        15 "a block in a destructor, in a cancelled scope" true |model| {
            cancel(other().scope(async move {
                let _on_drop = OnDrop(move || drop(keep(model)));
                pending().await
            }));
        };
        16 "a guard that was moved out of its scope" false |model| {
            drop(other().scope(async move { keep(model) }).now_or_never());
        };
    }
}

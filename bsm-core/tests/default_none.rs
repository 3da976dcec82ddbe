//! A process default whose every use fails; one process, hence one test.

use std::any::TypeId;

use bsm_core::{BotoSesManager, InCurrentScope as _, adapter, install_default};

struct Bound;
struct Fixed;

#[tokio::test]
async fn without_a_scope_every_use_fails() {
    install_default(BotoSesManager::none()).unwrap();
    install_default(BotoSesManager::new()).unwrap_err();

    let current = BotoSesManager::current();
    assert!(current.credentials().await.unwrap_err().is_no_session());
    assert!(current.sdk_config().await.unwrap_err().is_no_session());
    assert!(current.aws_account_id().await.unwrap_err().is_no_session());
    assert!(current.aws_region().await.unwrap_err().is_no_session());

    let keys = BotoSesManager::from_keys("AKIAIOSFODNN7EXAMPLE", "a secret");
    let access_key_id = async || {
        let credentials = BotoSesManager::current().credentials().await?;
        Ok::<_, bsm_core::Error>(credentials.access_key_id().to_owned())
    };
    let id = keys.scope(access_key_id()).await.unwrap();
    assert_eq!(id, "AKIAIOSFODNN7EXAMPLE");

    // The scope that a task forgets to carry is an error, and not another account.
    let tasks = keys.sync_scope(|| {
        let carried = tokio::spawn(access_key_id().in_current_scope());
        (tokio::spawn(access_key_id()), carried)
    });
    assert!(tasks.0.await.unwrap().unwrap_err().is_no_session());
    assert_eq!(tasks.1.await.unwrap().unwrap(), "AKIAIOSFODNN7EXAMPLE");

    // A binding is a choice, and stands above a default that is none.
    // As an override, `none` is chosen as well.
    let bound = || BotoSesManager::current_for::<Bound>().into_manager();
    assert!(bound().credentials().await.unwrap_err().is_no_session());
    adapter::bind_model(TypeId::of::<Bound>(), &keys);
    assert!(bound().credentials().await.is_ok());
    let forbidden = BotoSesManager::none().sync_scope(bound);
    assert!(forbidden.credentials().await.unwrap_err().is_no_session());

    adapter::fix_model(TypeId::of::<Fixed>(), &keys);
    let fixed = || BotoSesManager::current_for::<Fixed>().into_manager();
    let fixed = BotoSesManager::none().sync_scope(fixed);
    assert!(fixed.credentials().await.is_ok());
}

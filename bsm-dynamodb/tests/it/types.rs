//! Promises of the public types: Send, Sync, Debug, and inertness.

use bsm_core::BotoSesManager;
use bsm_dynamodb::{
    BatchWrite, BotoSession, Collect, Condition, Count, CreateTable, Cursor, Delete, DeleteTable,
    DescribeTable, Error, Exists, Get, Items, KeySchema, Model, Page, Pages, Path, Pending, Query,
    Raw, ReturnOld, Save, Scan, Size, Slot, Unprocessed, Update, slot, use_boto_session,
};

use crate::support::Playground;

/// Neither `Debug`, nor `Clone`, nor `Sync`.
#[derive(serde::Serialize, serde::Deserialize, Model)]
#[model(table = "users")]
struct User {
    #[model(hash_key)]
    id: String,
    #[serde(skip)]
    _not_sync: std::cell::Cell<u8>,
}

fn user() -> User {
    User {
        id: "secret".into(),
        _not_sync: std::cell::Cell::default(),
    }
}

#[test]
fn what_can_go_to_another_thread() {
    fn send<T: Send + 'static>() {}
    fn send_and_sync<T: Send + Sync + 'static>() {}

    send_and_sync::<Error>();
    send_and_sync::<Slot<User>>();
    send_and_sync::<KeySchema<String>>();
    send_and_sync::<Unprocessed>();
    send_and_sync::<(Get<User>, Save<User>, Delete<User>)>();
    send_and_sync::<(CreateTable<User>, DeleteTable<User>)>();
    send_and_sync::<(Exists<User>, DescribeTable<User>)>();
    send_and_sync::<(Update<User>, ReturnOld<Save<User>>, Raw<User, u8>)>();
    send_and_sync::<(Scan<User>, Query<User>, Collect<User>, Count<User>)>();
    send_and_sync::<(Path<User>, Condition<User>, Size<User>, Cursor)>();
    send_and_sync::<BatchWrite<User>>();
    send_and_sync::<(bsm_dynamodb::GetMany<User>, bsm_dynamodb::UpdateTtl<User>)>();
    send_and_sync::<bsm_dynamodb::TransactWrite>();
    send_and_sync::<bsm_dynamodb::TransactGet<(Get<User>, Vec<Get<User>>)>>();
    send::<(Pending<User>, Items<User>, Pages<User>, Page<User>)>();
}

/// A guard stands for an override of its own thread.
///
/// The method of the inherent impl is there for types that are `Send` only.
#[test]
fn a_guard_cannot_go_to_another_thread() {
    struct Check<T>(std::marker::PhantomData<T>);
    trait Otherwise {
        const IS_SEND: bool = false;
    }
    impl<T> Otherwise for Check<T> {}
    impl<T: Send> Check<T> {
        const IS_SEND: bool = true;
    }
    const { assert!(Check::<Slot<User>>::IS_SEND) };
    const { assert!(!Check::<BotoSession<User>>::IS_SEND) };
}

#[test]
fn debug_shows_settings_and_no_values() {
    let manager = BotoSesManager::from_profile("staging");
    let _session = use_boto_session::<User>(&manager);
    let shown = [
        format!("{:?}", User::get("secret").consistent_read(true)),
        format!("{:?} {:?}", user().save(), user().delete()),
        format!(
            "{:?}",
            User::batch_write()
                .save_all([user()])
                .delete_all(["secret"])
        ),
        format!("{:?}", User::scan().page_size(7).collect()),
        format!("{:?}", User::get_many(["secret"])),
        format!(
            "{:?} {:?}",
            bsm_dynamodb::transact_write().write(user().save()),
            bsm_dynamodb::transact_get(User::get("secret"))
        ),
        format!(
            "{:?} {:?}",
            User::query("secret"),
            User::query("secret").stream()
        ),
        format!(
            "{:?}",
            user().save().condition(User::id().ne("secret")).raw()
        ),
        format!("{:?} {:?}", User::create_table().wait(), User::KEY),
        format!("{:?} {_session:?}", slot::<User>()),
    ];
    assert!(shown[0].contains("consistent_read: true"), "{shown:#?}");
    assert!(shown[3].contains("page_size: Some(7)"), "{shown:#?}");
    for text in shown {
        assert!(!text.contains("secret"), "{text}");
    }
}

#[tokio::test]
async fn an_operation_does_nothing_until_it_is_awaited() {
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    drop((User::get("1"), user().save(), User::create_table().wait()));
    drop((User::scan().stream(), User::query("1").pages()));
    drop((
        User::update("1"),
        User::scan().count(),
        User::get("1").raw(),
    ));
    drop(user().save().into_future());
    assert!(local.aws.calls().is_empty());
}

//! The manager that a model follows.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use bsm_core::BotoSesManager;
use bsm_dynamodb::{
    Model, fix_model, reset_connection, slot, unfix_model, use_boto_session, with_boto_session,
};

use crate::support::{Playground, STAGING, user_model};

/// The profile that a model follows here.
fn profile<M: Model>() -> Option<String> {
    slot::<M>().manager().profile_name().map(str::to_owned)
}

fn managers() -> [BotoSesManager; 3] {
    ["a", "b", "c"].map(BotoSesManager::from_profile)
}

#[test]
fn the_innermost_session_of_a_model_wins_and_guards_drop_in_any_order() {
    user_model!(User);
    let [a, b, _] = managers();
    let in_a = use_boto_session::<User>(&a);
    let in_b = use_boto_session::<User>(&b);
    assert_eq!(profile::<User>().as_deref(), Some("b"));
    drop(in_a);
    assert_eq!(profile::<User>().as_deref(), Some("b"));
    drop(in_b);
    assert_eq!(profile::<User>(), None);
}

#[test]
fn other_models_keep_their_sessions() {
    user_model!(User);
    user_model!(Order);
    let [a, b, _] = managers();
    let _everything = a.awsenv();
    let _session = use_boto_session::<User>(&b);
    assert_eq!(profile::<User>().as_deref(), Some("b"));
    assert_eq!(profile::<Order>().as_deref(), Some("a"));
}

#[test]
fn the_innermost_override_applies_whether_it_names_the_model_or_not() {
    user_model!(User);
    let [a, b, c] = managers();
    let _session = use_boto_session::<User>(&a);
    {
        let _everything = b.awsenv();
        assert_eq!(profile::<User>().as_deref(), Some("b"));
        let _session = use_boto_session::<User>(&c);
        assert_eq!(profile::<User>().as_deref(), Some("c"));
    }
    assert_eq!(profile::<User>().as_deref(), Some("a"));
}

#[test]
fn an_override_takes_precedence_over_the_session_that_a_block_left() {
    user_model!(User);
    let [a, b, _] = managers();
    drop(use_boto_session::<User>(&a).restore_on_exit(false));
    assert_eq!(b.sync_scope(profile::<User>).as_deref(), Some("b"));
    assert_eq!(profile::<User>().as_deref(), Some("a"));
    reset_connection::<User>();
}

#[test]
fn a_fixed_model_follows_no_override_but_its_own() {
    user_model!(Audit);
    user_model!(User);
    let [a, b, c] = managers();
    fix_model::<Audit>(&a);
    assert_eq!(profile::<Audit>().as_deref(), Some("a"));
    b.sync_scope(|| {
        assert_eq!(profile::<Audit>().as_deref(), Some("a"));
        assert_eq!(profile::<User>().as_deref(), Some("b"));
        let _session = use_boto_session::<(Audit, User)>(&c).restore_on_exit(false);
        assert_eq!(profile::<Audit>().as_deref(), Some("c"));
    });
    reset_connection::<User>();
    assert_eq!(profile::<Audit>().as_deref(), Some("a"));
    fix_model::<Audit>(&b);
    assert_eq!(profile::<Audit>().as_deref(), Some("b"));
    unfix_model::<Audit>();
    assert_eq!(profile::<Audit>().as_deref(), Some("c"));
    reset_connection::<Audit>();
    assert_eq!(profile::<Audit>(), None);
}

#[test]
fn a_panic_leaves_no_model_on_the_session_of_its_block() {
    user_model!(User);
    let [a, ..] = managers();
    let block = || {
        let _session = use_boto_session::<User>(&a).restore_on_exit(false);
        // Like `panic!`, and silent.
        resume_unwind(Box::new("caught by the test"));
    };
    assert!(catch_unwind(AssertUnwindSafe(block)).is_err());
    assert_eq!(profile::<User>(), None);
}

#[tokio::test]
async fn a_cancelled_scope_leaves_no_model_on_the_session_of_a_block_inside() {
    user_model!(User);
    let [a, b, _] = managers();
    let block = async || {
        let _session = use_boto_session::<User>(&a).restore_on_exit(false);
        tokio::task::yield_now().await;
    };
    tokio::select! {
        biased;
        () = b.scope(block()) => unreachable!("it is cancelled at its first await"),
        () = std::future::ready(()) => {}
    }
    assert_eq!(profile::<User>(), None);
    b.scope(block()).await;
    assert_eq!(profile::<User>().as_deref(), Some("a"));
    reset_connection::<User>();
}

#[test]
fn a_tuple_of_models_switches_together() {
    user_model!(User);
    user_model!(Order);
    user_model!(Other);
    let [a, ..] = managers();
    {
        let _session = use_boto_session::<(User, Order)>(&a).restore_on_exit(false);
        assert_eq!(profile::<User>().as_deref(), Some("a"));
    }
    assert_eq!(profile::<User>().as_deref(), Some("a"));
    assert_eq!(profile::<Order>().as_deref(), Some("a"));
    assert_eq!(profile::<Other>(), None);
    reset_connection::<(User, Order)>();
    assert_eq!(profile::<User>(), None);
    assert_eq!(profile::<Order>(), None);
}

#[test]
fn none_as_the_session_changes_nothing() {
    user_model!(User);
    let [a, ..] = managers();
    let _everything = a.awsenv();
    {
        let session = use_boto_session::<User>(None).restore_on_exit(false);
        assert!(session.manager().is_none());
        assert_eq!(profile::<User>().as_deref(), Some("a"));
    }
    drop(_everything);
    assert_eq!(profile::<User>(), None);
}

#[tokio::test]
async fn none_as_the_session_of_a_future_changes_nothing() {
    user_model!(User);
    let [a, ..] = managers();
    let _everything = a.awsenv();
    let found = with_boto_session::<User, _>(None, async { profile::<User>() }).await;
    assert_eq!(found.as_deref(), Some("a"));
    let found = with_boto_session::<User, _>(Some(&a), async { profile::<User>() }).await;
    assert_eq!(found.as_deref(), Some("a"));
}

#[test]
fn a_session_that_is_not_restored_applies_to_all_threads_until_a_new_one() {
    user_model!(User);
    let [a, b, c] = managers();
    drop(use_boto_session::<User>(&a).restore_on_exit(false));
    std::thread::spawn(|| assert_eq!(profile::<User>().as_deref(), Some("a")))
        .join()
        .unwrap();
    {
        let _session = use_boto_session::<User>(&b);
        assert_eq!(profile::<User>().as_deref(), Some("b"));
    }
    assert_eq!(profile::<User>().as_deref(), Some("a"));
    drop(use_boto_session::<User>(&c).restore_on_exit(false));
    assert_eq!(profile::<User>().as_deref(), Some("c"));
    reset_connection::<User>();
    assert_eq!(profile::<User>(), None);
}

#[tokio::test]
async fn a_model_that_is_first_used_inside_a_session_leaves_it_again() {
    user_model!(User);
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    {
        let _session = use_boto_session::<User>(&local.profile("staging"));
        User::create_table().wait().await.unwrap();
        User::new("1").save().await.unwrap();
    }
    assert!(User::get("1").await.unwrap_err().is_table_not_found());
}

#[derive(serde::Serialize, serde::Deserialize, Model)]
#[model(table = "regional", region = "ap-southeast-2")]
struct Regional {
    #[model(hash_key)]
    id: String,
}

#[tokio::test]
async fn a_declared_region_applies_unless_a_session_was_chosen_for_the_model() {
    let local = Playground::start().await;
    let staging = local.profile("staging");
    let reached = |region: &str| (STAGING.to_owned(), region.to_owned());

    // The general default: the model's region.
    staging.scope(Regional::exists()).await.unwrap();
    // A session for the model: the manager's region.
    let exists = with_boto_session::<Regional, _>(&staging, Regional::exists());
    exists.await.unwrap();
    // One that was kept: the manager's region, until it is reset or a general override is nearer.
    let ireland = staging.with_region("eu-west-1");
    drop(use_boto_session::<Regional>(&ireland).restore_on_exit(false));
    Regional::exists().await.unwrap();
    staging.scope(Regional::exists()).await.unwrap();
    reset_connection::<Regional>();
    // One that is fixed: the manager's region.
    fix_model::<Regional>(&ireland);
    staging.scope(Regional::exists()).await.unwrap();
    unfix_model::<Regional>();
    staging.scope(Regional::exists()).await.unwrap();

    assert_eq!(
        local.reached("DescribeTable"),
        [
            reached("ap-southeast-2"),
            reached("us-east-1"),
            reached("eu-west-1"),
            reached("ap-southeast-2"),
            reached("eu-west-1"),
            reached("ap-southeast-2"),
        ]
    );
}

#[tokio::test]
async fn a_manager_has_one_client_for_all_models_with_its_own_retry_quota() {
    user_model!(User);
    user_model!(Order);
    let local = Playground::start().await;
    let partition = async |manager: &BotoSesManager| {
        let client = |client: aws_sdk_dynamodb::Client| {
            let partition = client.config().retry_partition();
            partition.map(ToString::to_string)
        };
        let of_user = manager.sync_scope(slot::<User>).client().await.unwrap();
        let of_order = manager.sync_scope(slot::<Order>).client().await.unwrap();
        let (of_user, of_order) = (client(of_user), client(of_order));
        assert_eq!(of_user, of_order);
        of_user.unwrap()
    };
    let staging = local.profile("staging");
    let in_staging = partition(&staging).await;
    assert_eq!(in_staging, partition(&staging.clone()).await);
    assert_ne!(in_staging, partition(&local.profile("production")).await);
    assert_ne!(
        in_staging,
        partition(&staging.with_region("eu-west-1")).await
    );
}

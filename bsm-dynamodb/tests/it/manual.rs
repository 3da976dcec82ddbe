//! The three programs of the Python library, in one test.

use bsm_core::BotoSesManager;
use bsm_dynamodb::{Model, reset_connection, use_boto_session, with_boto_session};

use crate::support::{DEFAULT, PRODUCTION, Playground, STAGING, user_model};

#[tokio::test]
async fn switching_keeping_resetting_and_copying_reach_the_account_they_name() {
    user_model!(User);
    let local = Playground::start().await;
    let default = local.profile("default");
    let env = default.awsenv();
    let target = local.profile("staging");

    // The table exists in the target account, and only there.
    {
        let _session = use_boto_session::<User>(&target);
        User::create_table().wait().await.unwrap();
        assert!(User::exists().await.unwrap());
        User::new("123").save().await.unwrap();
    }
    let error = User::new("124").save().await.unwrap_err();
    assert!(error.is_table_not_found(), "{error}");
    assert!(User::get("123").await.is_err());

    // With restore_on_exit(false), the model stays on the target where nothing overrides it.
    drop(env);
    {
        let _session = use_boto_session::<User>(&target).restore_on_exit(false);
        User::new("456").save().await.unwrap();
    }
    assert_eq!(User::get("456").await.unwrap().id, "456");

    // No session changes nothing.
    {
        let _session = use_boto_session::<User>(None::<&BotoSesManager>);
        assert_eq!(User::get("456").await.unwrap().id, "456");
    }

    let _env = default.awsenv();
    assert!(User::get("456").await.unwrap_err().is_table_not_found());
    reset_connection::<User>();
    assert!(User::get("456").await.unwrap_err().is_table_not_found());

    // Copy to a third account.
    let production = local.profile("production");
    let users = with_boto_session::<User, _>(&target, User::scan().collect());
    let users = users.await.unwrap();
    with_boto_session::<User, _>(&production, async {
        User::create_table().wait().await?;
        User::batch_write().save_all(users).await
    })
    .await
    .unwrap();

    assert_eq!(local.ids(STAGING, "users"), ["123", "456"]);
    assert_eq!(local.ids(PRODUCTION, "users"), ["123", "456"]);
    assert!(local.aws.tables(DEFAULT, "us-east-1").is_empty());
    assert_eq!(local.accounts("PutItem"), [STAGING, DEFAULT, STAGING]);
    assert_eq!(
        local.accounts("GetItem"),
        [DEFAULT, STAGING, STAGING, DEFAULT, DEFAULT]
    );
    assert_eq!(local.accounts("Scan"), [STAGING]);
    assert_eq!(local.accounts("BatchWriteItem"), [PRODUCTION]);
}

//! Conditional writes, and what they return of the existing item.

use bsm_dynamodb::{ErrorKind, Model};
use serde::{Deserialize, Serialize};

use crate::support::Playground;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Model)]
#[model(table = "users")]
struct User {
    #[model(hash_key)]
    id: String,
    name: String,
    age: Option<u8>,
}

impl User {
    fn new(name: &str, age: u8) -> Self {
        Self {
            id: "1".to_owned(),
            name: name.to_owned(),
            age: Some(age),
        }
    }
}

async fn with_table() -> Playground {
    let local = Playground::start().await;
    let create = User::create_table().wait();
    local.profile("default").scope(create).await.unwrap();
    local
}

#[tokio::test]
async fn a_false_condition_prevents_the_write_and_returns_the_existing_item() {
    let local = with_table().await;
    let _default = local.profile("default").awsenv();
    let first = User::new("first, a secret", 30);
    let is_new = || User::id().not_exists();
    first.save().condition(is_new()).await.unwrap();

    let error = User::new("second", 40).save().condition(is_new()).await;
    let error = error.unwrap_err();
    assert!(error.is_conditional_check_failed(), "{error:?}");
    assert_eq!(
        error.existing_item().unwrap()["name"].as_s().unwrap(),
        &first.name
    );
    assert_eq!(error.existing_model::<User>().unwrap(), Some(first.clone()));
    assert!(!format!("{error} {error:?}").contains("secret"));

    let error = first
        .delete()
        .condition(User::age().gt(30))
        .await
        .unwrap_err();
    assert_eq!(error.existing_model::<User>().unwrap(), Some(first.clone()));
    let update = User::update("1").set(User::age(), 7);
    let error = update.condition(User::name().eq("x")).await.unwrap_err();
    assert_eq!(error.operation(), "UpdateItem");
    assert_eq!(error.existing_model::<User>().unwrap(), Some(first.clone()));
    assert_eq!(User::get("1").await.unwrap(), first);
}

#[tokio::test]
async fn a_false_condition_on_a_missing_item_returns_no_item() {
    let local = with_table().await;
    let _default = local.profile("default").awsenv();
    let exists = User::id().exists();
    let error = User::delete_key("1").condition(exists.clone()).await;
    let error = error.unwrap_err();
    assert!(error.is_conditional_check_failed(), "{error:?}");
    assert_eq!(error.existing_model::<User>().unwrap(), None);
    let update = User::update("1").set(User::age(), 7).condition(exists);
    assert!(update.await.unwrap_err().is_conditional_check_failed());
    assert!(User::get("1").await.unwrap_err().is_item_not_found());
}

#[tokio::test]
async fn several_conditions_must_all_be_true() {
    let local = with_table().await;
    let _default = local.profile("default").awsenv();
    let user = User::new("a", 30);
    user.save().await.unwrap();
    // As text, `a OR b AND c` would mean something else.
    let either = User::age().eq(30) | User::age().eq(31);
    let save = user.save().condition(either.clone());
    let error = save.condition(User::name().eq("b")).await.unwrap_err();
    assert!(error.is_conditional_check_failed(), "{error:?}");
    let save = user.save().condition(either);
    save.condition(User::name().eq("a")).await.unwrap();
}

#[tokio::test]
async fn return_old_returns_the_previous_item() {
    let local = with_table().await;
    let _default = local.profile("default").awsenv();
    let (first, second) = (User::new("first", 1), User::new("second", 2));
    assert_eq!(first.save().return_old().await.unwrap(), None);
    assert_eq!(second.save().return_old().await.unwrap(), Some(first));
    let delete = || User::delete_key("1").return_old();
    assert_eq!(delete().await.unwrap(), Some(second));
    assert_eq!(delete().await.unwrap(), None);
}

#[tokio::test]
async fn refresh_reads_the_current_item() {
    let local = with_table().await;
    let _default = local.profile("default").awsenv();
    let mut user = User::new("first", 1);
    user.save().await.unwrap();
    User::new("second", 2).save().await.unwrap();
    user = user.refresh().await.unwrap();
    assert_eq!(user, User::new("second", 2));
    user.delete().await.unwrap();
    assert!(user.refresh().await.unwrap_err().is_item_not_found());
}

#[tokio::test]
async fn a_projection_reads_the_fields_of_another_type() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Summary {
        name: String,
        missing: Option<u8>,
    }
    let local = with_table().await;
    let _default = local.profile("default").awsenv();
    User::new("first", 1).save().await.unwrap();
    let wanted = Summary {
        name: "first".into(),
        missing: None,
    };
    let summary: Summary = User::get("1").project().await.unwrap();
    assert_eq!(summary, wanted);
    let raw = User::get("1").project::<Summary>().raw().await.unwrap();
    let item = raw.send().await.unwrap().item.unwrap();
    assert!(!item.contains_key("age"), "{item:?}");
    let all = User::scan().project::<Summary>().collect().await.unwrap();
    assert_eq!(all, [wanted]);

    let error = User::get("2").project::<Summary>().await.unwrap_err();
    assert!(error.is_item_not_found());
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is never made")]
    struct Wrong {
        name: u8,
    }
    let error = User::get("1").project::<Wrong>().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidItem);
    assert!(error.to_string().contains("Wrong"), "{error}");
}

#[tokio::test]
async fn the_raw_request_is_bound_where_it_is_awaited() {
    let local = with_table().await;
    let raw = User::get("1").raw();
    let staging = local.profile("staging");
    let request = staging.scope(raw).await.unwrap();
    assert_eq!(request.get_table_name().as_deref(), Some("users"));
    local
        .profile("production")
        .scope(request.send())
        .await
        .unwrap_err();
    assert_eq!(local.accounts("GetItem"), [crate::support::STAGING]);
}

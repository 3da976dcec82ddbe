//! Optimistic locking: a save never overwrites a concurrent change.

use bsm_dynamodb::{Codec, Model, Serde, Version};
use bsm_local_aws::Fault;
use serde::{Deserialize, Serialize};

use crate::support::Playground;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Model)]
#[model(table = "documents")]
struct Document {
    #[model(hash_key)]
    id: String,
    text: String,
    #[model(version)]
    #[serde(default, rename = "v")]
    version: Version,
}

impl Document {
    fn new(text: &str) -> Self {
        Self {
            id: "1".into(),
            text: text.into(),
            version: Version::new(),
        }
    }
}

async fn with_table() -> Playground {
    let local = Playground::start().await;
    let default = local.profile("default");
    default
        .scope(Document::create_table().wait())
        .await
        .unwrap();
    local
}

#[tokio::test]
async fn a_save_writes_the_next_version_and_updates_it_in_memory() {
    let local = with_table().await;
    let _default = local.profile("default").awsenv();
    let mut document = Document::new("one");
    document.save().await.unwrap();
    assert_eq!(document.version.get(), 1);
    document.text = "two".into();
    document.save().await.unwrap();
    assert_eq!(document.version.get(), 2);
    assert_eq!(Document::get("1").await.unwrap(), document);
}

#[tokio::test]
async fn a_save_of_an_old_version_fails_and_leaves_the_value_unchanged() {
    let local = with_table().await;
    let _default = local.profile("default").awsenv();
    let mine = Document::new("mine");
    mine.save().await.unwrap();
    let theirs = Document {
        text: "theirs".into(),
        ..mine.clone()
    };
    theirs.save().await.unwrap();

    let before = mine.clone();
    let error = mine.save().await.unwrap_err();
    assert!(error.is_conditional_check_failed(), "{error}");
    let existing = error.existing_item().unwrap().clone();
    assert_eq!(
        <Serde as Codec<Document>>::from_item(existing).unwrap(),
        theirs
    );
    assert_eq!(mine, before);
    assert_eq!(Document::get("1").await.unwrap(), theirs);

    let again = Document::new("again").save().await.unwrap_err();
    assert!(again.is_conditional_check_failed(), "{again}");
    assert!(
        mine.delete()
            .await
            .unwrap_err()
            .is_conditional_check_failed()
    );
}

#[tokio::test]
async fn one_of_many_concurrent_saves_of_a_version_succeeds() {
    let local = with_table().await;
    let default = local.profile("default");
    let document = Document::new("first");
    default.scope(document.save()).await.unwrap();
    let tasks: Vec<_> = (0..10)
        .map(|n| {
            let mut document = document.clone();
            document.text = n.to_string();
            tokio::spawn(default.scope(async move { document.save().await }))
        })
        .collect();
    let mut winners = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(()) => winners += 1,
            Err(error) => assert!(error.is_conditional_check_failed(), "{error}"),
        }
    }
    assert_eq!(winners, 1);
    let stored = default.scope(Document::get("1")).await.unwrap();
    assert_eq!(stored.version.get(), 2);
}

#[tokio::test]
async fn a_deleted_item_can_be_saved_again() {
    let local = with_table().await;
    let _default = local.profile("default").awsenv();
    let document = Document::new("one");
    document.save().await.unwrap();
    document.delete().await.unwrap();
    assert_eq!(document.version.get(), 0);
    let old = document.save().return_old().await.unwrap();
    assert_eq!((old, document.version.get()), (None, 1));
    Document::delete_key("1").await.unwrap();
    assert!(document.save().await.is_err());
}

#[tokio::test]
async fn any_other_failure_leaves_the_version_unchanged() {
    let local = with_table().await;
    let _default = local.profile("default").awsenv();
    let document = Document::new("one");
    let denied = Fault::error(400, "AccessDeniedException", "no");
    local.aws.faults().add(denied.operation("PutItem").times(1));
    assert!(document.save().await.unwrap_err().is_access_denied());
    assert_eq!(document.version.get(), 0);
    document.save().await.unwrap();
    assert_eq!(document.version.get(), 1);
}

#[tokio::test]
async fn a_condition_is_checked_in_addition_to_the_version() {
    let local = with_table().await;
    let _default = local.profile("default").awsenv();
    let document = Document::new("one");
    document.save().await.unwrap();
    let wrong = Document::text().eq("other") | Document::text().eq("another");
    let error = document.save().condition(wrong).await.unwrap_err();
    assert!(error.is_conditional_check_failed(), "{error}");
    assert_eq!(document.version.get(), 1);
    let right = Document::text().eq("one");
    document.save().condition(right).await.unwrap();
    assert_eq!(document.version.get(), 2);
}

#[tokio::test]
async fn an_item_without_a_version_can_be_saved() {
    #[derive(Serialize, Deserialize, Model)]
    #[model(table = "documents")]
    struct Old {
        #[model(hash_key)]
        id: String,
        text: String,
    }
    let local = with_table().await;
    let _default = local.profile("default").awsenv();
    let old = Old {
        id: "1".into(),
        text: "old".into(),
    };
    old.save().await.unwrap();
    let document = Document::get("1").await.unwrap();
    assert_eq!(document.version.get(), 0);
    document.save().await.unwrap();
    assert_eq!(document.version.get(), 1);
}

#[tokio::test]
async fn an_update_increments_the_version() {
    let local = with_table().await;
    let _default = local.profile("default").awsenv();
    let document = Document::new("one");
    document.save().await.unwrap();
    let updated = Document::update("1").set(Document::text(), "two");
    assert_eq!(updated.await.unwrap().version.get(), 2);
    let error = document.save().await.unwrap_err();
    assert!(error.is_conditional_check_failed(), "{error}");
}

/// BatchWriteItem has no conditions.
#[tokio::test]
async fn a_batch_writes_versions_as_they_are() {
    let local = with_table().await;
    let _default = local.profile("default").awsenv();
    let unsaved = Document::new("batch");
    Document::batch_write().save_all([&unsaved]).await.unwrap();
    let read = Document::get("1").await.unwrap();
    assert_eq!(read, unsaved);
    read.save().await.unwrap();
    assert_eq!(read.version.get(), 1);
}

//! Creating, checking and deleting tables.

use std::time::Duration;

use aws_sdk_dynamodb::types::{StreamViewType, TimeToLiveStatus};
use bsm_dynamodb::{Billing, ErrorKind, Model, slot};
use bsm_local_aws::Fault;

use crate::support::{DEFAULT, Playground, user_model};

#[derive(Debug, serde::Serialize, serde::Deserialize, Model)]
#[model(table = "orders")]
#[serde(rename_all = "camelCase")]
struct Order {
    #[model(hash_key)]
    customer_id: String,
    #[model(range_key)]
    #[serde(rename = "n")]
    number: u64,
}

#[tokio::test]
async fn a_table_has_the_models_keys_and_on_demand_billing() {
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    Order::create_table().wait().await.unwrap();
    let table = Order::describe_table().await.unwrap();
    let keys: Vec<_> = table
        .key_schema()
        .iter()
        .map(|key| (key.attribute_name(), key.key_type().as_str()))
        .collect();
    assert_eq!(keys, [("customerId", "HASH"), ("n", "RANGE")]);
    let mut types: Vec<_> = table
        .attribute_definitions()
        .iter()
        .map(|one| (one.attribute_name(), one.attribute_type().as_str()))
        .collect();
    types.sort_unstable();
    assert_eq!(types, [("customerId", "S"), ("n", "N")]);
    let billing = table.billing_mode_summary().unwrap();
    assert_eq!(billing.billing_mode().unwrap().as_str(), "PAY_PER_REQUEST");
}

#[tokio::test]
async fn creating_an_existing_table_changes_nothing() {
    user_model!(User);
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    User::create_table().wait().await.unwrap();
    User::new("1").save().await.unwrap();
    User::create_table().await.unwrap();
    User::create_table().wait().await.unwrap();
    assert!(User::get("1").await.is_ok());
}

#[tokio::test]
async fn a_table_with_another_key_is_rejected() {
    #[derive(serde::Serialize, serde::Deserialize, Model)]
    #[model(table = "users")]
    struct Numbered {
        #[model(hash_key)]
        id: u64,
    }
    user_model!(User);
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    User::create_table().wait().await.unwrap();
    let error = Numbered::create_table().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TableMismatch, "{error}");
}

#[tokio::test]
async fn a_table_can_be_deleted_and_is_then_gone() {
    user_model!(User);
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    assert!(!User::exists().await.unwrap());
    User::create_table().wait().await.unwrap();
    assert!(User::exists().await.unwrap());
    User::delete_table().wait().await.unwrap();
    assert!(!User::exists().await.unwrap());
    assert!(User::delete_table().await.unwrap_err().is_table_not_found());
    assert!(
        User::describe_table()
            .await
            .unwrap_err()
            .is_table_not_found()
    );
}

/// DescribeTable is eventually consistent.
#[tokio::test]
async fn waiting_continues_while_the_table_is_not_visible_yet() {
    user_model!(User);
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    let not_yet = Fault::error(
        400,
        "ResourceNotFoundException",
        "Requested resource not found",
    );
    local
        .aws
        .faults()
        .add(not_yet.operation("DescribeTable").times(2));
    User::create_table().wait().await.unwrap();
    assert_eq!(local.aws.call_count("dynamodb", "DescribeTable"), 3);
}

#[tokio::test]
async fn waiting_ends_at_the_time_limit() {
    user_model!(User);
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    let never = Fault::error(
        400,
        "ResourceNotFoundException",
        "Requested resource not found",
    );
    local.aws.faults().add(never.operation("DescribeTable"));
    let create = User::create_table().wait_at_most(Duration::from_millis(250));
    let error = create.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WaitTimedOut, "{error}");
    assert!(error.to_string().contains("within 250ms"), "{error}");
}

/// CreateTable finds a table that DescribeTable does not see, as after a deletion.
#[tokio::test]
async fn a_table_that_exists_and_is_not_visible_is_waited_for_until_the_time_limit() {
    user_model!(User);
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    let in_use = Fault::error(400, "ResourceInUseException", "Table already exists");
    let never = Fault::error(400, "ResourceNotFoundException", "not found");
    local.aws.faults().add(in_use.operation("CreateTable"));
    local.aws.faults().add(never.operation("DescribeTable"));
    let error = User::create_table().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TableInUse, "{error}");
    assert_eq!(local.aws.call_count("dynamodb", "CreateTable"), 2);
    let create = User::create_table().wait_at_most(Duration::from_millis(250));
    let error = create.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WaitTimedOut, "{error}");
}

/// A model with everything that a table can have.
#[derive(Debug, serde::Serialize, serde::Deserialize, Model)]
#[model(table = "parcels", billing = Billing::Provisioned { read: 5, write: 2 })]
#[serde(rename_all = "camelCase")]
struct Parcel {
    #[model(hash_key)]
    customer: String,
    #[model(range_key)]
    number: u64,
    #[model(index(ByCourier, name = "by-courier", projection = include(total_weight)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    courier: Option<String>,
    #[model(index(ByCourier, range_key), local_index(ByDate, projection = keys_only))]
    sent_on: String,
    total_weight: u64,
    #[model(ttl)]
    expires: u64,
}

#[tokio::test]
async fn a_table_has_the_models_indexes_billing_and_time_to_live() {
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    Parcel::create_table()
        .tag("team", "shipping")
        .stream(StreamViewType::NewImage)
        .deletion_protection(true)
        .wait()
        .await
        .unwrap();
    let table = Parcel::describe_table().await.unwrap();
    let capacity = table.provisioned_throughput().unwrap();
    assert_eq!(capacity.read_capacity_units(), Some(5));
    assert_eq!(capacity.write_capacity_units(), Some(2));

    let [global] = table.global_secondary_indexes() else {
        panic!("{table:?}")
    };
    assert_eq!(global.index_name(), Some("by-courier"));
    let keys = global.key_schema().iter();
    let keys: Vec<_> = keys.map(|key| key.attribute_name()).collect();
    assert_eq!(keys, ["courier", "sentOn"]);
    let projection = global.projection().unwrap();
    assert_eq!(projection.non_key_attributes(), ["totalWeight"]);
    let capacity = global.provisioned_throughput().unwrap();
    assert_eq!(capacity.read_capacity_units(), Some(5));

    let [local_index] = table.local_secondary_indexes() else {
        panic!("{table:?}")
    };
    assert_eq!(local_index.index_name(), Some("ByDate"));
    let keys = local_index.key_schema().iter();
    let keys: Vec<_> = keys.map(|key| key.attribute_name()).collect();
    assert_eq!(keys, ["customer", "sentOn"]);

    assert_eq!(table.deletion_protection_enabled(), Some(true));
    let stream = table.stream_specification().unwrap();
    assert_eq!(stream.stream_view_type(), Some(&StreamViewType::NewImage));
    let client = slot::<Parcel>().client().await.unwrap();
    let arn = table.table_arn().unwrap();
    let tags = client.list_tags_of_resource().resource_arn(arn).send();
    let tags = tags.await.unwrap();
    assert_eq!(tags.tags()[0].key(), "team");
    assert_eq!(
        time_to_live(&client).await,
        (TimeToLiveStatus::Enabled, "expires".into())
    );
    assert!(Parcel::delete_table().await.is_err());
    assert_eq!(local.aws.tables(DEFAULT, "us-east-1"), ["parcels"]);

    // And again: everything is there already.
    Parcel::create_table().wait().await.unwrap();
    Parcel::update_ttl().await.unwrap();
}

async fn time_to_live(client: &aws_sdk_dynamodb::Client) -> (TimeToLiveStatus, String) {
    let output = client.describe_time_to_live().table_name("parcels").send();
    let now = output.await.unwrap().time_to_live_description.unwrap();
    let name = now.attribute_name.unwrap_or_default();
    (now.time_to_live_status.unwrap(), name)
}

#[tokio::test]
async fn an_index_is_added_to_a_table_that_exists_and_removed() {
    use bsm_dynamodb::Index as _;

    /// The same table before the index.
    #[derive(serde::Serialize, serde::Deserialize, Model)]
    #[model(table = "people")]
    struct Before {
        #[model(hash_key)]
        id: String,
        email: String,
    }
    #[derive(Debug, serde::Serialize, serde::Deserialize, Model)]
    #[model(table = "people")]
    struct Person {
        #[model(hash_key)]
        id: String,
        #[model(index(ByEmail, name = "by-email", projection = keys_only))]
        email: String,
    }
    #[derive(serde::Serialize, serde::Deserialize, Model)]
    #[model(table = "people")]
    struct Other {
        #[model(hash_key)]
        id: String,
        #[model(index(OtherKey, name = "by-email"))]
        name: String,
    }
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    let missing = ByEmail::create_index().await.unwrap_err();
    assert!(missing.is_table_not_found(), "{missing}");
    for billing in [
        Billing::OnDemand,
        Billing::Provisioned { read: 5, write: 5 },
    ] {
        Before::create_table()
            .billing(billing)
            .wait()
            .await
            .unwrap();
        let (id, email) = ("1".to_owned(), "a@example.com".to_owned());
        Before { id, email }.save().await.unwrap();
        ByEmail::create_index().wait().await.unwrap();
        ByEmail::create_index().wait().await.unwrap();
        let found = ByEmail::query("a@example.com").collect().await.unwrap();
        assert_eq!(found.len(), 1);
        let error = OtherKey::create_index().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TableMismatch);
        assert!(error.to_string().contains("by-email"), "{error}");
        ByEmail::delete_index().wait().await.unwrap();
        ByEmail::delete_index().wait().await.unwrap();
        let gone = ByEmail::query("a@example.com").collect().await.unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::InvalidRequest);
        Before::delete_table().wait().await.unwrap();
    }
}

#[tokio::test]
async fn point_in_time_recovery_is_turned_on_once_the_table_is_active() {
    #[derive(serde::Serialize, serde::Deserialize, Model)]
    #[model(table = "people")]
    struct Person {
        #[model(hash_key)]
        id: String,
    }
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    let create = || Person::create_table().point_in_time_recovery();
    let error = create().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(local.aws.calls().is_empty());
    // As for a new table, whose backups are not ready at once.
    let not_ready = Fault::error(
        400,
        "ContinuousBackupsUnavailableException",
        "Backups are being enabled",
    );
    local
        .aws
        .faults()
        .add(not_ready.operation("UpdateContinuousBackups").times(2));
    create().wait().await.unwrap();
    let client = bsm_dynamodb::slot::<Person>().client().await.unwrap();
    let backups = client.describe_continuous_backups().table_name("people");
    let backups = backups.send().await.unwrap().continuous_backups_description;
    let recovery = backups.unwrap().point_in_time_recovery_description.unwrap();
    let status = recovery.point_in_time_recovery_status.unwrap();
    assert_eq!(status.as_str(), "ENABLED");
}

#[tokio::test]
async fn an_item_without_the_key_of_an_index_is_not_in_it() {
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    let create = Parcel::create_table().billing(Billing::OnDemand);
    create.wait().await.unwrap();
    for (number, courier) in [(1, Some("dhl".to_owned())), (2, None)] {
        let parcel = Parcel {
            customer: "c".into(),
            number,
            courier,
            sent_on: "2026-11-22".into(),
            total_weight: 7,
            expires: 1_900_000_000,
        };
        parcel.save().await.unwrap();
    }
    let client = slot::<Parcel>().client().await.unwrap();
    let scan = client.scan().table_name("parcels").index_name("by-courier");
    assert_eq!(scan.send().await.unwrap().count(), 1);
    let table = Parcel::describe_table().await.unwrap();
    let billing = table.billing_mode_summary().unwrap();
    assert_eq!(billing.billing_mode().unwrap().as_str(), "PAY_PER_REQUEST");
}

#[tokio::test]
async fn a_table_without_an_index_of_the_model_is_rejected() {
    #[derive(Debug, serde::Serialize, serde::Deserialize, Model)]
    #[model(table = "users")]
    struct Found {
        #[model(hash_key)]
        id: String,
        #[model(index(ByEmail, name = "by-email"))]
        email: String,
    }
    user_model!(User);
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    User::create_table().wait().await.unwrap();
    let error = Found::create_table().wait().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TableMismatch, "{error}");
    assert!(error.to_string().contains("no index by-email"), "{error}");

    // The other way round, the table has more than the model needs.
    User::delete_table().wait().await.unwrap();
    Found::create_table().wait().await.unwrap();
    User::create_table().wait().await.unwrap();
}

/// The engine makes the change at once; AWS takes up to an hour, says `ENABLING` and `DISABLING` in
/// the meantime, and refuses another change.
#[tokio::test]
async fn time_to_live_is_turned_on_once_and_off_again() {
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    Parcel::create_table().await.unwrap();
    let client = slot::<Parcel>().client().await.unwrap();
    assert_eq!(time_to_live(&client).await.0, TimeToLiveStatus::Disabled);
    Parcel::update_ttl().await.unwrap();
    Parcel::update_ttl().await.unwrap();
    assert_eq!(time_to_live(&client).await.0, TimeToLiveStatus::Enabled);
    Parcel::update_ttl().enabled(false).await.unwrap();
    Parcel::update_ttl().enabled(false).await.unwrap();
    assert_eq!(time_to_live(&client).await.0, TimeToLiveStatus::Disabled);

    user_model!(User);
    let error = User::update_ttl().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
    assert!(error.to_string().contains("#[model(ttl)]"), "{error}");
}

#[tokio::test]
async fn time_to_live_with_another_attribute_is_rejected() {
    #[derive(Debug, serde::Serialize, serde::Deserialize, Model)]
    #[model(table = "parcels")]
    struct Other {
        #[model(hash_key)]
        customer: String,
        #[model(range_key)]
        number: u64,
        #[model(ttl)]
        until: u64,
    }
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    Parcel::create_table().wait().await.unwrap();
    let error = Other::update_ttl().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
}

#[tokio::test]
async fn the_models_of_a_table_share_its_time_to_live() {
    macro_rules! model {
        ($name:ident $(, $ttl:ident)?) => {
            #[derive(Debug, serde::Serialize, serde::Deserialize, Model)]
            #[model(table = "shared")]
            struct $name {
                #[model(hash_key)]
                id: String,
                $(#[model(ttl)] $ttl: u64,)?
            }
        };
    }
    model!(Plain);
    model!(Session, expires);
    model!(Token, until);
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    let create = Plain::create_table().with_model::<Session>();
    let error = create.with_model::<Token>().wait().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
    assert!(
        error.to_string().contains("until in place of expires"),
        "{error}"
    );
    assert!(local.aws.calls().is_empty());
    let create = Plain::create_table().with_model::<Session>();
    create.with_model::<Plain>().wait().await.unwrap();
    let client = slot::<Plain>().client().await.unwrap();
    let output = client
        .describe_time_to_live()
        .table_name("shared")
        .send()
        .await;
    let now = output.unwrap().time_to_live_description.unwrap();
    assert_eq!(now.attribute_name.as_deref(), Some("expires"));
}

#[tokio::test]
async fn the_models_of_a_table_have_at_most_five_local_indexes_together() {
    macro_rules! model {
        ($name:ident: $($index:ident $field:ident),*) => {
            #[derive(Debug, serde::Serialize, serde::Deserialize, Model)]
            #[model(table = "shared")]
            struct $name {
                #[model(hash_key)]
                id: String,
                #[model(range_key)]
                number: u64,
                $(#[model(local_index($index))] $field: u64,)*
            }
        };
    }
    model!(Three: ByAaa aaa, ByBbb bbb, ByCcc ccc);
    model!(Two: ByDdd ddd, ByEee eee);
    model!(One: ByFff fff);
    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    let create = || Three::create_table().with_model::<Two>();
    let error = create().with_model::<One>().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
    assert!(
        error.to_string().contains("more than 5 local indexes"),
        "{error}"
    );
    create().wait().await.unwrap();
    let table = Three::describe_table().await.unwrap();
    assert_eq!(table.local_secondary_indexes().len(), 5);
}

#[tokio::test]
async fn a_change_of_a_table_whose_responses_were_lost_may_have_been_applied() {
    use bsm_dynamodb::Index as _;

    let local = Playground::start().await;
    let _default = local.profile("default").awsenv();
    let lost = |operation: &str| {
        let fault = Fault::dropped_response().operation(operation);
        local.aws.faults().add(fault)
    };
    let applied = |result: Result<(), bsm_dynamodb::Error>| {
        let error = result.unwrap_err();
        assert!(error.may_have_been_applied(), "{error}");
    };
    let id = lost("CreateTable");
    applied(Parcel::create_table().await);
    local.aws.faults().remove(id);
    Parcel::create_table().await.unwrap();
    let id = lost("UpdateTimeToLive");
    applied(Parcel::update_ttl().await);
    local.aws.faults().remove(id);
    let id = lost("UpdateTable");
    applied(ByCourier::delete_index().await);
    local.aws.faults().remove(id);
    let id = lost("DeleteTable");
    applied(Parcel::delete_table().await);
    local.aws.faults().remove(id);
    let error = Parcel::update_ttl().await.unwrap_err();
    assert!(!error.may_have_been_applied(), "{error}");
}

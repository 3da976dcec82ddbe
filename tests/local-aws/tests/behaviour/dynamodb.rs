//! DynamoDB: operations, errors and access.

use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, KeysAndAttributes, Put, PutRequest, TransactWriteItem, WriteRequest,
};
use bsm_local_aws::{Account, LocalAws, Role, Trust, User, standard};

use crate::support::*;

fn write(id: &str) -> WriteRequest {
    let put = PutRequest::builder().item("id", text(id)).build().unwrap();
    WriteRequest::builder().put_request(put).build()
}

#[tokio::test]
async fn items_are_written_read_updated_queried_and_deleted() {
    let aws = LocalAws::start().await.unwrap();
    let client = dynamodb(&aws, dev());
    create_table(&client, "users").await;
    put(&client, "users", "1").await;
    let updated = client
        .update_item()
        .table_name("users")
        .key("id", text("1"))
        .update_expression("SET #n = :n")
        .expression_attribute_names("#n", "name")
        .expression_attribute_values(":n", text("Zoë"))
        .return_values(aws_sdk_dynamodb::types::ReturnValue::AllNew)
        .send()
        .await
        .unwrap();
    assert_eq!(updated.attributes.unwrap()["name"], text("Zoë"));
    let queried = client
        .query()
        .table_name("users")
        .key_condition_expression("id = :id")
        .expression_attribute_values(":id", text("1"))
        .send()
        .await
        .unwrap();
    assert_eq!(queried.items()[0]["name"], text("Zoë"));
    client
        .delete_item()
        .table_name("users")
        .key("id", text("1"))
        .send()
        .await
        .unwrap();
    let gone = client
        .get_item()
        .table_name("users")
        .key("id", text("1"))
        .send()
        .await
        .unwrap();
    assert_eq!(gone.item, None);
}

#[tokio::test]
async fn batches_and_transactions_work() {
    let aws = LocalAws::start().await.unwrap();
    let client = dynamodb(&aws, dev());
    create_table(&client, "users").await;
    let writes = vec![write("1"), write("2"), write("3")];
    let answer = client
        .batch_write_item()
        .request_items("users", writes)
        .send()
        .await
        .unwrap();
    assert!(answer.unprocessed_items.unwrap_or_default().is_empty());

    let key = |id: &str| [("id".to_owned(), text(id))].into();
    let keys = KeysAndAttributes::builder()
        .keys(key("1"))
        .keys(key("9"))
        .build()
        .unwrap();
    let answer = client
        .batch_get_item()
        .request_items("users", keys)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.responses.unwrap()["users"].len(), 1);

    let put = Put::builder()
        .table_name("users")
        .item("id", text("4"))
        .build()
        .unwrap();
    let delete = Delete::builder()
        .table_name("users")
        .key("id", text("1"))
        .build()
        .unwrap();
    client
        .transact_write_items()
        .transact_items(TransactWriteItem::builder().put(put).build())
        .transact_items(TransactWriteItem::builder().delete(delete).build())
        .send()
        .await
        .unwrap();
    let mut ids: Vec<_> = aws
        .table_items("111111111111", US, "users")
        .unwrap()
        .iter()
        .map(|item| item["id"]["S"].as_str().unwrap().to_owned())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, ["2", "3", "4"]);
}

#[tokio::test]
async fn table_items_returns_all_pages() {
    let aws = LocalAws::start().await.unwrap();
    let client = dynamodb(&aws, dev());
    create_table(&client, "users").await;
    // More than one page, which holds a megabyte.
    for n in 0..6 {
        let item = client
            .put_item()
            .table_name("users")
            .item("id", text(&n.to_string()));
        item.item("text", text(&"x".repeat(300_000)))
            .send()
            .await
            .unwrap();
    }
    assert_eq!(
        aws.table_items("111111111111", US, "users").unwrap().len(),
        6
    );
}

#[tokio::test]
async fn errors_have_dynamodbs_codes_and_messages() {
    let aws = LocalAws::start().await.unwrap();
    let client = dynamodb(&aws, dev());
    let error = error_response(client.scan().table_name("nowhere").send().await);
    assert_eq!(
        (error.status, error.code.as_str()),
        (400, "ResourceNotFoundException")
    );

    create_table(&client, "users").await;
    // The engine reports this validation error through serde.
    let error = error_response(client.delete_table().table_name("ab").send().await);
    assert_eq!(
        (error.status, error.code.as_str()),
        (400, "ValidationException")
    );
    assert!(!error.message.contains("VALIDATION"), "{error:?}");
    assert!(!error.message.contains(" at line "), "{error:?}");

    let number = AttributeValue::N("1".to_owned());
    let error = error_response(
        client
            .put_item()
            .table_name("users")
            .item("id", number)
            .send()
            .await,
    );
    assert_eq!(error.code, "ValidationException");

    put(&client, "users", "1").await;
    let again = client.put_item().table_name("users").item("id", text("1"));
    let error = error_response(
        again
            .condition_expression("attribute_not_exists(id)")
            .send()
            .await,
    );
    assert_eq!(error.code, "ConditionalCheckFailedException");
    assert_eq!(error.message, "The conditional request failed");
}

#[tokio::test]
async fn the_checksum_header_matches_the_body() {
    // botocore verifies it.
    let aws = LocalAws::start().await.unwrap();
    let error = dynamodb(&aws, dev())
        .scan()
        .table_name("nowhere")
        .send()
        .await
        .unwrap_err();
    let answer = error.raw_response().unwrap();
    let checksum = crc32fast::hash(answer.body().bytes().unwrap());
    assert_eq!(
        answer.headers().get("x-amz-crc32"),
        Some(checksum.to_string().as_str())
    );
}

#[tokio::test]
async fn a_denied_action_is_rejected_with_the_message_of_aws() {
    let user = User::new("reader")
        .access_key("AKIALOCALREADER00001", "s")
        .deny("dynamodb:PutItem");
    let aws = LocalAws::standard()
        .account(Account::new("444444444444").user(user))
        .start()
        .await
        .unwrap();
    let client = dynamodb(&aws, keys("AKIALOCALREADER00001", "s"));
    create_table(&client, "users").await;
    let error = error_response(
        client
            .put_item()
            .table_name("users")
            .item("id", text("1"))
            .send()
            .await,
    );
    assert_eq!(
        (error.status, error.code.as_str()),
        (400, "AccessDeniedException")
    );
    assert_eq!(
        error.message,
        "User: arn:aws:iam::444444444444:user/reader is not authorized to perform: \
         dynamodb:PutItem on resource: arn:aws:dynamodb:us-east-1:444444444444:table/users with an \
         explicit deny in an identity-based policy"
    );
    client.scan().table_name("users").send().await.unwrap();
}

#[tokio::test]
async fn an_action_denied_to_a_role_is_denied_to_its_sessions() {
    let role = Role::new("NoTables")
        .trust(Trust::principal(standard::USER_ARN))
        .deny("dynamodb:*");
    let account = Account::new("444444444444").role(role);
    let aws = LocalAws::standard().account(account).start().await.unwrap();
    let credentials = assume(&aws, dev(), "arn:aws:iam::444444444444:role/NoTables").await;
    let error = error_response(dynamodb(&aws, credentials).list_tables().send().await);
    assert_eq!(error.code, "AccessDeniedException");
    let session = "User: arn:aws:sts::444444444444:assumed-role/NoTables/test is not authorized";
    assert!(error.message.starts_with(session), "{error:?}");
}

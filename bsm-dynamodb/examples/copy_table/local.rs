//! A local AWS with a table of mixed items.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, PutRequest,
    ScalarAttributeType, WriteRequest,
};
use bsm_core::BotoSesManager;
use bsm_dynamodb::Item;
use bsm_local_aws::LocalAws;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tempfile::TempDir;

use crate::Result;

pub(crate) const TABLE: &str = "bsm-copy-table-things";

pub(crate) struct Local {
    pub(crate) source: BotoSesManager,
    pub(crate) target: BotoSesManager,
    _aws: LocalAws,
    _directory: TempDir,
}

impl Local {
    pub(crate) async fn start(items: usize) -> Result<Self> {
        let aws = LocalAws::start().await?;
        let directory = tempfile::tempdir()?;
        aws.write_profiles(&directory)?;
        println!("local AWS with three accounts: {}", aws.endpoint_url());
        let from_profile = |name: &str| {
            BotoSesManager::builder()
                .profile_name(name)
                .config_file(directory.path().join("config"))
                .shared_credentials_file(directory.path().join("credentials"))
                .environment([]) // not even AWS_ACCESS_KEY_ID: nothing real is touched
                .build()
        };
        let (source, target) = (from_profile("staging"), from_profile("production"));
        fill(&source.client(Client::new).await?, items).await?;
        println!("made table {TABLE} with {items} items");
        Ok(Self {
            source,
            target,
            _aws: aws,
            _directory: directory,
        })
    }
}

async fn fill(client: &Client, items: usize) -> Result {
    let key = AttributeDefinition::builder()
        .attribute_name("id")
        .attribute_type(ScalarAttributeType::S)
        .build()?;
    let schema = KeySchemaElement::builder()
        .attribute_name("id")
        .key_type(KeyType::Hash)
        .build()?;
    client
        .create_table()
        .table_name(TABLE)
        .attribute_definitions(key)
        .key_schema(schema)
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await?;
    let batches: Vec<_> = (0..items).step_by(25).collect();
    stream::iter(batches)
        .map(|from| async move {
            let puts = (from..items.min(from + 25)).map(|number| {
                let put = PutRequest::builder().set_item(Some(thing(number)));
                Ok(WriteRequest::builder().put_request(put.build()?).build())
            });
            let puts = puts.collect::<Result<_>>()?;
            let request = client.batch_write_item().request_items(TABLE, puts);
            request.send().await?;
            Result::Ok(())
        })
        .buffer_unordered(4)
        .try_collect()
        .await
}

/// An item with a bit of everything.
fn thing(number: usize) -> Item {
    use AttributeValue as V;
    let text = |text: &str| V::S(text.to_owned());
    let attributes = [
        ("id", V::S(format!("thing-{number:08}"))),
        ("name", text("Zoë \u{1F600}")),
        (
            "price",
            V::N(format!("{number}.00000000000000000000000001")),
        ),
        ("bytes", V::B(Blob::new(vec![(number % 256) as u8; 16]))),
        ("tags", V::Ss(vec!["red".into(), "green".into()])),
        ("sizes", V::Ns(vec!["1".into(), "2.5".into()])),
        ("empty", text("")),
        ("nothing", V::Null(true)),
        (
            "nested",
            V::M([("list".to_owned(), V::L(vec![V::Bool(true)]))].into()),
        ),
        // One in a thousand is large.
        (
            "note",
            V::S("x".repeat(if number.is_multiple_of(1000) {
                100_000
            } else {
                100
            })),
        ),
    ];
    attributes
        .map(|(name, value)| (name.to_owned(), value))
        .into()
}

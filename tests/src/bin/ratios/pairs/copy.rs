//! The CPU time of a copy, beside a plain loop of the SDK, where the network answers at once.

use std::collections::HashMap;

use aws_config::Region;
use aws_config::retry::RetryConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{PutRequest, WriteRequest};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use bsm_core::BotoSesManager;
use bsm_dynamodb::{CopyTable, copy_table};
use bsm_local_aws::standard;
use bsm_tests::measured::by_hand;
use serde_json::{Value, json};

use super::one_thread;
use crate::Result;
use crate::measure::{Effort, cpu_time};
use crate::row::{Row, Target, Unit};

const TABLE: &str = "users";
const SOURCE_REGION: &str = "us-east-1";
const TARGET_REGION: &str = "us-west-2";

/// The items of a page. They take about 350 bytes each.
const PAGE: usize = 1_000;

/// DynamoDB's limit for a BatchWriteItem.
const BATCH: usize = 25;

pub(crate) fn measure(effort: Effort, report: &mut dyn FnMut(Row)) -> Result {
    let runtime = one_thread()?;
    let page = page();
    let run = |work: &dyn Fn(SharedHttpClient) -> Result, pages| {
        work(SharedHttpClient::new(InProcess {
            page: page.clone(),
            pages,
        }))
        .expect("it succeeds");
    };
    let ours = |http_client| Ok(runtime.block_on(copy(http_client, |copy| copy))?);
    let decoding =
        |http_client| Ok(runtime.block_on(copy(http_client, |copy| copy.filter(|_| true)))?);
    let theirs = |http_client| runtime.block_on(plain_loop(http_client));
    let [ours, decoding, theirs] = cpu_time(
        effort,
        [
            &mut |pages| run(&ours, pages),
            &mut |pages| run(&decoding, pages),
            &mut |pages| run(&theirs, pages),
        ],
    )?;
    let per_item = |page: f64| page / PAGE as f64;
    let mut row = |name: &str, ours: f64, target| {
        let (ours, theirs) = (per_item(ours), per_item(theirs));
        report(Row::new(name, Unit::Seconds, ours, theirs, target));
    };
    row(
        "copied item: CPU; a loop of the SDK",
        ours,
        Target::Ratio(0.3),
    );
    row(
        "copied item with a filter: CPU; a loop of the SDK",
        decoding,
        Target::Ratio(1.0),
    );
    Ok(())
}

async fn copy(
    http_client: SharedHttpClient,
    with: impl Fn(CopyTable) -> CopyTable,
) -> std::result::Result<(), bsm_dynamodb::Error> {
    let manager = |region| {
        BotoSesManager::builder()
            .keys(standard::ACCESS_KEY_ID, standard::SECRET_ACCESS_KEY)
            .region(region)
            .http_client(http_client.clone())
            .environment([])
            .build()
    };
    let (source, target) = (manager(SOURCE_REGION), manager(TARGET_REGION));
    let copy = copy_table(&source, &target, TABLE).segments(1);
    with(copy.read_concurrency(1).write_concurrency(1)).await?;
    Ok(())
}

/// Copies the table as most programs do: one page at a time, and one batch at a time.
async fn plain_loop(http_client: SharedHttpClient) -> Result {
    let config = by_hand()
        .http_client(http_client)
        .retry_config(RetryConfig::disabled())
        .load()
        .await;
    let client = |region| {
        let config = config.to_builder().region(Region::from_static(region));
        Client::new(&config.build())
    };
    let (source, target) = (client(SOURCE_REGION), client(TARGET_REGION));
    let mut start = None;
    loop {
        let page = source.scan().table_name(TABLE).limit(PAGE as i32);
        let page = page.set_exclusive_start_key(start).send().await?;
        let mut items = page.items.unwrap_or_default().into_iter();
        loop {
            let puts: Vec<_> = items
                .by_ref()
                .take(BATCH)
                .map(|item| {
                    let put = PutRequest::builder().set_item(Some(item)).build()?;
                    Ok(WriteRequest::builder().put_request(put).build())
                })
                .collect::<Result<_>>()?;
            if puts.is_empty() {
                break;
            }
            target
                .batch_write_item()
                .request_items(TABLE, puts)
                .send()
                .await?;
        }
        start = page.last_evaluated_key;
        if start.is_none() {
            return Ok(());
        }
    }
}

/// An HTTP client without a network: a table with many pages in one region, and an empty one in another.
#[derive(Clone, Debug)]
struct InProcess {
    /// The items of every page, as JSON.
    page: String,
    pages: usize,
}

impl InProcess {
    fn answer(&self, request: &HttpRequest) -> String {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let is_source = request.uri().contains(SOURCE_REGION);
        match target.rsplit('.').next() {
            Some("BatchWriteItem") => r#"{"UnprocessedItems":{}}"#.to_owned(),
            Some("Scan") if is_source => self.scan(request),
            Some("Scan") => r#"{"Items":[],"Count":0,"ScannedCount":0}"#.to_owned(),
            Some("DescribeTable") => describe_table(request).to_string(),
            _ => CALLER.to_owned(),
        }
    }

    fn scan(&self, request: &HttpRequest) -> String {
        let body: Value =
            serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap_or_default();
        let before = body["ExclusiveStartKey"]["id"]["S"].as_str();
        let number = before.and_then(|id| id.parse().ok()).unwrap_or(0) + 1;
        let items = &self.page;
        if number >= self.pages {
            return format!(r#"{{"Count":{PAGE},"ScannedCount":{PAGE},"Items":[{items}]}}"#);
        }
        format!(
            r#"{{"Count":{PAGE},"ScannedCount":{PAGE},"LastEvaluatedKey":{{"id":{{"S":"{number}"}}}},"Items":[{items}]}}"#
        )
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let ok = StatusCode::try_from(200).expect("200 is a status");
        let body = SdkBody::from(self.answer(&request));
        HttpConnectorFuture::ready(Ok(HttpResponse::new(ok, body)))
    }
}

impl HttpClient for InProcess {
    fn http_connector(
        &self,
        _settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

const CALLER: &str = r#"<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/me</Arn><UserId>AIDACKCEVSQ6C2EXAMPLE</UserId><Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"#;

fn describe_table(request: &HttpRequest) -> Value {
    let region = match request.uri().contains(SOURCE_REGION) {
        true => SOURCE_REGION,
        false => TARGET_REGION,
    };
    json!({"Table": {
        "TableName": TABLE,
        "TableStatus": "ACTIVE",
        "TableArn": format!("arn:aws:dynamodb:{region}:111122223333:table/{TABLE}"),
        "TableId": region,
        "CreationDateTime": 1.7e9,
        "ItemCount": 0,
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    }})
}

/// Returns the items of a page, each with attributes of several types.
fn page() -> String {
    let text = "Lorem ipsum dolor sit amet, consectetur adipiscing elit. ".repeat(2);
    let items = (0..PAGE).map(|number| {
        let item: HashMap<&str, Value> = HashMap::from([
            ("id", json!({"S": format!("{number:08}")})),
            ("name", json!({"S": format!("Zoë {number}")})),
            ("age", json!({"N": "42"})),
            ("active", json!({"BOOL": true})),
            ("scores", json!({"L": [{"N": "1"}, {"N": "2"}, {"N": "3"}]})),
            (
                "address",
                json!({"M": {"city": {"S": "Springfield"}, "street": {"S": "1 Main Street"}}}),
            ),
            ("note", json!({"S": text})),
        ]);
        json!(item).to_string()
    });
    items.collect::<Vec<_>>().join(",")
}

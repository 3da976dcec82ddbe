//! An HTTP client that is a DynamoDB, so that a copy is measured without a network.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use bsm_core::BotoSesManager;
use bsm_local_aws::standard;
use serde_json::{Value, json};

pub(crate) const TABLE: &str = "users";
pub(crate) const SOURCE_REGION: &str = "us-east-1";
pub(crate) const TARGET_REGION: &str = "us-west-2";

/// The items of a page. They take about 350 bytes each.
pub(crate) const PAGE: usize = 1_000;

/// A table of many equal pages in two regions, or in one of them.
#[derive(Clone, Debug)]
pub(crate) struct InProcess {
    items: Arc<Items>,
    pages: usize,
    target: Target,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Empty,
    /// With the items of the source.
    Copied,
}

/// The items of a page as JSON.
#[derive(Debug)]
struct Items {
    each: Vec<String>,
    keys: Vec<String>,
    page: String,
    page_of_keys: String,
}

impl Items {
    fn new() -> Self {
        let each: Vec<_> = (0..PAGE).map(item).collect();
        let keys: Vec<_> = (0..PAGE)
            .map(|number| format!(r#"{{"id":{{"S":"{number:08}"}}}}"#))
            .collect();
        Self {
            page: each.join(","),
            page_of_keys: keys.join(","),
            each,
            keys,
        }
    }
}

impl InProcess {
    pub(crate) fn new(target: Target) -> Self {
        Self {
            items: Arc::new(Items::new()),
            pages: 1,
            target,
        }
    }

    /// Returns a client whose tables have this many pages.
    pub(crate) fn with_pages(&self, pages: usize) -> SharedHttpClient {
        let client = self.clone();
        SharedHttpClient::new(Self { pages, ..client })
    }

    fn answer(&self, request: &HttpRequest) -> String {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let has_items = self.target == Target::Copied || request.uri().contains(SOURCE_REGION);
        let body = request.body().bytes().unwrap_or_default();
        let body = std::str::from_utf8(body).unwrap_or_default();
        match target.rsplit('.').next() {
            Some("BatchWriteItem") => r#"{"UnprocessedItems":{}}"#.to_owned(),
            Some("BatchGetItem") => self.look_up(body),
            Some("Scan") if has_items => self.scan(body),
            Some("Scan") => r#"{"Items":[],"Count":0,"ScannedCount":0}"#.to_owned(),
            Some("DescribeTable") => describe_table(request).to_string(),
            _ => CALLER.to_owned(),
        }
    }

    fn scan(&self, body: &str) -> String {
        let read: Value = serde_json::from_str(body).unwrap_or_default();
        let before = read["ExclusiveStartKey"]["id"]["S"].as_str();
        let number = before.and_then(|id| id.parse().ok()).unwrap_or(0) + 1;
        let items = match is_projected(body) {
            true => &self.items.page_of_keys,
            false => &self.items.page,
        };
        if number >= self.pages {
            return format!(r#"{{"Count":{PAGE},"ScannedCount":{PAGE},"Items":[{items}]}}"#);
        }
        format!(
            r#"{{"Count":{PAGE},"ScannedCount":{PAGE},"LastEvaluatedKey":{{"id":{{"S":"{number}"}}}},"Items":[{items}]}}"#
        )
    }

    fn look_up(&self, body: &str) -> String {
        let items = match is_projected(body) {
            true => &self.items.keys,
            false => &self.items.each,
        };
        let mut answer = format!(r#"{{"UnprocessedKeys":{{}},"Responses":{{"{TABLE}":["#);
        // Without a JSON parser, which would cost as much as what is measured.
        let ids = body.match_indices(r#""S":""#);
        let ids =
            ids.filter_map(|(at, start)| body.get(at + start.len()..)?.get(..8)?.parse().ok());
        for (place, id) in ids.enumerate() {
            let id: usize = id;
            let comma = if place == 0 { "" } else { "," };
            write!(answer, "{comma}{}", items[id]).expect("a String takes all text");
        }
        answer.push_str("]}}");
        answer
    }
}

fn is_projected(body: &str) -> bool {
    body.contains("ProjectionExpression")
}

/// Returns the managers of the source and the target.
pub(crate) fn managers(http_client: &SharedHttpClient) -> [BotoSesManager; 2] {
    [SOURCE_REGION, TARGET_REGION].map(|region| {
        BotoSesManager::builder()
            .keys(standard::ACCESS_KEY_ID, standard::SECRET_ACCESS_KEY)
            .region(region)
            .http_client(http_client.clone())
            .environment([])
            .build()
    })
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

/// An item with attributes of several types.
fn item(number: usize) -> String {
    let text = "Lorem ipsum dolor sit amet, consectetur adipiscing elit. ".repeat(2);
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
}

//! What benchmarks measure: a model, the same by hand, and HTTP without a network.

use std::error::Error;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Credentials;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use bsm_core::BotoSesManager;
use bsm_dynamodb::Model;
use bsm_local_aws::standard;
use serde::{Deserialize, Serialize};

/// A model of a usual size, with a bit of everything.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, Model)]
#[model(table = "users")]
pub struct User {
    #[model(hash_key)]
    id: String,
    name: String,
    email: String,
    age: u32,
    active: bool,
    scores: Vec<u32>,
    address: Address,
    note: Option<String>,
}

/// A part of a [`User`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Address {
    street: String,
    city: String,
}

impl User {
    /// The key of [`example`](Self::example).
    pub const ID: &str = "123";

    /// Makes the user that benchmarks read.
    pub fn example() -> Self {
        Self {
            id: Self::ID.into(),
            name: "Zoë".into(),
            email: "zoe@example.com".into(),
            age: 42,
            active: true,
            scores: vec![1, 2, 3],
            address: Address {
                street: "1 Main Street".into(),
                city: "Springfield".into(),
            },
            note: None,
        }
    }

    /// Reads it with the SDK and serde_dynamo, as it is written by hand.
    ///
    /// # Errors
    ///
    /// Those of the SDK and of serde_dynamo, and if there is no such user.
    pub async fn get_by_hand(client: &Client, id: &str) -> Result<Self, Box<dyn Error>> {
        let output = client
            .get_item()
            .table_name("users")
            .key("id", AttributeValue::S(id.to_owned()))
            .send()
            .await?;
        let item = output.item.ok_or("no item has this key")?;
        Ok(serde_dynamo::from_item(item)?)
    }
}

/// Makes a manager for the user of the standard local AWS, whose requests go to an HTTP client.
pub fn manager(http_client: SharedHttpClient) -> BotoSesManager {
    BotoSesManager::builder()
        .keys(standard::ACCESS_KEY_ID, standard::SECRET_ACCESS_KEY)
        .region(standard::REGION)
        .http_client(http_client)
        .environment([])
        .build()
}

/// Begins what is written by hand in place of such a manager.
pub fn by_hand() -> ConfigLoader {
    let (id, secret) = (standard::ACCESS_KEY_ID, standard::SECRET_ACCESS_KEY);
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .credentials_provider(Credentials::new(id, secret, None, None, "by hand"))
        .region(Region::from_static(standard::REGION))
        // Not the environment's, on some of which it panics.
        .retry_config(RetryConfig::standard())
}

/// Returns an HTTP client that answers every GetItem with [`User::example`], at once.
pub fn http_without_a_network() -> SharedHttpClient {
    SharedHttpClient::new(Answer)
}

const ANSWER: &str = r#"{"Item":{"id":{"S":"123"},"name":{"S":"Zoë"},"email":{"S":"zoe@example.com"},"age":{"N":"42"},"active":{"BOOL":true},"scores":{"L":[{"N":"1"},{"N":"2"},{"N":"3"}]},"address":{"M":{"street":{"S":"1 Main Street"},"city":{"S":"Springfield"}}},"note":{"NULL":true}}}"#;

#[derive(Clone, Debug)]
struct Answer;

impl HttpConnector for Answer {
    fn call(&self, _request: HttpRequest) -> HttpConnectorFuture {
        let ok = StatusCode::try_from(200).expect("200 is a status");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(ok, SdkBody::from(ANSWER))))
    }
}

impl HttpClient for Answer {
    fn http_connector(
        &self,
        _settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

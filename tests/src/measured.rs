//! The subjects of the benchmarks: a model, equivalent handwritten code, and an HTTP client without a
//! network.

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

/// A model of typical size, with attributes of several types.
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

/// The address of a [`User`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Address {
    street: String,
    city: String,
}

impl User {
    /// The key of [`example`](Self::example).
    pub const ID: &str = "123";

    /// Creates the user that benchmarks read.
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

    /// Reads a user with the SDK and serde_dynamo, as handwritten code does.
    ///
    /// # Errors
    ///
    /// Those of the SDK and of serde_dynamo, and if the user does not exist.
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

/// Creates a manager with the keys of the standard user that sends its requests to an HTTP client.
pub fn manager(http_client: SharedHttpClient) -> BotoSesManager {
    BotoSesManager::builder()
        .keys(standard::ACCESS_KEY_ID, standard::SECRET_ACCESS_KEY)
        .region(standard::REGION)
        .http_client(http_client)
        .environment([])
        .build()
}

/// Returns the configuration that handwritten code uses instead of such a manager.
pub fn by_hand() -> ConfigLoader {
    let (id, secret) = (standard::ACCESS_KEY_ID, standard::SECRET_ACCESS_KEY);
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .credentials_provider(Credentials::new(id, secret, None, None, "by hand"))
        .region(Region::from_static(standard::REGION))
        // Set explicitly, since the SDK panics on some values of AWS_MAX_ATTEMPTS.
        .retry_config(RetryConfig::standard())
}

/// Returns an HTTP client that responds to every GetItem immediately with [`User::example`].
pub fn http_without_a_network() -> SharedHttpClient {
    SharedHttpClient::new(FixedResponse)
}

const RESPONSE: &str = r#"{"Item":{"id":{"S":"123"},"name":{"S":"Zoë"},"email":{"S":"zoe@example.com"},"age":{"N":"42"},"active":{"BOOL":true},"scores":{"L":[{"N":"1"},{"N":"2"},{"N":"3"}]},"address":{"M":{"street":{"S":"1 Main Street"},"city":{"S":"Springfield"}}},"note":{"NULL":true}}}"#;

#[derive(Clone, Debug)]
struct FixedResponse;

impl HttpConnector for FixedResponse {
    fn call(&self, _request: HttpRequest) -> HttpConnectorFuture {
        let ok = StatusCode::try_from(200).expect("200 is a status");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(ok, SdkBody::from(RESPONSE))))
    }
}

impl HttpClient for FixedResponse {
    fn http_connector(
        &self,
        _settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

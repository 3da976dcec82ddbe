//! The DynamoDB client that the slots of one manager share.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::config::retry::RetryPartition;
use aws_types::SdkConfig;
use aws_types::service_config::ServiceConfigKey;
use bsm_core::BotoSesManager;

use super::conflicts::RetryConflicts;

/// Returns the client of a manager, creating it on first use.
pub(super) async fn client_of(manager: &BotoSesManager) -> Result<Client, bsm_core::Error> {
    let client = manager.client(|config| SlotClient::new(config.into()));
    Ok(client.await?.0)
}

/// A type of its own, because a manager caches clients by type, and the program may also ask the
/// manager for a plain `Client`.
#[derive(Clone)]
struct SlotClient(Client);

impl SlotClient {
    fn new(config: Builder) -> Self {
        // The classifier is added to the SDK's own ones.
        let config = with_own_retry_quota(config).retry_classifier(RetryConflicts);
        Self(Client::from_conf(config.build()))
    }
}

/// Returns a client with a retry quota of its own.
///
/// By default, all clients of one region share one, so throttling in one account, or of a copy, would
/// use up the retries of another.
pub(crate) fn with_own_retry_quota(config: Builder) -> Builder {
    static CREATED: AtomicU64 = AtomicU64::new(0);
    let number = CREATED.fetch_add(1, Ordering::Relaxed);
    let partition = RetryPartition::custom(format!("bsm-dynamodb-{number}"));
    config.retry_partition(partition.build())
}

/// Returns the endpoint that a client of this configuration has; `None` if it follows from the region.
///
/// As the SDK's conversion of the configuration, whose result has no getter.
pub(super) fn endpoint_url(config: &SdkConfig) -> Option<String> {
    let of_all = || config.endpoint_url().map(str::to_owned);
    if config.get_origin("endpoint_url").is_client_config() {
        return of_all();
    }
    let key = ServiceConfigKey::builder()
        .service_id("DynamoDB")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok()?;
    let of_service = config
        .service_config()
        .and_then(|settings| settings.load_config(key));
    of_service.or_else(of_all)
}

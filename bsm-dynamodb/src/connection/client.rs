//! The DynamoDB client that the slots of one manager share.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::config::retry::RetryPartition;
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

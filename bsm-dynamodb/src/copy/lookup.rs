//! Lookups of items by their keys.

use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemOutput;
use aws_sdk_dynamodb::types::{KeysAndAttributes, ReturnConsumedCapacity};
use aws_smithy_runtime_api::client::interceptors::context::Output;

use super::job::CopyJob;
use super::retry::is_transient;
use super::table::TableClient;
#[cfg(doc)]
use crate::batch::MAX_KEYS;
use crate::codec::Item;
use crate::error::{Error, ErrorKind};
use crate::throttle::backoff::Backoff;
use crate::throttle::rate_limit::{RateLimit, wait_for};
use crate::wire::bodies::BatchGetResponse;
use crate::wire::body_interceptor::BodyInterceptor;
use crate::wire::item::WireItem;

impl CopyJob {
    /// Looks up at most [`MAX_KEYS`] items by their keys, with strongly consistent reads.
    ///
    /// Returns those that exist, in no particular order.
    pub(super) async fn look_up(
        &self,
        table: &TableClient,
        limit: Option<&RateLimit>,
        keys: Vec<Item>,
        keys_only: bool,
    ) -> Result<Vec<WireItem>, Error> {
        let mut found = Vec::with_capacity(keys.len());
        let mut left = keys;
        let mut backoff = Backoff::new(self.options.max_attempts);
        while !left.is_empty() {
            let requested = left.len();
            let refusal = match self
                .look_up_once(table, limit, left.clone(), keys_only)
                .await
            {
                Ok((items, unprocessed)) => {
                    found.extend(items);
                    left = unprocessed;
                    None
                }
                // `left` is unchanged: all keys are sent again.
                Err(error) if is_transient(&error) => Some(error),
                Err(error) => return Err(error),
            };
            if left.is_empty() {
                break;
            }
            if !backoff.wait_before_retry(requested, left.len()).await {
                // If every response has left keys unprocessed, no request has failed, and there is no error yet.
                return Err(refusal.unwrap_or_else(|| {
                    table.error(
                        ErrorKind::Throttled,
                        format!(
                            "{requested} keys were not looked up in {} attempts without progress: \
                             give the table more capacity",
                            backoff.attempts()
                        ),
                    )
                }));
            }
            self.count_retry();
        }
        Ok(found)
    }

    /// Sends one BatchGetItem; returns the items and the unprocessed keys.
    async fn look_up_once(
        &self,
        table: &TableClient,
        limit: Option<&RateLimit>,
        keys: Vec<Item>,
        keys_only: bool,
    ) -> Result<(Vec<WireItem>, Vec<Item>), Error> {
        let mut wanted = KeysAndAttributes::builder()
            .set_keys(Some(keys))
            // An eventually consistent read may miss an item that was written a moment ago.
            .consistent_read(true);
        if keys_only {
            let (projection, names) = self.key.projection();
            wanted = wanted.projection_expression(projection);
            for (alias, name) in names {
                wanted = wanted.expression_attribute_names(alias, name);
            }
        }
        let wanted = wanted.build().map_err(|error| {
            let message = "the request could not be built: the cause says why";
            table
                .error(ErrorKind::InvalidRequest, message)
                .with_source(error)
        })?;
        // Part of each attempt, so that retries stay within the limit as well.
        wait_for(limit).await;
        let bodies = BodyInterceptor::default()
            .receiving(|| Output::erase(BatchGetItemOutput::builder().build()));
        let request = table.client.batch_get_item();
        request
            .request_items(&table.table, wanted)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .customize()
            .interceptor(bodies.clone())
            .send()
            .await
            .map_err(|error| table.failed("BatchGetItem", error))?;
        let response = BatchGetResponse::read(&bodies.received())
            .map_err(|_| table.malformed("BatchGetItem"))?;
        self.count_read(limit, response.consumed_units);
        Ok((response.items, response.unprocessed_keys))
    }
}

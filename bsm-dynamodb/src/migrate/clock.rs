//! DynamoDB's clock, which the times of exports and of stream records are by.
//!
//! The clock of the machine may be wrong by hours: the SDK corrects the times of its signatures by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;

use crate::copy::TableClient;
use crate::error::Error;

/// The clock of DynamoDB, as a response has shown it.
#[derive(Clone)]
pub(super) struct ServerClock {
    table: TableClient,
    /// How far it is ahead of the clock of the table's client, in seconds.
    ahead: i64,
}

impl ServerClock {
    /// Reads the clock.
    pub(super) async fn read(table: &TableClient) -> Result<Self, Error> {
        let date = DateHeader::default();
        let described = table.set_up(|| async {
            let request = table.client.describe_table().table_name(&table.table);
            let described = request.customize().interceptor(date.clone()).send().await;
            described.map_err(|error| table.failed("DescribeTable", error))
        });
        described.await?;
        let clock = Self {
            table: table.clone(),
            ahead: 0,
        };
        // Without the header, the clock of the machine is the only one.
        let ahead = date.seconds().map_or(0, |date| date - clock.now());
        Ok(Self { ahead, ..clock })
    }

    /// Returns the time in seconds since the Unix epoch.
    pub(super) fn now(&self) -> i64 {
        let clock = self.table.client.config().time_source();
        let now = clock.map_or_else(SystemTime::now, |clock| clock.now());
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        seconds.saturating_add(self.ahead)
    }
}

/// An interceptor that reads the header `Date` of a response.
#[derive(Clone, Debug, Default)]
struct DateHeader(Arc<AtomicI64>);

impl DateHeader {
    /// Returns the time of the last response; `None` if it had none.
    fn seconds(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|seconds| *seconds > 0)
    }
}

impl Intercept for DateHeader {
    fn name(&self) -> &'static str {
        "DateHeader"
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
        let seconds = date.map_or(0, |date| date.secs());
        self.0.store(seconds, Ordering::Relaxed);
        Ok(())
    }
}

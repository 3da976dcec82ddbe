//! Time to live of items.

use std::marker::PhantomData;

use aws_sdk_dynamodb::types::{TimeToLiveDescription, TimeToLiveSpecification, TimeToLiveStatus};

use crate::connection::call::Call;
use crate::error::{Error, ErrorKind};
use crate::model::Model;
use crate::operation::{bind_when_awaited, debug_settings};

/// Turns time to live on or off; see [`Model::update_ttl`].
#[doc(alias = "UpdateTimeToLive")]
#[must_use = "operations do nothing unless they are awaited"]
pub struct UpdateTtl<M> {
    enabled: bool,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> UpdateTtl<M> {
    pub(super) const NAME: &'static str = "UpdateTimeToLive";

    pub(crate) fn new() -> Self {
        Self {
            enabled: true,
            model: PhantomData,
        }
    }

    /// Sets whether time to live is turned on or off. Default: `true`, on.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    pub(super) async fn run(self, call: Call) -> Result<(), Error> {
        let Some(attribute) = M::TTL else {
            let message = "the model has no attribute for time to live: add `#[model(ttl)]` to a \
                           field";
            return Err(call.error(ErrorKind::InvalidRequest, message));
        };
        update(&call, attribute, self.enabled).await
    }
}

/// Turns time to live on or off for this attribute.
pub(super) async fn update(call: &Call, attribute: &str, enabled: bool) -> Result<(), Error> {
    let specification = TimeToLiveSpecification::builder()
        .attribute_name(attribute)
        .enabled(enabled)
        .build()
        .map_err(|error| call.build_error(error))?;
    let request = call.client().await?.update_time_to_live();
    let request = request
        .table_name(call.table())
        .time_to_live_specification(specification)
        .customize();
    let Err(error) = request.interceptor(call.attempts()).send().await else {
        return Ok(());
    };
    let error = call.sdk_error(error);
    // DynamoDB rejects a change to the state that time to live already has. Accept that, but not
    // its other rejections, such as of a second change within an hour.
    let is_done = error.kind() == ErrorKind::InvalidRequest
        && describe(call)
            .await?
            .is_some_and(|current| is_set(&current, attribute, enabled));
    if is_done { Ok(()) } else { Err(error) }
}

async fn describe(call: &Call) -> Result<Option<TimeToLiveDescription>, Error> {
    let request = call.client().await?.describe_time_to_live();
    let output = request.table_name(call.table()).send().await;
    let output = output.map_err(|error| call.sdk_error(error))?;
    Ok(output.time_to_live_description)
}

fn is_set(current: &TimeToLiveDescription, attribute: &str, enabled: bool) -> bool {
    use TimeToLiveStatus::{Disabled, Disabling, Enabled, Enabling};
    match current.time_to_live_status() {
        // A change takes up to an hour, in which DynamoDB refuses the next one.
        Some(Enabled | Enabling) => enabled && current.attribute_name() == Some(attribute),
        Some(Disabled | Disabling) => !enabled,
        _ => false,
    }
}

bind_when_awaited! {
    UpdateTtl => (),
}

debug_settings! {
    UpdateTtl { enabled },
}

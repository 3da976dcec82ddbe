//! Time to live.

use std::marker::PhantomData;

use aws_sdk_dynamodb::types::{TimeToLiveDescription, TimeToLiveSpecification, TimeToLiveStatus};

use crate::connection::slot::{Call, Slot};
use crate::error::{Error, ErrorKind};
use crate::model::Model;
use crate::operation::{bind_when_awaited, debug_settings};

/// Turns time to live on or off; see [`Model::update_ttl`].
#[must_use = "operations do nothing unless they are awaited"]
pub struct UpdateTtl<M> {
    enabled: bool,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> UpdateTtl<M> {
    pub(crate) fn new() -> Self {
        Self {
            enabled: true,
            model: PhantomData,
        }
    }

    /// Says whether time to live is turned on or off. Default: on.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    pub(super) async fn run(self, slot: Slot<M>) -> Result<(), Error> {
        let call = slot.call("UpdateTimeToLive");
        let Some(attribute) = M::TTL else {
            let message = "the model has no attribute for time to live: add `#[model(ttl)]` to a \
                           field";
            return Err(call.error(ErrorKind::InvalidRequest, message));
        };
        let specification = TimeToLiveSpecification::builder()
            .attribute_name(attribute)
            .enabled(self.enabled)
            .build()
            .map_err(|error| {
                let message = "the request could not be built: the cause says why";
                call.error(ErrorKind::InvalidRequest, message)
                    .with_source(error)
            })?;
        let request = call.client().await?.update_time_to_live();
        let request = request
            .table_name(call.table())
            .time_to_live_specification(specification);
        let Err(refusal) = request.send().await else {
            return Ok(());
        };
        let refusal = call.failed(refusal);
        // DynamoDB refuses a change to what already is, and any second change within an hour.
        let is_so = refusal.kind() == ErrorKind::InvalidRequest
            && describe(&call)
                .await?
                .is_some_and(|now| has(&now, attribute, self.enabled));
        if is_so { Ok(()) } else { Err(refusal) }
    }
}

async fn describe<M: Model>(call: &Call<M>) -> Result<Option<TimeToLiveDescription>, Error> {
    let request = call.client().await?.describe_time_to_live();
    let output = request.table_name(call.table()).send().await;
    let output = output.map_err(|error| call.failed(error))?;
    Ok(output.time_to_live_description)
}

fn has(now: &TimeToLiveDescription, attribute: &str, enabled: bool) -> bool {
    use TimeToLiveStatus::{Disabled, Disabling, Enabled, Enabling};
    match now.time_to_live_status() {
        Some(Enabled | Enabling) => enabled && now.attribute_name() == Some(attribute),
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

//! The settings of the source that a migration needs: point-in-time recovery and the stream.

use std::time::Duration;

use aws_sdk_dynamodb::types::{
    PointInTimeRecoverySpecification, StreamSpecification, StreamViewType, TableDescription,
};
use aws_sdk_dynamodbstreams::Client as StreamsClient;

use super::clock::ServerClock;
use super::state::EnabledSettings;
use crate::copy::{TableClient, turn_on_recovery, until_active};
use crate::error::{Error, ErrorKind};
use crate::throttle::backoff::PollInterval;

/// How long the restorable times of the source may take to appear, or to reach a time. DynamoDB is
/// typically five minutes behind.
const MAX_RECOVERY_WAIT: Duration = Duration::from_secs(3600);

/// The time from the creation of a stream until it certainly records every write, in seconds. A new
/// stream is enabled within seconds.
const STREAM_MARGIN: i64 = 60;

/// The times that an export may have, in seconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Restorable {
    pub(super) earliest: i64,
    pub(super) latest: i64,
}

/// Point-in-time recovery of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recovery {
    Off,
    /// It was turned on a moment ago, and has no times yet.
    Starting,
    On(Restorable),
}

/// Returns the point-in-time recovery of a table.
pub(super) async fn recovery(source: &TableClient) -> Result<Recovery, Error> {
    let described = source.set_up(|| async {
        let request = source.client.describe_continuous_backups();
        let described = request.table_name(&source.table).send().await;
        described.map_err(|error| source.failed("DescribeContinuousBackups", error))
    });
    let described = described.await?.continuous_backups_description;
    let Some(recovery) = described.as_ref().and_then(crate::copy::recovery) else {
        return Ok(Recovery::Off);
    };
    let earliest = recovery.earliest_restorable_date_time;
    let latest = recovery.latest_restorable_date_time;
    Ok(match (earliest, latest) {
        (Some(earliest), Some(latest)) => Recovery::On(Restorable {
            earliest: earliest.secs(),
            latest: latest.secs(),
        }),
        _ => Recovery::Starting,
    })
}

/// Waits until an export may have a time that is at least `wanted`, and returns the times.
pub(super) async fn until_restorable(
    source: &TableClient,
    wanted: i64,
    poll_interval: Duration,
) -> Result<Restorable, Error> {
    let mut waited = Duration::ZERO;
    loop {
        match recovery(source).await? {
            Recovery::Off => {
                return Err(source.error(
                    ErrorKind::InvalidRequest,
                    "point-in-time recovery of the source has been turned off: abort the migration, \
                     and start again",
                ));
            }
            Recovery::On(times) if times.latest >= wanted => return Ok(times),
            Recovery::On(_) | Recovery::Starting => {}
        }
        if waited >= MAX_RECOVERY_WAIT {
            return Err(source.error(
                ErrorKind::WaitTimedOut,
                format!(
                    "the latest restorable time of the source has not advanced as expected within \
                     {MAX_RECOVERY_WAIT:?}: run the migration again later"
                ),
            ));
        }
        tokio::time::sleep(poll_interval).await;
        waited += poll_interval;
    }
}

/// Returns `true` if a table has a stream.
pub(super) fn has_stream(table: &TableDescription) -> bool {
    let stream = table.stream_specification();
    stream.is_some_and(|stream| stream.stream_enabled)
}

/// Refuses a stream whose records do not have the new images.
pub(super) fn check_stream(source: &TableClient, table: &TableDescription) -> Result<(), Error> {
    let stream = table.stream_specification().filter(|it| it.stream_enabled);
    let view_type = stream.and_then(|stream| stream.stream_view_type());
    match view_type {
        // Without a stream, the migration turns one on that has new images.
        None | Some(StreamViewType::NewImage | StreamViewType::NewAndOldImages) => Ok(()),
        Some(other) => {
            let message = format!(
                "the stream of the source has the view type {other}, whose records lack the new \
                 items: give the table a stream with NEW_IMAGE, or migrate without it with \
                 stream(false)"
            );
            Err(source.error(ErrorKind::InvalidRequest, message))
        }
    }
}

/// Turns on what a migration needs.
pub(super) async fn turn_on(source: &TableClient, needed: EnabledSettings) -> Result<(), Error> {
    if needed.recovery {
        turn_on_recovery(source, None).await?;
    }
    if needed.stream {
        let table = describe(source).await?;
        // An earlier run may have turned it on.
        if !has_stream(&table) {
            set_stream(source, Some(StreamViewType::NewImage)).await?;
        }
        // UpdateTable returns early, and the table refuses another change until it is active again.
        until_active(source).await?;
    }
    Ok(())
}

/// Turns off what a migration has turned on. Does nothing about what is off already.
pub(super) async fn turn_off(
    source: &TableClient,
    turned_on: EnabledSettings,
) -> Result<(), Error> {
    let Some(table) = source.describe().await? else {
        return Ok(());
    };
    if turned_on.stream && has_stream(&table) {
        set_stream(source, None).await?;
        until_active(source).await?;
    }
    if turned_on.recovery && recovery(source).await? != Recovery::Off {
        let off = PointInTimeRecoverySpecification::builder()
            .point_in_time_recovery_enabled(false)
            .build()
            .map_err(|error| unbuildable(source, error))?;
        let updated = source.set_up(|| async {
            let request = source.client.update_continuous_backups();
            let request = request.table_name(&source.table);
            let request = request.point_in_time_recovery_specification(off.clone());
            let updated = request.send().await;
            updated.map_err(|error| source.failed("UpdateContinuousBackups", error))
        });
        updated.await?;
    }
    Ok(())
}

async fn set_stream(source: &TableClient, view_type: Option<StreamViewType>) -> Result<(), Error> {
    let specification = StreamSpecification::builder()
        .stream_enabled(view_type.is_some())
        .set_stream_view_type(view_type)
        .build()
        .map_err(|error| unbuildable(source, error))?;
    let mut interval = PollInterval::new(MAX_RECOVERY_WAIT);
    loop {
        let updated = source.set_up(|| async {
            let request = source.client.update_table().table_name(&source.table);
            let request = request.stream_specification(specification.clone());
            let updated = request.send().await;
            updated.map_err(|error| source.failed("UpdateTable", error))
        });
        match updated.await {
            // Another change of the table is under way.
            Err(error) if error.kind() == ErrorKind::TableInUse => {
                if !interval.wait().await {
                    return Err(error);
                }
            }
            updated => return updated.map(drop),
        }
    }
}

/// Returns the time from which on the stream certainly has every write; the source must have one.
pub(super) async fn stream_since(
    source: &TableClient,
    streams: &StreamsClient,
    arn: &str,
) -> Result<i64, Error> {
    let described = source.set_up(|| async {
        let described = streams
            .describe_stream()
            .stream_arn(arn)
            // Only the time of creation is needed, and not the shards.
            .limit(1)
            .send()
            .await;
        described.map_err(|error| source.failed("DescribeStream", error))
    });
    let description = described.await?.stream_description;
    let created = description.and_then(|stream| stream.creation_request_date_time);
    let created = match created {
        Some(time) => time.secs(),
        // Without a time of DynamoDB's, the stream is as new as it can be.
        None => ServerClock::read(source).await?.now(),
    };
    Ok(created + STREAM_MARGIN)
}

/// Returns the ARN of the source's stream, whose records have the new images.
pub(super) async fn stream_arn(source: &TableClient) -> Result<String, Error> {
    let table = describe(source).await?;
    // Another program may have replaced the stream since the first run.
    check_stream(source, &table)?;
    let arn = table
        .latest_stream_arn
        .clone()
        // DynamoDB names the latest stream even after it was turned off.
        .filter(|_| has_stream(&table));
    arn.ok_or_else(|| {
        source.error(
            ErrorKind::InvalidRequest,
            "the stream of the source has been turned off: abort the migration, and start again",
        )
    })
}

pub(super) async fn describe(source: &TableClient) -> Result<TableDescription, Error> {
    source.describe().await?.ok_or_else(|| {
        source.error(
            ErrorKind::TableNotFound,
            "the source table does not exist in this account and region: check its name and \
             the manager",
        )
    })
}

fn unbuildable(source: &TableClient, error: aws_sdk_dynamodb::error::BuildError) -> Error {
    let message = "the request could not be built: the cause says why";
    source
        .error(ErrorKind::InvalidRequest, message)
        .with_source(error)
}

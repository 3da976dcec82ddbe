//! The creation of a target like the source.

use std::time::Duration;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder;
use aws_sdk_dynamodb::types::{
    BillingMode, GlobalSecondaryIndex, LocalSecondaryIndex, PointInTimeRecoverySpecification,
    ProvisionedThroughput, ProvisionedThroughputDescription, TableClass, TableDescription,
    TableStatus, TimeToLiveSpecification, TimeToLiveStatus,
};

use super::preflight;
use super::settings::{SourceSettings, TableSetting, is_protected, recovery, stream};
use super::table::TableClient;
use crate::error::{Error, ErrorKind};
use crate::table::BACKUPS_UNAVAILABLE;
use crate::throttle::backoff::PollInterval;

/// The limit for a new table to become active: 10 minutes. Indexes take longer than the table alone.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(600);

/// The table that the target is like.
pub(super) struct Template<'a> {
    pub(super) source: &'a TableClient,
    pub(super) table: &'a TableDescription,
    pub(super) settings: SourceSettings,
    /// The settings that the target gets besides those of every copy.
    pub(super) copy_settings: &'a [TableSetting],
    /// Whether the target gets the time to live now.
    pub(super) has_time_to_live: bool,
}

/// Creates the target like the source, and returns its description once it is active.
///
/// If an interrupted run has created it, does what that run has not done.
pub(super) async fn create_like(
    template: Template<'_>,
    target: &TableClient,
    exists: bool,
) -> Result<TableDescription, Error> {
    let is_wanted = |setting| template.copy_settings.contains(&setting);
    // What the plan could not read is an error only where the caller asks for it.
    let tags = match is_wanted(TableSetting::Tags) {
        true => template.settings.tags?,
        false => Vec::new(),
    };
    let backups = match is_wanted(TableSetting::PointInTimeRecovery) {
        true => template.settings.backups?,
        false => None,
    };
    let like = template.table;
    let stream = stream(like).filter(|_| is_wanted(TableSetting::Stream));
    let is_protected = is_protected(like) && is_wanted(TableSetting::DeletionProtection);
    // Read before the table is created: a missing permission must not leave a half-finished table behind.
    let ttl = match template.has_time_to_live {
        true => time_to_live(template.source).await?,
        false => None,
    };

    let request = request(target.client.create_table(), like).map_err(|error| {
        let message = "the source's table cannot be described: the cause says why";
        target
            .error(ErrorKind::InvalidRequest, message)
            .with_source(error)
    })?;
    let request = request
        .set_tags((!tags.is_empty()).then_some(tags))
        .set_stream_specification(stream)
        .set_deletion_protection_enabled(is_protected.then_some(true));
    // A table that existed, or that appeared meanwhile, may be another program's: its key and items are checked.
    let is_certainly_ours = !exists && create(request, target).await?;
    let table = until_active(target).await?;
    if !is_certainly_ours {
        preflight::check_keys(target, like, &table)?;
        preflight::check_new_table_is_empty(target).await?;
    }
    if let Some(ttl) = ttl {
        set_time_to_live(target, ttl).await?;
    }
    if let Some(recovery) = backups.as_ref().and_then(recovery) {
        turn_on_recovery(target, recovery.recovery_period_in_days).await?;
    }
    Ok(table)
}

/// Creates the target; returns `false` if the table may be another program's.
async fn create(request: CreateTableFluentBuilder, target: &TableClient) -> Result<bool, Error> {
    let created = target.set_up(|| async {
        let request = request.clone().table_name(&target.table);
        let created = request.send().await;
        created.map_err(|error| target.failed("CreateTable", error))
    });
    match created.await {
        // The response to an earlier attempt was lost, or another program was faster.
        Err(error) if error.kind() == ErrorKind::TableInUse => Ok(false),
        created => created.map(|_| true),
    }
}

/// Adds the keys, indexes, billing and class of the source to a request.
fn request(
    request: CreateTableFluentBuilder,
    like: &TableDescription,
) -> Result<CreateTableFluentBuilder, BuildError> {
    let shape = TableShape::of(like)?;
    let local = like.local_secondary_indexes().iter().map(|index| {
        LocalSecondaryIndex::builder()
            .set_index_name(index.index_name.clone())
            .set_key_schema(index.key_schema.clone())
            .set_projection(index.projection.clone())
            .build()
    });
    let local = local.collect::<Result<Vec<_>, _>>()?;
    Ok(request
        .set_attribute_definitions(like.attribute_definitions.clone())
        .set_key_schema(like.key_schema.clone())
        .set_global_secondary_indexes(shape.global_indexes)
        // DynamoDB refuses an empty list of indexes.
        .set_local_secondary_indexes((!local.is_empty()).then_some(local))
        .billing_mode(shape.billing)
        .set_provisioned_throughput(shape.throughput)
        .set_on_demand_throughput(like.on_demand_throughput.clone())
        .set_table_class(table_class(like).cloned()))
}

/// Returns the class of a table; `None` for one that always had the class STANDARD.
fn table_class(table: &TableDescription) -> Option<&TableClass> {
    table.table_class_summary()?.table_class()
}

/// Returns the class of a table, unless it is STANDARD.
#[cfg(feature = "migrate")]
pub(crate) fn special_class(table: &TableDescription) -> Option<&TableClass> {
    table_class(table).filter(|class| **class != TableClass::Standard)
}

/// Sets the class of the source on an imported table: an import makes every table STANDARD.
#[cfg(feature = "migrate")]
pub(crate) async fn copy_table_class(
    target: &TableClient,
    like: &TableDescription,
    imported: &TableDescription,
) -> Result<(), Error> {
    let Some(class) = special_class(like) else {
        return Ok(());
    };
    // DynamoDB counts the changes of a class, and allows two in 30 days: a run that resumes makes none.
    if table_class(imported) == Some(class) {
        return Ok(());
    }
    let updated = target.set_up(|| async {
        let request = target.client.update_table().table_name(&target.table);
        let updated = request.table_class(class.clone()).send().await;
        updated.map_err(|error| target.failed("UpdateTable", error))
    });
    updated.await?;
    until_active(target).await.map(drop)
}

/// The parts of a table that every way of creating one takes.
pub(crate) struct TableShape {
    pub(crate) billing: BillingMode,
    pub(crate) throughput: Option<ProvisionedThroughput>,
    pub(crate) global_indexes: Option<Vec<GlobalSecondaryIndex>>,
}

impl TableShape {
    pub(crate) fn of(like: &TableDescription) -> Result<Self, BuildError> {
        let billing = like.billing_mode_summary();
        // A table that was never on demand has no summary of its billing mode.
        let on_demand = billing.and_then(|billing| billing.billing_mode.as_ref())
            == Some(&BillingMode::PayPerRequest);
        let throughput = |throughput: Option<&ProvisionedThroughputDescription>| match throughput {
            // DescribeTable shows an on-demand table with 0 units, which CreateTable refuses.
            Some(units) if !on_demand => ProvisionedThroughput::builder()
                .set_read_capacity_units(units.read_capacity_units)
                .set_write_capacity_units(units.write_capacity_units)
                .build()
                .map(Some),
            _ => Ok(None),
        };
        let indexes = like.global_secondary_indexes().iter().map(|index| {
            GlobalSecondaryIndex::builder()
                .set_index_name(index.index_name.clone())
                .set_key_schema(index.key_schema.clone())
                .set_projection(index.projection.clone())
                .set_provisioned_throughput(throughput(index.provisioned_throughput())?)
                .set_on_demand_throughput(index.on_demand_throughput.clone())
                .build()
        });
        let indexes = indexes.collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            billing: match on_demand {
                true => BillingMode::PayPerRequest,
                false => BillingMode::Provisioned,
            },
            throughput: throughput(like.provisioned_throughput())?,
            global_indexes: (!indexes.is_empty()).then_some(indexes),
        })
    }
}

/// Returns the attribute of the time to live, if it is on.
pub(super) async fn time_to_live(table: &TableClient) -> Result<Option<String>, Error> {
    let described = table.set_up(|| async {
        let request = table.client.describe_time_to_live();
        let described = request.table_name(&table.table).send().await;
        described.map_err(|error| table.failed("DescribeTimeToLive", error))
    });
    let ttl = described.await?.time_to_live_description;
    Ok(ttl
        .filter(|ttl| {
            use TimeToLiveStatus::{Enabled, Enabling};
            // `Enabling` lasts up to an hour, and ends as `Enabled`.
            matches!(ttl.time_to_live_status, Some(Enabled | Enabling))
        })
        .and_then(|ttl| ttl.attribute_name))
}

pub(super) async fn set_time_to_live(target: &TableClient, attribute: String) -> Result<(), Error> {
    let ttl = TimeToLiveSpecification::builder()
        .attribute_name(&attribute)
        .enabled(true)
        .build()
        .map_err(|error| {
            target
                .error(
                    ErrorKind::InvalidRequest,
                    "the time to live has no attribute",
                )
                .with_source(error)
        })?;
    let updated = target.set_up(|| async {
        let request = target.client.update_time_to_live();
        let request = request.table_name(&target.table);
        let updated = request.time_to_live_specification(ttl.clone()).send().await;
        updated.map_err(|error| target.failed("UpdateTimeToLive", error))
    });
    match updated.await {
        // The response to an earlier attempt may have been lost, and DynamoDB refuses to turn on what
        // is on.
        Err(error) if error.kind() == ErrorKind::InvalidRequest => {
            // The code is the same for every invalid request, so the setting itself decides.
            match time_to_live(target).await? == Some(attribute) {
                true => Ok(()),
                false => Err(error),
            }
        }
        updated => updated.map(drop),
    }
}

/// Turns on point-in-time recovery, which may be turned on already.
pub(crate) async fn turn_on_recovery(target: &TableClient, days: Option<i32>) -> Result<(), Error> {
    let recovery = PointInTimeRecoverySpecification::builder()
        .point_in_time_recovery_enabled(true)
        .set_recovery_period_in_days(days)
        .build()
        .map_err(|error| {
            let message = "point-in-time recovery cannot be described: the cause says why";
            target
                .error(ErrorKind::InvalidRequest, message)
                .with_source(error)
        })?;
    let mut interval = PollInterval::new(MAX_WAIT);
    loop {
        let updated = target.set_up(|| async {
            let request = target.client.update_continuous_backups();
            let request = request.table_name(&target.table);
            let request = request.point_in_time_recovery_specification(recovery.clone());
            let updated = request.send().await;
            updated.map_err(|error| target.failed("UpdateContinuousBackups", error))
        });
        match updated.await {
            // DynamoDB prepares the backups of a new table for some time after it is active.
            Err(error) if error.aws_code() == Some(BACKUPS_UNAVAILABLE) => {
                if !interval.wait().await {
                    return Err(error);
                }
            }
            updated => return updated.map(drop),
        }
    }
}

pub(crate) async fn until_active(target: &TableClient) -> Result<TableDescription, Error> {
    let mut interval = PollInterval::new(MAX_WAIT);
    loop {
        // DynamoDB may not find a table at first that was just created.
        let table = target.describe().await?;
        if let Some(table) = table.filter(|it| it.table_status == Some(TableStatus::Active)) {
            return Ok(table);
        }
        if !interval.wait().await {
            return Err(target.error(
                ErrorKind::WaitTimedOut,
                format!("the table has not become active within {MAX_WAIT:?}: run again later"),
            ));
        }
    }
}

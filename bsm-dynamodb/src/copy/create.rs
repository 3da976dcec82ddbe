//! A table like another one.

use std::time::Duration;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder;
use aws_sdk_dynamodb::types::{
    BillingMode, GlobalSecondaryIndex, LocalSecondaryIndex, ProvisionedThroughput,
    ProvisionedThroughputDescription, TableDescription, TableStatus, TimeToLiveSpecification,
    TimeToLiveStatus,
};
use tokio::time::{self, Instant};

use super::preflight;
use super::side::{Side, persist};
use crate::error::{Error, ErrorKind};

const ATTEMPTS: u32 = 5;

/// How long a new table may take: 10 minutes; indexes take longer than the table alone.
const WAIT_LIMIT: Duration = Duration::from_secs(600);

/// Creates the target like the source, and returns its description when it can be used.
///
/// If it is there already, as an earlier copy has been interrupted, what is left to do is done.
pub(super) async fn create_like(
    source: &Side,
    source_table: &TableDescription,
    target: &Side,
    exists: bool,
) -> Result<TableDescription, Error> {
    let ttl = time_to_live(source).await?;
    let is_certainly_ours = !exists && create(source_table, target).await?;
    let table = until_active(target).await?;
    if !is_certainly_ours {
        preflight::check_keys(target, source_table, &table)?;
        preflight::check_nothing_was_written(target).await?;
    }
    if let Some(ttl) = ttl {
        set_time_to_live(target, ttl).await?;
    }
    Ok(table)
}

/// Creates the target, and says whether it was this request that created it.
async fn create(source_table: &TableDescription, target: &Side) -> Result<bool, Error> {
    let request = request(target.client.create_table(), source_table).map_err(|error| {
        target
            .error(ErrorKind::InvalidRequest, "the table cannot be described")
            .with_source(error)
    })?;
    let created = persist(ATTEMPTS, None, || async {
        let request = request.clone().table_name(&target.table);
        let created = request.send().await;
        created.map_err(|error| target.failed("CreateTable", error))
    });
    match created.await {
        // An answer that was lost on the way, or somebody was faster.
        Err(error) if error.kind() == ErrorKind::TableInUse => Ok(false),
        created => created.map(|_| true),
    }
}

fn request(
    request: CreateTableFluentBuilder,
    like: &TableDescription,
) -> Result<CreateTableFluentBuilder, BuildError> {
    let billing = like.billing_mode_summary();
    let on_demand = billing.and_then(|billing| billing.billing_mode.as_ref())
        == Some(&BillingMode::PayPerRequest);
    let throughput = |throughput: Option<&ProvisionedThroughputDescription>| match throughput {
        Some(units) if !on_demand => ProvisionedThroughput::builder()
            .set_read_capacity_units(units.read_capacity_units)
            .set_write_capacity_units(units.write_capacity_units)
            .build()
            .map(Some),
        _ => Ok(None),
    };
    let global = like.global_secondary_indexes().iter().map(|index| {
        GlobalSecondaryIndex::builder()
            .set_index_name(index.index_name.clone())
            .set_key_schema(index.key_schema.clone())
            .set_projection(index.projection.clone())
            .set_provisioned_throughput(throughput(index.provisioned_throughput())?)
            .set_on_demand_throughput(index.on_demand_throughput.clone())
            .build()
    });
    let global = global.collect::<Result<Vec<_>, _>>()?;
    let local = like.local_secondary_indexes().iter().map(|index| {
        LocalSecondaryIndex::builder()
            .set_index_name(index.index_name.clone())
            .set_key_schema(index.key_schema.clone())
            .set_projection(index.projection.clone())
            .build()
    });
    let local = local.collect::<Result<Vec<_>, _>>()?;
    let class = like.table_class_summary();
    Ok(request
        .set_attribute_definitions(like.attribute_definitions.clone())
        .set_key_schema(like.key_schema.clone())
        .set_global_secondary_indexes((!global.is_empty()).then_some(global))
        .set_local_secondary_indexes((!local.is_empty()).then_some(local))
        .billing_mode(match on_demand {
            true => BillingMode::PayPerRequest,
            false => BillingMode::Provisioned,
        })
        .set_provisioned_throughput(throughput(like.provisioned_throughput())?)
        .set_on_demand_throughput(like.on_demand_throughput.clone())
        .set_table_class(class.and_then(|class| class.table_class.clone())))
}

/// Returns the attribute after which DynamoDB deletes items, if there is one.
async fn time_to_live(side: &Side) -> Result<Option<String>, Error> {
    let described = persist(ATTEMPTS, None, || async {
        let request = side.client.describe_time_to_live();
        let described = request.table_name(&side.table).send().await;
        described.map_err(|error| side.failed("DescribeTimeToLive", error))
    });
    let ttl = described.await?.time_to_live_description;
    Ok(ttl
        .filter(|ttl| {
            use TimeToLiveStatus::{Enabled, Enabling};
            matches!(ttl.time_to_live_status, Some(Enabled | Enabling))
        })
        .and_then(|ttl| ttl.attribute_name))
}

async fn set_time_to_live(target: &Side, attribute: String) -> Result<(), Error> {
    let ttl = TimeToLiveSpecification::builder()
        .attribute_name(&attribute)
        .enabled(true)
        .build()
        .map_err(|error| {
            target
                .error(ErrorKind::InvalidRequest, "the time to live has no name")
                .with_source(error)
        })?;
    let updated = persist(ATTEMPTS, None, || async {
        let request = target.client.update_time_to_live();
        let request = request.table_name(&target.table);
        let updated = request.time_to_live_specification(ttl.clone()).send().await;
        updated.map_err(|error| target.failed("UpdateTimeToLive", error))
    });
    match updated.await {
        // An answer that was lost on the way: it cannot be enabled twice.
        Err(error) if error.kind() == ErrorKind::InvalidRequest => {
            match time_to_live(target).await? == Some(attribute) {
                true => Ok(()),
                false => Err(error),
            }
        }
        updated => updated.map(drop),
    }
}

async fn until_active(target: &Side) -> Result<TableDescription, Error> {
    let deadline = Instant::now() + WAIT_LIMIT;
    let mut pause = Duration::from_millis(100);
    loop {
        // A table that was just created may not be found at first.
        let table = target.describe().await?;
        if let Some(table) = table.filter(|it| it.table_status == Some(TableStatus::Active)) {
            return Ok(table);
        }
        if Instant::now() >= deadline {
            return Err(target.error(
                ErrorKind::WaitTimedOut,
                format!(
                    "the new table has not become active within {WAIT_LIMIT:?}: copy again later"
                ),
            ));
        }
        time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

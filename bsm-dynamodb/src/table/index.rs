//! Adding indexes to a table that exists, and removing them.

use std::marker::PhantomData;
use std::time::Duration;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::update_table::builders::UpdateTableFluentBuilder;
use aws_sdk_dynamodb::types::{
    CreateGlobalSecondaryIndexAction, DeleteGlobalSecondaryIndexAction, GlobalSecondaryIndexUpdate,
    ProvisionedThroughput, TableDescription,
};

use super::definition::{attribute_definition, key_schema, projection};
use super::{WAIT_LIMIT, describe, describe_existing, until_active, wait_or_fail};
use crate::connection::call::Call;
use crate::error::{Error, ErrorKind};
use crate::model::bind;
use crate::model::index::{Index, IndexDefinition};
use crate::operation::{Pending, debug_settings};
use crate::throttle::backoff::PollInterval;

/// The operation of the DynamoDB API that changes indexes.
const NAME: &str = "UpdateTable";

/// Adds a global index to an existing table; see [`Index::create_index`].
///
/// Source: [Managing global secondary indexes](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.OnlineOps.html)
/// in the Developer Guide.
#[doc(alias = "UpdateTable")]
#[must_use = "operations do nothing unless they are awaited"]
pub struct CreateIndex<I> {
    wait: Option<Duration>,
    index: PhantomData<fn() -> I>,
}

impl<I: Index> CreateIndex<I> {
    pub(crate) fn new() -> Self {
        Self {
            wait: None,
            index: PhantomData,
        }
    }

    /// Waits until the index is active, at most 5 minutes. DynamoDB reads the whole table for it, so set
    /// another time limit for a large table.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WaitTimedOut`] if the index is not active within the time limit. DynamoDB continues
    /// to build it.
    pub fn wait(self) -> Self {
        self.wait_at_most(WAIT_LIMIT)
    }

    /// Waits like [`wait`](Self::wait), with another time limit.
    pub fn wait_at_most(mut self, limit: Duration) -> Self {
        self.wait = Some(limit);
        self
    }

    async fn run(self, call: Call) -> Result<(), Error> {
        // The answer also has the capacity of the table, which a new index gets.
        let table = describe_existing(&call).await?;
        if has_index::<I>(&table) {
            check_same::<I>(&call, &table)?;
        } else {
            let request = call.client().await?.update_table();
            let request = creation::<I>(&table, request.table_name(call.table()));
            let request = request.map_err(|error| call.build_error(error))?;
            let output = request.send().await;
            output.map_err(|error| call.sdk_error(error))?;
        }
        match self.wait.map(PollInterval::new) {
            Some(mut wait) => until_active(&call, &mut wait).await,
            None => Ok(()),
        }
    }
}

/// Removes a global index from a table; see [`Index::delete_index`].
#[must_use = "operations do nothing unless they are awaited"]
pub struct DeleteIndex<I> {
    wait: Option<Duration>,
    index: PhantomData<fn() -> I>,
}

impl<I: Index> DeleteIndex<I> {
    pub(crate) fn new() -> Self {
        Self {
            wait: None,
            index: PhantomData,
        }
    }

    /// Waits until the index is gone, at most 5 minutes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WaitTimedOut`] if the index still exists after the time limit.
    pub fn wait(self) -> Self {
        self.wait_at_most(WAIT_LIMIT)
    }

    /// Waits like [`wait`](Self::wait), with another time limit.
    pub fn wait_at_most(mut self, limit: Duration) -> Self {
        self.wait = Some(limit);
        self
    }

    async fn run(self, call: Call) -> Result<(), Error> {
        if !has_index::<I>(&describe_existing(&call).await?) {
            return Ok(());
        }
        let delete = DeleteGlobalSecondaryIndexAction::builder().index_name(I::NAME);
        let delete = delete.build().map_err(|error| call.build_error(error))?;
        let update = GlobalSecondaryIndexUpdate::builder().delete(delete).build();
        let request = call.client().await?.update_table();
        let request = request.table_name(call.table());
        let output = request.global_secondary_index_updates(update).send().await;
        output.map_err(|error| call.sdk_error(error))?;
        let Some(mut wait) = self.wait.map(PollInterval::new) else {
            return Ok(());
        };
        while describe(&call)
            .await?
            .is_some_and(|table| has_index::<I>(&table))
        {
            wait_or_fail(&call, &mut wait, "the index is not deleted").await?;
        }
        Ok(())
    }
}

fn has_index<I: Index>(table: &TableDescription) -> bool {
    let mut indexes = table.global_secondary_indexes().iter();
    indexes.any(|index| index.index_name() == Some(I::NAME))
}

/// Fails if the table has an index of this name with another key.
fn check_same<I: Index>(call: &Call, table: &TableDescription) -> Result<(), Error> {
    let index = IndexDefinition::of::<I>();
    // It builds, because all names are set; an empty schema would equal none.
    let expected = key_schema(index.hash, index.range).unwrap_or_default();
    let mut indexes = table.global_secondary_indexes().iter();
    if indexes.any(|it| it.index_name() == Some(I::NAME) && it.key_schema() == expected) {
        return Ok(());
    }
    let name = I::NAME;
    let message = format!(
        "the table has an index {name} with another key: delete that index, or give this one another \
         name"
    );
    Err(call.error(ErrorKind::TableMismatch, message))
}

fn creation<I: Index>(
    table: &TableDescription,
    request: UpdateTableFluentBuilder,
) -> Result<UpdateTableFluentBuilder, BuildError> {
    let index = IndexDefinition::of::<I>();
    let create = CreateGlobalSecondaryIndexAction::builder()
        .index_name(I::NAME)
        .set_key_schema(Some(key_schema(index.hash, index.range)?))
        .projection(projection(index.projection))
        .set_provisioned_throughput(throughput(table)?)
        .build()?;
    // DynamoDB keeps the definitions of the table's other attributes.
    let attributes = std::iter::once(index.hash).chain(index.range);
    let attributes: Result<_, _> = attributes.map(attribute_definition).collect();
    let update = GlobalSecondaryIndexUpdate::builder().create(create).build();
    Ok(request
        .set_attribute_definitions(Some(attributes?))
        .global_secondary_index_updates(update))
}

/// Returns the capacity of the table for the index, unless the table is billed on demand.
fn throughput(table: &TableDescription) -> Result<Option<ProvisionedThroughput>, BuildError> {
    let of_table = table.provisioned_throughput();
    let read = of_table.and_then(|it| it.read_capacity_units());
    let write = of_table.and_then(|it| it.write_capacity_units());
    // A table on demand has a capacity of 0.
    let Some((read, write)) = read.zip(write).filter(|units| *units != (0, 0)) else {
        return Ok(None);
    };
    let throughput = ProvisionedThroughput::builder();
    let throughput = throughput
        .read_capacity_units(read)
        .write_capacity_units(write);
    throughput.build().map(Some)
}

impl<I: Index> IntoFuture for CreateIndex<I> {
    type Output = Result<(), Error>;
    type IntoFuture = Pending<()>;

    fn into_future(self) -> Pending<()> {
        Box::pin(self.run(bind::<I::Model>(NAME)))
    }
}

impl<I: Index> IntoFuture for DeleteIndex<I> {
    type Output = Result<(), Error>;
    type IntoFuture = Pending<()>;

    fn into_future(self) -> Pending<()> {
        Box::pin(self.run(bind::<I::Model>(NAME)))
    }
}

debug_settings! {
    CreateIndex<I> { wait },
    DeleteIndex<I> { wait },
}

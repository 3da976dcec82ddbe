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
use super::{
    WAIT_LIMIT, describe, describe_existing, is_active, is_index_being_deleted, wait_or_fail,
};
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
    /// If an index of the same name is being deleted, it first waits until that is done.
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
        let mut wait = self.wait.map(PollInterval::new);
        // The answer also has the capacity of the table, which a new index gets.
        let mut table = describe_existing(&call).await?;
        while State::of::<I>(&table) == State::Deleting {
            let Some(wait) = &mut wait else {
                let name = I::NAME;
                let message = format!(
                    "the index {name} is being deleted: add wait(), or create it once it is gone"
                );
                return Err(call.error(ErrorKind::TableInUse, message));
            };
            wait_or_fail(&call, wait, "the index is not deleted").await?;
            table = describe_existing(&call).await?;
        }
        if State::of::<I>(&table) == State::Absent {
            let request = call.client().await?.update_table();
            let request = creation::<I>(&table, request.table_name(call.table()));
            let request = request.map_err(|error| call.build_error(error))?;
            let request = request.customize();
            let output = request.interceptor(call.attempts()).send().await;
            output.map_err(|error| call.sdk_error(error))?;
        } else {
            check_same::<I>(&call, &table)?;
        }
        let Some(mut wait) = wait else {
            return Ok(());
        };
        // DescribeTable is eventually consistent, so an answer without the index does not end the wait.
        while !describe(&call)
            .await?
            .is_some_and(|table| State::of::<I>(&table) == State::Active)
        {
            wait_or_fail(&call, &mut wait, "the index is not active").await?;
        }
        Ok(())
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
        let state = State::of::<I>(&describe_existing(&call).await?);
        if state == State::Absent {
            return Ok(());
        }
        // DynamoDB refuses to delete an index twice.
        if state != State::Deleting {
            let delete = DeleteGlobalSecondaryIndexAction::builder().index_name(I::NAME);
            let delete = delete.build().map_err(|error| call.build_error(error))?;
            let update = GlobalSecondaryIndexUpdate::builder().delete(delete).build();
            let request = call.client().await?.update_table();
            let request = request.table_name(call.table());
            let request = request.global_secondary_index_updates(update).customize();
            let output = request.interceptor(call.attempts()).send().await;
            output.map_err(|error| call.sdk_error(error))?;
        }
        let Some(mut wait) = self.wait.map(PollInterval::new) else {
            return Ok(());
        };
        while describe(&call)
            .await?
            .is_some_and(|table| State::of::<I>(&table) != State::Absent)
        {
            wait_or_fail(&call, &mut wait, "the index is not deleted").await?;
        }
        Ok(())
    }
}

/// The state of an index of a table.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Absent,
    /// The table still has the index, and will not have it.
    Deleting,
    /// The table has the index, and is not ready for it.
    Inactive,
    Active,
}

impl State {
    fn of<I: Index>(table: &TableDescription) -> Self {
        let mut indexes = table.global_secondary_indexes().iter();
        match indexes.find(|index| index.index_name() == Some(I::NAME)) {
            None => Self::Absent,
            Some(index) if is_index_being_deleted(index) => Self::Deleting,
            Some(_) if is_active(table) => Self::Active,
            Some(_) => Self::Inactive,
        }
    }
}

/// Fails if the table has an index of this name with another key.
fn check_same<I: Index>(call: &Call, table: &TableDescription) -> Result<(), Error> {
    let index = IndexDefinition::of::<I>();
    // It builds, because all names are set; an empty schema would equal none.
    let expected = key_schema(index.key()).unwrap_or_default();
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
        .set_key_schema(Some(key_schema(index.key())?))
        .projection(projection(index.projection))
        .set_provisioned_throughput(throughput(table)?)
        .build()?;
    // DynamoDB keeps the definitions of the table's other attributes.
    let attributes: Result<_, _> = index.key().map(attribute_definition).collect();
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

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use aws_sdk_dynamodb::types::{
        GlobalSecondaryIndexDescription as Description, IndexStatus, TableStatus,
    };
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::{GlobalIndex, KeySchema, Model, Serde};

    #[derive(Serialize, Deserialize)]
    struct User {}

    impl Model for User {
        type Key = String;
        type Codec = Serde;
        const KEY: KeySchema<String> = KeySchema::hash("id");

        fn table_name() -> Cow<'static, str> {
            "users".into()
        }
    }

    enum ByEmail {}

    impl Index for ByEmail {
        type Model = User;
        type Key = String;
        type Kind = GlobalIndex;
        const NAME: &'static str = "by-email";
        const KEY: KeySchema<String> = KeySchema::hash("email");
    }

    fn state(indexes: &[(&str, IndexStatus)]) -> State {
        let indexes = indexes.iter().map(|(name, status)| {
            let index = Description::builder().index_name(*name);
            index.index_status(status.clone()).build()
        });
        let table = TableDescription::builder()
            .table_status(TableStatus::Active)
            .set_global_secondary_indexes(Some(indexes.collect()));
        State::of::<ByEmail>(&table.build())
    }

    #[test]
    fn an_index_that_is_being_deleted_is_not_there_and_not_gone() {
        assert_eq!(
            state(&[("by-email", IndexStatus::Deleting)]),
            State::Deleting
        );
        assert_eq!(state(&[("other", IndexStatus::Deleting)]), State::Absent);
    }

    #[test]
    fn an_index_is_active_once_it_exists_and_the_table_is_ready() {
        use IndexStatus::{Active, Creating};

        assert_eq!(state(&[]), State::Absent);
        assert_eq!(state(&[("by-email", Creating)]), State::Inactive);
        assert_eq!(state(&[("by-email", Active)]), State::Active);
        let other = ("other", Creating);
        assert_eq!(state(&[("by-email", Active), other]), State::Inactive);
    }
}

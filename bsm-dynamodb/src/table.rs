//! Operations on the table as a whole.

use std::marker::PhantomData;
use std::time::Duration;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType as KeyRole, TableDescription,
    TableStatus,
};
use tokio::time::{self, Instant};

use crate::error::{Error, ErrorKind};
use crate::key::Key;
use crate::model::Model;
use crate::operation::{bind_when_awaited, debug_settings};
use crate::slot::{Call, Slot};

/// How long `wait()` waits: 5 minutes. A new table takes some seconds.
const WAIT_LIMIT: Duration = Duration::from_secs(300);

/// Creates the table; see [`Model::create_table`].
#[must_use = "operations do nothing unless they are awaited"]
pub struct CreateTable<M> {
    wait: Option<Duration>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> CreateTable<M> {
    pub(crate) fn new() -> Self {
        Self {
            wait: None,
            model: PhantomData,
        }
    }

    /// Waits until the table can be used, at most 5 minutes.
    ///
    /// It also waits for a table of the same name to be gone that is being deleted.
    pub fn wait(self) -> Self {
        self.wait_at_most(WAIT_LIMIT)
    }

    /// Like [`wait`](Self::wait), with a limit of your own.
    pub fn wait_at_most(mut self, limit: Duration) -> Self {
        self.wait = Some(limit);
        self
    }

    async fn run(self, slot: Slot<M>) -> Result<(), Error> {
        let call = slot.call("CreateTable");
        let mut wait = self.wait.map(Wait::new);
        while let Err(refusal) = create(&call).await {
            if refusal.kind() != ErrorKind::TableInUse {
                return Err(refusal);
            }
            match (describe(&call).await?, &mut wait) {
                (Some(table), None) if is_being_deleted(&table) => return Err(refusal),
                (Some(table), Some(wait)) if is_being_deleted(&table) => {
                    until_gone(&call, wait).await?;
                }
                (Some(table), _) => {
                    check_key(&call, &table)?;
                    break;
                }
                // It has gone in between.
                (None, _) => {}
            }
        }
        match &mut wait {
            Some(wait) => until_active(&call, wait).await,
            None => Ok(()),
        }
    }
}

/// Deletes the table; see [`Model::delete_table`].
#[must_use = "operations do nothing unless they are awaited"]
pub struct DeleteTable<M> {
    wait: Option<Duration>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> DeleteTable<M> {
    pub(crate) fn new() -> Self {
        Self {
            wait: None,
            model: PhantomData,
        }
    }

    /// Waits until the table is gone, at most 5 minutes.
    pub fn wait(self) -> Self {
        self.wait_at_most(WAIT_LIMIT)
    }

    /// Like [`wait`](Self::wait), with a limit of your own.
    pub fn wait_at_most(mut self, limit: Duration) -> Self {
        self.wait = Some(limit);
        self
    }

    async fn run(self, slot: Slot<M>) -> Result<(), Error> {
        let call = slot.call("DeleteTable");
        let request = call.client().await?.delete_table();
        request
            .table_name(call.table())
            .send()
            .await
            .map_err(|error| call.failed(error))?;
        match self.wait {
            Some(limit) => until_gone(&call, &mut Wait::new(limit)).await,
            None => Ok(()),
        }
    }
}

/// Says whether the table exists; see [`Model::exists`].
#[must_use = "operations do nothing unless they are awaited"]
pub struct Exists<M>(PhantomData<fn() -> M>);

impl<M: Model> Exists<M> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }

    async fn run(self, slot: Slot<M>) -> Result<bool, Error> {
        let table = describe(&slot.call("DescribeTable")).await?;
        Ok(table.is_some())
    }
}

/// Describes the table; see [`Model::describe_table`].
#[must_use = "operations do nothing unless they are awaited"]
pub struct DescribeTable<M>(PhantomData<fn() -> M>);

impl<M: Model> DescribeTable<M> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }

    async fn run(self, slot: Slot<M>) -> Result<TableDescription, Error> {
        let call: Call<M> = slot.call("DescribeTable");
        let request = call.client().await?.describe_table();
        let output = request.table_name(call.table()).send().await;
        let output = output.map_err(|error| call.failed(error))?;
        output.table.ok_or_else(|| {
            call.error(
                ErrorKind::Service,
                "DynamoDB answered without a description",
            )
        })
    }
}

bind_when_awaited! {
    CreateTable => (),
    DeleteTable => (),
    Exists => bool,
    DescribeTable => TableDescription,
}

debug_settings! {
    CreateTable { wait },
    DeleteTable { wait },
    Exists {},
    DescribeTable {},
}

async fn create<M: Model>(call: &Call<M>) -> Result<(), Error> {
    let (attributes, schema) = key_definition::<M>().map_err(|error| {
        call.error(ErrorKind::InvalidRequest, "the key has no name")
            .with_source(error)
    })?;
    let request = call.client().await?.create_table();
    request
        .table_name(call.table())
        .set_attribute_definitions(Some(attributes))
        .set_key_schema(Some(schema))
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await
        .map_err(|error| call.failed(error))?;
    Ok(())
}

type KeyDefinition = (Vec<AttributeDefinition>, Vec<KeySchemaElement>);

fn key_definition<M: Model>() -> Result<KeyDefinition, BuildError> {
    let (hash_type, range_type) = M::Key::TYPES;
    let hash = (M::KEY.hash_name(), hash_type, KeyRole::Hash);
    let range = M::KEY.range_name().zip(range_type);
    let range = range.map(|(name, key_type)| (name, key_type, KeyRole::Range));
    std::iter::once(hash)
        .chain(range)
        .map(|(name, key_type, role)| {
            let attribute = AttributeDefinition::builder()
                .attribute_name(name)
                .attribute_type(key_type.into())
                .build()?;
            let element = KeySchemaElement::builder()
                .attribute_name(name)
                .key_type(role)
                .build()?;
            Ok((attribute, element))
        })
        .collect()
}

/// Refuses a table that has another key than the model.
fn check_key<M: Model>(call: &Call<M>, table: &TableDescription) -> Result<(), Error> {
    let same = key_definition::<M>().is_ok_and(|(attributes, schema)| {
        let defined = table.attribute_definitions();
        table.key_schema() == schema && attributes.iter().all(|wanted| defined.contains(wanted))
    });
    if same {
        return Ok(());
    }
    Err(call.error(
        ErrorKind::TableMismatch,
        "the table exists, but its key is not the model's: compare describe_table() with the \
         model's hash_key and range_key",
    ))
}

/// Describes the table, or returns `None` if there is none.
async fn describe<M: Model>(call: &Call<M>) -> Result<Option<TableDescription>, Error> {
    let request = call.client().await?.describe_table();
    match request.table_name(call.table()).send().await {
        Ok(output) => Ok(output.table),
        Err(error) => match call.failed(error) {
            error if error.is_table_not_found() => Ok(None),
            error => Err(error),
        },
    }
}

fn is_being_deleted(table: &TableDescription) -> bool {
    table.table_status() == Some(&TableStatus::Deleting)
}

/// Polls until the table is active.
///
/// A table that was just created may not be found at first, as DescribeTable is eventually
/// consistent. Source: [DescribeTable](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTable.html).
async fn until_active<M: Model>(call: &Call<M>, wait: &mut Wait) -> Result<(), Error> {
    loop {
        let table = describe(call).await?;
        let status = table.as_ref().and_then(TableDescription::table_status);
        if status == Some(&TableStatus::Active) {
            return Ok(());
        }
        wait.pause(call, "the table has not become active").await?;
    }
}

async fn until_gone<M: Model>(call: &Call<M>, wait: &mut Wait) -> Result<(), Error> {
    while describe(call).await?.is_some() {
        wait.pause(call, "the table has not been deleted").await?;
    }
    Ok(())
}

/// The pauses between polls: 0.1 s, and twice as long each time up to 5 s, until a limit.
struct Wait {
    limit: Duration,
    deadline: Instant,
    pause: Duration,
}

impl Wait {
    const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(5);

    fn new(limit: Duration) -> Self {
        Self {
            limit,
            deadline: Instant::now() + limit,
            pause: Self::FIRST,
        }
    }

    async fn pause<M: Model>(&mut self, call: &Call<M>, fact: &str) -> Result<(), Error> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let message = format!(
                "{fact} within {:?}: wait longer with wait_at_most(), or look at it with \
                 describe_table()",
                self.limit
            );
            return Err(call.error(ErrorKind::WaitTimedOut, message));
        }
        time::sleep(self.pause.min(left)).await;
        self.pause = (self.pause * 2).min(Self::LONGEST);
        Ok(())
    }
}

//! Operations on the table as a whole.

mod definition;
mod ttl;
mod wait;

use std::marker::PhantomData;
use std::time::Duration;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    IndexStatus, StreamSpecification, StreamViewType, TableDescription, TableStatus, Tag,
};

use self::definition::{Missing, TableDefinition};
pub use self::ttl::UpdateTtl;
use self::wait::Wait;
use crate::connection::slot::{Call, Slot};
use crate::error::{Error, ErrorKind};
use crate::model::Model;
use crate::model::billing::Billing;
use crate::operation::{bind_when_awaited, debug_settings};

/// How long `wait()` waits: 5 minutes. A new table takes some seconds.
const WAIT_LIMIT: Duration = Duration::from_secs(300);

/// Creates the table; see [`Model::create_table`].
///
/// The key, the indexes and the attribute for time to live are the model's. What is said here besides
/// is for a new table; one that exists is left as it is.
///
/// Source: [CreateTable](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html)
/// in the API Reference.
///
/// # Examples
///
/// ```no_run
/// # use bsm_dynamodb::Model;
/// # #[derive(serde::Serialize, serde::Deserialize, Model)]
/// # #[model(table = "users")]
/// # struct User { #[model(hash_key)] id: String }
/// # async fn f() -> Result<(), bsm_dynamodb::Error> {
/// use aws_sdk_dynamodb::types::StreamViewType;
/// use bsm_dynamodb::Billing;
///
/// User::create_table()
///     .billing(Billing::Provisioned { read: 5, write: 2 })
///     .tag("team", "accounts")
///     .stream(StreamViewType::NewAndOldImages)
///     .deletion_protection(true)
///     .wait()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "operations do nothing unless they are awaited"]
pub struct CreateTable<M> {
    options: Options,
    wait: Option<Duration>,
    model: PhantomData<fn() -> M>,
}

/// What is said about a new table besides what its model says.
#[derive(Debug)]
struct Options {
    billing: Billing,
    tags: Vec<(String, String)>,
    stream: Option<StreamViewType>,
    deletion_protection: Option<bool>,
}

impl<M: Model> CreateTable<M> {
    pub(crate) fn new() -> Self {
        Self {
            options: Options {
                billing: M::BILLING,
                tags: Vec::new(),
                stream: None,
                deletion_protection: None,
            },
            wait: None,
            model: PhantomData,
        }
    }

    /// Says how the capacity is paid for. Default: [`Model::BILLING`].
    ///
    /// Provisioned capacity holds for the table and for each of its global indexes.
    pub fn billing(mut self, billing: Billing) -> Self {
        self.options.billing = billing;
        self
    }

    /// Adds a tag; at most 50.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.tags.push((key.into(), value.into()));
        self
    }

    /// Turns on a stream of changes, with this much about each. Default: no stream.
    pub fn stream(mut self, view: StreamViewType) -> Self {
        self.options.stream = Some(view);
        self
    }

    /// Says whether the table is protected from being deleted. Default: no.
    pub fn deletion_protection(mut self, protect: bool) -> Self {
        self.options.deletion_protection = Some(protect);
        self
    }

    /// Waits until the table and its indexes can be used, at most 5 minutes, and then turns on time
    /// to live, if the model has an attribute for it.
    ///
    /// It also waits for a table of the same name to be gone that is being deleted. Without `wait`,
    /// time to live is left to [`update_ttl`](Model::update_ttl), as a table has to be active for it.
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
        while let Err(refusal) = create(&call, &self.options).await {
            if refusal.kind() != ErrorKind::TableInUse {
                return Err(refusal);
            }
            match (describe(&call).await?, &mut wait) {
                (Some(table), None) if is_being_deleted(&table) => return Err(refusal),
                (Some(table), Some(wait)) if is_being_deleted(&table) => {
                    until_gone(&call, wait).await?;
                }
                (Some(table), _) => {
                    check(&call, &table)?;
                    break;
                }
                // It has gone in between.
                (None, _) => {}
            }
        }
        if let Some(wait) = &mut wait {
            until_active(&call, wait).await?;
            if M::TTL.is_some() {
                M::update_ttl().run(slot).await?;
            }
        }
        Ok(())
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
    CreateTable { options, wait },
    DeleteTable { wait },
    Exists {},
    DescribeTable {},
}

async fn create<M: Model>(call: &Call<M>, options: &Options) -> Result<(), Error> {
    let unbuildable = |error: BuildError| {
        let message = "the table's definition is incomplete: the cause says where";
        call.error(ErrorKind::InvalidRequest, message)
            .with_source(error)
    };
    let definition = TableDefinition::of::<M>(options.billing).map_err(unbuildable)?;
    let tags = options
        .tags
        .iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect::<Result<Vec<_>, _>>()
        .map_err(unbuildable)?;
    let stream = options.stream.clone().map(|view| {
        let stream = StreamSpecification::builder().stream_enabled(true);
        stream.stream_view_type(view).build()
    });
    let request = call.client().await?.create_table();
    definition
        .fill(request.table_name(call.table()))
        .set_tags((!tags.is_empty()).then_some(tags))
        .set_stream_specification(stream.transpose().map_err(unbuildable)?)
        .set_deletion_protection_enabled(options.deletion_protection)
        .send()
        .await
        .map_err(|error| call.failed(error))?;
    Ok(())
}

/// Refuses a table that lacks the model's key, or one of its indexes.
fn check<M: Model>(call: &Call<M>, table: &TableDescription) -> Result<(), Error> {
    let wanted = TableDefinition::of::<M>(M::BILLING).ok();
    let problem = match wanted.map(|wanted| wanted.missing_in(table)) {
        Some(None) => return Ok(()),
        Some(Some(Missing::Index(name))) => format!(
            "the table exists, but has no index {name} with the model's key: compare \
             describe_table() with the model's indexes"
        ),
        _ => "the table exists, but its key is not the model's: compare describe_table() with the \
              model's hash_key and range_key"
            .to_owned(),
    };
    Err(call.error(ErrorKind::TableMismatch, problem))
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

fn is_active(table: &TableDescription) -> bool {
    let mut indexes = table.global_secondary_indexes().iter();
    table.table_status() == Some(&TableStatus::Active)
        && indexes.all(|index| {
            index
                .index_status()
                .is_none_or(|it| *it == IndexStatus::Active)
        })
}

/// Polls until the table and its indexes are active.
///
/// A table that was just created may not be found at first, as DescribeTable is eventually
/// consistent. Source: [DescribeTable](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTable.html).
async fn until_active<M: Model>(call: &Call<M>, wait: &mut Wait) -> Result<(), Error> {
    loop {
        if describe(call).await?.is_some_and(|table| is_active(&table)) {
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

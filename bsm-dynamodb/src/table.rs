//! Operations on tables.

mod definition;
mod index;
mod ttl;

use std::marker::PhantomData;
use std::time::Duration;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    GlobalSecondaryIndexDescription, IndexStatus, PointInTimeRecoverySpecification,
    StreamSpecification, StreamViewType, TableDescription, TableStatus, Tag,
};

use self::definition::{Missing, TableDefinition};
pub use self::index::{CreateIndex, DeleteIndex};
pub use self::ttl::UpdateTtl;
use crate::connection::call::Call;
use crate::error::{Error, ErrorKind};
use crate::model::Model;
use crate::model::billing::Billing;
use crate::model::index::IndexDefinition;
use crate::model::key::Key as _;
use crate::operation::{bind_when_awaited, debug_settings};
use crate::throttle::backoff::PollInterval;

/// The time limit of `wait()`: 5 minutes. A new table takes seconds, and one with many indexes minutes.
const WAIT_LIMIT: Duration = Duration::from_secs(300);

/// The most local indexes of a table, which is no quota that can be raised.
///
/// Source: [Service quotas](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html)
/// in the Developer Guide.
const MAX_LOCAL_INDEXES: usize = 5;

/// The code with which DynamoDB refuses settings of backups that are not ready yet.
pub(crate) const BACKUPS_UNAVAILABLE: &str = "ContinuousBackupsUnavailableException";

/// Creates the table; see [`Model::create_table`].
///
/// The key, the indexes and the attribute for time to live come from the model. The settings here
/// apply to a new table; an existing table keeps its own. What [`wait`](Self::wait) turns on, time to live and
/// [point-in-time recovery](Self::point_in_time_recovery), it turns on for an existing table as well.
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
///     .point_in_time_recovery()
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

/// The settings of a new table that are not the model's.
#[derive(Debug)]
struct Options {
    billing: Billing,
    /// The indexes of the other models of the table.
    more_indexes: Vec<IndexDefinition>,
    /// The attribute for time to live, of whichever model of the table has one.
    ttl: Option<&'static str>,
    rejected: Option<String>,
    tags: Vec<(String, String)>,
    stream: Option<StreamViewType>,
    deletion_protection: Option<bool>,
    point_in_time_recovery: bool,
}

impl<M: Model> CreateTable<M> {
    const NAME: &'static str = "CreateTable";

    pub(crate) fn new() -> Self {
        Self {
            options: Options {
                billing: M::BILLING,
                more_indexes: Vec::new(),
                ttl: M::TTL,
                rejected: None,
                tags: Vec::new(),
                stream: None,
                deletion_protection: None,
                point_in_time_recovery: false,
            },
            wait: None,
            model: PhantomData,
        }
    }

    /// Sets the billing mode. Default: [`Model::BILLING`].
    ///
    /// Provisioned capacity applies to the table and to each of its global indexes.
    pub fn billing(mut self, billing: Billing) -> Self {
        self.options.billing = billing;
        self
    }

    /// Also creates the indexes of another model of the same table, and turns on time to live for its
    /// attribute.
    ///
    /// Indexes of the same name must have the same key; they are created once. The operation fails with
    /// [`ErrorKind::InvalidRequest`] if the other model has another table or another key, an index of
    /// the same name with another key, or another attribute for time to live: a table has only one.
    ///
    /// ```no_run
    /// # use bsm_dynamodb::Model;
    /// # #[derive(serde::Serialize, serde::Deserialize, Model)]
    /// # #[model(table = "shop", hash_key = "CUSTOMER#{id}", range_key = "PROFILE")]
    /// # struct Customer { id: String }
    /// # #[derive(serde::Serialize, serde::Deserialize, Model)]
    /// # #[model(table = "shop", hash_key = "CUSTOMER#{id}", range_key = "ORDER#{number:08}")]
    /// # struct Order { id: String, number: u64 }
    /// # async fn f() -> Result<(), bsm_dynamodb::Error> {
    /// Customer::create_table().with_model::<Order>().wait().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_model<N: Model>(mut self) -> Self {
        if let Err(problem) = self.options.add_model::<M, N>() {
            self.options.rejected.get_or_insert(problem);
        }
        self
    }

    /// Adds a tag. A table has at most 50.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.tags.push((key.into(), value.into()));
        self
    }

    /// Turns on a stream of changes that contains this view of each. Default: no stream.
    pub fn stream(mut self, view: StreamViewType) -> Self {
        self.options.stream = Some(view);
        self
    }

    /// Sets whether DynamoDB rejects the deletion of the table. Default: `false`.
    pub fn deletion_protection(mut self, protect: bool) -> Self {
        self.options.deletion_protection = Some(protect);
        self
    }

    /// Turns on point-in-time recovery, also of a table that exists. Default: not changed, which is off for a
    /// new table.
    ///
    /// It needs [`wait`](Self::wait), because DynamoDB turns it on for an active table only; without, the
    /// operation fails with [`ErrorKind::InvalidRequest`].
    ///
    /// Source: [Point-in-time backups](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Point-in-time-recovery.html)
    /// in the Developer Guide.
    #[doc(alias = "PITR")]
    pub fn point_in_time_recovery(mut self) -> Self {
        self.options.point_in_time_recovery = true;
        self
    }

    /// Waits until the table and its indexes are active, at most 5 minutes, and then turns on time to
    /// live if a model of it has an attribute for it, also of a table that exists.
    ///
    /// If a table of the same name is being deleted, it first waits until that is done. Time to live
    /// can be turned on only for an active table, so without `wait` call
    /// [`update_ttl`](Model::update_ttl) later.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WaitTimedOut`] if the table is not active within the time limit.
    pub fn wait(self) -> Self {
        self.wait_at_most(WAIT_LIMIT)
    }

    /// Waits like [`wait`](Self::wait), with another time limit.
    pub fn wait_at_most(mut self, limit: Duration) -> Self {
        self.wait = Some(limit);
        self
    }

    async fn run(self, call: Call) -> Result<(), Error> {
        if let Some(problem) = &self.options.rejected {
            return Err(call.error(ErrorKind::InvalidRequest, problem.clone()));
        }
        if self.options.point_in_time_recovery && self.wait.is_none() {
            let message =
                "point-in-time recovery is turned on for an active table only: add wait()";
            return Err(call.error(ErrorKind::InvalidRequest, message));
        }
        let mut wait = self.wait.map(PollInterval::new);
        let mut is_first = true;
        // It repeats only after a deletion: an earlier one that it waited for, or one between the two requests.
        while let Err(error) = create::<M>(&call, &self.options).await {
            if error.kind() != ErrorKind::TableInUse {
                return Err(error);
            }
            match (describe(&call).await?, &mut wait) {
                (Some(table), None) if is_being_deleted(&table) => return Err(error),
                (Some(table), Some(wait)) if is_being_deleted(&table) => {
                    until_gone(&call, wait).await?;
                }
                // The table may still be in creation, by this program or another one.
                (Some(table), _) => {
                    check::<M>(&call, &table, &self.options.more_indexes)?;
                    break;
                }
                // The table was deleted between the two requests, or DescribeTable, which is eventually
                // consistent, does not know it yet.
                (None, Some(wait)) => wait_or_fail(&call, wait, "the table is not visible").await?,
                (None, None) if is_first => {}
                (None, None) => return Err(error),
            }
            is_first = false;
        }
        if let Some(wait) = &mut wait {
            until_active(&call, wait).await?;
            // DynamoDB changes recovery and time to live of active tables only.
            if self.options.point_in_time_recovery {
                turn_on_recovery(&call.with_operation("UpdateContinuousBackups"), wait).await?;
            }
            if let Some(attribute) = self.options.ttl {
                let call = call.with_operation(UpdateTtl::<M>::NAME);
                ttl::update(&call, attribute, true).await?;
            }
        }
        Ok(())
    }
}

impl Options {
    /// Adds the indexes of `N` and its attribute for time to live, or says why the two models cannot share a table.
    fn add_model<M: Model, N: Model>(&mut self) -> Result<(), String> {
        let name = std::any::type_name::<N>();
        if N::table_name() != M::table_name() {
            return Err(format!(
                "{name} has another table: create that table separately"
            ));
        }
        let same_names = N::KEY.names().eq(M::KEY.names());
        if !same_names || N::Key::TYPES != M::Key::TYPES {
            return Err(format!(
                "{name} has another key: the models of a table have key attributes of the same names \
                 and types"
            ));
        }
        match (self.ttl, N::TTL) {
            (Some(known), Some(other)) if known != other => {
                return Err(format!(
                    "{name} has another attribute for time to live, {other} in place of {known}, and a table \
                     has one: rename it with `#[serde(rename)]`"
                ));
            }
            (known, other) => self.ttl = known.or(other),
        }
        for index in N::INDEXES {
            let mut known = M::INDEXES.iter().chain(&self.more_indexes);
            match known.find(|known| known.name == index.name) {
                None => {
                    let known = M::INDEXES.iter().chain(&self.more_indexes);
                    let local = known.filter(|index| !index.is_global).count();
                    if !index.is_global && local >= MAX_LOCAL_INDEXES {
                        return Err(format!(
                            "the models have more than {MAX_LOCAL_INDEXES} local indexes, the maximum of a table: \
                             make {} of {name} a global one",
                            index.name
                        ));
                    }
                    self.more_indexes.push(*index);
                }
                Some(known) if known.is_same(index) => {}
                Some(_) => {
                    let index = index.name;
                    return Err(format!(
                        "{name} has an index {index} that differs from that of another model: \
                         rename one of them"
                    ));
                }
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
    const NAME: &'static str = "DeleteTable";

    pub(crate) fn new() -> Self {
        Self {
            wait: None,
            model: PhantomData,
        }
    }

    /// Waits until the table is gone, at most 5 minutes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WaitTimedOut`] if the table still exists after the time limit.
    pub fn wait(self) -> Self {
        self.wait_at_most(WAIT_LIMIT)
    }

    /// Waits like [`wait`](Self::wait), with another time limit.
    pub fn wait_at_most(mut self, limit: Duration) -> Self {
        self.wait = Some(limit);
        self
    }

    async fn run(self, call: Call) -> Result<(), Error> {
        let request = call.client().await?.delete_table();
        request
            .table_name(call.table())
            .customize()
            .interceptor(call.attempts())
            .send()
            .await
            .map_err(|error| call.sdk_error(error))?;
        match self.wait {
            Some(limit) => until_gone(&call, &mut PollInterval::new(limit)).await,
            None => Ok(()),
        }
    }
}

/// Returns whether the table exists; see [`Model::exists`].
#[must_use = "operations do nothing unless they are awaited"]
pub struct Exists<M>(PhantomData<fn() -> M>);

impl<M: Model> Exists<M> {
    const NAME: &'static str = "DescribeTable";

    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }

    async fn run(self, call: Call) -> Result<bool, Error> {
        let table = describe(&call).await?;
        Ok(table.is_some())
    }
}

/// Describes the table; see [`Model::describe_table`].
#[must_use = "operations do nothing unless they are awaited"]
pub struct DescribeTable<M>(PhantomData<fn() -> M>);

impl<M: Model> DescribeTable<M> {
    const NAME: &'static str = "DescribeTable";

    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }

    async fn run(self, call: Call) -> Result<TableDescription, Error> {
        describe_existing(&call).await
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

async fn create<M: Model>(call: &Call, options: &Options) -> Result<(), Error> {
    let build_error = |error: BuildError| call.build_error(error);
    let definition =
        TableDefinition::of::<M>(options.billing, &options.more_indexes).map_err(build_error)?;
    let tags = options
        .tags
        .iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect::<Result<Vec<_>, _>>()
        .map_err(build_error)?;
    let stream = options.stream.clone().map(|view| {
        let stream = StreamSpecification::builder().stream_enabled(true);
        stream.stream_view_type(view).build()
    });
    let request = call.client().await?.create_table();
    definition
        .fill(request.table_name(call.table()))
        .set_tags((!tags.is_empty()).then_some(tags))
        .set_stream_specification(stream.transpose().map_err(build_error)?)
        .set_deletion_protection_enabled(options.deletion_protection)
        .customize()
        .interceptor(call.attempts())
        .send()
        .await
        .map_err(|error| call.sdk_error(error))?;
    Ok(())
}

async fn turn_on_recovery(call: &Call, wait: &mut PollInterval) -> Result<(), Error> {
    let recovery = PointInTimeRecoverySpecification::builder();
    let recovery = recovery.point_in_time_recovery_enabled(true).build();
    let recovery = recovery.map_err(|error| call.build_error(error))?;
    let request = call.client().await?.update_continuous_backups();
    let request = request.table_name(call.table());
    let request = request.point_in_time_recovery_specification(recovery);
    loop {
        let request = request.clone().customize();
        let output = request.interceptor(call.attempts()).send().await;
        match output.map_err(|error| call.sdk_error(error)) {
            // DynamoDB prepares the backups of a new table for some time after it is active.
            Err(error) if error.aws_code() == Some(BACKUPS_UNAVAILABLE) => {
                let fact = "the backups of the table are not ready";
                wait_or_fail(call, wait, fact).await?;
            }
            output => return output.map(drop),
        }
    }
}

/// Fails if an existing table lacks the model's key, or one of its indexes.
fn check<M: Model>(
    call: &Call,
    table: &TableDescription,
    more_indexes: &[IndexDefinition],
) -> Result<(), Error> {
    // The billing has no influence: only keys and indexes are compared.
    let expected = TableDefinition::of::<M>(M::BILLING, more_indexes).ok();
    let problem = match expected.map(|expected| expected.missing_in(table)) {
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

/// Returns the description of the table, which must exist.
async fn describe_existing(call: &Call) -> Result<TableDescription, Error> {
    let request = call.client().await?.describe_table();
    let output = request.table_name(call.table()).send().await;
    let output = output.map_err(|error| call.sdk_error(error))?;
    output.table.ok_or_else(|| {
        call.error(
            ErrorKind::Service,
            "DynamoDB returned no description of the table",
        )
    })
}

/// Returns the description of the table, or `None` if it does not exist.
async fn describe(call: &Call) -> Result<Option<TableDescription>, Error> {
    let request = call.client().await?.describe_table();
    match request.table_name(call.table()).send().await {
        Ok(output) => Ok(output.table),
        // Converted first, because a missing table has more than one code.
        Err(error) => match call.sdk_error(error) {
            error if error.is_table_not_found() => Ok(None),
            error => Err(error),
        },
    }
}

fn is_being_deleted(table: &TableDescription) -> bool {
    table.table_status() == Some(&TableStatus::Deleting)
}

fn is_index_being_deleted(index: &GlobalSecondaryIndexDescription) -> bool {
    index.index_status() == Some(&IndexStatus::Deleting)
}

fn is_active(table: &TableDescription) -> bool {
    // Local indexes have no status: they are active with their table.
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
/// DescribeTable is eventually consistent and may not find a table that was just created. Source: [DescribeTable](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTable.html).
async fn until_active(call: &Call, wait: &mut PollInterval) -> Result<(), Error> {
    loop {
        if describe(call).await?.is_some_and(|table| is_active(&table)) {
            return Ok(());
        }
        wait_or_fail(call, wait, "the table is not active").await?;
    }
}

async fn until_gone(call: &Call, wait: &mut PollInterval) -> Result<(), Error> {
    while describe(call).await?.is_some() {
        wait_or_fail(call, wait, "the table is not deleted").await?;
    }
    Ok(())
}

/// Waits before the next poll. Fails with `fact` once the time limit has passed.
async fn wait_or_fail(call: &Call, wait: &mut PollInterval, fact: &str) -> Result<(), Error> {
    if wait.wait().await {
        return Ok(());
    }
    let message = format!(
        "{fact} within {:?}: set a longer limit with wait_at_most(), or check the table with \
         describe_table()",
        wait.limit()
    );
    Err(call.error(ErrorKind::WaitTimedOut, message))
}

//! DynamoDB: the dynoxide engine, with one in-memory database for each account and region.

mod arns;
mod backups;
mod change_log;
mod constant_operands;
mod engine;
mod expression_limits;
mod expression_syntax;
mod expression_tokens;
mod index_key_sizes;
mod index_updates;
mod legacy_query;
mod legacy_write;
mod number_sets;
mod operands;
mod partial_batch;
mod projection;
mod reads;
mod request_shape;
mod streams;
mod table_settings;
mod table_state;
mod transactions;
#[cfg(feature = "s3")]
mod transfer;
mod update_item;

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use dynoxide::Database;
use parking_lot::Mutex;
use serde_json::{Map, Value};

use self::arns::{ArnTranslator, TableReference};
pub(crate) use self::engine::cancelled;
use self::engine::{engine_error, execute};
use self::table_state::{AccountRegion, TableStates};
use crate::auth::Identity;
use crate::auth::authorize::{access_denied, authorize};
use crate::clock::Clock;
use crate::faults::Effect;
use crate::response::{ErrorResponse, Response};
use crate::service::Service;

pub(crate) use self::arns::table_of;

/// The databases of all accounts and regions. Each is created on first use.
#[derive(Debug)]
pub(crate) struct Databases {
    clock: Clock,
    databases: Mutex<HashMap<(String, String), DatabaseHandle>>,
    states: TableStates,
    #[cfg(feature = "s3")]
    transfers: Arc<transfer::Transfers>,
}

/// A database. The newtype adds the `Debug` implementation that the engine's type lacks.
#[derive(Clone)]
struct DatabaseHandle(Database);

impl Databases {
    pub(crate) fn new(clock: Clock, #[cfg(feature = "s3")] s3: Arc<crate::s3::S3>) -> Self {
        Self {
            clock,
            databases: Mutex::default(),
            states: TableStates::default(),
            #[cfg(feature = "s3")]
            transfers: Arc::new(transfer::Transfers::new(s3)),
        }
    }

    /// Performs an operation for `caller` in `region`.
    pub(crate) async fn perform(
        &self,
        caller: &Identity,
        region: &str,
        operation: &str,
        body: Bytes,
        effect: Option<&Effect>,
    ) -> Result<Response, ErrorResponse> {
        let handler = Handler::of(operation).ok_or_else(|| engine::unknown_operation(operation))?;
        let arns = ArnTranslator::new(&caller.account, region);
        let reference = TableReference::parse(&body);
        check_access(caller, operation, &arns, &reference)?;
        request_shape::check(&body)?;
        expression_limits::check(&body)?;
        expression_syntax::check(operation, &body)?;
        operands::check(&body)?;
        table_settings::check_attribute_names(&body)?;
        let body = constant_operands::compute(number_sets::normalize(body));
        let body = match operation {
            "Query" => legacy_query::to_expression(body),
            "DeleteItem" | "PutItem" | "UpdateItem" => legacy_write::to_expression(body),
            _ => body,
        };
        // After the access decision, which needs the ARN as the client sent it.
        let body = arns.to_engine(&reference, body);
        let location = AccountRegion {
            account: caller.account.clone(),
            region: region.to_owned(),
        };
        self.check_is_not_importing(&location, operation, &reference)?;
        let database = self.database(&caller.account, region)?;
        let work = self.work(handler, caller, location, database, operation, body, effect);
        // The engine blocks and may panic. On a thread of its own it does neither to other requests.
        let body = match tokio::task::spawn_blocking(work).await {
            Ok(result) => result.map_err(|error| arns.to_client_error(caller, error))?,
            // Nothing cancels the task, so it can only have panicked.
            Err(failure) => std::panic::resume_unwind(failure.into_panic()),
        };
        Ok(Response::json(arns.to_client(body)))
    }

    /// Returns the work of a request, which may block.
    #[expect(
        clippy::too_many_arguments,
        reason = "they are all parts of one request"
    )]
    fn work(
        &self,
        handler: Handler,
        caller: &Identity,
        location: AccountRegion,
        database: Database,
        operation: &str,
        body: Bytes,
        effect: Option<&Effect>,
    ) -> impl FnOnce() -> Result<Vec<u8>, ErrorResponse> + use<> {
        // The work runs on another thread, and may outlive the request.
        let (states, clock) = (self.states.clone(), self.clock.clone());
        let (operation, effect) = (operation.to_owned(), effect.cloned());
        #[cfg(feature = "s3")]
        let (transfers, caller) = (Arc::clone(&self.transfers), caller.clone());
        #[cfg(not(feature = "s3"))]
        let _ = caller;
        move || match handler {
            Handler::Engine => {
                index_key_sizes::check(&database, &operation, &body)?;
                match effect {
                    Some(Effect::UnprocessedItems(unprocessed)) => {
                        partial_batch::execute_in_part(&database, &operation, &body, unprocessed)
                    }
                    _ => execute(&database, &operation, &body),
                }
            }
            Handler::Reads => states.read(&database, &location, &operation, &body),
            Handler::Transactions => transactions::perform(&database, &operation, &body),
            Handler::UpdateItem => update_item::perform(&database, &body),
            Handler::Settings => table_settings::perform(&database, &operation, &body),
            Handler::Tables => states.perform(&database, &location, &clock, &operation, &body),
            Handler::Streams => {
                let may_be_empty = matches!(effect, Some(Effect::EmptyPage));
                let limit = if may_be_empty {
                    0
                } else {
                    streams::MAX_RECORDS
                };
                streams::perform(
                    &states, &database, &location, &clock, &operation, &body, limit,
                )
            }
            Handler::Backups => {
                backups::perform(&states, &database, &location, &clock, &operation, &body)
            }
            #[cfg(feature = "s3")]
            Handler::Transfers => {
                let context = transfer::Context {
                    caller: &caller,
                    location,
                    database,
                    states: &states,
                    clock: &clock,
                    fault: match effect {
                        Some(Effect::Job(fault)) => Some(fault),
                        _ => None,
                    },
                };
                transfers.perform(&context, &operation, &body)
            }
        }
    }

    /// Rejects requests for a table that an import is creating. DescribeTable is allowed.
    fn check_is_not_importing(
        &self,
        location: &AccountRegion,
        operation: &str,
        reference: &TableReference,
    ) -> Result<(), ErrorResponse> {
        // Transactions and PartiQL statements name their tables deeper in the request, and are not
        // checked.
        let is_importing = |table| self.states.is_importing(location, table, &self.clock);
        if operation == "DescribeTable" || !reference.tables().any(is_importing) {
            return Ok(());
        }
        let (code, message) = match operation {
            "DeleteTable" | "UpdateTable" => (
                "ResourceInUseException",
                "Attempt to change a resource which is still in use: Table is being created",
            ),
            _ => ("ResourceNotFoundException", "Requested resource not found"),
        };
        Err(ErrorResponse::new(400, code, message))
    }

    /// Returns the items of a table in DynamoDB's JSON, or `None` if the table does not exist.
    pub(crate) fn items(&self, account: &str, region: &str, table: &str) -> Option<Vec<Value>> {
        scan(&self.existing(account, region)?, table)
    }

    /// Returns the names of the tables in an account and region, sorted.
    pub(crate) fn tables(&self, account: &str, region: &str) -> Vec<String> {
        let Some(database) = self.existing(account, region) else {
            return Vec::new();
        };
        let statistics = database.table_stats().unwrap_or_default();
        let mut names: Vec<_> = statistics
            .into_iter()
            .map(|table| table.table_name)
            .collect();
        names.sort_unstable();
        names
    }

    /// Deletes the items whose time to live has passed and returns their number.
    pub(crate) fn sweep_expired_items(&self) -> usize {
        // Cloned, so that a sweep does not lock out requests for other databases.
        let databases: Vec<_> = self.databases.lock().values().cloned().collect();
        databases
            .iter()
            .map(|DatabaseHandle(database)| database.sweep_ttl().unwrap_or(0))
            .sum()
    }

    fn existing(&self, account: &str, region: &str) -> Option<Database> {
        let key = (account.to_owned(), region.to_owned());
        self.databases
            .lock()
            .get(&key)
            .map(|DatabaseHandle(database)| database.clone())
    }

    fn database(&self, account: &str, region: &str) -> Result<Database, ErrorResponse> {
        let key = (account.to_owned(), region.to_owned());
        // Held while a database is created, so that two first requests share one.
        let mut databases = self.databases.lock();
        if let Some(DatabaseHandle(database)) = databases.get(&key) {
            return Ok(database.clone());
        }
        let clock = Arc::new(self.clock.clone());
        let database = Database::memory_with_clock(clock).map_err(engine_error)?;
        databases.insert(key, DatabaseHandle(database.clone()));
        Ok(database)
    }
}

/// What performs an operation.
#[derive(Clone, Copy, Debug)]
enum Handler {
    Engine,
    Reads,
    Transactions,
    UpdateItem,
    Settings,
    Tables,
    Streams,
    Backups,
    #[cfg(feature = "s3")]
    Transfers,
}

impl Handler {
    fn of(operation: &str) -> Option<Self> {
        Some(match operation {
            // The engine also has most of these operations, so its own list is checked last.
            "CreateTable" | "DeleteTable" | "DescribeTable" | "UpdateTable" => Self::Tables,
            "DescribeStream" | "GetRecords" | "GetShardIterator" | "ListStreams" => Self::Streams,
            "DescribeContinuousBackups" | "UpdateContinuousBackups" => Self::Backups,
            #[cfg(feature = "s3")]
            "DescribeExport"
            | "DescribeImport"
            | "ExportTableToPointInTime"
            | "ImportTable"
            | "ListExports"
            | "ListImports" => Self::Transfers,
            "Query" | "Scan" => Self::Reads,
            "TransactGetItems" | "TransactWriteItems" => Self::Transactions,
            "UpdateItem" => Self::UpdateItem,
            _ if table_settings::handles(operation) => Self::Settings,
            _ if engine::supports(operation) => Self::Engine,
            _ => return None,
        })
    }
}

/// Returns all items of a table in DynamoDB's JSON, or `None` if the table does not exist.
fn scan(database: &Database, table: &str) -> Option<Vec<Value>> {
    let mut items = Vec::new();
    let mut start = Value::Null;
    loop {
        let mut request = Map::new();
        request.insert("TableName".into(), table.into());
        request.insert("ConsistentRead".into(), true.into());
        if !start.is_null() {
            request.insert("ExclusiveStartKey".into(), start);
        }
        let page = reads::execute_page(database, "Scan", &request).ok()?;
        let mut page: Value = serde_json::from_slice(&page).ok()?;
        if let Value::Array(more) = page["Items"].take() {
            items.extend(more);
        }
        start = page["LastEvaluatedKey"].take();
        if start.is_null() {
            return Some(items);
        }
    }
}

impl std::fmt::Debug for DatabaseHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Database")
    }
}

/// Rejects actions on the caller's deny list, and access to tables of other accounts, since no
/// resource-based policy can allow it.
fn check_access(
    caller: &Identity,
    operation: &str,
    arns: &ArnTranslator,
    reference: &TableReference,
) -> Result<(), ErrorResponse> {
    let action = format!("dynamodb:{operation}");
    if let Some(arn) = arns.foreign_arn(reference) {
        let reason = format!(" because no resource-based policy allows the {action} action");
        return Err(access_denied(
            caller,
            &action,
            arn,
            &reason,
            Service::DynamoDb,
        ));
    }
    authorize(
        caller,
        &action,
        &arns.resource(reference),
        Service::DynamoDb,
    )
}

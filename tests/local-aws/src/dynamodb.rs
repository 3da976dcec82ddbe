//! DynamoDB: the dynoxide engine, one database in memory per account and region.

mod arns;
mod batch;

use std::collections::HashMap;

use bytes::Bytes;
use dynoxide::{Database, DynoxideError};
use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use self::arns::{Arns, Named};
use crate::access;
use crate::answer::{Answer, Refusal};
use crate::clock::Clock;
use crate::directory::Identity;
use crate::faults::{Amount, internal_error};
use crate::request::Service;

pub(crate) use self::arns::table_of;

/// Every database, made when it is first asked for.
#[derive(Debug)]
pub(crate) struct Databases {
    clock: Clock,
    databases: Mutex<HashMap<(String, String), Opened>>,
}

/// An open database; a newtype because the engine's has no `Debug`.
#[derive(Clone)]
struct Opened(Database);

impl Databases {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            databases: Mutex::default(),
        }
    }

    /// Performs an operation for `caller` in `region`.
    pub(crate) async fn perform(
        &self,
        caller: &Identity,
        region: &str,
        operation: &str,
        body: Bytes,
        unprocessed: Option<Amount>,
    ) -> Result<Answer, Refusal> {
        if !OPERATIONS.contains(&operation) {
            return Err(unknown_operation(operation));
        }
        let arns = Arns::new(&caller.account, region);
        let named = Named::of(&body);
        authorize(caller, operation, &arns, &named)?;
        let body = arns.localize(&named, body);
        let database = self.database(&caller.account, region)?;
        let operation = operation.to_owned();
        let work = move || match unprocessed {
            Some(amount) => batch::execute_in_part(&database, &operation, &body, amount),
            None => execute(&database, &operation, &body),
        };
        // The engine blocks, and may panic: neither may hold up the others.
        let body = match tokio::task::spawn_blocking(work).await {
            Ok(result) => result.map_err(|refusal| arns.globalize_refusal(caller, refusal))?,
            Err(failure) => std::panic::resume_unwind(failure.into_panic()),
        };
        Ok(Answer::json(arns.globalize(body)))
    }

    /// Returns every item of a table in the form of the DynamoDB JSON, and `None` if there is no
    /// such table.
    pub(crate) fn items(&self, account: &str, region: &str, table: &str) -> Option<Vec<Value>> {
        let database = self.opened(account, region)?;
        let mut items = Vec::new();
        let mut start = Value::Null;
        loop {
            let mut request = json!({ "TableName": table, "ConsistentRead": true });
            if !start.is_null() {
                request["ExclusiveStartKey"] = start;
            }
            let page = execute(&database, "Scan", &to_bytes(&request)).ok()?;
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

    /// Returns the names of the tables of an account in a region, in order.
    pub(crate) fn tables(&self, account: &str, region: &str) -> Vec<String> {
        let Some(database) = self.opened(account, region) else {
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

    /// Deletes every item whose time to live has passed, and returns how many there were.
    pub(crate) fn sweep_expired_items(&self) -> usize {
        let databases: Vec<_> = self.databases.lock().values().cloned().collect();
        databases
            .iter()
            .map(|Opened(database)| database.sweep_ttl().unwrap_or(0))
            .sum()
    }

    fn opened(&self, account: &str, region: &str) -> Option<Database> {
        let place = (account.to_owned(), region.to_owned());
        self.databases
            .lock()
            .get(&place)
            .map(|Opened(database)| database.clone())
    }

    fn database(&self, account: &str, region: &str) -> Result<Database, Refusal> {
        let place = (account.to_owned(), region.to_owned());
        let mut databases = self.databases.lock();
        if let Some(Opened(database)) = databases.get(&place) {
            return Ok(database.clone());
        }
        let clock = std::sync::Arc::new(self.clock.clone());
        let database = Database::memory_with_clock(clock).map_err(refusal)?;
        databases.insert(place, Opened(database.clone()));
        Ok(database)
    }
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Database")
    }
}

/// Refuses what the caller may not do: what is denied, and what belongs to others, since no resource
/// policy lets anyone in.
fn authorize(
    caller: &Identity,
    operation: &str,
    arns: &Arns,
    named: &Named,
) -> Result<(), Refusal> {
    let action = format!("dynamodb:{operation}");
    if let Some(arn) = arns.foreign(named) {
        let why = format!(" because no resource-based policy allows the {action} action");
        return Err(access::denied(
            caller,
            &action,
            arn,
            &why,
            Service::DynamoDb,
        ));
    }
    access::authorize(caller, &action, &arns.resource(named), Service::DynamoDb)
}

/// Refuses an operation that DynamoDB or the engine does not have. AWS gives no message.
fn unknown_operation(operation: &str) -> Refusal {
    let message = format!("bsm-local-aws does not know the operation {operation}");
    Refusal::new(400, "UnknownOperationException", message)
}

/// Defines the operations the engine knows, and how each is called.
macro_rules! operations {
    ($($name:literal => $method:ident,)*) => {
        const OPERATIONS: &[&str] = &[$($name),*];

        /// Calls the engine, and returns the body of its answer.
        fn execute(database: &Database, operation: &str, body: &[u8]) -> Result<Vec<u8>, Refusal> {
            match operation {
                $($name => call(operation, body, |request| database.$method(request)),)*
                _ => Err(unknown_operation(operation)),
            }
        }
    };
}

operations! {
    "BatchExecuteStatement" => batch_execute_statement,
    "BatchGetItem" => batch_get_item,
    "BatchWriteItem" => batch_write_item,
    "CreateTable" => create_table,
    "DeleteItem" => delete_item,
    "DeleteTable" => delete_table,
    "DescribeStream" => describe_stream,
    "DescribeTable" => describe_table,
    "DescribeTimeToLive" => describe_time_to_live,
    "ExecuteStatement" => execute_statement,
    "ExecuteTransaction" => execute_transaction,
    "GetItem" => get_item,
    "GetRecords" => get_records,
    "GetShardIterator" => get_shard_iterator,
    "ListStreams" => list_streams,
    "ListTables" => list_tables,
    "ListTagsOfResource" => list_tags_of_resource,
    "PutItem" => put_item,
    "Query" => query,
    "Scan" => scan,
    "SearchVectors" => search_vectors,
    "TagResource" => tag_resource,
    "TransactGetItems" => transact_get_items,
    "TransactWriteItems" => transact_write_items,
    "UntagResource" => untag_resource,
    "UpdateItem" => update_item,
    "UpdateTable" => update_table,
    "UpdateTimeToLive" => update_time_to_live,
}

fn call<Input: DeserializeOwned, Output: Serialize>(
    operation: &str,
    body: &[u8],
    method: impl FnOnce(Input) -> dynoxide::Result<Output>,
) -> Result<Vec<u8>, Refusal> {
    let input = serde_json::from_slice(body).map_err(|error| unreadable(operation, &error))?;
    let output = method(input).map_err(|error| match error {
        DynoxideError::EnvelopedValidation(message) => enveloped(operation, message),
        error => refusal(error),
    })?;
    Ok(to_bytes(&output))
}

/// Turns a body that the engine could not read into the error DynamoDB has for it.
///
/// The engine's request types mark such errors in their message; its own HTTP server, which is not
/// used here, takes the marks off in the same way.
fn unreadable(operation: &str, error: &serde_json::Error) -> Refusal {
    let text = error.to_string();
    let text = match text.rfind(" at line ") {
        Some(end) => &text[..end],
        None => &text,
    };
    let is_validation = [
        "missing field",
        "unknown variant",
        "invalid type: null",
        "AttributeValue",
    ]
    .iter()
    .any(|mark| text.contains(mark));
    if let Some(message) = text.strip_prefix("VALIDATION_REQUEST:") {
        enveloped(operation, message.to_owned())
    } else if let Some(message) = text.strip_prefix("VALIDATION:") {
        refusal(DynoxideError::ValidationException(message.to_owned()))
    } else if let Some(message) = text.strip_prefix("SERIALIZATION:") {
        refusal(DynoxideError::SerializationException(message.to_owned()))
    } else if is_validation {
        refusal(DynoxideError::ValidationException(text.to_owned()))
    } else {
        refusal(DynoxideError::SerializationException(text.to_owned()))
    }
}

/// Some validation errors are counted by the operations that write one item, and by them only.
fn enveloped(operation: &str, message: String) -> Refusal {
    refusal(DynoxideError::ValidationException(match operation {
        "PutItem" | "UpdateItem" | "DeleteItem" => {
            format!("1 validation error detected: {message}")
        }
        _ => message,
    }))
}

fn refusal(error: DynoxideError) -> Refusal {
    let code = error.error_type();
    let code = code.rsplit_once('#').map_or(code, |(_, code)| code);
    let mut refusal = Refusal::new(error.status_code(), code, error.to_string());
    refusal.body = Some(error.to_json());
    refusal
}

fn to_bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("the engine's answers and ours have string keys only")
}

fn unreadable_answer() -> Refusal {
    internal_error(Service::DynamoDb)
}

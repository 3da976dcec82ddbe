//! Batches that DynamoDB processes only in part.
//!
//! The engine always processes the complete batch. To leave items unprocessed, this module removes
//! them from the request and adds them to `UnprocessedItems` or `UnprocessedKeys` of the response.
//! See <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html>.

use dynoxide::Database;
use serde_json::{Map, Value};

use super::engine::{execute, to_bytes};
use crate::faults::Unprocessed;
use crate::response::ErrorResponse;
use crate::service::Service;

/// Performs a batch except for its last items.
pub(super) fn execute_in_part(
    database: &Database,
    operation: &str,
    body: &[u8],
    unprocessed: Unprocessed,
) -> Result<Vec<u8>, ErrorResponse> {
    let batch = BatchShape::of(operation);
    // The engine reports invalid JSON as DynamoDB does.
    let Ok(mut request) = serde_json::from_slice::<Value>(body) else {
        return execute(database, operation, body);
    };
    let total = batch.items(&request);
    // Removing items must not make a batch valid that is too large.
    if total > batch.limit {
        return execute(database, operation, body);
    }
    let removed = batch.remove_last(&mut request, unprocessed.count_of(total));
    let is_empty = request["RequestItems"]
        .as_object()
        .is_none_or(Map::is_empty);
    // The engine rejects a batch without items, so an empty one is answered here.
    let mut response = match is_empty {
        true => Map::from_iter([(batch.processed.to_owned(), Value::Object(Map::new()))]),
        false => {
            match serde_json::from_slice(&execute(database, operation, &to_bytes(&request))?) {
                Ok(Value::Object(response)) => response,
                _ => return Err(ErrorResponse::internal(Service::DynamoDb)),
            }
        }
    };
    response.insert(batch.unprocessed.to_owned(), Value::Object(removed));
    Ok(to_bytes(&response))
}

/// The differences between the two batch operations.
struct BatchShape {
    /// The member that every response contains besides the unprocessed items.
    processed: &'static str,
    unprocessed: &'static str,
    /// The member of a table's entry that contains the list; `None` if the entry is the list.
    list: Option<&'static str>,
    /// The maximum number of items in a request, as the API documents.
    limit: usize,
}

impl BatchShape {
    fn of(operation: &str) -> Self {
        match operation {
            "BatchGetItem" => Self {
                processed: "Responses",
                unprocessed: "UnprocessedKeys",
                list: Some("Keys"),
                limit: 100,
            },
            _ => Self {
                processed: "ItemCollectionMetrics",
                unprocessed: "UnprocessedItems",
                list: None,
                limit: 25,
            },
        }
    }

    fn items(&self, request: &Value) -> usize {
        let tables = request["RequestItems"].as_object();
        tables
            .into_iter()
            .flat_map(Map::values)
            .map(|table| self.list(table).len())
            .sum()
    }

    /// Removes the last `count` items from a request and returns them by table.
    fn remove_last(&self, request: &mut Value, mut count: usize) -> Map<String, Value> {
        let mut removed = Map::new();
        let Some(tables) = request["RequestItems"].as_object_mut() else {
            return removed;
        };
        for (name, table) in tables.iter_mut().rev() {
            let length = self.list(table).len();
            let excess = count.min(length);
            if excess == 0 {
                continue;
            }
            count -= excess;
            // Both parts keep the other members, such as ProjectionExpression.
            let mut rest = table.clone();
            self.list_mut(table).truncate(length - excess);
            self.list_mut(&mut rest).drain(..length - excess);
            removed.insert(name.clone(), rest);
        }
        // The engine also rejects a table without items in a batch.
        tables.retain(|_, table| !self.list(table).is_empty());
        removed
    }

    fn list<'a>(&self, table: &'a Value) -> &'a [Value] {
        let list = match self.list {
            Some(name) => &table[name],
            None => table,
        };
        list.as_array().map_or(&[], Vec::as_slice)
    }

    fn list_mut<'a>(&self, table: &'a mut Value) -> &'a mut Vec<Value> {
        let list = match self.list {
            Some(name) => &mut table[name],
            None => table,
        };
        list.as_array_mut().expect("a list with items is an array")
    }
}

//! Batches of which DynamoDB processes only a part.
//!
//! The engine always processes everything, so what should be left is taken out before it sees the
//! request and put into the answer's `UnprocessedItems` or `UnprocessedKeys`.
//! See <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html>.

use dynoxide::Database;
use serde_json::{Map, Value};

use super::{execute, to_bytes, unreadable_answer};
use crate::answer::Refusal;
use crate::faults::Amount;

/// Performs a batch, but for its last items.
pub(super) fn execute_in_part(
    database: &Database,
    operation: &str,
    body: &[u8],
    amount: Amount,
) -> Result<Vec<u8>, Refusal> {
    let batch = Batch::of(operation);
    let Ok(mut request) = serde_json::from_slice::<Value>(body) else {
        return execute(database, operation, body);
    };
    let total = batch.items(&request);
    // A batch that is too large must be refused, not made to fit.
    if total > batch.limit {
        return execute(database, operation, body);
    }
    let left = batch.take_last(&mut request, amount.of(total));
    let is_empty = request["RequestItems"]
        .as_object()
        .is_none_or(Map::is_empty);
    let mut answer = match is_empty {
        true => Map::from_iter([(batch.done.to_owned(), Value::Object(Map::new()))]),
        false => {
            match serde_json::from_slice(&execute(database, operation, &to_bytes(&request))?) {
                Ok(Value::Object(answer)) => answer,
                _ => return Err(unreadable_answer()),
            }
        }
    };
    answer.insert(batch.unprocessed.to_owned(), Value::Object(left));
    Ok(to_bytes(&answer))
}

/// How the two batch operations differ.
struct Batch {
    /// The member an answer has besides the unprocessed items.
    done: &'static str,
    unprocessed: &'static str,
    /// The list in what each table's entry is, where it is not a list itself.
    list: Option<&'static str>,
    limit: usize,
}

impl Batch {
    fn of(operation: &str) -> Self {
        match operation {
            "BatchGetItem" => Self {
                done: "Responses",
                unprocessed: "UnprocessedKeys",
                list: Some("Keys"),
                limit: 100,
            },
            _ => Self {
                done: "ItemCollectionMetrics",
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

    /// Takes the last `count` items out of a request, and returns them by table.
    fn take_last(&self, request: &mut Value, mut count: usize) -> Map<String, Value> {
        let mut left = Map::new();
        let Some(tables) = request["RequestItems"].as_object_mut() else {
            return left;
        };
        for (name, table) in tables.iter_mut().rev() {
            let length = self.list(table).len();
            let taken = count.min(length);
            if taken == 0 {
                continue;
            }
            count -= taken;
            // What stays and what is left share everything but their lists.
            let mut rest = table.clone();
            self.list_mut(table).truncate(length - taken);
            self.list_mut(&mut rest).drain(..length - taken);
            left.insert(name.clone(), rest);
        }
        tables.retain(|_, table| !self.list(table).is_empty());
        left
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
        list.as_array_mut()
            .expect("only a list with items in it is cut")
    }
}

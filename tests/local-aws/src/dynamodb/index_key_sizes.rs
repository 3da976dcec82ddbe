//! The sizes of the keys of indexes, which the engine does not limit.
//!
//! The limits are those of table keys:
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>.

use dynoxide::Database;
use dynoxide::errors::CancellationReason;
use serde_json::{Map, Value, json};

use super::engine::{cancelled, validation_error};
use super::expression_tokens::tokens;
use super::index_updates::{MAX_HASH_KEY, MAX_RANGE_KEY, describe};
use crate::response::ErrorResponse;

/// Checks the attributes that a PutItem, UpdateItem, BatchWriteItem or TransactWriteItems writes.
///
/// # Errors
///
/// A ValidationException for the first one that is the key of an index and too large for it; for a transaction,
/// its cancellation.
pub(super) fn check(
    database: &Database,
    operation: &str,
    body: &[u8],
) -> Result<(), ErrorResponse> {
    // No key in it can be too large, and nearly all writes are shorter.
    if body.len() <= MAX_RANGE_KEY {
        return Ok(());
    }
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let table = request["TableName"].as_str().unwrap_or_default();
    match operation {
        "PutItem" => check_items(database, table, [&request["Item"]]),
        "UpdateItem" => check_items(database, table, [&written(&request)]),
        "BatchWriteItem" => {
            let tables = request["RequestItems"].as_object().into_iter().flatten();
            for (table, writes) in tables {
                let writes = writes.as_array().into_iter().flatten();
                let items = writes.filter_map(|write| write.get("PutRequest")?.get("Item"));
                check_items(database, table, items)?;
            }
            Ok(())
        }
        "TransactWriteItems" => check_actions(database, &request),
        _ => Ok(()),
    }
}

/// Checks the actions of a transaction, whose errors are reasons of its cancellation.
fn check_actions(database: &Database, request: &Value) -> Result<(), ErrorResponse> {
    let actions = request["TransactItems"].as_array();
    let actions = actions.map(Vec::as_slice).unwrap_or_default();
    for (position, action) in actions.iter().enumerate() {
        let (put, update) = (&action["Put"], &action["Update"]);
        let (table, item) = match put.is_null() {
            false => (&put["TableName"], put["Item"].clone()),
            true => (&update["TableName"], written(update)),
        };
        let Err(error) = check_items(database, table.as_str().unwrap_or_default(), [&item]) else {
            continue;
        };
        let message = match update.is_null() {
            true => error.message,
            // Source: the API Reference of TransactWriteItems.
            false => "The update expression attempted to update the secondary index key beyond allowed size \
                      limits."
                .to_owned(),
        };
        let none = CancellationReason {
            code: "None".to_owned(),
            ..CancellationReason::default()
        };
        let mut reasons = vec![none; actions.len()];
        reasons[position] = CancellationReason {
            code: "ValidationError".to_owned(),
            message: Some(message),
            ..CancellationReason::default()
        };
        return Err(cancelled(reasons));
    }
    Ok(())
}

/// Returns the attributes to which an UpdateItem assigns a value of the request.
fn written(request: &Value) -> Value {
    let mut written = Map::new();
    let updates = request["AttributeUpdates"]
        .as_object()
        .into_iter()
        .flatten();
    for (name, update) in updates {
        written.insert(name.clone(), update["Value"].clone());
    }
    let expression = request["UpdateExpression"].as_str().unwrap_or_default();
    let tokens: Vec<_> = tokens(expression).collect();
    for words in tokens.windows(3) {
        if let [name, "=", value] = words
            && let Some(value) = request["ExpressionAttributeValues"].get(value)
        {
            let name = request["ExpressionAttributeNames"][name]
                .as_str()
                .unwrap_or(name);
            written.insert(name.to_owned(), value.clone());
        }
    }
    written.into()
}

fn check_items<'a>(
    database: &Database,
    table: &str,
    items: impl IntoIterator<Item = &'a Value>,
) -> Result<(), ErrorResponse> {
    // The engine counts all items to describe a table, so a write asks only if it has a value that is too large.
    let is_large = |item: &&Value| {
        let attributes = item.as_object().into_iter().flat_map(Map::values);
        attributes.map(size).any(|size| size > MAX_RANGE_KEY)
    };
    let items: Vec<_> = items.into_iter().filter(is_large).collect();
    if items.is_empty() {
        return Ok(());
    }
    // The engine rejects a table that does not exist.
    let table = describe(database, &json!({ "TableName": table })).unwrap_or_default();
    let indexes = ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"];
    let indexes = indexes.iter().filter_map(|member| table[member].as_array());
    let keys = indexes
        .flatten()
        .filter_map(|index| index["KeySchema"].as_array());
    let keys: Vec<_> = keys.flatten().collect();
    for item in items {
        for key in &keys {
            let is_hash = key["KeyType"] == "HASH";
            let max = if is_hash { MAX_HASH_KEY } else { MAX_RANGE_KEY };
            let name = key["AttributeName"].as_str().unwrap_or_default();
            if item.get(name).is_some_and(|value| size(value) > max) {
                // As for the keys of a table. The missing space is DynamoDB's.
                return Err(validation_error(match is_hash {
                    true => {
                        "One or more parameter values were invalid: Size of hashkey has exceeded the maximum \
                         size limit of2048 bytes"
                    }
                    false => {
                        "One or more parameter values were invalid: Aggregated size of all range keys has \
                         exceeded the size limit of 1024 bytes"
                    }
                }));
            }
        }
    }
    Ok(())
}

fn size(value: &Value) -> usize {
    let text = |kind: &str| value.get(kind).and_then(Value::as_str);
    let binary = text("B").and_then(|text| aws_smithy_types::base64::decode(text).ok());
    binary.map_or_else(|| text("S").map_or(0, str::len), |bytes| bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamodb::engine::{execute, to_bytes};

    #[test]
    fn keys_of_indexes_have_the_limits_of_keys() {
        let database = Database::memory().unwrap();
        let key = |name: &str, role: &str| json!({ "AttributeName": name, "KeyType": role });
        let string = |name: &str| json!({ "AttributeName": name, "AttributeType": "S" });
        let table = json!({
            "TableName": "users", "BillingMode": "PAY_PER_REQUEST", "KeySchema": [key("id", "HASH")],
            "AttributeDefinitions": [string("id"), string("x"), string("y")],
            "GlobalSecondaryIndexes": [{
                "IndexName": "index", "KeySchema": [key("x", "HASH"), key("y", "RANGE")],
                "Projection": { "ProjectionType": "ALL" },
            }],
        });
        execute(&database, "CreateTable", &to_bytes(&table)).unwrap();
        for (x, y, limit) in [
            (2_048, 1_024, ""),
            (2_049, 1_024, "2048"),
            (2_048, 1_025, "1024"),
        ] {
            let (x, y) = (json!({ "S": "x".repeat(x) }), json!({ "S": "y".repeat(y) }));
            let item = json!({ "id": { "S": "1" }, "x": x, "y": y });
            let key = json!({ "id": { "S": "1" } });
            for (operation, request) in [
                ("PutItem", json!({ "TableName": "users", "Item": item })),
                (
                    "BatchWriteItem",
                    json!({ "RequestItems": { "users": [
                        { "DeleteRequest": { "Key": key } }, { "PutRequest": { "Item": item } },
                    ] } }),
                ),
                (
                    "UpdateItem",
                    json!({
                        "TableName": "users", "Key": key, "UpdateExpression": "SET #x = :x, y=:y",
                        "ExpressionAttributeNames": { "#x": "x" },
                        "ExpressionAttributeValues": { ":x": x, ":y": y },
                    }),
                ),
                (
                    "UpdateItem",
                    json!({
                        "TableName": "users", "Key": key,
                        "AttributeUpdates": { "x": { "Value": x }, "y": { "Value": y } },
                    }),
                ),
            ] {
                let error = check(&database, operation, &to_bytes(&request)).err();
                let message = error.map(|error| error.message).unwrap_or_default();
                let action = match operation {
                    "PutItem" => "Put",
                    "UpdateItem" => "Update",
                    _ => "",
                };
                let delete =
                    json!({ "Delete": { "TableName": "users", "Key": { "id": { "S": "2" } } } });
                let actions = json!({ "TransactItems": [delete, { action: request }] });
                let cancelled = check(&database, "TransactWriteItems", &to_bytes(&actions)).err();
                let reasons = cancelled.map(|error| error.message).unwrap_or_default();
                assert_eq!(
                    reasons.ends_with("[None, ValidationError]"),
                    !action.is_empty() && !limit.is_empty(),
                    "{operation}: {reasons}"
                );
                assert!(message.contains(limit), "{operation}: {message}");
                assert_eq!(
                    message.is_empty(),
                    limit.is_empty(),
                    "{operation}: {message}"
                );
            }
        }
    }
}

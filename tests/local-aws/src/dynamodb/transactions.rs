//! Transactions, where the engine's responses differ from DynamoDB's.

use std::collections::HashSet;

use dynoxide::Database;
use serde_json::{Value, json};

use super::engine::{execute, to_bytes};
use super::expression_tokens::PathElement;
use super::index_key_sizes;
use super::reads::paths;
use crate::response::ErrorResponse;

/// What the message about a cancelled transaction has before the codes of its reasons.
const REASONS: &str = "for specific reasons [";

/// Performs a TransactGetItems or TransactWriteItems.
pub(super) fn perform(
    database: &Database,
    operation: &str,
    body: &[u8],
) -> Result<Vec<u8>, ErrorResponse> {
    index_key_sizes::check(database, operation, body)?;
    let response = execute(database, operation, body).map_err(with_first_validation_error)?;
    match operation {
        "TransactGetItems" => Ok(without_keys(body, response)),
        _ => Ok(response),
    }
}

/// Removes the keys that the engine adds to the items of projections.
fn without_keys(body: &[u8], response: Vec<u8>) -> Vec<u8> {
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let gets = request["TransactItems"].as_array().into_iter().flatten();
    let projections = gets.map(|get| get["Get"].as_object().and_then(paths));
    let mut projections = projections.peekable();
    if projections.peek().is_none() {
        return response;
    }
    let mut response: Value = serde_json::from_slice(&response).unwrap_or_default();
    let items = response["Responses"].as_array_mut().into_iter().flatten();
    for (item, paths) in items.zip(projections) {
        if let (Some(Value::Object(item)), Some(paths)) = (item.get_mut("Item"), paths) {
            let names: HashSet<_> = paths.iter().filter_map(|path| path.first()).collect();
            item.retain(|name, _| names.contains(&PathElement::Name(name.clone())));
        }
    }
    to_bytes(&response)
}

/// Reduces the reasons of a cancelled transaction to the first ValidationError, if there is one: DynamoDB
/// does not look at the other actions.
fn with_first_validation_error(mut error: ErrorResponse) -> ErrorResponse {
    let body = error.body.as_deref().unwrap_or_default();
    let mut body: Value = serde_json::from_str(body).unwrap_or_default();
    let Some(reasons) = body["CancellationReasons"].as_array_mut() else {
        return error;
    };
    let is_invalid = |reason: &Value| reason["Code"] == "ValidationError";
    let Some(first) = reasons.iter().position(is_invalid) else {
        return error;
    };
    for (at, reason) in reasons.iter_mut().enumerate() {
        if at != first {
            *reason = json!({ "Code": "None" });
        }
    }
    let codes: Vec<_> = reasons
        .iter()
        .filter_map(|reason| reason["Code"].as_str())
        .collect();
    if let Some((start, _)) = error.message.split_once(REASONS) {
        error.message = format!("{start}{REASONS}{}]", codes.join(", "));
        for name in ["message", "Message"] {
            if let Some(message) = body.get_mut(name) {
                *message = error.message.clone().into();
            }
        }
    }
    error.body = Some(body.to_string());
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database() -> Database {
        let database = Database::memory().unwrap();
        let table = json!({
            "TableName": "users", "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
            "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
        });
        execute(&database, "CreateTable", &to_bytes(&table)).unwrap();
        database
    }

    #[test]
    fn a_projection_in_a_transaction_has_no_other_attributes() {
        let database = database();
        let list = json!({ "L": [{ "N": "1" }, { "N": "2" }] });
        for id in ["1", "3", "4"] {
            let item = json!({ "id": { "S": id }, "a": list });
            let put = json!({ "TableName": "users", "Item": item });
            execute(&database, "PutItem", &to_bytes(&put)).unwrap();
        }
        let get = |id: &str, projection: Option<&str>| {
            let mut get = json!({ "TableName": "users", "Key": { "id": { "S": id } } });
            if let Some(projection) = projection {
                get["ProjectionExpression"] = projection.into();
            }
            json!({ "Get": get })
        };
        let gets = [
            get("1", Some("a[1]")),
            get("2", Some("a")),
            get("3", None),
            get("4", Some("id")),
        ];
        let request = json!({ "TransactItems": gets });
        let response = perform(&database, "TransactGetItems", &to_bytes(&request)).unwrap();
        let response: Value = serde_json::from_slice(&response).unwrap();
        let expected = json!([
            { "Item": { "a": { "L": [{ "N": "2" }] } } },
            {},
            { "Item": { "id": { "S": "3" }, "a": list } },
            { "Item": { "id": { "S": "4" } } },
        ]);
        assert_eq!(response["Responses"], expected);
    }

    #[test]
    fn only_the_first_invalid_action_of_a_transaction_has_a_reason() {
        let put = |id: Value| json!({ "Put": { "TableName": "users", "Item": { "id": id } } });
        let puts = [
            put(json!({ "S": "1" })),
            put(json!({ "N": "1" })),
            put(json!({ "N": "2" })),
        ];
        let request = json!({ "TransactItems": puts });
        let result = perform(&database(), "TransactWriteItems", &to_bytes(&request));
        let error = result.unwrap_err();
        assert!(
            error.message.ends_with("[None, ValidationError, None]"),
            "{}",
            error.message
        );
        let body: Value = serde_json::from_str(error.body.as_deref().unwrap()).unwrap();
        assert_eq!(body["CancellationReasons"][2], json!({ "Code": "None" }));
        assert!(body.to_string().contains(&error.message));
    }
}

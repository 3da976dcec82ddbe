//! UpdateItem of an item that may be missing, and what it returns.
//!
//! The engine creates every missing item. DynamoDB does not create one that the update would only remove
//! something from, and returns no old attributes of one that it creates. See
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html>.

use dynoxide::Database;
use serde_json::{Map, Value, json};

use super::engine::{execute, to_bytes, validation_error};
use super::expression_tokens::{PathElement, is_clause, targets, tokens};
use super::index_key_sizes;
use super::projection::part;
use crate::response::ErrorResponse;

/// A placeholder that no client writes.
const KEY_PLACEHOLDER: &str = "#bsm_local_aws_key";

/// Performs an UpdateItem.
pub(super) fn perform(database: &Database, body: &[u8]) -> Result<Vec<u8>, ErrorResponse> {
    let Ok(Value::Object(request)) = serde_json::from_slice(body) else {
        return execute(database, "UpdateItem", body);
    };
    check_sets(&request)?;
    index_key_sizes::check(database, "UpdateItem", body)?;
    let removes_only = removes_only(&request);
    let response = if removes_only || request.get("ReturnValues") == Some(&"ALL_OLD".into()) {
        update_or_leave(database, &request, removes_only, body).map_err(with_overflow)?
    } else {
        execute(database, "UpdateItem", body).map_err(with_overflow)?
    };
    Ok(match paths_to_return(&request) {
        Some(paths) => only(&paths, response),
        None => response,
    })
}

/// Checks that no set in `AttributeUpdates` is empty. The engine checks only the sets that it stores.
fn check_sets(request: &Map<String, Value>) -> Result<(), ErrorResponse> {
    let updates = request.get("AttributeUpdates").and_then(Value::as_object);
    let values = updates.into_iter().flat_map(Map::values);
    let sets = values.filter_map(|update| update["Value"].as_object()?.iter().next());
    for (kind, set) in sets {
        let name = match kind.as_str() {
            "SS" => "string",
            "NS" => "number",
            "BS" => "binary",
            _ => continue,
        };
        if set.as_array().is_some_and(Vec::is_empty) {
            // The article and the two spaces are DynamoDB's.
            return Err(validation_error(format!(
                "One or more parameter values were invalid: An {name} set  may not be empty"
            )));
        }
    }
    Ok(())
}

/// Replaces the engine's error of a sum with too many digits by DynamoDB's.
fn with_overflow(error: ErrorResponse) -> ErrorResponse {
    // About a number in the request, both say more.
    match error.message == "Attempting to store more than 38 significant digits in a Number" {
        true => validation_error(
            "Number overflow. Attempting to store a number with magnitude larger than supported range",
        ),
        false => error,
    }
}

/// Returns `true` for an update that removes attributes, or elements of sets, and does nothing else.
fn removes_only(request: &Map<String, Value>) -> bool {
    // The engine rejects an update of a key, if it gets it.
    let is_key = |name: &str| {
        request
            .get("Key")
            .is_some_and(|key| key.get(name).is_some())
    };
    if let Some(expression) = request.get("UpdateExpression").and_then(Value::as_str) {
        let tokens: Vec<_> = tokens(expression).collect();
        let mut clauses = tokens.iter().filter(|token| is_clause(token)).peekable();
        let is_removal = |clause: &&str| {
            clause.eq_ignore_ascii_case("REMOVE") || clause.eq_ignore_ascii_case("DELETE")
        };
        let names = request.get("ExpressionAttributeNames");
        return clauses.peek().is_some()
            && clauses.all(is_removal)
            && targets(&tokens, names.unwrap_or(&Value::Null)).iter().all(
                |path| !matches!(path.first(), Some(PathElement::Name(name)) if is_key(name)),
            );
    }
    let updates = request.get("AttributeUpdates").and_then(Value::as_object);
    updates.is_some_and(|updates| {
        let mut actions = updates.values().map(|update| &update["Action"]);
        !updates.is_empty()
            && actions.all(|action| action == "DELETE")
            && !updates.keys().any(|name| is_key(name))
    })
}

/// Performs an update in a way that shows whether the item exists.
///
/// Each attempt has a condition on the existence of the item, so that no other request can create or
/// delete it in between.
fn update_or_leave(
    database: &Database,
    request: &Map<String, Value>,
    removes_only: bool,
    body: &[u8],
) -> Result<Vec<u8>, ErrorResponse> {
    loop {
        let Some(update) = with_existence(request, true) else {
            return execute(database, "UpdateItem", body);
        };
        match execute(database, "UpdateItem", &to_bytes(&update)) {
            Err(error) if !is_failed_condition(&error) => {
                // The client's request has the same fault, and the error is to quote that request.
                return execute(database, "UpdateItem", body);
            }
            Err(error) if !has_item(&error) => {}
            result => return result.map_err(|error| as_requested(request, error)),
        }
        let Some(update) = with_existence(request, false) else {
            return execute(database, "UpdateItem", body);
        };
        let result = match removes_only {
            // A deletion has the same conditions as an update, and also writes nothing.
            true => execute(database, "DeleteItem", &to_bytes(&deletion(update))),
            false => execute(database, "UpdateItem", &to_bytes(&update)),
        };
        match result {
            // Another request has created the item.
            Err(error) if is_failed_condition(&error) && has_item(&error) => {}
            Err(error) => return Err(as_requested(request, error)),
            Ok(response) => return Ok(without_attributes(&response)),
        }
    }
}

/// Adds a condition to a request: that the item exists, or that it does not. Returns `None` if the request
/// has no place for another condition.
fn with_existence(request: &Map<String, Value>, exists: bool) -> Option<Map<String, Value>> {
    let key = request.get("Key")?.as_object()?.keys().next()?;
    let mut request = request.clone();
    // The item in the error distinguishes an item that exists from one that is missing.
    request.insert(
        "ReturnValuesOnConditionCheckFailure".into(),
        "ALL_OLD".into(),
    );
    if request.contains_key("AttributeUpdates") {
        let is_any = request.get("ConditionalOperator").is_some();
        let expected = request.entry("Expected").or_insert_with(|| json!({}));
        let expected = expected.as_object_mut()?;
        if is_any || expected.contains_key(key) {
            return None;
        }
        let operator = if exists { "NOT_NULL" } else { "NULL" };
        expected.insert(key.clone(), json!({ "ComparisonOperator": operator }));
        return Some(request);
    }
    let function = match exists {
        true => "attribute_exists",
        false => "attribute_not_exists",
    };
    let existence = format!("{function}({KEY_PLACEHOLDER})");
    let condition = match request.get("ConditionExpression") {
        None => existence,
        Some(Value::String(condition)) if has_or(condition) => {
            format!("({condition}) AND {existence}")
        }
        // Not in parentheses: it may have its own, and DynamoDB allows no redundant ones.
        Some(Value::String(condition)) => format!("{condition} AND {existence}"),
        Some(_) => return None,
    };
    request.insert("ConditionExpression".into(), condition.into());
    let names = request
        .entry("ExpressionAttributeNames")
        .or_insert_with(|| json!({ KEY_PLACEHOLDER: key }));
    let names = names.as_object_mut().filter(|names| !names.is_empty())?;
    names.insert(KEY_PLACEHOLDER.into(), key.as_str().into());
    Some(request)
}

/// Returns `true` if a condition has an `OR` outside parentheses.
fn has_or(condition: &str) -> bool {
    let mut depth = 0;
    tokens(condition).any(|token| {
        match token {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        depth == 0 && token.eq_ignore_ascii_case("OR")
    })
}

/// Converts an update to a deletion with the same condition.
fn deletion(mut update: Map<String, Value>) -> Map<String, Value> {
    for member in ["AttributeUpdates", "ReturnValues", "UpdateExpression"] {
        update.remove(member);
    }
    let condition = update.get("ConditionExpression").cloned();
    let condition = condition
        .as_ref()
        .and_then(Value::as_str)
        .unwrap_or_default();
    for member in ["ExpressionAttributeNames", "ExpressionAttributeValues"] {
        if let Some(Value::Object(placeholders)) = update.get_mut(member) {
            // The engine rejects placeholders that no expression contains.
            placeholders.retain(|name, _| tokens(condition).any(|token| token == name));
            if placeholders.is_empty() {
                update.remove(member);
            }
        }
    }
    update
}

fn is_failed_condition(error: &ErrorResponse) -> bool {
    error.code == "ConditionalCheckFailedException"
}

/// Returns `true` if the error of a failed condition contains the item.
fn has_item(error: &ErrorResponse) -> bool {
    let body = error.body.as_deref().unwrap_or_default();
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    body.get("Item").is_some()
}

/// Removes the item from an error, unless the client requested it.
fn as_requested(request: &Map<String, Value>, mut error: ErrorResponse) -> ErrorResponse {
    let requested = request.get("ReturnValuesOnConditionCheckFailure");
    if requested != Some(&"ALL_OLD".into())
        && let Some(body) = &error.body
        && let Ok(Value::Object(mut members)) = serde_json::from_str(body)
    {
        members.remove("Item");
        error.body = Some(Value::Object(members).to_string());
    }
    error
}

fn without_attributes(response: &[u8]) -> Vec<u8> {
    let mut response: Value = serde_json::from_slice(response).unwrap_or_default();
    if let Value::Object(members) = &mut response {
        members.remove("Attributes");
    }
    to_bytes(&response)
}

/// Returns the paths that `UPDATED_OLD` and `UPDATED_NEW` return; `None` for other requests, and for those
/// whose attributes the engine returns as DynamoDB does.
fn paths_to_return(request: &Map<String, Value>) -> Option<Vec<Vec<PathElement>>> {
    let return_values = request.get("ReturnValues")?.as_str()?;
    if !matches!(return_values, "UPDATED_OLD" | "UPDATED_NEW") {
        return None;
    }
    let expression = request.get("UpdateExpression")?.as_str()?;
    let names = request.get("ExpressionAttributeNames");
    let tokens: Vec<_> = tokens(expression).collect();
    let mut paths = targets(&tokens, names.unwrap_or(&Value::Null));
    // The engine returns the complete attribute if it is a list, or contains one.
    let has_index = paths
        .iter()
        .flatten()
        .any(|element| matches!(element, PathElement::Index(_)));
    // In the order of a list's elements, which is that of the response.
    paths.sort_unstable();
    has_index.then_some(paths)
}

/// Reduces the attributes of a response to these paths.
fn only(paths: &[Vec<PathElement>], response: Vec<u8>) -> Vec<u8> {
    let mut response: Value = serde_json::from_slice(&response).unwrap_or_default();
    let Some(attributes) = response.get_mut("Attributes") else {
        return to_bytes(&response);
    };
    let whole = json!({ "M": attributes.take() });
    let paths: Vec<_> = paths.iter().map(Vec::as_slice).collect();
    match part(&whole, &paths) {
        Some(mut part) => *attributes = part["M"].take(),
        None => return without_attributes(&to_bytes(&response)),
    }
    to_bytes(&response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(request: &Value) -> Map<String, Value> {
        request.as_object().cloned().unwrap_or_default()
    }

    /// Creates a database with a table `users` whose hash key is `id`.
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

    /// Updates the item with this key. Returns the response, or the code and message of the error.
    fn update(database: &Database, id: &str, mut request: Value) -> Result<Value, String> {
        request["TableName"] = "users".into();
        request["Key"] = json!({ "id": { "S": id } });
        match perform(database, &to_bytes(&request)) {
            Ok(response) => Ok(serde_json::from_slice(&response).unwrap()),
            Err(error) => Err(format!("{}: {}", error.code, error.message)),
        }
    }

    fn item(database: &Database, id: &str) -> Value {
        let request = json!({ "TableName": "users", "Key": { "id": { "S": id } } });
        let response = execute(database, "GetItem", &to_bytes(&request)).unwrap();
        let mut response: Value = serde_json::from_slice(&response).unwrap();
        response["Item"].take()
    }

    #[test]
    fn an_update_that_only_removes_does_not_create_the_item() {
        let database = database();
        let set = json!({ ":v": { "SS": ["x"] } });
        let expected = json!({ "b": { "Exists": false } });
        for request in [
            json!({ "UpdateExpression": "REMOVE a, b.c, d[1]" }),
            json!({ "UpdateExpression": "DELETE a :v", "ExpressionAttributeValues": set }),
            json!({ "UpdateExpression": "REMOVE a", "ConditionExpression": "attribute_not_exists(id)" }),
            json!({ "UpdateExpression": "REMOVE a", "ReturnValues": "ALL_NEW" }),
            json!({ "AttributeUpdates": { "a": { "Action": "DELETE" } } }),
            json!({ "AttributeUpdates": { "a": { "Action": "DELETE" } }, "Expected": expected }),
        ] {
            assert_eq!(
                update(&database, "1", request.clone()),
                Ok(json!({})),
                "{request}"
            );
            assert_eq!(item(&database, "1"), Value::Null, "{request}");
        }
        let value = json!({ ":v": { "S": "x" } });
        for request in [
            json!({ "UpdateExpression": "SET a = :v REMOVE b", "ExpressionAttributeValues": value }),
            json!({ "AttributeUpdates": {} }),
        ] {
            update(&database, "2", request).unwrap();
            assert_eq!(item(&database, "2")["id"], json!({ "S": "2" }));
        }
    }

    #[test]
    fn a_removal_from_a_missing_item_is_checked_like_any_update() {
        let database = database();
        let set = json!({ ":v": { "S": "x" } });
        for (request, expected) in [
            (
                json!({ "UpdateExpression": "REMOVE a", "ConditionExpression": "attribute_exists(id)" }),
                "ConditionalCheckFailedException: The conditional request failed",
            ),
            (
                json!({ "UpdateExpression": "REMOVE id" }),
                "ValidationException: One or more parameter values were invalid: Cannot update attribute id",
            ),
            (
                json!({ "UpdateExpression": "REMOVE a", "ConditionExpression": "attribute_exists(" }),
                r#"Syntax error; token: "<EOF>", near: "(""#,
            ),
            (
                json!({ "UpdateExpression": "REMOVE a", "ExpressionAttributeValues": set }),
                "unused in expressions: keys: {:v}",
            ),
        ] {
            let error = update(&database, "1", request.clone()).unwrap_err();
            assert!(error.contains(expected), "{request}: {error}");
        }
        assert_eq!(item(&database, "1"), Value::Null);
    }

    #[test]
    fn a_removal_from_an_existing_item_is_performed() {
        let database = database();
        let values = json!({ ":a": { "S": "x" }, ":b": { "SS": ["y", "z"] } });
        let create = json!({ "UpdateExpression": "SET a = :a, b = :b", "ExpressionAttributeValues": values });
        update(&database, "1", create).unwrap();
        let failed =
            json!({ "UpdateExpression": "REMOVE a", "ConditionExpression": "attribute_exists(c)" });
        let error = update(&database, "1", failed).unwrap_err();
        assert!(error.starts_with("ConditionalCheckFailed"), "{error}");
        let remove = json!({
            "UpdateExpression": "REMOVE a DELETE b :b", "ConditionExpression": "a = :a OR b = :a",
            "ExpressionAttributeValues": { ":a": { "S": "x" }, ":b": { "SS": ["y"] } },
            "ReturnValues": "ALL_NEW",
        });
        let expected = json!({ "id": { "S": "1" }, "b": { "SS": ["z"] } });
        let updated = update(&database, "1", remove);
        assert_eq!(updated, Ok(json!({ "Attributes": expected })));
        let legacy = json!({ "AttributeUpdates": { "b": { "Action": "DELETE" } } });
        assert_eq!(update(&database, "1", legacy), Ok(json!({})));
        assert_eq!(item(&database, "1"), json!({ "id": { "S": "1" } }));
    }

    #[test]
    fn a_created_item_has_no_old_attributes() {
        let database = database();
        let request = json!({
            "UpdateExpression": "SET a = :v", "ExpressionAttributeValues": { ":v": { "S": "x" } },
            "ReturnValues": "ALL_OLD",
        });
        assert_eq!(update(&database, "1", request.clone()), Ok(json!({})));
        let expected = json!({ "id": { "S": "1" }, "a": { "S": "x" } });
        let updated = update(&database, "1", request);
        assert_eq!(updated, Ok(json!({ "Attributes": expected })));
    }

    #[test]
    fn the_updated_elements_of_a_list_are_returned_without_the_others() {
        let database = database();
        let list = json!({ "L": [{ "N": "1" }, { "N": "2" }, { "N": "3" }] });
        let create = json!({
            "UpdateExpression": "SET a = :a",
            "ExpressionAttributeValues": { ":a": { "M": { "b": { "S": "x" }, "c": list } } },
        });
        update(&database, "1", create).unwrap();
        let value = json!({ ":v": { "N": "7" } });
        let returned =
            |update: Result<Value, String>| update.unwrap()["Attributes"]["a"]["M"].take();
        let set = json!({
            "UpdateExpression": "SET a.c[1] = :v, a.#b = :v", "ExpressionAttributeValues": value,
            "ExpressionAttributeNames": { "#b": "b" }, "ReturnValues": "UPDATED_OLD",
        });
        assert_eq!(
            returned(update(&database, "1", set)),
            json!({ "b": { "S": "x" }, "c": { "L": [{ "N": "2" }] } })
        );
        // The index of an element that moved up now leads to another one.
        let remove = json!({ "UpdateExpression": "REMOVE a.c[0]", "ReturnValues": "UPDATED_NEW" });
        assert_eq!(
            returned(update(&database, "1", remove)),
            json!({ "c": { "L": [{ "N": "7" }] } })
        );
        let append = json!({
            "UpdateExpression": "SET a.c[100] = :v", "ExpressionAttributeValues": value,
            "ReturnValues": "UPDATED_NEW",
        });
        assert_eq!(update(&database, "1", append), Ok(json!({})));
    }

    #[test]
    fn a_sum_with_too_many_digits_is_an_overflow() {
        for operator in ["+", "-"] {
            let request = json!({
                "UpdateExpression": format!("SET a = :a {operator} :b"),
                "ExpressionAttributeValues": { ":a": { "N": "1e50" }, ":b": { "N": "1" } },
            });
            let error = update(&database(), "1", request).unwrap_err();
            assert!(
                error.starts_with("ValidationException: Number overflow."),
                "{error}"
            );
        }
    }

    #[test]
    fn a_set_in_attribute_updates_is_not_empty() {
        for (kind, name) in [("SS", "string"), ("NS", "number"), ("BS", "binary")] {
            let request = json!({ "AttributeUpdates": { "a": { "Action": "DELETE", "Value": { kind: [] } } } });
            let error = update(&database(), "1", request).unwrap_err();
            assert!(
                error.ends_with(&format!("An {name} set  may not be empty")),
                "{error}"
            );
        }
    }

    #[test]
    fn only_remove_and_delete_remove_only() {
        let delete = json!({ "Action": "DELETE" });
        let put = json!({ "Action": "PUT", "Value": { "S": "a" } });
        for (update, expected) in [
            (json!({ "UpdateExpression": "REMOVE a, b[1]" }), true),
            (json!({ "UpdateExpression": "remove a delete b :v" }), true),
            (json!({ "UpdateExpression": "REMOVE a SET b = :v" }), false),
            (json!({ "UpdateExpression": "ADD a :v" }), false),
            (json!({ "UpdateExpression": "" }), false),
            (
                json!({ "AttributeUpdates": { "a": delete, "b": delete } }),
                true,
            ),
            (
                json!({ "AttributeUpdates": { "a": delete, "b": put } }),
                false,
            ),
            (json!({ "AttributeUpdates": {} }), false),
            (
                json!({ "Key": { "a": {} }, "UpdateExpression": "REMOVE a" }),
                false,
            ),
            (
                json!({ "Key": { "a": {} }, "AttributeUpdates": { "a": delete } }),
                false,
            ),
            (json!({}), false),
        ] {
            assert_eq!(removes_only(&request(&update)), expected, "{update}");
        }
    }

    #[test]
    fn the_condition_on_existence_joins_the_condition_of_the_client() {
        for (condition, expected) in [
            ("a = :a", "a = :a AND attribute_exists(#bsm_local_aws_key)"),
            (
                "(a = :a or b = :b)",
                "(a = :a or b = :b) AND attribute_exists(#bsm_local_aws_key)",
            ),
            (
                "a = :a or b = :b",
                "(a = :a or b = :b) AND attribute_exists(#bsm_local_aws_key)",
            ),
        ] {
            let update = json!({ "Key": { "id": { "S": "1" } }, "ConditionExpression": condition });
            let update = with_existence(&request(&update), true).unwrap_or_default();
            assert_eq!(update["ConditionExpression"], expected);
            assert_eq!(update["ExpressionAttributeNames"][KEY_PLACEHOLDER], "id");
        }
    }
}

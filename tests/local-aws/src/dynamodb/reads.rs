//! Query and Scan of indexes and segments, where the engine differs from DynamoDB.

use std::collections::HashSet;

use dynoxide::storage::{compute_hash_prefix, hash_bucket};
use dynoxide::{AttributeValue, Database};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::engine::{execute, to_bytes, validation_error};
use super::expression_tokens::{PathElement, is_name, projected, tokens};
use super::index_updates::{IndexKey, describe, fits};
use super::projection::part;
use crate::response::ErrorResponse;

/// The number of ranges of hashes that the engine distributes among segments.
const BUCKETS: u64 = 4_096;

/// The items that the engine reads at first for a page without a limit. Most pages end earlier, at 1 MB.
const FIRST_ITEMS: u64 = if cfg!(test) { 8 } else { 4_096 };

/// Performs a Query or Scan. `index_keys` are those of an index that has items which do not belong to it.
pub(super) fn perform(
    database: &Database,
    operation: &str,
    body: &[u8],
    index_keys: Option<&[IndexKey]>,
) -> Result<Vec<u8>, ErrorResponse> {
    let Ok(Value::Object(request)) = serde_json::from_slice(body) else {
        return execute(database, operation, body);
    };
    let paths = paths(&request);
    let is_fetched = match &paths {
        Some(paths) => is_fetched(database, operation, &request, paths)?,
        None => false,
    };
    if !is_fetched && index_keys.is_none() {
        let response = execute_page(database, operation, &request)
            .map_err(|error| missing_index_first(database, operation, &request, error))?;
        check_segment(database, &request)?;
        check_no_key_is_empty(&request)?;
        return Ok(response);
    }
    let whole = whole_items(&request, is_fetched);
    let response = execute_page(database, operation, &whole)?;
    check_no_key_is_empty(&request)?;
    let mut response: Value = serde_json::from_slice(&response).unwrap_or_default();
    let Value::Array(mut items) = response["Items"].take() else {
        return Ok(to_bytes(&response));
    };
    let before = items.len();
    items.retain(|item| index_keys.is_none_or(|keys| fits(keys, item)));
    let removed = (before - items.len()) as u64;
    response["ScannedCount"] = (response["ScannedCount"].as_u64().unwrap_or(0) - removed).into();
    response["Count"] = items.len().into();
    if let Some(paths) = &paths {
        items
            .iter_mut()
            .for_each(|item| *item = reduced(item, paths));
    }
    match (request.get("Select"), &mut response) {
        (Some(select), Value::Object(members)) if select == "COUNT" => {
            members.remove("Items");
        }
        _ => response["Items"] = items.into(),
    }
    Ok(to_bytes(&response))
}

/// Performs a Query or Scan, at a cost that does not grow with the table where the engine's would.
pub(super) fn execute_page(
    database: &Database,
    operation: &str,
    request: &Map<String, Value>,
) -> Result<Vec<u8>, ErrorResponse> {
    let mut request = request.clone();
    // The engine sorts the whole table for each page of a parallel scan, and one segment is all of the table.
    if request.get("Segment") == Some(&0.into()) && request.get("TotalSegments") == Some(&1.into())
    {
        request.remove("Segment");
        request.remove("TotalSegments");
    }
    // For a page without a limit it reads all that is left of the table.
    if operation == "Scan" && !request.contains_key("Limit") {
        request.insert("Limit".into(), FIRST_ITEMS.into());
        let response = execute(database, operation, &to_bytes(&request))?;
        if scanned(&response) < FIRST_ITEMS {
            return Ok(response);
        }
        // It was the limit that has ended the page.
        request.remove("Limit");
    }
    execute(database, operation, &to_bytes(&request))
}

/// Returns the number of items that a page was made from.
fn scanned(response: &[u8]) -> u64 {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Page {
        scanned_count: u64,
    }
    let page: Result<Page, _> = serde_json::from_slice(response);
    page.map_or(FIRST_ITEMS, |page| page.scanned_count)
}

/// Refuses an empty text or binary in the condition of a query: no key can be empty.
fn check_no_key_is_empty(request: &Map<String, Value>) -> Result<(), ErrorResponse> {
    let is_empty = |value: &Value| value["S"] == "" || value["B"] == "";
    let values = request.get("ExpressionAttributeValues");
    let names = request.get("ExpressionAttributeNames");
    let condition = request.get("KeyConditionExpression");
    let mut key = None;
    for token in tokens(condition.and_then(Value::as_str).unwrap_or_default()) {
        let is_word = ["AND", "BETWEEN", "begins_with"]
            .iter()
            .any(|word| token.eq_ignore_ascii_case(word));
        if is_name(token) && !is_word {
            key = Some(token);
        } else if values.is_some_and(|values| is_empty(&values[token])) {
            let key = key.unwrap_or_default();
            let name = names.and_then(|names| names[key].as_str());
            return Err(empty_key(name.unwrap_or(key)));
        }
    }
    let legacy = request.get("KeyConditions").and_then(Value::as_object);
    for (name, condition) in legacy.into_iter().flatten() {
        let values = condition["AttributeValueList"].as_array();
        if values.into_iter().flatten().any(is_empty) {
            return Err(empty_key(name));
        }
    }
    Ok(())
}

fn empty_key(name: &str) -> ErrorResponse {
    validation_error(format!(
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an \
         empty string value. Key: {name}"
    ))
}

/// Returns the paths that a request reads; `None` if it reads complete items.
pub(super) fn paths(request: &Map<String, Value>) -> Option<Vec<Vec<PathElement>>> {
    let mut paths: Vec<_> = match request.get("ProjectionExpression") {
        Some(expression) => {
            let tokens: Vec<_> = tokens(expression.as_str()?).collect();
            let names = request.get("ExpressionAttributeNames");
            projected(&tokens, names.unwrap_or(&Value::Null))
        }
        None => {
            let names = request.get("AttributesToGet")?.as_array()?.iter();
            names
                .filter_map(Value::as_str)
                .map(|name| vec![PathElement::Name(name.to_owned())])
                .collect()
        }
    };
    paths.sort_unstable();
    Some(paths)
}

/// Returns `true` if a query reads attributes that its local index does not have. DynamoDB fetches them from
/// the table.
///
/// # Errors
///
/// A ValidationException if a global index does not have them.
fn is_fetched(
    database: &Database,
    operation: &str,
    request: &Map<String, Value>,
    paths: &[Vec<PathElement>],
) -> Result<bool, ErrorResponse> {
    let Some(name) = request.get("IndexName") else {
        return Ok(false);
    };
    let table = describe(database, &Value::Object(request.clone())).unwrap_or_default();
    let index_in = |member: &str| {
        let indexes = table[member].as_array()?;
        indexes.iter().find(|index| index["IndexName"] == *name)
    };
    let global = index_in("GlobalSecondaryIndexes");
    let Some(index) = global.or_else(|| index_in("LocalSecondaryIndexes")) else {
        return Ok(false);
    };
    if index["Projection"]["ProjectionType"] == "ALL" {
        return Ok(false);
    }
    let keys = [&table, index].map(|table| table["KeySchema"].as_array());
    let keys = keys.into_iter().flatten().flatten();
    let others = index["Projection"]["NonKeyAttributes"].as_array();
    let names: HashSet<_> = keys
        .map(|key| &key["AttributeName"])
        .chain(others.into_iter().flatten())
        .filter_map(Value::as_str)
        .collect();
    let missing = paths.iter().filter_map(|path| match path.first() {
        Some(PathElement::Name(name)) if !names.contains(name.as_str()) => Some(name.as_str()),
        _ => None,
    });
    let missing: Vec<_> = missing.collect();
    match global {
        Some(_) if !missing.is_empty() => Err(validation_error(format!(
            "One or more parameter values were invalid: Global secondary index {} does not project [{}]",
            name.as_str().unwrap_or_default(),
            missing.join(", ")
        ))),
        _ => Ok(operation == "Query" && !missing.is_empty()),
    }
}

/// Converts a request to one that reads complete items: those of the table, or those of the index.
fn whole_items(request: &Map<String, Value>, of_table: bool) -> Map<String, Value> {
    let mut request = request.clone();
    for member in ["AttributesToGet", "ProjectionExpression", "Select"] {
        request.remove(member);
    }
    if of_table {
        request.insert("Select".into(), "ALL_ATTRIBUTES".into());
    }
    let others = ["KeyConditionExpression", "FilterExpression"];
    let others: HashSet<_> = others
        .iter()
        .filter_map(|name| request.get(*name)?.as_str())
        .flat_map(tokens)
        .map(str::to_owned)
        .collect();
    if let Some(Value::Object(names)) = request.get_mut("ExpressionAttributeNames") {
        // The engine rejects placeholders that no expression contains.
        names.retain(|name, _| others.contains(name));
        if names.is_empty() {
            request.remove("ExpressionAttributeNames");
        }
    }
    request
}

fn reduced(item: &mut Value, paths: &[Vec<PathElement>]) -> Value {
    let whole = serde_json::json!({ "M": item.take() });
    let paths: Vec<_> = paths.iter().map(Vec::as_slice).collect();
    let part = part(&whole, &paths).map(|mut part| part["M"].take());
    part.unwrap_or_else(|| Map::new().into())
}

/// Replaces the error of a consistent read by that of an index that does not exist, which DynamoDB reports
/// first.
fn missing_index_first(
    database: &Database,
    operation: &str,
    request: &Map<String, Value>,
    error: ErrorResponse,
) -> ErrorResponse {
    if !error
        .message
        .starts_with("Consistent reads are not supported")
    {
        return error;
    }
    let mut request = request.clone();
    request.remove("ConsistentRead");
    let result = execute(database, operation, &to_bytes(&request));
    result.err().unwrap_or(error)
}

/// Checks that a parallel scan of a table continues in the segment that it is about.
fn check_segment(database: &Database, request: &Map<String, Value>) -> Result<(), ErrorResponse> {
    let number = |name: &str| request.get(name).and_then(Value::as_u64);
    let (Some(segment), Some(total)) = (number("Segment"), number("TotalSegments")) else {
        return Ok(());
    };
    let start = match request.get("ExclusiveStartKey") {
        Some(Value::Object(start)) if !request.contains_key("IndexName") => start,
        _ => return Ok(()),
    };
    // The engine counts all items to describe a table, and a key with one attribute needs no description.
    let table = match start.len() {
        1 => Value::Null,
        _ => describe(database, &Value::Object(request.clone())).unwrap_or_default(),
    };
    let keys = table["KeySchema"].as_array().into_iter().flatten();
    let mut hash = keys.filter(|key| key["KeyType"] == "HASH");
    let name = hash.next().and_then(|key| key["AttributeName"].as_str());
    let only = start.keys().next().map(String::as_str);
    let name = name.or(only.filter(|_| start.len() == 1));
    let value = name.and_then(|name| start.get(name)).cloned();
    let Some(Ok(value)) = value.map(serde_json::from_value::<AttributeValue>) else {
        return Ok(());
    };
    let bucket = u64::from(hash_bucket(&compute_hash_prefix(&value)));
    let first = |segment: u64| (BUCKETS * segment).div_ceil(total);
    if (first(segment)..first(segment + 1)).contains(&bucket) {
        return Ok(());
    }
    Err(validation_error(format!(
        "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with \
         correct Segment. TotalSegments: {total} Segment: {segment}"
    )))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::index_updates::created_with_misfits;
    use super::*;

    fn execute_json(database: &Database, operation: &str, request: &Value) {
        execute(database, operation, &to_bytes(request)).unwrap();
    }

    /// Creates a table `users` with the keys `p` and `c`, and a local index `local` of keys only with the
    /// range key `x`.
    fn database() -> Database {
        let database = Database::memory().unwrap();
        let key = |name: &str, role: &str| json!({ "AttributeName": name, "KeyType": role });
        let string = |name: &str| json!({ "AttributeName": name, "AttributeType": "S" });
        let table = json!({
            "TableName": "users", "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [key("p", "HASH"), key("c", "RANGE")],
            "AttributeDefinitions": [string("p"), string("c"), string("x")],
            "LocalSecondaryIndexes": [{
                "IndexName": "local", "KeySchema": [key("p", "HASH"), key("x", "RANGE")],
                "Projection": { "ProjectionType": "KEYS_ONLY" },
            }],
        });
        execute_json(&database, "CreateTable", &table);
        database
    }

    fn put(database: &Database, item: &Value) {
        execute_json(
            database,
            "PutItem",
            &json!({ "TableName": "users", "Item": item }),
        );
    }

    fn read(
        database: &Database,
        operation: &str,
        mut request: Value,
        keys: Option<&[IndexKey]>,
    ) -> Result<Value, String> {
        request["TableName"] = "users".into();
        match perform(database, operation, &to_bytes(&request), keys) {
            Ok(response) => Ok(serde_json::from_slice(&response).unwrap()),
            Err(error) => Err(error.message),
        }
    }

    #[test]
    fn a_query_has_no_empty_key() {
        let database = database();
        let query = |condition: &str, p: &str, c: &str| {
            let request = json!({
                "KeyConditionExpression": condition, "ExpressionAttributeNames": { "#c": "c" },
                "ExpressionAttributeValues": { ":p": { "S": p }, ":c": { "S": c } },
            });
            read(&database, "Query", request, None).map(drop)
        };
        let range = "p = :p AND #c BETWEEN :c AND :c";
        assert_eq!(query(range, "1", "2"), Ok(()));
        for (condition, p, c, key) in [
            (range, "", "2", "Key: p"),
            (range, "1", "", "Key: c"),
            ("begins_with(#c, :c) AND p = :p", "1", "", "Key: c"),
        ] {
            let message = query(condition, p, c).unwrap_err();
            assert!(message.ends_with(key), "{condition}: {message}");
        }
        let legacy = json!({
            "KeyConditions": { "p": { "ComparisonOperator": "EQ", "AttributeValueList": [{ "S": "" }] } },
        });
        assert!(read(&database, "Query", legacy, None).is_err());
    }

    #[test]
    fn a_query_of_a_local_index_fetches_attributes_that_it_does_not_have() {
        let database = database();
        let item = json!({
            "p": { "S": "1" }, "c": { "S": "2" }, "x": { "S": "3" },
            "d": { "M": { "a": { "S": "4" }, "b": { "S": "5" } } },
        });
        put(&database, &item);
        let query = |projection: &str| {
            let request = json!({
                "IndexName": "local", "KeyConditionExpression": "#p = :p", "ProjectionExpression": projection,
                "ExpressionAttributeNames": { "#p": "p", "#d": "d" },
                "ExpressionAttributeValues": { ":p": { "S": "1" } },
            });
            read(&database, "Query", request, None).unwrap()["Items"][0].take()
        };
        assert_eq!(
            query("x, #d.b"),
            json!({ "x": { "S": "3" }, "d": { "M": { "b": { "S": "5" } } } })
        );
        assert_eq!(query("#d.z"), json!({}));
        let legacy = json!({
            "IndexName": "local", "AttributesToGet": ["d"], "Select": "SPECIFIC_ATTRIBUTES",
            "KeyConditions": { "p": { "ComparisonOperator": "EQ", "AttributeValueList": [{ "S": "1" }] } },
        });
        let queried = read(&database, "Query", legacy, None).unwrap();
        assert_eq!(queried["Items"], json!([{ "d": item["d"] }]));
        assert_eq!(queried["Count"], 1);
    }

    #[test]
    fn a_global_index_is_asked_only_for_what_it_projects() {
        let database = database();
        let update = json!({
            "TableName": "users",
            "AttributeDefinitions": [{ "AttributeName": "y", "AttributeType": "S" }],
            "GlobalSecondaryIndexUpdates": [{ "Create": {
                "IndexName": "global", "KeySchema": [{ "AttributeName": "y", "KeyType": "HASH" }],
                "Projection": { "ProjectionType": "INCLUDE", "NonKeyAttributes": ["a"] },
            } }],
        });
        execute_json(&database, "UpdateTable", &update);
        let scan = |projection: &str| {
            let request = json!({ "IndexName": "global", "ProjectionExpression": projection });
            read(&database, "Scan", request, None)
                .err()
                .unwrap_or_default()
        };
        assert_eq!(scan("a.b, p, c, y"), "");
        assert_eq!(
            scan("a, b.c, d"),
            "One or more parameter values were invalid: Global secondary index global does not project [b, d]"
        );
    }

    #[test]
    fn an_index_that_does_not_exist_is_reported_before_a_consistent_read() {
        let request = json!({ "IndexName": "wrong", "ConsistentRead": true });
        let message = read(&database(), "Scan", request, None).unwrap_err();
        assert!(message.contains("wrong"), "{message}");
    }

    #[test]
    fn a_parallel_scan_continues_only_in_its_segment() {
        let database = database();
        for id in 0..20 {
            put(
                &database,
                &json!({ "p": { "S": id.to_string() }, "c": { "S": "x" } }),
            );
        }
        let scan = |segment: u64, start: &Value| {
            let mut request = json!({ "Segment": segment, "TotalSegments": 2, "Limit": 1 });
            if !start.is_null() {
                request["ExclusiveStartKey"] = start.clone();
            }
            read(&database, "Scan", request, None)
        };
        for segment in [0, 1] {
            let start = scan(segment, &Value::Null).unwrap()["LastEvaluatedKey"].take();
            assert!(scan(segment, &start).is_ok());
            let message = scan(1 - segment, &start).unwrap_err();
            assert!(
                message.contains("correct Segment. TotalSegments: 2"),
                "{message}"
            );
        }
    }

    /// Puts items into `users`, and returns a function that scans it.
    fn with_items(count: u64) -> impl Fn(Value) -> Value {
        let database = database();
        for id in 0..count {
            let item = json!({ "p": { "S": id.to_string() }, "c": { "S": "x" } });
            put(&database, &item);
        }
        move |request| read(&database, "Scan", request, None).unwrap()
    }

    #[test]
    fn a_page_without_a_limit_ends_where_the_table_does() {
        for count in [0, 1, FIRST_ITEMS - 1, FIRST_ITEMS, FIRST_ITEMS + 1, 40] {
            let page = with_items(count)(json!({}));
            assert_eq!(
                (&page["Count"], &page["ScannedCount"]),
                (&json!(count), &json!(count))
            );
            assert_eq!(page["LastEvaluatedKey"], Value::Null);
        }
    }

    #[test]
    fn one_segment_is_the_table_in_the_same_order() {
        let scan = with_items(30);
        let mut start = Value::Null;
        loop {
            let mut plain = json!({ "Limit": 7 });
            if !start.is_null() {
                plain["ExclusiveStartKey"] = start;
            }
            let mut parallel = plain.clone();
            parallel["Segment"] = 0.into();
            parallel["TotalSegments"] = 1.into();
            let page = scan(plain);
            assert_eq!(scan(parallel), page);
            start = page["LastEvaluatedKey"].clone();
            if start.is_null() {
                break;
            }
        }
    }

    #[test]
    fn a_new_index_has_no_items_whose_keys_do_not_fit() {
        let database = database();
        let item = |id: &str, y: Value| json!({ "p": { "S": id }, "c": { "S": "x" }, "y": y });
        put(&database, &item("1", json!({ "S": "a" })));
        put(&database, &item("2", json!({ "N": "1" })));
        put(&database, &item("3", json!({ "S": "a".repeat(2_049) })));
        let update = json!({
            "TableName": "users",
            "AttributeDefinitions": [{ "AttributeName": "y", "AttributeType": "S" }],
            "GlobalSecondaryIndexUpdates": [{ "Create": {
                "IndexName": "new", "KeySchema": [{ "AttributeName": "y", "KeyType": "HASH" }],
                "Projection": { "ProjectionType": "ALL" },
            } }],
        });
        execute_json(&database, "UpdateTable", &update);
        let (name, keys) = created_with_misfits(&database, &update).unwrap();
        assert_eq!(name, "new");
        let scan = |more: Value| {
            let mut request = json!({ "IndexName": "new" });
            request
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            let mut scanned = read(&database, "Scan", request, Some(&keys)).unwrap();
            assert_eq!(
                (&scanned["Count"], &scanned["ScannedCount"]),
                (&json!(1), &json!(1))
            );
            scanned["Items"].take()
        };
        assert_eq!(scan(json!({})), json!([item("1", json!({ "S": "a" }))]));
        assert_eq!(scan(json!({ "Select": "COUNT" })), Value::Null);
        let projected = scan(json!({ "ProjectionExpression": "p" }));
        assert_eq!(projected, json!([{ "p": { "S": "1" } }]));
    }
}

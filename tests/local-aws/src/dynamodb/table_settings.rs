//! Names, tags and the time to live: what DynamoDB refuses and the engine accepts.

use std::collections::HashSet;

use dynoxide::{Database, DynoxideError};
use serde_json::{Value, json};

use super::engine::{engine_error, execute, to_bytes, validation_error};
use crate::response::ErrorResponse;

/// The most tags of a table.
///
/// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Tagging.html>.
const MAX_TAGS: usize = 50;

/// The most attributes that an index projects besides the keys.
///
/// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Projection.html>.
const MAX_PROJECTED: usize = 20;

/// The longest name of an attribute of a key, and of the time to live.
const MAX_NAME: usize = 255;

/// The longest name of any attribute, in bytes: less than 64 KiB.
const MAX_ATTRIBUTE_NAME: usize = 65_535;

/// Returns `true` for the operations that [`perform`] performs.
pub(super) fn handles(operation: &str) -> bool {
    matches!(
        operation,
        "ListTagsOfResource" | "TagResource" | "UntagResource" | "UpdateTimeToLive"
    )
}

/// Performs an operation, if DynamoDB would.
pub(super) fn perform(
    database: &Database,
    operation: &str,
    body: &[u8],
) -> Result<Vec<u8>, ErrorResponse> {
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    if let Some(arn) = request["ResourceArn"].as_str() {
        check_tagged_arn(arn)?;
    }
    match operation {
        "TagResource" => check_tagging(database, &request)?,
        "UpdateTimeToLive" => check_time_to_live(database, &request)?,
        _ => {}
    }
    let response = execute(database, operation, body)?;
    Ok(match operation {
        // DynamoDB answers these with nothing.
        "TagResource" | "UntagResource" => Vec::new(),
        _ => response,
    })
}

/// Checks CreateTable and UpdateTable: the names of the attributes of keys, and the tags.
pub(super) fn check_table(request: &Value) -> Result<(), ErrorResponse> {
    check_key_names(request)?;
    check_definitions(request)?;
    check_projections(request)?;
    let tags = request["Tags"].as_array().map(Vec::as_slice);
    check_tags(tags.unwrap_or_default(), 0)
}

/// Checks the attributes that the new indexes of a request project.
fn check_projections(request: &Value) -> Result<(), ErrorResponse> {
    let indexes = |member: &str| request[member].as_array().into_iter().flatten();
    let created = indexes("GlobalSecondaryIndexUpdates").map(|update| &update["Create"]);
    let indexes = indexes("GlobalSecondaryIndexes").chain(indexes("LocalSecondaryIndexes"));
    for index in indexes.chain(created) {
        let mut seen = HashSet::new();
        let names = index["Projection"]["NonKeyAttributes"].as_array();
        if let Some(names) = names.filter(|names| names.len() > MAX_PROJECTED) {
            let names: Vec<_> = names.iter().filter_map(Value::as_str).collect();
            return Err(validation_error(format!(
                "1 validation error detected: Value '[{}]' at 'projection.nonKeyAttributes' failed to satisfy \
                 constraint: Member must have length less than or equal to {MAX_PROJECTED}",
                names.join(", ")
            )));
        }
        for name in names.into_iter().flatten() {
            if name.is_number() {
                let message = "NUMBER_VALUE cannot be converted to String";
                let error = DynoxideError::SerializationException(message.to_owned());
                return Err(engine_error(error));
            }
            let name = name.as_str().unwrap_or_default();
            check_name(name, "projection.nonKeyAttributes")?;
            if !seen.insert(name) {
                return Err(validation_error(format!(
                    "One or more parameter values were invalid: Duplicate attribute name in NonKeyAttributes: \
                     {name}"
                )));
            }
        }
    }
    Ok(())
}

/// Checks that a new table has a throughput, unless it is to be billed by request.
pub(super) fn check_billing_mode(request: &Value) -> Result<(), ErrorResponse> {
    let billing_mode = request["BillingMode"].as_str();
    match billing_mode.unwrap_or("PROVISIONED") == "PROVISIONED"
        && request["ProvisionedThroughput"].is_null()
    {
        true => Err(validation_error(
            "One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be \
             specified when BillingMode is PROVISIONED",
        )),
        false => Ok(()),
    }
}

/// Checks that no attribute of a key is defined twice: DynamoDB could not know its type.
fn check_definitions(request: &Value) -> Result<(), ErrorResponse> {
    let definitions = request["AttributeDefinitions"].as_array();
    let mut names = HashSet::new();
    let mut repeated = definitions
        .into_iter()
        .flatten()
        .filter_map(|definition| definition["AttributeName"].as_str())
        .filter(|name| !names.insert(*name));
    match repeated.next() {
        None => Ok(()),
        Some(name) => Err(validation_error(format!(
            "One or more parameter values were invalid: Duplicate AttributeName in AttributeDefinitions: {name}"
        ))),
    }
}

fn check_key_names(request: &Value) -> Result<(), ErrorResponse> {
    match request {
        Value::Object(members) => {
            members
                .iter()
                .try_for_each(|(member, value)| match (member.as_str(), value.as_str()) {
                    // At any depth: key schemas and definitions, also those of indexes.
                    ("AttributeName", Some(name)) => check_name(name, "attributeName"),
                    _ => check_key_names(value),
                })
        }
        Value::Array(elements) => elements.iter().try_for_each(check_key_names),
        _ => Ok(()),
    }
}

/// Checks the names of attributes in a request about items.
pub(super) fn check_attribute_names(body: &[u8]) -> Result<(), ErrorResponse> {
    // No name in it can be too long, and nearly all requests are shorter.
    if body.len() <= MAX_ATTRIBUTE_NAME {
        return Ok(());
    }
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    match has_long_name(&request) {
        true => Err(validation_error(
            "One or more parameter values were invalid: Attribute name is too large, must be less than 65536 \
             bytes",
        )),
        false => Ok(()),
    }
}

fn has_long_name(value: &Value) -> bool {
    let is_long = |name: &str| name.len() > MAX_ATTRIBUTE_NAME;
    let names_of = |value: &Value| match value {
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is_long),
        Value::Object(names) => names.values().filter_map(Value::as_str).any(is_long),
        _ => false,
    };
    match value {
        Value::Object(members) => members.iter().any(|(member, value)| {
            let is_names = member == "AttributesToGet" || member == "ExpressionAttributeNames";
            is_long(member) || is_names && names_of(value) || has_long_name(value)
        }),
        Value::Array(elements) => elements.iter().any(has_long_name),
        _ => false,
    }
}

/// Checks the ARN of a request about tags. Tables have tags, and their indexes have none.
fn check_tagged_arn(arn: &str) -> Result<(), ErrorResponse> {
    if arn.is_empty() {
        // The engine has the message.
        return Ok(());
    }
    if !arn.starts_with("arn:") {
        return Err(validation_error("ARNs must start with 'arn:'"));
    }
    match arn.contains("/index/") {
        true => Err(validation_error(format!(
            "Invalid TableArn: Invalid ResourceArn provided as input {arn}"
        ))),
        false => Ok(()),
    }
}

fn check_tagging(database: &Database, request: &Value) -> Result<(), ErrorResponse> {
    let tags = request["Tags"].as_array().map(Vec::as_slice);
    let tags = tags.unwrap_or_default();
    if tags.is_empty() {
        return Err(validation_error(
            "One or more parameter values were invalid: Atleast one Tag needs to be provided as Input.",
        ));
    }
    let existing = json!({ "ResourceArn": request["ResourceArn"] });
    // For a table that does not exist, each of the operations has an error of its own.
    let existing =
        execute(database, "ListTagsOfResource", &to_bytes(&existing)).unwrap_or_default();
    let existing: Value = serde_json::from_slice(&existing).unwrap_or_default();
    let others = existing["Tags"].as_array().into_iter().flatten();
    // A tag with an existing key replaces it, and does not count twice.
    let others = others.filter(|tag| tags.iter().all(|new| new["Key"] != tag["Key"]));
    check_tags(tags, others.count())
}

/// `others` is the number of tags that the table has besides these.
fn check_tags(tags: &[Value], others: usize) -> Result<(), ErrorResponse> {
    if tags.len() + others > MAX_TAGS {
        return Err(validation_error(
            "One or more parameter values were invalid: Too many tags: the limit is 50",
        ));
    }
    for tag in tags {
        for (member, max) in [("Key", 128), ("Value", 256)] {
            let text = tag[member].as_str().unwrap_or_default();
            if text.chars().count() > max || !text.chars().all(is_allowed_in_tag) {
                return Err(validation_error(format!(
                    "One or more parameter values were invalid: Tag {member} is not allowed: {text}"
                )));
            }
        }
    }
    Ok(())
}

fn is_allowed_in_tag(c: char) -> bool {
    c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c)
}

fn check_time_to_live(database: &Database, request: &Value) -> Result<(), ErrorResponse> {
    let wanted = &request["TimeToLiveSpecification"];
    // What is missing or of another type, the engine rejects.
    let (Some(name), Some(enabled)) = (
        wanted["AttributeName"].as_str(),
        wanted["Enabled"].as_bool(),
    ) else {
        return Ok(());
    };
    check_name(name, "timeToLiveSpecification.attributeName")?;
    let table = json!({ "TableName": request["TableName"] });
    let current = execute(database, "DescribeTimeToLive", &to_bytes(&table))?;
    let current: Value = serde_json::from_slice(&current).unwrap_or_default();
    let current = &current["TimeToLiveDescription"];
    let current_name = current["AttributeName"].as_str().unwrap_or_default();
    match (current["TimeToLiveStatus"] == "ENABLED", enabled) {
        (true, _) if current_name != name => Err(validation_error(format!(
            "TimeToLive is active on a different AttributeName: current AttributeName is {current_name}"
        ))),
        (true, true) => Err(validation_error("TimeToLive is already enabled")),
        (false, false) => Err(validation_error("TimeToLive is already disabled")),
        _ => Ok(()),
    }
}

/// Checks the length of a name as DynamoDB does, before anything else about it.
fn check_name(name: &str, member: &str) -> Result<(), ErrorResponse> {
    let constraint = match name.len() {
        0 => "greater than or equal to 1",
        1..=MAX_NAME => return Ok(()),
        _ => "less than or equal to 255",
    };
    Err(validation_error(format!(
        "1 validation error detected: Value '{name}' at '{member}' failed to satisfy constraint: Member must \
         have length {constraint}"
    )))
}

#[cfg(test)]
mod tests {
    use dynoxide::streams::{LOCAL_ACCOUNT, LOCAL_REGION};

    use super::*;

    #[test]
    fn tables_have_tags_and_nothing_else_has() {
        let database = Database::memory().unwrap();
        let table = json!({
            "TableName": "users", "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
            "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
        });
        execute(&database, "CreateTable", &to_bytes(&table)).unwrap();
        let arn =
            |path: &str| format!("arn:aws:dynamodb:{LOCAL_REGION}:{LOCAL_ACCOUNT}:table/{path}");
        for (arn, expected) in [
            (arn("users"), ""),
            (
                arn("users/index/local"),
                "ValidationException: Invalid TableArn: Invalid ResourceArn",
            ),
            (
                "users".to_owned(),
                "ValidationException: ARNs must start with 'arn:'",
            ),
            (arn("others"), "ResourceNotFoundException"),
        ] {
            let tags = json!([{ "Key": "k", "Value": "v" }]);
            for (operation, request) in [
                ("TagResource", json!({ "ResourceArn": arn, "Tags": tags })),
                ("ListTagsOfResource", json!({ "ResourceArn": arn })),
                (
                    "UntagResource",
                    json!({ "ResourceArn": arn, "TagKeys": ["k"] }),
                ),
            ] {
                // Of a table that does not exist, the tags are not shown.
                let expected = match operation {
                    "ListTagsOfResource" if expected.starts_with("Resource") => "AccessDenied",
                    _ => expected,
                };
                let result = perform(&database, operation, &to_bytes(&request)).err();
                let error = result.map(|error| format!("{}: {}", error.code, error.message));
                let error = error.unwrap_or_default();
                assert!(error.starts_with(expected), "{operation} {arn}: {error}");
                assert_eq!(
                    error.is_empty(),
                    expected.is_empty(),
                    "{operation} {arn}: {error}"
                );
            }
        }
    }

    #[test]
    fn an_index_projects_each_attribute_once_and_at_most_20() {
        let names = |count: usize| json!((0..count).map(|n| format!("a{n}")).collect::<Vec<_>>());
        for (names, expected) in [
            (json!(["a", "b"]), ""),
            (names(20), ""),
            (names(21), "ValidationException"),
            (json!(["a", "a"]), "ValidationException"),
            (json!(["a", "x".repeat(256)]), "ValidationException"),
            (json!(["a", 1]), "SerializationException"),
        ] {
            let index = json!({ "Projection": { "NonKeyAttributes": names } });
            for request in [
                json!({ "GlobalSecondaryIndexes": [index] }),
                json!({ "LocalSecondaryIndexes": [index] }),
                json!({ "GlobalSecondaryIndexUpdates": [{ "Create": index }] }),
            ] {
                let error = check_projections(&request).err().map(|error| error.code);
                assert_eq!(error.unwrap_or_default(), expected, "{request}");
            }
        }
    }

    #[test]
    fn a_provisioned_table_has_a_throughput_and_provisioned_is_the_default() {
        let throughput = json!({ "ReadCapacityUnits": 1, "WriteCapacityUnits": 1 });
        for (request, is_right) in [
            (json!({ "BillingMode": "PAY_PER_REQUEST" }), true),
            (json!({ "ProvisionedThroughput": throughput }), true),
            (
                json!({ "BillingMode": "PROVISIONED", "ProvisionedThroughput": throughput }),
                true,
            ),
            (json!({ "BillingMode": "PROVISIONED" }), false),
            (json!({}), false),
        ] {
            assert_eq!(check_billing_mode(&request).is_ok(), is_right, "{request}");
        }
    }
}

//! The changes of indexes in UpdateTable: what DynamoDB refuses and the engine accepts, and which items an
//! added index has.

use dynoxide::{Database, DynoxideError};
use serde_json::{Value, json};

use super::engine::{engine_error, execute, to_bytes, validation_error};
use super::scan;
use crate::response::ErrorResponse;

/// The most bytes of a hash key.
///
/// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>.
pub(super) const MAX_HASH_KEY: usize = 2_048;

/// The most bytes of a range key.
pub(super) const MAX_RANGE_KEY: usize = 1_024;

/// An attribute of the key of an index.
#[derive(Clone, Debug)]
pub(super) struct IndexKey {
    name: String,
    kind: String,
    max_size: usize,
}

/// Checks the changes of indexes in a request.
pub(super) fn check(database: &Database, request: &Value) -> Result<(), ErrorResponse> {
    let updates = request["GlobalSecondaryIndexUpdates"].as_array();
    let updates = updates.map(Vec::as_slice).unwrap_or_default();
    let has = |update: &Value, action: &str| update.get(action).is_some_and(Value::is_object);
    let actions = |update: &Value| {
        let actions = ["Create", "Update", "Delete"];
        actions.iter().filter(|action| has(update, action)).count()
    };
    if updates.iter().any(|update| actions(update) > 1) {
        return Err(validation_error(
            "One or more parameter values were invalid: Only one global secondary index action is allowed per \
             GlobalSecondaryIndexUpdate object",
        ));
    }
    let online = updates.iter().filter(|update| !has(update, "Update"));
    // The engine rejects entries without an action.
    if online.filter(|update| actions(update) > 0).count() > 1 {
        return Err(engine_error(DynoxideError::LimitExceededException(
            "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table"
                .to_owned(),
        )));
    }
    let Some(create) = updates.iter().find(|update| has(update, "Create")) else {
        return Ok(());
    };
    // The engine rejects a table that does not exist.
    match describe(database, request) {
        Some(table) => check_new_index(&table, request, &create["Create"]),
        None => Ok(()),
    }
}

fn check_new_index(table: &Value, request: &Value, index: &Value) -> Result<(), ErrorResponse> {
    let local = table["LocalSecondaryIndexes"].as_array();
    let has_name = |local: &Value| local["IndexName"] == index["IndexName"];
    if local.into_iter().flatten().any(has_name) {
        return Err(validation_error(
            "Attempting to create an index which already exists",
        ));
    }
    let elements = index["KeySchema"].as_array().into_iter().flatten();
    check_defined(request, elements.clone())?;
    for element in elements {
        let name = &element["AttributeName"];
        let (Some(old), Some(new)) = (kind_of(table, name), kind_of(request, name)) else {
            continue;
        };
        if old != new {
            let name = name.as_str().unwrap_or_default();
            let shown = |kind: &str, role: &str| {
                format!("Schema:[SchemaElement: key{{{name}:{kind}:{role}}}]")
            };
            let role = element["KeyType"].as_str().unwrap_or_default();
            return Err(validation_error(format!(
                "One or more parameter values were invalid: Attributes cannot be redefined. Please check that \
                 your attribute has the same type as previously defined. Existing schema: {} New schema: {}",
                shown(old, role_of(table, name).unwrap_or(role)),
                shown(new, role)
            )));
        }
    }
    Ok(())
}

/// Checks that a request defines the key of a new index, even if the table does already.
fn check_defined<'a>(
    request: &Value,
    elements: impl Iterator<Item = &'a Value> + Clone,
) -> Result<(), ErrorResponse> {
    let definitions = request["AttributeDefinitions"].as_array();
    let names = |elements: Vec<&Value>| {
        let names = elements
            .iter()
            .filter_map(|it| it["AttributeName"].as_str());
        names.collect::<Vec<_>>().join(", ")
    };
    if elements
        .clone()
        .all(|element| kind_of(request, &element["AttributeName"]).is_some())
    {
        return Ok(());
    }
    Err(validation_error(format!(
        "One or more parameter values were invalid: Some index key attributes are not defined in \
         AttributeDefinitions. Keys: [{}], AttributeDefinitions: [{}]",
        names(elements.collect()),
        names(definitions.into_iter().flatten().collect())
    )))
}

/// Returns the type with which a table, or a request about one, defines an attribute.
fn kind_of<'a>(table: &'a Value, name: &Value) -> Option<&'a str> {
    let definitions = table["AttributeDefinitions"].as_array()?;
    let definition = definitions.iter().find(|it| it["AttributeName"] == *name)?;
    definition["AttributeType"].as_str()
}

/// Returns whether an attribute is the hash or the range key of the first key that has it.
fn role_of<'a>(table: &'a Value, name: &str) -> Option<&'a str> {
    let indexes = ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"];
    let indexes = indexes.iter().filter_map(|name| table[name].as_array());
    let schemas = std::iter::once(table)
        .chain(indexes.flatten())
        .filter_map(|table| table["KeySchema"].as_array());
    let element = schemas.flatten().find(|it| it["AttributeName"] == name)?;
    element["KeyType"].as_str()
}

/// Returns the description of the table of a request.
pub(super) fn describe(database: &Database, request: &Value) -> Option<Value> {
    let request = json!({ "TableName": request["TableName"] });
    let described = execute(database, "DescribeTable", &to_bytes(&request)).ok()?;
    let mut described: Value = serde_json::from_slice(&described).ok()?;
    Some(described["Table"].take())
}

/// Returns the names of the indexes that a request changes.
pub(super) fn names(request: &Value) -> impl Iterator<Item = &str> {
    let updates = request["GlobalSecondaryIndexUpdates"].as_array();
    let actions = updates.into_iter().flatten().filter_map(Value::as_object);
    let actions = actions.flat_map(serde_json::Map::values);
    actions.filter_map(|action| action["IndexName"].as_str())
}

/// Returns the name and key of an index that an UpdateTable has created, if the table has items that do not
/// belong to it. The engine has copied them into the index.
pub(super) fn created_with_misfits(
    database: &Database,
    request: &Value,
) -> Option<(String, Vec<IndexKey>)> {
    let updates = request["GlobalSecondaryIndexUpdates"].as_array()?;
    let index = updates.iter().find_map(|update| update.get("Create"))?;
    let table = describe(database, request)?;
    let elements = index["KeySchema"].as_array()?.iter();
    let keys = elements.filter_map(|element| {
        let max_size = match element["KeyType"] == "HASH" {
            true => MAX_HASH_KEY,
            false => MAX_RANGE_KEY,
        };
        Some(IndexKey {
            name: element["AttributeName"].as_str()?.to_owned(),
            kind: kind_of(&table, &element["AttributeName"])?.to_owned(),
            max_size,
        })
    });
    let keys: Vec<_> = keys.collect();
    let items = scan(database, request["TableName"].as_str()?)?;
    let is_copied = |item: &Value| keys.iter().all(|key| item.get(&key.name).is_some());
    let has_misfits = items
        .iter()
        .any(|item| is_copied(item) && !fits(&keys, item));
    has_misfits.then(|| {
        (
            index["IndexName"].as_str().unwrap_or_default().to_owned(),
            keys,
        )
    })
}

/// Returns `true` if an item belongs to an index with this key.
pub(super) fn fits(keys: &[IndexKey], item: &Value) -> bool {
    keys.iter().all(|key| {
        let value = item.get(&key.name).and_then(|value| value.get(&key.kind));
        let text = value.and_then(Value::as_str);
        // No key is empty.
        let text = text.filter(|text| !text.is_empty());
        text.is_some_and(|text| match key.kind.as_str() {
            "B" => aws_smithy_types::base64::decode(text).is_ok_and(|it| it.len() <= key.max_size),
            _ => text.len() <= key.max_size,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Creates a database with a table `users` that has the keys `p` and `c`, a local index `local` with
    /// the range key `x`.
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
                "Projection": { "ProjectionType": "ALL" },
            }],
        });
        execute(&database, "CreateTable", &to_bytes(&table)).unwrap();
        database
    }

    fn create(name: &str) -> Value {
        json!({ "Create": {
            "IndexName": name, "KeySchema": [{ "AttributeName": "x", "KeyType": "HASH" }],
            "Projection": { "ProjectionType": "ALL" },
        } })
    }

    fn update(kind: &str, updates: &[Value]) -> Value {
        json!({
            "TableName": "users", "GlobalSecondaryIndexUpdates": updates,
            "AttributeDefinitions": [{ "AttributeName": "x", "AttributeType": kind }],
        })
    }

    #[test]
    fn one_index_at_a_time_is_created_or_deleted() {
        let delete = json!({ "Delete": { "IndexName": "other" } });
        let change = json!({ "Update": { "IndexName": "other" } });
        let mut both = create("new");
        both["Delete"] = delete["Delete"].clone();
        for (updates, expected) in [
            (vec![create("new")], ""),
            (vec![create("new"), change], ""),
            (vec![both], "ValidationException"),
            (vec![create("one"), create("two")], "LimitExceededException"),
            (
                vec![create("new"), delete.clone()],
                "LimitExceededException",
            ),
            (vec![delete.clone(), delete], "LimitExceededException"),
        ] {
            let checked = check(&database(), &update("S", &updates));
            let code = checked.err().map(|error| error.code).unwrap_or_default();
            assert_eq!(code, expected, "{updates:?}");
        }
    }

    #[test]
    fn a_new_index_has_a_name_and_types_of_its_own() {
        let message = |request: Value| {
            let error = check(&database(), &request).err();
            error.map(|error| error.message).unwrap_or_default()
        };
        assert_eq!(message(update("S", &[create("new")])), "");
        assert!(message(update("S", &[create("local")])).contains("already exists"));
        let mut undefined = update("S", &[create("new")]);
        undefined["AttributeDefinitions"] = json!([]);
        assert!(message(undefined).ends_with("Keys: [x], AttributeDefinitions: []"));
        let redefined = message(update("N", &[create("new")]));
        assert!(
            redefined.ends_with(
                "Existing schema: Schema:[SchemaElement: key{x:S:RANGE}] New schema: Schema:[SchemaElement: \
                 key{x:N:HASH}]"
            ),
            "{redefined}"
        );
    }

    #[test]
    fn an_item_fits_whose_keys_have_the_type_and_size_of_the_index() {
        let key = |name: &str, kind: &str, max_size| IndexKey {
            name: name.to_owned(),
            kind: kind.to_owned(),
            max_size,
        };
        let keys = [key("a", "S", 2), key("b", "B", 1)];
        for (item, expected) in [
            (json!({ "a": { "S": "xy" }, "b": { "B": "YQ==" } }), true),
            (json!({ "a": { "S": "xyz" }, "b": { "B": "YQ==" } }), false),
            (json!({ "a": { "S": "xy" }, "b": { "B": "YWI=" } }), false),
            (json!({ "a": { "N": "1" }, "b": { "B": "YQ==" } }), false),
            (json!({ "a": { "S": "" }, "b": { "B": "YQ==" } }), false),
            (json!({ "a": { "S": "xy" } }), false),
        ] {
            assert_eq!(fits(&keys, &item), expected, "{item}");
        }
    }
}

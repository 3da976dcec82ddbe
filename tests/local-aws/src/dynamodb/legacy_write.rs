//! Writes with the legacy condition `NOT_CONTAINS`, which is false for DynamoDB if the attribute is missing,
//! and true for the engine.
//!
//! Source:
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.Conditions.html>.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::engine::to_bytes;

/// Replaces `Expected` and `AttributeUpdates` by expressions, if there is a `NOT_CONTAINS`.
///
/// A write that cannot be replaced stays, and the engine says what is wrong.
pub(super) fn to_expression(body: Bytes) -> Bytes {
    let text = String::from_utf8_lossy(&body);
    if !text.contains("NOT_CONTAINS") {
        return body;
    }
    let Ok(Value::Object(request)) = serde_json::from_str(&text) else {
        return body;
    };
    match converted(request) {
        Some(request) => to_bytes(&request).into(),
        None => body,
    }
}

fn converted(mut request: Map<String, Value>) -> Option<Map<String, Value>> {
    // The engine rejects a request that has both.
    if request.keys().any(|member| member.contains("Expression")) {
        return None;
    }
    let expected = request.remove("Expected")?;
    let mut placeholders = Placeholders::default();
    let operator = match request.remove("ConditionalOperator") {
        Some(operator) if operator == "OR" => " OR ",
        _ => " AND ",
    };
    let expected = expected.as_object()?;
    let is_replaced = |condition: &Value| condition["ComparisonOperator"] == "NOT_CONTAINS";
    if !expected.values().any(is_replaced) {
        return None;
    }
    let conditions = expected.iter();
    let conditions = conditions.map(|(name, condition)| placeholders.condition(name, condition));
    let conditions = conditions.collect::<Option<Vec<_>>>()?.join(operator);
    request.insert("ConditionExpression".into(), conditions.into());
    if let Some(updates) = request.remove("AttributeUpdates") {
        let update = placeholders.update(updates.as_object()?)?;
        if !update.is_empty() {
            request.insert("UpdateExpression".into(), update.into());
        }
    }
    request.insert("ExpressionAttributeNames".into(), placeholders.names.into());
    if !placeholders.values.is_empty() {
        request.insert(
            "ExpressionAttributeValues".into(),
            placeholders.values.into(),
        );
    }
    Some(request)
}

/// What the placeholders of the expressions stand for.
#[derive(Default)]
struct Placeholders {
    names: Map<String, Value>,
    values: Map<String, Value>,
}

impl Placeholders {
    fn name(&mut self, name: &str) -> String {
        let placeholder = format!("#n{}", self.names.len());
        self.names.insert(placeholder.clone(), name.into());
        placeholder
    }

    fn value(&mut self, value: &Value) -> String {
        let placeholder = format!(":v{}", self.values.len());
        self.values.insert(placeholder.clone(), value.clone());
        placeholder
    }

    fn condition(&mut self, name: &str, condition: &Value) -> Option<String> {
        let name = self.name(name);
        let listed = condition["AttributeValueList"].as_array();
        let values = listed.into_iter().flatten().chain(condition.get("Value"));
        let values: Vec<_> = values.map(|value| self.value(value)).collect();
        let operator = match condition.get("ComparisonOperator") {
            Some(operator) => operator.as_str()?,
            None if condition["Exists"] == false => "NULL",
            None => "EQ",
        };
        Some(match (operator, values.as_slice()) {
            ("NULL", []) => format!("attribute_not_exists({name})"),
            ("NOT_NULL", []) => format!("attribute_exists({name})"),
            ("EQ", [value]) => format!("{name} = {value}"),
            ("NE", [value]) => format!("{name} <> {value}"),
            ("LT", [value]) => format!("{name} < {value}"),
            ("LE", [value]) => format!("{name} <= {value}"),
            ("GT", [value]) => format!("{name} > {value}"),
            ("GE", [value]) => format!("{name} >= {value}"),
            ("BETWEEN", [low, high]) => format!("{name} BETWEEN {low} AND {high}"),
            ("BEGINS_WITH", [value]) => format!("begins_with({name}, {value})"),
            ("CONTAINS", [value]) => format!("contains({name}, {value})"),
            ("NOT_CONTAINS", [value]) => {
                format!("(attribute_exists({name}) AND NOT contains({name}, {value}))")
            }
            ("IN", [_, ..]) => format!("{name} IN ({})", values.join(", ")),
            _ => return None,
        })
    }

    fn update(&mut self, updates: &Map<String, Value>) -> Option<String> {
        let (mut set, mut remove, mut add, mut delete) = (vec![], vec![], vec![], vec![]);
        for (name, update) in updates {
            let name = self.name(name);
            let action = update.get("Action").map_or(Some("PUT"), Value::as_str)?;
            match (action, update.get("Value")) {
                ("PUT", Some(value)) => set.push(format!("{name} = {}", self.value(value))),
                ("DELETE", None) => remove.push(name),
                ("DELETE", Some(value)) => delete.push(format!("{name} {}", self.value(value))),
                // No expression adds to a list in this way.
                ("ADD", Some(value)) if value.get("L").is_none() => {
                    add.push(format!("{name} {}", self.value(value)));
                }
                _ => return None,
            }
        }
        let clauses = [
            ("SET", set),
            ("REMOVE", remove),
            ("ADD", add),
            ("DELETE", delete),
        ];
        let clauses = clauses.iter().filter(|(_, actions)| !actions.is_empty());
        let clauses = clauses.map(|(clause, actions)| format!("{clause} {}", actions.join(", ")));
        Some(clauses.collect::<Vec<_>>().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use dynoxide::Database;
    use serde_json::json;

    use super::*;
    use crate::dynamodb::engine::execute;

    fn database() -> Database {
        let database = Database::memory().unwrap();
        let table = json!({
            "TableName": "users", "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
            "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
        });
        execute(&database, "CreateTable", &to_bytes(&table)).unwrap();
        let item = json!({ "id": { "S": "1" }, "a": { "S": "hello" }, "n": { "N": "1" } });
        let put = json!({ "TableName": "users", "Item": item });
        execute(&database, "PutItem", &to_bytes(&put)).unwrap();
        database
    }

    #[test]
    fn not_contains_is_false_if_the_attribute_is_missing() {
        let not_contains = |text: &str| {
            let list = json!([{ "S": text }]);
            json!({ "ComparisonOperator": "NOT_CONTAINS", "AttributeValueList": list })
        };
        let missing = json!({ "Exists": false });
        for (expected, operator, is_true) in [
            (json!({ "a": not_contains("dog") }), "AND", true),
            (json!({ "a": not_contains("ell") }), "AND", false),
            (json!({ "b": not_contains("dog") }), "AND", false),
            (
                json!({ "b": not_contains("dog"), "c": missing }),
                "AND",
                false,
            ),
            (
                json!({ "b": not_contains("dog"), "c": missing }),
                "OR",
                true,
            ),
        ] {
            let updates = json!({
                "z": { "Value": { "S": "x" } }, "n": { "Action": "ADD", "Value": { "N": "1" } },
                "y": { "Action": "DELETE" },
            });
            let key = json!({ "id": { "S": "1" } });
            let item = json!({ "id": { "S": "1" }, "z": { "S": "x" } });
            for (operation, mut request) in [
                (
                    "UpdateItem",
                    json!({ "Key": key, "AttributeUpdates": updates }),
                ),
                ("UpdateItem", json!({ "Key": key })),
                ("PutItem", json!({ "Item": item })),
                ("DeleteItem", json!({ "Key": key })),
            ] {
                request["TableName"] = "users".into();
                request["Expected"] = expected.clone();
                request["ConditionalOperator"] = operator.into();
                let body = to_expression(request.to_string().into());
                let error = execute(&database(), operation, &body).err();
                let code = error.map(|error| format!("{}: {}", error.code, error.message));
                let code = code.unwrap_or_default();
                assert_eq!(code.is_empty(), is_true, "{operation} {expected}: {code}");
                let failed = code.starts_with("ConditionalCheckFailedException");
                assert_eq!(failed, !is_true, "{operation} {expected}: {code}");
            }
        }
    }

    #[test]
    fn other_writes_stay_as_they_are() {
        let condition = |operator: &str, values: Value| json!({ "a": { "ComparisonOperator": operator, "AttributeValueList": values } });
        let one = json!([{ "S": "x" }]);
        let add_list = json!({ "b": { "Action": "ADD", "Value": { "L": [] } } });
        for request in [
            json!({ "Expected": condition("CONTAINS", one.clone()) }),
            json!({ "Expected": condition("NOT_CONTAINS", json!([])) }),
            json!({ "Expected": condition("NOT_CONTAINS", one.clone()), "AttributeUpdates": add_list }),
            json!({ "Expected": condition("NOT_CONTAINS", one), "ConditionExpression": "a = b" }),
            json!({ "Item": { "NOT_CONTAINS": { "S": "x" } }, "Expected": { "a": { "Exists": false } } }),
        ] {
            let body = to_expression(request.to_string().into());
            assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), request);
        }
    }
}

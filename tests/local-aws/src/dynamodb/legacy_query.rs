//! Queries with `KeyConditions` beside an expression, which DynamoDB accepts and the engine does not.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::engine::to_bytes;

/// Replaces `KeyConditions` by a `KeyConditionExpression`, if the query has another expression.
///
/// A condition that cannot be replaced stays, and the engine says what is wrong.
pub(super) fn to_expression(body: Bytes) -> Bytes {
    let text = String::from_utf8_lossy(&body);
    if !text.contains("KeyConditions") || !text.contains("Expression") {
        return body;
    }
    let Ok(Value::Object(mut query)) = serde_json::from_str(&text) else {
        return body;
    };
    let has_expression = ["FilterExpression", "ProjectionExpression"]
        .iter()
        .any(|name| query.contains_key(*name));
    let Some(expression) = query.get("KeyConditions").and_then(KeyCondition::of) else {
        return body;
    };
    if !has_expression || query.contains_key("KeyConditionExpression") {
        return body;
    }
    query.remove("KeyConditions");
    query.insert("KeyConditionExpression".into(), expression.text.into());
    merge(&mut query, "ExpressionAttributeNames", expression.names);
    merge(&mut query, "ExpressionAttributeValues", expression.values);
    to_bytes(&query).into()
}

fn merge(query: &mut Map<String, Value>, name: &str, more: Map<String, Value>) {
    if let Value::Object(members) = query.entry(name).or_insert_with(|| json!({})) {
        members.extend(more);
    }
}

/// An expression, and what its placeholders stand for.
struct KeyCondition {
    text: String,
    names: Map<String, Value>,
    values: Map<String, Value>,
}

impl KeyCondition {
    fn of(conditions: &Value) -> Option<Self> {
        let mut expression = Self {
            text: String::new(),
            names: Map::new(),
            values: Map::new(),
        };
        for (number, (attribute, condition)) in conditions.as_object()?.iter().enumerate() {
            // No placeholder of a client looks like this.
            let name = format!("#key_condition_{number}");
            let values = condition["AttributeValueList"].as_array()?;
            let placeholders: Vec<_> = (0..values.len())
                .map(|value| format!(":key_condition_{number}_{value}"))
                .collect();
            let operator = condition["ComparisonOperator"].as_str()?;
            let text = match (operator, placeholders.as_slice()) {
                ("EQ", [value]) => format!("{name} = {value}"),
                ("LT", [value]) => format!("{name} < {value}"),
                ("LE", [value]) => format!("{name} <= {value}"),
                ("GT", [value]) => format!("{name} > {value}"),
                ("GE", [value]) => format!("{name} >= {value}"),
                ("BEGINS_WITH", [value]) => format!("begins_with({name}, {value})"),
                ("BETWEEN", [low, high]) => format!("{name} BETWEEN {low} AND {high}"),
                _ => return None,
            };
            if number > 0 {
                expression.text.push_str(" AND ");
            }
            expression.text.push_str(&text);
            expression.names.insert(name, attribute.as_str().into());
            expression
                .values
                .extend(placeholders.into_iter().zip(values.iter().cloned()));
        }
        Some(expression)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(query: &Value) -> Value {
        let body = to_expression(query.to_string().into());
        serde_json::from_slice(&body).unwrap_or_default()
    }

    #[test]
    fn key_conditions_beside_an_expression_become_one() {
        let hash = json!({ "ComparisonOperator": "EQ", "AttributeValueList": [{ "S": "a" }] });
        let range = json!({ "ComparisonOperator": "BETWEEN", "AttributeValueList": [{ "N": "1" }, { "N": "2" }] });
        let query = json!({
            "KeyConditions": { "p": hash, "c": range },
            "FilterExpression": "#x = :x",
            "ExpressionAttributeNames": { "#x": "x" },
            "ExpressionAttributeValues": { ":x": { "S": "y" } },
        });
        let rewritten = rewritten(&query);
        assert!(rewritten.get("KeyConditions").is_none());
        let text = rewritten["KeyConditionExpression"]
            .as_str()
            .unwrap_or_default();
        assert!(text.contains(" BETWEEN ") && text.contains(" = "), "{text}");
        assert_eq!(
            rewritten["ExpressionAttributeNames"]
                .as_object()
                .map(Map::len),
            Some(3)
        );
        assert_eq!(
            rewritten["ExpressionAttributeValues"]
                .as_object()
                .map(Map::len),
            Some(4)
        );
    }

    #[test]
    fn other_queries_stay_as_they_are() {
        let hash = json!({ "ComparisonOperator": "EQ", "AttributeValueList": [{ "S": "a" }] });
        let unknown = json!({ "ComparisonOperator": "NE", "AttributeValueList": [{ "S": "a" }] });
        for query in [
            json!({ "KeyConditions": { "p": hash } }),
            json!({ "KeyConditions": { "p": unknown }, "FilterExpression": "a = :a" }),
            json!({ "KeyConditions": { "p": hash }, "KeyConditionExpression": "p = :p", "FilterExpression": "a = :a" }),
        ] {
            assert_eq!(rewritten(&query), query);
        }
    }
}

//! Functions of constants in conditions, which DynamoDB accepts and the engine does not.
//!
//! `size(:v)` and `attribute_type(:v, :t)` do not depend on the item. They are computed, and the engine gets
//! a condition with the result.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::engine::to_bytes;
use super::expression_tokens::tokens;

/// Replaces the functions of constants in all conditions of a request.
pub(super) fn compute(body: Bytes) -> Bytes {
    let text = String::from_utf8_lossy(&body);
    let has_function = ["size", "attribute_type"]
        .iter()
        .any(|function| text.contains(function));
    if !has_function || !text.contains("Expression") {
        return body;
    }
    let Ok(mut request) = serde_json::from_str(&text) else {
        return body;
    };
    match compute_in(&mut request) {
        true => to_bytes(&request).into(),
        false => body,
    }
}

/// Returns `true` if a condition was changed.
fn compute_in(value: &mut Value) -> bool {
    let members = match value {
        Value::Array(elements) => {
            let changed = elements.iter_mut().map(compute_in);
            // Not `any`, which would leave the elements behind the first one.
            return changed.filter(|changed| *changed).count() > 0;
        }
        Value::Object(members) => members,
        _ => return false,
    };
    let mut changed = false;
    for name in ["ConditionExpression", "FilterExpression"] {
        changed |= compute_condition(members, name).is_some();
    }
    for (name, value) in members {
        // Attributes can have any name.
        if !matches!(&**name, "Item" | "Key" | "ExpressionAttributeValues") {
            changed |= compute_in(value);
        }
    }
    changed
}

/// Returns `None` if the condition has no function of a constant.
fn compute_condition(members: &mut Map<String, Value>, name: &str) -> Option<()> {
    let text = members.get(name)?.as_str()?.to_owned();
    let mut values = members
        .get("ExpressionAttributeValues")?
        .as_object()?
        .clone();
    let tokens: Vec<_> = tokens(&text).collect();
    let mut replaced = Vec::new();
    let mut rest = tokens.as_slice();
    while !rest.is_empty() {
        rest = match rest {
            ["size", "(", value, ")", rest @ ..] if size(&values, value).is_some() => {
                // No placeholder of a client looks like this.
                let placeholder = format!(":bsm_local_aws_{name}_{}", rest.len());
                let size = size(&values, value)?.to_string();
                values.insert(placeholder.clone(), json!({ "N": size }));
                replaced.push(placeholder);
                rest
            }
            ["attribute_type", "(", value, ",", kind, ")", rest @ ..]
                if values.contains_key(*value) && values.contains_key(*kind) =>
            {
                let is_of_kind = values[*value].get(values[*kind]["S"].as_str()?).is_some();
                let not = if is_of_kind { "" } else { "NOT " };
                // Always true without the NOT, and both placeholders remain in use.
                replaced.push(format!("{not}{value} IN ({value}, {kind})"));
                rest
            }
            [token, rest @ ..] => {
                replaced.push((*token).to_owned());
                rest
            }
            [] => rest,
        };
    }
    if replaced == tokens {
        return None;
    }
    members.insert(name.to_owned(), joined(&replaced).into());
    let is_used = |placeholder: &String| {
        let is_expression = |(name, _): &(&String, &Value)| name.ends_with("Expression");
        let mut texts = members
            .iter()
            .filter(is_expression)
            .filter_map(|(_, text)| text.as_str());
        texts.any(|text| self::tokens(text).any(|token| token == placeholder))
    };
    // The engine rejects placeholders that no expression contains. Those that the client did not use
    // remain, and are its fault.
    let computed = |placeholder: &String| tokens.contains(&placeholder.as_str());
    values.retain(|placeholder, _| !computed(placeholder) || is_used(placeholder));
    members.insert("ExpressionAttributeValues".into(), values.into());
    Some(())
}

fn size(values: &Map<String, Value>, placeholder: &str) -> Option<usize> {
    let (kind, value) = values.get(placeholder)?.as_object()?.iter().next()?;
    match (kind.as_str(), value) {
        // In UTF-16, as the engine counts the strings of items.
        ("S", Value::String(text)) => Some(text.encode_utf16().count()),
        ("B", Value::String(text)) => Some(aws_smithy_types::base64::decode(text).ok()?.len()),
        ("SS" | "NS" | "BS" | "L", Value::Array(elements)) => Some(elements.len()),
        ("M", Value::Object(members)) => Some(members.len()),
        _ => None,
    }
}

/// Joins tokens with as few spaces as possible: the length of expressions is limited.
fn joined(tokens: &[String]) -> String {
    let mut joined = String::new();
    for token in tokens {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let begins_word = token.starts_with(|c| is_word(c) || c == '#' || c == ':');
        if begins_word && joined.ends_with(is_word) {
            joined.push(' ');
        }
        joined.push_str(token);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn computed(request: &Value) -> Value {
        let body = compute(request.to_string().into());
        serde_json::from_slice(&body).unwrap()
    }

    #[test]
    fn the_size_of_a_constant_is_a_number() {
        for (value, size) in [
            (json!({ "S": "Zoë" }), "3"),
            (json!({ "B": "YWI=" }), "2"),
            (json!({ "L": [{ "S": "a" }] }), "1"),
            (json!({ "M": {} }), "0"),
        ] {
            let request = json!({
                "ConditionExpression": "size(a[1].b)>size(:v)",
                "ExpressionAttributeValues": { ":v": value },
            });
            let computed = computed(&request);
            let values = computed["ExpressionAttributeValues"].as_object().unwrap();
            let (placeholder, value) = values.iter().next().unwrap();
            assert_eq!((values.len(), value), (1, &json!({ "N": size })));
            let condition = format!("size(a[1].b)>{placeholder}");
            assert_eq!(computed["ConditionExpression"], condition);
        }
    }

    #[test]
    fn the_type_of_a_constant_is_known() {
        let type_of = |kind: &str| {
            computed(&json!({
                "FilterExpression": "attribute_type(:v, :t) OR a = :v",
                "ExpressionAttributeValues": { ":v": { "N": "1" }, ":t": { "S": kind } },
            }))
        };
        assert_eq!(type_of("N")["FilterExpression"], ":v IN (:v, :t)OR a=:v");
        assert_eq!(
            type_of("S")["FilterExpression"],
            "NOT :v IN (:v, :t)OR a=:v"
        );
    }

    #[test]
    fn other_requests_and_unused_values_stay_as_they_are() {
        let values = json!({ ":v": { "S": "a" }, ":n": { "N": "1" }, ":unused": { "S": "b" } });
        for condition in [
            "size(a) = :n",
            "size(:n) = :n",
            "attribute_type(a, :v)",
            "a = :v",
        ] {
            let request =
                json!({ "ConditionExpression": condition, "ExpressionAttributeValues": values });
            assert_eq!(computed(&request), request);
        }
        let request = json!({ "TransactItems": [{ "Put": {
            "ConditionExpression": "size(:v) = :n", "ExpressionAttributeValues": values,
        } }] });
        let values =
            computed(&request)["TransactItems"][0]["Put"]["ExpressionAttributeValues"].take();
        assert!(values.get(":unused").is_some() && values.get(":v").is_none());
        let item = json!({ "Item": request });
        assert_eq!(computed(&item), item);
    }
}

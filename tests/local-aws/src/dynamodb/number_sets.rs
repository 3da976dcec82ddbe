//! The numbers of sets, which are equal however they are written.
//!
//! The engine compares the members of sets as text.

use bytes::Bytes;
use dynoxide::types::normalize_dynamo_number;
use serde_json::Value;

use super::engine::to_bytes;

/// Writes the numbers of all sets in a request as DynamoDB returns them.
pub(super) fn normalize(body: Bytes) -> Bytes {
    let text = String::from_utf8_lossy(&body);
    if !text.contains("\"NS\"") {
        return body;
    }
    let Ok(mut request) = serde_json::from_str(&text) else {
        return body;
    };
    match normalize_in(&mut request) {
        true => to_bytes(&request).into(),
        false => body,
    }
}

/// Returns `true` if a number was changed.
fn normalize_in(value: &mut Value) -> bool {
    let mut changed = false;
    match value {
        Value::Array(elements) => elements
            .iter_mut()
            .for_each(|element| changed |= normalize_in(element)),
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    // An attribute with this name has an object as its value.
                    Value::Array(numbers) if name == "NS" => {
                        for number in numbers {
                            changed |= normalize_number(number);
                        }
                    }
                    value => changed |= normalize_in(value),
                }
            }
        }
        _ => {}
    }
    changed
}

fn normalize_number(number: &mut Value) -> bool {
    let Some(text) = number.as_str() else {
        return false;
    };
    // The engine rejects what is no number, or is too large or precise, and says which.
    let magnitude = text.parse::<f64>().unwrap_or(f64::NAN).abs();
    let is_plain = magnitude == 0.0 || (1e-130..1e126).contains(&magnitude);
    if text.len() > 38 || !is_plain {
        return false;
    }
    let normal = normalize_dynamo_number(text);
    let changed = normal != text;
    *number = normal.into();
    changed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_in_sets_have_one_form() {
        let request = json!({
            "Item": { "a": { "NS": ["1.0", "2e1", "-0.50"] }, "NS": { "L": [{ "NS": ["007"] }] } },
            "ExpressionAttributeValues": { ":v": { "NS": ["dog", "NaN", "3"] }, ":n": { "N": "1.0" } },
        });
        let body = normalize(request.to_string().into());
        let normal: Value = serde_json::from_slice(&body).unwrap();
        let expected = json!({
            "Item": { "a": { "NS": ["1", "20", "-0.5"] }, "NS": { "L": [{ "NS": ["7"] }] } },
            "ExpressionAttributeValues": { ":v": { "NS": ["dog", "NaN", "3"] }, ":n": { "N": "1.0" } },
        });
        assert_eq!(normal, expected);
    }
}

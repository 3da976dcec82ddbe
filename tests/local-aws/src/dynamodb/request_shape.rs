//! What no request may look like, whatever the operation.

use dynoxide::DynoxideError;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::engine::{engine_error, validation_error};
use crate::response::ErrorResponse;

/// Checks the JSON of a request. The engine reports what is no JSON at all.
pub(super) fn check(body: &[u8]) -> Result<(), ErrorResponse> {
    check_is_object(body)?;
    check_attributes_to_get(body)
}

fn check_is_object(body: &[u8]) -> Result<(), ErrorResponse> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'{') || serde_json::from_slice::<IgnoredAny>(body).is_err() {
        return Ok(());
    }
    let message = "Start of structure or map found where not expected";
    let error = DynoxideError::SerializationException(message.to_owned());
    Err(engine_error(error))
}

fn check_attributes_to_get(body: &[u8]) -> Result<(), ErrorResponse> {
    if !String::from_utf8_lossy(body).contains("AttributesToGet") {
        return Ok(());
    }
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    match has_no_attributes(&request) {
        true => Err(validation_error(
            "1 validation error detected: Value '[]' at 'attributesToGet' failed to satisfy constraint: Member \
             must have length greater than or equal to 1",
        )),
        false => Ok(()),
    }
}

fn has_no_attributes(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.iter().any(|(name, value)| {
            let is_empty = value.as_array().is_some_and(Vec::is_empty);
            name == "AttributesToGet" && is_empty || has_no_attributes(value)
        }),
        Value::Array(elements) => elements.iter().any(has_no_attributes),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_an_object() {
        for (body, is_right) in [
            ("{}", true),
            (" {\"TableName\": \"users\"}", true),
            ("[]", false),
            (" null", false),
            ("\"users\"", false),
            ("1", false),
            // No JSON: the engine's to report.
            ("", true),
            ("nul", true),
            ("[", true),
        ] {
            assert_eq!(check(body.as_bytes()).is_ok(), is_right, "{body:?}");
        }
    }

    #[test]
    fn attributes_to_get_are_at_least_one() {
        for (body, is_right) in [
            (r#"{"AttributesToGet": ["a"]}"#, true),
            (r#"{"AttributesToGet": []}"#, false),
            (
                r#"{"RequestItems": {"users": {"AttributesToGet": []}}}"#,
                false,
            ),
            (r#"{"Item": {"AttributesToGet": {"L": []}}}"#, true),
        ] {
            assert_eq!(check(body.as_bytes()).is_ok(), is_right, "{body}");
        }
    }
}

//! DynamoDB's limits on expressions, checked before the engine parses a request.
//!
//! The engine parses and evaluates expressions recursively and without a limit, so an expression of a
//! few kilobytes can overflow its stack, which aborts the process. Every operator, parenthesis and path
//! element costs the engine stack, and DynamoDB limits all of them. The limits are those of
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::engine::validation_error;
use super::expression_tokens::{is_name, tokens};
use crate::response::ErrorResponse;

/// The maximum size of an expression, in bytes.
const MAX_SIZE: usize = 4_096;

/// The maximum number of operators in an expression, and of operators and functions in an
/// UpdateExpression.
const MAX_OPERATORS: usize = 300;

/// The maximum number of operands of `IN`.
const MAX_IN_OPERANDS: usize = 100;

/// The maximum number of elements of a document path: attributes nest up to 32 levels.
const MAX_PATH_ELEMENTS: usize = 32;

/// The maximum depth of parentheses. DynamoDB has no such limit, but it rejects redundant parentheses,
/// and a pair that is not redundant contains an operator of its own.
const MAX_DEPTH: usize = MAX_OPERATORS;

/// Checks all expressions in a request: string members whose name ends with `Expression`, at any depth,
/// and therefore also those of transactions and batches.
///
/// # Errors
///
/// A ValidationException for the first expression that exceeds a limit.
pub(super) fn check(body: &[u8]) -> Result<(), ErrorResponse> {
    // Most writes contain no expression. The name of a member may be written with escapes.
    let text = String::from_utf8_lossy(body);
    if !text.contains("Expression") && !text.contains('\\') {
        return Ok(());
    }
    let mut violation = None;
    let mut json = serde_json::Deserializer::from_str(&text);
    // The engine reports invalid JSON. serde_json limits the depth of JSON to 128 levels.
    let _ = Expressions(&mut violation).deserialize(&mut json);
    violation.map_or(Ok(()), |violation| Err(validation_error(violation)))
}

/// Visits JSON without building a tree and stores the first violation.
struct Expressions<'a>(&'a mut Option<String>);

impl<'de> DeserializeSeed<'de> for Expressions<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Expressions<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            if name.ends_with("Expression") {
                map.next_value_seed(Expression {
                    name: &name,
                    violation: self.0,
                })?;
            } else {
                map.next_value_seed(Expressions(self.0))?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Expressions(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// The value of a member whose name ends with `Expression`.
struct Expression<'a> {
    name: &'a str,
    violation: &'a mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for Expression<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Expression<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an expression")
    }

    fn visit_str<E>(self, expression: &str) -> Result<(), E> {
        // DynamoDB reports one violation, and this reports the first one in the request.
        if self.violation.is_none() {
            *self.violation = violation(self.name, expression);
        }
        Ok(())
    }

    // The name of an attribute may also end like that. Its value is an object.
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        Expressions(self.violation).visit_map(map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        Expressions(self.violation).visit_seq(seq)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Returns the message of the first limit that an expression exceeds.
fn violation(name: &str, expression: &str) -> Option<String> {
    if expression.len() > MAX_SIZE {
        let size = expression.len();
        return Some(format!(
            "Invalid {name}: Expression size has exceeded the maximum allowed size; expression size: {size}"
        ));
    }
    let usage = Usage::of(expression, name == "UpdateExpression");
    let reason = if usage.operators > MAX_OPERATORS {
        // DynamoDB stops counting at the first operator that is too many.
        let first = MAX_OPERATORS + 1;
        format!("The expression contains too many operators; operator count: {first}")
    } else if usage.in_operands > MAX_IN_OPERANDS {
        let count = usage.in_operands;
        format!("The IN operator is provided with too many operands; number of operands: {count}")
    } else if usage.path_elements > MAX_PATH_ELEMENTS {
        let levels = usage.path_elements;
        format!("The document path has too many nesting levels; nesting levels: {levels}")
    } else if usage.depth > MAX_DEPTH && usage.is_balanced {
        // Only balanced parentheses can be redundant. Others are a syntax error at the end.
        "The expression has redundant parentheses;".to_owned()
    } else if usage.depth > MAX_DEPTH {
        r#"Syntax error; token: "<EOF>", near: "(""#.to_owned()
    } else {
        return None;
    };
    Some(format!("Invalid {name}: {reason}"))
}

/// How much of each limit an expression uses.
#[derive(Debug, Default)]
struct Usage {
    operators: usize,
    /// The largest number of operands of an `IN`.
    in_operands: usize,
    /// The length of the longest path.
    path_elements: usize,
    /// The maximum depth of parentheses.
    depth: usize,
    is_balanced: bool,
}

impl Usage {
    fn of(expression: &str, is_update: bool) -> Self {
        let mut usage = Self::default();
        let mut path = 0;
        let mut depth = 0;
        // The depth of the parentheses of the current `IN`, and the number of its operands so far.
        let mut in_list = None;
        let mut open_betweens = 0;
        let mut previous = "";
        let mut tokens = tokens(expression).peekable();
        while let Some(token) = tokens.next() {
            match token {
                "(" => {
                    depth += 1;
                    usage.depth = usage.depth.max(depth);
                    if previous.eq_ignore_ascii_case("in") {
                        in_list = Some((depth, 1));
                    }
                }
                ")" => {
                    in_list = in_list.filter(|&(list, _)| list != depth);
                    // An expression with a surplus parenthesis is invalid, whatever follows.
                    depth = depth.saturating_sub(1);
                }
                "," => in_list = in_list.map(|(list, operands)| (list, operands + 1)),
                "[" => path += 1,
                "+" | "-" => usage.operators += 1,
                "<" | ">" | "<=" | ">=" | "<>" => usage.operators += 1,
                // In an UpdateExpression the equals sign is an assignment.
                "=" => usage.operators += usize::from(!is_update),
                _ if is_name(token) => {
                    path = if previous == "." { path + 1 } else { 1 };
                    let is_function = tokens.peek() == Some(&"(");
                    match token.to_ascii_uppercase().as_str() {
                        // DynamoDB limits functions only in an UpdateExpression.
                        _ if is_update => usage.operators += usize::from(is_function),
                        "BETWEEN" => {
                            usage.operators += 1;
                            open_betweens += 1;
                        }
                        // The AND that separates the operands of BETWEEN is not an operator.
                        "AND" if open_betweens > 0 => open_betweens -= 1,
                        "AND" | "OR" | "NOT" | "IN" => usage.operators += 1,
                        _ => {}
                    }
                }
                _ => {}
            }
            usage.path_elements = usage.path_elements.max(path);
            if let Some((_, operands)) = in_list {
                usage.in_operands = usage.in_operands.max(operands);
            }
            previous = token;
        }
        usage.is_balanced = depth == 0;
        usage
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(name: &str, expression: &str) -> Option<String> {
        let error = check(json!({ name: expression }).to_string().as_bytes()).err()?;
        Some(error.message)
    }

    #[test]
    fn an_expression_has_at_most_300_operators() {
        let condition = |comparisons: usize| vec!["a < b"; comparisons].join(" OR ");
        assert_eq!(message("FilterExpression", &condition(150)), None);
        assert_eq!(
            message("FilterExpression", &condition(151)).as_deref(),
            Some(
                "Invalid FilterExpression: The expression contains too many operators; operator \
                 count: 301"
            )
        );
        assert_eq!(message("FilterExpression", &"NOT ".repeat(300)), None);
        assert!(message("FilterExpression", &"NOT ".repeat(301)).is_some());
    }

    #[test]
    fn functions_count_as_operators_only_in_an_update() {
        let set = |count: usize| format!("SET {}", vec!["a=f(b)"; count].join(","));
        assert_eq!(message("UpdateExpression", &set(300)), None);
        assert!(message("UpdateExpression", &set(301)).is_some());
        let condition = "f(f(".repeat(150);
        assert_eq!(message("ConditionExpression", &condition), None);
    }

    #[test]
    fn the_and_of_between_is_not_an_operator() {
        let condition = vec!["a between :b and :c"; 150].join(" or ");
        assert_eq!(message("FilterExpression", &condition), None);
        let condition = format!("{condition} or not a = :b");
        assert!(message("FilterExpression", &condition).is_some());
    }

    #[test]
    fn in_has_at_most_100_operands() {
        let condition =
            |operands: usize| format!("a IN ({}) AND size(b) = :c", vec![":v"; operands].join(","));
        assert_eq!(message("ConditionExpression", &condition(100)), None);
        assert_eq!(
            message("ConditionExpression", &condition(101)).as_deref(),
            Some(
                "Invalid ConditionExpression: The IN operator is provided with too many operands; \
                 number of operands: 101"
            )
        );
    }

    #[test]
    fn a_path_has_at_most_32_elements() {
        assert_eq!(
            message("ProjectionExpression", &format!("a{}, b", ".b".repeat(31))),
            None
        );
        for path in [
            format!("a{}", ".b".repeat(32)),
            format!("a{}", "[1]".repeat(32)),
        ] {
            assert_eq!(
                message("ProjectionExpression", &path).as_deref(),
                Some(
                    "Invalid ProjectionExpression: The document path has too many nesting levels; \
                     nesting levels: 33"
                )
            );
        }
    }

    #[test]
    fn parentheses_nest_at_most_300_levels() {
        let nested = |depth: usize| format!("{}a = :b{}", "(".repeat(depth), ")".repeat(depth));
        assert_eq!(message("ConditionExpression", &nested(300)), None);
        assert!(
            message("ConditionExpression", &nested(301))
                .unwrap_or_default()
                .contains("redundant")
        );
        assert!(
            message("ConditionExpression", &"(".repeat(301))
                .unwrap_or_default()
                .contains("Syntax error")
        );
    }

    #[test]
    fn expressions_are_found_at_any_depth_and_with_escaped_names() {
        let condition = "NOT ".repeat(301);
        let transaction =
            json!({ "TransactItems": [{ "Put": { "ConditionExpression": condition } }] });
        assert!(check(transaction.to_string().as_bytes()).is_err());
        let escaped = format!(r#"{{"Condition\u0045xpression": "{condition}"}}"#);
        assert!(check(escaped.as_bytes()).is_err());
    }

    #[test]
    fn an_attribute_called_like_an_expression_is_not_checked() {
        let item = json!({ "Item": { "MyExpression": { "S": "NOT ".repeat(301) } } });
        assert!(check(item.to_string().as_bytes()).is_ok());
    }
}

//! The operands of conditions, checked before any item is looked at.
//!
//! The engine compares whatever it finds with each other; DynamoDB refuses a value that an operator or a
//! function never has a use for. The rules are those of
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html>
//! and
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.Conditions.html>.

mod legacy;

use std::cmp::Ordering;

use serde_json::Value;

use super::engine::validation_error;
use super::expression_tokens::{PathElement, is_name, path_at, tokens};
use crate::response::ErrorResponse;

const COMPARATORS: [&str; 6] = ["=", "<>", "<", "<=", ">", ">="];

/// The types that have an order.
const ORDERED: [&str; 3] = ["S", "N", "B"];

/// The types that `attribute_type` accepts, in the order of DynamoDB's message.
const TYPES: [&str; 10] = ["B", "NULL", "SS", "BOOL", "L", "BS", "N", "NS", "S", "M"];

/// Checks all conditions in a request, at any depth, and therefore also those of transactions.
///
/// # Errors
///
/// A ValidationException for the first operand that DynamoDB refuses.
pub(super) fn check(body: &[u8]) -> Result<(), ErrorResponse> {
    let text = String::from_utf8_lossy(body);
    let has_condition = ["Expression", "ComparisonOperator", "\\"]
        .iter()
        .any(|mark| text.contains(mark));
    if !has_condition {
        return Ok(());
    }
    // The engine reports invalid JSON.
    let request: Value = serde_json::from_str(&text).unwrap_or_default();
    check_value(&request).map_err(validation_error)
}

fn check_value(value: &Value) -> Result<(), String> {
    let members = match value {
        Value::Array(elements) => return elements.iter().try_for_each(check_value),
        Value::Object(members) => members,
        _ => return Ok(()),
    };
    if let Some(operator) = members.get("ComparisonOperator").and_then(Value::as_str) {
        let values = match (members.get("AttributeValueList"), members.get("Value")) {
            (Some(list), _) => list.as_array().map(Vec::as_slice).unwrap_or_default(),
            (None, Some(one)) => std::slice::from_ref(one),
            (None, None) => &[],
        };
        return legacy::check(operator, values);
    }
    let values = members.get("ExpressionAttributeValues");
    for (name, value) in members {
        match value.as_str() {
            Some(text) if name == "ConditionExpression" || name == "FilterExpression" => {
                let condition = Condition {
                    names: members
                        .get("ExpressionAttributeNames")
                        .unwrap_or(&Value::Null),
                    values: values.unwrap_or(&Value::Null),
                    tokens: tokens(text).collect(),
                };
                condition
                    .check()
                    .map_err(|reason| format!("Invalid {name}: {reason}"))?;
            }
            // An item, or the values of an expression, have no conditions in them.
            _ if matches!(&**name, "Item" | "Key" | "ExpressionAttributeValues") => {}
            _ => check_value(value)?,
        }
    }
    Ok(())
}

/// A condition or filter, and the names and values that its placeholders stand for.
struct Condition<'a> {
    names: &'a Value,
    values: &'a Value,
    tokens: Vec<&'a str>,
}

impl Condition<'_> {
    fn check(&self) -> Result<(), String> {
        for (at, token) in self.tokens.iter().enumerate() {
            if COMPARATORS.contains(token) {
                self.check_distinct(at)?;
            }
            let word = token.to_ascii_uppercase();
            match word.as_str() {
                "<" | "<=" | ">" | ">=" => {
                    let before = at.checked_sub(1).and_then(|at| self.constant(at));
                    for constant in [before, self.constant(at + 1)].into_iter().flatten() {
                        constant.check_type(token, &ORDERED)?;
                    }
                }
                "BETWEEN" => self.check_between(at)?,
                // Parentheses behind them don't make them functions.
                "IN" | "AND" | "OR" | "NOT" => {}
                _ if is_name(token) && self.tokens.get(at + 1) == Some(&"(") => {
                    self.check_function(token, &self.arguments(at + 2))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Checks that the comparator at `at` has not the same path on both sides.
    fn check_distinct(&self, at: usize) -> Result<(), String> {
        let path = |at: usize| path_at(&self.tokens, at, self.names);
        let is_path = |at: usize| self.tokens.get(at).is_some_and(|token| is_name(token));
        let right = path(at + 1);
        // A name is one token, or two with its dot, and an index is three.
        let length = |element: &PathElement| match element {
            PathElement::Name(_) => 2,
            PathElement::Index(_) => 3,
        };
        let tokens = right.iter().map(length).sum::<usize>().saturating_sub(1);
        let Some(left) = at.checked_sub(tokens).filter(|left| is_path(*left)) else {
            return Ok(());
        };
        let is_whole = left == 0 || self.tokens[left - 1] != ".";
        if !is_path(at + 1) || !is_whole || path(left) != right {
            return Ok(());
        }
        Err(format!(
            "The first operand must be distinct from the remaining operands for this operator or function; \
             operator: {}, operand: [{}]",
            self.tokens[at],
            self.tokens[left..at].join("")
        ))
    }

    /// Checks `x BETWEEN low AND high`, whose first two words are at `at`.
    fn check_between(&self, at: usize) -> Result<(), String> {
        let is_and = |token: &&str| token.eq_ignore_ascii_case("AND");
        let and = self.tokens[at..].iter().position(is_and);
        let high = and.and_then(|and| self.constant(at + and + 1));
        let low = and
            .filter(|and| *and == 2)
            .and_then(|_| self.constant(at + 1));
        let operand = at.checked_sub(1).and_then(|at| self.constant(at));
        for constant in [operand, low, high].into_iter().flatten() {
            constant.check_type("BETWEEN", &ORDERED)?;
        }
        let (Some(low), Some(high)) = (low, high) else {
            return Ok(());
        };
        let problem = match low.order(&high) {
            None => "same data type for lower and upper bounds",
            Some(Ordering::Greater) => "upper bound to be greater than or equal to lower bound",
            Some(_) => return Ok(()),
        };
        let shown = |constant: Constant<'_>| format!("{{{}:{}}}", constant.kind, constant.text());
        Err(format!(
            "The BETWEEN operator requires {problem}; lower bound operand: AttributeValue: {}, upper bound \
             operand: AttributeValue: {}",
            shown(low),
            shown(high)
        ))
    }

    fn check_function(&self, function: &str, arguments: &[usize]) -> Result<(), String> {
        let expected = match function {
            "attribute_exists" | "attribute_not_exists" | "size" => 1,
            "attribute_type" | "begins_with" | "contains" => 2,
            "if_not_exists" | "list_append" => {
                return Err(format!(
                    "The function is not allowed in a condition expression; function: {function}"
                ));
            }
            // The engine names it.
            _ => return Ok(()),
        };
        if arguments.len() != expected {
            return Err(format!(
                "Incorrect number of operands for operator or function; operator or function: {function}, \
                 number of operands: {}",
                arguments.len()
            ));
        }
        let constants = arguments.iter().map(|at| self.constant(*at));
        let constants: Vec<_> = constants.collect();
        match function {
            "attribute_exists" | "attribute_not_exists" if constants[0].is_some() => Err(format!(
                "Operator or function requires a document path; operator or function: {function}"
            )),
            "begins_with" => {
                let mut constants = constants.iter().flatten();
                constants.try_for_each(|constant| constant.check_type(function, &["S", "B"]))
            }
            "size" => {
                let sized = ["S", "B", "SS", "NS", "BS", "L", "M"];
                let mut constants = constants.iter().flatten();
                constants.try_for_each(|constant| constant.check_type(function, &sized))
            }
            "attribute_type" => {
                let Some(constant) = constants[1] else {
                    return Err(format!(
                        "Incorrect operand type for operator or function; operator or function: {function}, \
                         operand type: {{attribute path}}"
                    ));
                };
                constant.check_type(function, &["S"])?;
                match TYPES.contains(&constant.text()) {
                    true => Ok(()),
                    false => Err(format!(
                        "Invalid attribute type name found; type: {}, valid types: {{{}}}",
                        constant.text(),
                        TYPES.join(",")
                    )),
                }
            }
            _ => Ok(()),
        }
    }

    /// Returns where each argument begins, of those that begin at `at`.
    fn arguments(&self, at: usize) -> Vec<usize> {
        let mut arguments = Vec::new();
        let (mut depth, mut begins) = (0, true);
        for (at, token) in self.tokens.iter().enumerate().skip(at) {
            match *token {
                ")" if depth == 0 => break,
                "," if depth == 0 => {
                    begins = true;
                    continue;
                }
                ")" => depth -= 1,
                "(" => depth += 1,
                _ => {}
            }
            if begins {
                arguments.push(at);
                begins = false;
            }
        }
        arguments
    }

    /// Returns the value that the token at `at` stands for; `None` if it is no placeholder of one.
    fn constant(&self, at: usize) -> Option<Constant<'_>> {
        let name = self.tokens.get(at)?;
        Constant::of(self.values.get(name)?)
    }
}

/// A value in a request.
#[derive(Clone, Copy)]
struct Constant<'a> {
    kind: &'a str,
    value: &'a Value,
}

impl<'a> Constant<'a> {
    fn of(value: &'a Value) -> Option<Self> {
        let (kind, value) = value.as_object()?.iter().next()?;
        Some(Self { kind, value })
    }

    fn text(&self) -> &'a str {
        self.value.as_str().unwrap_or_default()
    }

    fn check_type(&self, operator: &str, allowed: &[&str]) -> Result<(), String> {
        if allowed.contains(&self.kind) {
            return Ok(());
        }
        Err(format!(
            "Incorrect operand type for operator or function; operator or function: {operator}, operand type: {}",
            self.kind
        ))
    }

    /// Compares two values of one type; `None` if the types differ.
    fn order(&self, other: &Self) -> Option<Ordering> {
        let (one, other) = match (self.kind == other.kind, self.kind) {
            (false, _) => return None,
            (true, "N") => {
                let number = |text: &str| text.parse::<f64>().unwrap_or_default();
                let order = number(self.text()).partial_cmp(&number(other.text()));
                return Some(order.unwrap_or(Ordering::Equal));
            }
            (true, "B") => (bytes(self.text()), bytes(other.text())),
            (true, _) => (self.text().into(), other.text().into()),
        };
        Some(one.cmp(&other))
    }
}

fn bytes(base64: &str) -> Vec<u8> {
    aws_smithy_types::base64::decode(base64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Returns the message about a condition in which `:S` is a string, `:N` a number, and so forth.
    fn message(condition: &str) -> Option<String> {
        let request = json!({
            "ConditionExpression": condition,
            "ExpressionAttributeValues": {
                ":S": { "S": "b" }, ":S2": { "S": "a" }, ":N": { "N": "10" }, ":N2": { "N": "9" },
                ":B": { "B": "Yg==" }, ":B2": { "B": "YQ==" }, ":BOOL": { "BOOL": true },
                ":NULL": { "NULL": true }, ":SS": { "SS": ["a"] }, ":L": { "L": [] }, ":M": { "M": {} },
                ":DOG": { "S": "DOG" },
            },
        });
        check(request.to_string().as_bytes())
            .err()
            .map(|error| error.message)
    }

    #[test]
    fn a_comparison_has_two_operands_that_differ() {
        for condition in ["a = a", "b = :S AND a.b[1] <= a.b[1]", "NOT (a <> a)"] {
            let message = message(condition).unwrap_or_default();
            assert!(
                message.contains("must be distinct"),
                "{condition}: {message}"
            );
        }
        for condition in [
            "a = b",
            "a.b = b",
            "a[1] = a[2]",
            "size(a) = a",
            "a = size(a)",
            "a.b = a",
        ] {
            assert_eq!(message(condition), None, "{condition}");
        }
    }

    #[test]
    fn an_order_needs_a_string_a_number_or_a_binary() {
        for operator in ["<", "<=", ">", ">="] {
            for kind in ["S", "N", "B"] {
                assert_eq!(message(&format!("a {operator} :{kind}")), None);
            }
            for kind in ["BOOL", "NULL", "SS", "L", "M"] {
                for condition in [
                    format!("a {operator} :{kind}"),
                    format!(":{kind}{operator}a"),
                    format!("NOT (b = :S AND a {operator} :{kind})"),
                    format!("a BETWEEN :{kind} AND b"),
                    format!("a BETWEEN b AND :{kind}"),
                ] {
                    let message = message(&condition).unwrap();
                    assert!(
                        message.ends_with(&format!("operand type: {kind}")),
                        "{message}"
                    );
                }
            }
        }
        for equality in ["a = :BOOL", "a <> :M", "a IN (:NULL, :SS)"] {
            assert_eq!(message(equality), None);
        }
    }

    #[test]
    fn the_bounds_of_between_are_of_one_type_and_in_order() {
        for kind in ["S", "N", "B"] {
            assert_eq!(
                message(&format!("a between :{kind}2 and :{kind} or b = :S")),
                None
            );
            assert_eq!(message(&format!("a between :{kind} and :{kind}")), None);
            let reversed = message(&format!("a between :{kind} and :{kind}2")).unwrap();
            assert!(reversed.contains("upper bound to be greater"), "{reversed}");
        }
        let mixed = message("a between :S and :N").unwrap();
        assert!(mixed.contains("same data type"), "{mixed}");
        assert_eq!(
            message("a between size(b) and :N AND c between d and e"),
            None
        );
    }

    #[test]
    fn functions_have_as_many_operands_and_of_such_types_as_they_take() {
        for (condition, expected) in [
            ("attribute_exists(a)", None),
            ("attribute_exists(:S)", Some("requires a document path")),
            (
                "attribute_not_exists(a.b, c)",
                Some("number of operands: 2"),
            ),
            ("begins_with(a, :S) OR begins_with(a, :B)", None),
            ("begins_with(a, :N)", Some("begins_with, operand type: N")),
            ("begins_with(a)", Some("number of operands: 1")),
            ("contains(a, :M)", None),
            ("size(a) > :N", None),
            ("size(:N) > :N", Some("size, operand type: N")),
            ("size(a, b) > :N", Some("number of operands: 2")),
            (
                "attribute_type(a, :S)",
                Some("type: b, valid types: {B,NULL,SS"),
            ),
            ("attribute_type(a, :DOG)", Some("type: DOG")),
            ("attribute_type(a, :N)", Some("operand type: N")),
            ("attribute_type(a, b)", Some("{attribute path}")),
            ("if_not_exists(a, :S)", Some("not allowed")),
            ("a IN (:S, :N)", None),
            ("NOT (a = :S)", None),
        ] {
            let found = message(condition);
            match expected {
                None => assert_eq!(found, None, "{condition}"),
                Some(part) => assert!(
                    found.as_deref().is_some_and(|it| it.contains(part)),
                    "{condition}: {found:?}"
                ),
            }
        }
    }

    #[test]
    fn a_legacy_condition_may_have_no_value_or_one_or_a_list() {
        for (condition, is_right) in [
            (json!({ "ComparisonOperator": "NULL" }), true),
            (
                json!({ "ComparisonOperator": "LT", "Value": { "N": "1" } }),
                true,
            ),
            (
                json!({ "ComparisonOperator": "LT", "Value": { "NULL": true } }),
                false,
            ),
            (
                json!({ "ComparisonOperator": "LT", "AttributeValueList": [{ "L": [] }] }),
                false,
            ),
        ] {
            let request = json!({ "Expected": { "a": condition } }).to_string();
            assert_eq!(check(request.as_bytes()).is_ok(), is_right, "{request}");
        }
    }

    #[test]
    fn conditions_are_found_in_transactions_and_not_in_items() {
        let values = json!({ ":v": { "BOOL": true } });
        let put = json!({ "ConditionExpression": "a < :v", "ExpressionAttributeValues": values });
        let transaction = json!({ "TransactItems": [{ "Put": put }] });
        assert!(check(transaction.to_string().as_bytes()).is_err());
        let item = json!({ "Item": { "ConditionExpression": { "S": "a < :v" } } });
        assert!(check(item.to_string().as_bytes()).is_ok());
    }
}

//! The words and paths of expressions that DynamoDB rejects and the engine accepts.

use serde_json::Value;

use super::engine::enveloped;
use super::expression_tokens::{PathElement, is_name, projected, targets, tokens};
use crate::response::ErrorResponse;

const EXPRESSIONS: [&str; 5] = [
    "ConditionExpression",
    "FilterExpression",
    "KeyConditionExpression",
    "ProjectionExpression",
    "UpdateExpression",
];

/// The functions of all expressions. Unlike keywords, their names are case-sensitive.
const FUNCTIONS: [&str; 8] = [
    "attribute_exists",
    "attribute_not_exists",
    "attribute_type",
    "begins_with",
    "contains",
    "if_not_exists",
    "list_append",
    "size",
];

/// Checks all expressions in a request, at any depth, and therefore also those of transactions.
///
/// # Errors
///
/// A ValidationException for the first expression that DynamoDB rejects.
pub(super) fn check(operation: &str, body: &[u8]) -> Result<(), ErrorResponse> {
    let text = String::from_utf8_lossy(body);
    if !text.contains("Expression") && !text.contains('\\') {
        return Ok(());
    }
    // The engine reports invalid JSON.
    let request: Value = serde_json::from_str(&text).unwrap_or_default();
    check_value(&request).map_err(|message| enveloped(operation, message))
}

fn check_value(value: &Value) -> Result<(), String> {
    let members = match value {
        Value::Array(elements) => return elements.iter().try_for_each(check_value),
        Value::Object(members) => members,
        _ => return Ok(()),
    };
    for (name, value) in members {
        match value.as_str() {
            Some(text) if EXPRESSIONS.contains(&&**name) => {
                let expression = Expression {
                    name,
                    text,
                    tokens: tokens(text).collect(),
                    names: members
                        .get("ExpressionAttributeNames")
                        .unwrap_or(&Value::Null),
                };
                let checked = expression.check();
                checked.map_err(|reason| format!("Invalid {name}: {reason}"))?;
            }
            // Attributes can have any name.
            _ if matches!(&**name, "Item" | "Key" | "ExpressionAttributeValues") => {}
            _ => check_value(value)?,
        }
    }
    Ok(())
}

struct Expression<'a> {
    name: &'a str,
    text: &'a str,
    tokens: Vec<&'a str>,
    names: &'a Value,
}

impl Expression<'_> {
    fn check(&self) -> Result<(), String> {
        for at in 0..self.tokens.len() {
            self.check_first_character(at)?;
            self.check_function_name(at)?;
            self.check_index(at)?;
            self.check_key_operator(at)?;
        }
        match self.name {
            "ProjectionExpression" => self.check_projection()?,
            "UpdateExpression" => self.check_nesting()?,
            _ => {}
        }
        self.check_conflicts()
    }

    /// Names and functions begin with a letter; only placeholders may have an underscore there.
    fn check_first_character(&self, at: usize) -> Result<(), String> {
        let token = self.tokens[at];
        if !token.starts_with('_') {
            return Ok(());
        }
        // For DynamoDB the underscore is a token of its own, and so is what follows it.
        let start = self.offset(at.checked_sub(1).map_or(token, |at| self.tokens[at]));
        let rest = &token[1..];
        let end = match rest.chars().next() {
            Some('_') => self.offset(rest) + 1,
            Some(first) => {
                let is_number = first.is_ascii_digit();
                let length = rest.find(|c: char| is_number && !c.is_ascii_digit());
                self.offset(rest) + length.unwrap_or(rest.len())
            }
            None => self.end_of(at + 1),
        };
        Err(unexpected("_", &self.text[start..end]))
    }

    fn check_function_name(&self, at: usize) -> Result<(), String> {
        let token = self.tokens[at];
        let lowercase = token.to_ascii_lowercase();
        let is_function = self.tokens.get(at + 1) == Some(&"(");
        if is_function && token != lowercase && FUNCTIONS.contains(&&*lowercase) {
            return Err(format!("Invalid function name; function: {token}"));
        }
        Ok(())
    }

    fn check_index(&self, at: usize) -> Result<(), String> {
        let token = self.tokens[at];
        let is_index = at > 0
            && self.tokens[at - 1] == "["
            && token.chars().all(|digit| digit.is_ascii_digit());
        if is_index && token.parse::<i32>().is_err() {
            return Err(format!(
                "List index is not within the allowable range; index: [{token}]"
            ));
        }
        Ok(())
    }

    /// `NOT` and `OR` are part of the grammar, but not of key conditions.
    fn check_key_operator(&self, at: usize) -> Result<(), String> {
        let word = self.tokens[at].to_ascii_uppercase();
        if self.name == "KeyConditionExpression" && matches!(&*word, "NOT" | "OR") {
            return Err(format!(
                "Invalid operator used in KeyConditionExpression: {word}"
            ));
        }
        Ok(())
    }

    /// Checks that no `list_append` has another one in it.
    fn check_nesting(&self) -> Result<(), String> {
        // Whether each open parenthesis is that of a `list_append`.
        let mut open = Vec::new();
        for (at, token) in self.tokens.iter().enumerate() {
            match *token {
                "(" => {
                    let is_append = at > 0 && self.tokens[at - 1] == "list_append";
                    if is_append && open.contains(&true) {
                        return Err(
                            "The function is not allowed to be used this way in an expression; function: \
                             list_append"
                                .to_owned(),
                        );
                    }
                    open.push(is_append);
                }
                ")" => {
                    open.pop();
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Checks the grammar of a projection: paths with commas between them. The engine's messages are not
    /// DynamoDB's.
    fn check_projection(&self) -> Result<(), String> {
        let mut rest = self.tokens.as_slice();
        while !rest.is_empty() {
            let at = self.tokens.len() - rest.len();
            let is_path = at == 0 || self.tokens[at - 1] == ",";
            let is_index = |token: &str| token.bytes().all(|digit| digit.is_ascii_digit());
            rest = match rest {
                [name, rest @ ..] if is_path && is_name(name) => rest,
                _ if is_path => return Err(self.syntax_error(at)),
                [".", name, rest @ ..] if is_name(name) => rest,
                [".", ..] => return Err(self.syntax_error(at + 1)),
                ["[", index, "]", rest @ ..] if is_index(index) => rest,
                ["[", index, ..] if is_index(index) => return Err(self.syntax_error(at + 2)),
                ["[", ..] => return Err(self.syntax_error(at + 1)),
                [",", rest @ ..] if !rest.is_empty() => rest,
                [",", ..] => return Err(self.syntax_error(at + 1)),
                _ => return Err(self.syntax_error(at)),
            };
        }
        Ok(())
    }

    /// Describes a token that the grammar does not allow, with the tokens beside it, or the end of the
    /// expression.
    fn syntax_error(&self, at: usize) -> String {
        let start = self.offset(self.tokens[at.saturating_sub(1)]);
        let near = &self.text[start..self.end_of(at + 1)];
        unexpected(self.tokens.get(at).unwrap_or(&"<EOF>"), near)
    }

    /// Checks that no two paths make a map of a value and also a list. The engine finds the paths
    /// that overlap.
    fn check_conflicts(&self) -> Result<(), String> {
        let paths = match self.name {
            "ProjectionExpression" => projected(&self.tokens, self.names),
            "UpdateExpression" => targets(&self.tokens, self.names),
            _ => return Ok(()),
        };
        for (at, one) in paths.iter().enumerate() {
            let conflicting = paths[at + 1..].iter().find(|two| conflict(one, two));
            if let Some(two) = conflicting {
                return Err(format!(
                    "Two document paths conflict with each other; must remove or rewrite one of these paths; \
                     path one: {}, path two: {}",
                    shown(one),
                    shown(two)
                ));
            }
        }
        Ok(())
    }

    /// Returns where a token ends, or the last one, if there are fewer.
    fn end_of(&self, at: usize) -> usize {
        let token = self.tokens.get(at).or(self.tokens.last());
        token.map_or(0, |token| self.offset(token) + token.len())
    }

    /// Returns where a part of the text begins.
    fn offset(&self, part: &str) -> usize {
        part.as_ptr() as usize - self.text.as_ptr() as usize
    }
}

fn unexpected(token: &str, near: &str) -> String {
    format!(r#"Syntax error; token: "{token}", near: "{near}""#)
}

/// Returns `true` if two paths are equal up to a place where one has a name and the other an index.
fn conflict(one: &[PathElement], two: &[PathElement]) -> bool {
    let different = one.iter().zip(two).find(|(one, two)| one != two);
    matches!(
        different,
        Some(
            (PathElement::Name(_), PathElement::Index(_))
                | (PathElement::Index(_), PathElement::Name(_))
        )
    )
}

fn shown(path: &[PathElement]) -> String {
    let elements = path.iter().map(|element| match element {
        PathElement::Name(name) => name.clone(),
        PathElement::Index(index) => format!("[{index}]"),
    });
    format!("[{}]", elements.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(name: &str, expression: &str) -> Option<String> {
        let request = json!({
            name: expression,
            "ExpressionAttributeNames": { "#_": "a", "#b": "b.c" },
        });
        let error = check("Query", request.to_string().as_bytes()).err()?;
        Some(error.message)
    }

    #[test]
    fn names_and_functions_begin_with_a_letter() {
        for (expression, near) in [
            ("SET _123 = :v", "SET _123"),
            ("SET _1a = :v", "SET _1"),
            ("SET a = _f(b)", "= _f"),
            ("SET a._ = :v", "._ ="),
            ("REMOVE __", "REMOVE __"),
        ] {
            let expected =
                format!(r#"Invalid UpdateExpression: Syntax error; token: "_", near: "{near}""#);
            assert_eq!(message("UpdateExpression", expression), Some(expected));
        }
        for expression in ["SET #_ = :_", "SET a_ = :v", "SET A_1 = b_c + :_1"] {
            assert_eq!(message("UpdateExpression", expression), None);
        }
    }

    #[test]
    fn the_names_of_functions_are_case_sensitive_and_keywords_are_not() {
        for (name, expression, function) in [
            (
                "UpdateExpression",
                "set a = LIST_APPEND(a, :v)",
                "LIST_APPEND",
            ),
            (
                "KeyConditionExpression",
                "p = :p and Begins_With(c, :c)",
                "Begins_With",
            ),
            ("FilterExpression", "SIZE(a) > :v", "SIZE"),
        ] {
            let expected = format!("Invalid {name}: Invalid function name; function: {function}");
            assert_eq!(message(name, expression), Some(expected));
        }
        for expression in ["Size = :v", "not (a = :v)", "a in (:v)", "size(a) > :v"] {
            assert_eq!(message("FilterExpression", expression), None);
        }
    }

    #[test]
    fn a_list_index_is_a_32_bit_number() {
        assert_eq!(message("ProjectionExpression", "a[2147483647]"), None);
        assert_eq!(
            message("ProjectionExpression", "a[99999999999999]").as_deref(),
            Some(
                "Invalid ProjectionExpression: List index is not within the allowable range; index: \
                 [99999999999999]"
            )
        );
    }

    #[test]
    fn list_append_is_not_an_argument_of_another() {
        for (expression, is_right) in [
            (
                "SET a = list_append(if_not_exists(a, :v), :w), b = list_append(b, :v)",
                true,
            ),
            ("SET a = if_not_exists(b, if_not_exists(c, :v))", true),
            ("SET a = list_append(list_append(a, :v), :w)", false),
            (
                "SET a = list_append(a, if_not_exists(b, list_append(:v, :w)))",
                false,
            ),
        ] {
            let message = message("UpdateExpression", expression);
            assert_eq!(message.is_none(), is_right, "{expression}");
        }
    }

    #[test]
    fn a_projection_is_a_list_of_paths() {
        for (expression, token, near) in [
            ("a[]", "]", "[]"),
            ("a[-1]", "-", "[-1"),
            ("a[b].c", "b", "[b]"),
            ("a[1, b", ",", "1, b"),
            ("a. , b", ",", ". , b"),
            ("a b", "b", "a b"),
            ("a, b,", "<EOF>", ","),
            ("a[", "<EOF>", "["),
            (".a", ".", ".a"),
        ] {
            let expected = format!(
                r#"Invalid ProjectionExpression: Syntax error; token: "{token}", near: "{near}""#
            );
            let message = message("ProjectionExpression", expression);
            assert_eq!(message, Some(expected), "{expression}");
        }
        for expression in ["a", "a.b[1][2].#b , c", "  "] {
            assert_eq!(message("ProjectionExpression", expression), None);
        }
    }

    #[test]
    fn paths_that_make_a_list_and_a_map_of_one_value_conflict() {
        for (name, expression, paths) in [
            (
                "ProjectionExpression",
                "a.b, a[1]",
                "path one: [a, b], path two: [a, [1]]",
            ),
            (
                "ProjectionExpression",
                "c, #_[1], a.#b.d",
                "path one: [a, [1]], path two: [a, b.c, d]",
            ),
            (
                "UpdateExpression",
                "SET a.b.c = :v, a.b[2] = :v",
                "path one: [a, b, c], path two: [a, b, [2]]",
            ),
            (
                "UpdateExpression",
                "SET a.b = f(c, d) REMOVE a[1]",
                "path one: [a, b], path two: [a, [1]]",
            ),
        ] {
            let message = message(name, expression).unwrap_or_default();
            assert!(
                message.contains("conflict") && message.ends_with(paths),
                "{message}"
            );
        }
        for (name, expression) in [
            ("ProjectionExpression", "a.b, a.c[1], b[0], b[1]"),
            ("UpdateExpression", "SET a.b = f(a[1], :v), c[1] = a.d"),
            ("ConditionExpression", "a.b = a[1]"),
        ] {
            assert_eq!(message(name, expression), None);
        }
    }

    #[test]
    fn a_key_condition_has_no_not_and_no_or() {
        for (expression, operator) in [("NOT c = :c AND p = :p", "NOT"), ("p = :p or c = :c", "OR")]
        {
            let message = message("KeyConditionExpression", expression);
            let expected = format!(
                "Invalid KeyConditionExpression: Invalid operator used in KeyConditionExpression: {operator}"
            );
            assert_eq!(message, Some(expected));
        }
    }
}

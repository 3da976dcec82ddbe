//! The tokens and paths of expressions.

use serde_json::Value;

/// Splits an expression into tokens. Characters that no token starts with become tokens of their own,
/// which the engine rejects.
pub(super) fn tokens(expression: &str) -> impl Iterator<Item = &str> {
    let mut rest = expression;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let length = match first {
            '<' if rest.starts_with("<=") || rest.starts_with("<>") => 2,
            '>' if rest.starts_with(">=") => 2,
            '#' | ':' => 1 + word_length(&rest[1..]),
            _ if is_word_character(first) => word_length(rest),
            _ => first.len_utf8(),
        };
        let (token, remainder) = rest.split_at(length);
        rest = remainder;
        Some(token)
    })
}

fn word_length(text: &str) -> usize {
    text.find(|c| !is_word_character(c)).unwrap_or(text.len())
}

fn is_word_character(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Returns `true` for an attribute name, a placeholder of one, a keyword or a function.
pub(super) fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c == '#' || c == '_' || c.is_alphabetic())
}

/// A step of a document path.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum PathElement {
    Name(String),
    Index(usize),
}

/// Returns the path whose first name is the token at `at`, with the names that placeholders stand for.
pub(super) fn path_at(tokens: &[&str], at: usize, names: &Value) -> Vec<PathElement> {
    let name = |token: &str| {
        let name = names.get(token).and_then(Value::as_str).unwrap_or(token);
        PathElement::Name(name.to_owned())
    };
    let mut path = Vec::new();
    path.extend(tokens.get(at).copied().map(name));
    let mut rest = tokens.get(at + 1..).unwrap_or_default();
    loop {
        let (element, length) = match rest {
            [".", next, ..] if is_name(next) => (name(next), 2),
            ["[", index, "]", ..] => match index.parse() {
                Ok(index) => (PathElement::Index(index), 3),
                Err(_) => return path,
            },
            _ => return path,
        };
        path.push(element);
        rest = &rest[length..];
    }
}

/// Returns the paths of a ProjectionExpression.
pub(super) fn projected(tokens: &[&str], names: &Value) -> Vec<Vec<PathElement>> {
    let begins = |at: &usize| *at == 0 || tokens[*at - 1] == ",";
    (0..tokens.len())
        .filter(begins)
        .filter(|at| is_name(tokens[*at]))
        .map(|at| path_at(tokens, at, names))
        .collect()
}

/// Returns the paths that an UpdateExpression changes, in its order.
pub(super) fn targets(tokens: &[&str], names: &Value) -> Vec<Vec<PathElement>> {
    let mut paths = Vec::new();
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match *token {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            // Inside parentheses it separates the arguments of a function.
            "," if depth > 0 => {}
            _ if *token == "," || is_clause(token) => {
                let next = tokens.get(at + 1).filter(|next| is_name(next));
                paths.extend(next.map(|_| path_at(tokens, at + 1, names)));
            }
            _ => {}
        }
    }
    paths
}

/// Returns `true` for the words that begin a clause of an UpdateExpression.
pub(super) fn is_clause(token: &str) -> bool {
    ["SET", "REMOVE", "ADD", "DELETE"]
        .iter()
        .any(|clause| clause.eq_ignore_ascii_case(token))
}

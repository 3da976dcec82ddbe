//! The tokens of expressions.

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

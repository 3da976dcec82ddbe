//! Range conditions of a model whose range keys begin with the text of a template.
//!
//! DynamoDB accepts one condition on the range key, and no filter on it. The prefix of the model is
//! therefore made part of the condition: `sk >= "ORDER#08"` reads on to the last key with the prefix
//! `ORDER#`, instead of into the items of other models.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::expression::{Comparator, Node, Term};

/// DynamoDB's limit for a range key, in bytes of UTF-8.
///
/// Source: [Constraints](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html)
/// in the Developer Guide.
const MAX_BYTES: usize = 1024;

/// Restricts a condition on the range key to the keys that begin with `prefix`.
pub(super) fn within(prefix: &str, condition: Node) -> Node {
    match condition {
        Node::Compare(name, comparator, Term::Literal(AttributeValue::S(key))) => {
            let (low, high) = match comparator {
                Comparator::Lt => (Some(prefix.to_owned()), previous(key)),
                Comparator::Le => (Some(prefix.to_owned()), Some(key)),
                Comparator::Gt => (next(key), Some(last(prefix.to_owned()))),
                Comparator::Ge => (Some(key), Some(last(prefix.to_owned()))),
                // A composed key has the prefix. No condition on a key has `<>`.
                Comparator::Eq | Comparator::Ne => {
                    let key = Term::Literal(AttributeValue::S(key));
                    return Node::Compare(name, comparator, key);
                }
            };
            match low.zip(high) {
                // DynamoDB refuses bounds in the wrong order.
                Some((low, high)) if low <= high => {
                    Node::Between(name, Term::literal(&low), Term::literal(&high))
                }
                _ => nothing(name),
            }
        }
        Node::Function(function, name, Some(Term::Literal(AttributeValue::S(beginning)))) => {
            // The longer of the two says both, if one is the beginning of the other.
            if prefix.starts_with(&beginning) {
                Node::Function(function, name, Some(Term::literal(&prefix)))
            } else if beginning.starts_with(prefix) {
                Node::Function(function, name, Some(Term::literal(&beginning)))
            } else {
                nothing(Term::Path(name))
            }
        }
        // Keys between two keys with the prefix have it. All else is an error that the writer reports.
        condition => condition,
    }
}

/// A condition that no key satisfies: only the empty string is less, and no key is empty.
fn nothing(name: Term) -> Node {
    Node::Compare(name, Comparator::Lt, Term::literal(&"\0"))
}

/// Returns the least key that is greater.
fn next(mut key: String) -> Option<String> {
    if key.len() < MAX_BYTES {
        key.push('\0');
        return Some(key);
    }
    // No longer key exists, so one of the characters gives way to a greater one.
    while let Some(last) = key.pop() {
        let greater = (last..=char::MAX).nth(1);
        if let Some(greater) = greater
            && key.len() + greater.len_utf8() <= MAX_BYTES
        {
            key.push(greater);
            return Some(key);
        }
    }
    None
}

/// Returns the greatest key that is less.
fn previous(mut key: String) -> Option<String> {
    match key.pop()? {
        // Every continuation of the shorter key is greater than the one with a NUL.
        '\0' => Some(key),
        end => {
            key.extend(('\0'..end).next_back());
            Some(last(key))
        }
    }
}

/// Returns the greatest key that begins with `prefix`.
fn last(prefix: String) -> String {
    let mut key = prefix;
    // The greatest character of each length in UTF-8, which is the order of DynamoDB's strings.
    for greatest in [char::MAX, '\u{FFFF}', '\u{7FF}', '\u{7F}'] {
        while key.len() + greatest.len_utf8() <= MAX_BYTES {
            key.push(greatest);
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_key_of_a_prefix_is_as_long_as_a_key_may_be() {
        for prefix in ["", "A", "AB", "ABC", "ABCD", "\u{10FFFF}"] {
            let last = last(prefix.to_owned());
            assert_eq!(last.len(), MAX_BYTES);
            assert!(last.starts_with(prefix));
            assert_eq!(next(last.clone()).is_none(), !last.starts_with('A'));
        }
    }

    #[test]
    fn a_key_that_cannot_be_longer_is_followed_by_one_with_a_greater_character() {
        let full = last("A".to_owned());
        assert_eq!(next(full).unwrap(), "B");
        let digits = "0".repeat(MAX_BYTES);
        assert_eq!(next(digits.clone()).unwrap(), digits[1..].to_owned() + "1");
        // The character behind U+007F has two bytes, which do not fit.
        let end = format!("{}0\u{7F}", &digits[2..]);
        assert_eq!(next(end).unwrap(), format!("{}1", &digits[2..]));
    }

    proptest! {
        #[test]
        fn the_key_before_the_next_one_is_the_key(key in any::<String>()) {
            prop_assert_eq!(previous(next(key.clone()).unwrap()).unwrap(), key);
        }

        #[test]
        fn the_key_after_the_previous_one_is_the_key(
            key in "[0-9a-zA-Z#\u{80}\u{800}\u{E000}\u{10000}]{1,9}",
        ) {
            let before = previous(key.clone()).unwrap();
            prop_assert!(before < key);
            prop_assert_eq!(next(before).unwrap(), key);
        }
    }
}

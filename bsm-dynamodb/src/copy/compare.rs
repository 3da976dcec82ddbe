//! Equality of items.

use std::collections::HashSet;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::codec::Item;
use crate::codec::normalized;
use crate::wire::item::WireItem;

/// Returns `true` if two items have the same attributes; see [`same_item`].
///
/// Most items of two tables have the same bytes, and only the others are decoded.
pub(super) fn same_wire_item(one: &WireItem, other: &WireItem) -> bool {
    one.as_bytes() == other.as_bytes()
        || matches!((one.decode(), other.decode()), (Ok(one), Ok(other)) if same_item(&one, &other))
}

/// Returns `true` if two items have the same attributes: sets in any order, numbers by their value.
fn same_item(one: &Item, other: &Item) -> bool {
    one.len() == other.len()
        && one.iter().all(|(name, value)| {
            other
                .get(name)
                .is_some_and(|other| same_value(value, other))
        })
}

fn same_value(one: &AttributeValue, other: &AttributeValue) -> bool {
    use AttributeValue::{Bs, L, M, N, Ns, Ss};
    match (one, other) {
        // Equal text is the usual case, and needs no parsing.
        (N(one), N(other)) => one == other || normalized(one) == normalized(other),
        (Ss(one), Ss(other)) => same_set(one, other, |text| text.as_bytes()),
        (Ns(one), Ns(other)) => same_set(one, other, |number| normalized(number)),
        (Bs(one), Bs(other)) => same_set(one, other, |bytes| bytes.as_ref()),
        (L(one), L(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| same_value(a, b))
        }
        (M(one), M(other)) => same_item(one, other),
        // The SDK does not keep the value of an unknown type, so two of them cannot be compared.
        (one, _) if one.is_unknown() => false,
        (one, other) => one == other,
    }
}

fn same_set<'a, T, V: Eq + std::hash::Hash>(
    one: &'a [T],
    other: &'a [T],
    identity: impl Fn(&'a T) -> V,
) -> bool {
    // DynamoDB refuses a set with duplicates, so no count is lost in a `HashSet`.
    let one: HashSet<V> = one.iter().map(&identity).collect();
    let other: HashSet<V> = other.iter().map(identity).collect();
    one == other
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::primitives::Blob;

    use super::*;

    fn n(number: &str) -> AttributeValue {
        AttributeValue::N(number.to_owned())
    }

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn sets_have_no_order_and_numbers_no_notation() {
        use AttributeValue as V;
        let same = |one, other| same_value(&one, &other);
        assert!(same(n("1"), n("1.0")) && same(n("100"), n("1E2")));
        assert!(!same(n("1"), n("1.0000000000000000000000000000000000001")));
        assert!(same(
            V::Ss(strings(&["a", "b"])),
            V::Ss(strings(&["b", "a"]))
        ));
        assert!(same(
            V::Ns(strings(&["1", "2"])),
            V::Ns(strings(&["2.0", "1"]))
        ));
        assert!(!same(V::Ss(strings(&["1"])), V::Ns(strings(&["1"]))));
        let blobs = |all: &[&str]| V::Bs(all.iter().map(|text| Blob::new(*text)).collect());
        assert!(same(blobs(&["a", "b"]), blobs(&["b", "a"])));
        assert!(!same(blobs(&["a", "b"]), blobs(&["a"])));
    }

    #[test]
    fn lists_have_an_order_and_types_count() {
        use AttributeValue as V;
        assert!(!same_value(
            &V::L(vec![n("1"), n("2")]),
            &V::L(vec![n("2"), n("1")])
        ));
        assert!(same_value(&V::L(vec![n("1")]), &V::L(vec![n("1.0")])));
        assert!(!same_value(&V::S("1".into()), &n("1")));
        assert!(!same_value(&V::S(String::new()), &V::Null(true)));
        assert!(!same_value(&V::Bool(true), &V::Bool(false)));
    }

    #[test]
    fn an_attribute_more_or_less_makes_a_difference() {
        let one = Item::from([("id".to_owned(), n("1"))]);
        let mut two = one.clone();
        two.insert("note".to_owned(), AttributeValue::Null(true));
        assert!(!same_item(&one, &two) && !same_item(&two, &one) && same_item(&two, &two));
    }
}

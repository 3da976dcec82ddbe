//! Sets.

use std::collections::BTreeSet;
use std::collections::btree_set;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

use super::key_attribute::KeyAttribute;

/// A set that is stored as one: `SS`, `NS` or `BS`, where a `BTreeSet` becomes a list.
///
/// Its elements are of a type that can be a key: strings, integers, [`Number`](crate::Number),
/// [`Binary`](crate::Binary), and newtypes of them. DynamoDB has no empty sets: an empty one is left
/// out of the item, and a missing one is read as empty. So an `Option<Set<T>>` of an empty set comes
/// back as `None`.
///
/// It is used like the `BTreeSet` inside. For another type of set there is
/// `#[serde(default, with = "bsm_dynamodb::set")]`; see [`set`](mod@crate::set).
///
/// Source: [Sets](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html#HowItWorks.DataTypes.SetTypes)
/// in the Developer Guide.
///
/// # Examples
///
/// ```
/// use bsm_dynamodb::{Model, Set};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Model)]
/// #[model(table = "users")]
/// struct User {
///     #[model(hash_key)]
///     id: String,
///     roles: Set<String>,
///     lucky_numbers: Set<u64>,
/// }
///
/// let mut user = User {
///     id: "1".into(),
///     roles: Set::from(["admin".to_owned()]),
///     lucky_numbers: Set::default(),
/// };
/// user.roles.insert("auditor".to_owned());
/// assert!(user.roles.contains("admin"));
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Set<T>(BTreeSet<T>);

impl<T> Set<T> {
    /// Takes out the set that is inside.
    pub fn into_inner(self) -> BTreeSet<T> {
        self.0
    }
}

// By hand, because a derive would require `T: Default`.
impl<T> Default for Set<T> {
    fn default() -> Self {
        Self(BTreeSet::new())
    }
}

impl<T> Deref for Set<T> {
    type Target = BTreeSet<T>;

    fn deref(&self) -> &BTreeSet<T> {
        &self.0
    }
}

impl<T> DerefMut for Set<T> {
    fn deref_mut(&mut self) -> &mut BTreeSet<T> {
        &mut self.0
    }
}

impl<T> From<BTreeSet<T>> for Set<T> {
    fn from(set: BTreeSet<T>) -> Self {
        Self(set)
    }
}

impl<T: Ord, const N: usize> From<[T; N]> for Set<T> {
    fn from(elements: [T; N]) -> Self {
        Self(elements.into())
    }
}

impl<T: Ord> FromIterator<T> for Set<T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        Self(elements.into_iter().collect())
    }
}

impl<T> IntoIterator for Set<T> {
    type Item = T;
    type IntoIter = btree_set::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Set<T> {
    type Item = &'a T;
    type IntoIter = btree_set::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T: fmt::Debug> fmt::Debug for Set<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: KeyAttribute + Serialize> Serialize for Set<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        crate::codec::with::set::serialize(&self.0, serializer)
    }
}

impl<'de, T: KeyAttribute + Ord + Deserialize<'de>> Deserialize<'de> for Set<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // serde asks for an option that is not there, so that a missing field is an empty set.
        deserializer.deserialize_option(SetVisitor(PhantomData))
    }
}

struct SetVisitor<T>(PhantomData<T>);

impl<'de, T: Ord + Deserialize<'de>> Visitor<'de> for SetVisitor<T> {
    type Value = Set<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a set")
    }

    fn visit_none<E: de::Error>(self) -> Result<Set<T>, E> {
        Ok(Set::default())
    }

    fn visit_unit<E: de::Error>(self) -> Result<Set<T>, E> {
        // serde's buffer, as for a flattened field, shows NULL as a unit.
        Ok(Set::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Set<T>, D::Error> {
        BTreeSet::deserialize(inner).map(Set)
    }
}

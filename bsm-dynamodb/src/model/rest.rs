//! The attributes of an item that its model does not declare.

use std::fmt;

use crate::codec::Item;
use crate::model::{Model, entity};

/// The attributes of an item that the model does not declare, exactly as they are stored.
///
/// A field of this type with `#[model(rest)] #[serde(skip)]` keeps them, so that reading an item, changing
/// it and saving it removes nothing that another program, or another version of this one, has written.
///
/// # Examples
///
/// ```
/// use bsm_dynamodb::{Model, Rest};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Model)]
/// #[model(table = "users")]
/// struct User {
///     #[model(hash_key)]
///     id: String,
///     name: String,
///     #[model(rest)]
///     #[serde(skip)]
///     rest: Rest,
/// }
///
/// let user = User { id: "1".into(), name: "Ada".into(), rest: Rest::default() };
/// assert!(user.rest.attributes().is_empty());
/// ```
#[derive(Clone, Default, PartialEq)]
pub struct Rest(Item);

impl Rest {
    /// Returns the attributes.
    pub fn attributes(&self) -> &Item {
        &self.0
    }

    /// Returns the attributes, to be changed.
    ///
    /// Those that the model declares are not written, also if it leaves them out: the names of its fields, their
    /// aliases, the attribute of its entity and the key attributes that have templates.
    pub fn attributes_mut(&mut self) -> &mut Item {
        &mut self.0
    }

    /// Takes the attributes that are not declared out of an item.
    pub(crate) fn take(item: &mut Item, declared: &[&str]) -> Self {
        // They must leave the item: a struct with `#[serde(deny_unknown_fields)]` would refuse them.
        let rest = item.extract_if(|name, _| !declared.contains(&name.as_str()));
        Self(rest.collect())
    }

    /// Adds the attributes that `M` does not declare to an item of it.
    pub(crate) fn add_to<M: Model>(&self, item: &mut Item) {
        for (name, value) in &self.0 {
            // A program can put any name into the rest. One that is declared would be read as the field.
            if !is_declared::<M>(name) {
                // A codec may write attributes that the model doesn't declare, and they take precedence.
                item.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
    }
}

fn is_declared<M: Model>(name: &str) -> bool {
    M::DECLARED.is_some_and(|declared| declared.contains(&name)) || entity::adds::<M>(name)
}

/// Shows the names of the attributes, and no values.
impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<_> = self.0.keys().collect();
        // A map has no order, and the same rest should always be shown the same way.
        names.sort();
        f.debug_tuple("Rest").field(&names).finish()
    }
}

//! Optimistic locking: the version of an item.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codec::Item;
use crate::expression::{Comparator, DocumentPath, Node, Term};
use crate::model::Model;

/// The version of an item, as this program knows it: 0 before it is first saved.
///
/// A model with a field `#[model(version)]` cannot overwrite what somebody else has written in
/// between. [`save`](Model::save) writes the next version under the condition that the item
/// in the table still has this one; a version of 0 demands that there is no item, or one without a
/// version. [`delete`](Model::delete) is under the same condition. If it does not hold, the
/// error is [`ErrorKind::ConditionalCheckFailed`](crate::ErrorKind::ConditionalCheckFailed).
///
/// The value in memory follows the table, although `save` takes `&self`: the version becomes the
/// next one when DynamoDB has acknowledged the write, 0 when it has acknowledged the deletion, and
/// stays as it is when either fails. A clone is a version of its own.
///
/// [`update`](Model::update), which knows no version, is under no condition and makes the
/// next one, so that other savers notice. What goes around the condition: [`batch_write`](Model::batch_write), for which DynamoDB
/// has no conditions, writes items with the version that they have; and
/// [`delete_key`](Model::delete_key) deletes any version.
///
/// If the answer to a write is lost, the write may have been done and the next save fails: read the
/// item again.
///
/// Source: [Optimistic locking with version number](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/DynamoDBMapper.OptimisticLocking.html)
/// in the Developer Guide.
///
/// # Examples
///
/// ```no_run
/// use bsm_dynamodb::{Model, Version};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Model)]
/// #[model(table = "documents")]
/// struct Document {
///     #[model(hash_key)]
///     id: String,
///     text: String,
///     #[model(version)]
///     #[serde(default)] // for items that were written before there was a version
///     version: Version,
/// }
///
/// # async fn f() -> Result<(), bsm_dynamodb::Error> {
/// let mut document = Document::get("1").await?;
/// document.text.push_str(" The end.");
/// match document.save().await {
///     Ok(()) => println!("saved as version {}", document.version),
///     Err(error) if error.is_conditional_check_failed() => println!("somebody was faster"),
///     Err(error) => return Err(error),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct Version(Arc<AtomicU64>);

impl Version {
    /// Returns the version of an item that was not saved yet, 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the number of the version.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl From<u64> for Version {
    fn from(number: u64) -> Self {
        Self(Arc::new(number.into()))
    }
}

impl Clone for Version {
    fn clone(&self) -> Self {
        self.get().into()
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for Version {}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Version({})", self.get())
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.get().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u64::deserialize(deserializer).map(Self::from)
    }
}

/// Which attribute of a model is its version; see [`Model::VERSION`](Model::VERSION).
///
/// # Examples
///
/// ```
/// use bsm_dynamodb::{Version, VersionAttribute};
///
/// struct Document {
///     revision: Version,
/// }
///
/// const VERSION: VersionAttribute<Document> =
///     VersionAttribute::new("revision", |document| &document.revision);
/// ```
pub struct VersionAttribute<M> {
    name: &'static str,
    of: fn(&M) -> &Version,
}

impl<M> VersionAttribute<M> {
    /// Names the attribute, and finds its value in a model.
    pub const fn new(name: &'static str, of: fn(&M) -> &Version) -> Self {
        Self { name, of }
    }

    /// Returns the name of the attribute.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the version of a model.
    pub fn of<'m>(&self, model: &'m M) -> &'m Version {
        (self.of)(model)
    }
}

impl<M> Clone for VersionAttribute<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for VersionAttribute<M> {}

impl<M> fmt::Debug for VersionAttribute<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VersionAttribute").field(&self.name).finish()
    }
}

/// The version of a value whose write is under way.
pub(crate) struct Watched {
    name: &'static str,
    /// What the item in the table should have.
    known: u64,
    version: Arc<AtomicU64>,
}

impl Watched {
    /// Watches the version of a value, if its model has one.
    pub(crate) fn of<M: Model>(model: &M) -> Option<Self> {
        let attribute = M::VERSION?;
        let version = attribute.of(model);
        Some(Self {
            name: attribute.name,
            known: version.get(),
            version: version.0.clone(),
        })
    }

    /// Demands that the item in the table has the version that is known.
    pub(crate) fn condition(&self) -> Node {
        let place = DocumentPath::attribute(self.name);
        let known = Term::literal(&self.known);
        let same = Node::Compare(Term::Path(place.clone()), Comparator::Eq, known);
        match self.known {
            0 => Node::Any(vec![
                Node::Function("attribute_not_exists", place, None),
                same,
            ]),
            _ => same,
        }
    }

    /// Gives an item that is to be written the next version.
    pub(crate) fn advance(&self, item: &mut Item) {
        let next = AttributeValue::N(self.next().to_string());
        item.insert(self.name.to_owned(), next);
    }

    /// Makes the value in memory follow a write that was acknowledged.
    pub(crate) fn saved(&self) {
        self.becomes(self.next());
    }

    /// Makes the value in memory follow a deletion that was acknowledged.
    pub(crate) fn deleted(&self) {
        self.becomes(0);
    }

    fn next(&self) -> u64 {
        self.known.saturating_add(1)
    }

    fn becomes(&self, number: u64) {
        let ordering = Ordering::Relaxed;
        // If the value has another version by now, it follows a write that came after this one.
        let _ = self
            .version
            .compare_exchange(self.known, number, ordering, ordering);
    }
}

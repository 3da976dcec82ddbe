//! Optimistic locking: the version of an item.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codec::Item;
use crate::expression::{Comparator, DocumentPath, Node, Term};

/// The version of an item that was read or saved: 0 before the first save.
///
/// A model with a field `#[model(version)]` never overwrites a concurrent change.
/// [`save`](crate::Model::save) writes the next version on the condition that the item in the table
/// still has this one; version 0 requires that the table has no such item, or one without a version.
/// [`delete`](crate::Model::delete) has the same condition. If the condition is false, the operation
/// fails with [`ErrorKind::ConditionalCheckFailed`](crate::ErrorKind::ConditionalCheckFailed).
///
/// Although `save` takes `&self`, the value in memory is updated: it becomes the next version when
/// DynamoDB acknowledges the write, and 0 when it acknowledges the deletion. It stays the same if
/// either fails. A clone is independent of the original.
///
/// Three operations don't check the version. [`update`](crate::Model::update) increments it, so that
/// other writers notice. [`batch_write`](crate::Model::batch_write) writes items with the version that
/// they have, because DynamoDB's batches take no conditions.
/// [`delete_key`](crate::Model::delete_key) deletes the item whatever its version.
///
/// If the response to a write is lost, DynamoDB may have done the write, and this save or the next one
/// fails: read the item again. [`Error::may_have_been_applied`](crate::Error::may_have_been_applied) tells
/// such a failure from a concurrent change.
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
///     Err(error) if error.is_conditional_check_failed() => println!("another writer was faster"),
///     Err(error) => return Err(error),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct Version(Arc<AtomicU64>);

impl Version {
    /// Returns the version of an item that has not been saved yet: 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the version's number.
    pub fn get(&self) -> u64 {
        // Relaxed, because no other memory depends on the number.
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
        // A counter of its own: a save of the clone must not update the original.
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

/// The attribute that holds a model's version; see [`Model::VERSION`](crate::Model::VERSION).
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
    version_of: fn(&M) -> &Version,
}

impl<M> VersionAttribute<M> {
    /// Creates it from the name of the attribute, and the function that returns a model's version.
    pub const fn new(name: &'static str, version_of: fn(&M) -> &Version) -> Self {
        Self { name, version_of }
    }

    /// Returns the name of the attribute.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the version of a model.
    pub fn of<'m>(&self, model: &'m M) -> &'m Version {
        (self.version_of)(model)
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

/// The condition that a write of a versioned model has, and the version to update once DynamoDB
/// acknowledges the write.
pub(crate) struct VersionLock {
    name: &'static str,
    /// The version that the item in the table must have.
    expected: u64,
    /// The version that the item has after the write.
    next: u64,
    version: Arc<AtomicU64>,
}

impl VersionLock {
    /// Creates the lock of a save of this model, if the model has a version.
    pub(crate) fn for_save<M>(attribute: Option<VersionAttribute<M>>, model: &M) -> Option<Self> {
        // Saturating, because another program may have stored `u64::MAX`.
        Self::new(attribute, model, |expected| expected.saturating_add(1))
    }

    /// Creates the lock of a deletion of this model, if the model has a version.
    pub(crate) fn for_delete<M>(attribute: Option<VersionAttribute<M>>, model: &M) -> Option<Self> {
        // The next save of the model creates the item again, which is what version 0 means.
        Self::new(attribute, model, |_| 0)
    }

    fn new<M>(
        attribute: Option<VersionAttribute<M>>,
        model: &M,
        next: impl FnOnce(u64) -> u64,
    ) -> Option<Self> {
        let attribute = attribute?;
        let version = attribute.of(model);
        let expected = version.get();
        Some(Self {
            name: attribute.name,
            expected,
            next: next(expected),
            // The counter itself and not a copy, so that `acknowledge` updates the caller's model.
            version: version.0.clone(),
        })
    }

    /// Returns the condition that the item in the table still has the expected version.
    pub(crate) fn condition(&self) -> Node {
        let attribute = DocumentPath::attribute(self.name);
        // A literal, which the codec doesn't change: `write_next` stores a plain number as well.
        let expected = Term::literal(&self.expected);
        let unchanged = Node::Compare(Term::Path(attribute.clone()), Comparator::Eq, expected);
        match self.expected {
            // Items that were written before the model had a version have none.
            0 => Node::Any(vec![
                Node::Function("attribute_not_exists", attribute, None),
                // A batch stores a new model with version 0.
                unchanged,
            ]),
            _ => unchanged,
        }
    }

    /// Writes the next version into the item.
    pub(crate) fn write_next(&self, item: &mut Item) {
        // The item gets the next version and the model keeps the old one, in case the write fails.
        let next = AttributeValue::N(self.next.to_string());
        item.insert(self.name.to_owned(), next);
    }

    /// Updates the version in memory after DynamoDB acknowledged the write.
    pub(crate) fn acknowledge(&self) {
        let ordering = Ordering::Relaxed;
        // If the version has changed in the meantime, a later write was acknowledged first.
        let _ = self
            .version
            .compare_exchange(self.expected, self.next, ordering, ordering);
    }
}

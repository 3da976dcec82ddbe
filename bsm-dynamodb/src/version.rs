//! Optimistic locking: the version of an item.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The version of an item, as this program knows it: 0 before it is first saved.
///
/// A model with a field `#[model(version)]` cannot overwrite what somebody else has written in
/// between. [`save`](crate::Model::save) writes the next version under the condition that the item
/// in the table still has this one; a version of 0 demands that there is no item, or one without a
/// version. [`delete`](crate::Model::delete) is under the same condition. If it does not hold, the
/// error is [`ErrorKind::ConditionalCheckFailed`](crate::ErrorKind::ConditionalCheckFailed).
///
/// The value in memory follows the table, although `save` takes `&self`: the version becomes the
/// next one when DynamoDB has acknowledged the write, 0 when it has acknowledged the deletion, and
/// stays as it is when either fails. A clone is a version of its own.
///
/// What goes around the condition: [`batch_write`](crate::Model::batch_write), for which DynamoDB
/// has no conditions, writes items with the version that they have; and
/// [`delete_key`](crate::Model::delete_key) deletes any version.
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

    /// Sees the same number as this one does, now and later.
    pub(crate) fn watch(&self) -> Watched {
        Watched {
            known: self.get(),
            version: self.0.clone(),
        }
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

/// Which attribute of a model is its version; see [`Model::VERSION`](crate::Model::VERSION).
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

/// The version of a model whose write is under way.
pub(crate) struct Watched {
    known: u64,
    version: Arc<AtomicU64>,
}

impl Watched {
    /// The version that the item in the table should have.
    pub(crate) fn known(&self) -> u64 {
        self.known
    }

    /// Makes the value in memory follow the table.
    ///
    /// It does nothing if another write of the same value was acknowledged first.
    pub(crate) fn becomes(&self, number: u64) {
        let (now, ordering) = (self.known, Ordering::Relaxed);
        // A failure means that it is not the known one any more, and then there is nothing to do.
        let _ = self
            .version
            .compare_exchange(now, number, ordering, ordering);
    }
}

//! The writes that a batch did not do.

use std::borrow::Cow;
use std::fmt;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{DeleteRequest, PutRequest, WriteRequest};

use crate::codec::Item;

/// The writes of a batch that DynamoDB did not process; see
/// [`Error::unprocessed`](crate::Error::unprocessed).
///
/// Pass them to [`BatchWrite::resume`](crate::BatchWrite::resume) to retry them later.
#[derive(Clone)]
pub struct Unprocessed {
    table: Cow<'static, str>,
    writes: Vec<Write>,
    others: Vec<Self>,
}

impl Unprocessed {
    pub(crate) fn new(table: Cow<'static, str>, writes: Vec<Write>) -> Self {
        Self {
            table,
            writes,
            others: Vec::new(),
        }
    }

    pub(crate) fn with_others(self, others: Vec<Self>) -> Self {
        Self { others, ..self }
    }

    /// Removes and returns the writes of other tables, which were passed to
    /// [`BatchWrite::resume`](crate::BatchWrite::resume) of the same batch by mistake. Empty in every other
    /// error.
    pub fn take_others(&mut self) -> Vec<Self> {
        std::mem::take(&mut self.others)
    }

    pub(crate) fn into_writes(self) -> Vec<Write> {
        self.writes
    }

    /// Returns the name of the table that the writes belong to.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Returns the number of writes.
    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// Returns `true` if there are no writes.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Returns the items that were not written.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.writes.iter().filter_map(|write| match write {
            Write::Put(item) => Some(item),
            Write::Delete(_) => None,
        })
    }

    /// Returns the keys of the items that were not deleted.
    pub fn keys(&self) -> impl Iterator<Item = &Item> {
        self.writes.iter().filter_map(|write| match write {
            Write::Put(_) => None,
            Write::Delete(key) => Some(key),
        })
    }
}

/// Shows the number of writes, and no values.
impl fmt::Debug for Unprocessed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unprocessed")
            .field("table", &self.table)
            .field("items", &self.items().count())
            .field("keys", &self.keys().count())
            .finish()
    }
}

/// One write of a batch: an item to put, or the key of an item to delete.
#[derive(Clone)]
pub(crate) enum Write {
    Put(Item),
    Delete(Item),
}

impl Write {
    /// Returns the item, or the key.
    pub(crate) fn item(&self) -> &Item {
        match self {
            Self::Put(item) | Self::Delete(item) => item,
        }
    }

    pub(crate) fn into_request(self) -> Result<WriteRequest, BuildError> {
        // The builders fail only without an item or a key, and both are set here.
        let request = WriteRequest::builder();
        Ok(match self {
            Self::Put(item) => {
                request.put_request(PutRequest::builder().set_item(Some(item)).build()?)
            }
            Self::Delete(key) => {
                request.delete_request(DeleteRequest::builder().set_key(Some(key)).build()?)
            }
        }
        .build())
    }

    pub(crate) fn from_request(request: WriteRequest) -> Option<Self> {
        // A request is either a put or a deletion, so at most one of the two is set.
        let put = request.put_request.map(|put| Self::Put(put.item));
        put.or_else(|| {
            let delete = request.delete_request;
            delete.map(|delete| Self::Delete(delete.key))
        })
    }
}

//! Reading many items by their keys.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::marker::PhantomData;

use aws_sdk_dynamodb::types::KeysAndAttributes;
use aws_sdk_dynamodb::types::builders::KeysAndAttributesBuilder;
use serde::de::DeserializeOwned;

use crate::codec::{CodecError, Item};
use crate::connection::call::Call;
use crate::error::{Error, ErrorKind};
use crate::expression::Writer;
use crate::model::key::{IntoKey, KeyValues};
use crate::model::stored::{self, key_of};
use crate::model::{Model, entity};
use crate::operation::bind_when_awaited;
use crate::operation::projection::ReadAs;
use crate::throttle::backoff::Backoff;

/// The limit of one request.
///
/// Source: [BatchGetItem](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html)
/// in the API Reference.
pub(crate) const MAX_KEYS: usize = 100;

/// Reads the items with these keys; see [`Model::get_many`].
///
/// A key that is given twice is read once. A request has 100 keys. If DynamoDB leaves keys unprocessed,
/// because a response has at most 16 MB or because the table is busy, they are sent again with the
/// delays of a [`BatchWrite`](crate::BatchWrite).
///
/// # Errors
///
/// [`ErrorKind::BatchIncomplete`] if DynamoDB keeps leaving keys unprocessed; [`Error::unread_keys`]
/// returns them. Items that were read before an error are dropped. A key that cannot be encoded fails the
/// operation before that: nothing was read, and [`Error::unread_keys`] returns the other keys.
#[doc(alias = "BatchGetItem")]
#[must_use = "operations do nothing unless they are awaited"]
pub struct GetMany<M, T = M> {
    keys: Vec<KeyValues>,
    /// Why the first invalid key is none.
    invalid: Option<CodecError>,
    consistent_read: bool,
    max_attempts: u32,
    read_as: ReadAs<T>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> GetMany<M> {
    pub(crate) fn new(keys: impl IntoIterator<Item = impl IntoKey<M::Key>>) -> Self {
        let many = Self {
            keys: Vec::new(),
            invalid: None,
            consistent_read: false,
            // As for writes: about 8 s.
            max_attempts: 10,
            read_as: ReadAs::whole(stored::decode),
            model: PhantomData,
        };
        many.add(
            keys.into_iter()
                .map(|key| M::KEY.encode::<M, M::Codec>(key)),
        )
    }
}

impl<M: Model, T: Send + 'static> GetMany<M, T> {
    const NAME: &'static str = "BatchGetItem";

    /// Sets whether the reads are strongly consistent: they then see every write that was
    /// acknowledged before, at twice the cost. Default: `false`.
    pub fn consistent_read(mut self, consistent: bool) -> Self {
        self.consistent_read = consistent;
        self
    }

    /// Adds the keys that an earlier `get_many` of this model did not read; see
    /// [`Error::into_unread_keys`].
    ///
    /// # Errors
    ///
    /// The operation fails with [`ErrorKind::InvalidItem`], before it reads anything, if an item has
    /// no key of this model. [`Error::unread_keys`] returns the other ones.
    pub fn resume(self, unread: Vec<Item>) -> Self {
        self.add(unread.iter().map(key_of::<M>))
    }

    /// Sets the number of attempts in a row without progress after which the operation fails.
    /// Default: 10.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Reads each item as a `P` instead of the model: only the attributes for which `P` has fields.
    ///
    /// See [`Get::project`](crate::Get::project).
    pub fn project<P: DeserializeOwned + Send + 'static>(self) -> GetMany<M, P> {
        GetMany {
            keys: self.keys,
            invalid: self.invalid,
            consistent_read: self.consistent_read,
            max_attempts: self.max_attempts,
            read_as: ReadAs::fields(),
            model: PhantomData,
        }
    }

    fn add(mut self, keys: impl Iterator<Item = Result<KeyValues, CodecError>>) -> Self {
        for key in keys {
            match key {
                Ok(key) => self.keys.push(key),
                Err(error) => {
                    self.invalid.get_or_insert(error);
                }
            }
        }
        self
    }

    async fn run(self, call: Call) -> Result<Vec<T>, Error> {
        let mut order = HashMap::new();
        let mut pending = VecDeque::new();
        for key in self.keys {
            // A key that occurs again keeps the index of its first occurrence.
            let index = order.len();
            order.entry(key).or_insert_with_key(|key| {
                pending.push_back(M::KEY.name_values(key.clone()));
                index
            });
        }
        if let Some(cause) = self.invalid {
            // `resume` has taken the only copy of its keys.
            let error = call.encode_error::<M>(cause);
            return Err(error.with_unread_keys(pending.into()));
        }
        let total = pending.len();
        let mut found: Vec<(usize, Item)> = Vec::with_capacity(total);
        let mut backoff = Backoff::new(self.max_attempts);
        while !pending.is_empty() {
            let chunk: Vec<_> = pending.drain(..pending.len().min(MAX_KEYS)).collect();
            let sent = chunk.len();
            let request = request::<M, T>(&self.read_as, self.consistent_read);
            // A copy is sent: if the request fails, its keys are sent again or returned with the error.
            let (left, throttled) = match send(&call, request, chunk.clone()).await {
                Ok((items, left)) => {
                    for item in items {
                        let key = key_of::<M>(&item).ok();
                        let index = key.and_then(|key| order.get(&key).copied());
                        // DynamoDB returns only items that were requested; if it didn't, they
                        // would be last.
                        found.push((index.unwrap_or(usize::MAX), item));
                    }
                    (left, None)
                }
                // A request that is throttled as a whole leaves everything unprocessed.
                Err(error) if error.is_throttled() => (chunk, Some(error)),
                Err(error) => {
                    pending.extend(chunk);
                    return Err(error.with_unread_keys(pending.into()));
                }
            };
            let left_count = left.len();
            // To the back of the queue, so that keys that are refused again and again do not block the others.
            pending.extend(left);
            if !backoff.wait_before_retry(sent, left_count).await {
                let error = incomplete(&call, pending.len(), total, backoff.attempts());
                let error = match throttled {
                    Some(cause) => error.with_source(cause),
                    None => error,
                };
                return Err(error.with_unread_keys(pending.into()));
            }
        }
        found.sort_by_key(|(index, _)| *index);
        let items = found.into_iter();
        items
            .map(|(_, item)| {
                let decode = |item| entity::decode_own::<M, T>(self.read_as.decode, item);
                call.decode(decode, item, M::KEY.names())
            })
            .collect()
    }
}

/// Returns a request without keys.
fn request<M: Model, T>(read_as: &ReadAs<T>, consistent_read: bool) -> KeysAndAttributesBuilder {
    let mut writer = Writer::default();
    // The keys of the items tell their order.
    let entity = M::ENTITY.map(|entity| entity.attribute());
    let key = M::KEY.names().chain(entity);
    let projection = read_as.projection_expression(&mut writer, key);
    let (names, _) = writer.finish();
    KeysAndAttributes::builder()
        .consistent_read(consistent_read)
        .set_projection_expression(projection)
        .set_expression_attribute_names(names)
}

/// Sends one request, and returns the items and the keys that DynamoDB left unprocessed.
async fn send(
    call: &Call,
    request: KeysAndAttributesBuilder,
    keys: Vec<Item>,
) -> Result<(Vec<Item>, Vec<Item>), Error> {
    let keys = request
        .set_keys(Some(keys))
        .build()
        .map_err(|error| call.build_error(error))?;
    let request = call.client().await?.batch_get_item();
    let output = request.request_items(call.table(), keys).send().await;
    let output = output.map_err(|error| call.sdk_error(error))?;
    let items = output.responses.unwrap_or_default();
    let left = output.unprocessed_keys.unwrap_or_default();
    Ok((
        items.into_values().flatten().collect(),
        left.into_values().flat_map(|table| table.keys).collect(),
    ))
}

fn incomplete(call: &Call, left: usize, total: usize, attempts: u32) -> Error {
    let message = format!(
        "{left} of {total} keys were not read, after {attempts} attempts without progress: give \
         the table more capacity, or resume() later with what unread_keys() returns"
    );
    call.error(ErrorKind::BatchIncomplete, message)
}

bind_when_awaited! {
    GetMany<M, T> => Vec<T>,
}

impl<M, T> fmt::Debug for GetMany<M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetMany")
            .field("keys", &self.keys.len())
            .field("consistent_read", &self.consistent_read)
            .field("max_attempts", &self.max_attempts)
            .finish_non_exhaustive()
    }
}

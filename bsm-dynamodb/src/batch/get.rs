//! Reading many items by their keys.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::marker::PhantomData;

use aws_sdk_dynamodb::types::KeysAndAttributes;
use aws_sdk_dynamodb::types::builders::KeysAndAttributesBuilder;
use serde::de::DeserializeOwned;

use crate::codec::{CodecError, Item};
use crate::connection::slot::{Call, Slot};
use crate::error::{Error, ErrorKind};
use crate::expression::Writer;
use crate::model::Model;
use crate::model::key::{IntoKey, KeyValues};
use crate::model::stored::{self, key_of};
use crate::operation::bind_when_awaited;
use crate::operation::projection::Projection;
use crate::throttle::backoff::Backoff;

/// The limit of one request.
///
/// Source: [BatchGetItem](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html)
/// in the API Reference.
const MAX_KEYS: usize = 100;

/// Reads the items that have these keys; see [`Model::get_many`].
///
/// A key that is given twice is asked for once. The keys go out 100 to a request. What DynamoDB
/// leaves unprocessed, because an answer has at most 16 MB or the table is busy, is asked for again
/// as a [`BatchWrite`](crate::BatchWrite) does it.
///
/// # Errors
///
/// When it is awaited: [`ErrorKind::BatchIncomplete`] if DynamoDB kept leaving keys unprocessed;
/// [`Error::unread_keys`] has them. As it is all or nothing, no items come with an error.
#[must_use = "operations do nothing unless they are awaited"]
pub struct GetMany<M, T = M> {
    keys: Result<Vec<KeyValues>, CodecError>,
    consistent_read: bool,
    max_attempts: u32,
    projection: Projection<T>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> GetMany<M> {
    pub(crate) fn new(keys: impl IntoIterator<Item = impl IntoKey<M::Key>>) -> Self {
        Self {
            keys: keys
                .into_iter()
                .map(|key| M::KEY.encode::<M, M::Codec>(key))
                .collect(),
            consistent_read: false,
            max_attempts: 10,
            projection: Projection::whole(stored::decode),
            model: PhantomData,
        }
    }
}

impl<M: Model, T: Send + 'static> GetMany<M, T> {
    /// Asks for reads that see every write that was acknowledged before, at twice the cost.
    pub fn consistent_read(mut self, consistent: bool) -> Self {
        self.consistent_read = consistent;
        self
    }

    /// Gives up after this many attempts in a row without any progress. Default: 10.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Reads `P`s instead of models: only the attributes that it has fields for.
    ///
    /// See [`Get::project`](crate::Get::project).
    pub fn project<P: DeserializeOwned + Send + 'static>(self) -> GetMany<M, P> {
        GetMany {
            keys: self.keys,
            consistent_read: self.consistent_read,
            max_attempts: self.max_attempts,
            projection: Projection::fields(),
            model: PhantomData,
        }
    }

    async fn run(self, slot: Slot<M>) -> Result<Vec<T>, Error> {
        let call = slot.call("BatchGetItem");
        let mut places = HashMap::new();
        let mut pending = VecDeque::new();
        for key in self.keys.map_err(|cause| call.not_encoded(cause))? {
            let place = places.len();
            places.entry(key).or_insert_with_key(|key| {
                pending.push_back(M::KEY.name_values(key.clone()));
                place
            });
        }
        let total = pending.len();
        let mut found: Vec<(usize, Item)> = Vec::with_capacity(total);
        let mut backoff = Backoff::new(self.max_attempts);
        while !pending.is_empty() {
            let chunk: Vec<_> = pending.drain(..pending.len().min(MAX_KEYS)).collect();
            let sent = chunk.len();
            let request = request::<M, T>(&self.projection, self.consistent_read);
            let (left, refusal) = match send(&call, request, chunk.clone()).await {
                Ok((items, left)) => {
                    for item in items {
                        let key = key_of::<M>(&item).ok();
                        let place = key.and_then(|key| places.get(&key).copied());
                        // DynamoDB answers with nothing but what it was asked for.
                        let place = place.unwrap_or(usize::MAX);
                        found.push((place, item));
                    }
                    (left, None)
                }
                Err(error) if error.is_throttled() => (chunk, Some(error)),
                Err(error) => {
                    pending.extend(chunk);
                    return Err(error.with_unread_keys(pending.into()));
                }
            };
            let left_over = left.len();
            pending.extend(left);
            if !backoff.goes_on(sent, left_over).await {
                let message = format!(
                    "{} of {total} keys were not read, in {} attempts without any progress: give \
                     the table more capacity, or try again later with what unread_keys() returns",
                    pending.len(),
                    backoff.attempts(),
                );
                let error = call.error(ErrorKind::BatchIncomplete, message);
                let error = match refusal {
                    Some(refusal) => error.with_source(refusal),
                    None => error,
                };
                return Err(error.with_unread_keys(pending.into()));
            }
        }
        found.sort_by_key(|(place, _)| *place);
        let items = found.into_iter();
        items
            .map(|(_, item)| call.decode(self.projection.decode, item))
            .collect()
    }
}

/// What a request says about its keys.
fn request<M: Model, T>(
    projection: &Projection<T>,
    consistent_read: bool,
) -> KeysAndAttributesBuilder {
    let mut writer = Writer::default();
    let key: Vec<_> = std::iter::once(M::KEY.hash_name())
        .chain(M::KEY.range_name())
        .collect();
    let projection = projection.expression(&mut writer, &key);
    let (names, _) = writer.finish();
    KeysAndAttributes::builder()
        .consistent_read(consistent_read)
        .set_projection_expression(projection)
        .set_expression_attribute_names(names)
}

/// Sends one request, and returns the items and the keys that were left unprocessed.
async fn send<M: Model>(
    call: &Call<M>,
    request: KeysAndAttributesBuilder,
    keys: Vec<Item>,
) -> Result<(Vec<Item>, Vec<Item>), Error> {
    let keys = request.set_keys(Some(keys)).build().map_err(|error| {
        let message = "the request could not be built: the cause says why";
        call.error(ErrorKind::InvalidRequest, message)
            .with_source(error)
    })?;
    let output = call.client().await?.batch_get_item();
    let output = output.request_items(call.table(), keys).send().await;
    let output = output.map_err(|error| call.failed(error))?;
    let items = output.responses.unwrap_or_default();
    let left = output.unprocessed_keys.unwrap_or_default();
    Ok((
        items.into_values().flatten().collect(),
        left.into_values().flat_map(|table| table.keys).collect(),
    ))
}

bind_when_awaited! {
    GetMany<M, T> => Vec<T>,
}

impl<M, T> fmt::Debug for GetMany<M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetMany")
            .field("keys", &self.keys.as_ref().map(Vec::len))
            .field("consistent_read", &self.consistent_read)
            .field("max_attempts", &self.max_attempts)
            .finish_non_exhaustive()
    }
}

//! Writing many items.

use std::borrow::{Borrow, Cow};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::marker::PhantomData;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{DeleteRequest, PutRequest, WriteRequest};

use super::size::sent_bytes;
use crate::codec::{CodecError, Item};
use crate::connection::slot::{Call, Slot};
use crate::error::{Error, ErrorKind};
use crate::model::Model;
use crate::model::key::{IntoKey, KeyValues};
use crate::model::stored::{self, key_of};
use crate::operation::bind_when_awaited;
use crate::throttle::backoff::Backoff;

/// The limits of one request: 25 writes, and 16 MB as they are sent.
///
/// Source: [BatchWriteItem](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html)
/// in the API Reference.
const MAX_WRITES: usize = 25;
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Writes and deletes any number of items; see [`Model::batch_write`].
///
/// Writes to the same key are merged, the last one wins. They go out 25 to a request, and no request
/// is larger than 16 MB. What DynamoDB leaves unprocessed is sent again after a random pause of up
/// to 50 ms, which doubles with every attempt up to 5 s; after 10 attempts in a row without any
/// progress, about 8 s, the batch gives up. A batch is not a transaction: after an error, some of
/// its writes may have been done.
///
/// # Errors
///
/// When it is awaited: [`ErrorKind::BatchIncomplete`] if DynamoDB kept leaving writes unprocessed.
/// Whatever the error, [`Error::unprocessed`] has the writes that were not acknowledged.
#[must_use = "operations do nothing unless they are awaited"]
pub struct BatchWrite<M> {
    writes: Result<Writes, CodecError>,
    max_attempts: u32,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> BatchWrite<M> {
    pub(crate) fn new() -> Self {
        Self {
            writes: Ok(Writes::default()),
            max_attempts: 10,
            model: PhantomData,
        }
    }

    /// Adds items to write.
    pub fn save_all(self, models: impl IntoIterator<Item = impl Borrow<M>>) -> Self {
        self.add(models.into_iter().map(|model| {
            let item = stored::encode(model.borrow())?;
            Ok((key_of::<M>(&item)?, Write::Put(item)))
        }))
    }

    /// Adds keys of items to delete.
    pub fn delete_all(self, keys: impl IntoIterator<Item = impl IntoKey<M::Key>>) -> Self {
        self.add(keys.into_iter().map(|key| {
            let key = M::KEY.encode::<M, M::Codec>(key)?;
            let item = M::KEY.name_values(key.clone());
            Ok((key, Write::Delete(item)))
        }))
    }

    /// Adds the writes that an earlier batch for the same table could not do.
    pub fn resume(self, unprocessed: Unprocessed) -> Self {
        let Unprocessed { table, writes } = unprocessed;
        self.add(writes.into_iter().map(|write| {
            if table != M::table_name() {
                return Err(format!("the unprocessed writes are of another table, {table}").into());
            }
            Ok((key_of::<M>(write.item())?, write))
        }))
    }

    /// Gives up after this many attempts in a row without any progress. Default: 10.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    fn add(mut self, writes: impl Iterator<Item = Result<(KeyValues, Write), CodecError>>) -> Self {
        if let Ok(into) = &mut self.writes
            && let Err(error) = into.extend(writes)
        {
            self.writes = Err(error);
        }
        self
    }

    async fn run(self, slot: Slot<M>) -> Result<(), Error> {
        let call = slot.call("BatchWriteItem");
        let writes = self.writes.map_err(|cause| call.not_encoded(cause))?;
        let total = writes.in_order.len();
        let mut pending = VecDeque::from(writes.in_order);
        let mut backoff = Backoff::new(self.max_attempts);
        while !pending.is_empty() {
            let chunk = next_chunk(&mut pending);
            let sent = chunk.len();
            let (left, refusal) = match send(&call, chunk.clone()).await {
                Ok(left) => (left, None),
                Err(error) if error.is_throttled() => (chunk, Some(error)),
                Err(error) => {
                    pending.extend(chunk);
                    return Err(error.with_unprocessed(Unprocessed::of::<M>(pending)));
                }
            };
            let left_over = left.len();
            pending.extend(left);
            if !backoff.goes_on(sent, left_over).await {
                let error = incomplete(&call, pending.len(), total, backoff.attempts());
                let error = match refusal {
                    Some(refusal) => error.with_source(refusal),
                    None => error,
                };
                return Err(error.with_unprocessed(Unprocessed::of::<M>(pending)));
            }
        }
        Ok(())
    }
}

bind_when_awaited! {
    BatchWrite => (),
}

impl<M> fmt::Debug for BatchWrite<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let writes = self.writes.as_ref().map(|writes| writes.in_order.len());
        f.debug_struct("BatchWrite")
            .field("writes", &writes)
            .field("max_attempts", &self.max_attempts)
            .finish_non_exhaustive()
    }
}

/// The writes that a batch did not do; see [`Error::unprocessed`].
#[derive(Clone)]
pub struct Unprocessed {
    table: Cow<'static, str>,
    writes: Vec<Write>,
}

impl Unprocessed {
    fn of<M: Model>(writes: VecDeque<Write>) -> Self {
        Self {
            table: M::table_name(),
            writes: writes.into(),
        }
    }

    /// Returns how many writes there are.
    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// Says whether there are none.
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

/// Shows how many writes there are, and no values.
impl fmt::Debug for Unprocessed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unprocessed")
            .field("table", &self.table)
            .field("items", &self.items().count())
            .field("keys", &self.keys().count())
            .finish()
    }
}

#[derive(Clone)]
pub(crate) enum Write {
    Put(Item),
    Delete(Item),
}

impl Write {
    pub(crate) fn item(&self) -> &Item {
        match self {
            Self::Put(item) | Self::Delete(item) => item,
        }
    }

    pub(crate) fn into_item(self) -> Item {
        match self {
            Self::Put(item) | Self::Delete(item) => item,
        }
    }

    pub(crate) fn into_request(self) -> Result<WriteRequest, BuildError> {
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

    fn from_request(request: WriteRequest) -> Option<Self> {
        let put = request.put_request.map(|put| Self::Put(put.item));
        put.or_else(|| {
            request
                .delete_request
                .map(|delete| Self::Delete(delete.key))
        })
    }
}

/// Writes in the order in which their keys first came, at most one to a key.
#[derive(Default)]
pub(crate) struct Writes {
    pub(crate) in_order: Vec<Write>,
    places: HashMap<KeyValues, usize>,
}

impl Writes {
    pub(crate) fn extend(
        &mut self,
        writes: impl Iterator<Item = Result<(KeyValues, Write), CodecError>>,
    ) -> Result<(), CodecError> {
        for write in writes {
            let (key, write) = write?;
            match self.places.get(&key) {
                Some(&place) => self.in_order[place] = write,
                None => {
                    self.places.insert(key, self.in_order.len());
                    self.in_order.push(write);
                }
            }
        }
        Ok(())
    }
}

/// Takes as many writes as fit into one request.
pub(crate) fn next_chunk(pending: &mut VecDeque<Write>) -> Vec<Write> {
    let mut bytes = 0;
    let mut chunk = Vec::new();
    while let Some(write) = pending.front() {
        bytes += sent_bytes(write.item());
        if chunk.len() == MAX_WRITES || (bytes > MAX_BYTES && !chunk.is_empty()) {
            break;
        }
        chunk.extend(pending.pop_front());
    }
    chunk
}

/// Sends one request, and returns the writes that were left unprocessed.
async fn send<M: Model>(call: &Call<M>, chunk: Vec<Write>) -> Result<Vec<Write>, Error> {
    let requests = chunk
        .into_iter()
        .map(Write::into_request)
        .collect::<Result<_, _>>()
        .map_err(|error| {
            let message = "the request could not be built: the cause says why";
            call.error(ErrorKind::InvalidRequest, message)
                .with_source(error)
        })?;
    let request = call.client().await?.batch_write_item();
    let output = request
        .request_items(call.table(), requests)
        .send()
        .await
        .map_err(|error| call.failed(error))?;
    let unprocessed = output.unprocessed_items.unwrap_or_default();
    Ok(unprocessed
        .into_values()
        .flatten()
        .filter_map(Write::from_request)
        .collect())
}

fn incomplete<M: Model>(call: &Call<M>, left: usize, total: usize, attempts: u32) -> Error {
    let message = format!(
        "{left} of {total} writes were not processed, in {attempts} attempts without any progress: \
         give the table more capacity, or resume() later with what unprocessed() returns"
    );
    call.error(ErrorKind::BatchIncomplete, message)
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::primitives::Blob;
    use aws_sdk_dynamodb::types::AttributeValue;

    use super::*;

    fn put(id: &str, value: AttributeValue) -> Write {
        Write::Put(Item::from([
            ("id".to_owned(), AttributeValue::S(id.to_owned())),
            ("value".to_owned(), value),
        ]))
    }

    fn key(id: &str) -> KeyValues {
        <&str as IntoKey<String>>::into_key(id).unwrap()
    }

    #[test]
    fn the_last_write_to_a_key_wins_in_the_first_ones_place() {
        let mut writes = Writes::default();
        let number = |n: &str| AttributeValue::N(n.to_owned());
        let all = [("a", "1"), ("b", "2"), ("a", "3")];
        let all = all.map(|(id, n)| Ok((key(id), put(id, number(n)))));
        writes.extend(all.into_iter()).unwrap();
        let values: Vec<_> = writes
            .in_order
            .iter()
            .map(|write| write.item()["value"].as_n().unwrap().as_str())
            .collect();
        assert_eq!(values, ["3", "2"]);
    }

    #[test]
    fn a_request_has_at_most_25_writes() {
        let mut pending: VecDeque<_> = (0..60)
            .map(|n| put(&n.to_string(), AttributeValue::Bool(true)))
            .collect();
        let sizes: Vec<_> = std::iter::from_fn(|| {
            let chunk = next_chunk(&mut pending);
            (!chunk.is_empty()).then_some(chunk.len())
        })
        .collect();
        assert_eq!(sizes, [25, 25, 10]);
    }

    #[test]
    fn a_request_has_at_most_16_mb_as_it_is_sent() {
        // Bytes are sent as base64: 10 times 1.5 MB become 20 MB.
        let large = AttributeValue::B(Blob::new(vec![0; 1_500_000]));
        let mut pending: VecDeque<_> = (0..10)
            .map(|n| put(&n.to_string(), large.clone()))
            .collect();
        assert_eq!(next_chunk(&mut pending).len(), 8);
        assert_eq!(next_chunk(&mut pending).len(), 2);
    }

    #[test]
    fn an_item_that_is_too_large_alone_is_still_sent_for_aws_to_refuse() {
        let huge = AttributeValue::S("x".repeat(MAX_BYTES + 1));
        let mut pending = VecDeque::from([put("a", huge.clone()), put("b", huge)]);
        assert_eq!(next_chunk(&mut pending).len(), 1);
        assert_eq!(next_chunk(&mut pending).len(), 1);
    }
}

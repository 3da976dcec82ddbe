//! Writing many items.

use std::borrow::Borrow;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::marker::PhantomData;

use super::size::sent_bytes;
use crate::codec::CodecError;
use crate::connection::call::Call;
use crate::error::unprocessed::{Unprocessed, Write};
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
pub(crate) const MAX_WRITES: usize = 25;
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Writes and deletes any number of items; see [`Model::batch_write`].
///
/// Of several writes to the same key, only the last one is sent. A request has at most 25 writes and
/// 16 MB. If DynamoDB leaves writes unprocessed, the batch sends them again after a random delay of up
/// to 50 ms, which doubles with every attempt up to 5 s. After 10 attempts in a row without progress,
/// about 8 s, it fails. A batch is not a transaction: after an error, DynamoDB may have done some of
/// the writes.
///
/// # Errors
///
/// [`ErrorKind::BatchIncomplete`] if DynamoDB keeps leaving writes unprocessed. Once the batch is being
/// sent, [`Error::unprocessed`] returns the writes that were not acknowledged, whatever the error. An
/// item that cannot be encoded fails the batch before that: nothing was written, and
/// [`Error::unprocessed`] returns the other writes.
///
/// # Examples
///
/// ```no_run
/// # use bsm_dynamodb::Model;
/// # #[derive(serde::Serialize, serde::Deserialize, Model)]
/// # #[model(table = "users")]
/// # struct User { #[model(hash_key)] id: String }
/// # async fn f(users: Vec<User>) -> Result<(), bsm_dynamodb::Error> {
/// let batch = User::batch_write().save_all(&users).delete_all(["1", "2"]);
/// match batch.await {
///     Err(error) if error.unprocessed().is_some() => {
///         let unprocessed = error.into_unprocessed().expect("checked above");
///         User::batch_write().resume(unprocessed).await?; // once more, later
///     }
///     outcome => outcome?,
/// }
/// # Ok(())
/// # }
/// ```
#[doc(alias = "BatchWriteItem")]
#[must_use = "operations do nothing unless they are awaited"]
pub struct BatchWrite<M> {
    writes: Writes<Write>,
    /// The first item or key that cannot be stored.
    invalid: Option<CodecError>,
    /// The writes of other tables that were passed to [`resume`](Self::resume).
    of_other_tables: Vec<Unprocessed>,
    max_attempts: u32,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> BatchWrite<M> {
    const NAME: &'static str = "BatchWriteItem";

    pub(crate) fn new() -> Self {
        Self {
            writes: Writes::default(),
            invalid: None,
            of_other_tables: Vec::new(),
            // With delays of up to 5 s, about 8 s on average: longer than a burst of throttling, and
            // short enough for a caller who waits.
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

    /// Adds the writes that an earlier batch to the same table did not do.
    ///
    /// # Errors
    ///
    /// The batch fails with [`ErrorKind::InvalidRequest`], before it writes anything, if the writes
    /// belong to another table. [`Error::unprocessed`] returns the writes of this table, if there are any,
    /// and [`Unprocessed::take_others`] those of the other ones.
    pub fn resume(mut self, mut unprocessed: Unprocessed) -> Self {
        for others in unprocessed.take_others() {
            self = self.resume(others);
        }
        // Merging is impossible: the keys of another table may have other names and types.
        if unprocessed.table() != M::table_name() {
            self.of_other_tables.push(unprocessed);
            return self;
        }
        let writes = unprocessed.into_writes().into_iter();
        self.add(writes.map(|write| Ok((key_of::<M>(write.item())?, write))))
    }

    /// Sets the number of attempts in a row without progress after which the batch fails.
    /// Default: 10.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    fn add(mut self, writes: impl Iterator<Item = Result<(KeyValues, Write), CodecError>>) -> Self {
        for write in writes {
            match write {
                Ok((key, write)) => self.writes.insert(key, write),
                Err(error) => {
                    // One error is enough: nothing has been sent yet, and the batch fails before it sends anything.
                    self.invalid.get_or_insert(error);
                }
            }
        }
        self
    }

    async fn run(self, call: Call) -> Result<(), Error> {
        let writes = self.writes;
        // `resume` has taken the only copy of its writes, so a batch that is not sent returns them.
        if !self.of_other_tables.is_empty() {
            let tables: Vec<_> = self
                .of_other_tables
                .iter()
                .map(Unprocessed::table)
                .collect();
            let message = format!(
                "the unprocessed writes belong to another table, {}: resume them with its model",
                tables.join(", ")
            );
            let error = call.error(ErrorKind::InvalidRequest, message);
            let mut others = self.of_other_tables;
            let unprocessed = match writes.in_order.is_empty() {
                true => others.remove(0),
                false => Unprocessed::new(M::table_name(), writes.in_order),
            };
            return Err(error.with_unprocessed(unprocessed.with_others(others)));
        }
        if let Some(cause) = self.invalid {
            let unprocessed = Unprocessed::new(M::table_name(), writes.in_order);
            let error = call.encode_error::<M>(cause);
            return Err(error.with_unprocessed(unprocessed));
        }
        let total = writes.in_order.len();
        let mut pending = VecDeque::from(writes.in_order);
        let unprocessed =
            |pending: VecDeque<Write>| Unprocessed::new(M::table_name(), pending.into());
        let mut backoff = Backoff::new(self.max_attempts);
        while !pending.is_empty() {
            let chunk = next_chunk(&mut pending);
            let sent = chunk.len();
            // A copy is sent: if the request fails, its writes are sent again or returned with the error.
            let (left, throttled) = match send(&call, chunk.clone()).await {
                Ok(left) => (left, None),
                // A request that is throttled as a whole leaves everything unprocessed.
                Err(error) if error.is_throttled() => (chunk, Some(error)),
                Err(error) => {
                    pending.extend(chunk);
                    return Err(error.with_unprocessed(unprocessed(pending)));
                }
            };
            let left_count = left.len();
            // To the back of the queue, so that writes that are refused again and again do not block the others.
            pending.extend(left);
            if !backoff.wait_before_retry(sent, left_count).await {
                let error = incomplete(&call, pending.len(), total, backoff.attempts());
                let error = match throttled {
                    Some(cause) => error.with_source(cause),
                    None => error,
                };
                return Err(error.with_unprocessed(unprocessed(pending)));
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
        f.debug_struct("BatchWrite")
            .field("writes", &self.writes.in_order.len())
            .field("max_attempts", &self.max_attempts)
            .finish_non_exhaustive()
    }
}

/// Writes in the order in which their keys were added first, one per key.
///
/// DynamoDB rejects a request that has two writes to the same key.
pub(crate) struct Writes<W> {
    pub(crate) in_order: Vec<W>,
    index_of: HashMap<KeyValues, usize>,
}

impl<W> Default for Writes<W> {
    fn default() -> Self {
        Self {
            in_order: Vec::new(),
            index_of: HashMap::new(),
        }
    }
}

impl<W> Writes<W> {
    pub(crate) fn insert(&mut self, key: KeyValues, write: W) {
        match self.index_of.get(&key) {
            // The place does not matter: DynamoDB does the writes of a request in no particular order.
            Some(&index) => self.in_order[index] = write,
            None => {
                self.index_of.insert(key, self.in_order.len());
                self.in_order.push(write);
            }
        }
    }
}

/// Removes as many writes as fit into one request.
pub(crate) fn next_chunk(pending: &mut VecDeque<Write>) -> Vec<Write> {
    next_chunk_by(pending, |write| sent_bytes(write.item()))
}

/// As [`next_chunk`], for writes of any form; `bytes_of` returns what a write takes in a request.
pub(crate) fn next_chunk_by<W>(
    pending: &mut VecDeque<W>,
    bytes_of: impl Fn(&W) -> usize,
) -> Vec<W> {
    let mut bytes = 0;
    let mut chunk = Vec::new();
    while let Some(write) = pending.front() {
        bytes += bytes_of(write);
        // An item that is too large on its own is sent anyway: DynamoDB's error says so.
        if chunk.len() == MAX_WRITES || (bytes > MAX_BYTES && !chunk.is_empty()) {
            break;
        }
        chunk.extend(pending.pop_front());
    }
    chunk
}

/// Sends one request, and returns the writes that DynamoDB left unprocessed.
async fn send(call: &Call, chunk: Vec<Write>) -> Result<Vec<Write>, Error> {
    let requests = chunk
        .into_iter()
        .map(Write::into_request)
        .collect::<Result<_, _>>()
        .map_err(|error| call.build_error(error))?;
    let request = call.client().await?.batch_write_item();
    let output = request
        .request_items(call.table(), requests)
        .send()
        .await
        .map_err(|error| call.sdk_error(error))?;
    let unprocessed = output.unprocessed_items.unwrap_or_default();
    let unprocessed = unprocessed.into_values().flatten();
    let unprocessed: Option<Vec<_>> = unprocessed.map(Write::from_request).collect();
    // It stands for one of the writes that were sent, so none of them can count as done.
    unprocessed.ok_or_else(|| {
        let message = "DynamoDB returned an unprocessed write that is neither a put nor a delete: \
                       check the endpoint";
        call.error(ErrorKind::Service, message)
    })
}

fn incomplete(call: &Call, left: usize, total: usize, attempts: u32) -> Error {
    let message = format!(
        "{left} of {total} writes were not processed, after {attempts} attempts without progress: \
         give the table more capacity, or resume() later with what unprocessed() returns"
    );
    call.error(ErrorKind::BatchIncomplete, message)
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::primitives::Blob;
    use aws_sdk_dynamodb::types::AttributeValue;

    use super::*;
    use crate::codec::Item;

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
        for (id, n) in [("a", "1"), ("b", "2"), ("a", "3")] {
            writes.insert(key(id), put(id, number(n)));
        }
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

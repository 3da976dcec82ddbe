//! Reading in a transaction.

use std::fmt;
use std::vec;

use aws_sdk_dynamodb::types::{Get as SdkGet, TransactGetItem};

use super::MAX_ACTIONS;
use super::participant::{Connections, Participants};
use crate::codec::{CodecError, Item};
use crate::error::{Error, ErrorKind};
use crate::expression::Writer;
use crate::model::Model;
use crate::operation::Pending;
use crate::operation::item::Get;

/// Reads items as they are at one moment, of one or several models.
///
/// It takes what [`get`](Model::get) returns, in a tuple or a `Vec`, and gives the items in the same
/// shape; `None` where no item has the key. The models must follow one session, and one region.
///
/// # Examples
///
/// ```no_run
/// # use bsm_dynamodb::Model;
/// # #[derive(serde::Serialize, serde::Deserialize, Model)]
/// # #[model(table = "users")]
/// # struct User { #[model(hash_key)] id: String }
/// # #[derive(serde::Serialize, serde::Deserialize, Model)]
/// # #[model(table = "orders")]
/// # struct Order { #[model(hash_key)] id: String }
/// use bsm_dynamodb::transact_get;
///
/// # async fn f() -> Result<(), bsm_dynamodb::Error> {
/// let (user, order) = transact_get((User::get("1"), Order::get("7"))).await?;
/// let users: Vec<Option<User>> = transact_get(vec![User::get("1"), User::get("2")]).await?;
/// # let _: (Option<User>, Option<Order>) = (user, order);
/// # Ok(())
/// # }
/// ```
pub fn transact_get<G: Gets>(gets: G) -> TransactGet<G> {
    TransactGet(gets)
}

/// Reads in a transaction; see [`transact_get`].
///
/// # Errors
///
/// When it is awaited: [`ErrorKind::TransactionCancelled`] if an item was being changed by another
/// transaction, with [`Error::cancellation_reasons`]; [`ErrorKind::InvalidRequest`] if there are more
/// than 100 items, or one twice, or the models follow different sessions; [`ErrorKind::InvalidItem`] if an item
/// does not fit its model.
///
/// Source: [TransactGetItems](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactGetItems.html)
/// in the API Reference.
#[must_use = "operations do nothing unless they are awaited"]
pub struct TransactGet<G>(G);

impl<G: Gets> IntoFuture for TransactGet<G> {
    type Output = Result<G::Items, Error>;
    type IntoFuture = Pending<G::Items>;

    fn into_future(self) -> Self::IntoFuture {
        let mut reads = Reads::default();
        let read = self.0.into_reads(&mut reads);
        let models = reads.participants.bind("TransactGetItems");
        Box::pin(async move {
            let found = run(reads.parts, &models).await?;
            read(&mut found.into_iter()).map_err(|cause| {
                let message = "an item does not fit its model: its attributes are missing or of \
                               other types";
                models
                    .error(ErrorKind::InvalidItem, message)
                    .with_source(cause)
            })
        })
    }
}

async fn run(parts: Vec<Part>, models: &Connections) -> Result<Vec<Option<Item>>, Error> {
    let Some(client) = models.client().await? else {
        return Ok(Vec::new());
    };
    if parts.len() > MAX_ACTIONS {
        let message = format!(
            "a transaction has at most {MAX_ACTIONS} actions, not {}",
            parts.len()
        );
        return Err(models.error(ErrorKind::InvalidRequest, message));
    }
    let parts = parts.into_iter().enumerate();
    let items = parts
        .map(|(place, part)| part.map_err(|cause| models.not_built(place, cause)))
        .collect::<Result<Vec<_>, _>>()?;
    let request = client.transact_get_items();
    let output = request.set_transact_items(Some(items)).send().await;
    let output = output.map_err(|error| models.get_failed(error))?;
    let answers = output.responses.unwrap_or_default().into_iter();
    Ok(answers.map(|answer| answer.item).collect())
}

impl<G> fmt::Debug for TransactGet<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransactGet").finish_non_exhaustive()
    }
}

/// What can be read in a transaction: a [`Get`], or a `Vec` or a tuple of up to 12 of them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read in a transaction",
    note = "what `get` returns can, and tuples and `Vec`s of that"
)]
pub trait Gets {
    /// The items, each an `Option`, in the same shape.
    type Items: 'static;

    #[doc(hidden)]
    fn into_reads(self, reads: &mut Reads) -> Read<Self::Items>;
}

/// The reads of a transaction.
#[derive(Default)]
pub struct Reads {
    participants: Participants,
    parts: Vec<Part>,
}

type Part = Result<TransactGetItem, CodecError>;

/// Takes the items that belong to it off the front of those that were found.
type Read<T> = Box<dyn FnOnce(&mut Found) -> Result<T, CodecError> + Send>;

type Found = vec::IntoIter<Option<Item>>;

impl<M: Model, T: Send + 'static> Gets for Get<M, T> {
    type Items = Option<T>;

    fn into_reads(self, reads: &mut Reads) -> Read<Option<T>> {
        let (key, projection) = self.into_parts();
        let mut writer = Writer::default();
        // A key that is read tells an item without any of the other attributes from none.
        let expression = projection.expression(&mut writer, &[M::KEY.hash_name()]);
        let (names, _) = writer.finish();
        let part = key.and_then(|key| {
            let get = SdkGet::builder()
                .table_name(M::table_name())
                .set_key(Some(M::KEY.name_values(key)))
                .set_projection_expression(expression)
                .set_expression_attribute_names(names)
                .build()?;
            Ok(TransactGetItem::builder().get(get).build())
        });
        reads.participants.add::<M>();
        reads.parts.push(part);
        let decode = projection.decode;
        Box::new(move |found| {
            // An item that does not exist is `{}` or nothing.
            let item = found.next().flatten().filter(|item| !item.is_empty());
            item.map(decode).transpose()
        })
    }
}

impl<G: Gets> Gets for Vec<G> {
    type Items = Vec<G::Items>;

    fn into_reads(self, reads: &mut Reads) -> Read<Self::Items> {
        let all: Vec<_> = self.into_iter().map(|get| get.into_reads(reads)).collect();
        Box::new(move |found| all.into_iter().map(|read| read(found)).collect())
    }
}

macro_rules! tuples_of_gets {
    ($($get:ident)+) => {
        impl<$($get: Gets),+> Gets for ($($get,)+) {
            type Items = ($($get::Items,)+);

            #[expect(non_snake_case, reason = "each get is named like its type")]
            fn into_reads(self, reads: &mut Reads) -> Read<Self::Items> {
                let ($($get,)+) = self;
                $(let $get = $get.into_reads(reads);)+
                Box::new(move |found| Ok(($($get(found)?,)+)))
            }
        }
        tuples_of_gets!(@rest $($get)+);
    };
    (@rest $first:ident $($rest:ident)+) => {
        tuples_of_gets!($($rest)+);
    };
    (@rest $last:ident) => {};
}

tuples_of_gets!(A B C D E F G H I J K L);

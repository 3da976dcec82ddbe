//! Transactions that read.

use std::fmt;
use std::vec;

use aws_sdk_dynamodb::types::{Get as SdkGet, TransactGetItem};

use super::models::{TransactionModels, action_error, combine};
use crate::codec::{CodecError, Item};
use crate::connection::call::Call;
use crate::error::{Error, ErrorKind};
use crate::expression::Writer;
use crate::model::{Model, entity};
use crate::operation::Pending;
use crate::operation::get::Get;

/// Reads items of one or more models as they are at one moment.
///
/// Pass what [`get`](Model::get) returns, in a tuple or a `Vec`. The items are returned in the same
/// shape, with `None` for a key that no item has. All models must follow the same session and region.
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

/// A transaction that reads; see [`transact_get`].
///
/// # Errors
///
/// - [`ErrorKind::TransactionCancelled`] if another transaction was changing an item;
///   [`Error::cancellation_reasons`] returns the reason for each item;
/// - [`ErrorKind::InvalidRequest`] if there are more than 100 items, one item occurs twice, or the
///   models follow different sessions;
/// - [`ErrorKind::InvalidItem`] if an item does not fit its model.
///
/// Source: [TransactGetItems](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactGetItems.html)
/// in the API Reference.
#[doc(alias = "TransactGetItems")]
#[must_use = "operations do nothing unless they are awaited"]
pub struct TransactGet<G>(G);

impl<G: Gets> IntoFuture for TransactGet<G> {
    type Output = Result<G::Items, Error>;
    type IntoFuture = Pending<G::Items>;

    fn into_future(self) -> Self::IntoFuture {
        let mut requests = GetRequests::default();
        let decode = self.0.into_requests(&mut requests);
        // Before the future exists: the account depends on where the transaction is awaited, not on when it is polled.
        let calls = requests.models.bind("TransactGetItems");
        Box::pin(async move {
            let Some(call) = combine(calls, requests.gets.len()).await? else {
                let nothing = decode(&mut Vec::new().into_iter());
                return Ok(nothing.expect("without a get, there is no item to decode"));
            };
            let items = send(requests.gets, &call).await?;
            decode(&mut items.into_iter()).map_err(|cause| {
                let message = "an item does not fit its model: an attribute is missing or has \
                               another type";
                call.error(ErrorKind::InvalidItem, message)
                    .with_source(cause)
            })
        })
    }
}

async fn send(
    gets: Vec<Result<TransactGetItem, CodecError>>,
    call: &Call,
) -> Result<Vec<Option<Item>>, Error> {
    let gets = gets.into_iter().enumerate();
    let gets = gets
        .map(|(index, get)| get.map_err(|cause| action_error(call, index, cause)))
        .collect::<Result<Vec<_>, _>>()?;
    let request = call.client().await?.transact_get_items();
    let output = request.set_transact_items(Some(gets)).send().await;
    let output = output.map_err(|error| call.sdk_error(error))?;
    let responses = output.responses.unwrap_or_default().into_iter();
    // In the order of the request, so each get takes its item off the front.
    Ok(responses.map(|response| response.item).collect())
}

impl<G> fmt::Debug for TransactGet<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransactGet").finish_non_exhaustive()
    }
}

/// What a transaction can read: a [`Get`], or a `Vec` or a tuple of up to 12 of them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read in a transaction",
    note = "what `get` returns can, and tuples and `Vec`s of that"
)]
pub trait Gets {
    /// The items in the same shape, each an `Option`.
    type Items: 'static;

    #[doc(hidden)]
    fn into_requests(self, requests: &mut GetRequests) -> Decode<Self::Items>;
}

/// The requests of a transaction that reads.
#[derive(Default)]
pub struct GetRequests {
    models: TransactionModels,
    gets: Vec<Result<TransactGetItem, CodecError>>,
}

/// Takes its items off the front of the response, and decodes them.
type Decode<T> = Box<dyn FnOnce(&mut ResponseItems) -> Result<T, CodecError> + Send>;

type ResponseItems = vec::IntoIter<Option<Item>>;

impl<M: Model, T: Send + 'static> Gets for Get<M, T> {
    type Items = Option<T>;

    fn into_requests(self, requests: &mut GetRequests) -> Decode<Option<T>> {
        let (key, read_as) = self.into_parts();
        let mut writer = Writer::default();
        let entity = M::ENTITY.map(|entity| entity.attribute());
        let additional = M::KEY.names().chain(entity);
        // With the key among them, an item that has none of the attributes differs from no item.
        let projection = read_as.projection_expression(&mut writer, additional);
        let (names, _) = writer.finish();
        // An invalid key stays in the list as an error, so that the error can say which action it is.
        let get = key.and_then(|key| {
            let get = SdkGet::builder()
                .table_name(M::table_name())
                .set_key(Some(M::KEY.name_values(key)))
                .set_projection_expression(projection)
                .set_expression_attribute_names(names)
                .build()?;
            Ok(TransactGetItem::builder().get(get).build())
        });
        requests.models.add::<M>();
        requests.gets.push(get);
        let decode = read_as.decode;
        Box::new(move |items| {
            // The response for a key that no item has is without an item, or with an empty one.
            let item = items.next().flatten().filter(|item| !item.is_empty());
            let Some(item) = item else { return Ok(None) };
            entity::decode_own::<M, T>(decode, item).map(Some)
        })
    }
}

impl<G: Gets> Gets for Vec<G> {
    type Items = Vec<G::Items>;

    fn into_requests(self, requests: &mut GetRequests) -> Decode<Self::Items> {
        let gets = self.into_iter().map(|get| get.into_requests(requests));
        // Collected now: a lazy iterator would add the requests only when the response is decoded.
        let all: Vec<_> = gets.collect();
        Box::new(move |items| all.into_iter().map(|decode| decode(items)).collect())
    }
}

macro_rules! tuples_of_gets {
    ($($get:ident)+) => {
        impl<$($get: Gets),+> Gets for ($($get,)+) {
            type Items = ($($get::Items,)+);

            #[expect(non_snake_case, reason = "each get has the name of its type")]
            fn into_requests(self, requests: &mut GetRequests) -> Decode<Self::Items> {
                let ($($get,)+) = self;
                $(let $get = $get.into_requests(requests);)+
                Box::new(move |items| Ok(($($get(items)?,)+)))
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

//! What writes of one item have in common: the version in memory, and the item as it was before.

use aws_sdk_dynamodb::types::ReturnValue;

use crate::codec::Item;
use crate::connection::call::Call;
use crate::error::Error;
use crate::model::version::VersionLock;
use crate::model::{Model, stored};
use crate::operation::Request;

/// A write of one item that can return the item as it was before.
pub(crate) trait ItemWrite: Request {
    type Model: Model;

    fn take_lock(&mut self) -> Option<VersionLock>;

    /// Sends the request, and returns the attributes of the response.
    fn send(
        request: Self::Builder,
        return_values: Option<ReturnValue>,
        call: &Call,
    ) -> impl Future<Output = Result<Option<Item>, Error>> + Send;
}

/// Does a write.
pub(crate) async fn write<O: ItemWrite>(operation: O, call: &Call) -> Result<(), Error> {
    acknowledged(operation, None, call).await.map(drop)
}

/// Does a write, and returns the item as it was before.
pub(crate) async fn write_for_old<O: ItemWrite>(
    operation: O,
    call: &Call,
) -> Result<Option<O::Model>, Error> {
    let old = acknowledged(operation, Some(ReturnValue::AllOld), call).await?;
    old.map(|item| call.decode_written(stored::decode, item, O::Model::KEY.names()))
        .transpose()
}

async fn acknowledged<O: ItemWrite>(
    mut operation: O,
    return_values: Option<ReturnValue>,
    call: &Call,
) -> Result<Option<Item>, Error> {
    // Taken out first, because `build` consumes the operation.
    let lock = operation.take_lock();
    let request = operation.build(call).await?;
    let attributes = O::send(request, return_values, call).await?;
    // Before the old item is decoded: the write is done even if that fails.
    lock.inspect(VersionLock::acknowledge);
    Ok(attributes)
}

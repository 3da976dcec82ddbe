//! The models of a transaction, which must share a session and a region.

use std::any::TypeId;
use std::collections::HashSet;

use super::MAX_ACTIONS;
use crate::codec::CodecError;
use crate::connection::call::Call;
use crate::error::{Error, ErrorKind};
use crate::model::{Model, bind};

/// The models of a transaction, each once, with the function that binds it.
///
/// A transaction is bound when it is awaited, like any operation, so it keeps no calls.
#[derive(Default)]
pub(super) struct TransactionModels(Vec<(TypeId, Bind)>);

/// Binds an operation of the DynamoDB API to the manager that one model follows.
type Bind = fn(&'static str) -> Call;

impl TransactionModels {
    pub(super) fn add<M: Model>(&mut self) {
        let model = TypeId::of::<M>();
        if self.0.iter().all(|(known, _)| *known != model) {
            self.0.push((model, bind::<M>));
        }
    }

    /// Binds each model to the manager that it follows here and now.
    pub(super) fn bind(&self, operation: &'static str) -> Vec<Call> {
        self.0.iter().map(|(_, bind)| bind(operation)).collect()
    }
}

/// Combines the calls of the models into one, whose errors name every table.
///
/// Returns `None` for a transaction without actions.
///
/// # Errors
///
/// [`ErrorKind::InvalidRequest`] if the models follow different sessions or regions, or if there are
/// too many actions.
pub(super) async fn combine(calls: Vec<Call>, actions: usize) -> Result<Option<Call>, Error> {
    let mut tables: Vec<_> = calls.iter().map(|call| call.table().to_owned()).collect();
    // Several models can share a table, in any order.
    let mut named = HashSet::new();
    tables.retain(|table| named.insert(table.clone()));
    let mut calls = calls.into_iter();
    let Some(first) = calls.next() else {
        return Ok(None);
    };
    // Comparing each with the first is enough: all that follow the session of the first follow the same one.
    for other in calls {
        check_same_session(&first, &other).await?;
    }
    first.client().await?;
    let call = first.with_table(tables.join(", "));
    // Checked last, because only this call names every table in its errors.
    if actions > MAX_ACTIONS {
        let message =
            format!("a transaction has at most {MAX_ACTIONS} actions, not {actions}: split it");
        return Err(call.error(ErrorKind::InvalidRequest, message));
    }
    Ok(Some(call))
}

async fn check_same_session(first: &Call, other: &Call) -> Result<(), Error> {
    let client = first.client().await?.config();
    let other_client = other.client().await?.config();
    // Each manager has one client, with a retry partition of its own, so this is the same manager.
    if other_client.retry_partition() == client.retry_partition() {
        return Ok(());
    }
    // Two managers may still be the same identity in the same place, such as two managers of one profile.
    if other_client.region() == client.region()
        && other.endpoint_url().await? == first.endpoint_url().await?
        && other.principal_arn().await? == first.principal_arn().await?
    {
        return Ok(());
    }
    let message = format!(
        "the models of a transaction follow different sessions, {} and {} (table {}): switch them \
         together, as in use_boto_session::<(A, B)>()",
        first.manager(),
        other.manager(),
        other.table(),
    );
    Err(first.error(ErrorKind::InvalidRequest, message))
}

/// Builds the error of an action that cannot be written as a request.
pub(super) fn action_error(call: &Call, index: usize, cause: CodecError) -> Error {
    let message = format!("action {} cannot be written: the cause says why", index + 1);
    call.error(ErrorKind::InvalidItem, message)
        .with_source(cause)
}

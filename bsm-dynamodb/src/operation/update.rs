//! Updating attributes of one item.

mod composed;

use std::fmt;
use std::marker::PhantomData;

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use serde::de::DeserializeOwned;

use crate::codec::CodecError;
use crate::connection::call::Call;
use crate::error::{Error, ErrorKind};
use crate::expression::{
    Condition, DocumentPath, Expressions, Node, Operand, Path, Term, Writer, and_condition,
};
use crate::model::key::{IntoKey, KeyValues};
use crate::model::{Model, bind, stored};
use crate::operation::projection::ReadAs;
use crate::operation::raw::Raw;
use crate::operation::return_nothing::ReturnNothing;
use crate::operation::return_old::ReturnOld;
use crate::operation::{Pending, Request, bind_when_awaited, debug_settings, existing_item_if};

/// Changes attributes of one item, and returns the changed item; see [`Model::update`].
///
/// [`project`](Self::project) returns a part of the item, [`return_old`](Self::return_old) the item as it
/// was before, and [`return_nothing`](Self::return_nothing) nothing.
///
/// DynamoDB makes all changes at once, based on the item as it was before. Their order doesn't matter,
/// and no other write happens in between. Two changes must not have the same path, nor may one path
/// be inside the other.
///
/// # If there is no item
///
/// The update creates the item, with the key and what the changes set. To change existing items only,
/// add a condition:
///
/// ```no_run
/// # use bsm_dynamodb::Model;
/// # #[derive(serde::Serialize, serde::Deserialize, Model)]
/// # #[model(table = "users")]
/// # struct User { #[model(hash_key)] id: String, age: u8 }
/// # async fn f() -> Result<(), bsm_dynamodb::Error> {
/// let exists = User::id().exists();
/// User::update("123").set(User::age(), 18).condition(exists).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// - [`ErrorKind::TableNotFound`] if the table does not exist;
/// - [`ErrorKind::ConditionalCheckFailed`] if the condition
///   is false; [`Error::existing_item`] returns the existing item;
/// - [`ErrorKind::InvalidRequest`] if DynamoDB cannot make the
///   changes, such as a change of the key, or of an entry of a map that does not exist;
/// - [`ErrorKind::InvalidItem`] if the changed item does not fit the
///   model. In that case DynamoDB has made the changes.
///
/// Source: [Update expressions](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html)
/// in the Developer Guide.
#[doc(alias = "UpdateItem")]
#[doc(alias = "upsert")]
#[must_use = "operations do nothing unless they are awaited"]
pub struct Update<M, T = M> {
    key: Result<KeyValues, CodecError>,
    changes: Changes,
    condition: Option<Node>,
    read_as: ReadAs<T>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> Update<M> {
    pub(crate) fn new(key: impl IntoKey<M::Key>) -> Self {
        let mut changes = Changes::default();
        if let Some(version) = M::VERSION {
            let one = Term::literal(&1);
            // `ADD` treats a missing version as 0, so an item without one gets version 1.
            let document_path = DocumentPath::attribute(version.name());
            changes.added.push((document_path, one));
        }
        Self {
            key: M::KEY.encode::<M, M::Codec>(key),
            changes,
            condition: None,
            read_as: ReadAs::whole(stored::decode),
            model: PhantomData,
        }
    }
}

impl<M: Model, T> Update<M, T> {
    /// Sets the value at a path, to a value or to the value of another attribute.
    ///
    /// A value that [`save`](Model::save) leaves out of the item removes the attribute: an empty set, a value
    /// for which the field's `#[serde(skip_serializing_if)]` returns `true`, and `None` with the codec
    /// [`Sparse`](crate::Sparse). Otherwise [`Serde`](crate::Serde) stores `None` as NULL; to have no attribute,
    /// [`remove`](Self::remove) it. An element of a list that is set to `None` becomes NULL with either codec,
    /// so that the elements behind it stay where they are.
    ///
    /// A value that serde could not read back is refused before anything is sent, as
    /// [`Serde`](crate::Serde) says.
    pub fn set<V, E>(self, path: Path<M, V, E>, value: impl Operand<M, V, E>) -> Self {
        let value = path.replacing_term(value);
        self.change(path, SetAction::Term(value))
    }

    /// Sets the value at a path, unless the item already has one there. NULL is a value, as which
    /// [`Serde`](crate::Serde) stores `None`.
    pub fn set_if_not_exists<V, E>(
        self,
        path: Path<M, V, E>,
        value: impl Operand<M, V, E>,
    ) -> Self {
        let value = path.replacing_term(value);
        self.change(path, SetAction::IfNotExists(value))
    }

    /// Adds to the number at a path. A missing number counts as 0.
    ///
    /// NULL is no number: for an `Option` that was saved as `None` by the codec [`Serde`](crate::Serde), the
    /// update fails with [`ErrorKind::InvalidRequest`]. The codec [`Sparse`](crate::Sparse) leaves such an
    /// attribute out. The same is true of [`decrement`](Self::decrement), [`add`](Self::add) and the
    /// methods for lists.
    pub fn increment<V, E>(self, path: Path<M, V, E>, by: impl Operand<M, V, E>) -> Self {
        // The operand isn't stored itself, so it needs no check that serde can read it back.
        let by = path.value_term(by);
        self.change(path, SetAction::Sum("+", by))
    }

    /// Subtracts from the number at a path. A missing number counts as 0.
    pub fn decrement<V, E>(self, path: Path<M, V, E>, by: impl Operand<M, V, E>) -> Self {
        let by = path.value_term(by);
        self.change(path, SetAction::Sum("-", by))
    }

    /// Appends elements to the list at a path. A missing list counts as empty.
    pub fn list_append<V, E>(self, path: Path<M, V, E>, elements: impl Operand<M, V, E>) -> Self {
        let elements = path.checked_term(elements);
        self.change(path, SetAction::Append(elements))
    }

    /// Prepends elements to the list at a path. A missing list counts as empty.
    pub fn list_prepend<V, E>(self, path: Path<M, V, E>, elements: impl Operand<M, V, E>) -> Self {
        let elements = path.checked_term(elements);
        self.change(path, SetAction::Prepend(elements))
    }

    /// Removes the value at a path, if there is one.
    ///
    /// Removing an element of a list moves the elements after it up.
    pub fn remove<V, E>(mut self, path: Path<M, V, E>) -> Self {
        self.changes.removed.push(path.into_document_path());
        self
    }

    /// Adds to a number, or adds elements to a set. A missing number counts as 0, a missing set as
    /// empty.
    ///
    /// Adding an empty set changes nothing.
    ///
    /// AWS documents this for top-level attributes only. [`increment`](Self::increment) also works
    /// for nested ones.
    pub fn add<V, E>(mut self, path: Path<M, V, E>, value: impl Operand<M, V, E>) -> Self {
        let value = path.checked_term(value);
        self.changes.added.push((path.into_document_path(), value));
        self
    }

    /// Deletes elements from a set. DynamoDB removes a set that becomes empty.
    ///
    /// AWS documents this for top-level attributes only.
    pub fn delete<V, E>(mut self, path: Path<M, V, E>, elements: impl Operand<M, V, E>) -> Self {
        // These elements leave the item, so it doesn't matter whether serde can read them back.
        let elements = path.value_term(elements);
        self.changes
            .deleted
            .push((path.into_document_path(), elements));
        self
    }

    /// Changes the item only if this condition is true for it. Several conditions must all be true.
    pub fn condition(mut self, condition: Condition<M>) -> Self {
        and_condition(&mut self.condition, condition.into_node());
        self
    }

    /// Returns a `P` instead of the model: the attributes of the changed item for which it has fields.
    ///
    /// See [`Get::project`](crate::Get::project). DynamoDB sends the whole item in any case.
    ///
    /// ```no_run
    /// # use bsm_dynamodb::Model;
    /// # #[derive(serde::Serialize, serde::Deserialize, Model)]
    /// # #[model(table = "users")]
    /// # struct User { #[model(hash_key)] id: String, visits: u64 }
    /// # async fn f() -> Result<(), bsm_dynamodb::Error> {
    /// #[derive(serde::Deserialize)]
    /// struct Visits {
    ///     visits: u64,
    /// }
    ///
    /// let update = User::update("123").increment(User::visits(), 1);
    /// let Visits { visits } = update.project().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn project<P: DeserializeOwned>(self) -> Update<M, P> {
        Update {
            key: self.key,
            changes: self.changes,
            condition: self.condition,
            read_as: ReadAs::fields(),
            model: PhantomData,
        }
    }

    /// Returns the item as it was before the changes, or `None` if there was none.
    pub fn return_old(self) -> ReturnOld<Self> {
        ReturnOld(self)
    }

    /// Returns nothing, so that the item need not fit the model.
    ///
    /// DynamoDB then sends no item, which costs the same and saves time.
    pub fn return_nothing(self) -> ReturnNothing<Self> {
        ReturnNothing(self)
    }

    fn change<V, E>(mut self, path: Path<M, V, E>, action: SetAction) -> Self {
        self.changes.set.push((path.into_document_path(), action));
        self
    }

    /// Returns the parts of the request, for a transaction.
    pub(crate) fn into_parts(self) -> (Result<KeyValues, CodecError>, Changes, Option<Node>) {
        (self.key, self.changes, self.condition)
    }
}

impl<M: Model, T: Send + 'static> Update<M, T> {
    /// Returns the SDK's request builder; see [`Get::raw`](crate::Get::raw).
    pub fn raw(self) -> Raw<M, UpdateItemFluentBuilder> {
        Raw::new(self)
    }

    async fn run(self, call: Call) -> Result<T, Error> {
        let item = self.run_returning(ReturnValue::AllNew, &call).await?;
        // With `ALL_NEW`, DynamoDB returns an item even if there are no changes.
        item.ok_or_else(|| call.error(ErrorKind::Service, "DynamoDB returned no item"))
    }

    async fn run_returning(self, item: ReturnValue, call: &Call) -> Result<Option<T>, Error> {
        let decode = self.read_as.decode;
        let request = self.build(call).await?.return_values(item).customize();
        let output = request.interceptor(call.attempts()).send().await;
        let item = output.map_err(|error| call.sdk_error(error))?.attributes;
        item.map(|item| call.decode_written(decode, item, M::KEY.names()))
            .transpose()
    }
}

impl<M: Model, T: Send + 'static> Request for Update<M, T> {
    type Builder = UpdateItemFluentBuilder;

    const NAME: &'static str = "UpdateItem";

    async fn build(self, call: &Call) -> Result<UpdateItemFluentBuilder, Error> {
        let key = self.key.map_err(|cause| call.encode_error::<M>(cause))?;
        let mut changes = self.changes;
        // Only now all changes are known, and the key of an index may depend on several.
        let completed = changes.complete::<M>(&key);
        completed.map_err(|cause| call.expression_error(cause))?;
        let expressions = Expressions::write::<M, M::Codec>(self.condition.as_ref(), |writer| {
            changes.expression(writer)
        });
        let expressions = expressions.map_err(|cause| call.expression_error(cause))?;
        let request = call.client().await?.update_item();
        Ok(request
            .table_name(call.table())
            .set_key(Some(M::KEY.name_values(key)))
            .set_update_expression(expressions.update)
            .set_return_values_on_condition_check_failure(existing_item_if(
                expressions.condition.is_some(),
            ))
            .set_condition_expression(expressions.condition)
            .set_expression_attribute_names(expressions.names)
            .set_expression_attribute_values(expressions.values)
            // For `raw()`. `run_returning` replaces it.
            .return_values(ReturnValue::AllNew))
    }
}

/// The changes of an update, by clause.
#[derive(Default)]
pub(crate) struct Changes {
    set: Vec<(DocumentPath, SetAction)>,
    removed: Vec<DocumentPath>,
    added: Vec<(DocumentPath, Term)>,
    deleted: Vec<(DocumentPath, Term)>,
}

/// The right side of an assignment.
enum SetAction {
    Term(Term),
    IfNotExists(Term),
    Sum(&'static str, Term),
    Append(Term),
    Prepend(Term),
}

impl Changes {
    pub(crate) fn expression(&self, writer: &mut Writer) -> Result<Option<String>, CodecError> {
        let mut set = Vec::new();
        // Collected first: a `set` to a value that isn't stored is a removal as well.
        let mut removed: Vec<_> = self.removed.iter().map(|path| writer.path(path)).collect();
        for (path, action) in &self.set {
            match action.expression(path, writer)? {
                Written::Value(value) => set.push(format!("{} = {value}", writer.path(path))),
                Written::Removal => removed.push(writer.path(path)),
                Written::Nothing => {}
            }
        }
        // To add nothing, or to delete nothing, changes nothing.
        let mut pairs = |pairs: &[(DocumentPath, Term)]| {
            let mut written = Vec::new();
            for (path, term) in pairs {
                if let Some(term) = writer.stored(path, term)? {
                    written.push(format!("{} {term}", writer.path(path)));
                }
            }
            Ok::<_, CodecError>(written)
        };
        let (added, deleted) = (pairs(&self.added)?, pairs(&self.deleted)?);
        let clauses = [
            ("SET", set),
            ("REMOVE", removed),
            ("ADD", added),
            ("DELETE", deleted),
        ];
        let clauses: Vec<_> = clauses
            .into_iter()
            .filter(|(_, changes)| !changes.is_empty())
            .map(|(keyword, changes)| format!("{keyword} {}", changes.join(", ")))
            .collect();
        // Without an expression, DynamoDB still creates an item that is missing.
        Ok((!clauses.is_empty()).then(|| clauses.join(" ")))
    }
}

/// What a change with a path comes to.
enum Written {
    Value(String),
    /// `save` leaves the attribute out for this value, so the update removes it.
    Removal,
    Nothing,
}

impl SetAction {
    fn expression(&self, path: &DocumentPath, writer: &mut Writer) -> Result<Written, CodecError> {
        let term = match (writer.stored(path, self.term())?, self) {
            (Some(term), _) => term,
            // Without the element, those behind it would move. A save stores NULL in a list.
            (None, Self::Term(term) | Self::IfNotExists(term))
                if path.is_element() && term.is_null() =>
            {
                writer.value(&AttributeValue::Null(true))
            }
            (None, Self::Term(_)) if path.is_element() => {
                return Err(
                    format!("`{path}` is an element of a list, which is no empty set").into(),
                );
            }
            (None, Self::Term(_)) => return Ok(Written::Removal),
            // There is nothing to set: what is there stays, and nothing else is stored.
            (None, Self::IfNotExists(_)) => return Ok(Written::Nothing),
            (None, _) => {
                return Err(format!(
                    "the update changes `{path}` by a value that is not stored, such as `None`: \
                     leave this change out"
                )
                .into());
            }
        };
        // DynamoDB refuses to calculate with an attribute that is missing.
        let mut existing_or = |default: AttributeValue| {
            let path = writer.path(path);
            format!("if_not_exists({path}, {})", writer.value(&default))
        };
        let zero = || AttributeValue::N("0".to_owned());
        let empty = || AttributeValue::L(Vec::new());
        Ok(Written::Value(match self {
            Self::Term(_) => term,
            Self::IfNotExists(_) => format!("if_not_exists({}, {term})", writer.path(path)),
            Self::Sum(sign, _) => format!("{} {sign} {term}", existing_or(zero())),
            Self::Append(_) => format!("list_append({}, {term})", existing_or(empty())),
            Self::Prepend(_) => format!("list_append({term}, {})", existing_or(empty())),
        }))
    }

    fn term(&self) -> &Term {
        match self {
            Self::Term(term)
            | Self::IfNotExists(term)
            | Self::Sum(_, term)
            | Self::Append(term)
            | Self::Prepend(term) => term,
        }
    }
}

/// Shows the changes and no values.
impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut writer = Writer::default();
        match self.expression(&mut writer) {
            Ok(text) => write!(f, "{} with {:?}", text.unwrap_or_default(), writer.names()),
            Err(_) => f.write_str("not valid"),
        }
    }
}

bind_when_awaited! {
    Update<M, T> => T,
}

impl<M: Model, T: Send + 'static> IntoFuture for ReturnOld<Update<M, T>> {
    type Output = Result<Option<T>, Error>;
    type IntoFuture = Pending<Option<T>>;

    fn into_future(self) -> Self::IntoFuture {
        let call = bind::<M>(Update::<M, T>::NAME);
        Box::pin(async move { self.0.run_returning(ReturnValue::AllOld, &call).await })
    }
}

impl<M: Model, T: Send + 'static> IntoFuture for ReturnNothing<Update<M, T>> {
    type Output = Result<(), Error>;
    type IntoFuture = Pending<()>;

    fn into_future(self) -> Self::IntoFuture {
        let call = bind::<M>(Update::<M, T>::NAME);
        Box::pin(async move {
            let nothing = self.0.run_returning(ReturnValue::None, &call);
            nothing.await.map(drop)
        })
    }
}

debug_settings! {
    Update<M, T> { changes, condition },
}

//! Updating attributes of one item.

use std::fmt;
use std::marker::PhantomData;

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};

use crate::codec::CodecError;
use crate::connection::call::Call;
use crate::error::{Error, ErrorKind};
use crate::expression::{
    Condition, DocumentPath, Expressions, Node, Operand, Path, Term, Writer, and_condition,
};
use crate::model::Model;
use crate::model::key::{IntoKey, KeyValues};
use crate::model::stored;
use crate::operation::raw::Raw;
use crate::operation::{Request, bind_when_awaited, debug_settings, existing_item_if};

/// Changes attributes of one item, and returns the changed item; see [`Model::update`].
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
/// - [`ErrorKind::TableNotFound`](crate::ErrorKind::TableNotFound) if the table does not exist;
/// - [`ErrorKind::ConditionalCheckFailed`](crate::ErrorKind::ConditionalCheckFailed) if the condition
///   is false; [`Error::existing_item`] returns the existing item;
/// - [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if DynamoDB cannot make the
///   changes, such as a change of the key, or of an entry of a map that does not exist;
/// - [`ErrorKind::InvalidItem`](crate::ErrorKind::InvalidItem) if the changed item does not fit the
///   model. In that case DynamoDB has made the changes.
///
/// Source: [Update expressions](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html)
/// in the Developer Guide.
#[doc(alias = "UpdateItem")]
#[doc(alias = "upsert")]
#[must_use = "operations do nothing unless they are awaited"]
pub struct Update<M> {
    key: Result<KeyValues, CodecError>,
    changes: Changes,
    condition: Option<Node>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> Update<M> {
    pub(crate) fn new(key: impl IntoKey<M::Key>) -> Self {
        let mut changes = Changes::default();
        if let Some(version) = M::VERSION {
            let one = Term::literal(&1);
            let place = DocumentPath::attribute(version.name());
            changes.added.push((place, one));
        }
        Self {
            key: M::KEY.encode::<M, M::Codec>(key),
            changes,
            condition: None,
            model: PhantomData,
        }
    }

    /// Sets the value at a path, to a value or to the value of another attribute.
    ///
    /// A value that [`save`](Model::save) leaves out of the item removes the attribute: an empty set,
    /// and `None` with the codec [`Sparse`](crate::Sparse). With [`Serde`](crate::Serde) `None` is
    /// stored as NULL; to have no attribute, [`remove`](Self::remove) it.
    pub fn set<T, E>(self, path: Path<M, T, E>, value: impl Operand<M, T, E>) -> Self {
        self.change(path, SetAction::Term(value.into_operand().term()))
    }

    /// Sets the value at a path, unless the item already has one there.
    pub fn set_if_not_exists<T, E>(
        self,
        path: Path<M, T, E>,
        value: impl Operand<M, T, E>,
    ) -> Self {
        self.change(path, SetAction::IfNotExists(value.into_operand().term()))
    }

    /// Adds to the number at a path. A missing number counts as 0.
    pub fn increment<T, E>(self, path: Path<M, T, E>, by: impl Operand<M, T, E>) -> Self {
        self.change(path, SetAction::Sum("+", by.into_operand().term()))
    }

    /// Subtracts from the number at a path. A missing number counts as 0.
    pub fn decrement<T, E>(self, path: Path<M, T, E>, by: impl Operand<M, T, E>) -> Self {
        self.change(path, SetAction::Sum("-", by.into_operand().term()))
    }

    /// Appends elements to the list at a path. A missing list counts as empty.
    pub fn list_append<T, E>(self, path: Path<M, T, E>, elements: impl Operand<M, T, E>) -> Self {
        self.change(path, SetAction::Append(elements.into_operand().term()))
    }

    /// Prepends elements to the list at a path. A missing list counts as empty.
    pub fn list_prepend<T, E>(self, path: Path<M, T, E>, elements: impl Operand<M, T, E>) -> Self {
        self.change(path, SetAction::Prepend(elements.into_operand().term()))
    }

    /// Removes the value at a path, if there is one.
    ///
    /// Removing an element of a list moves the elements after it up.
    pub fn remove<T, E>(mut self, path: Path<M, T, E>) -> Self {
        self.changes.removed.push(path.into_place());
        self
    }

    /// Adds to a number, or adds elements to a set. A missing number counts as 0, a missing set as
    /// empty.
    ///
    /// Adding an empty set changes nothing.
    ///
    /// AWS documents this for top-level attributes only. [`increment`](Self::increment) also works
    /// for nested ones.
    pub fn add<T, E>(mut self, path: Path<M, T, E>, value: impl Operand<M, T, E>) -> Self {
        let value = value.into_operand().term();
        self.changes.added.push((path.into_place(), value));
        self
    }

    /// Deletes elements from a set. DynamoDB removes a set that becomes empty.
    ///
    /// AWS documents this for top-level attributes only.
    pub fn delete<T, E>(mut self, path: Path<M, T, E>, elements: impl Operand<M, T, E>) -> Self {
        let elements = elements.into_operand().term();
        self.changes.deleted.push((path.into_place(), elements));
        self
    }

    /// Changes the item only if this condition is true for it. Several conditions must all be true.
    pub fn condition(mut self, condition: Condition<M>) -> Self {
        and_condition(&mut self.condition, condition.into_node());
        self
    }

    /// Returns the SDK's request builder; see [`Get::raw`](crate::Get::raw).
    pub fn raw(self) -> Raw<M, UpdateItemFluentBuilder> {
        Raw::new(self)
    }

    fn change<T, E>(mut self, path: Path<M, T, E>, action: SetAction) -> Self {
        self.changes.set.push((path.into_place(), action));
        self
    }

    /// Returns the parts of the request, for a transaction.
    pub(crate) fn into_parts(self) -> (Result<KeyValues, CodecError>, Changes, Option<Node>) {
        (self.key, self.changes, self.condition)
    }

    async fn run(self, call: Call) -> Result<M, Error> {
        let output = self.build(&call).await?.send().await;
        let output = output.map_err(|error| call.sdk_error(error))?;
        match output.attributes {
            Some(item) => call.decode_written(stored::decode, item),
            None => Err(call.error(ErrorKind::Service, "DynamoDB returned no item")),
        }
    }
}

impl<M: Model> Request for Update<M> {
    type Builder = UpdateItemFluentBuilder;

    const NAME: &'static str = "UpdateItem";

    async fn build(self, call: &Call) -> Result<UpdateItemFluentBuilder, Error> {
        let changes = &self.changes;
        let key = self.key.map_err(|cause| call.encode_error::<M>(cause))?;
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
        let Some(term) = writer.stored(path, self.term())? else {
            return match self {
                Self::Term(_) => Ok(Written::Removal),
                // There is nothing to set: what is there stays, and nothing else is stored.
                Self::IfNotExists(_) => Ok(Written::Nothing),
                _ => Err(format!(
                    "`{path}` is changed by a value that is not stored, such as `None`"
                )
                .into()),
            };
        };
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
    Update => M,
}

debug_settings! {
    Update { changes, condition },
}

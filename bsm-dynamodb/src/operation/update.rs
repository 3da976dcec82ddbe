//! Changing attributes of one item.

use std::fmt;
use std::marker::PhantomData;

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};

use crate::codec::CodecError;
use crate::connection::slot::{Call, Slot};
use crate::error::{Error, ErrorKind};
use crate::expression::{
    Condition, DocumentPath, Expressions, Node, Operand, Path, Term, Writer, and_condition,
};
use crate::model::Model;
use crate::model::key::{IntoKey, KeyValues};
use crate::model::stored;
use crate::operation::item::old_item_if;
use crate::operation::{Raw, Request, bind_when_awaited, debug_settings};

/// Changes attributes of one item, and returns the item as it is then; see [`Model::update`].
///
/// The changes are made at once, and from the item as it was before: the order in which they are
/// given does not matter, and no other write comes in between. No two of them may be for the same
/// path, or for one inside the other.
///
/// # If there is no item
///
/// Then it is created, with the key and what the changes set: an update is also an insert
/// ("upsert"). To change existing items only, demand that there is one:
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
/// When it is awaited: [`ErrorKind::TableNotFound`](crate::ErrorKind::TableNotFound) if there is no
/// such table; [`ErrorKind::ConditionalCheckFailed`](crate::ErrorKind::ConditionalCheckFailed) if
/// the condition does not hold, with the item: [`Error::existing_item`];
/// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if DynamoDB cannot make the
/// changes, such as a change of the key or of an entry of a map that is not there;
/// [`ErrorKind::InvalidItem`](crate::ErrorKind::InvalidItem) if the item, which has been changed
/// then, does not fit the model.
///
/// Source: [Update expressions](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html)
/// in the Developer Guide.
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

    /// Sets the value at a path: to a value, or to what another attribute has.
    ///
    /// A value that [`save`](Model::save) leaves out of the item removes the attribute: an empty set,
    /// and `None` with the codec [`Sparse`](crate::Sparse). With [`Serde`](crate::Serde) `None` is
    /// stored as NULL; to have no attribute, [`remove`](Self::remove) it.
    pub fn set<T, E>(self, path: Path<M, T, E>, value: impl Operand<M, T, E>) -> Self {
        self.change(path, SetAction::Term(value.into_operand().term()))
    }

    /// Sets the value at a path unless there is one.
    pub fn set_if_not_exists<T, E>(
        self,
        path: Path<M, T, E>,
        value: impl Operand<M, T, E>,
    ) -> Self {
        self.change(path, SetAction::IfNotExists(value.into_operand().term()))
    }

    /// Adds to the number at a path, which counts as 0 if there is none.
    pub fn increment<T, E>(self, path: Path<M, T, E>, by: impl Operand<M, T, E>) -> Self {
        self.change(path, SetAction::Sum("+", by.into_operand().term()))
    }

    /// Takes from the number at a path, which counts as 0 if there is none.
    pub fn decrement<T, E>(self, path: Path<M, T, E>, by: impl Operand<M, T, E>) -> Self {
        self.change(path, SetAction::Sum("-", by.into_operand().term()))
    }

    /// Adds elements to the end of the list at a path, which counts as empty if there is none.
    pub fn list_append<T, E>(self, path: Path<M, T, E>, elements: impl Operand<M, T, E>) -> Self {
        self.change(path, SetAction::Append(elements.into_operand().term()))
    }

    /// Adds elements to the front of the list at a path, which counts as empty if there is none.
    pub fn list_prepend<T, E>(self, path: Path<M, T, E>, elements: impl Operand<M, T, E>) -> Self {
        self.change(path, SetAction::Prepend(elements.into_operand().term()))
    }

    /// Removes the value at a path, if there is one.
    ///
    /// The elements of a list after one that is removed move up.
    pub fn remove<T, E>(mut self, path: Path<M, T, E>) -> Self {
        self.changes.removed.push(path.into_place());
        self
    }

    /// Adds to a number or a set, which counts as 0 or empty if there is none.
    ///
    /// Adding an empty set changes nothing.
    ///
    /// AWS documents it for attributes only, not for what is nested in one;
    /// [`increment`](Self::increment) is for both.
    pub fn add<T, E>(mut self, path: Path<M, T, E>, value: impl Operand<M, T, E>) -> Self {
        let value = value.into_operand().term();
        self.changes.added.push((path.into_place(), value));
        self
    }

    /// Takes elements out of a set. A set that becomes empty is removed.
    ///
    /// AWS documents it for attributes only, not for what is nested in one.
    pub fn delete<T, E>(mut self, path: Path<M, T, E>, elements: impl Operand<M, T, E>) -> Self {
        let elements = elements.into_operand().term();
        self.changes.deleted.push((path.into_place(), elements));
        self
    }

    /// Changes the item only if this holds for it; conditions add up.
    pub fn condition(mut self, condition: Condition<M>) -> Self {
        and_condition(&mut self.condition, condition.into_node());
        self
    }

    /// Gives the request in the words of the SDK; see [`Get::raw`](crate::Get::raw).
    pub fn raw(self) -> Raw<M, UpdateItemFluentBuilder> {
        Raw::new(self)
    }

    fn change<T, E>(mut self, path: Path<M, T, E>, action: SetAction) -> Self {
        self.changes.set.push((path.into_place(), action));
        self
    }

    /// Takes it apart, for a transaction.
    pub(crate) fn into_parts(self) -> (Result<KeyValues, CodecError>, Changes, Option<Node>) {
        (self.key, self.changes, self.condition)
    }

    async fn run(self, slot: Slot<M>) -> Result<M, Error> {
        let call = slot.call(Self::NAME);
        let output = self.build(&call).await?.send().await;
        let output = output.map_err(|error| call.write_failed(error))?;
        match output.attributes {
            Some(item) => call.decode_written(stored::decode, item),
            None => Err(call.error(ErrorKind::Service, "DynamoDB answered without the item")),
        }
    }
}

impl<M: Model> Request for Update<M> {
    type Model = M;
    type Builder = UpdateItemFluentBuilder;

    const NAME: &'static str = "UpdateItem";

    async fn build(self, call: &Call<M>) -> Result<UpdateItemFluentBuilder, Error> {
        let changes = &self.changes;
        let key = self.key.map_err(|cause| call.not_encoded(cause))?;
        let all = Expressions::of::<M, M::Codec>(self.condition.as_ref(), |writer| {
            changes.expression(writer)
        });
        let all = all.map_err(|cause| call.not_expressed(cause))?;
        let request = call.client().await?.update_item();
        Ok(request
            .table_name(call.table())
            .set_key(Some(M::KEY.name_values(key)))
            .set_update_expression(all.update)
            .set_return_values_on_condition_check_failure(old_item_if(all.condition.is_some()))
            .set_condition_expression(all.condition)
            .set_expression_attribute_names(all.names)
            .set_expression_attribute_values(all.values)
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

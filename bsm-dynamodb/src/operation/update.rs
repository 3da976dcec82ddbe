//! Updating attributes of one item.

use std::fmt;
use std::marker::PhantomData;

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};

use crate::codec::{Codec, CodecError};
use crate::connection::call::Call;
use crate::error::{Error, ErrorKind};
use crate::expression::{
    Condition, DocumentPath, Expressions, Node, Operand, Path, Term, Writer, demand_too, value_of,
};
use crate::model::Model;
use crate::model::key::KeyValues;
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
    key: KeyValues,
    changes: Changes,
    condition: Option<Node>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> Update<M> {
    pub(crate) fn new(key: KeyValues) -> Self {
        let mut changes = Changes::default();
        if let Some(version) = M::VERSION {
            let one = Term::Value(value_of(&1));
            let place = DocumentPath::attribute(version.name());
            changes.added.push((place, one));
        }
        Self {
            key,
            changes,
            condition: None,
            model: PhantomData,
        }
    }

    /// Sets the value at a path, to a value or to the value of another attribute.
    ///
    /// `None` becomes NULL; to have no attribute [`remove`](Self::remove) it.
    pub fn set<T, E>(self, path: Path<M, T, E>, value: impl Operand<M, T, E>) -> Self {
        self.assign(path, |_| Assigned::Term(value.into_given().term()))
    }

    /// Sets the value at a path, unless the item already has one there.
    pub fn set_if_not_exists<T, E>(
        self,
        path: Path<M, T, E>,
        value: impl Operand<M, T, E>,
    ) -> Self {
        self.assign(path, |place| {
            Assigned::IfNotExists(place, value.into_given().term())
        })
    }

    /// Adds to the number at a path. A missing number counts as 0.
    pub fn increment<T, E>(self, path: Path<M, T, E>, by: impl Operand<M, T, E>) -> Self {
        self.assign(path, |place| {
            Assigned::Sum(place, "+", by.into_given().term())
        })
    }

    /// Subtracts from the number at a path. A missing number counts as 0.
    pub fn decrement<T, E>(self, path: Path<M, T, E>, by: impl Operand<M, T, E>) -> Self {
        self.assign(path, |place| {
            Assigned::Sum(place, "-", by.into_given().term())
        })
    }

    /// Appends elements to the list at a path. A missing list counts as empty.
    pub fn list_append<T, E>(self, path: Path<M, T, E>, elements: impl Operand<M, T, E>) -> Self {
        self.assign(path, |place| {
            Assigned::Append(place, elements.into_given().term())
        })
    }

    /// Prepends elements to the list at a path. A missing list counts as empty.
    pub fn list_prepend<T, E>(self, path: Path<M, T, E>, elements: impl Operand<M, T, E>) -> Self {
        self.assign(path, |place| {
            Assigned::Prepend(place, elements.into_given().term())
        })
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
    /// AWS documents this for top-level attributes only. [`increment`](Self::increment) also works
    /// for nested ones.
    pub fn add<T, E>(mut self, path: Path<M, T, E>, value: impl Operand<M, T, E>) -> Self {
        let value = value.into_given().term();
        self.changes.added.push((path.into_place(), value));
        self
    }

    /// Deletes elements from a set. DynamoDB removes a set that becomes empty.
    ///
    /// AWS documents this for top-level attributes only.
    pub fn delete<T, E>(mut self, path: Path<M, T, E>, elements: impl Operand<M, T, E>) -> Self {
        let elements = elements.into_given().term();
        self.changes.deleted.push((path.into_place(), elements));
        self
    }

    /// Changes the item only if this condition is true for it. Several conditions must all be true.
    pub fn condition(mut self, condition: Condition<M>) -> Self {
        demand_too(&mut self.condition, condition.into_node());
        self
    }

    /// Returns the SDK's request builder; see [`Get::raw`](crate::Get::raw).
    pub fn raw(self) -> Raw<M, UpdateItemFluentBuilder> {
        Raw::new(self)
    }

    fn assign<T, E>(
        mut self,
        path: Path<M, T, E>,
        assigned: impl FnOnce(DocumentPath) -> Assigned,
    ) -> Self {
        let place = path.into_place();
        self.changes.set.push((place.clone(), assigned(place)));
        self
    }

    /// Returns the parts of the request, for a transaction.
    pub(crate) fn into_parts(self) -> (KeyValues, Changes, Option<Node>) {
        (self.key, self.changes, self.condition)
    }

    async fn run(self, call: Call) -> Result<M, Error> {
        let output = self.build(&call).await?.send().await;
        let output = output.map_err(|error| call.sdk_error(error))?;
        match output.attributes {
            Some(item) => call.decode(M::Codec::from_item, item),
            None => Err(call.error(ErrorKind::Service, "DynamoDB returned no item")),
        }
    }
}

impl<M: Model> Request for Update<M> {
    type Builder = UpdateItemFluentBuilder;

    const NAME: &'static str = "UpdateItem";

    async fn build(self, call: &Call) -> Result<UpdateItemFluentBuilder, Error> {
        let changes = &self.changes;
        let expressions =
            Expressions::of(self.condition.as_ref(), |writer| changes.expression(writer));
        let expressions = expressions.map_err(|cause| call.expression_error(cause))?;
        let request = call.client().await?.update_item();
        Ok(request
            .table_name(call.table())
            .set_key(Some(M::KEY.name_values(self.key)))
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
    set: Vec<(DocumentPath, Assigned)>,
    removed: Vec<DocumentPath>,
    added: Vec<(DocumentPath, Term)>,
    deleted: Vec<(DocumentPath, Term)>,
}

/// The right side of an assignment. The path is that of the left side.
enum Assigned {
    Term(Term),
    IfNotExists(DocumentPath, Term),
    Sum(DocumentPath, &'static str, Term),
    Append(DocumentPath, Term),
    Prepend(DocumentPath, Term),
}

impl Changes {
    pub(crate) fn expression(&self, writer: &mut Writer) -> Result<Option<String>, CodecError> {
        let set = self.set.iter().map(|(path, assigned)| {
            let path = writer.path(path);
            Ok(format!("{path} = {}", assigned.expression(writer)?))
        });
        let set: Vec<_> = set.collect::<Result<_, CodecError>>()?;
        let removed: Vec<_> = self.removed.iter().map(|path| writer.path(path)).collect();
        let mut pairs = |pairs: &[(DocumentPath, Term)]| {
            let pairs = pairs.iter();
            pairs
                .map(|(path, term)| Ok(format!("{} {}", writer.path(path), writer.term(term)?)))
                .collect::<Result<Vec<_>, CodecError>>()
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

impl Assigned {
    fn expression(&self, writer: &mut Writer) -> Result<String, CodecError> {
        let mut existing_or = |path: &DocumentPath, default: AttributeValue| {
            let path = writer.path(path);
            format!("if_not_exists({path}, {})", writer.value(&default))
        };
        let zero = || AttributeValue::N("0".to_owned());
        let empty = || AttributeValue::L(Vec::new());
        Ok(match self {
            Self::Term(term) => writer.term(term)?,
            Self::IfNotExists(path, term) => {
                let path = writer.path(path);
                format!("if_not_exists({path}, {})", writer.term(term)?)
            }
            Self::Sum(path, sign, term) => {
                let sum = existing_or(path, zero());
                format!("{sum} {sign} {}", writer.term(term)?)
            }
            Self::Append(path, term) => {
                let list = existing_or(path, empty());
                format!("list_append({list}, {})", writer.term(term)?)
            }
            Self::Prepend(path, term) => {
                let list = existing_or(path, empty());
                format!("list_append({}, {list})", writer.term(term)?)
            }
        })
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

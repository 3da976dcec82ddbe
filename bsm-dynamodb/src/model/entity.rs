//! Several models in one table: what tells their items apart.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::codec::{CodecError, Decode, Item};
use crate::expression::{Comparator, DocumentPath, Node, Term};
use crate::model::Model;
use crate::model::index::{Projection, Source};
use crate::model::template::KeyTemplate;

/// The attribute and the value that tell the items of a model from those of other models in its table.
///
/// `#[model(entity = "order")]` declares it. Every write adds the attribute, and queries and scans of the
/// model leave the items of other models out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entity {
    attribute: &'static str,
    value: &'static str,
}

impl Entity {
    /// Creates an entity from the name of the attribute and the model's value.
    pub const fn new(attribute: &'static str, value: &'static str) -> Self {
        Self { attribute, value }
    }

    /// Returns the name of the attribute.
    pub const fn attribute(&self) -> &'static str {
        self.attribute
    }

    /// Returns the value that the items of the model have.
    pub const fn value(&self) -> &'static str {
        self.value
    }

    /// Returns the value as an attribute.
    pub(crate) fn attribute_value(&self) -> AttributeValue {
        AttributeValue::S(self.value.to_owned())
    }

    /// Returns the condition that an item has one of these values.
    pub(crate) fn condition(attribute: &'static str, values: Vec<AttributeValue>) -> Node {
        let path = Term::Path(DocumentPath::attribute(attribute));
        let mut values: Vec<_> = values.into_iter().map(Term::Literal).collect();
        match values.len() {
            1 => Node::Compare(path, Comparator::Eq, values.remove(0)),
            _ => Node::In(path, values),
        }
    }
}

/// Adds the attributes to an item that the codec does not know: the entity, and the key attributes that
/// have a template.
pub(crate) fn complete<M: Model>(item: &mut Item) -> Result<(), CodecError> {
    if let Some(entity) = M::ENTITY {
        // This replaces whatever a `Rest` contains under the name.
        item.insert(entity.attribute.to_owned(), entity.attribute_value());
    }
    for template in M::TEMPLATES {
        let value_of = |name: &str| crate::types::KeyValue::from_attribute(item.get(name)?);
        // Without all of its fields, an item is not in the index. The key of the table is checked later.
        if let Some(key) = template.compose(value_of)? {
            let key = AttributeValue::S(key);
            item.insert(template.attribute().to_owned(), key);
        }
    }
    Ok(())
}

/// Returns `true` if [`complete`] adds an attribute of this name.
pub(crate) fn adds<M: Model>(name: &str) -> bool {
    let mut templates = M::TEMPLATES.iter().map(KeyTemplate::attribute);
    M::ENTITY.is_some_and(|entity| entity.attribute == name)
        || templates.any(|attribute| attribute == name)
}

/// Reverses [`complete`], and fails for an item of another model.
pub(crate) fn reduce<M: Model>(item: &mut Item) -> Result<(), CodecError> {
    // Before anything is removed: the check compares these attributes.
    check::<M>(item)?;
    if let Some(entity) = M::ENTITY {
        item.remove(entity.attribute);
    }
    for template in M::TEMPLATES {
        let Some(AttributeValue::S(key)) = item.remove(template.attribute()) else {
            continue;
        };
        // The table's key has passed the check. An index may have a key of another form, which has no fields.
        for (name, value) in template.parse(&key).unwrap_or_default() {
            // The item's own attribute takes precedence: the key has the value as a piece of text only.
            item.entry(name.to_owned()).or_insert(value);
        }
    }
    Ok(())
}

/// Fails for an item of another model. An item may lack the attribute, as in an index without it.
pub(crate) fn check<M: Model>(item: &Item) -> Result<(), CodecError> {
    if let Some(entity) = M::ENTITY
        && let Some(value) = item.get(entity.attribute)
        && *value != entity.attribute_value()
    {
        let Entity { attribute, value } = entity;
        return Err(format!(
            "the item belongs to another model: its `{attribute}` is not \"{value}\""
        )
        .into());
    }
    for template in M::TEMPLATES {
        // Only the table's key decides: an index may hold keys of other forms, or none.
        let is_key = M::KEY.names().any(|name| name == template.attribute());
        if let Some(AttributeValue::S(key)) = item.get(template.attribute())
            && is_key
            && template.parse(key).is_none()
        {
            return Err(format!(
                "the item belongs to another model: its key attribute `{}` is not {template}",
                template.attribute()
            )
            .into());
        }
    }
    Ok(())
}

/// Turns an item into a `T`, and fails for an item of another model, also where a projection does not
/// decode the model.
pub(crate) fn decode_own<M: Model, T>(decode: Decode<T>, item: Item) -> Result<T, CodecError> {
    check::<M>(&item)?;
    decode(item)
}

/// Returns the condition that leaves the items of other models out of a read of this source.
///
/// In an index without the attribute of the entity it compares the key of the table, which every index has.
pub(crate) fn filter<M: Model, S: Source<M>>(is_query: bool) -> Option<Node> {
    if let Some(entity) = M::ENTITY
        && has_attribute::<M>(S::INDEX, entity.attribute)
    {
        let values = vec![entity.attribute_value()];
        return Some(Entity::condition(entity.attribute, values));
    }
    // DynamoDB refuses a filter on the key that is queried.
    let is_queried = |name: &str| is_query && S::KEY.names().any(|queried| queried == name);
    // A template that begins with a field has no prefix to compare.
    let prefixes = M::TEMPLATES.iter().filter(|template| {
        let is_key = M::KEY.names().any(|name| name == template.attribute());
        is_key && !template.prefix().is_empty() && !is_queried(template.attribute())
    });
    prefixes
        .map(|template| {
            let path = DocumentPath::attribute(template.attribute());
            let prefix = AttributeValue::S(template.prefix().to_owned());
            Node::Function("begins_with", path, Some(Term::Literal(prefix)))
        })
        .reduce(Node::and)
}

/// Returns `true` if the table, or the index of this name, has the attribute.
pub(super) fn has_attribute<M: Model>(index: Option<&str>, attribute: &str) -> bool {
    let Some(name) = index else { return true };
    let index = M::INDEXES.iter().find(|index| index.name == name);
    match index.map(|index| index.projection) {
        Some(Projection::KeysOnly) => false,
        Some(Projection::Include(names)) => names.contains(&attribute),
        // An index that is missing in `INDEXES` counts as one with the default projection, all attributes.
        Some(Projection::All) | None => true,
    }
}

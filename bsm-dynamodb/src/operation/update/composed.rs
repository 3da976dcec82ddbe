//! The attributes that an update changes along with the fields of a key: those that have a template.

use aws_sdk_dynamodb::types::AttributeValue;

use super::{Changes, SetAction};
use crate::codec::{Codec as _, CodecError};
use crate::expression::{DocumentPath, Term};
use crate::model::Model;
use crate::model::key::KeyValues;
use crate::model::template::KeyTemplate;
use crate::types::KeyValue;

impl Changes {
    /// Adds what a save of the changed item would also write: the entity, the fields of the key, and the
    /// keys of indexes that are composed of fields.
    ///
    /// # Errors
    ///
    /// If a field of the key is changed, or one of several fields of the key of an index.
    pub(crate) fn complete<M: Model>(&mut self, key: &KeyValues) -> Result<(), CodecError> {
        if M::TEMPLATES.is_empty() && M::ENTITY.is_none() {
            return Ok(());
        }
        let is_key = |template: &KeyTemplate| {
            let mut names = M::KEY.names();
            names.any(|name| name == template.attribute())
        };
        let (of_key, of_indexes): (Vec<_>, Vec<_>) = M::TEMPLATES.iter().copied().partition(is_key);
        // An update has no model, so the fields come from the key.
        let item = M::KEY.name_values(key.clone());
        let fields = of_key.iter().flat_map(|template| {
            let key = item.get(template.attribute());
            let key = key.and_then(|value| value.as_s().ok());
            key.and_then(|key| template.parse(key)).unwrap_or_default()
        });
        let mut key_fields: Vec<(&str, AttributeValue)> = Vec::new();
        for (name, value) in fields {
            // Both key attributes may have the field, and DynamoDB refuses to set an attribute twice.
            if key_fields.iter().all(|(known, _)| *known != name) {
                key_fields.push((name, value));
            }
        }
        // DynamoDB would accept the change of a field, which would then contradict the key.
        if let Some((name, _)) = key_fields.iter().find(|(name, _)| self.touches(name)) {
            return Err(format!(
                "`{name}` is a field of the key, which cannot change: save the item under its new key, \
                 and delete the old one"
            )
            .into());
        }
        // All keys before the first change below, because they depend on the caller's changes only.
        let composed = of_indexes
            .iter()
            .map(|template| Ok((template, self.key_of_index::<M>(template, &key_fields)?)))
            .collect::<Result<Vec<_>, CodecError>>()?;
        for (template, key) in composed {
            match key {
                IndexKey::Unchanged => {}
                IndexKey::Is(key) => self.set_literal(template.attribute(), AttributeValue::S(key)),
                IndexKey::None => {
                    let attribute = DocumentPath::attribute(template.attribute());
                    self.removed.push(attribute);
                }
            }
        }
        // A save also stores the fields, and the update may create the item.
        for (name, value) in key_fields {
            self.set_literal(name, value);
        }
        if let Some(entity) = M::ENTITY {
            self.set_literal(entity.attribute(), entity.attribute_value());
        }
        Ok(())
    }

    /// Composes the key of an index of the fields that are set, and of those of the table's key.
    fn key_of_index<M: Model>(
        &self,
        template: &KeyTemplate,
        key_fields: &[(&str, AttributeValue)],
    ) -> Result<IndexKey, CodecError> {
        let fields = template.fields();
        let mut values = Vec::new();
        let mut unknown = Vec::new();
        for &name in &fields {
            let of_key = key_fields.iter().find(|(field, _)| *field == name);
            if let Some((_, value)) = of_key {
                values.push((name, KeyValue::from_attribute(value)));
                continue;
            }
            match self.assigned::<M>(name)? {
                Assigned::Value(value) => values.push((name, KeyValue::from_attribute(&value))),
                Assigned::Removed => values.push((name, None)),
                Assigned::Unknown => unknown.push(name),
            }
        }
        // The stored key stays right. A key whose fields are all in the table's key is composed for a new item.
        if !fields.iter().any(|name| self.touches(name)) && !unknown.is_empty() {
            return Ok(IndexKey::Unchanged);
        }
        // The stored values of the other fields are not known, and DynamoDB can't join strings.
        if !unknown.is_empty() {
            return Err(format!(
                "the key attribute `{}` is composed of `{}`: set all of these in one update, or save \
                 the whole item",
                template.attribute(),
                fields.join("`, `"),
            )
            .into());
        }
        let value_of = |wanted: &str| {
            let value = values.iter().find(|(name, _)| *name == wanted);
            value.and_then(|(_, value)| value.clone())
        };
        Ok(match template.compose(value_of)? {
            Some(key) => IndexKey::Is(key),
            None => IndexKey::None,
        })
    }

    /// Returns `true` if a change has a path in this attribute.
    fn touches(&self, attribute: &str) -> bool {
        let set = self.set.iter().map(|(path, _)| path);
        let added = self.added.iter().chain(&self.deleted).map(|(path, _)| path);
        let mut paths = set.chain(added).chain(&self.removed);
        paths.any(|path| path.is_inside(attribute))
    }

    /// Returns what the attribute is after the update.
    ///
    /// # Errors
    ///
    /// That of the value.
    fn assigned<M: Model>(&self, attribute: &'static str) -> Result<Assigned, CodecError> {
        let path = DocumentPath::attribute(attribute);
        if self.removed.contains(&path) {
            return Ok(Assigned::Removed);
        }
        let set = self.set.iter().find(|(set, _)| *set == path);
        // The reason why the value cannot be stored, before that the key is not known.
        if let Some((_, action)) = set
            && let Term::Value(Err(error)) = action.term()
        {
            return Err(Box::new(error.clone()));
        }
        match set {
            Some((_, SetAction::Term(Term::Value(Ok(value))))) => {
                // A save also composes keys of stored values.
                let stored = M::Codec::stored(attribute, value.clone())?;
                Ok(stored.map_or(Assigned::Removed, Assigned::Value))
            }
            // DynamoDB calculates the others, such as sums and copies of attributes, when it makes the change.
            _ => Ok(Assigned::Unknown),
        }
    }

    fn set_literal(&mut self, attribute: &'static str, value: AttributeValue) {
        let path = DocumentPath::attribute(attribute);
        self.set.push((path, SetAction::Term(Term::Literal(value))));
    }
}

/// What an attribute is after an update.
enum Assigned {
    Value(AttributeValue),
    Removed,
    /// The update does not set it, or DynamoDB calculates it.
    Unknown,
}

/// What becomes of a key attribute of an index.
enum IndexKey {
    Unchanged,
    Is(String),
    /// A field has no value, so the item leaves the index.
    None,
}

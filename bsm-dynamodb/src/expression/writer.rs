//! How the expressions of a request are written.

use std::collections::HashMap;
use std::fmt::{self, Write as _};

use aws_sdk_dynamodb::types::AttributeValue;

use super::tree::{Comparator, DocumentPath, Node, Segment, Term};
use crate::codec::{Codec, CodecError, is_empty_set, unmark};

/// Writes the expressions of one request, and gathers their names and values.
///
/// Each name and each value has one placeholder, however often it occurs.
pub(crate) struct Writer {
    stored: Stored,
    names: Vec<String>,
    values: Vec<AttributeValue>,
}

/// What the model's codec stores for a value; see [`Codec::stored`].
type Stored = fn(&str, AttributeValue) -> Result<Option<AttributeValue>, CodecError>;

/// The expressions of one write, with the names and values that they use.
pub(crate) struct Expressions {
    pub(crate) condition: Option<String>,
    pub(crate) update: Option<String>,
    pub(crate) names: Names,
    pub(crate) values: Values,
}

impl Expressions {
    /// Writes the condition and the update of a write. Both are optional.
    pub(crate) fn write<M, C: Codec<M>>(
        condition: Option<&Node>,
        update: impl FnOnce(&mut Writer) -> Result<Option<String>, CodecError>,
    ) -> Result<Self, CodecError> {
        // One writer for both, because they share the names and values of the request.
        let mut writer = Writer::for_codec::<M, C>();
        let update = update(&mut writer)?;
        let condition = writer.optional_condition(condition)?;
        let (names, values) = writer.finish();
        Ok(Self {
            condition,
            update,
            names,
            values,
        })
    }

    /// Writes the expressions of a write that has at most a condition.
    pub(crate) fn write_condition<M, C: Codec<M>>(
        condition: Option<&Node>,
    ) -> Result<Self, CodecError> {
        Self::write::<M, C>(condition, |_| Ok(None))
    }
}

impl Writer {
    /// A writer of expressions on the items that the codec `C` stores for `M`.
    pub(crate) fn for_codec<M, C: Codec<M>>() -> Self {
        Self::new(C::stored)
    }

    fn new(stored: Stored) -> Self {
        Self {
            stored,
            names: Vec::new(),
            values: Vec::new(),
        }
    }

    pub(crate) fn condition(&mut self, node: &Node) -> Result<String, CodecError> {
        Ok(match node {
            Node::Compare(left, comparator, right) => self.comparison(left, *comparator, right)?,
            Node::Between(term, low, high) => {
                let low = self.compared(term, low)?;
                let high = self.compared(term, high)?;
                format!("{} BETWEEN {low} AND {high}", self.term(term)?)
            }
            Node::In(term, others) => self.one_of(term, others)?,
            Node::Function(name, path, argument) => {
                let path = self.path(path);
                match argument {
                    // A prefix or an element is no value of the whole attribute, so the codec doesn't apply.
                    Some(argument) => format!("{name}({path}, {})", self.term(argument)?),
                    None => format!("{name}({path})"),
                }
            }
            Node::All(nodes) => self.joined(nodes, " AND ")?,
            Node::Any(nodes) => self.joined(nodes, " OR ")?,
            Node::Not(node) => format!("NOT ({})", self.condition(node)?),
        })
    }

    pub(crate) fn optional_condition(
        &mut self,
        node: Option<&Node>,
    ) -> Result<Option<String>, CodecError> {
        node.map(|node| self.condition(node)).transpose()
    }

    fn comparison(
        &mut self,
        left: &Term,
        comparator: Comparator,
        right: &Term,
    ) -> Result<String, CodecError> {
        if let Some(written) = self.stored_at(left, right)? {
            let symbol = comparator.symbol();
            return Ok(format!("{} {symbol} {written}", self.term(left)?));
        }
        // An item that was saved with this value does not have the attribute.
        match comparator {
            Comparator::Eq => Ok(format!("attribute_not_exists({})", self.term(left)?)),
            Comparator::Ne => Ok(format!("attribute_exists({})", self.term(left)?)),
            _ => Err(not_stored(left)),
        }
    }

    /// Writes the other side of a comparison, which must be a value that the codec stores.
    fn compared(&mut self, left: &Term, right: &Term) -> Result<String, CodecError> {
        self.stored_at(left, right)?.ok_or_else(|| not_stored(left))
    }

    /// Writes a term as it is stored at the path `at`, or `None` if it is a value that is left out.
    fn stored_at(&mut self, at: &Term, term: &Term) -> Result<Option<String>, CodecError> {
        match at {
            Term::Path(path) => self.stored(path, term),
            // A size is a number, whatever the codec stores.
            _ => self.term(term).map(Some),
        }
    }

    /// Writes a term as it is stored at a path, or `None` if it is a value that is left out.
    pub(crate) fn stored(
        &mut self,
        path: &DocumentPath,
        term: &Term,
    ) -> Result<Option<String>, CodecError> {
        // The codec applies to the caller's values only. For an error, `term` returns it.
        let Term::Value(Ok(value)) = term else {
            return self.term(term).map(Some);
        };
        let stored = (self.stored)(&path.to_string(), value.clone())?;
        // No attribute is an empty set, also if a codec of the user's own does not say so.
        let stored = stored.filter(|value| !is_empty_set(value));
        Ok(stored.map(|value| self.value(&value)))
    }

    /// Writes a term as it is.
    pub(crate) fn term(&mut self, term: &Term) -> Result<String, CodecError> {
        match term {
            Term::Path(path) => Ok(self.path(path)),
            Term::Size(path) => Ok(format!("size({})", self.path(path))),
            Term::Value(Ok(value)) | Term::Literal(value) => Ok(self.value(value)),
            Term::Value(Err(error)) => Err(Box::new(error.clone())),
        }
    }

    pub(crate) fn path(&mut self, path: &DocumentPath) -> String {
        let mut text = String::new();
        for segment in path.segments() {
            match segment {
                Segment::Name(name) => {
                    let separator = if text.is_empty() { "" } else { "." };
                    text += separator;
                    text += &self.name(name);
                }
                Segment::Index(index) => {
                    // Writing to a `String` doesn't fail.
                    let _ = write!(text, "[{index}]");
                }
            }
        }
        text
    }

    pub(crate) fn name(&mut self, name: &str) -> String {
        // An expression has few names, so a search is cheap, and the position is the placeholder.
        let known = self.names.iter().position(|known| known == name);
        let position = known.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        format!("#n{position}")
    }

    pub(crate) fn value(&mut self, value: &AttributeValue) -> String {
        let mut value = value.clone();
        // Marks are for the codec, which has left out what it does not store.
        unmark(&mut value);
        // `AttributeValue` implements neither `Hash` nor `Ord`, so this is a search as well.
        let known = self.values.iter().position(|known| *known == value);
        let position = known.unwrap_or_else(|| {
            self.values.push(value);
            self.values.len() - 1
        });
        format!(":v{position}")
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns `ExpressionAttributeNames` and `ExpressionAttributeValues`, each `None` if it is empty, because
    /// DynamoDB rejects an empty one.
    pub(crate) fn finish(self) -> (Names, Values) {
        let names = self.names.into_iter().enumerate();
        let names = names.map(|(position, name)| (format!("#n{position}"), name));
        let values = self.values.into_iter().enumerate();
        let values = values.map(|(position, value)| (format!(":v{position}"), value));
        (not_empty(names.collect()), not_empty(values.collect()))
    }

    fn one_of(&mut self, term: &Term, others: &[Term]) -> Result<String, CodecError> {
        if others.is_empty() {
            return Err("in_() has no values to compare with: pass at least one".into());
        }
        let others = others.iter().map(|other| self.compared(term, other));
        let others: Vec<_> = others.collect::<Result<_, _>>()?;
        Ok(format!("{} IN ({})", self.term(term)?, others.join(", ")))
    }

    /// Joins conditions; parentheses only where they are needed, as DynamoDB refuses others.
    fn joined(&mut self, nodes: &[Node], operator: &str) -> Result<String, CodecError> {
        let nodes: Result<Vec<_>, _> = nodes
            .iter()
            .map(|node| {
                let text = self.condition(node)?;
                Ok(match node {
                    // Everything else binds more tightly than AND and OR.
                    Node::All(_) | Node::Any(_) => format!("({text})"),
                    _ => text,
                })
            })
            .collect();
        nodes.map(|nodes| nodes.join(operator))
    }
}

/// Shows expressions, whatever the codec.
impl Default for Writer {
    fn default() -> Self {
        Self::new(|_, value| Ok(Some(value)))
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut writer = Writer::default();
        match writer.condition(self) {
            Ok(text) => write!(f, "{text} with {:?}", writer.names()),
            Err(_) => f.write_str("not valid"),
        }
    }
}

fn not_stored(at: &Term) -> CodecError {
    let path = match at {
        Term::Path(path) | Term::Size(path) => path.to_string(),
        // The left side of a comparison is a path or a size.
        _ => String::new(),
    };
    format!(
        "`{path}` is compared with a value that is not stored, such as an empty set: compare with \
         exists() or not_exists()"
    )
    .into()
}

type Names = Option<HashMap<String, String>>;
type Values = Option<HashMap<String, AttributeValue>>;

fn not_empty<V>(map: HashMap<String, V>) -> Option<HashMap<String, V>> {
    (!map.is_empty()).then_some(map)
}

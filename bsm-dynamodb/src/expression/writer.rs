//! How the expressions of a request are written.

use std::collections::HashMap;
use std::fmt::Write as _;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::codec::CodecError;
use crate::expression::condition::Node;
use crate::expression::operand::Term;
use crate::expression::path::{DocumentPath, Segment};

/// Writes the expressions of one request, and gathers their names and values.
///
/// Each name and each value has one placeholder, however often it occurs.
#[derive(Default)]
pub(crate) struct Writer {
    names: Vec<String>,
    values: Vec<AttributeValue>,
}

/// The expressions of one write, with the names and values that they use.
pub(crate) struct Expressions {
    pub(crate) condition: Option<String>,
    pub(crate) update: Option<String>,
    pub(crate) names: Names,
    pub(crate) values: Values,
}

impl Expressions {
    pub(crate) fn of(
        condition: Option<&Node>,
        update: impl FnOnce(&mut Writer) -> Result<Option<String>, CodecError>,
    ) -> Result<Self, CodecError> {
        let mut writer = Writer::default();
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

    /// The expressions of a write that has at most a condition.
    pub(crate) fn of_condition(condition: Option<&Node>) -> Result<Self, CodecError> {
        Self::of(condition, |_| Ok(None))
    }
}

impl Writer {
    pub(crate) fn condition(&mut self, node: &Node) -> Result<String, CodecError> {
        Ok(match node {
            Node::Compare(left, comparator, right) => {
                let symbol = comparator.symbol();
                format!("{} {symbol} {}", self.term(left)?, self.term(right)?)
            }
            Node::Between(term, low, high) => {
                let (term, low) = (self.term(term)?, self.term(low)?);
                format!("{term} BETWEEN {low} AND {}", self.term(high)?)
            }
            Node::In(term, others) => self.one_of(term, others)?,
            Node::Function(name, path, argument) => {
                let path = self.path(path);
                match argument {
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

    pub(crate) fn term(&mut self, term: &Term) -> Result<String, CodecError> {
        match term {
            Term::Path(path) => Ok(self.path(path)),
            Term::Size(path) => Ok(format!("size({})", self.path(path))),
            Term::Value(Ok(value)) => Ok(self.value(value)),
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
                    let _ = write!(text, "[{index}]");
                }
            }
        }
        text
    }

    pub(crate) fn name(&mut self, name: &str) -> String {
        let known = self.names.iter().position(|known| known == name);
        let position = known.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        format!("#n{position}")
    }

    pub(crate) fn value(&mut self, value: &AttributeValue) -> String {
        let known = self.values.iter().position(|known| known == value);
        let position = known.unwrap_or_else(|| {
            self.values.push(value.clone());
            self.values.len() - 1
        });
        format!(":v{position}")
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Gives `ExpressionAttributeNames` and `ExpressionAttributeValues`; neither may be empty.
    pub(crate) fn finish(self) -> (Names, Values) {
        let names = self.names.into_iter().enumerate();
        let names = names.map(|(position, name)| (format!("#n{position}"), name));
        let values = self.values.into_iter().enumerate();
        let values = values.map(|(position, value)| (format!(":v{position}"), value));
        (not_empty(names.collect()), not_empty(values.collect()))
    }

    fn one_of(&mut self, term: &Term, others: &[Term]) -> Result<String, CodecError> {
        if others.is_empty() {
            return Err("in_() was given no values to compare with".into());
        }
        let term = self.term(term)?;
        let others: Result<Vec<_>, _> = others.iter().map(|other| self.term(other)).collect();
        Ok(format!("{term} IN ({})", others?.join(", ")))
    }

    /// Joins conditions; parentheses only where they are needed, as DynamoDB refuses others.
    fn joined(&mut self, nodes: &[Node], operator: &str) -> Result<String, CodecError> {
        let nodes: Result<Vec<_>, _> = nodes
            .iter()
            .map(|node| {
                let text = self.condition(node)?;
                Ok(match node {
                    Node::All(_) | Node::Any(_) => format!("({text})"),
                    _ => text,
                })
            })
            .collect();
        nodes.map(|nodes| nodes.join(operator))
    }
}

type Names = Option<HashMap<String, String>>;
type Values = Option<HashMap<String, AttributeValue>>;

fn not_empty<V>(map: HashMap<String, V>) -> Option<HashMap<String, V>> {
    (!map.is_empty()).then_some(map)
}

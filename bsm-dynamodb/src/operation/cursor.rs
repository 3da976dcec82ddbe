//! Where a query or scan stands, to go on from there later.

use std::collections::BTreeMap;
use std::fmt;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

use crate::codec::Item;
use crate::types::KeyValue;

/// Where a query or scan stands: what [`resume`](crate::Query::resume) goes on from.
///
/// [`Items::cursor`](crate::Items::cursor) and [`Pages::cursor`](crate::Pages::cursor) make one at
/// any time, in the middle of a page, too. It can be stored by way of serde. What it holds is not
/// part of the interface, except that it holds the keys of items in the clear: do not show it to
/// whom they should not be shown to.
///
/// It knows its table, index, account and region, and whether it is of a query or of a scan with
/// so many segments, and is refused elsewhere. To get each item exactly once, give the operation
/// that goes on the same key condition, order and filter; the page size and the limit may differ.
///
/// # Examples
///
/// ```no_run
/// # use bsm_dynamodb::Model;
/// # #[derive(serde::Serialize, serde::Deserialize, Model)]
/// # #[model(table = "users")]
/// # struct User { #[model(hash_key)] id: String }
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// use futures_util::TryStreamExt as _;
///
/// let mut users = User::scan().limit(10).stream();
/// while let Some(user) = users.try_next().await? {
///     println!("{}", user.id);
/// }
/// let token = serde_json::to_string(&users.cursor().await?)?;
///
/// // In the next request:
/// let more = User::scan().limit(10).resume(serde_json::from_str(&token)?);
/// let next_ten = more.collect().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Cursor {
    at: Location,
    /// One for each segment.
    positions: Vec<Position>,
}

impl Cursor {
    pub(crate) fn new(at: Location, positions: Vec<Position>) -> Self {
        Self { at, positions }
    }

    /// Says whether there is nothing after it.
    ///
    /// A cursor that is not finished may still find nothing more.
    pub fn is_finished(&self) -> bool {
        let mut positions = self.positions.iter();
        positions.all(|position| matches!(position, Position::End))
    }

    pub(crate) fn positions(&self) -> &[Position] {
        &self.positions
    }

    /// Says why it cannot be used at another location, if it cannot.
    pub(crate) fn mismatch(&self, here: &Location, segments: usize) -> Option<String> {
        let Location {
            account,
            region,
            table,
            index,
            operation,
        } = &self.at;
        let named = |index: &Option<String>| index.clone().unwrap_or_else(|| "none".to_owned());
        let there_and_here = [
            ("account", account.clone(), here.account.clone()),
            ("region", region.clone(), here.region.clone()),
            ("table", table.clone(), here.table.clone()),
            ("index", named(index), named(&here.index)),
            ("operation", operation.clone(), here.operation.clone()),
            (
                "number of segments",
                self.positions.len().to_string(),
                segments.to_string(),
            ),
        ];
        there_and_here
            .into_iter()
            .find(|(_, there, here)| there != here)
            .map(|(what, there, here)| {
                format!(
                    "the cursor cannot be used here: its {what} is {there}, not {here}; \
                     resume it where it was made"
                )
            })
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cursor")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// What a cursor is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Location {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) table: String,
    pub(crate) index: Option<String>,
    pub(crate) operation: String,
}

/// Where the next page of a segment begins.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Position {
    Start,
    After(BTreeMap<String, KeyValue>),
    End,
}

impl Position {
    /// Reads a position out of a `LastEvaluatedKey`.
    pub(crate) fn after_page(last_evaluated_key: Option<Item>) -> Self {
        let key = last_evaluated_key.unwrap_or_default();
        match key_values(key.iter()) {
            key if key.is_empty() => Self::End,
            key => Self::After(key),
        }
    }

    /// The position after an item.
    pub(crate) fn after_item(item: &Item, key_names: &[&'static str]) -> Self {
        let key = key_names
            .iter()
            .filter_map(|&name| item.get_key_value(name));
        Self::After(key_values(key))
    }

    /// Builds an `ExclusiveStartKey`.
    pub(crate) fn start_key(&self) -> Option<Item> {
        let Self::After(key) = self else { return None };
        let key = key
            .iter()
            .map(|(name, value)| (name.clone(), value.clone().into()));
        Some(key.collect())
    }
}

fn key_values<'a>(
    attributes: impl Iterator<Item = (&'a String, &'a AttributeValue)>,
) -> BTreeMap<String, KeyValue> {
    attributes
        .filter_map(|(name, value)| Some((name.clone(), KeyValue::from_attribute(value)?)))
        .collect()
}

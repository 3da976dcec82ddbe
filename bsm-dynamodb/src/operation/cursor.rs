//! The position of a query or scan, from which it can be resumed.

use std::collections::BTreeMap;
use std::fmt;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

use crate::codec::Item;
use crate::types::KeyValue;

/// The position of a query or scan, from which [`Query::resume`](crate::Query::resume) and
/// [`Scan::resume`](crate::Scan::resume) continue.
///
/// [`Items::cursor`](crate::Items::cursor) and [`Pages::cursor`](crate::Pages::cursor) create one at
/// any time, even in the middle of a page. Serialize it with serde to store it. The serialized form is
/// not part of the API, but it contains keys of items in plain text: show it only to users who may see
/// those keys.
///
/// A cursor belongs to its table, index, account and region, and to a query or to a scan with a number
/// of segments. Everything else rejects it. To get each item exactly once, resume with the same key
/// condition, order and filter; the page size and the limit may differ.
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
#[doc(alias = "ExclusiveStartKey")]
#[doc(alias = "LastEvaluatedKey")]
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Cursor {
    at: Location,
    /// One per segment.
    positions: Vec<SegmentPosition>,
}

impl Cursor {
    pub(crate) fn new(at: Location, positions: Vec<SegmentPosition>) -> Self {
        Self { at, positions }
    }

    /// Returns `true` if the query or scan has read everything.
    ///
    /// If it returns `false`, resuming may still find no more items.
    pub fn is_finished(&self) -> bool {
        let mut positions = self.positions.iter();
        positions.all(|position| matches!(position, SegmentPosition::End))
    }

    pub(crate) fn positions(&self) -> &[SegmentPosition] {
        &self.positions
    }

    /// Returns why the cursor cannot be used at another location, or `None` if it can.
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
                // DynamoDB divides the table by this number, so a position fits no other division.
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
                     resume it where it was created"
                )
            })
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cursor")
            // The positions are left out: they contain keys of items.
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// What a cursor belongs to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Location {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) table: String,
    pub(crate) index: Option<String>,
    pub(crate) operation: String,
}

/// The start of the next page of a segment.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum SegmentPosition {
    Start,
    // Sorted, so that equal positions are serialized to equal text.
    After(BTreeMap<String, KeyValue>),
    End,
}

impl SegmentPosition {
    /// Returns the position after a page that has this `LastEvaluatedKey`.
    pub(crate) fn after_page(last_evaluated_key: Option<Item>) -> Self {
        let key = last_evaluated_key.unwrap_or_default();
        // The last page of a segment has no `LastEvaluatedKey`.
        match key_values(key.iter()) {
            key if key.is_empty() => Self::End,
            key => Self::After(key),
        }
    }

    /// Returns the position after an item.
    pub(crate) fn after_item(item: &Item, key_names: &[&'static str]) -> Self {
        // Built from the item, because DynamoDB returns a key for the end of a page only.
        let key = key_names
            .iter()
            .filter_map(|&name| item.get_key_value(name));
        Self::After(key_values(key))
    }

    /// Returns the `ExclusiveStartKey` of the next page.
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
        // A key attribute has no other type, so this drops nothing.
        .filter_map(|(name, value)| Some((name.clone(), KeyValue::from_attribute(value)?)))
        .collect()
}

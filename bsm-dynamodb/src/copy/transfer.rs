//! Writes and lookups in two tables without a copy, with a copy's retries and limits.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::TableDescription;

use super::compare::same_wire_item;
use super::create::{MAX_WAIT, Template, create_like, set_time_to_live, time_to_live};
use super::job::CopyJob;
use super::options::CopyOptions;
use super::settings::SourceSettings;
use super::table::{TableClient, TableKey};
use crate::batch::{MAX_KEYS, Write};
use crate::codec::Item;
use crate::error::{Error, ErrorKind};
use crate::model::key::KeyValues;
use crate::throttle::backoff::PollInterval;
use crate::wire::bodies::WireWrite;
use crate::wire::item::WireItem;

/// A source and a target with the same key.
pub(crate) struct TablePair(CopyJob);

impl TablePair {
    /// The keys of one lookup.
    pub(crate) const MAX_KEYS: usize = MAX_KEYS;

    pub(crate) fn new(
        source: &TableClient,
        target: &TableClient,
        table: &TableDescription,
        read_capacity: Option<u32>,
        write_capacity: Option<u32>,
    ) -> Result<Self, Error> {
        let Some(key) = TableKey::of(table) else {
            let message = "DynamoDB described the table without its key: check the endpoint";
            return Err(source.error(ErrorKind::Service, message));
        };
        let options = CopyOptions {
            read_capacity,
            write_capacity,
            ..CopyOptions::new(source.table.clone())
        };
        let job = CopyJob::for_pair(source.clone(), target.clone(), key, options);
        Ok(Self(job))
    }

    /// Returns the key of an item; `None` if it has none.
    pub(crate) fn key_values(&self, item: &Item) -> Option<KeyValues> {
        self.0.key.values_in(item).ok()
    }

    /// Returns the key attributes of an item.
    pub(crate) fn key_of(&self, item: &Item) -> Item {
        self.0.key.attributes_of(item)
    }

    /// Writes a batch to the target, until every write is done.
    pub(crate) async fn write(&self, writes: Vec<Write>) -> Result<(), Error> {
        let encoded = writes.into_iter().map(|write| match write {
            Write::Put(item) => WireItem::encode(&item).map(WireWrite::Put),
            Write::Delete(key) => WireItem::encode(&key).map(WireWrite::Delete),
        });
        let encoded = encoded.collect::<Result<_, _>>().map_err(|cause| {
            let message = "an item cannot be written";
            let error = self.0.target.error(ErrorKind::InvalidItem, message);
            error.with_source(cause)
        })?;
        self.write_encoded(encoded).await
    }

    /// As [`write`](Self::write), with items as bytes.
    pub(crate) async fn write_encoded(&self, writes: Vec<WireWrite>) -> Result<(), Error> {
        self.0.write_all(writes).await.map(drop)
    }

    /// Returns those of at most [`MAX_KEYS`](Self::MAX_KEYS) keys whose items differ.
    pub(crate) async fn differing(&self, keys: &[Item]) -> Result<Vec<Item>, Error> {
        let Self(job) = self;
        let limits = (job.source_reads.as_ref(), job.target_reads.as_ref());
        let look_up = |table, limit| job.look_up(table, limit, keys.to_vec(), false);
        let (source, target) = tokio::try_join!(
            look_up(&job.source, limits.0),
            look_up(&job.target, limits.1)
        )?;
        let by_key = |table: &TableClient, items: Vec<WireItem>| {
            let mut by_key = HashMap::new();
            for item in items {
                let key = table.key_attributes(&item, &job.key)?;
                by_key.extend(self.key_values(&key).map(|key| (key, item)));
            }
            Ok::<_, Error>(by_key)
        };
        let (source, target) = (by_key(&job.source, source)?, by_key(&job.target, target)?);
        let differs = |key: &&Item| {
            let key = self.key_values(key);
            let items = key.map(|key| (source.get(&key), target.get(&key)));
            match items {
                Some((Some(one), Some(other))) => !same_wire_item(one, other),
                Some((None, None)) => false,
                // An item on one side only, or without a complete key.
                _ => true,
            }
        };
        Ok(keys.iter().filter(differs).cloned().collect())
    }
}

/// Creates the target like the source, without its time to live and without what only a copy brings.
pub(crate) async fn create_without_settings(
    source: &TableClient,
    target: &TableClient,
    table: &TableDescription,
    exists: bool,
) -> Result<TableDescription, Error> {
    let template = Template {
        source,
        table,
        settings: SourceSettings::read(source, table).await,
        copy_settings: &[],
        // Set at the end of a migration: a target that deletes expired items by itself differs from the source.
        has_time_to_live: false,
    };
    create_like(template, target, exists).await
}

/// Sets the time to live of the target as in the source.
pub(crate) async fn copy_time_to_live(
    source: &TableClient,
    target: &TableClient,
) -> Result<(), Error> {
    match time_to_live(source).await? {
        Some(attribute) => set_time_to_live(target, attribute).await,
        // A new table has no time to live, so there is nothing to turn off.
        None => Ok(()),
    }
}

/// Waits until a table that is being deleted is gone.
pub(crate) async fn until_deleted(table: &TableClient) -> Result<(), Error> {
    let mut interval = PollInterval::new(MAX_WAIT);
    // While the table is being deleted, DescribeTable still finds it and its name is taken.
    while table.describe().await?.is_some() {
        if !interval.wait().await {
            let message =
                format!("the table has not been deleted within {MAX_WAIT:?}: run again later");
            return Err(table.error(ErrorKind::WaitTimedOut, message));
        }
    }
    Ok(())
}

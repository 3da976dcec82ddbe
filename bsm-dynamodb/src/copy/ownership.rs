//! Whose items a target has, when its checkpoint does not say.

use std::collections::HashMap;

use super::checkpoint::{Record, ScanPosition};
use super::compare::same_wire_item;
use super::job::CopyJob;
use super::preflight::not_empty;
use super::scan::SegmentScan;
use crate::batch::MAX_KEYS;
use crate::codec::Item;
use crate::error::{Error, ErrorKind};
use crate::wire::item::WireItem;

/// Refuses a target with any item that this copy would not write as it is.
///
/// A copy that was killed while its first pages were on their way has recorded no written item. The
/// items in the target may be its own, or another program's. An item that equals what the copy
/// writes can be replaced in either case; any other must not be.
pub(super) async fn check_target_items(job: &CopyJob) -> Result<(), Error> {
    let scan = SegmentScan {
        table: &job.target,
        limit: job.target_reads.as_ref(),
        // The items are few: at most those of the pages that were in flight when the copy was killed.
        segment: (0, 1),
        // An eventually consistent scan may miss an item that was written a moment ago.
        consistent: true,
        keys_only: false,
    };
    let mut position = ScanPosition::Start;
    while position != ScanPosition::End {
        let page = job.page(&scan, &position).await?;
        position = page.end;
        for items in page.items.chunks(MAX_KEYS) {
            let keys = items.iter();
            let keys = keys.map(|item| job.target.key_attributes(item, &job.key));
            let keys = keys.collect::<Result<Vec<_>, _>>()?;
            let limit = job.source_reads.as_ref();
            let sources = job.look_up(&job.source, limit, keys.clone(), false).await?;
            let names: Vec<_> = job.key.names().collect();
            let mut expected = HashMap::new();
            for source in sources {
                // An item that the filter leaves out is not expected, so one in the target is another program's.
                if let Some(found) = job.expected(source, &names)?
                    && let Ok(key) = job.key.values_in(&found.attributes)
                {
                    expected.insert(key, found.item);
                }
            }
            let is_ours = |(item, key): (&WireItem, &Item)| {
                let key = job.key.values_in(key).ok();
                let expected = key.and_then(|key| expected.get(&key));
                expected.is_some_and(|expected| same_wire_item(expected, item))
            };
            if !items.iter().zip(&keys).all(is_ours) {
                return Err(refused(job));
            }
        }
    }
    Ok(())
}

impl CopyJob {
    /// Records that items are going to be written; returns when the checkpoint says so.
    ///
    /// Without this record, a checkpoint would prove that the target has no item of this copy only
    /// until the first page is stored, and a later run could not tell whose items it finds.
    pub(super) async fn record_writing(&self) -> Result<(), Error> {
        let record = || async {
            // As late as possible: what is written between this check and the first batch is not seen.
            self.check_target_again().await?;
            let records = vec![Record::Writing {}];
            self.checkpoint.append(records, &self.source).await
        };
        // One writer does this and the others wait for it: none may send an item before the record is on the disk.
        self.writing_recorded.get_or_try_init(record).await.copied()
    }

    /// Refuses a target to which another program has written since the preflight.
    ///
    /// Hours may have passed: `copy_tables` checks all tables before it copies the first one, and a
    /// filter may leave out most of a table before the first item is written. An item written
    /// between this check and the first batch is still not seen: DynamoDB has no lock on a table,
    /// and BatchWriteItem no condition.
    async fn check_target_again(&self) -> Result<(), Error> {
        let max_attempts = self.options.max_attempts;
        if !self.must_be_empty || !self.target.has_items(max_attempts).await? {
            return Ok(());
        }
        match self.was_writing {
            true => check_target_items(self).await,
            false => Err(not_empty(&self.target)),
        }
    }
}

fn refused(job: &CopyJob) -> Error {
    job.target.error(
        ErrorKind::TableNotEmpty,
        "the target table has items that are not the source's, and the checkpoint of this copy \
         has recorded no written item: delete the checkpoint, and choose with policy() what to do \
         about them",
    )
}

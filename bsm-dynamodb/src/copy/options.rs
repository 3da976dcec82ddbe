//! The settings of a copy: values only, without behaviour.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use bsm_core::BotoSesManager;

use super::progress::CopyProgress;
use super::settings::TableSetting;
use crate::codec::{CodecError, Item};

pub(super) type OnProgress = Box<dyn FnMut(&CopyProgress) + Send>;
pub(super) type Stop = Pin<Box<dyn Future<Output = ()> + Send>>;
pub(super) type Filter = Arc<dyn Fn(&Item) -> bool + Send + Sync>;
pub(super) type Transform = Arc<dyn Fn(Item) -> Result<Item, CodecError> + Send + Sync>;

/// What a copy does about items that the target table already has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CopyPolicy {
    /// Copy to an empty table only.
    ///
    /// A resumed copy finds its own items in the target. It relies on the checkpoint only once that
    /// has recorded a written item. Until then, the target must be empty, or contain nothing but
    /// items as the copy would write them.
    ///
    /// From the first item on, the target belongs to the copy: items that another program writes to
    /// it before the copy is done may be replaced.
    #[default]
    FailIfNotEmpty,
    /// Replace items that have the same key, and leave all others alone.
    Overwrite,
    /// Leave every item of the target alone.
    ///
    /// This is slower: it takes a read for every item, and a request of its own for every item that
    /// is written.
    SkipExisting,
}

/// A copy that has been configured and not started.
#[derive(Clone)]
pub(super) struct CopyRequest {
    pub(super) source: BotoSesManager,
    pub(super) target: BotoSesManager,
    pub(super) options: CopyOptions,
}

/// What a copy calls and waits for while it runs. Apart from the request, because it is not `Sync`.
#[derive(Default)]
pub(super) struct Callbacks {
    pub(super) on_progress: Option<OnProgress>,
    pub(super) stop: Option<Stop>,
}

#[derive(Clone)]
pub(super) struct CopyOptions {
    pub(super) source_table: String,
    pub(super) target_table: String,
    pub(super) policy: CopyPolicy,
    pub(super) create_target: bool,
    pub(super) copy_settings: Vec<TableSetting>,
    pub(super) dry_run: bool,
    pub(super) verify: bool,
    /// `None` is the default for a new copy, and the checkpoint's number for a resumed one.
    pub(super) segments: Option<u32>,
    pub(super) read_concurrency: usize,
    pub(super) write_concurrency: usize,
    pub(super) read_capacity: Option<u32>,
    pub(super) write_capacity: Option<u32>,
    pub(super) consistent_read: bool,
    pub(super) page_size: u32,
    pub(super) max_attempts: u32,
    pub(super) checkpoint: Option<PathBuf>,
    pub(super) filter: Option<Filter>,
    pub(super) transform: Option<Transform>,
    /// The caller's name for the filter and the transform, which cannot be compared.
    pub(super) fingerprint: Option<String>,
}

impl CopyOptions {
    pub(super) fn new(table: String) -> Self {
        Self {
            source_table: table.clone(),
            target_table: table,
            policy: CopyPolicy::default(),
            create_target: false,
            copy_settings: Vec::new(),
            dry_run: false,
            verify: false,
            segments: None,
            // Half as many readers as writers: a reader's request brings a thousand items, a
            // writer's takes 25. More of either is not faster from one machine.
            read_concurrency: 4,
            write_concurrency: 8,
            read_capacity: None,
            write_capacity: None,
            consistent_read: false,
            // A filter or a transform decodes items, which then take several times their size in
            // memory: a thousand keeps a page at a few megabytes, where DynamoDB's limit is 1 MB.
            page_size: 1_000,
            // With pauses of up to 5 s, half of that on average, about a minute.
            max_attempts: 20,
            checkpoint: None,
            filter: None,
            transform: None,
            fingerprint: None,
        }
    }
}

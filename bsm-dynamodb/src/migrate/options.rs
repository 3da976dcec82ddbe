//! The settings of a migration: values only, without behaviour.

use std::error::Error as StdError;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use bsm_core::BotoSesManager;

use super::progress::MigrationProgress;

pub(super) type OnProgress = Box<dyn FnMut(&MigrationProgress) + Send>;
pub(super) type Stop = Pin<Box<dyn Future<Output = ()> + Send>>;
type CutoverFuture = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;
pub(super) type Cutover = Box<dyn FnOnce() -> CutoverFuture + Send>;
pub(super) type BoxError = Box<dyn StdError + Send + Sync>;

/// A migration that has been configured and not started.
#[derive(Clone)]
pub(super) struct MigrateRequest {
    pub(super) source: BotoSesManager,
    pub(super) target: BotoSesManager,
    pub(super) options: MigrateOptions,
}

/// What a migration calls and waits for while it runs. Apart from the request, because it is not
/// `Sync`.
#[derive(Default)]
pub(super) struct Callbacks {
    pub(super) on_progress: Option<OnProgress>,
    pub(super) cutover: Option<Cutover>,
    pub(super) stop: Option<Stop>,
}

#[derive(Clone)]
pub(super) struct MigrateOptions {
    pub(super) source_table: String,
    pub(super) target_table: String,
    pub(super) bucket: String,
    /// `None` is the source's account.
    pub(super) bucket_owner: Option<String>,
    pub(super) bucket_region: Option<String>,
    pub(super) prefix: String,
    pub(super) export_key: Option<String>,
    pub(super) target_key: Option<String>,
    pub(super) checkpoint: Option<PathBuf>,
    pub(super) uses_import: bool,
    pub(super) uses_stream: bool,
    pub(super) compares: bool,
    pub(super) read_concurrency: usize,
    pub(super) write_concurrency: usize,
    pub(super) read_capacity: Option<u32>,
    pub(super) write_capacity: Option<u32>,
    pub(super) poll_interval: Duration,
    pub(super) job_timeout: Duration,
    pub(super) quiet_period: Duration,
}

impl MigrateOptions {
    pub(super) fn new(table: String) -> Self {
        Self {
            source_table: table.clone(),
            target_table: table,
            bucket: String::new(),
            bucket_owner: None,
            bucket_region: None,
            prefix: String::new(),
            export_key: None,
            target_key: None,
            checkpoint: None,
            uses_import: true,
            uses_stream: true,
            compares: true,
            // Every file is decompressed by one task. Four keep a machine of a few cores busy.
            read_concurrency: 4,
            write_concurrency: 4,
            read_capacity: None,
            write_capacity: None,
            // An export takes minutes, whatever the size of the table.
            poll_interval: Duration::from_secs(10),
            // Tables of several terabytes are exported in hours.
            job_timeout: Duration::from_secs(48 * 3600),
            // Several times what a record takes to arrive, and writers can pause for as long.
            quiet_period: Duration::from_secs(3),
        }
    }
}

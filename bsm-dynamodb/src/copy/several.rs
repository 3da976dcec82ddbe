//! The copy of several tables with one checkpoint.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;

use futures_util::FutureExt as _;
use futures_util::future::{self, Shared};

use super::builder::CopyTable;
use super::checkpoint::{CheckpointWriter, Record, Tables};
use super::options::{Callbacks, CopyRequest, Stop};
use super::plan::{CopyPlan, TableLocation};
use super::preflight::{Resumption, prepare};
use super::resume::{self, Recorded};
use super::run::{self, CopySummary};
use super::table::TableClient;
use crate::error::{Error, ErrorKind};
use crate::operation::Pending;

/// Copies several tables; see [`copy_tables`](crate::copy_tables).
#[must_use = "operations do nothing unless they are awaited"]
pub struct CopyTables {
    copies: Vec<CopyTable>,
    checkpoint: Option<PathBuf>,
    stop: Option<Stop>,
}

/// The result of copying several tables.
#[derive(Clone, Debug)]
pub struct CopyTablesSummary {
    copied: Vec<CopySummary>,
    already_copied: Vec<TableLocation>,
}

impl CopyTablesSummary {
    /// Returns the results of the tables that this run has copied, in the order of the call.
    pub fn copied(&self) -> &[CopySummary] {
        &self.copied
    }

    /// Returns the targets that earlier runs had finished, in the order of the call.
    ///
    /// This run has not read or written their items.
    pub fn already_copied(&self) -> &[TableLocation] {
        &self.already_copied
    }
}

impl CopyTables {
    pub(super) fn new(copies: Vec<CopyTable>) -> Self {
        Self {
            copies,
            checkpoint: None,
            stop: None,
        }
    }

    /// Records the progress in a file, and resumes from it if the file exists.
    ///
    /// The file records which tables are done, and how far the others have come; see
    /// [`CopyTable::checkpoint`]. A table whose comparison has found differences is not done: the
    /// next run compares it again. The file is kept when all tables are done, so that running the
    /// program again copies nothing. Delete it when it is no longer needed.
    ///
    /// Tables may be added to the call and removed from it between runs.
    pub fn checkpoint(mut self, path: impl Into<PathBuf>) -> Self {
        self.checkpoint = Some(path.into());
        self
    }

    /// Stops at the table that is being copied when the future completes; see
    /// [`CopyTable::stop_when`].
    pub fn stop_when(mut self, stop: impl Future<Output = ()> + Send + 'static) -> Self {
        self.stop = Some(Box::pin(stop));
        self
    }

    /// Does the checks that come before the copies, writes nothing, and returns the plans of the
    /// tables that are not done, in the order of the call.
    pub fn preflight(&self) -> Pending<Vec<CopyPlan>> {
        let requests: Vec<_> = self.copies.iter().map(|it| it.request.clone()).collect();
        let path = self.checkpoint.clone();
        Box::pin(async move {
            let copies = open(requests).await?;
            let Some(first) = copies.first() else {
                return Ok(Vec::new());
            };
            let path = resume::locate(path.as_ref(), &first.source).await?;
            let recorded = Recorded::read(path.as_deref(), Tables::Several, &first.source).await?;
            let resumption = Resumption {
                has_checkpoint: path.is_some(),
                recorded: recorded.as_ref(),
            };
            check(&copies, resumption).await
        })
    }

    async fn run(self) -> Result<CopyTablesSummary, Error> {
        let mut summary = CopyTablesSummary {
            copied: Vec::new(),
            already_copied: Vec::new(),
        };
        let copies = self.copies.into_iter();
        let (requests, callbacks): (Vec<_>, Vec<_>) =
            copies.map(|copy| (copy.request, copy.callbacks)).unzip();
        let copies = open(requests).await?;
        let Some(first) = copies.first() else {
            return Ok(summary);
        };
        let path = resume::locate(self.checkpoint.as_ref(), &first.source).await?;
        let checkpoint = match &path {
            Some(path) => CheckpointWriter::lock(path, Tables::Several, &first.source).await?,
            None => CheckpointWriter::default(),
        };
        let recorded = Recorded::read(path.as_deref(), Tables::Several, &first.source).await?;
        let resumption = Resumption {
            has_checkpoint: path.is_some(),
            recorded: recorded.as_ref(),
        };
        // A table that is refused is found before the first one is written to.
        check(&copies, resumption).await?;
        // Shared, because each table waits for it in turn. Once it has completed, it stays completed.
        let stop = self.stop.map(|stop| stop.shared());
        for (copy, callbacks) in copies.into_iter().zip(callbacks) {
            let OpenCopy {
                request,
                source,
                target,
            } = copy;
            let callbacks = Callbacks {
                stop: either(callbacks.stop, stop.clone()),
                ..callbacks
            };
            // Prepared again: hours may have passed. `recorded` is still right, as this run has not begun the table.
            let prepared = prepare(&source, &target, &request.options, resumption).await?;
            if prepared.checkpoint.is_finished(&request.options) {
                summary.already_copied.push(prepared.plan.target);
                continue;
            }
            // A dry run of one table must not be recorded as its copy.
            let checkpoint = match request.options.dry_run {
                true => CheckpointWriter::default(),
                false => checkpoint.clone(),
            };
            let options = request.options;
            let policy = options.policy;
            let copied = run::carry_out(options, callbacks, prepared, &checkpoint).await?;
            let is_good = copied.verification().map(|found| found.satisfies(policy));
            // A table with findings is not done: the next run compares it again, so that no finding is
            // lost.
            if is_good != Some(false) {
                let verified = is_good.is_some();
                let done = vec![Record::Done { verified }];
                checkpoint.append(done, &source).await?;
            }
            summary.copied.push(copied);
        }
        Ok(summary)
    }
}

struct OpenCopy {
    request: CopyRequest,
    source: TableClient,
    target: TableClient,
}

/// Opens the tables of all copies, and refuses copies that would disturb each other.
async fn open(requests: Vec<CopyRequest>) -> Result<Vec<OpenCopy>, Error> {
    let mut copies = Vec::new();
    let mut targets = HashSet::new();
    for request in requests {
        let (source, target) = run::open(&request).await?;
        if request.options.checkpoint.is_some() {
            return Err(source.error(
                ErrorKind::Checkpoint,
                "a table of copy_tables() cannot have a checkpoint of its own: set one for all \
                 tables",
            ));
        }
        // By account and region: two managers may lead to the same table.
        let location = (
            target.account().await?,
            target.region(),
            target.table.clone(),
        );
        if !targets.insert(location) {
            return Err(target.error(
                ErrorKind::InvalidRequest,
                "two copies have this target: give one of them another name with target_table()",
            ));
        }
        copies.push(OpenCopy {
            request,
            source,
            target,
        });
    }
    Ok(copies)
}

/// Does the checks of all tables, and returns the plans of those that are not done.
async fn check(copies: &[OpenCopy], resumption: Resumption<'_>) -> Result<Vec<CopyPlan>, Error> {
    let mut plans = Vec::new();
    for copy in copies {
        let options = &copy.request.options;
        let prepared = prepare(&copy.source, &copy.target, options, resumption).await?;
        if prepared.checkpoint.is_finished(options) {
            continue;
        }
        plans.push(prepared.plan.clone());
        run::check_ownership(options.clone(), prepared).await?;
    }
    Ok(plans)
}

/// Returns a future that completes when one of the two does.
fn either(own: Option<Stop>, shared: Option<Shared<Stop>>) -> Option<Stop> {
    match (own, shared) {
        (own, None) => own,
        (None, Some(shared)) => Some(Box::pin(shared)),
        (Some(own), Some(shared)) => Some(Box::pin(future::select(own, shared).map(drop))),
    }
}

impl IntoFuture for CopyTables {
    type Output = Result<CopyTablesSummary, Error>;
    type IntoFuture = Pending<CopyTablesSummary>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for CopyTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CopyTables")
            .field("copies", &self.copies)
            .field("checkpoint", &self.checkpoint)
            .finish_non_exhaustive()
    }
}

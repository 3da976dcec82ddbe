//! The loader: it writes the files of an export to the target, several at a time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::{JoinError, JoinSet};

use super::bucket::{Bucket, MAX_ATTEMPTS};
use super::json::LineKind;
use super::lines::LineSplitter;
use super::manifest::DataFile;
use super::state::FileProgress;
use crate::batch::{MAX_WRITES, next_chunk_by};
use crate::copy::{TableClient, TablePair, is_transient};
use crate::error::{Error, ErrorKind};
use crate::throttle::backoff::Backoff;
use crate::wire::bodies::WireWrite;

/// The files of one export, and how they are loaded.
pub(super) struct Loader {
    pub(super) bucket: Bucket,
    pub(super) pair: Arc<TablePair>,
    pub(super) target: TableClient,
    pub(super) files: Vec<DataFile>,
    pub(super) kind: LineKind,
    pub(super) progress: Mutex<LoadProgress>,
    pub(super) readers: usize,
    pub(super) writers: usize,
}

/// What has been loaded, shared with the task that records it.
#[derive(Clone, Debug, Default)]
pub(super) struct LoadProgress {
    pub(super) files: FileProgress,
    /// The lines of this export that are in the target, with those of earlier runs.
    pub(super) lines: u64,
}

impl LoadProgress {
    /// Forgets the lines of a file.
    fn restart(&mut self, file: usize) {
        let stored = self.files.restart(file);
        self.lines = self.lines.saturating_sub(stored);
    }
}

impl Loader {
    /// Loads all files that are left.
    pub(super) async fn run(self: Arc<Self>) -> Result<(), Error> {
        let left = self.progress(|progress| progress.files.left(self.files.len()));
        let mut left = left.into_iter();
        let mut tasks = JoinSet::new();
        loop {
            while tasks.len() < self.readers
                && let Some((file, lines)) = left.next()
            {
                // Before its first line is written, so that a run that resumes finds the file among the open ones.
                self.progress(|progress| progress.files.begin(file));
                tasks.spawn(Arc::clone(&self).file(file, lines));
            }
            match tasks.join_next().await {
                // The first failure drops the tasks of the other files. Their progress has been counted.
                Some(loaded) => finished(loaded).await?,
                None => return Ok(()),
            }
        }
    }

    /// Loads a file from behind the lines that are in the target.
    async fn file(self: Arc<Self>, file: usize, mut skip: u64) -> Result<(), Error> {
        let mut backoff = Backoff::new(MAX_ATTEMPTS);
        loop {
            match self.file_once(file, skip).await {
                // The connection broke: continue behind what has been stored.
                Err(error) if is_transient(&error) => {
                    let stored = self.progress(|progress| progress.files.open.get(&file).copied());
                    let stored = stored.unwrap_or_default();
                    // Progress resets the backoff.
                    let sent = if stored > skip { 2 } else { 1 };
                    skip = stored;
                    if !backoff.wait_before_retry(sent, 1).await {
                        return Err(error);
                    }
                }
                Err(error) => {
                    if error.kind() == ErrorKind::TransferFailed {
                        // What was stored of a damaged file may be wrong. The next run loads it again.
                        self.progress(|progress| progress.restart(file));
                    }
                    return Err(error);
                }
                Ok(()) => {
                    self.progress(|progress| progress.files.finish(file));
                    return Ok(());
                }
            }
        }
    }

    async fn file_once(&self, file: usize, skip: u64) -> Result<(), Error> {
        let DataFile { key, items, md5 } = &self.files[file];
        let body = self.bucket.open_object(key).await?;
        let mut reader = FileReader {
            loader: self,
            key,
            body: Some(body),
            lines: LineSplitter::new(),
            number: 0,
            skip,
            pending: VecDeque::new(),
            md5: None,
        };
        let mut stored = InOrder::default();
        let mut tasks = JoinSet::new();
        let mut end = None;
        loop {
            // Reads ahead only while a writer is free, which bounds the memory.
            while end.is_none() && tasks.len() < self.writers {
                let Batch { writes, end: last } = reader.next_batch().await?;
                end = last;
                if !writes.is_empty() {
                    let (pair, number) = (Arc::clone(&self.pair), stored.begin());
                    tasks.spawn(async move {
                        let lines = writes.len() as u64;
                        pair.write_encoded(writes).await?;
                        Ok((number, lines))
                    });
                }
            }
            let Some(written) = tasks.join_next().await else {
                break;
            };
            let (number, lines) = finished(written).await?;
            let lines = stored.finish(number, lines);
            self.progress(|progress| {
                progress.files.advance(file, lines);
                progress.lines += lines;
            });
        }
        let end = end.unwrap_or_default();
        // Both cover the whole file: skipped lines are read and counted as well.
        if end.md5 == *md5 && end.lines == *items {
            return Ok(());
        }
        Err(self.damaged(key, "does not match its checksum or its number of items"))
    }

    /// Returns the progress so far.
    pub(super) fn snapshot(&self) -> LoadProgress {
        self.progress(|progress| progress.clone())
    }

    fn damaged(&self, key: &str, problem: &str) -> Error {
        let message =
            format!("the exported file {key} {problem}: abort the migration, and start again");
        self.target.error(ErrorKind::TransferFailed, message)
    }

    fn progress<T>(&self, change: impl FnOnce(&mut LoadProgress) -> T) -> T {
        change(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Some writes of a file, one for each line, as many as fit into a request.
struct Batch {
    writes: Vec<WireWrite>,
    /// Set by the last batch.
    end: Option<FileEnd>,
}

#[derive(Default)]
struct FileEnd {
    md5: String,
    lines: u64,
}

struct FileReader<'a> {
    loader: &'a Loader,
    key: &'a str,
    /// `None` once it has been read to its end.
    body: Option<aws_sdk_s3::primitives::ByteStream>,
    lines: LineSplitter,
    number: u64,
    skip: u64,
    pending: VecDeque<WireWrite>,
    md5: Option<String>,
}

impl FileReader<'_> {
    async fn next_batch(&mut self) -> Result<Batch, Error> {
        let mut end = None;
        while self.pending.len() < MAX_WRITES {
            let Some(line) = self.next_line().await? else {
                end = self.md5.clone();
                break;
            };
            // A compressed file can only be read from its beginning.
            if self.number <= self.skip {
                continue;
            }
            let write = self.loader.kind.parse(line).map_err(|_| {
                let problem = format!("has an unreadable line {}", self.number);
                self.loader.damaged(self.key, &problem)
            })?;
            self.pending.push_back(write);
        }
        let writes = next_chunk_by(&mut self.pending, WireWrite::bytes_in_a_request);
        let lines = self.number;
        Ok(Batch {
            writes,
            end: end
                // Lines may be left if the request was full at 16 MB. The next batch has the end then.
                .filter(|_| self.pending.is_empty())
                .map(|md5| FileEnd { md5, lines }),
        })
    }

    async fn next_line(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let broken = |_| self.loader.damaged(self.key, "cannot be decompressed");
        loop {
            // Blank lines are left out, and not counted.
            if let Some(line) = self.lines.next_line().map_err(broken)? {
                self.number += 1;
                return Ok(Some(line));
            }
            let Some(body) = &mut self.body else {
                return Ok(None);
            };
            match self.loader.bucket.next_chunk(body, self.key).await? {
                Some(chunk) => self.lines.add(chunk),
                None => {
                    self.md5 = Some(self.lines.finish().map_err(broken)?);
                    self.body = None;
                }
            }
        }
    }
}

/// Batches that are stored in any order, and counted in that of the file: the progress is a number of
/// lines from its beginning.
#[derive(Default)]
struct InOrder {
    begun: u64,
    counted: u64,
    stored: BTreeMap<u64, u64>,
}

impl InOrder {
    /// Returns the number of the next batch.
    fn begin(&mut self) -> u64 {
        self.begun += 1;
        self.begun - 1
    }

    /// Returns the lines that have been stored without a gap since the last call.
    fn finish(&mut self, number: u64, lines: u64) -> u64 {
        self.stored.insert(number, lines);
        let mut total = 0;
        while let Some(lines) = self.stored.remove(&self.counted) {
            total += lines;
            self.counted += 1;
        }
        total
    }
}

/// Returns what a task returned, or panics as it did.
pub(super) async fn finished<T>(outcome: Result<Result<T, Error>, JoinError>) -> Result<T, Error> {
    match outcome {
        Ok(outcome) => outcome,
        Err(failure) => match failure.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down, and this task with it.
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_count_once_there_is_no_gap_before_them() {
        let mut batches = InOrder::default();
        let numbers: Vec<_> = (0..4).map(|_| batches.begin()).collect();
        assert_eq!(numbers, [0, 1, 2, 3]);
        assert_eq!(batches.finish(2, 25), 0);
        assert_eq!(batches.finish(0, 25), 25);
        assert_eq!(batches.finish(1, 25), 50);
        assert_eq!(batches.finish(3, 7), 7);
    }
}

//! The file of a checkpoint: lines with checksums, appended, and rewritten now and then.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::lock::CheckpointLock;
use super::path::{beside, folder, refuse_special};
use super::record::{Contents, Header, Record, Tables};
use super::state::{Failure, TableCheckpoint};

/// A file is compacted once more has been appended to it than its compacted size, and at least this. So
/// compaction at most doubles what is written, and small files are left alone.
const REWRITE_FROM: u64 = 1 << 20;

/// The longest checkpoint that is read: twice a million segments, with 1 KiB for the key of each.
pub(super) const MAX_BYTES: u64 = 2 << 30;

/// The checkpoint of a run, locked.
pub(super) struct Journal {
    path: PathBuf,
    kind: Tables,
    /// `None` until the first record: a run that is refused leaves the file as it was.
    open: Option<OpenFile>,
    written_bytes: u64,
    _lock: CheckpointLock,
}

struct OpenFile {
    file: File,
    checksum: Checksum,
    rewritten_bytes: u64,
    appended_bytes: u64,
}

impl Journal {
    /// Locks the checkpoint of a run; returns `None` if another run has locked it.
    pub(super) fn lock(path: &Path, kind: Tables) -> io::Result<Option<Self>> {
        let lock = CheckpointLock::acquire(path)?;
        Ok(lock.map(|lock| Self {
            path: path.to_owned(),
            kind,
            open: None,
            written_bytes: 0,
            _lock: lock,
        }))
    }

    /// Appends records, and waits until they are on the disk.
    pub(super) fn append(&mut self, records: Vec<Record>) -> Result<(), Failure> {
        let open = self.open.take();
        match open.filter(|open| open.appended_bytes <= open.rewritten_bytes.max(REWRITE_FROM)) {
            Some(mut open) => {
                // After a failure it is unknown how much of the lines is in the file. It stays closed
                // then, and the next records rewrite it, which drops an incomplete line.
                let bytes = open.append(&records)?;
                self.written_bytes += bytes;
                self.open = Some(open);
                Ok(())
            }
            None => self.rewrite(records),
        }
    }

    /// Replaces the file as a whole by its state with the records added.
    ///
    /// Readers find the old file or the new one. The first records of a run arrive here too, so
    /// that an incomplete last line is gone before anything is appended behind it. The old file is
    /// closed by now: Windows does not replace an open one.
    fn rewrite(&mut self, records: Vec<Record>) -> Result<(), Failure> {
        // Read from the disk: after an append that failed, only the file shows which records are in it.
        let contents = read_contents(&self.path)?;
        let mut contents = contents.unwrap_or_else(|| Contents::new(self.kind));
        for record in records {
            contents.apply(record)?;
        }
        let mut checksum = Checksum::default();
        let mut text = line(&mut checksum, &Header::new(contents.kind))?;
        text.extend(lines(&mut checksum, &contents.to_records())?);

        let file = replace(&self.path, &text)?;
        let bytes = text.len() as u64;
        self.written_bytes += bytes;
        self.open = Some(OpenFile {
            file,
            checksum,
            rewritten_bytes: bytes,
            appended_bytes: 0,
        });
        Ok(())
    }

    /// Removes the file, if there is one.
    pub(super) fn remove(&mut self) -> io::Result<()> {
        self.open = None;
        remove_if_there(&self.path)?;
        sync_folder(&self.path)
    }
}

impl OpenFile {
    /// Appends records, and returns the number of bytes that are on the disk then.
    fn append(&mut self, records: &[Record]) -> Result<u64, Failure> {
        let lines = lines(&mut self.checksum, records)?;
        self.file.write_all(&lines)?;
        // This also writes the new length of the file, without which the records could not be read.
        self.file.sync_data()?;
        let bytes = lines.len() as u64;
        self.appended_bytes += bytes;
        Ok(bytes)
    }
}

/// Replaces a file as a whole, and returns the new one.
///
/// The lock makes a fixed name safe. The next run removes what a killed one has left under it.
pub(super) fn replace(path: &Path, text: &[u8]) -> io::Result<File> {
    let new = beside(path, ".new");
    remove_if_there(&new)?;
    let mut options = OpenOptions::new();
    // A link that another program has put there is not followed.
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new)?;
    // The contents reach the disk before the name does: after a power failure, the name leads to a whole file.
    let written = file.write_all(text).and_then(|()| file.sync_all());
    if let Err(error) = written.and_then(|()| fs::rename(&new, path)) {
        _ = fs::remove_file(&new);
        return Err(error);
    }
    sync_folder(path)?;
    Ok(file)
}

pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Waits until the names in a file's folder are on the disk.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    // Windows cannot open a folder as a file.
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(folder(path))?.sync_all() {
        // Some network file systems cannot do this for a folder.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        synced => synced,
    }
}

/// Reads a checkpoint; returns `None` if there is none.
pub(crate) fn read(path: &Path) -> Result<Option<(Tables, Vec<TableCheckpoint>)>, Failure> {
    let contents = read_contents(path)?;
    Ok(contents.map(|contents| (contents.kind, contents.tables)))
}

fn read_contents(path: &Path) -> Result<Option<Contents>, Failure> {
    refuse_special(path)?;
    let text = match bsm_core::read_bytes(path, MAX_BYTES) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    parse(&text).map(Some)
}

fn parse(text: &[u8]) -> Result<Contents, Failure> {
    // Before the checksums: version 1 has none, and its error must name the version.
    check_version(text)?;
    // The process died while it appended what follows the last line break, perhaps in the middle of
    // a character, so nothing relies on it yet.
    let end = text.iter().rposition(|&byte| byte == b'\n');
    let text = std::str::from_utf8(&text[..end.map_or(0, |end| end + 1)])?;
    let mut checksum = Checksum::default();
    let mut contents = None;
    for (number, line) in (1..).zip(text.split_terminator('\n')) {
        let record = checked(&mut checksum, line)
            .ok_or_else(|| format!("line {number} is damaged, or was edited or moved"))?;
        match &mut contents {
            None => contents = Some(Contents::from_header(&record)?),
            Some(contents) => contents.apply(serde_json::from_str(&record)?)?,
        }
    }
    match contents {
        // The header is never written without a table, so a header alone is no checkpoint.
        Some(contents) if !contents.tables.is_empty() => Ok(contents),
        _ => Err("it names no table".into()),
    }
}

/// Parses a file as it is, and its lines with the right checksums, for the fuzz targets.
///
/// Returns `true` if the file as it is is a checkpoint.
#[cfg(any(test, fuzzing))]
pub(crate) fn parse_any(text: &[u8]) -> bool {
    let is_checkpoint = parse(text).is_ok();
    // Random input never has the right checksum, so without this none would reach the records.
    let mut checksum = Checksum::default();
    let text = String::from_utf8_lossy(text);
    let objects = text.lines().filter_map(|line| line.strip_prefix('{'));
    let lines = objects.map(|members| {
        checksum.add(members);
        format!("{PREFIX}{:016x}\",{members}\n", checksum.0)
    });
    let _ = parse(lines.collect::<String>().as_bytes());
    is_checkpoint
}

/// Refuses a file of another version, whatever else it says.
fn check_version(text: &[u8]) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct AnyVersion {
        version: u32,
    }
    let mut first = serde_json::Deserializer::from_slice(text).into_iter::<AnyVersion>();
    let first = first.next().ok_or("it is empty")?;
    let AnyVersion { version } = first?;
    match version {
        Header::VERSION => Ok(()),
        other => Err(format!("it has the version {other}, not {}", Header::VERSION).into()),
    }
}

/// Detects damage and edits, not forgery: FNV-1a of 64 bits over everything up to a line.
///
/// Every step of it is reversible, so two files that differ in one byte never have the same
/// checksum.
///
/// Source: [The FNV Non-Cryptographic Hash Algorithm](https://datatracker.ietf.org/doc/html/rfc9923)
#[derive(Clone, Copy)]
pub(super) struct Checksum(u64);

impl Default for Checksum {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Checksum {
    fn add(&mut self, text: &str) {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// The beginning of every line, up to the checksum's 16 digits.
const PREFIX: &str = r#"{"checksum":""#;

fn lines(checksum: &mut Checksum, records: &[Record]) -> Result<Vec<u8>, Failure> {
    let mut lines = Vec::new();
    for record in records {
        lines.extend(line(checksum, record)?);
    }
    Ok(lines)
}

/// Returns the line of a record: its JSON object, with the checksum as the first member.
pub(super) fn line(checksum: &mut Checksum, record: &impl Serialize) -> Result<Vec<u8>, Failure> {
    let json = serde_json::to_string(record)?;
    let members = json.strip_prefix('{').ok_or("a record is an object")?;
    checksum.add(members);
    Ok(format!("{PREFIX}{:016x}\",{members}\n", checksum.0).into_bytes())
}

/// Returns the JSON object of a line without its checksum, or `None` if the checksum is wrong.
pub(super) fn checked(checksum: &mut Checksum, line: &str) -> Option<String> {
    let rest = line.strip_prefix(PREFIX)?;
    let (recorded, rest) = rest.split_at_checked(16)?;
    let members = rest.strip_prefix("\",")?;
    checksum.add(members);
    (format!("{:016x}", checksum.0) == recorded).then(|| format!("{{{members}"))
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::primitives::Blob;
    use aws_sdk_dynamodb::types::AttributeValue;
    use tempfile::TempDir;

    use super::super::state::{
        MAX_SEGMENTS, RecordedSettings, RecordedTarget, ScanPosition, SegmentState, TableIdentity,
        TargetLocation,
    };
    use super::*;
    use crate::codec::Item;

    fn identity(arn: &str) -> TableIdentity {
        TableIdentity {
            arn: arn.to_owned(),
            id: Some("1".to_owned()),
        }
    }

    fn table(target: RecordedTarget, segments: u32) -> TableCheckpoint {
        let location = TargetLocation {
            table: "users".to_owned(),
            account: "333333333333".to_owned(),
            region: "us-east-1".to_owned(),
        };
        let settings = RecordedSettings::default();
        TableCheckpoint::new(identity("source"), location, target, settings, segments)
    }

    fn existing(segments: u32) -> TableCheckpoint {
        table(RecordedTarget::Existing(identity("target")), segments)
    }

    fn state(position: ScanPosition, stored: u64) -> SegmentState {
        SegmentState {
            position,
            stored,
            written: stored,
        }
    }

    fn key(id: &str) -> ScanPosition {
        let id = AttributeValue::S(id.to_owned());
        ScanPosition::After(Item::from([("id".to_owned(), id)]))
    }

    /// A checkpoint of three segments, and its path.
    fn written() -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        let mut journal = Journal::lock(&path, Tables::One).unwrap().unwrap();
        journal.append(vec![Record::begin(&existing(3))]).unwrap();
        journal.append(vec![Record::Writing {}]).unwrap();
        for (number, id) in [(0, "a"), (1, "b"), (0, "c")] {
            let record = Record::segment(number, &state(key(id), 7));
            journal.append(vec![record]).unwrap();
        }
        (folder, path)
    }

    fn read_one(path: &Path) -> TableCheckpoint {
        let (kind, mut tables) = read(path).unwrap().unwrap();
        assert_eq!((kind, tables.len()), (Tables::One, 1));
        tables.remove(0)
    }

    #[test]
    fn keys_of_every_type_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        assert!(read(&path).unwrap().is_none());
        let position = ScanPosition::After(Item::from([
            ("é".to_owned(), AttributeValue::S("\u{1F600}\n".to_owned())),
            ("n".to_owned(), AttributeValue::N("9".repeat(38))),
            ("b".to_owned(), AttributeValue::B(Blob::new([0, 255, 10]))),
        ]));
        let mut journal = Journal::lock(&path, Tables::One).unwrap().unwrap();
        journal.append(vec![Record::begin(&existing(3))]).unwrap();
        let records = [
            (1, state(position.clone(), 7)),
            (2, state(ScanPosition::End, 0)),
        ];
        let records = records.map(|(number, state)| Record::segment(number, &state));
        journal.append(records.into()).unwrap();
        // Once as it was appended, and once as a run that resumes rewrites it.
        for _ in 0..2 {
            let read = read_one(&path);
            assert_eq!(read.target, RecordedTarget::Existing(identity("target")));
            let positions = read.segments.iter().map(|segment| &segment.position);
            let wanted = [&ScanPosition::Start, &position, &ScanPosition::End];
            assert!(positions.eq(wanted));
            assert_eq!((read.stored(), read.written()), (7, 7));
            assert!(!read.is_writing && !read.is_done);
            journal.open = None;
            journal.append(vec![]).unwrap();
        }
        drop(journal);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_table_that_is_being_created_has_a_place_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        let creating = table(RecordedTarget::Creating, 3);
        let mut journal = Journal::lock(&path, Tables::One).unwrap().unwrap();
        journal.append(vec![Record::begin(&creating)]).unwrap();
        let read = read_one(&path);
        assert_eq!(read.target, RecordedTarget::Creating);
        assert_eq!(read.location, creating.location);

        let created = Record::Created(identity("target"));
        journal.append(vec![created]).unwrap();
        let target = RecordedTarget::Existing(identity("target"));
        assert_eq!(read_one(&path).target, target);
    }

    #[test]
    fn several_tables_keep_their_states() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        let mut journal = Journal::lock(&path, Tables::Several).unwrap().unwrap();
        let records = vec![
            Record::begin(&existing(2)),
            Record::segment(0, &state(key("a"), 1)),
            Record::begin(&existing(4)),
            Record::segment(0, &state(key("b"), 2)),
            Record::Resume(0),
            Record::segment(1, &state(key("c"), 3)),
        ];
        journal.append(records).unwrap();
        journal
            .append(vec![Record::Done { verified: true }])
            .unwrap();
        let (kind, tables) = read(&path).unwrap().unwrap();
        assert_eq!(kind, Tables::Several);
        let found = tables.iter().map(|table| (table.stored(), table.is_done));
        assert_eq!(found.collect::<Vec<_>>(), [(4, true), (2, false)]);
    }

    #[test]
    fn every_edit_of_a_file_is_detected() {
        let (_folder, path) = written();
        assert_eq!(read_one(&path).stored(), 14);
        let whole = fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = whole.split_inclusive('\n').collect();
        let mut damaged: Vec<String> = vec![
            // The two segments with each other's positions; a huge count.
            whole.replace(r#""S":"b""#, r#""S":"a""#),
            whole.replace(r#""number":1"#, r#""number":2"#),
            whole.replace(r#""stored":7"#, r#""stored":18446744073709551615"#),
            whole.replace(r#""segments":3"#, r#""segments":4294967295"#),
        ];
        for line in 0..lines.len() - 1 {
            let mut missing = lines.clone();
            missing.remove(line);
            damaged.push(missing.concat());
            let mut swapped = lines.clone();
            swapped.swap(line, line + 1);
            damaged.push(swapped.concat());
        }
        for byte in 0..whole.len() - 1 {
            let mut bytes = whole.clone().into_bytes();
            bytes[byte] ^= 1;
            damaged.extend(String::from_utf8(bytes));
        }
        for text in damaged {
            assert_ne!(text, whole);
            fs::write(&path, &text).unwrap();
            assert!(read(&path).is_err(), "{text}");
        }
    }

    #[test]
    fn a_file_that_ends_early_is_an_earlier_state() {
        let (_folder, path) = written();
        let whole = fs::read(&path).unwrap();
        let mut readable = 0;
        for length in (0..whole.len()).rev() {
            fs::write(&path, &whole[..length]).unwrap();
            match read(&path) {
                Ok(found) => {
                    let (_, tables) = found.unwrap();
                    assert!(tables[0].stored() <= 14);
                    readable += 1;
                }
                // Not even the first table is in it.
                Err(_) => {
                    let lines = whole[..length].iter().filter(|&&byte| byte == b'\n');
                    assert!(lines.count() < 2, "{length}");
                }
            }
        }
        assert!(readable > whole.len() / 2, "{readable}");
    }

    #[test]
    fn a_record_follows_an_incomplete_line() {
        let (_folder, path) = written();
        let mut whole = fs::read(&path).unwrap();
        whole.truncate(whole.len() - 5);
        fs::write(&path, &whole).unwrap();
        let mut journal = Journal::lock(&path, Tables::One).unwrap().unwrap();
        journal.append(vec![Record::Resume(0)]).unwrap();
        journal
            .append(vec![Record::Done { verified: true }])
            .unwrap();
        let read = read_one(&path);
        assert!(read.is_done);
        assert_eq!(read.segments[0].position, key("a"));
    }

    #[test]
    fn a_line_may_end_in_the_middle_of_a_character() {
        for id in ["é", "\u{1F600}"] {
            let (_folder, path) = written();
            let mut journal = Journal::lock(&path, Tables::One).unwrap().unwrap();
            journal.append(vec![Record::Resume(0)]).unwrap();
            let rewritten = fs::read(&path).unwrap().len();
            let record = Record::segment(0, &state(key(id), 8));
            journal.append(vec![record]).unwrap();
            drop(journal);
            let whole = fs::read(&path).unwrap();
            assert!(rewritten < whole.len());
            assert_eq!(read_one(&path).segments[0].position, key(id));
            for length in rewritten..whole.len() {
                fs::write(&path, &whole[..length]).unwrap();
                assert_eq!(read_one(&path).segments[0].position, key("c"), "{length}");
                let mut journal = Journal::lock(&path, Tables::One).unwrap().unwrap();
                journal.append(vec![Record::Writing {}]).unwrap();
                assert_eq!(fs::read(&path).unwrap().len(), rewritten);
            }
        }
    }

    #[test]
    fn a_failed_append_does_not_damage_the_file() {
        let (_folder, path) = written();
        let mut journal = Journal::lock(&path, Tables::One).unwrap().unwrap();
        journal.append(vec![Record::Resume(0)]).unwrap();

        // A full disk: a part of a line arrives, and the rest fails.
        let mut torn = OpenOptions::new().append(true).open(&path).unwrap();
        torn.write_all(b"{\"checksum\":\"0123").unwrap();
        let writable = std::mem::replace(
            &mut journal.open.as_mut().unwrap().file,
            File::open(&path).unwrap(),
        );
        let record = || vec![Record::segment(0, &state(key("d"), 8))];
        assert!(journal.append(record()).is_err());
        // There is room again.
        if let Some(open) = &mut journal.open {
            open.file = writable;
        }
        journal.append(record()).unwrap();
        journal
            .append(vec![Record::Done { verified: false }])
            .unwrap();
        let read = read_one(&path);
        assert!(read.is_done);
        assert_eq!(read.segments[0].position, key("d"));
    }

    #[test]
    fn what_a_killed_run_has_left_is_removed() {
        let (folder, path) = written();
        let new = folder.path().join("checkpoint.new");
        fs::write(&new, "half of a che").unwrap();
        let mut journal = Journal::lock(&path, Tables::One).unwrap().unwrap();
        journal.append(vec![Record::Resume(0)]).unwrap();
        assert_eq!(read_one(&path).stored(), 14);
        assert!(!new.exists());

        #[cfg(unix)]
        {
            use std::os::unix::fs::{PermissionsExt as _, symlink};
            let victim = folder.path().join("victim");
            fs::write(&victim, "text").unwrap();
            symlink(&victim, &new).unwrap();
            journal.open = None;
            journal.append(vec![Record::Resume(0)]).unwrap();
            assert_eq!(fs::read_to_string(&victim).unwrap(), "text");
            let mode = fs::symlink_metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            fs::remove_file(&victim).unwrap();
        }
        journal.remove().unwrap();
        drop(journal);
        #[cfg(unix)]
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_of_another_version_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        for (text, wanted) in [
            (
                r#"{"version":3,"what":"ever"}"#,
                "it has the version 3, not 2",
            ),
            (
                "{\n  \"version\": 1,\n  \"source\": {}\n}",
                "it has the version 1, not 2",
            ),
        ] {
            fs::write(&path, text).unwrap();
            let error = read(&path).map(drop).unwrap_err();
            assert_eq!(error.to_string(), wanted);
        }
    }

    #[test]
    fn what_is_no_checkpoint_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        for text in ["", "{", "{}", "\n", r#"{"version":2}"#, "\u{0}\u{0}"] {
            fs::write(&path, text).unwrap();
            assert!(read(&path).is_err(), "{text}");
        }
    }

    #[test]
    fn records_that_make_no_sense_are_errors() {
        let states = [
            Record::segment(3, &SegmentState::default()),
            Record::segment(
                0,
                &SegmentState {
                    written: 1,
                    ..SegmentState::default()
                },
            ),
            Record::Resume(1),
            Record::begin(&existing(0)),
            Record::begin(&existing(MAX_SEGMENTS + 1)),
        ];
        for record in states {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("checkpoint");
            let mut journal = Journal::lock(&path, Tables::One).unwrap().unwrap();
            journal.append(vec![Record::begin(&existing(3))]).unwrap();
            // Correct checksums do not make it right.
            journal.append(vec![record]).unwrap();
            assert!(read(&path).is_err());
        }
    }

    #[test]
    fn what_is_written_grows_with_the_progress_and_not_with_the_segments() {
        const SEGMENTS: u32 = 100_000;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        let mut journal = Journal::lock(&path, Tables::One).unwrap().unwrap();
        journal
            .append(vec![Record::begin(&existing(SEGMENTS))])
            .unwrap();
        for from in (0..SEGMENTS).step_by(1_000) {
            let records = (from..from + 1_000).map(|number| {
                let id = format!("{number:032}");
                Record::segment(number, &state(key(&id), 1))
            });
            journal.append(records.collect()).unwrap();
        }
        // One record of a segment takes about 150 bytes. Rewriting the file each time would write
        // a hundred times the final size.
        let bytes = journal.written_bytes;
        let size = fs::metadata(&path).unwrap().len();
        assert_eq!(read_one(&path).stored(), u64::from(SEGMENTS));
        assert!(bytes < 3 * size, "{bytes} bytes written, {size} at the end");
        assert!(size < 200 * u64::from(SEGMENTS), "{size}");

        // The same segments over and over do not make the file grow forever.
        let mut largest = 0;
        for round in 0..12 {
            let id = format!("{round:032}");
            let records = (0..10_000).map(|number| Record::segment(number, &state(key(&id), 1)));
            journal.append(records.collect()).unwrap();
            largest = largest.max(fs::metadata(&path).unwrap().len());
        }
        assert!(largest < 3 * size, "{largest}");
    }
}

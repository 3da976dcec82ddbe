//! The manifest of an export: which files it consists of.

use serde::Deserialize;

use super::bucket::Bucket;
use crate::copy::TableClient;
use crate::error::{Error, ErrorKind};

/// The maximum size of a manifest: a line takes about 250 bytes, so this is some 250,000 files, more
/// than any export has.
const MAX_MANIFEST: usize = 64 * 1024 * 1024;

/// The folder of all exports of a prefix.
const ROOT: &str = "AWSDynamoDB/";

/// A data file.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(super) struct DataFile {
    /// The key as the manifest names it.
    #[serde(rename = "dataFileS3Key")]
    pub(super) key: String,
    #[serde(rename = "itemCount")]
    pub(super) items: u64,
    /// The MD5 of the compressed file, in base64.
    #[serde(rename = "md5Checksum")]
    pub(super) md5: String,
}

/// Reads the manifest of an export, and checks that it lists as many items as DynamoDB has exported.
///
/// `summary` is the key of the manifest's summary, as DescribeExport returns it.
pub(super) async fn read(
    bucket: &Bucket,
    summary: &str,
    items: u64,
    table: &TableClient,
) -> Result<Vec<DataFile>, Error> {
    let key = format!("{}/manifest-files.json", folder(summary));
    let text = bucket.read(&key, MAX_MANIFEST).await?;
    let broken = |problem: String| {
        let message = format!("the manifest {key} {problem}: abort the migration, and start again");
        table.error(ErrorKind::TransferFailed, message)
    };
    let mut files =
        parse(&text).map_err(|line| broken(format!("has an unreadable line {line}")))?;
    files
        .iter_mut()
        .for_each(|file| file.key = full_key(summary, &file.key));
    // A manifest that was cut off after a line parses well: only the sum shows that files are missing.
    let listed = files.iter().map(|file| file.items);
    let listed = listed.fold(0, u64::saturating_add);
    match listed == items {
        true => Ok(files),
        false => Err(broken(format!(
            "lists {listed} items, and DynamoDB has exported {items}"
        ))),
    }
}

/// Returns the prefix of the data files of a full export, for an import.
pub(super) fn data_prefix(summary: &str) -> String {
    format!("{}/data/", folder(summary))
}

fn folder(summary: &str) -> &str {
    summary.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Returns the key of a data file with the prefix of its export.
///
/// AWS's examples show manifests whose keys lack the prefix.
fn full_key(summary: &str, key: &str) -> String {
    // The last one: a prefix can have the same name.
    match summary.rsplit_once(ROOT) {
        Some((prefix, _)) if key.starts_with(ROOT) => format!("{prefix}{key}"),
        _ => key.to_owned(),
    }
}

/// Parses a file as a manifest, and each of its lines as one of a data file, for the fuzz target.
#[cfg(any(test, fuzzing))]
pub(crate) fn parse_any(bytes: &[u8]) {
    use super::json::LineKind;
    use super::lines::LineSplitter;

    let _ = parse(bytes);
    let mut splitter = LineSplitter::new();
    splitter.add(bytes::Bytes::copy_from_slice(bytes));
    let mut lines: Vec<_> = bytes
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    while let Ok(Some(line)) = splitter.next_line() {
        lines.push(line);
    }
    let _ = splitter.finish();
    for line in lines {
        for kind in [LineKind::Items, LineKind::Changes] {
            if let Ok(write) = kind.parse(line.clone()) {
                assert!(write.bytes_in_a_request() > 0);
            }
        }
    }
}

/// Parses the lines of a manifest, or returns the number of the first one that is unreadable.
fn parse(text: &[u8]) -> Result<Vec<DataFile>, usize> {
    let lines = (1..).zip(text.split(|&byte| byte == b'\n'));
    // Numbered before empty lines are left out, so that an error names the line as an editor does.
    let lines = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
    lines
        .map(|(number, line)| serde_json::from_slice(line).map_err(|_| number))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines are AWS's example.
    #[test]
    fn a_manifest_is_read_line_by_line() {
        let text = br#"{"itemCount":8,"md5Checksum":"sQMSpEILNgoQmarvDFonGQ==","etag":"af83d6f217c19b8b0fff8023d8ca4716-1","dataFileS3Key":"AWSDynamoDB/01693685827463-2d8752fd/data/asdl123dasas.json.gz"}
{"itemCount":0,"md5Checksum":"x","etag":"y","dataFileS3Key":"z"}
"#;
        let files = parse(text).unwrap();
        assert_eq!(files.len(), 2);
        assert_eq!(
            (files[0].items, &*files[0].md5),
            (8, "sQMSpEILNgoQmarvDFonGQ==")
        );
        assert_eq!(
            files[0].key,
            "AWSDynamoDB/01693685827463-2d8752fd/data/asdl123dasas.json.gz"
        );
        assert_eq!(parse(b"\n{}\n").unwrap_err(), 2);
        assert!(parse(b"").unwrap().is_empty());
        let summary = "p/AWSDynamoDB/01-2d/manifest-summary.json";
        for key in ["AWSDynamoDB/data/x", "p/AWSDynamoDB/data/x"] {
            assert_eq!(full_key(summary, key), "p/AWSDynamoDB/data/x");
        }
        assert_eq!(data_prefix(summary), "p/AWSDynamoDB/01-2d/data/");
    }
}

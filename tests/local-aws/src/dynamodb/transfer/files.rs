//! The files of an export: data files, manifests and checksums.
//!
//! See <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html>.

use std::io::{self, Write as _};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;
use md5::{Digest as _, Md5};
use serde_json::{Map, Value, json};

use crate::ids;
use crate::s3::S3;

/// The number of data files. AWS writes at least one for each partition of the table.
const PARTITIONS: usize = 4;

/// What the manifests say about an export.
pub(super) struct ExportFiles {
    pub(super) bucket: String,
    pub(super) prefix: String,
    pub(super) id: String,
    pub(super) arn: String,
    pub(super) table_arn: String,
    pub(super) table_id: Value,
    pub(super) algorithm: String,
    pub(super) kms_key: Value,
    pub(super) started: SystemTime,
}

impl ExportFiles {
    /// Returns the folder of the manifests.
    pub(super) fn folder(&self) -> String {
        format!("{}{}", self.root(), self.id)
    }

    fn root(&self) -> String {
        match self.prefix.trim_end_matches('/') {
            "" => "AWSDynamoDB/".to_owned(),
            prefix => format!("{prefix}/AWSDynamoDB/"),
        }
    }

    /// Returns the folder of the data files. All incremental exports of a prefix share one.
    fn data_folder(&self, is_full: bool) -> String {
        match is_full {
            true => format!("{}/data/", self.folder()),
            false => format!("{}data/", self.root()),
        }
    }
}

/// Collects the lines of the data files.
pub(super) struct ExportWriter {
    files: Vec<DataFile>,
    bytes: u64,
}

struct DataFile {
    lines: GzEncoder<Vec<u8>>,
    items: u64,
}

impl ExportWriter {
    pub(super) fn new() -> Self {
        let file = || DataFile {
            lines: GzEncoder::new(Vec::new(), Compression::fast()),
            items: 0,
        };
        Self {
            files: std::iter::repeat_with(file).take(PARTITIONS).collect(),
            bytes: 0,
        }
    }

    /// Adds a line to the file of its key's partition.
    pub(super) fn add(&mut self, key_hash: u64, line: &Value) {
        // The remainder is less than PARTITIONS, so it always fits.
        let partition = usize::try_from(key_hash % PARTITIONS as u64).unwrap_or_default();
        let file = &mut self.files[partition];
        let line = format!("{line}\n");
        self.bytes += line.len() as u64;
        file.items += 1;
        file.lines
            .write_all(line.as_bytes())
            .expect("a vector accepts every write");
    }

    /// Writes all files, and returns what DescribeExport says about them.
    ///
    /// `summary` has the members of the manifest's summary that depend on the kind of export.
    pub(super) fn write(
        self,
        s3: &S3,
        export: &ExportFiles,
        summary: Map<String, Value>,
        ended: SystemTime,
    ) -> io::Result<Map<String, Value>> {
        let folder = export.folder();
        // Only the summary of a full export has this member.
        let data = export.data_folder(summary.contains_key("exportTime"));
        let put = |key: &str, object: &[u8]| s3.write(&export.bucket, key, object);
        // AWS writes this file first, to check that it may write to the bucket.
        put(&format!("{folder}/_started"), b"")?;
        let mut manifest = String::new();
        let mut items = 0;
        for file in self.files {
            let name = ids::request_id().replace('-', "");
            let key = format!("{data}{name}.json.gz");
            let object = file.lines.finish()?;
            put(&key, &object)?;
            items += file.items;
            let line = json!({
                "itemCount": file.items,
                "md5Checksum": md5_base64(&object),
                // AWS uploads in parts, and the ETag of such an object ends with their number.
                "etag": format!("{}-1", hex(&Md5::digest(&object))),
                "dataFileS3Key": key,
            });
            manifest.push_str(&format!("{line}\n"));
        }
        let files_key = format!("{folder}/manifest-files.json");
        put(&files_key, manifest.as_bytes())?;
        let checksum = md5_base64(manifest.as_bytes());
        put(
            &format!("{folder}/manifest-files.checksum"),
            checksum.as_bytes(),
        )?;

        let mut all = json!({
            "exportArn": export.arn,
            "startTime": rfc3339(export.started),
            "endTime": rfc3339(ended),
            "tableArn": export.table_arn,
            "tableId": export.table_id,
            "s3Bucket": export.bucket,
            "s3Prefix": match &*export.prefix { "" => Value::Null, prefix => prefix.into() },
            "s3SseAlgorithm": export.algorithm,
            "s3SseKmsKeyId": export.kms_key,
            "manifestFilesS3Key": files_key,
            "billedSizeBytes": self.bytes,
            "itemCount": items,
            "outputFormat": "DYNAMODB_JSON",
        });
        if let Value::Object(all) = &mut all {
            all.extend(summary);
        }
        let summary = all.to_string();
        let summary_key = format!("{folder}/manifest-summary.json");
        // After the files that it names, so that a reader of the summary finds them all.
        put(&summary_key, summary.as_bytes())?;
        let checksum = md5_base64(summary.as_bytes());
        put(
            &format!("{folder}/manifest-summary.checksum"),
            checksum.as_bytes(),
        )?;
        Ok(Map::from_iter([
            ("ExportManifest".to_owned(), summary_key.into()),
            ("ItemCount".to_owned(), items.into()),
            ("BilledSizeBytes".to_owned(), self.bytes.into()),
        ]))
    }
}

/// Formats a time in seconds since the Unix epoch as manifests do.
pub(super) fn timestamp(seconds: u64) -> String {
    rfc3339(UNIX_EPOCH + Duration::from_secs(seconds))
}

fn rfc3339(time: SystemTime) -> String {
    DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn md5_base64(bytes: &[u8]) -> String {
    aws_smithy_types::base64::encode(Md5::digest(bytes))
}

//! ExportTableToPointInTime: the state of a table at a time, or what changed in a window.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::backups::check_exists;
use super::super::change_log::hash_of;
use super::super::engine::{execute, to_bytes, validation_error};
use super::files::{ExportFiles, ExportWriter};
use super::{Context, Failure, Job, Kind, Work, required, seconds};
use crate::faults::JobFault;
use crate::ids;
use crate::response::ErrorResponse;

/// The limits of an incremental export's window, in seconds.
const MIN_WINDOW: u64 = 15 * 60;
const MAX_WINDOW: u64 = 24 * 3600;

/// What is exported. Times are in seconds since the Unix epoch.
#[derive(Clone, Copy)]
enum Period {
    /// The writes before a time.
    Until(u64),
    /// The writes from a time, and before another one.
    Window {
        from: u64,
        to: u64,
        old_images: bool,
    },
}

/// Checks a request, and returns the job and its work.
pub(super) fn prepare(context: &Context<'_>, request: Value) -> Result<(Job, Work), ErrorResponse> {
    let table_arn = required(&request, "TableArn")?.to_owned();
    let table = super::super::arns::table_in_arn(&table_arn);
    let table = table.ok_or_else(|| validation_error("TableArn is not the ARN of a table"))?;
    let table = table.to_owned();
    let bucket = required(&request, "S3Bucket")?.to_owned();
    let format = request["ExportFormat"].as_str().unwrap_or("DYNAMODB_JSON");
    if format != "DYNAMODB_JSON" {
        return Err(validation_error("bsm-local-aws exports DYNAMODB_JSON only"));
    }
    check_exists(&context.database, &table)?;

    let state = context.states.of(&context.location, &table);
    let now = context.clock.unix_seconds();
    let window = state.lock().recovery.map(|recovery| recovery.window(now));
    let Some(window) = window else {
        let message = format!("Point in time recovery is not enabled for table '{table}'");
        let code = "PointInTimeRecoveryUnavailableException";
        return Err(ErrorResponse::new(400, code, message));
    };
    let period = Period::of(&request, window)?;

    // As in AWS: the time in milliseconds with 14 digits, and 8 hexadecimal digits.
    let id = format!("{:014}-{}", now * 1_000, &ids::request_id()[..8]);
    let arn = format!("{table_arn}/export/{id}");
    let prefix = request["S3Prefix"].as_str().unwrap_or_default().to_owned();
    let algorithm = request["S3SseAlgorithm"].as_str().unwrap_or("AES256");
    let mut description = json!({
        "S3Bucket": bucket,
        "S3SseAlgorithm": algorithm,
        "ExportFormat": format,
    });
    for name in ["S3BucketOwner", "S3Prefix", "S3SseKmsKeyId"] {
        if !request[name].is_null() {
            description[name] = request[name].clone();
        }
    }
    match period {
        Period::Until(time) => {
            description["ExportType"] = "FULL_EXPORT".into();
            description["ExportTime"] = time.into();
        }
        Period::Window { from, to, .. } => {
            description["ExportType"] = "INCREMENTAL_EXPORT".into();
            description["IncrementalExportSpecification"] = json!({
                "ExportFromTime": from,
                "ExportToTime": to,
                "ExportViewType": period.view_type(),
            });
        }
    }
    let Value::Object(description) = description else {
        unreachable!("the description is an object")
    };
    let files = ExportFiles {
        bucket,
        prefix,
        id,
        arn: arn.clone(),
        table_arn: table_arn.clone(),
        table_id: table_id(context, &table),
        algorithm: algorithm.to_owned(),
        kms_key: request["S3SseKmsKeyId"].clone(),
        started: context.clock.now(),
    };
    let owner = request["S3BucketOwner"].as_str().map(str::to_owned);
    let (caller, database) = (context.caller.clone(), context.database.clone());
    let clock = context.clock.clone();
    let is_failing = context.fault == Some(JobFault::Failed);
    let work: Work = Box::new(move |s3| {
        // The folder stands for the files in it, because policies allow them with a star behind it.
        let key = files.folder();
        s3.authorize(
            &caller,
            "s3:PutObject",
            &files.bucket,
            &key,
            owner.as_deref(),
        )
        .map_err(|error| match &*error.code {
            "NoSuchBucket" => Failure::new("S3NoSuchBucket", error.message),
            _ => Failure::new("S3AccessDenied", error.message),
        })?;
        if is_failing {
            return Err(Failure::injected());
        }
        let internal = |error: ErrorResponse| Failure::new("InternalServerError", error.message);
        let mut writer = ExportWriter::new();
        match period {
            Period::Until(time) => {
                // First the items, then the log: an item that a client writes meanwhile is in the
                // log, with its image before the first write.
                let items = all_items(&database, &table).map_err(internal)?;
                let mut state = state.lock();
                state.changes.refresh(&database, &table).map_err(internal)?;
                let mut then: BTreeMap<String, (Value, Option<Value>)> = items
                    .into_iter()
                    .map(|(key, item)| (key.to_string(), (key, Some(item))))
                    .collect();
                let later = state.changes.after(0).iter().filter(|it| it.at >= time);
                // From the newest to the oldest, so that the image before the first change is left
                // in the end.
                for change in later.collect::<Vec<_>>().into_iter().rev() {
                    let record = &change.record.dynamodb;
                    let key = to_value(&record.keys);
                    let before = record.old_image.as_ref().map(to_value);
                    then.insert(key.to_string(), (key, before));
                }
                for (key, item) in then.into_values() {
                    if let Some(item) = item {
                        writer.add(hash_of(&key), &json!({ "Item": item }));
                    }
                }
            }
            Period::Window {
                from,
                to,
                old_images,
            } => {
                let mut state = state.lock();
                state.changes.refresh(&database, &table).map_err(internal)?;
                let mut changed: BTreeMap<String, Changed> = BTreeMap::new();
                let within = |at| (from..to).contains(&at);
                for change in state.changes.after(0).iter().filter(|it| within(it.at)) {
                    let record = &change.record.dynamodb;
                    let keys = to_value(&record.keys);
                    let changed = changed.entry(keys.to_string()).or_insert_with(|| Changed {
                        keys,
                        old: record.old_image.as_ref().map(to_value),
                        new: None,
                        at: 0,
                    });
                    // The old image stays that of the first change, and the new one is that of the
                    // last.
                    changed.new = record.new_image.as_ref().map(to_value);
                    changed.at = change.at;
                }
                for changed in changed.into_values() {
                    if let Some(line) = changed.line(old_images) {
                        writer.add(hash_of(&changed.keys), &line);
                    }
                }
            }
        }
        let written = writer.write(s3, &files, period.manifest(), clock.now());
        written.map_err(|error| Failure::new("S3AccessDenied", error.to_string()))
    });
    let arns = (arn, table_arn);
    Ok((
        Job::new(context, Kind::Export, arns, request, description),
        work,
    ))
}

impl Period {
    /// Reads the period of a request, which must be within the window of the recovery.
    fn of(request: &Value, (earliest, latest): (u64, u64)) -> Result<Self, ErrorResponse> {
        let outside = || {
            let message =
                "The specified ExportTime is outside of the point in time recovery window.";
            ErrorResponse::new(400, "InvalidExportTimeException", message)
        };
        let is_within = |time: u64| (earliest..=latest).contains(&time);
        // A request without a type is for a full export.
        if request["ExportType"] != "INCREMENTAL_EXPORT" {
            let time = seconds(&request["ExportTime"]).unwrap_or(latest);
            return match is_within(time) {
                true => Ok(Self::Until(time)),
                false => Err(outside()),
            };
        }
        let specification = &request["IncrementalExportSpecification"];
        let from = seconds(&specification["ExportFromTime"])
            .ok_or_else(|| validation_error("ExportFromTime is required"))?;
        let to = seconds(&specification["ExportToTime"]).unwrap_or(latest);
        // A window that ends before it begins has the length 0, and is rejected as too short.
        if !(MIN_WINDOW..=MAX_WINDOW).contains(&to.saturating_sub(from)) {
            return Err(validation_error(
                "The difference between ExportFromTime and ExportToTime must be between 15 minutes \
                 and 24 hours",
            ));
        }
        match is_within(from) && is_within(to) {
            true => Ok(Self::Window {
                from,
                to,
                old_images: specification["ExportViewType"] != "NEW_IMAGE",
            }),
            false => Err(outside()),
        }
    }

    fn view_type(self) -> &'static str {
        match self {
            Self::Window {
                old_images: false, ..
            } => "NEW_IMAGE",
            _ => "NEW_AND_OLD_IMAGES",
        }
    }

    /// Returns the members of the manifest's summary that depend on the period.
    fn manifest(self) -> Map<String, Value> {
        let members = match self {
            Self::Until(time) => json!({
                "version": "2020-06-30",
                "exportTime": super::files::timestamp(time),
            }),
            Self::Window { from, to, .. } => json!({
                "version": "2023-08-01",
                "exportFromTime": super::files::timestamp(from),
                "exportToTime": super::files::timestamp(to),
                "outputView": self.view_type(),
                "exportType": "INCREMENTAL_EXPORT",
            }),
        };
        match members {
            Value::Object(members) => members,
            _ => unreachable!("the members are an object"),
        }
    }
}

/// The changes of one item in a window.
struct Changed {
    keys: Value,
    old: Option<Value>,
    new: Option<Value>,
    at: u64,
}

impl Changed {
    /// Returns the line of the data file; `None` for an item that was inserted and deleted.
    fn line(&self, old_images: bool) -> Option<Value> {
        if self.old.is_none() && self.new.is_none() {
            return None;
        }
        let micros = (self.at * 1_000_000).to_string();
        let mut line = json!({
            "Metadata": { "WriteTimestampMicros": { "N": micros } },
            "Keys": self.keys,
        });
        if let Some(new) = &self.new {
            line["NewImage"] = new.clone();
        }
        if let Some(old) = self.old.as_ref().filter(|_| old_images) {
            line["OldImage"] = old.clone();
        }
        Some(line)
    }
}

/// Returns all items with their keys.
fn all_items(
    database: &dynoxide::Database,
    table: &str,
) -> Result<Vec<(Value, Value)>, ErrorResponse> {
    let described = execute(
        database,
        "DescribeTable",
        &to_bytes(&json!({ "TableName": table })),
    )?;
    let described: Value = serde_json::from_slice(&described).unwrap_or_default();
    let schema = described["Table"]["KeySchema"].as_array();
    let names: Vec<String> = schema
        .into_iter()
        .flatten()
        .filter_map(|element| Some(element["AttributeName"].as_str()?.to_owned()))
        .collect();
    let items = super::super::scan(database, table).unwrap_or_default();
    let with_key = |item: Value| {
        // serde_json sorts the members of an object, so a key has the same text as in the change
        // log.
        let key = names.iter().map(|name| (name.clone(), item[name].clone()));
        (Value::Object(key.collect()), item)
    };
    Ok(items.into_iter().map(with_key).collect())
}

fn table_id(context: &Context<'_>, table: &str) -> Value {
    let request = to_bytes(&json!({ "TableName": table }));
    let described = execute(&context.database, "DescribeTable", &request).unwrap_or_default();
    let mut described: Value = serde_json::from_slice(&described).unwrap_or_default();
    described["Table"]["TableId"].take()
}

fn to_value(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

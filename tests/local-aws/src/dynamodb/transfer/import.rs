//! ImportTable: a new table from the objects under a prefix.

use std::io::{BufRead as _, BufReader};

use dynoxide::types::Item;
use dynoxide::{Database, ImportOptions};
use flate2::read::MultiGzDecoder;
use serde_json::{Map, Value, json};

use super::super::engine::{execute, to_bytes, validation_error};
use super::{Context, Failure, Job, Kind, Work, required};
use crate::faults::JobFault;
use crate::ids;
use crate::response::ErrorResponse;
use crate::s3::S3;

/// The maximum number of objects in an import, as AWS documents it.
const MAX_OBJECTS: usize = 50_000;

/// The items that are stored at once.
const CHUNK: usize = 1_000;

/// Creates the table of a request, and returns the job and its work.
pub(super) fn prepare(context: &Context<'_>, request: Value) -> Result<(Job, Work), ErrorResponse> {
    let parameters = &request["TableCreationParameters"];
    let table = required(parameters, "TableName")?.to_owned();
    if !parameters["LocalSecondaryIndexes"].is_null() {
        return Err(validation_error(
            "An import cannot create local secondary indexes",
        ));
    }
    if request["InputFormat"] != "DYNAMODB_JSON" {
        return Err(validation_error("bsm-local-aws imports DYNAMODB_JSON only"));
    }
    let is_compressed = match request["InputCompressionType"].as_str() {
        Some("GZIP") => true,
        None | Some("NONE") => false,
        Some(_) => return Err(validation_error("bsm-local-aws imports GZIP or NONE only")),
    };
    let source = &request["S3BucketSource"];
    let bucket = required(source, "S3Bucket")?.to_owned();
    let owner = source["S3BucketOwner"].as_str().map(str::to_owned);
    let prefix = source["S3KeyPrefix"]
        .as_str()
        .unwrap_or_default()
        .to_owned();

    let created = execute(&context.database, "CreateTable", &to_bytes(parameters))?;
    let created: Value = serde_json::from_slice(&created).unwrap_or_default();
    let state = context.states.of(&context.location, &table);
    // As for CreateTable: nothing is left of a table that had the same name.
    *state.lock() = super::super::table_state::TableState::default();

    let (region, account) = (&context.location.region, &context.location.account);
    let table_arn = format!("arn:aws:dynamodb:{region}:{account}:table/{table}");
    let now = context.clock.unix_seconds();
    let id = format!("{:014}-{}", now * 1_000, &ids::request_id()[..8]);
    let arn = format!("{table_arn}/import/{id}");
    let description = Map::from_iter([
        (
            "TableId".to_owned(),
            created["TableDescription"]["TableId"].clone(),
        ),
        ("S3BucketSource".to_owned(), source.clone()),
        ("InputFormat".to_owned(), "DYNAMODB_JSON".into()),
        ("TableCreationParameters".to_owned(), parameters.clone()),
        (
            "InputCompressionType".to_owned(),
            if is_compressed { "GZIP" } else { "NONE" }.into(),
        ),
    ]);
    let (caller, database) = (context.caller.clone(), context.database.clone());
    let fault = context.fault;
    let work: Work = Box::new(move |s3| {
        // The prefix stands for its objects, because policies allow them with a star behind it.
        for (action, key) in [("s3:ListBucket", ""), ("s3:GetObject", &*prefix)] {
            s3.authorize(&caller, action, &bucket, key, owner.as_deref())
                .map_err(|error| match &*error.code {
                    "NoSuchBucket" => Failure::new("S3NoSuchBucket", error.message),
                    _ => Failure::new("S3AccessDenied", error.message),
                })?;
        }
        let mut import = Import {
            database,
            table,
            is_compressed,
            skipped_lines: match fault {
                Some(JobFault::SkippedLines { count }) => count,
                _ => 0,
            },
            pending: Vec::new(),
            counts: Counts::default(),
        };
        let keys = s3.keys(&bucket, &prefix);
        if keys.len() > MAX_OBJECTS {
            let message = format!("An import reads at most {MAX_OBJECTS} objects");
            return Err(Failure::new("ValidationException", message));
        }
        // A failed import leaves what it has stored.
        let is_failing = fault == Some(JobFault::Failed);
        let read = if is_failing {
            keys.len() / 2
        } else {
            keys.len()
        };
        for key in &keys[..read] {
            import.object(s3, &bucket, key)?;
        }
        import.store()?;
        match is_failing {
            true => Err(Failure {
                partial: import.counts.members(),
                ..Failure::injected()
            }),
            false => Ok(import.counts.members()),
        }
    });
    let arns = (arn, table_arn);
    Ok((
        Job::new(context, Kind::Import, arns, request, description),
        work,
    ))
}

struct Import {
    database: Database,
    table: String,
    is_compressed: bool,
    /// The lines that a fault still skips.
    skipped_lines: u64,
    pending: Vec<Item>,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    bytes: u64,
    processed: u64,
    imported: u64,
    errors: u64,
}

impl Import {
    fn object(&mut self, s3: &S3, bucket: &str, key: &str) -> Result<(), Failure> {
        let object = s3.read(bucket, key);
        let object = object.map_err(|error| Failure::new("S3AccessDenied", error.to_string()))?;
        self.counts.bytes += object.len() as u64;
        let reader: Box<dyn std::io::Read + '_> = match self.is_compressed {
            true => Box::new(MultiGzDecoder::new(&*object)),
            false => Box::new(&*object),
        };
        for line in BufReader::new(reader).lines() {
            self.counts.processed += 1;
            // The rest of an object that cannot be decompressed counts as one malformed line.
            let Ok(line) = line else {
                self.counts.errors += 1;
                break;
            };
            let item = match serde_json::from_str::<Value>(&line) {
                Ok(mut line) => serde_json::from_value::<Item>(line["Item"].take()).ok(),
                Err(_) => None,
            };
            match item.filter(|_| self.skipped_lines == 0) {
                Some(item) => self.pending.push(item),
                None => {
                    self.skipped_lines = self.skipped_lines.saturating_sub(1);
                    self.counts.errors += 1;
                }
            }
            if self.pending.len() == CHUNK {
                self.store()?;
            }
        }
        Ok(())
    }

    fn store(&mut self) -> Result<(), Failure> {
        let items = std::mem::take(&mut self.pending);
        let all = self
            .database
            .import_items(&self.table, items.clone(), ImportOptions::default());
        if all.is_ok() {
            self.counts.imported += items.len() as u64;
            return Ok(());
        }
        // One item cannot be stored: find out which.
        for item in items {
            let one = vec![item];
            match self
                .database
                .import_items(&self.table, one, ImportOptions::default())
            {
                Ok(_) => self.counts.imported += 1,
                Err(_) => self.counts.errors += 1,
            }
        }
        Ok(())
    }
}

impl Counts {
    fn members(&self) -> Map<String, Value> {
        let members = json!({
            "ProcessedSizeBytes": self.bytes,
            "ProcessedItemCount": self.processed,
            "ImportedItemCount": self.imported,
            "ErrorCount": self.errors,
        });
        match members {
            Value::Object(members) => members,
            _ => unreachable!("the members are an object"),
        }
    }
}

//! Exports to S3 and imports from S3.
//!
//! A job is described as in progress until its work is done, and as long as a fault makes it slow.
//! See <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.HowItWorks.html>
//! and <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataImport.HowItWorks.html>.

mod export;
mod files;
mod import;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use dynoxide::Database;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use super::engine::{to_bytes, validation_error};
use super::table_state::{AccountRegion, TableStates};
use crate::auth::Identity;
use crate::clock::Clock;
use crate::faults::JobFault;
use crate::response::ErrorResponse;
use crate::s3::S3;

/// How long a client token stands for the first request that has it.
///
/// Source: `ClientToken` of [ExportTableToPointInTime](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExportTableToPointInTime.html)
/// in the API Reference.
const TOKEN_LIFETIME: Duration = Duration::from_secs(8 * 3600);

/// The jobs of all accounts and regions.
#[derive(Debug)]
pub(super) struct Transfers {
    s3: Arc<S3>,
    jobs: Mutex<Vec<(AccountRegion, Arc<Job>)>>,
}

/// An export or an import.
#[derive(Debug)]
pub(super) struct Job {
    kind: Kind,
    arn: String,
    table_arn: String,
    /// The request, which a second one with the same client token must equal.
    request: Value,
    requested: SystemTime,
    description: Map<String, Value>,
    /// When the job may be described as done.
    not_before: SystemTime,
    /// The members that the end of the work adds to the description.
    result: Mutex<Option<Map<String, Value>>>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Export,
    Import,
}

/// What an operation works with.
pub(super) struct Context<'a> {
    pub(super) caller: &'a Identity,
    pub(super) location: AccountRegion,
    pub(super) database: Database,
    pub(super) states: &'a TableStates,
    pub(super) clock: &'a Clock,
    pub(super) fault: Option<JobFault>,
}

impl Transfers {
    pub(super) fn new(s3: Arc<S3>) -> Self {
        Self {
            s3,
            jobs: Mutex::default(),
        }
    }

    /// Performs an operation.
    pub(super) fn perform(
        &self,
        context: &Context<'_>,
        operation: &str,
        body: &[u8],
    ) -> Result<Vec<u8>, ErrorResponse> {
        let request: Value =
            serde_json::from_slice(body).map_err(|error| validation_error(error.to_string()))?;
        let response = match operation {
            "ExportTableToPointInTime" => {
                let job = self.start(context, Kind::Export, request)?;
                json!({ "ExportDescription": job.describe(context.clock) })
            }
            "DescribeExport" => {
                let job = self.find(context, Kind::Export, &request["ExportArn"])?;
                json!({ "ExportDescription": job.describe(context.clock) })
            }
            "ListExports" => {
                json!({ "ExportSummaries": self.list(context, Kind::Export, &request) })
            }
            "ImportTable" => {
                let job = self.start(context, Kind::Import, request)?;
                json!({ "ImportTableDescription": job.describe(context.clock) })
            }
            "DescribeImport" => {
                let job = self.find(context, Kind::Import, &request["ImportArn"])?;
                json!({ "ImportTableDescription": job.describe(context.clock) })
            }
            _ => json!({ "ImportSummaryList": self.list(context, Kind::Import, &request) }),
        };
        Ok(to_bytes(&response))
    }

    /// Starts a job, or returns the one that an earlier request with the same token started.
    fn start(
        &self,
        context: &Context<'_>,
        kind: Kind,
        request: Value,
    ) -> Result<Arc<Job>, ErrorResponse> {
        // Held while the job is prepared: of two requests with one token, the second finds it.
        let mut jobs = self.jobs.lock();
        if let Some(token) = request["ClientToken"].as_str() {
            let earlier = jobs.iter().find(|(location, job)| {
                *location == context.location
                    && job.kind == kind
                    && job.request["ClientToken"] == token
                    && context.clock.now() < job.requested + TOKEN_LIFETIME
            });
            match earlier {
                Some((_, job)) if job.request == request => return Ok(Arc::clone(job)),
                Some(_) => {
                    let code = kind.code("ConflictException");
                    let message = "There was a conflict when writing to the specified S3 bucket, or \
                                   the client token was used with other parameters.";
                    return Err(ErrorResponse::new(400, code, message));
                }
                None => {}
            }
        }
        let (job, work) = match kind {
            Kind::Export => export::prepare(context, request)?,
            Kind::Import => import::prepare(context, request)?,
        };
        let job = Arc::new(job);
        // Before the work begins, so that the table is not described as active meanwhile.
        if kind == Kind::Import {
            let table = super::arns::table_in_arn(&job.table_arn).unwrap_or_default();
            context.states.of(&context.location, table).lock().import = Some(Arc::clone(&job));
        }
        jobs.push((context.location.clone(), Arc::clone(&job)));
        let (s3, started) = (Arc::clone(&self.s3), Arc::clone(&job));
        // Not on the thread of the request: the client polls meanwhile.
        std::thread::Builder::new()
            .name("bsm-local-aws-transfer".to_owned())
            .spawn(move || started.finish(work(&s3)))
            .map_err(|_| ErrorResponse::internal(crate::service::Service::DynamoDb))?;
        Ok(job)
    }

    fn find(
        &self,
        context: &Context<'_>,
        kind: Kind,
        arn: &Value,
    ) -> Result<Arc<Job>, ErrorResponse> {
        let jobs = self.jobs.lock();
        let found = jobs.iter().find(|(location, job)| {
            *location == context.location && job.kind == kind && *arn == *job.arn
        });
        found.map(|(_, job)| Arc::clone(job)).ok_or_else(|| {
            let message = "The specified export or import was not found.";
            ErrorResponse::new(400, kind.code("NotFoundException"), message)
        })
    }

    fn list(&self, context: &Context<'_>, kind: Kind, request: &Value) -> Vec<Value> {
        let table = request["TableArn"].as_str();
        let jobs = self.jobs.lock();
        let own = jobs.iter().filter(|(location, job)| {
            *location == context.location
                && job.kind == kind
                && table.is_none_or(|table| table == job.table_arn)
        });
        own.map(|(_, job)| job.describe(context.clock)).collect()
    }
}

/// The work of a job: it returns members of the description.
type Work = Box<dyn FnOnce(&S3) -> Result<Map<String, Value>, Failure> + Send>;

/// Why a job failed.
struct Failure {
    code: &'static str,
    message: String,
    /// What was done before.
    partial: Map<String, Value>,
}

impl Failure {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            partial: Map::new(),
        }
    }

    fn injected() -> Self {
        Self::new("InternalServerError", "a fault of bsm-local-aws")
    }
}

impl Job {
    /// Creates a job that `fault` may keep from ending.
    fn new(
        context: &Context<'_>,
        kind: Kind,
        (arn, table_arn): (String, String),
        request: Value,
        mut description: Map<String, Value>,
    ) -> Self {
        let now = context.clock.now();
        let delay = match context.fault {
            Some(JobFault::Slow { seconds }) => Duration::from_secs(seconds),
            _ => Duration::ZERO,
        };
        description.insert("StartTime".into(), context.clock.unix_seconds().into());
        description.insert("TableArn".into(), table_arn.clone().into());
        description.insert(kind.code("Arn"), arn.clone().into());
        description.insert("ClientToken".into(), request["ClientToken"].clone());
        Self {
            kind,
            arn,
            table_arn,
            request,
            description,
            requested: now,
            not_before: now + delay,
            result: Mutex::default(),
        }
    }

    /// Returns `true` once the job is described as completed or failed.
    pub(super) fn is_done(&self, clock: &Clock) -> bool {
        clock.now() >= self.not_before && self.result.lock().is_some()
    }

    fn finish(&self, outcome: Result<Map<String, Value>, Failure>) {
        let mut members = match outcome {
            Ok(mut members) => {
                members.insert(self.kind.code("Status"), "COMPLETED".into());
                members
            }
            Err(Failure {
                code,
                message,
                partial,
            }) => {
                let mut members = partial;
                members.insert(self.kind.code("Status"), "FAILED".into());
                members.insert("FailureCode".into(), code.into());
                members.insert("FailureMessage".into(), message.into());
                members
            }
        };
        let start = self.description["StartTime"].clone();
        members.entry("EndTime").or_insert(start);
        *self.result.lock() = Some(members);
    }

    fn describe(&self, clock: &Clock) -> Value {
        let mut description = self.description.clone();
        match &*self.result.lock() {
            Some(result) if clock.now() >= self.not_before => description.extend(result.clone()),
            _ => _ = description.insert(self.kind.code("Status"), "IN_PROGRESS".into()),
        }
        Value::Object(description)
    }
}

impl Kind {
    /// Returns a name that begins with the kind, such as `ExportNotFoundException`.
    fn code(self, rest: &str) -> String {
        match self {
            Self::Export => format!("Export{rest}"),
            Self::Import => format!("Import{rest}"),
        }
    }
}

/// Returns a text member, or rejects the request.
fn required<'a>(request: &'a Value, name: &str) -> Result<&'a str, ErrorResponse> {
    request[name]
        .as_str()
        .ok_or_else(|| validation_error(format!("{name} is required")))
}

/// Returns a time in seconds since the Unix epoch, which clients send with or without a fraction.
fn seconds(value: &Value) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a time in seconds fits, and a negative one becomes 0"
    )]
    value.as_f64().map(|seconds| seconds as u64)
}

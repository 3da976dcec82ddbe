//! Exports and imports of AWS: starting them, and waiting for them.

use std::time::Duration;

use aws_sdk_dynamodb::primitives::DateTime;
use aws_sdk_dynamodb::types::{
    ExportDescription, ExportFormat, ExportStatus, ExportType, ExportViewType, ImportStatus,
    ImportTableDescription, IncrementalExportSpecification, InputCompressionType, InputFormat,
    S3BucketSource, S3SseAlgorithm, SseSpecification, SseType, TableCreationParameters,
    TableDescription,
};

use super::bucket::MAX_ATTEMPTS;
use super::manifest::data_prefix;
use super::options::MigrateOptions;
use crate::copy::checkpoint::TableIdentity;
use crate::copy::{TableClient, TableShape, retry_transient};
use crate::error::{Error, ErrorKind};

/// What an export brings. Times are in seconds since the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub(super) enum ExportPeriod {
    /// All items, as they were at a time.
    Until(i64),
    /// The items that changed from a time on, and before another one.
    Window(i64, i64),
}

/// A job that has ended well.
#[derive(Clone, Debug)]
pub(super) struct EndedExport {
    pub(super) manifest: String,
    pub(super) items: u64,
}

/// Exports and imports with the settings of a migration.
pub(super) struct Jobs<'a> {
    pub(super) source: &'a TableClient,
    pub(super) target: &'a TableClient,
    pub(super) options: &'a MigrateOptions,
    pub(super) bucket_owner: &'a str,
}

impl Jobs<'_> {
    /// Starts an export, or finds the one that was started with this token; returns its ARN.
    pub(super) async fn start_export(
        &self,
        table: &str,
        token: &str,
        period: ExportPeriod,
    ) -> Result<String, Error> {
        let source = self.source;
        let request = source.client.export_table_to_point_in_time();
        let mut request = request
            .table_arn(table)
            .client_token(token)
            .s3_bucket(&self.options.bucket)
            // AWS requires the owner if the bucket is in another account.
            .s3_bucket_owner(self.bucket_owner)
            .export_format(ExportFormat::DynamodbJson);
        if !self.options.prefix.is_empty() {
            request = request.s3_prefix(&self.options.prefix);
        }
        if let Some(key) = &self.options.export_key {
            request = request
                .s3_sse_algorithm(S3SseAlgorithm::Kms)
                .s3_sse_kms_key_id(key);
        }
        request = match period {
            ExportPeriod::Until(time) => request.export_time(DateTime::from_secs(time)),
            ExportPeriod::Window(from, to) => {
                let window = IncrementalExportSpecification::builder()
                    .export_from_time(DateTime::from_secs(from))
                    .export_to_time(DateTime::from_secs(to))
                    // The old images are not needed: a change without a new image is a delete.
                    .export_view_type(ExportViewType::NewImage)
                    .build();
                let request = request.export_type(ExportType::IncrementalExport);
                request.incremental_export_specification(window)
            }
        };
        let send = || async {
            let started = request.clone().send().await;
            started.map_err(|error| source.failed("ExportTableToPointInTime", error))
        };
        let started = self.start(send).await?;
        let description = started.export_description;
        description
            .and_then(|description| description.export_arn)
            .ok_or_else(|| no_arn(source))
    }

    /// Waits until an export has ended.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TransferFailed`] if the export has failed.
    pub(super) async fn ended_export(&self, arn: &str) -> Result<EndedExport, Error> {
        let source = self.source;
        let describe = || async {
            let described = source.client.describe_export().export_arn(arn).send().await;
            let described = described.map_err(|error| source.failed("DescribeExport", error))?;
            let description = described.export_description;
            Ok(description.filter(|it| it.export_status != Some(ExportStatus::InProgress)))
        };
        let ended: ExportDescription = self.poll("export", source, describe).await?;
        // Whatever is neither in progress nor completed has failed, including a status that the SDK does not know.
        if ended.export_status != Some(ExportStatus::Completed) {
            return Err(failed("export", source, ended.failure_code.as_deref()));
        }
        let items = ended.item_count.and_then(|items| u64::try_from(items).ok());
        let (Some(manifest), Some(items)) = (ended.export_manifest, items) else {
            let message =
                "DynamoDB described an export without its manifest: run the migration again";
            return Err(source.error(ErrorKind::TransferFailed, message));
        };
        Ok(EndedExport { manifest, items })
    }

    /// Starts an import into a new table like the source, or finds the one that was started with this
    /// token; returns its description.
    pub(super) async fn start_import(
        &self,
        token: &str,
        manifest: &str,
        like: &TableDescription,
    ) -> Result<ImportTableDescription, Error> {
        let target = self.target;
        let unbuildable = |error| {
            let message = "the source's table cannot be described: the cause says why";
            target
                .error(ErrorKind::InvalidRequest, message)
                .with_source(error)
        };
        let bucket = S3BucketSource::builder()
            .s3_bucket(&self.options.bucket)
            .s3_bucket_owner(self.bucket_owner)
            // The folder of the data files: the manifests beside it contain no items.
            .s3_key_prefix(data_prefix(manifest))
            .build()
            .map_err(unbuildable)?;
        let parameters = self.creation_parameters(like).map_err(unbuildable)?;
        let request = target
            .client
            .import_table()
            .client_token(token)
            .s3_bucket_source(bucket)
            .input_format(InputFormat::DynamodbJson)
            .input_compression_type(InputCompressionType::Gzip)
            .table_creation_parameters(parameters);
        let send = || async {
            let started = request.clone().send().await;
            started.map_err(|error| target.failed("ImportTable", error))
        };
        match self.start(send).await {
            Ok(started) => started
                .import_table_description
                .ok_or_else(|| no_arn(target)),
            // Eight hours after a request whose response was lost, DynamoDB no longer knows its token, and the
            // table that it created is in the way.
            Err(error) if error.kind() == ErrorKind::TableInUse => {
                let table = target.describe().await?;
                let arn = table.and_then(|table| table.table_arn).unwrap_or_default();
                find_import(target, &arn, token).await?.ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Waits until an import has ended, and checks that it has imported every item.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TransferFailed`] if the import has failed, or has left out items.
    pub(super) async fn ended_import(&self, arn: &str, items: u64) -> Result<(), Error> {
        let target = self.target;
        let describe = || async {
            let described = target.client.describe_import().import_arn(arn).send().await;
            let described = described.map_err(|error| target.failed("DescribeImport", error))?;
            let description = described.import_table_description;
            let is_running = |it: &ImportTableDescription| {
                use ImportStatus::{Cancelling, InProgress};
                // `Cancelling` becomes `Cancelled`, which is reported as a failure.
                matches!(it.import_status, Some(InProgress | Cancelling))
            };
            Ok(description.filter(|it| !is_running(it)))
        };
        let ended: ImportTableDescription = self.poll("import", target, describe).await?;
        if ended.import_status != Some(ImportStatus::Completed) {
            return Err(failed("import", target, ended.failure_code.as_deref()));
        }
        // An import skips a line that it cannot read, and ends well.
        let imported = u64::try_from(ended.imported_item_count).unwrap_or_default();
        if imported == items && ended.error_count == 0 {
            return Ok(());
        }
        let message = format!(
            "the import has stored {imported} of {items} items, with {} errors: see its log in \
             CloudWatch, and run the migration again",
            ended.error_count
        );
        Err(target.error(ErrorKind::TransferFailed, message))
    }

    fn creation_parameters(
        &self,
        like: &TableDescription,
    ) -> Result<TableCreationParameters, aws_sdk_dynamodb::error::BuildError> {
        let shape = TableShape::of(like)?;
        let encryption = self.options.target_key.as_ref().map(|key| {
            SseSpecification::builder()
                .enabled(true)
                .sse_type(SseType::Kms)
                .kms_master_key_id(key)
                .build()
        });
        // ImportTable has no parameter for the table class or for local indexes; `load_method` rules the latter out.
        TableCreationParameters::builder()
            .table_name(&self.target.table)
            .set_attribute_definitions(like.attribute_definitions.clone())
            .set_key_schema(like.key_schema.clone())
            .billing_mode(shape.billing)
            .set_provisioned_throughput(shape.throughput)
            .set_on_demand_throughput(like.on_demand_throughput.clone())
            .set_sse_specification(encryption)
            .set_global_secondary_indexes(shape.global_indexes)
            .build()
    }

    /// Starts a job, and waits while as many are in progress as an account may have.
    async fn start<T, F: Future<Output = Result<T, Error>>>(
        &self,
        send: impl Fn() -> F,
    ) -> Result<T, Error> {
        // Not an error for the retries: other exports and imports take hours, and the attempts a minute.
        let send = || async {
            match send().await {
                Err(error) if error.aws_code() == Some("LimitExceededException") => Ok(Err(error)),
                started => started.map(Ok),
            }
        };
        let mut waited = Duration::ZERO;
        loop {
            match retry_transient(MAX_ATTEMPTS, || {}, &send).await? {
                Err(error) if waited >= self.options.job_timeout => return Err(error),
                Err(_) => {
                    tokio::time::sleep(self.options.poll_interval).await;
                    waited += self.options.poll_interval;
                }
                Ok(started) => return Ok(started),
            }
        }
    }

    /// Asks until there is an answer.
    async fn poll<T, F: Future<Output = Result<Option<T>, Error>>>(
        &self,
        what: &str,
        table: &TableClient,
        describe: impl Fn() -> F,
    ) -> Result<T, Error> {
        let MigrateOptions {
            poll_interval,
            job_timeout,
            ..
        } = *self.options;
        let mut waited = Duration::ZERO;
        loop {
            if let Some(answer) = retry_transient(MAX_ATTEMPTS, || {}, &describe).await? {
                return Ok(answer);
            }
            if waited >= job_timeout {
                let message = format!(
                    "the {what} has not ended within {job_timeout:?}: run the migration again to \
                     wait longer"
                );
                return Err(table.error(ErrorKind::WaitTimedOut, message));
            }
            tokio::time::sleep(poll_interval).await;
            // Counts the pauses and not the clock: time in which the machine is suspended does not use up the limit.
            waited += poll_interval;
        }
    }
}

/// Returns the import that has created a table, if it was started with this token.
pub(super) async fn find_import(
    target: &TableClient,
    table_arn: &str,
    token: &str,
) -> Result<Option<ImportTableDescription>, Error> {
    let listed = target.set_up(|| async {
        let request = target.client.list_imports().table_arn(table_arn);
        let listed = request.send().await;
        listed.map_err(|error| target.failed("ListImports", error))
    });
    // The first page has the latest imports, and there is hardly more than one for a table.
    for import in listed.await?.import_summary_list.unwrap_or_default() {
        let arn = import.import_arn.unwrap_or_default();
        let described = target.set_up(|| async {
            let described = target
                .client
                .describe_import()
                .import_arn(&arn)
                .send()
                .await;
            described.map_err(|error| target.failed("DescribeImport", error))
        });
        let found = described.await?.import_table_description;
        if let Some(found) = found.filter(|found| found.client_token.as_deref() == Some(token)) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Returns the table that an import creates.
pub(super) fn imported_table(import: &ImportTableDescription) -> TableIdentity {
    TableIdentity {
        arn: import.table_arn.clone().unwrap_or_default(),
        id: import.table_id.clone(),
    }
}

fn failed(what: &str, table: &TableClient, code: Option<&str>) -> Error {
    let code = code.unwrap_or("no code");
    let message = format!(
        "the {what} has failed with {code}: check the bucket and the policies of the plan, and run \
         the migration again"
    );
    table.error(ErrorKind::TransferFailed, message)
}

fn no_arn(table: &TableClient) -> Error {
    let message =
        "DynamoDB has started an export or import and not described it: check the endpoint";
    table.error(ErrorKind::Service, message)
}

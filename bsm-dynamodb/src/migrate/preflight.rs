//! The checks before a migration, which change nothing.

use aws_sdk_dynamodb::types::{SseType, TableDescription};
use aws_sdk_dynamodbstreams::Client as StreamsClient;

use super::bucket::{self, Bucket};
use super::checkpoint;
use super::load_method::LoadMethod;
use super::options::{MigrateOptions, MigrateRequest};
use super::plan::{MigrationPlan, PlannedOptions};
use super::progress::MigrationPhase;
use super::source::{Recovery, check_stream, describe, has_stream, recovery};
use super::state::{EnabledSettings, MigrationState, RecordedSettings, Step, VERSION};
use crate::copy::checkpoint::{TableIdentity, TargetLocation};
use crate::copy::{
    SourceSettings, TableClient, check_active, check_keys, counted, special_class, table_location,
};
use crate::error::{Error, ErrorKind};

/// The name of the operation in errors.
pub(super) const OPERATION: &str = "MigrateTable";

/// Everything that a migration needs to begin.
pub(super) struct Prepared {
    pub(super) source: TableClient,
    pub(super) target: TableClient,
    pub(super) streams: StreamsClient,
    pub(super) bucket: Bucket,
    pub(super) bucket_owner: String,
    pub(super) source_table: TableDescription,
    pub(super) state: MigrationState,
    pub(super) plan: MigrationPlan,
}

/// Does the checks, and returns the plan.
pub(super) async fn plan(request: MigrateRequest) -> Result<MigrationPlan, Error> {
    let (source, target) = open(&request).await?;
    let recorded = match &request.options.checkpoint {
        Some(path) => checkpoint::read(path, &source).await?,
        None => None,
    };
    let prepared = prepare(&request, source, target, recorded).await?;
    Ok(prepared.plan)
}

pub(super) async fn open(request: &MigrateRequest) -> Result<(TableClient, TableClient), Error> {
    let MigrateOptions {
        source_table,
        target_table,
        ..
    } = &request.options;
    let source = TableClient::open_for(OPERATION, &request.source, source_table).await?;
    let target = TableClient::open_for(OPERATION, &request.target, target_table).await?;
    Ok((source, target))
}

pub(super) async fn prepare(
    request: &MigrateRequest,
    source: TableClient,
    target: TableClient,
    recorded: Option<MigrationState>,
) -> Result<Prepared, Error> {
    let options = &request.options;
    if options.bucket.is_empty() {
        let message = "a migration needs a bucket for its exports: name one with bucket()";
        return Err(source.error(ErrorKind::InvalidRequest, message));
    }
    let found = Found::read(options, source, target).await?;
    let resumes = recorded.as_ref().map(|state| state.step.phase());
    let state = match recorded {
        // The checks of a first run would fail here: by now the target may have items.
        Some(state) => found.check_recorded(options, state)?,
        None => found.first_state(options).await?,
    };
    let bucket = Bucket::open(request, &found.bucket_owner, &found.target).await?;
    // Before anything is changed: otherwise the target would read the bucket for the first time after the export.
    bucket.check().await?;
    let streams = request.source.client(StreamsClient::new).await;
    let streams = streams.map_err(|error| found.source.session_failed("DescribeStream", error))?;
    let plan = found.plan(request, &state, resumes).await;
    Ok(Prepared {
        source: found.source,
        target: found.target,
        streams,
        bucket,
        bucket_owner: found.bucket_owner,
        source_table: found.source_table,
        state,
        plan,
    })
}

/// The two tables, as they are before anything is changed.
struct Found {
    source: TableClient,
    target: TableClient,
    source_account: String,
    target_account: String,
    bucket_owner: String,
    source_table: TableDescription,
    target_table: Option<TableDescription>,
}

impl Found {
    async fn read(
        options: &MigrateOptions,
        source: TableClient,
        target: TableClient,
    ) -> Result<Self, Error> {
        let source_account = source.account().await?;
        let target_account = target.account().await?;
        let bucket_owner = options.bucket_owner.as_ref().unwrap_or(&source_account);
        Ok(Self {
            bucket_owner: bucket_owner.clone(),
            source_account,
            target_account,
            source_table: describe(&source).await?,
            target_table: target.describe().await?,
            source,
            target,
        })
    }

    fn location(&self) -> TargetLocation {
        TargetLocation {
            table: self.target.table.clone(),
            account: self.target_account.clone(),
            region: self.target.region(),
        }
    }

    /// Returns the state of an earlier run, if it is one of this migration.
    fn check_recorded(
        &self,
        options: &MigrateOptions,
        state: MigrationState,
    ) -> Result<MigrationState, Error> {
        let settings = RecordedSettings::of(options, &self.bucket_owner);
        let location = self.location();
        check_recorded(
            &self.source,
            &self.source_table,
            &location,
            &settings,
            &state,
        )?;
        check_recorded_target(&self.target, self.target_table.as_ref(), &state)?;
        Ok(state)
    }

    /// Checks the tables, and returns the state with which a migration begins.
    async fn first_state(&self, options: &MigrateOptions) -> Result<MigrationState, Error> {
        let (source_table, target_table) = (&self.source_table, self.target_table.as_ref());
        check_active(&self.source, source_table)?;
        check_target(source_table, &self.target, target_table).await?;
        if options.uses_stream {
            check_stream(&self.source, source_table)?;
        }
        Ok(MigrationState {
            migration: VERSION,
            source: TableIdentity::of(source_table),
            location: self.location(),
            settings: RecordedSettings::of(options, &self.bucket_owner),
            load_method: load_method(options, source_table, target_table),
            turned_on: EnabledSettings {
                // Only what is off now is turned off at the end.
                recovery: recovery(&self.source).await? == Recovery::Off,
                stream: options.uses_stream && !has_stream(source_table),
            },
            // A table that exists; one that the migration creates is recorded after its creation.
            target: target_table.map(TableIdentity::of),
            counts: Default::default(),
            step: Step::Preparing {},
        })
    }

    async fn plan(
        &self,
        request: &MigrateRequest,
        state: &MigrationState,
        resumes: Option<MigrationPhase>,
    ) -> MigrationPlan {
        let Self {
            source,
            target,
            source_table,
            bucket_owner,
            ..
        } = self;
        let options = &request.options;
        let accounts = (self.source_account.clone(), self.target_account.clone());
        // A run that resumes finds the settings that the first run has turned on.
        let creates = resumes.is_none() && state.load_method != LoadMethod::ExistingTable;
        let settings = match creates {
            true => SourceSettings::read(source, source_table)
                .await
                .plan(source_table, &[]),
            false => Vec::new(),
        };
        let class = special_class(source_table);
        let class = class.filter(|_| state.load_method == LoadMethod::Import);
        let bucket_encryption = match options.export_key {
            Some(_) => None,
            None => Some(bucket::encryption(request, bucket_owner, &accounts, target).await),
        };
        let encryption = source_table.sse_description();
        let key = encryption.filter(|it| it.sse_type == Some(SseType::Kms));
        let arn = |table: &TableDescription| table.table_arn.clone();
        let target_arn = self.target_table.as_ref().and_then(arn);
        MigrationPlan {
            source: table_location(source, accounts.0, arn(source_table)),
            target: table_location(target, accounts.1, target_arn),
            bucket_owner: bucket_owner.clone(),
            options: PlannedOptions(options.clone()),
            load_method: state.load_method,
            turns_on: state.turned_on,
            resumes,
            expected_items: counted(source_table.item_count),
            expected_bytes: counted(source_table.table_size_bytes),
            settings,
            later_class: class.map(|class| class.to_string()),
            source_key: key.and_then(|key| key.kms_master_key_arn.clone()),
            bucket_encryption,
        }
    }
}

/// Decides how the full export gets into the target.
fn load_method(
    options: &MigrateOptions,
    source: &TableDescription,
    target: Option<&TableDescription>,
) -> LoadMethod {
    match target {
        Some(_) => LoadMethod::ExistingTable,
        // ImportTable has no parameter for local secondary indexes.
        None if options.uses_import && source.local_secondary_indexes().is_empty() => {
            LoadMethod::Import
        }
        None => LoadMethod::NewTable,
    }
}

/// Refuses a target that the items cannot be migrated to, or that has items.
async fn check_target(
    source_table: &TableDescription,
    target: &TableClient,
    target_table: Option<&TableDescription>,
) -> Result<(), Error> {
    let Some(target_table) = target_table else {
        return Ok(());
    };
    if target_table.table_arn == source_table.table_arn {
        return Err(target.error(
            ErrorKind::SameTable,
            "the target table is the source table: check the two managers, or give \
             another name with target_table()",
        ));
    }
    check_active(target, target_table)?;
    check_keys(target, source_table, target_table)?;
    if target.has_items(super::bucket::MAX_ATTEMPTS).await? {
        return Err(target.error(
            ErrorKind::TableNotEmpty,
            "the target table has items already: a migration needs an empty table, or none. If \
             an earlier migration has written them, give its checkpoint",
        ));
    }
    Ok(())
}

/// Refuses a target that is no longer the one to which an earlier run has written.
fn check_recorded_target(
    target: &TableClient,
    found: Option<&TableDescription>,
    state: &MigrationState,
) -> Result<(), Error> {
    let Some(recorded) = &state.target else {
        return Ok(());
    };
    // The table of a failed import is about to be replaced, and may be gone already.
    if matches!(&state.step, Step::Importing { import, .. } if import.arn.is_none()) {
        return Ok(());
    }
    if found.is_some_and(|found| recorded.is_same(&TableIdentity::of(found))) {
        return Ok(());
    }
    Err(target.error(
        ErrorKind::Checkpoint,
        "the target has been deleted since an earlier run of the migration: abort the migration, and \
         start again",
    ))
}

/// Refuses a checkpoint of another migration.
pub(super) fn check_recorded(
    source: &TableClient,
    source_table: &TableDescription,
    location: &TargetLocation,
    settings: &RecordedSettings,
    recorded: &MigrationState,
) -> Result<(), Error> {
    let problem = if !recorded.source.is_same(&TableIdentity::of(source_table)) {
        let arn = &recorded.source.arn;
        format!("belongs to another source, {arn}, or to one that was deleted and created again")
    } else if recorded.location != *location {
        let TargetLocation {
            table,
            account,
            region,
        } = &recorded.location;
        format!("belongs to another target, the table {table} in {account}, {region}")
    } else if let Some(difference) = recorded.settings.difference(settings) {
        format!("belongs to a migration with {difference}")
    } else {
        return Ok(());
    };
    let message = format!(
        "the checkpoint {problem}: give the settings of the migration that it belongs to, or another \
         path"
    );
    Err(source.error(ErrorKind::Checkpoint, message))
}

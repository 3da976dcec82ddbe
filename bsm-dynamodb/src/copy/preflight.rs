//! The checks before anything is written.

use aws_sdk_dynamodb::types::{AttributeDefinition, TableDescription, TableStatus};

use super::checkpoint::{
    RecordedSettings, RecordedTarget, TableCheckpoint, TableIdentity, TargetLocation,
};
use super::options::{CopyOptions, CopyPolicy};
use super::plan::{CopyPlan, TableLocation, TargetState};
use super::resume::{CopyIdentity, Recorded};
use super::settings::SourceSettings;
use super::table::{SETUP_ATTEMPTS, TableClient, TableKey, defined_type, index_keys};
use crate::error::{Error, ErrorKind};

/// The default number of segments: twice the readers, so that none is idle for long when another
/// one has a large segment.
const SEGMENTS: u32 = 8;

/// Everything that a copy needs to begin.
pub(super) struct Prepared {
    pub(super) source: TableClient,
    pub(super) target: TableClient,
    pub(super) source_table: TableDescription,
    /// Read only if the target is going to be created.
    pub(super) source_settings: Option<SourceSettings>,
    pub(super) key: TableKey,
    pub(super) index_keys: Vec<AttributeDefinition>,
    pub(super) checkpoint: TableCheckpoint,
    /// The number of the table in the checkpoint, if the copy is resumed.
    pub(super) resumed: Option<usize>,
    /// Whether the target must not have items of other programs, and nothing proves that it has none.
    pub(super) must_be_empty: bool,
    /// Whether the target has items that may not be this copy's.
    pub(super) has_doubtful_items: bool,
    pub(super) plan: CopyPlan,
}

/// What a copy may resume from.
#[derive(Clone, Copy, Default)]
pub(super) struct Resumption<'a> {
    /// Whether this run records its progress. The checkpoint of `copy_tables` is not among the
    /// options of a table.
    pub(super) has_checkpoint: bool,
    pub(super) recorded: Option<&'a Recorded<'a>>,
}

pub(super) async fn prepare(
    source: &TableClient,
    target: &TableClient,
    options: &CopyOptions,
    resumption: Resumption<'_>,
) -> Result<Prepared, Error> {
    check_options(source, options, resumption.has_checkpoint)?;
    let found = Found::read(source, target, options).await?;
    let settings = RecordedSettings::of(options);
    let resumed = match resumption.recorded {
        Some(recorded) => recorded.find(source, &found.identity(&settings), options)?,
        None => None,
    };
    let is_half_created =
        resumed.is_some_and(|(_, earlier)| earlier.target == RecordedTarget::Creating);
    if let Some(target_table) = &found.target_table {
        check_target(&found.source_table, target, target_table, is_half_created).await?;
    }
    let checkpoint = match resumed {
        Some((_, earlier)) => earlier.clone(),
        None => found.first_checkpoint(settings, options),
    };
    // A written item in the checkpoint proves that the target was empty when the copy began. Less
    // than that proves nothing: a run that was refused or killed early leaves a checkpoint too.
    let must_be_empty = options.policy == CopyPolicy::FailIfNotEmpty
        && checkpoint.written() == 0
        && !checkpoint.is_done;
    // Only where it matters: the scan may read many empty pages before it finds an item.
    let has_items = must_be_empty && found.has_items().await?;
    // Without the record of a write, no item can be this copy's. With it, the items are compared one by one.
    if has_items && !checkpoint.is_writing {
        return Err(not_empty(target));
    }
    let target_state = match (&found.target_table, is_half_created) {
        (None, false) => TargetState::Missing,
        // Even without a table: the checkpoint records the creation before CreateTable is sent.
        (_, true) => TargetState::HalfCreated,
        (Some(_), false) => TargetState::Existing,
    };
    let source_settings = match target_state {
        TargetState::Existing => None,
        _ => Some(SourceSettings::read(source, &found.source_table).await),
    };
    let planned = source_settings.as_ref();
    let planned =
        planned.map(|settings| settings.plan(&found.source_table, &options.copy_settings));
    let plan = CopyPlan {
        target_state,
        resumed_items: resumed.map(|(_, earlier)| earlier.stored()),
        // A resumed copy keeps its number: a recorded position belongs to a segment of that division.
        segments: checkpoint.segment_count(),
        settings: planned.unwrap_or_default(),
        source: found.source_location(),
        target: found.target_location(),
        expected_items: counted(found.source_table.item_count),
        expected_bytes: counted(found.source_table.table_size_bytes),
    };
    let Some(key) = TableKey::of(&found.source_table) else {
        return Err(source.error(
            ErrorKind::Service,
            "DynamoDB described the table without its key: check the endpoint",
        ));
    };
    Ok(Prepared {
        source: source.clone(),
        target: target.clone(),
        // A target that the copy creates gets the indexes of the source.
        index_keys: index_keys(found.target_table.as_ref().unwrap_or(&found.source_table)),
        resumed: resumed.map(|(number, _)| number),
        source_table: found.source_table,
        source_settings,
        key,
        checkpoint,
        must_be_empty,
        has_doubtful_items: has_items,
        plan,
    })
}

/// The two tables, as they are before anything is written.
struct Found<'a> {
    source: &'a TableClient,
    target: &'a TableClient,
    source_account: String,
    location: TargetLocation,
    source_table: TableDescription,
    target_table: Option<TableDescription>,
}

impl<'a> Found<'a> {
    async fn read(
        source: &'a TableClient,
        target: &'a TableClient,
        options: &CopyOptions,
    ) -> Result<Self, Error> {
        // Before the tables are looked at: an expected account that a manager does not reach is an error here.
        let (source_account, target_account) = (source.account().await?, target.account().await?);
        let Some(source_table) = source.describe().await? else {
            return Err(source.error(
                ErrorKind::TableNotFound,
                "the source table does not exist in this account and region: check its name \
                 and the manager",
            ));
        };
        let target_table = target.describe().await?;
        if target_table.is_none() && !options.create_target {
            return Err(target.error(
                ErrorKind::TableNotFound,
                "the target table does not exist in this account and region: create it, or let \
                 the copy do so with create_target(true)",
            ));
        }
        check_active(source, &source_table)?;
        let location = TargetLocation {
            table: target.table.clone(),
            account: target_account,
            region: target.region(),
        };
        Ok(Self {
            source,
            target,
            source_account,
            location,
            source_table,
            target_table,
        })
    }

    fn identity<'b>(&'b self, settings: &'b RecordedSettings) -> CopyIdentity<'b> {
        CopyIdentity {
            source_table: &self.source_table,
            location: &self.location,
            target_table: self.target_table.as_ref(),
            settings,
        }
    }

    /// Returns the checkpoint of a copy that no earlier run has begun.
    fn first_checkpoint(
        &self,
        settings: RecordedSettings,
        options: &CopyOptions,
    ) -> TableCheckpoint {
        TableCheckpoint::new(
            TableIdentity::of(&self.source_table),
            self.location.clone(),
            match &self.target_table {
                Some(table) => RecordedTarget::Existing(TableIdentity::of(table)),
                None => RecordedTarget::Creating,
            },
            settings,
            options.segments.unwrap_or(SEGMENTS),
        )
    }

    /// Returns `true` if the target has items.
    async fn has_items(&self) -> Result<bool, Error> {
        match &self.target_table {
            // A table that is still being created has no items, and DynamoDB refuses to scan it.
            Some(table) if !is_being_created(table) => self.target.has_items(SETUP_ATTEMPTS).await,
            _ => Ok(false),
        }
    }

    fn source_location(&self) -> TableLocation {
        let arn = self.source_table.table_arn.clone();
        table_location(self.source, self.source_account.clone(), arn)
    }

    fn target_location(&self) -> TableLocation {
        let table = self.target_table.as_ref();
        let arn = table.and_then(|table| table.table_arn.clone());
        table_location(self.target, self.location.account.clone(), arn)
    }
}

/// Returns a count of DescribeTable; `None` for 0, which DynamoDB says until it has counted the items of a new
/// table.
pub(crate) fn counted(count: Option<i64>) -> Option<u64> {
    count.and_then(|n| u64::try_from(n).ok()).filter(|&n| n > 0)
}

pub(crate) fn table_location(
    table: &TableClient,
    account: String,
    arn: Option<String>,
) -> TableLocation {
    TableLocation {
        table: table.table.clone(),
        account,
        region: table.region(),
        manager: table.manager().to_string(),
        arn,
    }
}

pub(super) fn not_empty(target: &TableClient) -> Error {
    target.error(
        ErrorKind::TableNotEmpty,
        "the target table has items already: choose with policy() what to do about them",
    )
}

/// Refuses settings that do not go together.
fn check_options(
    source: &TableClient,
    options: &CopyOptions,
    has_checkpoint: bool,
) -> Result<(), Error> {
    let cannot = options.copy_settings.iter().find(|it| !it.is_copyable());
    if let Some(setting) = cannot {
        let message =
            format!("copy_settings() cannot copy the {setting}: set it on the new table yourself");
        return Err(source.error(ErrorKind::InvalidRequest, message));
    }
    let has_closure = options.filter.is_some() || options.transform.is_some();
    // An empty name is what every version of a closure would have: it proves nothing.
    let fingerprint = options.fingerprint.as_deref().map(str::trim);
    let has_fingerprint = fingerprint.is_some_and(|name| !name.is_empty());
    if has_checkpoint && has_closure && !has_fingerprint {
        return Err(source.error(
            ErrorKind::Checkpoint,
            "a copy with a filter or a transform cannot be resumed without a fingerprint: name them \
             with fingerprint(), and change the name whenever you change them",
        ));
    }
    Ok(())
}

/// Refuses a target that the items cannot be copied to.
async fn check_target(
    source_table: &TableDescription,
    target: &TableClient,
    target_table: &TableDescription,
    is_half_created: bool,
) -> Result<(), Error> {
    // The creation waits for a table that an earlier run has begun to create.
    let is_being_created = is_half_created && is_being_created(target_table);
    if !is_being_created {
        check_active(target, target_table)?;
    }
    // The ARN names account and region, so two managers cannot hide that they lead to one table.
    if target_table.table_arn == source_table.table_arn {
        return Err(target.error(
            ErrorKind::SameTable,
            "the target table is the source table: check the two managers, or give \
             another name with target_table()",
        ));
    }
    check_keys(target, source_table, target_table)?;
    // A table that is being created cannot be scanned. The creation checks it once it is active.
    if is_half_created && !is_being_created {
        check_new_table_is_empty(target).await?;
    }
    Ok(())
}

pub(crate) fn check_active(
    table: &TableClient,
    description: &TableDescription,
) -> Result<(), Error> {
    // A table whose capacity or indexes are being changed can be read and written.
    let is_usable = [TableStatus::Active, TableStatus::Updating];
    if description
        .table_status
        .as_ref()
        .is_some_and(|status| is_usable.contains(status))
    {
        return Ok(());
    }
    Err(table.error(
        ErrorKind::TableInUse,
        "the table is being created, changed or deleted: try again when it is active",
    ))
}

fn is_being_created(table: &TableDescription) -> bool {
    table.table_status == Some(TableStatus::Creating)
}

/// Refuses a new table with items: the copy writes none before the creation is finished, so they are
/// another program's.
pub(super) async fn check_new_table_is_empty(target: &TableClient) -> Result<(), Error> {
    if !target.has_items(SETUP_ATTEMPTS).await? {
        return Ok(());
    }
    Err(target.error(
        ErrorKind::TableNotEmpty,
        "this copy was creating the table, and another program has written items to it: delete the \
         checkpoint if there is one, and choose with policy() what to do about them",
    ))
}

/// Refuses a target with another key, or with an index that the source's items cannot be in.
pub(crate) fn check_keys(
    target: &TableClient,
    source_table: &TableDescription,
    target_table: &TableDescription,
) -> Result<(), Error> {
    let refuse = |message: String| Err(target.error(ErrorKind::TableMismatch, message));
    let key = |table: &TableDescription| {
        let elements = table.key_schema().iter();
        let types = elements.map(|element| {
            let name = element.attribute_name().to_owned();
            let key_type = defined_type(table, &name).cloned();
            (element.key_type().clone(), name, key_type)
        });
        types.collect::<Vec<_>>()
    };
    if key(source_table) != key(target_table) {
        return refuse(
            "the target table has another key than the source table: compare the DescribeTable output of both"
                .into(),
        );
    }
    for wanted in index_keys(target_table) {
        let name = wanted.attribute_name();
        match defined_type(source_table, name) {
            Some(actual) if actual != wanted.attribute_type() => {
                return refuse(format!(
                    "an index of the target table has the key `{name}` of the type {}, and in the source \
                     table it is {actual}",
                    wanted.attribute_type()
                ));
            }
            // The source need not define the attribute: each item is checked when it is copied.
            _ => {}
        }
    }
    Ok(())
}

//! Ending a migration before it is done.

use super::checkpoint::{self, Checkpoint};
use super::jobs::{find_import, imported_table};
use super::load_method::LoadMethod;
use super::options::MigrateRequest;
use super::preflight::{check_recorded, open};
use super::source::turn_off;
use super::state::{MigrationState, RecordedSettings, Step};
use crate::copy::checkpoint::{TableIdentity, TargetLocation};
use crate::copy::{TableClient, check_active};
use crate::error::{Error, ErrorKind};

/// What the end of a migration has left; see [`MigrateTable::abort`](crate::MigrateTable::abort).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AbortedMigration {
    /// Whether the target was deleted: the migration had created it, and not yet brought every write.
    pub deleted_target: bool,
    /// The bucket that still has the exported files.
    pub bucket: String,
    /// The beginning of the keys of these files.
    pub prefix: String,
}

pub(super) async fn abort(request: MigrateRequest) -> Result<AbortedMigration, Error> {
    let (source, target) = open(&request).await?;
    let no_checkpoint = |which: String| {
        let message = format!("there is no migration to abort: {which}");
        source.error(ErrorKind::Checkpoint, message)
    };
    let path = request.options.checkpoint.as_ref();
    let path = path.ok_or_else(|| no_checkpoint("name its checkpoint".to_owned()))?;
    let checkpoint = Checkpoint::lock(path, &source).await?;
    let state = checkpoint::read(checkpoint.path(), &source).await?;
    let state = state
        .ok_or_else(|| no_checkpoint(format!("no checkpoint was found at {}", path.display())))?;
    let location = TargetLocation {
        table: target.table.clone(),
        account: target.account().await?,
        region: target.region(),
    };
    let source_account = source.account().await?;
    let owner = request
        .options
        .bucket_owner
        .as_deref()
        .unwrap_or(&source_account);
    let settings = RecordedSettings::of(&request.options, owner);
    // A source that is gone has no settings to restore, and must not keep the target from being deleted.
    if let Some(table) = source.describe().await? {
        check_recorded(&source, &table, &location, &settings, &state)?;
    }
    let deleted_target = match state.step {
        // The pause has ended: the target has every write, and the writers may have moved to it.
        Step::Finishing {} => false,
        _ => delete_target(&target, &state).await?,
    };
    turn_off(&source, state.turned_on).await?;
    // Removed last: an abort that is interrupted before can be repeated.
    checkpoint.remove().await?;
    let prefix = match &*state.settings.prefix {
        "" => "AWSDynamoDB/".to_owned(),
        prefix => format!("{prefix}/AWSDynamoDB/"),
    };
    Ok(AbortedMigration {
        deleted_target,
        bucket: state.settings.bucket,
        prefix,
    })
}

/// Deletes the table that the migration has created, if it is still that one; returns `true` if so.
pub(super) async fn delete_target(
    target: &TableClient,
    state: &MigrationState,
) -> Result<bool, Error> {
    if state.load_method == LoadMethod::ExistingTable {
        return Ok(false);
    }
    let Some(table) = target.describe().await? else {
        return Ok(false);
    };
    let ours = match (&state.target, &state.step) {
        (Some(ours), _) => Some(ours.clone()),
        // A run was killed while it started an import.
        (None, Step::Importing { import, .. }) => {
            let arn = table.table_arn.as_deref().unwrap_or_default();
            let import = find_import(target, arn, &import.token).await?;
            import.as_ref().map(imported_table)
        }
        // A table that was created meanwhile may be another program's.
        (None, _) => None,
    };
    let Some(ours) = ours else {
        return Ok(false);
    };
    // Without an id on both sides, it may be another table of the same name.
    let found = TableIdentity::of(&table);
    if found.id.is_none() || found != ours {
        return Ok(false);
    }
    // DynamoDB refuses to delete a table that an import is still creating.
    check_active(target, &table)?;
    let deleted = target.set_up(|| async {
        let deleted = target
            .client
            .delete_table()
            .table_name(&target.table)
            .send()
            .await;
        deleted.map_err(|error| target.failed("DeleteTable", error))
    });
    match deleted.await {
        // The response to an earlier attempt was lost.
        Err(error) if error.is_table_not_found() => {}
        deleted => drop(deleted?),
    }
    crate::copy::until_deleted(target).await?;
    Ok(true)
}

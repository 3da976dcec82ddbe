//! Point-in-time recovery: UpdateContinuousBackups and DescribeContinuousBackups.

use dynoxide::Database;
use serde_json::{Value, json};

use super::engine::{execute, to_bytes, validation_error};
use super::table_state::{AccountRegion, TableStates};
use crate::clock::Clock;
use crate::response::ErrorResponse;

/// How far the latest restorable time is behind, in seconds: AWS documents "typically five minutes".
const LAG: u64 = 5 * 60;

/// The recovery period in days, unless a request sets it.
const DEFAULT_DAYS: u64 = 35;

/// Point-in-time recovery that is on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recovery {
    /// When it was turned on, in seconds since the Unix epoch.
    since: u64,
    days: u64,
}

impl Recovery {
    /// Returns the earliest and the latest restorable time, in seconds since the Unix epoch.
    pub(super) fn window(&self, now: u64) -> (u64, u64) {
        let earliest = self.since.max(now.saturating_sub(self.days * 86_400));
        (earliest, now.saturating_sub(LAG).max(earliest))
    }
}

/// Performs UpdateContinuousBackups or DescribeContinuousBackups.
pub(super) fn perform(
    states: &TableStates,
    database: &Database,
    location: &AccountRegion,
    clock: &Clock,
    operation: &str,
    body: &[u8],
) -> Result<Vec<u8>, ErrorResponse> {
    let request: Value =
        serde_json::from_slice(body).map_err(|error| validation_error(error.to_string()))?;
    let table = request["TableName"].as_str().unwrap_or_default();
    check_exists(database, table)?;
    let state = states.of(location, table);
    // Held over the change of the engine's stream, so that both are changed together.
    let mut state = state.lock();
    let now = clock.unix_seconds();
    if operation == "UpdateContinuousBackups" {
        let specification = &request["PointInTimeRecoverySpecification"];
        let days = specification["RecoveryPeriodInDays"].as_u64();
        if days.is_some_and(|days| !(1..=DEFAULT_DAYS).contains(&days)) {
            return Err(validation_error("RecoveryPeriodInDays is between 1 and 35"));
        }
        let recovery = match specification["PointInTimeRecoveryEnabled"].as_bool() {
            Some(true) => Some(Recovery {
                // A second request changes the days, and keeps what can be restored already.
                since: state.recovery.map_or(now, |recovery| recovery.since),
                days: days.unwrap_or(DEFAULT_DAYS),
            }),
            Some(false) => None,
            None => return Err(validation_error("PointInTimeRecoveryEnabled is required")),
        };
        state.set_recovery(database, table, recovery)?;
    }
    let description = match state.recovery {
        Some(recovery) => {
            let (earliest, latest) = recovery.window(now);
            json!({
                "PointInTimeRecoveryStatus": "ENABLED",
                "RecoveryPeriodInDays": recovery.days,
                "EarliestRestorableDateTime": earliest,
                "LatestRestorableDateTime": latest,
            })
        }
        None => json!({ "PointInTimeRecoveryStatus": "DISABLED" }),
    };
    Ok(to_bytes(&json!({ "ContinuousBackupsDescription": {
        "ContinuousBackupsStatus": "ENABLED",
        "PointInTimeRecoveryDescription": description,
    } })))
}

/// Rejects a table that does not exist, with the code that backups and exports use.
pub(super) fn check_exists(database: &Database, table: &str) -> Result<(), ErrorResponse> {
    let request = to_bytes(&json!({ "TableName": table }));
    execute(database, "DescribeTable", &request)
        .map(drop)
        .map_err(|error| match &*error.code {
            "ResourceNotFoundException" => {
                let message = format!("Table not found: {table}");
                ErrorResponse::new(400, "TableNotFoundException", message)
            }
            _ => error,
        })
}

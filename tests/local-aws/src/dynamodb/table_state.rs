//! What this front adds to the tables of the engine: streams as clients see them, point-in-time
//! recovery, and imports.
//!
//! The engine's own stream is on, with both images, as long as a client's stream or point-in-time
//! recovery needs its records. Clients see neither that stream nor its view type.

use std::collections::HashMap;
use std::sync::Arc;

use dynoxide::Database;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::backups::Recovery;
use super::change_log::ChangeLog;
use super::engine::{execute, to_bytes, validation_error};
use super::index_updates::{self, IndexKey};
use super::reads;
use super::streams::Stream;
use super::table_settings;
use crate::clock::Clock;
use crate::response::ErrorResponse;

/// The view type of the engine's stream: the images that any client may ask for.
const BOTH_IMAGES: &str = "NEW_AND_OLD_IMAGES";

/// What the description in the response to DeleteTable does not have.
const OF_EXISTING_TABLES: [&str; 5] = [
    "AttributeDefinitions",
    "CreationDateTime",
    "GlobalSecondaryIndexes",
    "KeySchema",
    "LocalSecondaryIndexes",
];

/// An account and a region.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct AccountRegion {
    pub(super) account: String,
    pub(super) region: String,
}

/// The states of all tables that have one.
#[derive(Clone, Debug, Default)]
pub(super) struct TableStates(Arc<Mutex<HashMap<(AccountRegion, String), SharedState>>>);

pub(super) type SharedState = Arc<Mutex<TableState>>;

#[derive(Debug, Default)]
pub(super) struct TableState {
    pub(super) recovery: Option<Recovery>,
    pub(super) stream: Option<Stream>,
    /// The streams that were turned off, whose records can be read for a day.
    pub(super) ended_streams: Vec<Stream>,
    pub(super) changes: ChangeLog,
    /// The keys of indexes that have items which do not belong to them.
    indexes_with_misfits: HashMap<String, Vec<IndexKey>>,
    /// The import that creates the table.
    #[cfg(feature = "s3")]
    pub(super) import: Option<Arc<super::transfer::Job>>,
}

impl TableStates {
    /// Returns the state of a table. A new one is empty.
    pub(super) fn of(&self, location: &AccountRegion, table: &str) -> SharedState {
        let key = (location.clone(), table.to_owned());
        Arc::clone(self.0.lock().entry(key).or_default())
    }

    /// Returns the tables of an account and region that have a state, sorted by name.
    pub(super) fn all(&self, location: &AccountRegion) -> Vec<(String, SharedState)> {
        let states = self.0.lock();
        let own = states.iter().filter(|((other, _), _)| other == location);
        let mut own: Vec<_> = own
            .map(|((_, table), state)| (table.clone(), Arc::clone(state)))
            .collect();
        own.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        own
    }

    /// Returns `true` while an import is creating a table.
    pub(super) fn is_importing(
        &self,
        location: &AccountRegion,
        table: &str,
        clock: &Clock,
    ) -> bool {
        // The map is unlocked before the state is locked: DeleteTable locks them in the other
        // order.
        let state = self
            .0
            .lock()
            .get(&(location.clone(), table.to_owned()))
            .cloned();
        state.is_some_and(|state| state.lock().is_importing(clock))
    }

    /// Performs a Query or Scan.
    pub(super) fn read(
        &self,
        database: &Database,
        location: &AccountRegion,
        operation: &str,
        body: &[u8],
    ) -> Result<Vec<u8>, ErrorResponse> {
        let keys = self.keys_of_misfits(location, body);
        reads::perform(database, operation, body, keys.as_deref())
    }

    fn keys_of_misfits(&self, location: &AccountRegion, body: &[u8]) -> Option<Vec<IndexKey>> {
        let request: Value = serde_json::from_slice(body).ok()?;
        let index = request["IndexName"].as_str()?;
        let table = request["TableName"].as_str()?.to_owned();
        let state = self.0.lock().get(&(location.clone(), table)).cloned()?;
        let state = state.lock();
        state.indexes_with_misfits.get(index).cloned()
    }

    fn remove(&self, location: &AccountRegion, table: &str) {
        self.0.lock().remove(&(location.clone(), table.to_owned()));
    }

    /// Performs CreateTable, DescribeTable, UpdateTable or DeleteTable.
    pub(super) fn perform(
        &self,
        database: &Database,
        location: &AccountRegion,
        clock: &Clock,
        operation: &str,
        body: &[u8],
    ) -> Result<Vec<u8>, ErrorResponse> {
        let request = serde_json::from_slice::<Value>(body).ok();
        let name = request.as_ref().and_then(|it| it["TableName"].as_str());
        let (Some(mut request), Some(name)) = (request.clone(), name) else {
            return execute(database, operation, body);
        };
        if matches!(operation, "CreateTable" | "UpdateTable") {
            table_settings::check_table(&request)?;
        }
        match operation {
            "CreateTable" => table_settings::check_billing_mode(&request)?,
            "UpdateTable" => index_updates::check(database, &request)?,
            _ => {}
        }
        let state = self.of(location, name);
        // Held until the response, so that the engine's stream and this state change together.
        let mut state = state.lock();
        let wanted = StreamChange::in_request(&request);
        if operation == "UpdateTable" {
            state.check_stream_change(wanted.as_ref(), name)?;
        }
        if matches!(wanted, Some(StreamChange::Off)) {
            // The engine forgets the changes of a stream that is turned off.
            state.changes.refresh(database, name)?;
        }
        let response = match state.to_engine(operation, wanted.as_ref(), &mut request) {
            true => execute(database, operation, &to_bytes(&request))?,
            // The stream was all that was to change, and the engine's stream stays as it is.
            false => {
                let described = execute(database, "DescribeTable", &to_bytes(&request))?;
                let mut described: Value = serde_json::from_slice(&described).unwrap_or_default();
                to_bytes(&json!({ "TableDescription": described["Table"].take() }))
            }
        };
        match operation {
            "CreateTable" => *state = TableState::default(),
            "DeleteTable" => self.remove(location, name),
            "UpdateTable" => {
                for name in index_updates::names(&request) {
                    state.indexes_with_misfits.remove(name);
                }
                let created = index_updates::created_with_misfits(database, &request);
                state.indexes_with_misfits.extend(created);
            }
            _ => {}
        }
        match wanted {
            Some(StreamChange::On(view_type)) => {
                // What the recovery has recorded so far is not part of the new stream.
                state.changes.refresh(database, name)?;
                let after = state.changes.last();
                state.stream = Some(Stream::new(clock, view_type, after));
            }
            Some(StreamChange::Off) => {
                let last = state.changes.last();
                let ended = state.stream.take().map(|stream| stream.ended(clock, last));
                state.ended_streams.extend(ended);
            }
            None => {}
        }
        Ok(state.to_client(location, clock, name, operation, &response))
    }
}

impl TableState {
    /// Turns the engine's stream on or off, as the client's stream and the recovery need it.
    pub(super) fn set_recovery(
        &mut self,
        database: &Database,
        table: &str,
        recovery: Option<Recovery>,
    ) -> Result<(), ErrorResponse> {
        let before = self.records_changes();
        self.recovery = recovery;
        if self.records_changes() == before {
            return Ok(());
        }
        let specification = match before {
            false => json!({ "StreamEnabled": true, "StreamViewType": BOTH_IMAGES }),
            true => json!({ "StreamEnabled": false }),
        };
        let request = json!({ "TableName": table, "StreamSpecification": specification });
        execute(database, "UpdateTable", &to_bytes(&request)).map(drop)
    }

    fn records_changes(&self) -> bool {
        self.recovery.is_some() || self.stream.is_some()
    }

    fn check_stream_change(
        &self,
        wanted: Option<&StreamChange>,
        table: &str,
    ) -> Result<(), ErrorResponse> {
        let problem = match (wanted, &self.stream) {
            (Some(StreamChange::On(_)), Some(_)) => "Table already has an enabled stream",
            (Some(StreamChange::Off), None) => "Table does not have a stream to disable",
            _ => return Ok(()),
        };
        Err(validation_error(format!("{problem}: TableName: {table}")))
    }

    /// Changes a request so that the engine records what is needed. Returns `false` if there is
    /// nothing left that the engine could do.
    fn to_engine(
        &self,
        operation: &str,
        wanted: Option<&StreamChange>,
        request: &mut Value,
    ) -> bool {
        match wanted {
            Some(_) if operation == "UpdateTable" && self.recovery.is_some() => {
                if let Value::Object(members) = request {
                    members.remove("StreamSpecification");
                    // TableName is always left.
                    return members.len() > 1;
                }
            }
            Some(StreamChange::On(_)) => {
                // A recovery that is turned on later needs both images, whatever the client asked
                // for.
                request["StreamSpecification"]["StreamViewType"] = BOTH_IMAGES.into();
            }
            _ => {}
        }
        true
    }

    /// Replaces the engine's stream in a response by the client's, and describes the table as DynamoDB does.
    fn to_client(
        &self,
        location: &AccountRegion,
        clock: &Clock,
        table: &str,
        operation: &str,
        response: &[u8],
    ) -> Vec<u8> {
        let Ok(mut response) = serde_json::from_slice::<Value>(response) else {
            return response.to_vec();
        };
        let name = ["Table", "TableDescription"];
        let name = name.into_iter().find(|name| response.get(name).is_some());
        if let Some(Value::Object(description)) = name.map(|name| &mut response[name]) {
            for member in [
                "StreamSpecification",
                "LatestStreamArn",
                "LatestStreamLabel",
            ] {
                description.remove(member);
            }
            if let Some(stream) = &self.stream {
                description.insert("StreamSpecification".into(), stream.specification());
                description.insert("LatestStreamArn".into(), stream.arn(location, table).into());
                description.insert("LatestStreamLabel".into(), stream.label.clone().into());
            }
            let created = description.get("CreationDateTime").cloned();
            if let Some(Value::Object(billing)) = description.get_mut("BillingModeSummary")
                && let Some(created) = created
                && billing.get("BillingMode") == Some(&"PAY_PER_REQUEST".into())
            {
                billing
                    .entry("LastUpdateToPayPerRequestDateTime")
                    .or_insert(created);
            }
            if operation == "DeleteTable" {
                OF_EXISTING_TABLES.iter().for_each(|name| {
                    description.remove(*name);
                });
            }
            if self.is_importing(clock) {
                description.insert("TableStatus".into(), "CREATING".into());
            }
        }
        to_bytes(&response)
    }

    /// Returns `true` while an import is creating the table.
    #[cfg(feature = "s3")]
    pub(super) fn is_importing(&self, clock: &Clock) -> bool {
        self.import.as_ref().is_some_and(|job| !job.is_done(clock))
    }

    #[cfg(not(feature = "s3"))]
    #[expect(clippy::unused_self, reason = "without S3 there are no imports")]
    pub(super) fn is_importing(&self, _: &Clock) -> bool {
        false
    }
}

/// What a request does with the client's stream.
#[derive(Debug)]
enum StreamChange {
    On(String),
    Off,
}

impl StreamChange {
    fn in_request(request: &Value) -> Option<Self> {
        let specification = request.get("StreamSpecification")?;
        match specification.get("StreamEnabled")?.as_bool()? {
            true => {
                let view_type = specification["StreamViewType"].as_str();
                Some(Self::On(view_type.unwrap_or(BOTH_IMAGES).to_owned()))
            }
            false => Some(Self::Off),
        }
    }
}

//! The handle to a running local AWS, and its builder.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::accounts::Account;
use crate::clock::Clock;
use crate::directory::Directory;
use crate::dynamodb::Databases;
use crate::error::Error;
use crate::exchange::World;
use crate::faults::Faults;
use crate::layout::Layout;
use crate::profiles::{self, Profile};
use crate::record::{Call, Record};
use crate::server::Server;
use crate::session::Session;
use crate::standard;

/// A running local AWS. Dropping it stops the server and forgets everything.
///
/// It has a thread and a runtime of its own, so it may be made in one `#[tokio::test]` and used
/// from another, or from code that is not async.
pub struct LocalAws {
    world: Arc<World>,
    profiles: Vec<Profile>,
    accounts: Vec<Account>,
    endpoint_url: String,
    _server: Server,
}

/// Describes a local AWS before it is started.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct LocalAwsBuilder {
    accounts: Vec<Account>,
    profiles: Vec<Profile>,
    session_name: Option<String>,
    clock: Clock,
    port: u16,
}

impl LocalAws {
    /// Starts the standard local AWS: three accounts, of which the first has a user that may
    /// assume a role in each of the others. See [`standard`].
    ///
    /// # Errors
    ///
    /// If the server cannot listen.
    pub async fn start() -> Result<Self, Error> {
        Self::standard().start().await
    }

    /// Describes the standard local AWS, to be changed before it is started.
    pub fn standard() -> LocalAwsBuilder {
        Self::builder().layout(standard::layout())
    }

    /// Describes a local AWS of your own.
    pub fn builder() -> LocalAwsBuilder {
        LocalAwsBuilder::default()
    }

    /// Returns the endpoint of every service, `http://127.0.0.1:PORT`.
    pub fn endpoint_url(&self) -> &str {
        &self.endpoint_url
    }

    /// Returns the server's clock.
    pub fn clock(&self) -> Clock {
        self.world.clock.clone()
    }

    /// Returns the calls that reached the server, oldest first; the last 200,000 of them.
    pub fn calls(&self) -> Vec<Call> {
        self.world.record.calls()
    }

    /// Counts the calls of an operation that reached the server, whatever came of them:
    /// `aws.call_count("sts", "AssumeRole")`.
    pub fn call_count(&self, service: &str, operation: &str) -> usize {
        self.world.record.count(service, operation)
    }

    /// Forgets the calls so far.
    pub fn clear_calls(&self) {
        self.world.record.clear();
    }

    /// Returns the temporary credentials that STS issued, oldest first.
    pub fn sessions(&self) -> Vec<Session> {
        self.world.directory.sessions()
    }

    /// Returns the faults, to add some.
    pub fn faults(&self) -> &Faults {
        &self.world.faults
    }

    /// Returns the items of a table as they are stored, in no particular order and in DynamoDB's
    /// JSON (`{"id": {"S": "1"}}`); `None` if there is no such table.
    pub fn table_items(&self, account: &str, region: &str, table: &str) -> Option<Vec<Value>> {
        self.world.databases.items(account, region, table)
    }

    /// Returns the names of the tables in an account and region, in order.
    pub fn tables(&self, account: &str, region: &str) -> Vec<String> {
        self.world.databases.tables(account, region)
    }

    /// Deletes the items whose time to live has passed, as DynamoDB does in its own time, and
    /// returns how many there were.
    pub fn sweep_expired_items(&self) -> usize {
        self.world.databases.sweep_expired_items()
    }

    /// Writes a ready `~/.aws` pair, `config` and `credentials`, into a directory, which is made
    /// if it is not there.
    ///
    /// Every profile names the server as its endpoint, so that plain clients reach it.
    ///
    /// # Errors
    ///
    /// If the files cannot be written, or there are some that were not written by this, or a
    /// profile names a user that has no access key.
    pub fn write_profiles(&self, directory: impl AsRef<Path>) -> Result<(), Error> {
        profiles::write(
            directory.as_ref(),
            &self.profiles,
            &self.accounts,
            &self.endpoint_url,
        )
    }
}

impl fmt::Debug for LocalAws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalAws")
            .field("endpoint_url", &self.endpoint_url)
            .finish_non_exhaustive()
    }
}

impl LocalAwsBuilder {
    /// Adds an account.
    pub fn account(mut self, account: Account) -> Self {
        self.accounts.push(account);
        self
    }

    /// Adds a profile for [`LocalAws::write_profiles`].
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profiles.push(profile);
        self
    }

    /// Adds the accounts and profiles of a layout.
    pub fn layout(mut self, layout: Layout) -> Self {
        self.accounts.extend(layout.accounts);
        self.profiles.extend(layout.profiles);
        self
    }

    /// Gives every profile that assumes a role, and has no session name, this one.
    ///
    /// The AWS CLI keeps role sessions in `~/.aws/cli/cache` and knows them again by role and
    /// session name, also when the server that issued them is gone. A new name for every server
    /// keeps it from trying.
    pub fn session_name(mut self, name: impl Into<String>) -> Self {
        self.session_name = Some(name.into());
        self
    }

    /// Sets the clock; by default one that starts at the real time.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the port; by default any free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Starts the server. It answers as soon as this returns.
    ///
    /// # Errors
    ///
    /// If the accounts contradict each other, or the server cannot listen.
    pub async fn start(self) -> Result<LocalAws, Error> {
        self.start_now()
    }

    /// Does what [`start`](Self::start) does, for callers that are not async.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_now(mut self) -> Result<LocalAws, Error> {
        if let Some(name) = &self.session_name {
            self.profiles
                .iter_mut()
                .for_each(|profile| profile.default_session_name(name));
        }
        let world = Arc::new(World {
            directory: Directory::new(&self.accounts)?,
            databases: Databases::new(self.clock.clone()),
            clock: self.clock,
            faults: Faults::default(),
            record: Record::default(),
        });
        let server = Server::start(self.port, Arc::clone(&world))?;
        Ok(LocalAws {
            world,
            profiles: self.profiles,
            accounts: self.accounts,
            endpoint_url: format!("http://{}", server.address()),
            _server: server,
        })
    }
}

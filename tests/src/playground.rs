//! A local AWS with its profile files, and managers that read nothing else.
//!
//! The tests of bsm-core include this file by its path, so that they don't compile bsm-dynamodb.

use std::path::Path;

use bsm_core::{BotoSesManager, Builder};
use bsm_local_aws::{Call, LocalAws, LocalAwsBuilder, standard};
use tempfile::TempDir;

/// A local AWS, and managers of its profiles that ignore the environment of the process.
pub struct Playground {
    /// The local AWS.
    pub aws: LocalAws,
    dir: TempDir,
}

impl Playground {
    /// Starts a local AWS with the standard layout.
    pub async fn start() -> Self {
        Self::with(LocalAws::standard()).await
    }

    /// Starts a local AWS.
    pub async fn with(builder: LocalAwsBuilder) -> Self {
        Self::of(builder.start().await.expect("a local AWS starts"))
    }

    /// Writes the profile files of a local AWS into a temporary directory.
    pub fn of(aws: LocalAws) -> Self {
        let dir = TempDir::new().expect("a temporary directory can be created");
        aws.write_profiles(dir.path())
            .expect("profile files can be written");
        Self { aws, dir }
    }

    /// Returns the directory that contains `config` and `credentials`.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Returns a builder of managers that read the playground's profiles.
    pub fn builder(&self) -> Builder {
        builder(self.dir()).time_source(self.aws.clock())
    }

    /// Creates the manager of a profile.
    pub fn profile(&self, name: &str) -> BotoSesManager {
        self.builder().profile_name(name).build()
    }

    /// Returns where the calls of an operation went, in order: account and region.
    pub fn reached(&self, operation: &str) -> Vec<(String, String)> {
        let calls = self.aws.calls().into_iter();
        let reached = calls.filter(|call| call.operation == operation);
        reached
            .map(|call| match call {
                Call {
                    account: Some(account),
                    region: Some(region),
                    ..
                } => (account, region),
                call => panic!("a call without account or region: {call:?}"),
            })
            .collect()
    }

    /// Returns where the calls of an operation went, in order: the account.
    pub fn accounts(&self, operation: &str) -> Vec<String> {
        let reached = self.reached(operation).into_iter();
        reached.map(|(account, _)| account).collect()
    }

    /// Returns the values of the key attribute `id` of a table's items, in order.
    pub fn ids(&self, account: &str, table: &str) -> Vec<String> {
        let items = self.aws.table_items(account, standard::REGION, table);
        let mut ids: Vec<_> = items
            .unwrap_or_default()
            .iter()
            .map(|item| item["id"]["S"].as_str().unwrap_or_default().to_owned())
            .collect();
        ids.sort();
        ids
    }
}

/// Returns a builder of managers that read the profiles in a directory, and no variable of the process.
pub fn builder(dir: &Path) -> Builder {
    BotoSesManager::builder()
        .config_file(dir.join("config"))
        .shared_credentials_file(dir.join("credentials"))
        .environment([])
}

//! A local AWS with its profile files, and managers that use nothing else.

use bsm_core::BotoSesManager;
use bsm_local_aws::{Call, LocalAws, LocalAwsBuilder, standard};
use tempfile::TempDir;

pub(crate) use standard::{
    DEFAULT_ACCOUNT as DEFAULT, PRODUCTION_ACCOUNT as PRODUCTION, STAGING_ACCOUNT as STAGING,
};

pub(crate) struct Local {
    pub(crate) aws: LocalAws,
    directory: TempDir,
}

impl Local {
    pub(crate) async fn start() -> Self {
        Self::with(LocalAws::standard()).await
    }

    pub(crate) async fn with(builder: LocalAwsBuilder) -> Self {
        let aws = builder.start().await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        aws.write_profiles(directory.path()).unwrap();
        Self { aws, directory }
    }

    /// The folder of the profile files.
    pub(crate) fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// A manager of one of the profiles `default`, `staging` and `production`.
    pub(crate) fn manager(&self, profile: &str) -> BotoSesManager {
        self.builder().profile_name(profile).build()
    }

    pub(crate) fn builder(&self) -> bsm_core::Builder {
        BotoSesManager::builder()
            .config_file(self.directory.path().join("config"))
            .shared_credentials_file(self.directory.path().join("credentials"))
            .environment([])
    }

    /// Where the calls of an operation went, in order: account and region.
    pub(crate) fn reached(&self, operation: &str) -> Vec<(String, String)> {
        let calls = self.aws.calls().into_iter();
        calls
            .filter(|call| call.operation == operation)
            .map(
                |Call {
                     account, region, ..
                 }| (account.unwrap(), region.unwrap()),
            )
            .collect()
    }

    /// Where the calls of an operation went, in order: the account.
    pub(crate) fn accounts(&self, operation: &str) -> Vec<String> {
        let reached = self.reached(operation).into_iter();
        reached.map(|(account, _)| account).collect()
    }

    /// The ids of the items of a table, in order.
    pub(crate) fn ids(&self, account: &str, table: &str) -> Vec<String> {
        let items = self.aws.table_items(account, standard::REGION, table);
        let ids = items.unwrap_or_default().into_iter();
        let mut ids: Vec<_> = ids
            .map(|item| item["id"]["S"].as_str().unwrap().to_owned())
            .collect();
        ids.sort();
        ids
    }
}

/// Defines a model of its own for a test: pins are per type and process.
macro_rules! user_model {
    ($name:ident) => {
        #[derive(
            Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, bsm_dynamodb::Model,
        )]
        #[model(table = "users")]
        struct $name {
            #[model(hash_key)]
            id: String,
        }

        impl $name {
            fn new(id: impl Into<String>) -> Self {
                Self { id: id.into() }
            }
        }

        // Not every test makes items.
        const _: fn(String) -> $name = $name::new;
    };
}

pub(crate) use user_model;

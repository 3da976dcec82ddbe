//! The accounts that the example runs in: those of a local AWS, or real ones.

use std::collections::HashSet;
use std::error::Error;

use bsm_core::BotoSesManager;
use bsm_dynamodb::{Model, with_boto_session};
use bsm_local_aws::LocalAws;
use tempfile::TempDir;

/// What the example returns: any error will do.
pub type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str = "usage: quick_start [--real DEFAULT STAGING PRODUCTION]
  --real  run in the accounts of three profiles, instead of a local AWS";

/// One session for each of the three accounts.
pub struct Accounts {
    /// The process default.
    pub default: BotoSesManager,
    /// The account that the model is switched to.
    pub staging: BotoSesManager,
    /// The account that the items are copied to.
    pub production: BotoSesManager,
    /// The server and the folder of its profile files.
    local: Option<(LocalAws, TempDir)>,
}

impl Accounts {
    /// Starts a local AWS, or opens the three profiles behind `--real`.
    ///
    /// # Errors
    ///
    /// The usage, for other arguments; and whatever keeps the local AWS from starting.
    pub async fn from_args(args: impl Iterator<Item = String>) -> Result<Self> {
        let args: Vec<String> = args.collect();
        match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] => Self::local().await,
            ["--real", default, staging, production] => {
                Ok(Self::real([default, staging, production]))
            }
            ["--help"] => {
                println!("{USAGE}");
                std::process::exit(0)
            }
            _ => Err(USAGE.into()),
        }
    }

    async fn local() -> Result<Self> {
        let aws = LocalAws::start().await?;
        let directory = tempfile::tempdir()?;
        aws.write_profiles(&directory)?;
        println!("local AWS with three accounts: {}", aws.endpoint_url());
        let from_profile = |name: &str| {
            BotoSesManager::builder()
                .profile_name(name)
                .config_file(directory.path().join("config"))
                .shared_credentials_file(directory.path().join("credentials"))
                .environment([]) // not even AWS_ACCESS_KEY_ID: nothing real is touched
                .build()
        };
        Ok(Self {
            default: from_profile("default"),
            staging: from_profile("staging"),
            production: from_profile("production"),
            local: Some((aws, directory)),
        })
    }

    fn real([default, staging, production]: [&str; 3]) -> Self {
        Self {
            default: BotoSesManager::from_profile(default),
            staging: BotoSesManager::from_profile(staging),
            production: BotoSesManager::from_profile(production),
            local: None,
        }
    }

    /// Returns the sessions in the order of the summary.
    pub fn all(&self) -> [&BotoSesManager; 3] {
        [&self.default, &self.staging, &self.production]
    }

    /// Makes sure that there are three accounts, and that whatever table there is in the end was made
    /// by the example.
    pub async fn check<M: Model>(&self) -> Result {
        let table = M::table_name();
        let mut ids = HashSet::new();
        for manager in self.all() {
            if !ids.insert(manager.aws_account_id().await?) {
                return Err("the profiles must belong to three accounts: nothing was done".into());
            }
            if with_boto_session::<M, _>(manager, M::exists()).await? {
                return Err(
                    format!("{manager} has a table {table} already: nothing was done").into(),
                );
            }
        }
        if self.local.is_none() {
            println!(
                "creates table {table} with {} and {},",
                self.staging, self.production
            );
            println!("and deletes it in the end");
        }
        Ok(())
    }

    /// Deletes the tables in real accounts; those of the local AWS go with it.
    pub async fn clean_up<M: Model>(&self) -> Result {
        if self.local.is_some() {
            return Ok(());
        }
        println!();
        for manager in [&self.staging, &self.production] {
            match with_boto_session::<M, _>(manager, M::delete_table().wait()).await {
                Ok(()) => println!("deleted table {} with {manager}", M::table_name()),
                Err(error) if error.is_table_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

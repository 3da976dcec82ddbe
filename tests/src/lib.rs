//! What the tests across the crates share.

mod hostile;
pub mod measured;

use std::path::Path;

use bsm_core::{BotoSesManager, Builder};
use bsm_local_aws::LocalAws;
use tempfile::TempDir;

pub use hostile::{HOSTILE_VARIABLES, hostile};

/// The standard local AWS, and managers for its profiles that see nothing of the process's own
/// environment.
pub struct Playground {
    aws: LocalAws,
    dir: TempDir,
}

impl Playground {
    /// Starts a local AWS and writes its profile files to a temporary folder.
    pub async fn start() -> Self {
        let aws = LocalAws::start().await.expect("a local AWS starts");
        let dir = TempDir::new().expect("there is room for profile files");
        aws.write_profiles(dir.path())
            .expect("profile files can be written");
        Self { aws, dir }
    }

    /// Returns the local AWS.
    pub fn aws(&self) -> &LocalAws {
        &self.aws
    }

    /// Returns the folder with `config` and `credentials`.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Starts a manager that reads the playground's profiles.
    pub fn builder(&self) -> Builder {
        BotoSesManager::builder()
            .config_file(self.dir().join("config"))
            .shared_credentials_file(self.dir().join("credentials"))
            .environment([])
            .time_source(self.aws.clock())
    }

    /// Makes the manager for a profile: `default`, `staging` or `production`.
    pub fn profile(&self, name: &str) -> BotoSesManager {
        self.builder().profile_name(name).build()
    }
}

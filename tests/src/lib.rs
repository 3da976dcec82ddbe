//! Shared support for tests and benchmarks across the crates.

mod hostile;
pub mod measured;

use std::path::Path;

use bsm_core::{BotoSesManager, Builder};
use bsm_local_aws::LocalAws;
use tempfile::TempDir;

pub use hostile::{HOSTILE_VARIABLES, hostile};

/// The traits that bsm-dynamodb exports, for checks of all of its types.
pub const TRAITS_OF_DYNAMODB: &[&str] = &[
    "Action",
    "AttributeType",
    "Codec",
    "CodecError",
    "Component",
    "ConnectionSlot",
    "ConsistentRead",
    "Document",
    "Elements",
    "Encode",
    "EncodeKey",
    "Entities",
    "Gets",
    "Index",
    "IndexKind",
    "IntoKey",
    "Key",
    "KeyAttribute",
    "KeyElement",
    "KeyField",
    "KeyPrefix",
    "KeyScalar",
    "KeyTemplates",
    "KeyText",
    "Model",
    "Models",
    "Operand",
    "PartTemplate",
    "RangedKey",
    "RangedTemplates",
    "ReadKind",
    "SerializeField",
    "Source",
    "TtlAttribute",
    "VersionAttribute",
];

/// A local AWS with the standard layout, and managers of its profiles that ignore the environment of
/// the process.
pub struct Playground {
    aws: LocalAws,
    dir: TempDir,
}

impl Playground {
    /// Starts a local AWS and writes its profile files into a temporary directory.
    pub async fn start() -> Self {
        let aws = LocalAws::start().await.expect("a local AWS starts");
        let dir = TempDir::new().expect("a temporary directory can be created");
        aws.write_profiles(dir.path())
            .expect("profile files can be written");
        Self { aws, dir }
    }

    /// Returns the local AWS.
    pub fn aws(&self) -> &LocalAws {
        &self.aws
    }

    /// Returns the directory that contains `config` and `credentials`.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Returns a builder of managers that read the playground's profiles.
    pub fn builder(&self) -> Builder {
        BotoSesManager::builder()
            .config_file(self.dir().join("config"))
            .shared_credentials_file(self.dir().join("credentials"))
            .environment([])
            .time_source(self.aws.clock())
    }

    /// Creates the manager of a profile: `default`, `staging` or `production`.
    pub fn profile(&self, name: &str) -> BotoSesManager {
        self.builder().profile_name(name).build()
    }
}

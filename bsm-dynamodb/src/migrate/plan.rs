//! What a migration is going to do.

use std::fmt;

use super::bucket::BucketEncryption;
use super::load_method::LoadMethod;
use super::options::MigrateOptions;
use super::policies::PolicyInputs;
use super::progress::MigrationPhase;
use super::state::EnabledSettings;
use crate::copy::{PlannedSetting, TableLocation, write_settings};

/// What a migration is going to do; see [`MigrateTable::plan`](crate::MigrateTable::plan).
///
/// `Display` shows it for people to confirm.
///
/// ```text
/// from table users in 222222222222, us-east-1 (profile "staging")
/// to   table users in 333333333333, us-east-1 (profile "production")
/// through bucket users-migration of 222222222222
/// about 1000000 items, 350000000 bytes
/// turns on in the source, until the end: point-in-time recovery, stream
/// DynamoDB imports the export as a new table
/// the writers pause while the last records of the stream arrive: seconds
/// ```
#[derive(Clone, Debug)]
pub struct MigrationPlan {
    pub(super) source: TableLocation,
    pub(super) target: TableLocation,
    pub(super) bucket_owner: String,
    pub(super) options: PlannedOptions,
    pub(super) load_method: LoadMethod,
    pub(super) turns_on: EnabledSettings,
    pub(super) resumes: Option<MigrationPhase>,
    pub(super) expected_items: Option<u64>,
    pub(super) expected_bytes: Option<u64>,
    /// What a new target does not get of the source's settings.
    pub(super) settings: Vec<PlannedSetting>,
    /// The table class that the target gets after the import, which makes every table STANDARD.
    pub(super) later_class: Option<String>,
    /// The KMS key of the source, if it has one of its own.
    pub(super) source_key: Option<String>,
    /// How the bucket encrypts files by default; `None` if the migration gives them a key.
    pub(super) bucket_encryption: Option<BucketEncryption>,
}

/// The options, which the policies are made from.
#[derive(Clone)]
pub(super) struct PlannedOptions(pub(super) MigrateOptions);

impl fmt::Debug for PlannedOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MigrateOptions")
            .field("bucket", &self.0.bucket)
            .finish_non_exhaustive()
    }
}

impl MigrationPlan {
    /// Returns the table that is read.
    pub fn source(&self) -> &TableLocation {
        &self.source
    }

    /// Returns the table that is written.
    pub fn target(&self) -> &TableLocation {
        &self.target
    }

    /// Returns how the full export gets into the target.
    pub fn load_method(&self) -> LoadMethod {
        self.load_method
    }

    /// Returns `true` if the migration turns on point-in-time recovery in the source, until it ends.
    pub fn turns_on_recovery(&self) -> bool {
        self.turns_on.recovery
    }

    /// Returns `true` if the migration turns on the stream of the source, until it ends.
    pub fn turns_on_stream(&self) -> bool {
        self.turns_on.stream
    }

    /// Returns the phase in which an earlier run was interrupted, if this run resumes it.
    pub fn resumes(&self) -> Option<MigrationPhase> {
        self.resumes
    }

    /// Returns the number of items in the source, as DynamoDB counted them in the last six hours;
    /// `None` if it has not counted yet.
    pub fn expected_items(&self) -> Option<u64> {
        self.expected_items
    }

    /// Returns the size of the source in bytes, counted when the [items](Self::expected_items) were.
    pub fn expected_bytes(&self) -> Option<u64> {
        self.expected_bytes
    }

    /// Returns the settings of the source that a new target does not get.
    ///
    /// Empty if the target exists, or if this run resumes an earlier one.
    pub fn settings(&self) -> &[PlannedSetting] {
        &self.settings
    }

    /// Returns the bucket policy that the migration needs, as JSON to paste; `None` if both tables are
    /// in the account that owns the bucket.
    ///
    /// It allows the accounts, so an IAM policy of the identity decides in addition. Merge its
    /// statements into a policy that the bucket already has.
    pub fn bucket_policy(&self) -> Option<String> {
        self.parties()
            .bucket_policy()
            .map(|policy| format!("{policy:#}"))
    }

    /// Returns the IAM policy that the source's identity needs, as JSON to paste.
    pub fn source_policy(&self) -> String {
        format!("{:#}", self.parties().source_policy())
    }

    /// Returns the IAM policy that the target's identity needs, as JSON to paste.
    pub fn target_policy(&self) -> String {
        format!("{:#}", self.parties().target_policy())
    }

    /// The KMS key with which the bucket encrypts the files.
    fn bucket_key(&self) -> Option<&str> {
        match &self.bucket_encryption {
            Some(BucketEncryption::Key(key)) => Some(key),
            _ => None,
        }
    }

    /// Returns what the encryption of the exported files needs; `None` if it needs nothing.
    fn file_encryption(&self) -> Option<String> {
        let (source, target) = (self.source.account(), self.target.account());
        let needed = |files: &str, key: &str| {
            format!(
                "{files} with {key}: its key policy must let {source} generate data keys, and {target} \
                 decrypt"
            )
        };
        if let Some(key) = &self.options.0.export_key {
            return Some(needed("the exported files are encrypted", key));
        }
        match self.bucket_encryption.as_ref()? {
            BucketEncryption::S3 => None,
            BucketEncryption::Key(key) => {
                Some(needed("the bucket encrypts the exported files", key))
            }
            BucketEncryption::ManagedKey if [source, target] == [self.bucket_owner.as_str(); 2] => {
                None
            }
            BucketEncryption::ManagedKey => Some(
                "the bucket encrypts with the key aws/s3, which other accounts cannot use: give the \
                 files a key with export_key()"
                    .to_owned(),
            ),
            BucketEncryption::Unknown => Some(
                "the default encryption of the bucket could not be read: if it is a KMS key, both \
                 identities must be allowed to use it"
                    .to_owned(),
            ),
        }
    }

    fn parties(&self) -> PolicyInputs<'_> {
        PolicyInputs {
            source: &self.source,
            target: &self.target,
            bucket_owner: &self.bucket_owner,
            options: &self.options.0,
            load_method: self.load_method,
            source_key: self.source_key.as_deref(),
            bucket_key: self.bucket_key(),
            sets_class: self.later_class.is_some(),
        }
    }
}

impl fmt::Display for MigrationPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = &self.options.0;
        writeln!(f, "from {}\nto   {}", self.source, self.target)?;
        write!(
            f,
            "through bucket {} of {}",
            options.bucket, self.bucket_owner
        )?;
        if let (Some(items), Some(bytes)) = (self.expected_items, self.expected_bytes) {
            write!(f, "\nabout {items} items, {bytes} bytes")?;
        }
        if let Some(phase) = self.resumes {
            write!(f, "\nresumes a migration that was {phase}")?;
        }
        let turned_on = [
            (self.turns_on.recovery, "point-in-time recovery"),
            (self.turns_on.stream, "stream"),
        ];
        let turned_on: Vec<_> = turned_on
            .into_iter()
            .filter_map(|(is_turned_on, what)| is_turned_on.then_some(what))
            .collect();
        if !turned_on.is_empty() {
            let turned_on = turned_on.join(", ");
            write!(f, "\nturns on in the source, until the end: {turned_on}")?;
        }
        f.write_str(match self.load_method {
            LoadMethod::Import => "\nDynamoDB imports the export as a new table",
            LoadMethod::NewTable => {
                "\nthe migration creates the table and writes the items itself, which AWS bills as \
                 writes"
            }
            LoadMethod::ExistingTable => {
                "\nthe table exists and is empty: the migration writes the items itself, which AWS \
                 bills as writes"
            }
        })?;
        f.write_str(match options.uses_stream {
            true => "\nthe writers pause while the last records of the stream arrive: seconds",
            false => {
                "\nwithout the stream, the writers pause for 15 minutes and more: the last writes \
                 arrive by an export"
            }
        })?;
        write_settings(f, &self.settings)?;
        if let Some(class) = &self.later_class {
            write!(
                f,
                "\nthe target gets the table class {class} after the import"
            )?;
        }
        if let Some(key) = &self.source_key {
            write!(
                f,
                "\nthe source is encrypted with {key}; the target is encrypted with {}",
                options
                    .target_key
                    .as_deref()
                    .unwrap_or("a key that DynamoDB owns")
            )?;
        }
        match self.file_encryption() {
            Some(needed) => write!(f, "\n{needed}"),
            None => Ok(()),
        }
    }
}

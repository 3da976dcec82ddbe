//! The settings of the source that are not items: which of them a new target gets.

use std::fmt;

use aws_sdk_dynamodb::types::{
    BillingMode, ContinuousBackupsDescription, DestinationStatus, PointInTimeRecoveryDescription,
    PointInTimeRecoveryStatus, StreamSpecification, TableDescription, Tag,
};
use futures_util::future::join4;

use super::table::TableClient;
use crate::error::Error;

/// A setting of a table that a copy does not copy by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TableSetting {
    /// The table's stream. The new table's stream has another ARN, and sees every item that is
    /// copied.
    Stream,
    /// Tags, except those that AWS has set.
    Tags,
    /// The protection from being deleted.
    DeletionProtection,
    /// Point-in-time recovery, with its recovery period. The backups of the source stay behind.
    PointInTimeRecovery,
    /// A KMS key. The new table has a key that DynamoDB owns.
    EncryptionKey,
    /// The resource policy, which names accounts and ARNs.
    ResourcePolicy,
    /// The replicas of a global table.
    Replicas,
    /// Streaming to Kinesis.
    KinesisStream,
    /// The scaling of provisioned capacity, which is kept by another service, Application Auto
    /// Scaling.
    AutoScaling,
}

impl TableSetting {
    /// Returns `true` if [`CopyTable::copy_settings`](crate::CopyTable::copy_settings) accepts this setting.
    ///
    /// The other settings name keys, accounts or Regions, so that a copy of them would be wrong in
    /// another account.
    pub fn is_copyable(self) -> bool {
        use TableSetting::{DeletionProtection, PointInTimeRecovery, Stream, Tags};
        matches!(
            self,
            Stream | Tags | DeletionProtection | PointInTimeRecovery
        )
    }
}

impl fmt::Display for TableSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stream => "stream",
            Self::Tags => "tags",
            Self::DeletionProtection => "deletion protection",
            Self::PointInTimeRecovery => "point-in-time recovery",
            Self::EncryptionKey => "KMS key",
            Self::ResourcePolicy => "resource policy",
            Self::Replicas => "replicas",
            Self::KinesisStream => "Kinesis stream",
            Self::AutoScaling => "auto scaling",
        })
    }
}

/// A setting that the source has, and what the copy does about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedSetting {
    setting: TableSetting,
    value: String,
    outcome: SettingOutcome,
}

/// What a copy does about a setting of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SettingOutcome {
    /// The new table gets it.
    Copied,
    /// The new table does not have it.
    LeftBehind,
    /// The copy could not read it in the source, and leaves it behind.
    Unknown,
}

impl PlannedSetting {
    /// Returns which setting it is.
    pub fn setting(&self) -> TableSetting {
        self.setting
    }

    /// Returns the value in the source, for people to read, or why it is unknown.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Returns what the copy does about it.
    pub fn outcome(&self) -> SettingOutcome {
        self.outcome
    }
}

/// Shows the setting and its value: `stream (NEW_IMAGE)`.
impl fmt::Display for PlannedSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.setting, self.value)
    }
}

/// The settings of the source that DescribeTable does not describe.
pub(crate) struct SourceSettings {
    pub(super) tags: Result<Vec<Tag>, Error>,
    pub(super) backups: Result<Option<ContinuousBackupsDescription>, Error>,
    has_policy: Result<bool, Error>,
    kinesis: Result<usize, Error>,
}

impl SourceSettings {
    /// Reads the settings. What cannot be read becomes an unknown setting, not an error: a copy must
    /// not need more permissions because the plan tells more.
    pub(crate) async fn read(source: &TableClient, table: &TableDescription) -> Self {
        let arn = table.table_arn.clone().unwrap_or_default();
        let (tags, backups, has_policy, kinesis) = join4(
            tags(source, &arn),
            backups(source),
            has_policy(source, &arn),
            kinesis(source),
        )
        .await;
        Self {
            tags,
            backups,
            has_policy,
            kinesis,
        }
    }

    /// Returns the settings that the source has, each with what the copy does about it.
    pub(crate) fn plan(
        &self,
        table: &TableDescription,
        copy_settings: &[TableSetting],
    ) -> Vec<PlannedSetting> {
        use TableSetting as S;
        let stream = stream(table).and_then(|stream| stream.stream_view_type);
        // A key that DynamoDB owns has no description.
        let key = table.sse_description.as_ref();
        let key = key.and_then(|key| key.kms_master_key_arn.clone());
        let replicas = table.replicas().iter();
        let replicas: Vec<_> = replicas.filter_map(|it| it.region_name.clone()).collect();
        let billing = table.billing_mode_summary();
        let on_demand = billing.and_then(|billing| billing.billing_mode.as_ref())
            == Some(&BillingMode::PayPerRequest);
        let tags = self.tags.as_ref().map(|tags| {
            let keys: Vec<_> = tags.iter().map(|tag| tag.key.as_str()).collect();
            (!keys.is_empty()).then(|| keys.join(", "))
        });
        let recovery = self.backups.as_ref().map(|backups| {
            let days = recovery(backups.as_ref()?)?.recovery_period_in_days;
            Some(days.map_or("on".to_owned(), |days| format!("{days} days")))
        });
        let policy = self.has_policy.as_ref();
        let policy = policy.map(|has_policy| has_policy.then(|| "attached".to_owned()));
        let kinesis = self.kinesis.as_ref();
        let kinesis = kinesis.map(|&streams| (streams > 0).then(|| format!("{streams} active")));
        // `None` is a setting that the source does not have.
        let settings: [(S, Result<Option<String>, &Error>); 8] = [
            (S::Stream, Ok(stream.map(|view| view.to_string()))),
            (S::Tags, tags),
            (
                S::DeletionProtection,
                Ok(is_protected(table).then(|| "on".to_owned())),
            ),
            (S::PointInTimeRecovery, recovery),
            (S::EncryptionKey, Ok(key)),
            (S::ResourcePolicy, policy),
            (
                S::Replicas,
                Ok((!replicas.is_empty()).then(|| replicas.join(", "))),
            ),
            (S::KinesisStream, kinesis),
        ];
        let mut planned = Vec::new();
        for (setting, value) in settings {
            let (value, outcome) = match value {
                Ok(None) => continue,
                Ok(Some(value)) if copy_settings.contains(&setting) => {
                    (value, SettingOutcome::Copied)
                }
                Ok(Some(value)) => (value, SettingOutcome::LeftBehind),
                Err(error) if error.is_access_denied() => {
                    // The operation is the name that an IAM policy has for the missing permission.
                    let value = format!("{} is not allowed", error.operation());
                    (value, SettingOutcome::Unknown)
                }
                Err(error) => {
                    let value = format!("{} failed", error.operation());
                    (value, SettingOutcome::Unknown)
                }
            };
            planned.push(PlannedSetting {
                setting,
                value,
                outcome,
            });
        }
        if !on_demand {
            // Application Auto Scaling keeps this setting, so DynamoDB cannot tell whether there is one.
            planned.push(PlannedSetting {
                setting: S::AutoScaling,
                value: "DynamoDB does not return it".to_owned(),
                outcome: SettingOutcome::Unknown,
            });
        }
        planned
    }
}

/// Returns the stream of a table, if it is on.
pub(super) fn stream(table: &TableDescription) -> Option<StreamSpecification> {
    let stream = table.stream_specification.clone();
    stream.filter(|stream| stream.stream_enabled)
}

pub(super) fn is_protected(table: &TableDescription) -> bool {
    table.deletion_protection_enabled == Some(true)
}

/// Returns the point-in-time recovery of a table, if it is on.
pub(crate) fn recovery(
    backups: &ContinuousBackupsDescription,
) -> Option<&PointInTimeRecoveryDescription> {
    let recovery = backups.point_in_time_recovery_description.as_ref();
    recovery.filter(|recovery| {
        recovery.point_in_time_recovery_status == Some(PointInTimeRecoveryStatus::Enabled)
    })
}

async fn tags(source: &TableClient, arn: &str) -> Result<Vec<Tag>, Error> {
    let mut tags = Vec::new();
    let mut token = None;
    loop {
        let page = source.set_up(|| async {
            let request = source.client.list_tags_of_resource();
            let request = request.resource_arn(arn).set_next_token(token.clone());
            let output = request.send().await;
            output.map_err(|error| source.failed("ListTagsOfResource", error))
        });
        // An endpoint without the operation has no tags either.
        let Some(page) = unless_unknown(page.await)? else {
            return Ok(Vec::new());
        };
        tags.extend(page.tags.unwrap_or_default());
        // The same token again would never end.
        if page.next_token.is_none() || page.next_token == token {
            break;
        }
        token = page.next_token;
    }
    // Only AWS can set these.
    tags.retain(|tag| !tag.key.starts_with("aws:"));
    Ok(tags)
}

async fn backups(source: &TableClient) -> Result<Option<ContinuousBackupsDescription>, Error> {
    let described = source.set_up(|| async {
        let request = source.client.describe_continuous_backups();
        let output = request.table_name(&source.table).send().await;
        output.map_err(|error| source.failed("DescribeContinuousBackups", error))
    });
    let described = unless_unknown(described.await)?;
    Ok(described.and_then(|output| output.continuous_backups_description))
}

async fn has_policy(source: &TableClient, arn: &str) -> Result<bool, Error> {
    let policy = source.set_up(|| async {
        let request = source.client.get_resource_policy();
        let output = request.resource_arn(arn).send().await;
        output.map_err(|error| source.failed("GetResourcePolicy", error))
    });
    match policy.await {
        // The usual response: most tables have no policy.
        Err(error) if error.aws_code() == Some("PolicyNotFoundException") => Ok(false),
        policy => Ok(unless_unknown(policy)?.is_some()),
    }
}

async fn kinesis(source: &TableClient) -> Result<usize, Error> {
    let described = source.set_up(|| async {
        let request = source.client.describe_kinesis_streaming_destination();
        let output = request.table_name(&source.table).send().await;
        output.map_err(|error| source.failed("DescribeKinesisStreamingDestination", error))
    });
    let Some(described) = unless_unknown(described.await)? else {
        return Ok(0);
    };
    let streams = described.kinesis_data_stream_destinations();
    let active = streams
        .iter()
        // A destination that was disabled stays in the list.
        .filter(|stream| stream.destination_status == Some(DestinationStatus::Active));
    Ok(active.count())
}

/// Returns `None` if the endpoint does not have the operation, as local emulators do not: then it
/// does not have the setting either.
fn unless_unknown<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Err(error) if error.aws_code() == Some("UnknownOperationException") => Ok(None),
        result => result.map(Some),
    }
}

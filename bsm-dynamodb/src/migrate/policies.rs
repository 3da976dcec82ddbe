//! The policies that a migration needs, as text to paste.

use serde_json::{Value, json};

use super::load_method::LoadMethod;
use super::options::MigrateOptions;
use crate::copy::TableLocation;

/// What the policies are about.
pub(super) struct PolicyInputs<'a> {
    pub(super) source: &'a TableLocation,
    pub(super) target: &'a TableLocation,
    pub(super) bucket_owner: &'a str,
    pub(super) options: &'a MigrateOptions,
    pub(super) load_method: LoadMethod,
    /// The KMS key of the source's table.
    pub(super) source_key: Option<&'a str>,
    /// The KMS key with which the bucket encrypts by default.
    pub(super) bucket_key: Option<&'a str>,
    /// Whether the target gets its table class after the import.
    pub(super) sets_class: bool,
}

impl PolicyInputs<'_> {
    /// Returns the statements that the bucket's policy needs; `None` if all is in one account.
    pub(super) fn bucket_policy(&self) -> Option<Value> {
        let (bucket, objects) = (self.bucket(), self.objects());
        // The account as a whole: its own IAM policies decide which identity may do this.
        let partition = self.partition();
        let principal =
            |account: &str| json!({ "AWS": format!("arn:{partition}:iam::{account}:root") });
        let mut statements = Vec::new();
        if self.source.account() != self.bucket_owner {
            statements.push(json!({
                "Sid": "ExportFromTheSource",
                "Effect": "Allow",
                "Principal": principal(self.source.account()),
                "Action": EXPORT_ACTIONS,
                "Resource": objects,
            }));
        }
        if self.target.account() != self.bucket_owner {
            statements.push(json!({
                "Sid": "ListForTheTarget",
                "Effect": "Allow",
                "Principal": principal(self.target.account()),
                "Action": "s3:ListBucket",
                "Resource": bucket,
            }));
            statements.push(json!({
                "Sid": "ReadForTheTarget",
                "Effect": "Allow",
                "Principal": principal(self.target.account()),
                "Action": "s3:GetObject",
                "Resource": objects,
            }));
        }
        (!statements.is_empty()).then(|| policy(statements))
    }

    /// Returns the IAM policy for the identity of the source.
    pub(super) fn source_policy(&self) -> Value {
        let table = self.arn(self.source);
        let mut statements = vec![
            json!({
                "Effect": "Allow",
                "Action": [
                    "dynamodb:BatchGetItem",
                    "dynamodb:DescribeContinuousBackups",
                    "dynamodb:DescribeTable",
                    "dynamodb:DescribeTimeToLive",
                    "dynamodb:ExportTableToPointInTime",
                    "dynamodb:Scan",
                    "dynamodb:UpdateContinuousBackups",
                    "dynamodb:UpdateTable",
                ],
                "Resource": table,
            }),
            json!({
                "Effect": "Allow",
                "Action": "dynamodb:DescribeExport",
                "Resource": format!("{table}/export/*"),
            }),
            json!({
                "Effect": "Allow",
                // DynamoDB writes the files with the permissions of the identity that starts the export.
                "Action": EXPORT_ACTIONS,
                "Resource": self.objects(),
            }),
        ];
        if self.source.account() == self.bucket_owner {
            statements.push(self.reads_encryption());
        }
        if self.options.uses_stream {
            statements.push(json!({
                "Effect": "Allow",
                "Action": [
                    "dynamodb:DescribeStream",
                    "dynamodb:GetRecords",
                    "dynamodb:GetShardIterator",
                ],
                "Resource": format!("{table}/stream/*"),
            }));
        }
        // DynamoDB uses a table's key on behalf of the principal that reads the table.
        if let Some(key) = self.source_key {
            statements.push(json!({
                "Effect": "Allow",
                "Action": ["kms:Decrypt", "kms:DescribeKey"],
                "Resource": key,
            }));
        }
        if let Some(key) = self.files_key() {
            statements.push(json!({
                "Effect": "Allow",
                "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                "Resource": key,
            }));
        }
        policy(statements)
    }

    /// Returns the IAM policy for the identity of the target.
    pub(super) fn target_policy(&self) -> Value {
        let table = self.arn(self.target);
        let mut actions = vec![
            "dynamodb:BatchGetItem",
            "dynamodb:BatchWriteItem",
            "dynamodb:DescribeTable",
            "dynamodb:DescribeTimeToLive",
            "dynamodb:Scan",
            "dynamodb:UpdateTimeToLive",
        ];
        match self.load_method {
            // A failed import leaves a table that has to go before the next one. An export of too many files
            // is loaded into a table that the migration creates.
            LoadMethod::Import => {
                actions.extend([
                    "dynamodb:CreateTable",
                    "dynamodb:DeleteTable",
                    "dynamodb:ImportTable",
                ]);
            }
            LoadMethod::NewTable => {
                actions.extend(["dynamodb:CreateTable", "dynamodb:DeleteTable"]);
            }
            LoadMethod::ExistingTable => {}
        }
        if self.sets_class {
            actions.push("dynamodb:UpdateTable");
        }
        actions.sort_unstable();
        let mut statements = vec![
            json!({ "Effect": "Allow", "Action": actions, "Resource": table }),
            json!({
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": self.bucket(),
            }),
            json!({
                "Effect": "Allow",
                "Action": "s3:GetObject",
                "Resource": self.objects(),
            }),
        ];
        if self.target.account() == self.bucket_owner && self.source.account() != self.bucket_owner
        {
            statements.push(self.reads_encryption());
        }
        if self.load_method == LoadMethod::Import {
            statements.push(json!({
                "Effect": "Allow",
                "Action": "dynamodb:DescribeImport",
                "Resource": format!("{table}/import/*"),
            }));
            // It lists the imports of the account, so it has no resource.
            statements.push(json!({
                "Effect": "Allow",
                "Action": "dynamodb:ListImports",
                "Resource": "*",
            }));
            // An import writes its errors to CloudWatch Logs.
            statements.push(json!({
                "Effect": "Allow",
                "Action": [
                    "logs:CreateLogGroup",
                    "logs:CreateLogStream",
                    "logs:DescribeLogGroups",
                    "logs:DescribeLogStreams",
                    "logs:PutLogEvents",
                    "logs:PutRetentionPolicy",
                ],
                "Resource": "*",
            }));
        }
        let keys = [self.files_key(), self.options.target_key.as_deref()];
        let keys: Vec<_> = keys.into_iter().flatten().collect();
        if !keys.is_empty() {
            statements.push(json!({
                "Effect": "Allow",
                "Action": ["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey"],
                "Resource": keys,
            }));
        }
        policy(statements)
    }

    /// Returns the statement by which the plan finds a KMS key of the bucket.
    fn reads_encryption(&self) -> Value {
        json!({
            "Effect": "Allow",
            "Action": "s3:GetEncryptionConfiguration",
            "Resource": self.bucket(),
        })
    }

    /// Returns the KMS key of the exported files.
    fn files_key(&self) -> Option<&str> {
        self.options.export_key.as_deref().or(self.bucket_key)
    }

    fn bucket(&self) -> String {
        format!("arn:{}:s3:::{}", self.partition(), self.options.bucket)
    }

    fn arn(&self, location: &TableLocation) -> String {
        let (region, account, table) = (location.region(), location.account(), location.table());
        let partition = self.partition();
        format!("arn:{partition}:dynamodb:{region}:{account}:table/{table}")
    }

    /// Returns the partition of the source, which is also that of the bucket and the target: neither
    /// exports nor imports cross partitions.
    fn partition(&self) -> &str {
        let arn = self.source.arn().unwrap_or_default();
        arn.split(':').nth(1).unwrap_or("aws")
    }

    fn objects(&self) -> String {
        let bucket = self.bucket();
        match &*self.options.prefix {
            "" => format!("{bucket}/AWSDynamoDB/*"),
            prefix => format!("{bucket}/{prefix}/AWSDynamoDB/*"),
        }
    }
}

/// Source: "Using Identity and Access Management with export to Amazon S3" in the DynamoDB Developer
/// Guide.
const EXPORT_ACTIONS: [&str; 3] = ["s3:AbortMultipartUpload", "s3:PutObject", "s3:PutObjectAcl"];

fn policy(statements: Vec<Value>) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_arn_is_in_the_partition_of_the_source() {
        for (partition, region) in [
            ("aws", "eu-central-1"),
            ("aws-cn", "cn-north-1"),
            ("aws-us-gov", "us-gov-west-1"),
        ] {
            let location = |account: &str, arn| TableLocation {
                table: "users".to_owned(),
                account: account.to_owned(),
                region: region.to_owned(),
                manager: String::new(),
                arn,
            };
            let arn = format!("arn:{partition}:dynamodb:{region}:111122223333:table/users");
            let key = format!("arn:{partition}:kms:{region}:111122223333:key/1");
            let mut options = MigrateOptions::new("users".to_owned());
            options.bucket = "exports".to_owned();
            for load_method in [LoadMethod::Import, LoadMethod::ExistingTable] {
                let inputs = PolicyInputs {
                    source: &location("111122223333", Some(arn.clone())),
                    target: &location("444455556666", None),
                    bucket_owner: "111122223333",
                    options: &options,
                    load_method,
                    source_key: Some(&key),
                    bucket_key: Some(&key),
                    sets_class: true,
                };
                assert!(inputs.source_policy().to_string().contains(&key));
                let policies = [
                    inputs.bucket_policy().unwrap(),
                    inputs.source_policy(),
                    inputs.target_policy(),
                ];
                for policy in policies.map(|policy| policy.to_string()) {
                    let arns = policy.matches("\"arn:").count();
                    assert!(arns > 0, "{policy}");
                    let expected = format!("\"arn:{partition}:");
                    assert_eq!(policy.matches(&expected).count(), arns, "{policy}");
                }
            }
        }
    }
}

//! The policies that a migration needs, as text to paste.

use serde_json::{Value, json};

use super::load_method::LoadMethod;
use super::options::MigrateOptions;
use crate::copy::TablePlace;

/// What the policies are about.
pub(super) struct PolicyInputs<'a> {
    pub(super) source: &'a TablePlace,
    pub(super) target: &'a TablePlace,
    pub(super) bucket_owner: &'a str,
    pub(super) options: &'a MigrateOptions,
    pub(super) load_method: LoadMethod,
}

impl PolicyInputs<'_> {
    /// Returns the statements that the bucket's policy needs; `None` if all is in one account.
    pub(super) fn bucket_policy(&self) -> Option<Value> {
        let (bucket, objects) = (self.bucket(), self.objects());
        let principal = |account: &str| json!({ "AWS": format!("arn:aws:iam::{account}:root") });
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
        let table = arn(self.source);
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
                "Action": EXPORT_ACTIONS,
                "Resource": self.objects(),
            }),
        ];
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
        if let Some(key) = &self.options.export_key {
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
        let table = arn(self.target);
        let mut actions = vec![
            "dynamodb:BatchGetItem",
            "dynamodb:BatchWriteItem",
            "dynamodb:DescribeTable",
            "dynamodb:DescribeTimeToLive",
            "dynamodb:Scan",
            "dynamodb:UpdateTimeToLive",
        ];
        match self.load_method {
            // A failed import leaves a table that has to go before the next one.
            LoadMethod::Import => actions.extend([
                "dynamodb:DeleteTable",
                "dynamodb:ImportTable",
                "dynamodb:ListImports",
            ]),
            LoadMethod::NewTable => {
                actions.extend(["dynamodb:CreateTable", "dynamodb:DeleteTable"]);
            }
            LoadMethod::ExistingTable => {}
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
        if self.load_method == LoadMethod::Import {
            statements.push(json!({
                "Effect": "Allow",
                "Action": "dynamodb:DescribeImport",
                "Resource": format!("{table}/import/*"),
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
        let keys = [&self.options.export_key, &self.options.target_key];
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

    fn bucket(&self) -> String {
        format!("arn:aws:s3:::{}", self.options.bucket)
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

fn arn(place: &TablePlace) -> String {
    let (region, account, table) = (place.region(), place.account(), place.table());
    format!("arn:aws:dynamodb:{region}:{account}:table/{table}")
}

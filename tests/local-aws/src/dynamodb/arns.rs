//! Translation of ARNs between clients and the engine, which has one fixed account and region.

use std::collections::BTreeMap;

use bytes::Bytes;
use dynoxide::streams::{LOCAL_ACCOUNT, LOCAL_REGION};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::engine::to_bytes;
use crate::auth::Identity;
use crate::response::ErrorResponse;

/// Translates ARNs of one account and region to those of the engine, and back.
#[derive(Clone, Debug)]
pub(super) struct ArnTranslator {
    region: String,
    account: String,
}

/// The members of a request that refer to a table.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TableReference {
    table_name: Option<String>,
    resource_arn: Option<String>,
    stream_arn: Option<String>,
    table_arn: Option<String>,
    request_items: Option<BTreeMap<String, IgnoredAny>>,
}

/// Returns the table of a request, if the request refers to exactly one.
pub(crate) fn table_of(body: &[u8]) -> Option<String> {
    TableReference::parse(body).table().map(str::to_owned)
}

impl TableReference {
    pub(super) fn parse(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    fn table(&self) -> Option<&str> {
        // A batch over several tables has no single table that a fault or a deny could mean.
        let mut batch = self.request_items.iter().flat_map(BTreeMap::keys);
        let only_in_batch = batch.next().filter(|_| batch.next().is_none());
        let name = self.names().next().or(only_in_batch.map(String::as_str))?;
        Some(table_in_arn(name).unwrap_or(name))
    }

    /// Returns the tables that a request reads or writes.
    pub(super) fn tables(&self) -> impl Iterator<Item = &str> {
        let batch = self.request_items.iter().flat_map(BTreeMap::keys);
        let names = self.names().chain(batch.map(String::as_str));
        names.map(|name| table_in_arn(name).unwrap_or(name))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let members = [
            &self.table_name,
            &self.resource_arn,
            &self.stream_arn,
            &self.table_arn,
        ];
        members.into_iter().filter_map(|member| member.as_deref())
    }
}

impl ArnTranslator {
    pub(super) fn new(account: &str, region: &str) -> Self {
        Self {
            region: region.to_owned(),
            account: account.to_owned(),
        }
    }

    /// Returns the ARN of the table of a request, for access decisions.
    pub(super) fn resource(&self, reference: &TableReference) -> String {
        format!(
            "{}table/{}",
            self.prefix(),
            reference.table().unwrap_or("*")
        )
    }

    /// Returns the first ARN in a request that belongs to another account or region.
    pub(super) fn foreign_arn<'a>(&self, reference: &'a TableReference) -> Option<&'a str> {
        let is_own = |arn: &str| arn.starts_with(&self.prefix());
        reference
            .names()
            .find(|name| table_in_arn(name).is_some() && !is_own(name))
    }

    /// Replaces a table ARN in a request by the name of the table, which is what the engine accepts.
    pub(super) fn to_engine(&self, reference: &TableReference, body: Bytes) -> Bytes {
        match reference.table_name.as_deref().and_then(table_in_arn) {
            Some(table) => with_table_name(&body, table),
            None => body,
        }
    }

    /// Replaces account and region in the ARNs of a response by those of the client.
    pub(super) fn to_client(&self, body: Vec<u8>) -> Vec<u8> {
        // Most responses contain no ARN, so they need not be parsed.
        if !contains(&body, LOCAL_REGION.as_bytes()) {
            return body;
        }
        match serde_json::from_slice(&body) {
            Ok(mut response) => {
                self.to_client_value(&mut response);
                to_bytes(&response)
            }
            // The engine writes valid JSON, so this arm is not reached.
            Err(_) => body,
        }
    }

    /// Replaces account and region in the message of an error, and the ARN of the engine's caller.
    pub(super) fn to_client_error(
        &self,
        caller: &Identity,
        mut error: ErrorResponse,
    ) -> ErrorResponse {
        let local_caller = format!("arn:aws:iam::{LOCAL_ACCOUNT}:root");
        let replace = |text: &str| {
            text.replace(&local_prefix(), &self.prefix())
                .replace(&local_caller, &caller.arn)
        };
        error.message = replace(&error.message);
        // The body repeats the message, and the client reads the body.
        error.body = error.body.map(|body| replace(&body));
        error
    }

    /// Rewrites members by name and never touches attribute values: those are objects such as
    /// `{"S": "arn:.."}`, not strings.
    fn to_client_value(&self, value: &mut Value) {
        match value {
            Value::Object(members) => members.iter_mut().for_each(|(name, value)| match value {
                // Members such as `TableArn` and `LatestStreamArn`.
                Value::String(arn) if name.ends_with("Arn") => {
                    if let Some(rest) = arn.strip_prefix(&local_prefix()) {
                        *arn = format!("{}{rest}", self.prefix());
                    }
                }
                Value::String(region) if name == "awsRegion" => region.clone_from(&self.region),
                value => self.to_client_value(value),
            }),
            Value::Array(values) => values
                .iter_mut()
                .for_each(|value| self.to_client_value(value)),
            _ => {}
        }
    }

    fn prefix(&self) -> String {
        format!("arn:aws:dynamodb:{}:{}:", self.region, self.account)
    }
}

fn local_prefix() -> String {
    format!("arn:aws:dynamodb:{LOCAL_REGION}:{LOCAL_ACCOUNT}:")
}

/// Returns the table in the ARN of a table, index or stream. Returns `None` for a plain name.
pub(super) fn table_in_arn(arn: &str) -> Option<&str> {
    let (_, path) = arn.strip_prefix("arn:")?.split_once(":table/")?;
    path.split('/').next()
}

fn with_table_name(body: &Bytes, table: &str) -> Bytes {
    match serde_json::from_slice::<Value>(body) {
        Ok(mut request) => {
            request["TableName"] = table.into();
            to_bytes(&request).into()
        }
        // The body was valid JSON when the reference was read from it.
        Err(_) => body.clone(),
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_table_is_found_in_every_member_that_refers_to_one() {
        let table = |request: Value| table_of(&to_bytes(&request));
        let arn = "arn:aws:dynamodb:us-east-1:111111111111:table/users/stream/x";
        assert_eq!(
            table(json!({ "TableName": "users" })).as_deref(),
            Some("users")
        );
        assert_eq!(table(json!({ "StreamArn": arn })).as_deref(), Some("users"));
        assert_eq!(
            table(json!({ "RequestItems": { "users": [] } })).as_deref(),
            Some("users")
        );
        assert_eq!(table(json!({ "RequestItems": { "a": [], "b": [] } })), None);
        assert_eq!(table(json!({})), None);
    }

    #[test]
    fn arns_of_the_response_are_rewritten_but_attribute_values_are_not() {
        let local = format!("{}table/users", local_prefix());
        let response = json!({
            "TableDescription": { "TableArn": local },
            "Item": { "TableArn": { "S": local } },
        });
        let arns = ArnTranslator::new("111111111111", "eu-west-1");
        let response: Value = serde_json::from_slice(&arns.to_client(to_bytes(&response)))
            .expect("the response is valid JSON");
        let expected = "arn:aws:dynamodb:eu-west-1:111111111111:table/users";
        assert_eq!(response["TableDescription"]["TableArn"], expected);
        assert_eq!(response["Item"]["TableArn"]["S"], local);
    }
}

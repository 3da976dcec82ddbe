//! ARNs: the engine knows one account and region of its own, clients know theirs.

use std::collections::BTreeMap;

use bytes::Bytes;
use dynoxide::streams::{LOCAL_ACCOUNT, LOCAL_REGION};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::to_bytes;
use crate::answer::Refusal;
use crate::directory::Identity;

/// Translates between the ARNs of one account and region and the engine's.
#[derive(Clone, Debug)]
pub(super) struct Arns {
    region: String,
    account: String,
}

/// The members of a request that say which table it is about.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Named {
    table_name: Option<String>,
    resource_arn: Option<String>,
    stream_arn: Option<String>,
    request_items: Option<BTreeMap<String, IgnoredAny>>,
}

/// Returns the table that a request names, if it names exactly one.
pub(crate) fn table_of(body: &[u8]) -> Option<String> {
    Named::of(body).table().map(str::to_owned)
}

impl Named {
    pub(super) fn of(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    fn table(&self) -> Option<&str> {
        let mut batch = self.request_items.iter().flat_map(BTreeMap::keys);
        let only_in_batch = batch.next().filter(|_| batch.next().is_none());
        let name = self.texts().next().or(only_in_batch.map(String::as_str))?;
        Some(table_in_arn(name).unwrap_or(name))
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        let members = [&self.table_name, &self.resource_arn, &self.stream_arn];
        members.into_iter().filter_map(|member| member.as_deref())
    }
}

impl Arns {
    pub(super) fn new(account: &str, region: &str) -> Self {
        Self {
            region: region.to_owned(),
            account: account.to_owned(),
        }
    }

    /// Returns the ARN of what a request is about, as an access decision names it.
    pub(super) fn resource(&self, named: &Named) -> String {
        format!("{}table/{}", self.prefix(), named.table().unwrap_or("*"))
    }

    /// Returns the first ARN in a request that belongs to another account or region.
    pub(super) fn foreign<'a>(&self, named: &'a Named) -> Option<&'a str> {
        let is_own = |arn: &str| arn.starts_with(&self.prefix());
        named
            .texts()
            .find(|text| table_in_arn(text).is_some() && !is_own(text))
    }

    /// Turns a table ARN in a request into the name, which is all the engine knows.
    pub(super) fn localize(&self, named: &Named, body: Bytes) -> Bytes {
        match named.table_name.as_deref().and_then(table_in_arn) {
            Some(table) => with_table_name(&body, table),
            None => body,
        }
    }

    /// Puts the account and region of the client into the ARNs of an answer.
    pub(super) fn globalize(&self, body: Vec<u8>) -> Vec<u8> {
        // Most answers have no ARN in them and need not be taken apart.
        if !contains(&body, LOCAL_REGION.as_bytes()) {
            return body;
        }
        match serde_json::from_slice(&body) {
            Ok(mut answer) => {
                self.globalize_value(&mut answer);
                to_bytes(&answer)
            }
            Err(_) => body,
        }
    }

    /// Does the same to an error, whose message may have ARNs in it, the caller's among them.
    pub(super) fn globalize_refusal(&self, caller: &Identity, mut refusal: Refusal) -> Refusal {
        let local_caller = format!("arn:aws:iam::{LOCAL_ACCOUNT}:root");
        let replace = |text: &str| {
            text.replace(&local_prefix(), &self.prefix())
                .replace(&local_caller, &caller.arn)
        };
        refusal.message = replace(&refusal.message);
        refusal.body = refusal.body.map(|body| replace(&body));
        refusal
    }

    /// Rewrites by member, so that an attribute value that happens to be such an ARN stays as it
    /// is: an attribute's value is never a bare string.
    fn globalize_value(&self, value: &mut Value) {
        match value {
            Value::Object(members) => members.iter_mut().for_each(|(name, value)| match value {
                Value::String(arn) if name.ends_with("Arn") => {
                    if let Some(rest) = arn.strip_prefix(&local_prefix()) {
                        *arn = format!("{}{rest}", self.prefix());
                    }
                }
                Value::String(region) if name == "awsRegion" => region.clone_from(&self.region),
                value => self.globalize_value(value),
            }),
            Value::Array(values) => values
                .iter_mut()
                .for_each(|value| self.globalize_value(value)),
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

/// Returns the table in a table, index or stream ARN, and `None` for a plain name.
fn table_in_arn(arn: &str) -> Option<&str> {
    let (_, path) = arn.strip_prefix("arn:")?.split_once(":table/")?;
    path.split('/').next()
}

fn with_table_name(body: &Bytes, table: &str) -> Bytes {
    match serde_json::from_slice::<Value>(body) {
        Ok(mut request) => {
            request["TableName"] = table.into();
            to_bytes(&request).into()
        }
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
    fn the_table_is_found_wherever_a_request_names_it() {
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
    fn only_arns_of_the_service_are_rewritten_never_items() {
        let local = format!("{}table/users", local_prefix());
        let answer = json!({
            "TableDescription": { "TableArn": local },
            "Item": { "TableArn": { "S": local } },
        });
        let arns = Arns::new("111111111111", "eu-west-1");
        let answer: Value = serde_json::from_slice(&arns.globalize(to_bytes(&answer)))
            .expect("an answer stays JSON");
        let expected = "arn:aws:dynamodb:eu-west-1:111111111111:table/users";
        assert_eq!(answer["TableDescription"]["TableArn"], expected);
        assert_eq!(answer["Item"]["TableArn"]["S"], local);
    }
}

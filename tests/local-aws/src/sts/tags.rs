//! Session tags: validation, and inheritance by chained sessions.
//!
//! See <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html>.

use std::collections::{BTreeMap, HashSet};

use super::parameters::{Parameters, TAG_KEY, TAG_VALUE};
use crate::response::ErrorResponse;
use crate::session::Session;

/// The maximum number of tags, and of transitive keys, in a request, as the API documents.
const MAX_TAGS: usize = 50;

/// The tags of a request.
#[derive(Debug)]
pub(super) struct RequestedTags<'a> {
    keys: Vec<&'a str>,
    values: Vec<&'a str>,
    transitive_keys: Vec<&'a str>,
}

/// The tags of a session, both requested and inherited.
#[derive(Debug)]
pub(super) struct SessionTags {
    pub(super) tags: BTreeMap<String, String>,
    pub(super) transitive_keys: Vec<String>,
}

impl<'a> RequestedTags<'a> {
    pub(super) fn from_parameters(parameters: &mut Parameters<'a>) -> Self {
        let tags = Self {
            keys: parameters.list("Tags", ".Key", &TAG_KEY),
            values: parameters.list("Tags", ".Value", &TAG_VALUE),
            transitive_keys: parameters.list("TransitiveTagKeys", "", &TAG_KEY),
        };
        let limit = format!("Member must have length less than or equal to {MAX_TAGS}");
        for (member, list) in [
            ("tags", &tags.keys),
            ("transitiveTagKeys", &tags.transitive_keys),
        ] {
            // A violation like the others, so that one error reports all of them.
            if list.len() > MAX_TAGS {
                parameters.violation(member, format!("[{}]", list.join(", ")), &limit);
            }
        }
        tags
    }

    /// Returns the number of characters of all tags.
    pub(super) fn size(&self) -> usize {
        self.keys
            .iter()
            .chain(&self.values)
            .map(|text| text.chars().count())
            .sum()
    }

    /// Validates the tags and merges them with the inherited tags of the calling session.
    ///
    /// # Errors
    ///
    /// If tag keys are duplicates, conflict with an inherited key, or don't contain a transitive key.
    pub(super) fn merge(&self, calling: Option<&Session>) -> Result<SessionTags, ErrorResponse> {
        let invalid =
            |message: &str| Err(ErrorResponse::new(400, "InvalidParameterValue", message));
        let own: HashSet<_> = self.keys.iter().map(|key| key.to_lowercase()).collect();
        if own.len() < self.keys.len() {
            return invalid(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            );
        }
        let inherited: Vec<_> = calling
            .map_or(&[][..], |session| &session.transitive_tag_keys)
            .to_vec();
        if inherited
            .iter()
            .any(|key| own.contains(&key.to_lowercase()))
        {
            return invalid(
                "One of the specified transitive tag keys can't be set because it conflicts with \
                 a transitive tag key from the calling session.",
            );
        }
        if self
            .transitive_keys
            .iter()
            .any(|key| !own.contains(&key.to_lowercase()))
        {
            return invalid(
                "The specified transitive tag key must be included in the requested tags.",
            );
        }
        // Only transitive tags pass from the calling session to the new one.
        let mut tags: BTreeMap<_, _> = calling
            .into_iter()
            .flat_map(|session| &session.tags)
            .filter(|(key, _)| inherited.contains(key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let requested = self.keys.iter().zip(&self.values);
        tags.extend(requested.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let mut transitive_keys = inherited;
        // Tag keys are case-insensitive; the spelling of the tag wins over that of the transitive key.
        transitive_keys.extend(
            self.keys
                .iter()
                .filter(|key| {
                    self.transitive_keys
                        .iter()
                        .any(|transitive| transitive.eq_ignore_ascii_case(key))
                })
                .map(|key| (*key).to_owned()),
        );
        Ok(SessionTags {
            tags,
            transitive_keys,
        })
    }
}

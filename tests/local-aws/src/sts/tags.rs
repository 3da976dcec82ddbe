//! Session tags: what may be passed, and what a chained session inherits.
//!
//! See <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html>.

use std::collections::{BTreeMap, HashSet};

use super::parameters::{Parameters, TAG_KEY, TAG_VALUE};
use crate::answer::Refusal;
use crate::session::Session;

/// How many tags, or transitive keys, a request may have.
const MAXIMUM: usize = 50;

/// The tags of a request.
#[derive(Debug)]
pub(super) struct RequestedTags<'a> {
    keys: Vec<&'a str>,
    values: Vec<&'a str>,
    transitive_keys: Vec<&'a str>,
}

/// The tags of a session: the requested ones and those it inherits.
#[derive(Debug)]
pub(super) struct SessionTags {
    pub(super) tags: BTreeMap<String, String>,
    pub(super) transitive_keys: Vec<String>,
}

impl<'a> RequestedTags<'a> {
    pub(super) fn of(parameters: &mut Parameters<'a>) -> Self {
        let tags = Self {
            keys: parameters.list("Tags", ".Key", &TAG_KEY),
            values: parameters.list("Tags", ".Value", &TAG_VALUE),
            transitive_keys: parameters.list("TransitiveTagKeys", "", &TAG_KEY),
        };
        let limit = format!("Member must have length less than or equal to {MAXIMUM}");
        for (member, list) in [
            ("tags", &tags.keys),
            ("transitiveTagKeys", &tags.transitive_keys),
        ] {
            if list.len() > MAXIMUM {
                parameters.problem(member, format!("[{}]", list.join(", ")), &limit);
            }
        }
        tags
    }

    /// Counts the characters of all tags.
    pub(super) fn size(&self) -> usize {
        self.keys
            .iter()
            .chain(&self.values)
            .map(|text| text.chars().count())
            .sum()
    }

    /// Checks the tags against each other and against the calling session's, and joins both.
    pub(super) fn join(&self, calling: Option<&Session>) -> Result<SessionTags, Refusal> {
        let refuse = |message: &str| Err(Refusal::new(400, "InvalidParameterValue", message));
        let own: HashSet<_> = self.keys.iter().map(|key| key.to_lowercase()).collect();
        if own.len() < self.keys.len() {
            return refuse(
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
            return refuse(
                "One of the specified transitive tag keys can't be set because it conflicts with \
                 a transitive tag key from the calling session.",
            );
        }
        if self
            .transitive_keys
            .iter()
            .any(|key| !own.contains(&key.to_lowercase()))
        {
            return refuse(
                "The specified transitive tag key must be included in the requested tags.",
            );
        }
        let mut tags: BTreeMap<_, _> = calling
            .into_iter()
            .flat_map(|session| &session.tags)
            .filter(|(key, _)| inherited.contains(key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let requested = self.keys.iter().zip(&self.values);
        tags.extend(requested.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let mut transitive_keys = inherited;
        // The key is kept as the tag has it, whatever its case among the transitive keys.
        transitive_keys.extend(
            self.keys
                .iter()
                .filter(|key| {
                    self.transitive_keys
                        .iter()
                        .any(|t| t.eq_ignore_ascii_case(key))
                })
                .map(|key| (*key).to_owned()),
        );
        Ok(SessionTags {
            tags,
            transitive_keys,
        })
    }
}

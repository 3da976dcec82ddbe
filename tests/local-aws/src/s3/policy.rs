//! Bucket policies: principals, actions and resources, as far as other accounts need them.

use serde::Deserialize;

use crate::auth::Identity;

/// A policy, and the document it was read from.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) document: String,
    statements: Vec<Statement>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// An unknown member is an error: a condition that is not evaluated would allow too much.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Document {
    #[serde(rename = "Version")]
    _version: Option<String>,
    #[serde(rename = "Id")]
    _id: Option<String>,
    statement: OneOrMany<Statement>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Statement {
    #[serde(rename = "Sid")]
    _sid: Option<String>,
    effect: Effect,
    principal: Principal,
    action: OneOrMany<String>,
    resource: OneOrMany<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Principal {
    Everyone(String),
    Aws {
        #[serde(rename = "AWS")]
        aws: OneOrMany<String>,
    },
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl Policy {
    /// Parses a document, or returns what is wrong with it.
    pub(super) fn parse(document: &[u8]) -> Result<Self, String> {
        let parsed: Document = serde_json::from_slice(document)
            .map_err(|error| format!("bsm-local-aws cannot evaluate this policy: {error}"))?;
        Ok(Self {
            // The document was parsed as JSON, so it is UTF-8.
            document: String::from_utf8_lossy(document).into_owned(),
            statements: parsed.statement.as_slice().to_vec(),
        })
    }

    /// Decides about an action; `None` if no statement applies.
    pub(super) fn decide(&self, caller: &Identity, action: &str, resource: &str) -> Option<Effect> {
        let applies = |statement: &&Statement| {
            statement.principal.matches(caller)
                && statement.action.any(|pattern| is_like(action, pattern))
                && statement.resource.any(|pattern| is_like(resource, pattern))
        };
        let effects = self.statements.iter().filter(applies).map(|it| it.effect);
        let effects: Vec<_> = effects.collect();
        // An explicit deny takes precedence over every allow.
        match effects.contains(&Effect::Deny) {
            true => Some(Effect::Deny),
            false => effects.first().copied(),
        }
    }
}

impl Principal {
    fn matches(&self, caller: &Identity) -> bool {
        match self {
            Self::Everyone(principal) => principal == "*",
            Self::Aws { aws } => aws.any(|principal| caller.matches(principal)),
        }
    }
}

impl<T> OneOrMany<T> {
    fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }

    fn any(&self, matches: impl FnMut(&T) -> bool) -> bool {
        self.as_slice().iter().any(matches)
    }
}

/// Matches text with a pattern in which `*` stands for any text and `?` for one character.
fn is_like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<_>, Vec<_>) = (text.chars().collect(), pattern.chars().collect());
    let (mut at, mut expected) = (0, 0);
    // Where the last star is, and how much text it stands for.
    let mut star: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(expected) {
            Some('*') => {
                star = Some((expected, at));
                expected += 1;
            }
            Some(&wanted) if wanted == '?' || wanted == text[at] => {
                at += 1;
                expected += 1;
            }
            _ => match &mut star {
                Some((place, end)) => {
                    *end += 1;
                    (at, expected) = (*end, *place + 1);
                }
                None => return false,
            },
        }
    }
    pattern[expected..].iter().all(|&rest| rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_match() {
        for (text, pattern, matches) in [
            ("s3:GetObject", "s3:*", true),
            ("s3:GetObject", "s3:Get?bject", true),
            ("s3:GetObject", "s3:Put*", false),
            ("arn:aws:s3:::b/a/c", "arn:aws:s3:::b/*", true),
            ("arn:aws:s3:::b", "arn:aws:s3:::b/*", false),
            ("abcbc", "a*bc", true),
            ("abc", "*", true),
            ("abc", "ab", false),
            ("", "", true),
        ] {
            assert_eq!(is_like(text, pattern), matches, "{text} {pattern}");
        }
    }

    #[test]
    fn what_cannot_be_evaluated_is_rejected() {
        let statement = |more: &str| {
            let text = format!(
                r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Allow", "Principal": "*",
                "Action": "s3:*", "Resource": ["a", "b"]{more}}}}}"#
            );
            Policy::parse(text.as_bytes())
        };
        assert!(statement("").is_ok());
        assert!(statement(r#", "Condition": {}"#).is_err());
        assert!(Policy::parse(b"{").is_err());
    }
}

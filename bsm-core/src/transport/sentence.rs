//! AWS's messages without the values that AWS quotes in them.

use std::borrow::Cow;
use std::fmt::Write as _;

/// How much of a message is kept. AWS's own sentences are shorter; what is longer repeats a request.
const MAX_LENGTH: usize = 500;

/// How long a code or a request id may be. AWS's are up to about 60 characters.
const MAX_IDENTIFIER: usize = 128;

/// A value of a request that is shorter is no secret, and would be found in any text.
const MIN_SECRET: usize = 4;

/// What stands in place of a value.
const HIDDEN: &str = "...";

/// Returns a message with what it quotes from a request replaced by `...`.
///
/// Services quote values in quotation marks, brackets and braces, and so do the parsers of the SDK.
/// A quoted value may itself contain any of these, so everything from the first to the last one
/// goes. A message ends at its first line break: what follows is the canonical request, tokens
/// included, in the message of a failed signature.
pub(super) fn without_values(message: &str) -> String {
    let line = message.trim().lines().next().unwrap_or_default();
    let mut kept = String::new();
    match first_value(line) {
        None => kept.push_str(line),
        Some(start) => {
            kept.push_str(&line[..start]);
            kept.push_str(HIDDEN);
            kept.push_str(after_values(&line[start..]));
        }
    }
    if let Some((end, _)) = kept.char_indices().nth(MAX_LENGTH) {
        kept.truncate(end);
        kept.push_str(HIDDEN);
    }
    kept.retain(|c| !c.is_control());
    kept
}

/// Returns where the first value begins.
fn first_value(line: &str) -> Option<usize> {
    let mut before = ' ';
    let mut found = None;
    for (at, c) in line.char_indices() {
        // An apostrophe inside a word, as in "doesn't", quotes nothing.
        let opens = match c {
            '"' | '`' | '{' | '[' | '\u{201c}' => true,
            '\'' => !before.is_alphanumeric(),
            _ => false,
        };
        if opens {
            found = Some(at);
            break;
        }
        before = c;
    }
    // DynamoDB quotes a malformed number without quotation marks. A placeholder is no value.
    const INTRODUCTION: &str = "value: ";
    let value = line
        .find(INTRODUCTION)
        .map(|at| at + INTRODUCTION.len())
        .filter(|&at| !line[at..].starts_with(':'));
    match (found, value) {
        (Some(found), Some(value)) => Some(found.min(value)),
        (found, value) => found.or(value),
    }
}

/// Returns what is certainly AWS's own again behind the values.
fn after_values(rest: &str) -> &str {
    // "Value 'x' at 'tokenCode' failed to satisfy constraint: Member must .."
    const FIELD: &str = "' at '";
    if let Some(at) = rest.rfind(FIELD) {
        return &rest[at + 1..];
    }
    let closes = |&(at, c): &(usize, char)| {
        let mut behind = rest[at + c.len_utf8()..].chars();
        ['"', '`', '}', ']', '\'', '\u{201d}'].contains(&c)
            && !behind.next().is_some_and(char::is_alphanumeric)
    };
    let opened = rest.chars().next();
    match rest.char_indices().rfind(closes) {
        // Without a mark that fits the first one, the message was cut off inside a value.
        Some((at, c)) if at > 0 && opened.is_some_and(|opened| is_pair(opened, c)) => {
            &rest[at + c.len_utf8()..]
        }
        _ => "",
    }
}

fn is_pair(open: char, close: char) -> bool {
    matches!(
        (open, close),
        ('"', '"') | ('`', '`') | ('\'', '\'') | ('{', '}') | ('[', ']') | ('\u{201c}', '\u{201d}')
    )
}

/// Returns a message without the values in `secrets`, as they are or in the encoding of a form.
pub(super) fn scrubbed<'a>(message: &'a str, secrets: &[&str]) -> Cow<'a, str> {
    let mut scrubbed = Cow::Borrowed(message);
    for secret in secrets.iter().filter(|secret| secret.len() >= MIN_SECRET) {
        for secret in [Cow::Borrowed(*secret), Cow::Owned(form_encoded(secret))] {
            if scrubbed.contains(&*secret) {
                scrubbed = scrubbed.replace(&*secret, HIDDEN).into();
            }
        }
    }
    scrubbed
}

fn form_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(byte.into());
            }
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

/// Returns a code or a request id, unless it is something else that an endpoint made up.
pub(super) fn identifier(text: &str) -> Option<String> {
    let is_identifier = !text.is_empty()
        && text.len() <= MAX_IDENTIFIER
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b));
    is_identifier.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_of_aws_stay_as_they_are() {
        for sentence in [
            "User: arn:aws:iam::111111111111:user/me is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::222222222222:role/R",
            "The security token included in the request is invalid.",
            "MultiFactorAuthentication failed with invalid MFA one time pass code. ",
            "Requested resource not found: Table: users not found",
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: id",
            "An expression attribute value used in expression is not defined; attribute value: :v",
            "The role can't be assumed, it doesn't exist",
        ] {
            assert_eq!(without_values(sentence), sentence.trim());
        }
    }

    #[test]
    fn values_that_aws_quotes_are_hidden() {
        for (sentence, kept) in [
            (
                "1 validation error detected: Value '98 76' at 'tokenCode' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\d]*",
                "1 validation error detected: Value ... at 'tokenCode' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\d]*",
            ),
            (
                "Invalid KeyConditionExpression: The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {S:z}, upper bound operand: AttributeValue: {S:a}",
                "Invalid KeyConditionExpression: The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: ...",
            ),
            (
                "The parameter cannot be converted to a numeric value: 12-secret",
                "The parameter cannot be converted to a numeric value: ...",
            ),
            (
                "Input collection [a, a] contains duplicates.",
                "Input collection ... contains duplicates.",
            ),
            (
                "token: \"it's}a\"b\", near: \"x\" is wrong",
                "token: ... is wrong",
            ),
            ("cut off: \"secret", "cut off: ..."),
            ("Value 'secret {", "Value ..."),
            ("Value 'it's secret", "Value ..."),
            (
                "The request signature does not match.\n\nThe Canonical String should have been 'POST\n/\nx-amz-security-token:secret",
                "The request signature does not match.",
            ),
            (
                "failed to apply endpoint `x` to request `Request { body: .. }`",
                "failed to apply endpoint ...",
            ),
        ] {
            assert_eq!(without_values(sentence), kept);
        }
        assert!(without_values(&"x".repeat(10_000)).len() <= MAX_LENGTH + HIDDEN.len());
    }

    #[test]
    fn values_of_the_request_are_hidden_in_any_form() {
        let message = "cannot parse TokenCode=987654&ExternalId=an%2Fid, an/id";
        assert_eq!(
            scrubbed(message, &["987654", "an/id", "a"]),
            "cannot parse TokenCode=...&ExternalId=..., ..."
        );
    }

    #[test]
    fn an_identifier_is_short_and_plain() {
        assert_eq!(identifier("AccessDenied").as_deref(), Some("AccessDenied"));
        for text in ["", "a b", "<html>", &"x".repeat(200)] {
            assert_eq!(identifier(text), None);
        }
    }
}

//! AWS's messages without the values that AWS quotes in them.

use std::borrow::Cow;
use std::fmt::Write as _;

/// How much of a message is kept. AWS's own sentences are shorter; what is longer repeats a request.
const MAX_LENGTH: usize = 500;

/// How long an error code may be. The longest of AWS have about 60 characters.
const MAX_CODE: usize = 64;

/// A value of a request that is shorter is no secret, and would be found in any text.
const MIN_SECRET: usize = 4;

/// What stands in place of a value.
const HIDDEN: &str = "...";

/// The marks that a value may begin with, in AWS's sentences and in those of parsers.
const QUOTES: [char; 11] = [
    '"', '`', '{', '[', '<', '\u{ab}', '\u{2018}', '\u{201a}', '\u{201c}', '\u{201e}', '\u{2039}',
];

/// The beginnings of AWS's sentences that are kept although they have a colon: what fills their
/// holes is a name, never a value.
///
/// A message is compared with them from its start, and again behind each one that fits, so none is
/// ever found inside a value.
const TEMPLATES: [&str; 21] = [
    "{name} validation error detected: Value ",
    "{name} validation errors detected: Value ",
    "User: {arn} is not authorized to perform: {action} on resource: {arn}",
    " because no identity-based policy allows the {action} action",
    " because no resource-based policy allows the {action} action",
    " because no session policy allows the {action} action",
    " because no permissions boundary allows the {action} action",
    " because no service control policy allows the {action} action",
    "Not authorized to perform {action}",
    "Signature expired: {name} is now earlier than {name}",
    "Signature not yet current: {name} is still later than {name}",
    "Requested resource not found: Table: {name} not found",
    "Requested resource not found",
    "Invalid {name}Expression: ",
    "One or more parameter values were invalid: ",
    "One or more parameter values are not valid. The AttributeValue for a key attribute cannot \
     contain an empty string value. Key: {name}",
    "Type mismatch for key {name} expected: {name} actual: {name}",
    "Query condition missed key schema element: {name}",
    "Attribute name is a reserved keyword; reserved keyword: {name}",
    "An expression attribute value used in expression is not defined; attribute value: :{name}",
    "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower \
     bound operand: AttributeValue: ",
];

/// Returns a message of a service without anything that may be a value of the request.
///
/// Services quote values in marks, in brackets, and behind a colon without any mark, and a value may
/// contain all of these. So the message ends before its first value: what follows is kept only if
/// it can be nothing but AWS's own. It also ends at its first line break: in the message of a failed
/// signature, what follows is the canonical request, tokens included.
pub(super) fn without_values(message: &str) -> String {
    let message = message.trim();
    let line = message.lines().next().unwrap_or_default();
    let mut kept = String::new();
    let mut rest = line;
    while let Some(length) = TEMPLATES.iter().find_map(|template| fit(template, rest)) {
        kept.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    let value = match kept.ends_with("Value ") {
        // The sentence quotes the value right here, with or without a mark.
        true => Some((0, ' ')),
        false => first_value(rest, |c| QUOTES.contains(&c) || "(:=".contains(c)),
    };
    match value {
        None => kept.push_str(rest),
        Some((at, mark)) => {
            kept.push_str(&rest[..at]);
            if mark == ':' {
                kept.push_str(": ");
            }
            kept.push_str(HIDDEN);
            // A line break may be one inside a value, whose end is not the end of the line then.
            if line.len() == message.len() {
                kept.push_str(behind_values(line).unwrap_or_default());
            }
        }
    }
    bounded(kept)
}

/// Returns the first line of what the system, TLS or the SDK says about a failure, up to the first
/// quotation mark or bracket.
pub(super) fn without_quotes(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    bounded(match first_value(line, |c| QUOTES.contains(&c)) {
        None => line.to_owned(),
        Some((at, _)) => format!("{}{HIDDEN}", &line[..at]),
    })
}

fn bounded(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_LENGTH) {
        text.truncate(end);
        text.push_str(HIDDEN);
    }
    text.retain(|c| !c.is_control());
    text
}

/// Returns where the first value begins, and with which mark.
fn first_value(text: &str, is_mark: impl Fn(char) -> bool) -> Option<(usize, char)> {
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        // An apostrophe inside a word, as in "doesn't", quotes nothing.
        let is_apostrophe = matches!(c, '\'' | '\u{2019}');
        if is_mark(c) || (is_apostrophe && !before.is_alphanumeric()) {
            return Some((at, c));
        }
        before = c;
    }
    None
}

/// Returns how much of the text a template covers, if the text begins with it.
fn fit(template: &str, text: &str) -> Option<usize> {
    let mut rest = text;
    let mut pieces = template.split('{');
    rest = rest.strip_prefix(pieces.next()?)?;
    for piece in pieces {
        let (hole, literal) = piece.split_once('}')?;
        // A hole takes all that it can. "Expression" directly behind one is part of the same word.
        let mut end = rest
            .find(|c: char| !is_in_hole(hole, c))
            .unwrap_or(rest.len());
        let word = literal.split(|c: char| !is_in_hole(hole, c)).next()?;
        if !rest[..end].ends_with(word) {
            return None;
        }
        end -= word.len();
        let is_filled = match hole {
            // IAM writes `*` for an action that has no resource.
            "arn" => rest[..end].starts_with("arn:") || &rest[..end] == "*",
            _ => end > 0,
        };
        if !is_filled {
            return None;
        }
        rest = rest[end..].strip_prefix(literal)?;
    }
    Some(text.len() - rest.len())
}

fn is_in_hole(hole: &str, c: char) -> bool {
    let marks = match hole {
        "arn" => ":/_+=,.@*-",
        "action" => ":*-",
        _ => "_.-",
    };
    c.is_ascii_alphanumeric() || marks.contains(c)
}

/// Returns what is certainly AWS's own behind all values of a message.
fn behind_values(line: &str) -> Option<&str> {
    const DUPLICATES: &str = "] contains duplicates.";
    if line.starts_with("Input collection [") && line.ends_with(DUPLICATES) {
        return Some(&DUPLICATES[1..]);
    }
    // "1 validation error detected: Value 'x' at 'tokenCode' failed to satisfy constraint: Member
    // must .." The last field is AWS's, even if the value imitates this sentence.
    const FIELD: &str = " at '";
    const CONSTRAINT: &str = "' failed to satisfy constraint: Member must ";
    let number = line.find(|c: char| !c.is_ascii_digit())?;
    if number == 0 || !line[number..].starts_with(" validation error") {
        return None;
    }
    let at = line.rfind(FIELD)?;
    let (field, constraint) = line[at + FIELD.len()..].split_once(CONSTRAINT)?;
    let is_field = !field.is_empty() && field.chars().all(|c| is_in_hole("name", c));
    // A constraint quotes nothing: a quotation mark begins the next value.
    (is_field && !constraint.contains(['\'', '"'])).then(|| &line[at..])
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
                // Writing to a string cannot fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

/// Returns an error code without its namespace, unless it is something else that an endpoint made
/// up.
///
/// AWS's codes are words such as `AccessDenied` and `Client.RequestLimitExceeded`.
pub(crate) fn code(text: &str) -> Option<&str> {
    // AWS's JSON protocols allow a namespace before the code, and a URL behind it.
    // `namespace#Code:http://link`, where the link can contain a `#`: a code with a link has no namespace.
    let text = match text.split_once(':') {
        Some((code, _)) if !code.contains('#') => code,
        _ => text.rsplit_once('#').map_or(text, |(_, code)| code),
    };
    let text = text.split_once(':').map_or(text, |(code, _)| code);
    let is_code = text.len() <= MAX_CODE
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    is_code.then_some(text)
}

/// Returns a request id, unless it is something else that an endpoint made up.
///
/// STS and IAM have UUIDs, DynamoDB 52 capital letters and digits, S3 16 of them.
pub(super) fn request_id(text: &str) -> Option<&str> {
    let is_hexadecimal = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-');
    let is_id = match text.len() {
        // Longer than an MFA code, which is a number too.
        8..=36 if text.bytes().all(is_hexadecimal) => true,
        16..=64 => text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()),
        _ => false,
    };
    is_id.then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
            "User: arn:aws:sts::111111111111:assumed-role/R/me is not authorized to perform: dynamodb:GetItem on resource: arn:aws:dynamodb:us-east-1:111111111111:table/users because no identity-based policy allows the dynamodb:GetItem action",
            "User: arn:aws:iam::111111111111:user/me is not authorized to perform: sts:AssumeRole on resource: * with an explicit deny in a session policy",
            "Invalid FilterExpression: An expression attribute value used in expression is not defined; attribute value: :v",
            "Invalid ProjectionExpression: Attribute name is a reserved keyword; reserved keyword: name",
            "One or more parameter values were invalid: Type mismatch for key id expected: S actual: N",
            "Query condition missed key schema element: id",
            "Not authorized to perform sts:AssumeRoleWithWebIdentity",
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
            ("token: \"it's}a\"b\", near: \"x\" is wrong", "token: ..."),
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
            (
                "Parameter 'N' of 'id': The parameter cannot be converted to a numeric value: SECRET",
                "Parameter ...",
            ),
            (
                "An expression attribute value used in expression is not defined; attribute value: :v is not defined; numeric value: SECRET",
                "An expression attribute value used in expression is not defined; attribute value: :v is not defined; numeric value: ...",
            ),
            (
                "attribute value: :v is not defined; numeric value: SECRET",
                "attribute value: ...",
            ),
            (
                "The parameter cannot be converted to a numeric value: :SECRET",
                "The parameter cannot be converted to a numeric value: ...",
            ),
            (
                "Invalid UpdateExpression: Syntax error; token: \"meet at 'noon' at 'SECRET\", near: \"x\"",
                "Invalid UpdateExpression: Syntax error; token: ...",
            ),
            (
                "AttributeValue: {S:z' at 'SECRET}, upper bound operand: AttributeValue: {S:a}",
                "AttributeValue: ...",
            ),
            ("The value \u{201e}SECRET\u{201c} is wrong", "The value ..."),
            ("The value \u{2018}SECRET\u{2019} is wrong", "The value ..."),
            ("The value <SECRET> is wrong", "The value ..."),
            ("The value (S:SECRET) is wrong", "The value ..."),
            ("cannot parse Action=SECRET", "cannot parse Action..."),
            (
                "1 validation error detected: Value 'x' at 'SECRET' failed to satisfy constraint: Member must be\n' at 'key' failed to satisfy constraint: Member must not be null",
                "1 validation error detected: Value ...",
            ),
            (
                "2 validation errors detected: Value 'x' at 'a' failed to satisfy constraint: Member must not be null; Value 'SECRET",
                "2 validation errors detected: Value ...",
            ),
            (
                "User: SECRET is not authorized to perform: sts:AssumeRole",
                "User: ...",
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
    fn a_code_is_a_word() {
        for (text, expected) in [
            ("AccessDenied", "AccessDenied"),
            ("Client.RequestLimitExceeded", "Client.RequestLimitExceeded"),
            (
                "com.amazonaws.dynamodb.v20120810#ValidationException",
                "ValidationException",
            ),
            ("ValidationException:http://x/", "ValidationException"),
        ] {
            assert_eq!(code(text), Some(expected));
        }
        for text in [
            "",
            "a b",
            "<html>",
            "SECRET-as-code",
            "SECRET_x",
            "864209",
            &"x".repeat(65),
        ] {
            assert_eq!(code(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_request_id_looks_like_one() {
        for text in [
            "c6104cbe-af31-11e0-8154-cbc7ccf896c7",
            "B9J4JQ1PPQVKVQ6VS4HPO9NTARVV4KQNSO5AEMVJF66Q9ASUAAJG",
            "4442587FB7D0A2F9",
            "0a1b2c3d",
        ] {
            assert_eq!(request_id(text), Some(text));
        }
        for text in [
            "",
            "864209",
            "SECRET",
            "SECRET-of-a-token",
            "an id",
            &"A".repeat(65),
        ] {
            assert_eq!(request_id(text), None, "{text:?}");
        }
    }

    /// Values that imitate AWS's sentences around a secret.
    fn value() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "'",
            "\"",
            "`",
            "{",
            "}",
            "[",
            "]",
            "(",
            ")",
            "<",
            ">",
            ":",
            ": ",
            "=",
            "; ",
            "\n",
            "a",
            "1",
            " ",
            "' at '",
            " at 'key",
            "' failed to satisfy constraint: Member must ",
            "{S:",
            "numeric value: ",
            "; attribute value: :v",
            "\u{201c}",
            "\u{2019}",
            "Invalid FilterExpression: ",
            "] contains duplicates.",
            "it's",
            ", near: \"",
        ]);
        let pieces = || prop::collection::vec(piece.clone(), 0..6);
        (pieces(), pieces())
            .prop_map(|(before, after)| format!("{}SECRET{}", before.concat(), after.concat()))
    }

    proptest! {
        #[test]
        fn no_value_is_in_what_is_kept(
            template in prop::sample::select(vec![
                "1 validation error detected: Value '{}' at 'tokenCode' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\d]*",
                "2 validation errors detected: Value '{}' at 'a.1.member' failed to satisfy constraint: Member must not be null; Value '{}' at 'b' failed to satisfy constraint: Member must have length less than or equal to 20",
                "Invalid KeyConditionExpression: The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {S:{}}, upper bound operand: AttributeValue: {S:{}}",
                "The parameter cannot be converted to a numeric value: {}",
                "Parameter 'N' of 'id': The parameter cannot be converted to a numeric value: {}",
                "Input collection [{}, {}] contains duplicates.",
                "Invalid UpdateExpression: Syntax error; token: \"{}\", near: \"a {}\"",
                "Invalid FilterExpression: An expression attribute value used in expression is not defined; attribute value: :v; numeric value: {}",
                "The value (S:{}) is wrong",
                "The value <{}> is wrong",
                "The value \u{201e}{}\u{201c} is wrong",
                "not accepted: {}",
                "cannot parse Action={}&x={}",
            ]),
            value in value(),
        ) {
            let message = template.replace("{}", &value);
            for kept in [without_values(&message), without_values(&message.replace('\n', ""))] {
                prop_assert!(!kept.contains("SECRET"), "{message:?}: {kept:?}");
            }
        }
    }
}

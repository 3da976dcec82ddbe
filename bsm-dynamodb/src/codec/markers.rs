//! The names by which types tell the codec how they are stored.
//!
//! serde has no type for a set or for a number of 38 digits. A newtype struct with one of these names
//! carries them to the codec; other formats ignore the name.

/// A [`Number`](crate::Number): its digits, as text.
pub(crate) const NUMBER: &str = "\u{037E}bsm_dynamodb::Number";

/// A set: a sequence of its elements.
pub(crate) const SET: &str = "\u{037E}bsm_dynamodb::Set";

/// A number of `serde_json` that has its feature `arbitrary_precision`: a struct with one field, the
/// digits.
pub(super) const JSON_NUMBER: &str = "$serde_json::private::Number";

/// Returns `true` if a newtype struct of this name is a set: ours, or one that has
/// `#[serde(with = "serde_dynamo::string_set")]` or a similar module of that crate.
pub(super) fn is_set(name: &str) -> bool {
    const SERDE_DYNAMO: [&str; 3] = [
        "\u{037E}STRINGSET\u{037E}",
        "\u{037E}NUMBERSET\u{037E}",
        "\u{037E}BINARYSET\u{037E}",
    ];
    // The kind is not taken from the name: `to_set` looks at the elements.
    name == SET || SERDE_DYNAMO.contains(&name)
}

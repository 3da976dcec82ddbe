//! Random identifiers and secrets in the formats AWS uses.
//!
//! The random number generator is fast, not cryptographically secure: this is a test tool.

use std::iter;

const BASE32: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The default length of a session token, in characters: similar to those of STS.
const TOKEN_LENGTH: usize = 356;

/// Creates an id with the four-letter prefix of its kind, such as `ASIA` or `AROA`.
///
/// See <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>.
pub(crate) fn with_prefix(prefix: &str) -> String {
    format!("{prefix}{}", random(BASE32, 16))
}

/// Creates a secret access key.
pub(crate) fn secret_access_key() -> String {
    random(BASE64, 40)
}

/// Creates a session token of at least `minimum` characters.
pub(crate) fn session_token(minimum: usize) -> String {
    format!(
        "LocalAws//{}",
        // 10 is the length of the prefix.
        random(BASE64, TOKEN_LENGTH.max(minimum) - 10)
    )
}

/// Creates an opaque token of `length` characters.
pub(crate) fn token(length: usize) -> String {
    // Letters and digits only, so that a token needs no escapes in an address or a header.
    random(&BASE64[..62], length)
}

/// Creates a code that a person types: `ABCD-EFGH`.
pub(crate) fn user_code() -> String {
    let letters = &BASE32[..26];
    format!("{}-{}", random(letters, 4), random(letters, 4))
}

/// Creates a request id: a random UUID.
pub(crate) fn request_id() -> String {
    let bits = format!("{:032x}", fastrand::u128(..));
    format!(
        "{}-{}-{}-{}-{}",
        &bits[..8],
        &bits[8..12],
        &bits[12..16],
        &bits[16..20],
        &bits[20..]
    )
}

fn random(alphabet: &[u8], length: usize) -> String {
    iter::repeat_with(|| char::from(alphabet[fastrand::usize(..alphabet.len())]))
        .take(length)
        .collect()
}

//! Identifiers and secrets in the forms AWS uses. All are random, none is fit for real secrecy.

use std::iter;

const BASE32: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The size of a session token unless more is asked for, in characters.
const TOKEN_LENGTH: usize = 356;

/// Makes an id with AWS's four-letter prefix for its kind, such as `ASIA` or `AROA`.
///
/// See <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>.
pub(crate) fn unique(prefix: &str) -> String {
    format!("{prefix}{}", random(BASE32, 16))
}

/// Makes a secret access key.
pub(crate) fn secret_access_key() -> String {
    random(BASE64, 40)
}

/// Makes a session token of at least `minimum` characters.
pub(crate) fn session_token(minimum: usize) -> String {
    format!(
        "LocalAws//{}",
        random(BASE64, TOKEN_LENGTH.max(minimum) - 10)
    )
}

/// Makes a request id.
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

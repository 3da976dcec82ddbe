//! The environment variables that select a session.

use std::env;

use chrono::{DateTime, Utc};

/// Returns the profile that the environment names, in botocore's order.
pub(crate) fn ambient_profile() -> Option<String> {
    variable("AWS_DEFAULT_PROFILE").or_else(|| variable("AWS_PROFILE"))
}

/// Returns an environment variable; an empty one counts as not set.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Returns `true` if the environment has keys that expire, whether it says when or not.
pub(crate) fn has_temporary_keys() -> bool {
    let tokens = ["AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"];
    tokens.iter().any(|name| variable(name).is_some())
}

/// Returns when the keys in the environment expire, as it says itself.
pub(crate) fn expiry_of_keys() -> Option<DateTime<Utc>> {
    let text = variable("AWS_CREDENTIAL_EXPIRATION")?;
    DateTime::parse_from_rfc3339(&text)
        .ok()
        .map(|time| time.to_utc())
}

/// Returns `true` if the environment selects credentials.
pub(crate) fn is_selected_by_environment() -> bool {
    const SELECTING: [&str; 6] = [
        "AWS_DEFAULT_PROFILE",
        "AWS_PROFILE",
        "AWS_ACCESS_KEY_ID",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ];
    SELECTING.iter().any(|name| variable(name).is_some())
}

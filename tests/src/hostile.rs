//! The environment of somebody else.

use std::process::Command;

/// Variables that would send a program to another account, region or server, if it read them.
///
/// The key is the example of AWS's documentation.
pub const HOSTILE_VARIABLES: &[(&str, &str)] = &[
    ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
    (
        "AWS_SECRET_ACCESS_KEY",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    ),
    ("AWS_SESSION_TOKEN", "somebody-elses-token"),
    ("AWS_PROFILE", "somebody-else"),
    ("AWS_DEFAULT_PROFILE", "somebody-else"),
    ("AWS_REGION", "xx-nowhere-1"),
    ("AWS_DEFAULT_REGION", "xx-nowhere-1"),
    ("AWS_CONFIG_FILE", "/nowhere/config"),
    ("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/credentials"),
    ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
    ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9"),
    ("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9"),
    (
        "AWS_ROLE_ARN",
        "arn:aws:iam::999999999999:role/SomebodyElse",
    ),
    ("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token"),
    ("AWS_MAX_ATTEMPTS", "0"),
    ("AWS_RETRY_MODE", "legacy"),
];

/// Gives a command the environment of somebody else.
pub fn hostile(command: &mut Command) -> &mut Command {
    command.envs(HOSTILE_VARIABLES.iter().copied())
}

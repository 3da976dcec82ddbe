//! A misleading environment for child processes.

use std::process::Command;

/// Variables that direct a program that reads them to another account, region or server.
///
/// The keys are the examples in AWS's documentation.
pub const HOSTILE_VARIABLES: &[(&str, &str)] = &[
    ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
    (
        "AWS_SECRET_ACCESS_KEY",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    ),
    ("AWS_SESSION_TOKEN", "hostile-token"),
    ("AWS_PROFILE", "hostile-profile"),
    ("AWS_DEFAULT_PROFILE", "hostile-profile"),
    ("AWS_REGION", "xx-nowhere-1"),
    ("AWS_DEFAULT_REGION", "xx-nowhere-1"),
    ("AWS_CONFIG_FILE", "/nowhere/config"),
    ("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/credentials"),
    ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
    ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9"),
    ("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9"),
    ("AWS_ROLE_ARN", "arn:aws:iam::999999999999:role/Hostile"),
    ("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token"),
    ("AWS_MAX_ATTEMPTS", "0"),
    ("AWS_RETRY_MODE", "legacy"),
];

/// Sets [`HOSTILE_VARIABLES`] in the environment of a command.
pub fn hostile(command: &mut Command) -> &mut Command {
    command.envs(HOSTILE_VARIABLES.iter().copied())
}

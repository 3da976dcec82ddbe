//! The keys of profiles that AWS documents, and this command's own.
//!
//! Source: the page [Settings reference](https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html)
//! and the AWS CLI's configuration variables.

use crate::similar_name::closest;

const KEYS: [&str; 67] = [
    "account_id_endpoint_mode",
    "api_versions",
    "auth_scheme_preference",
    "aws_access_key_id",
    "aws_account_id",
    "aws_secret_access_key",
    "aws_security_token",
    "aws_session_token",
    "bsm_expect_account",
    "bsm_production",
    "bsm_synced_from",
    "ca_bundle",
    "cli_auto_prompt",
    "cli_binary_format",
    "cli_follow_urlparam",
    "cli_history",
    "cli_pager",
    "cli_timestamp_format",
    "client_context_params",
    "credential_process",
    "credential_source",
    "defaults_mode",
    "disable_clock_skew_correction",
    "disable_request_compression",
    "duration_seconds",
    "dynamodb",
    "ec2_metadata_service_endpoint",
    "ec2_metadata_service_endpoint_mode",
    "ec2_metadata_v1_disabled",
    "endpoint_discovery_enabled",
    "endpoint_url",
    "external_id",
    "ignore_configured_endpoint_urls",
    "login_session",
    "max_attempts",
    "metadata_service_num_attempts",
    "metadata_service_timeout",
    "mfa_serial",
    "output",
    "parameter_validation",
    "region",
    "request_checksum_calculation",
    "request_min_compression_size_bytes",
    "response_checksum_validation",
    "retry_mode",
    "role_arn",
    "role_session_name",
    "s3",
    "s3_disable_multiregion_access_points",
    "s3_use_arn_region",
    "s3api",
    "sdk_ua_app_id",
    "services",
    "sigv4a_signing_region_set",
    "source_profile",
    "sso_account_id",
    "sso_region",
    "sso_registration_scopes",
    "sso_role_name",
    "sso_session",
    "sso_start_url",
    "sts_regional_endpoints",
    "tcp_keepalive",
    "use_dualstack_endpoint",
    "use_fips_endpoint",
    "web_identity_token_file",
    "x_principal_arn",
];

/// The keys whose values are secrets, or may contain some.
const SECRET: [&str; 5] = [
    "aws_secret_access_key",
    "aws_security_token",
    "aws_session_token",
    "credential_process",
    "external_id",
];

/// Returns the documented key that a misspelt one is meant to be; `None` for a key that is documented,
/// or like no other.
pub(super) fn meant(key: &str) -> Option<&'static str> {
    if KEYS.contains(&key) {
        return None;
    }
    // A long key with dashes differs in more letters than the limit below allows.
    let plain = key.replace('-', "_");
    if let Some(known) = KEYS.iter().find(|known| **known == plain) {
        return Some(known);
    }
    // Other tools have keys of their own here, so only a small difference counts.
    closest(key, KEYS, 2).filter(|known| known.len() > 5 && key.len() > 4)
}

pub(crate) fn is_secret(key: &str) -> bool {
    SECRET.contains(&key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_is_recognized_and_those_of_other_tools_are_not() {
        for (key, known) in [
            ("regoin", "region"),
            ("aws_acess_key_id", "aws_access_key_id"),
            ("source-profile", "source_profile"),
            ("sso_sesion", "sso_session"),
            ("mfa_serail", "mfa_serial"),
        ] {
            assert_eq!(meant(key), Some(known), "{key}");
        }
        for key in KEYS.into_iter().chain([
            "granted_sso_start_url",
            "include_profile",
            "color",
            "s4",
            "azure_tenant_id",
            "cli_history",
        ]) {
            assert_eq!(meant(key), None, "{key}");
        }
    }
}

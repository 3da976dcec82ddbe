//! IAM Identity Center: the login that a person makes, and the roles that it gives.
//!
//! The token files are the AWS CLI's, so that one login serves every program of the user. However many
//! processes find an expired token, one of them renews it, and the others read what it wrote.

#[cfg(feature = "sso-login")]
pub(crate) mod registration;
mod role;
mod token_file;
mod token_provider;

use aws_config::{Region, SdkConfig};
use aws_smithy_types::retry::RetryConfig;

pub(crate) use self::role::SsoRole;
pub(crate) use self::token_file::SsoSession;
#[cfg(feature = "sso-login")]
pub(crate) use self::token_file::{Refresh, Token, TokenFile};
pub(crate) use self::token_provider::SsoTokenProvider;
use crate::transport::{self, time_limits::with_time_limits};

/// The attempts at the portal if the user has not set any: it answers 429 to programs that start
/// together, and botocore makes as many.
const ATTEMPTS: u32 = 6;

/// Returns the configuration of requests to Identity Center.
///
/// `are_retries_set` is `true` if the user chose the number of attempts.
pub(crate) fn sso_config(config: &SdkConfig, region: &str, are_retries_set: bool) -> SdkConfig {
    let mut builder = transport::bounded(config)
        .to_builder()
        .region(Region::new(region.to_owned()))
        // There are no hosts for FIPS in the commercial regions, and in GovCloud the usual ones comply.
        .use_fips(false);
    if !are_retries_set {
        let retries = config.retry_config().cloned();
        let retries = retries.unwrap_or_else(RetryConfig::standard);
        builder.set_retry_config(Some(retries.with_max_attempts(ATTEMPTS)));
    }
    with_time_limits(&builder.build())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(config: &SdkConfig, are_set: bool) -> u32 {
        let config = sso_config(config, "eu-west-1", are_set);
        assert_eq!(config.use_fips(), Some(false));
        assert_eq!(config.region().map(Region::as_ref), Some("eu-west-1"));
        config.retry_config().unwrap().max_attempts()
    }

    #[test]
    fn the_portal_is_tried_as_often_as_botocore_does_unless_the_user_says_otherwise() {
        let config = SdkConfig::builder().use_fips(true);
        let config = config.retry_config(RetryConfig::standard()).build();
        assert_eq!(attempts(&config, false), 6);
        assert_eq!(attempts(&config, true), 3);
    }
}

//! Bearer tokens, which identify the caller in place of a signature: the access token of a login, and
//! the `AWS_BEARER_TOKEN_…` variables. They are not those of the session's credentials, and belong to
//! another account as likely as not.

use std::fmt;

use aws_config::SdkConfig;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

/// The name under which the SDK's clients ask for the variable.
const VARIABLE: &str = "AWS_BEARER_TOKEN";

/// Whose tokens the clients of a session may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BearerTokens {
    /// Those of the environment, and of the login of the profile.
    All,
    /// That of the login of the profile: the environment does not override a profile that the program
    /// names, and the account of its token cannot be checked.
    OfProfile,
    /// None: the credentials are not the profile's.
    None,
}

impl BearerTokens {
    /// Returns a configuration whose clients send no other tokens.
    pub(super) fn only(self, config: SdkConfig) -> SdkConfig {
        if self == Self::All {
            return config;
        }
        let mut builder = config.to_builder();
        if self == Self::None {
            builder.set_token_provider(None);
        }
        builder.set_service_config(Some(WithoutVariables(config)));
        builder.build()
    }
}

/// The settings of single services, without tokens.
struct WithoutVariables(SdkConfig);

impl LoadServiceConfig for WithoutVariables {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        match key.env() {
            VARIABLE => None,
            _ => self.0.service_config()?.load_config(key),
        }
    }
}

/// Shows nothing: the settings that the SDK reads contain the secrets of every profile.
impl fmt::Debug for WithoutVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WithoutVariables(..)")
    }
}

#[cfg(test)]
mod tests {
    use aws_config::SdkConfig;

    use super::*;
    use crate::{BotoSesManager, Builder};

    const ROLE: &str = "arn:aws:iam::222222222222:role/R";

    fn variable_of(config: &SdkConfig) -> Option<String> {
        // As the SDK's client for Bedrock asks.
        let key = ServiceConfigKey::builder()
            .service_id("bedrock")
            .env(VARIABLE)
            .profile("")
            .build();
        config.service_config()?.load_config(key.unwrap())
    }

    #[tokio::test]
    async fn a_session_sends_no_token_of_another_identity() {
        let dir = tempfile::tempdir().unwrap();
        let login = "sso_session = corp\nsso_account_id = 111111111111\nsso_role_name = Admin\n\
                     region = us-east-1\n";
        let config = format!(
            "[default]\n{login}[profile dev]\n{login}\
             [sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://corp.example.com/start\n"
        );
        std::fs::write(dir.path().join("config"), config).unwrap();
        let builder = || {
            BotoSesManager::builder()
                .config_file(dir.path().join("config"))
                .shared_credentials_file(dir.path().join("none"))
                .environment([("AWS_BEARER_TOKEN_BEDROCK", "t"), ("HOME", "/nowhere")])
        };
        let keys = |builder: Builder| builder.keys("AKIA", "s");
        let dev = || builder().profile_name("dev").build();
        for (what, bsm, has_variable, has_login) in [
            ("the default chain", builder().build(), true, true),
            (
                "an expected account",
                builder().expect_account("111111111111").build(),
                false,
                true,
            ),
            ("a profile", dev(), false, true),
            ("keys", keys(builder()).build(), false, false),
            (
                "keys beside a profile",
                keys(builder().profile_name("dev")).build(),
                false,
                false,
            ),
            ("a role", dev().assume_role(ROLE).build(), false, false),
            (
                "a role of the default chain",
                builder().build().assume_role(ROLE).build(),
                false,
                false,
            ),
            (
                "a role of a configuration",
                BotoSesManager::from(keys(builder()).build().sdk_config().await.unwrap())
                    .assume_role(ROLE)
                    .build(),
                false,
                false,
            ),
        ] {
            let config = bsm.sdk_config().await.unwrap();
            assert_eq!(variable_of(&config).is_some(), has_variable, "{what}");
            assert_eq!(config.token_provider().is_some(), has_login, "{what}");
        }
    }

    #[test]
    fn other_settings_of_services_stay() {
        #[derive(Debug)]
        struct Echo;
        impl LoadServiceConfig for Echo {
            fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
                Some(key.env().to_owned())
            }
        }
        let config = SdkConfig::builder().service_config(Echo).build();
        let config = BearerTokens::None.only(config);
        assert_eq!(variable_of(&config), None);
        let key = ServiceConfigKey::builder()
            .service_id("s3")
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build();
        let of_endpoint = config.service_config().unwrap().load_config(key.unwrap());
        assert_eq!(of_endpoint.as_deref(), Some("AWS_ENDPOINT_URL"));
    }
}

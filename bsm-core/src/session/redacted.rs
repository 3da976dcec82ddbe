//! An `SdkConfig` that is safe to print.

use std::fmt;

use aws_config::SdkConfig;
use aws_credential_types::provider::future::ProvideToken as TokenFuture;
use aws_credential_types::provider::token::{ProvideToken, SharedTokenProvider};
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

use crate::endpoint::{self, Setting};

/// Hides the two things in a configuration that print the secrets of every profile: aws-config's
/// settings for single services and its token provider.
pub(crate) fn redacted(config: &SdkConfig) -> SdkConfig {
    let mut builder = config.to_builder();
    if config.service_config().is_some() {
        builder.set_service_config(Some(Services(Box::new(config.clone()))));
    }
    builder.set_token_provider(config.token_provider().map(redacted_tokens));
    builder.build()
}

fn redacted_tokens(tokens: SharedTokenProvider) -> SharedTokenProvider {
    SharedTokenProvider::new(Tokens(tokens))
}

struct Services(Box<SdkConfig>);

impl LoadServiceConfig for Services {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        // The SDK also asks for settings that are not URLs.
        let is_endpoint = key.env() == "AWS_ENDPOINT_URL";
        let value = self.0.service_config()?.load_config(key)?;
        Some(match is_endpoint {
            true => endpoint::usable(value, Setting::SdkConfig),
            false => value,
        })
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Services(..)")
    }
}

struct Tokens(SharedTokenProvider);

impl ProvideToken for Tokens {
    fn provide_token<'a>(&'a self) -> TokenFuture<'a>
    where
        Self: 'a,
    {
        self.0.provide_token()
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens(..)")
    }
}

//! Where the requests of a session go, for a process that must send its own there.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;

use super::sdk_config::ca_bundle;
use super::settings::Settings;
use crate::endpoint;
use crate::environment::Environment;
use crate::profile::{Profile, Profiles};

/// The prefix of the variables that set the endpoint of a single service.
pub(crate) const ENDPOINT_VARIABLE: &str = "AWS_ENDPOINT_URL_";

/// Settings besides the region and the endpoint for all services that another process needs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Destinations {
    /// The services that may have endpoints of their own, as in [`normalized_service_id`](super::settings::normalized_service_id).
    services: BTreeSet<String>,
    /// Whether endpoints of the environment and the profile do not apply.
    pub(crate) ignore_configured: bool,
    /// The absolute path of the CA bundle.
    pub(crate) ca_bundle: Option<String>,
}

impl Destinations {
    pub(crate) fn new(settings: &Settings, profiles: &Profiles, profile: &Profile) -> Self {
        let of_builder = settings.service_endpoint_urls.keys().cloned();
        let of_environment = services_with_variables(&settings.environment);
        let section = profiles.services_of(profile);
        let of_profile = section.names().map(str::to_owned);
        let services = of_builder.chain(of_environment).chain(of_profile);
        // A child can have another working directory.
        let bundle = ca_bundle(settings, profile).and_then(|path| std::path::absolute(path).ok());
        Self {
            services: services.collect(),
            ignore_configured: settings.ignores_configured_endpoints(profile),
            // A snapshot is JSON, which cannot contain a path that is not UTF-8.
            ca_bundle: bundle.and_then(|path| Some(path.to_str()?.to_owned())),
        }
    }

    /// Returns the endpoints of services for which `config` has another one than for all.
    ///
    /// It asks the configuration, as the SDK's clients do, so that a process gets the endpoints that they
    /// use and not those that were set somewhere.
    pub(crate) fn service_endpoint_urls(&self, config: &SdkConfig) -> BTreeMap<String, String> {
        // For an `SdkConfig` that the user loaded, the variables are the only known services.
        let inherited = services_with_variables(&Environment::default());
        let services = self.services.iter().cloned().chain(inherited);
        let endpoint = |service: String| {
            let url = endpoint::of_service(&service, config)?;
            (Some(url.as_str()) != config.endpoint_url()).then_some((service, url))
        };
        services.filter_map(endpoint).collect()
    }
}

/// Returns the services whose endpoints an environment sets.
fn services_with_variables(environment: &Environment) -> impl Iterator<Item = String> + use<> {
    let services = environment.suffixes_of(ENDPOINT_VARIABLE).into_iter();
    services.map(|service| service.to_ascii_lowercase())
}

/// Returns the name of the endpoint that requests to STS go to: its URL, or else the region.
pub(crate) fn sts_endpoint(config: &SdkConfig) -> String {
    let configured = || endpoint::of_service("sts", config);
    let region = || config.region().map(ToString::to_string);
    configured()
        .or_else(|| config.endpoint_url().map(str::to_owned))
        .or_else(region)
        .unwrap_or_default()
}

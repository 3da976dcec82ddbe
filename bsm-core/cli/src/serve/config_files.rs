//! Profile files for a child that gets its credentials from the server.

use std::io;
use std::path::PathBuf;

use bsm_core::ProfileInfo;
use tempfile::TempDir;

/// The settings of a profile that a child keeps. None of them is a credential, or leads to one.
///
/// A list of what to keep, because a setting that is forgotten here is missed, and one that is
/// forgotten in a list of what to drop gives the child another identity.
const KEPT: [&str; 30] = [
    "account_id_endpoint_mode",
    "auth_scheme_preference",
    "ca_bundle",
    "cli_auto_prompt",
    "cli_binary_format",
    "cli_follow_urlparam",
    "cli_history",
    "cli_pager",
    "cli_timestamp_format",
    "defaults_mode",
    "disable_clock_skew_correction",
    "disable_request_compression",
    "endpoint_url",
    "ignore_configured_endpoint_urls",
    "max_attempts",
    "output",
    "parameter_validation",
    "request_checksum_calculation",
    "request_min_compression_size_bytes",
    "response_checksum_validation",
    "retry_mode",
    "s3_disable_multiregion_access_points",
    "s3_us_east_1_regional_endpoint",
    "s3_use_arn_region",
    "sdk_ua_app_id",
    "sigv4a_signing_region_set",
    "sts_regional_endpoints",
    "tcp_keepalive",
    "use_dualstack_endpoint",
    "use_fips_endpoint",
];

/// A config file without keys and an empty credentials file, which are removed when this is dropped.
///
/// Clients look for keys in `[default]` before they ask a server. A child with the user's own files
/// would get another identity.
pub(crate) struct ConfigFiles {
    dir: TempDir,
}

impl ConfigFiles {
    pub(crate) fn write(region: Option<&str>, profile: Option<&ProfileInfo>) -> io::Result<Self> {
        let dir = private_dir()?;
        let kept = KEPT
            .iter()
            .filter_map(|key| Some((*key, profile?.setting(key)?)));
        let region = region.map(|region| ("region", region));
        let mut config = "[default]\n".to_owned();
        for (key, value) in region.into_iter().chain(kept) {
            // The second line of a value could be a key of its own, such as `credential_process`.
            if !value.contains(['\n', '\r']) {
                config.push_str(&format!("{key} = {value}\n"));
            }
        }
        let files = Self { dir };
        std::fs::write(files.config(), config)?;
        std::fs::write(files.credentials(), "")?;
        Ok(files)
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("config")
    }

    fn credentials(&self) -> PathBuf {
        self.dir.path().join("credentials")
    }

    /// Returns the environment variables that point a client at the files.
    pub(crate) fn variables(&self) -> [(&'static str, PathBuf); 3] {
        [
            ("AWS_CONFIG_FILE", self.config()),
            ("AWS_SHARED_CREDENTIALS_FILE", self.credentials()),
            // In place of `~/.boto` and `/etc/boto.cfg`, which botocore reads before it asks a server.
            ("BOTO_CONFIG", self.credentials()),
        ]
    }
}

/// Creates a directory that other users cannot look into.
fn private_dir() -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("bsm-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o700));
    }
    builder.tempdir()
}

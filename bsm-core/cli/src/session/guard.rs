//! What a profile file says to this command alone: the expected account, and what is production.
//!
//! The AWS CLI and the SDKs ignore keys that they do not know.

use bsm_core::ProfileInfo;

use crate::failure::{Class, Failure};
use crate::profile_summary::EXPECT_ACCOUNT;

/// The key that marks a profile as production.
pub(crate) const PRODUCTION: &str = "bsm_production";

/// The guards of a profile.
#[derive(Clone, Debug, Default)]
pub(super) struct Guard {
    profile: String,
    account: Option<String>,
    is_production: bool,
}

impl Guard {
    pub(super) fn of(profile: Option<&ProfileInfo>) -> Result<Self, Failure> {
        let Some(profile) = profile else {
            return Ok(Self::default());
        };
        Ok(Self {
            profile: profile.name().to_owned(),
            account: profile.setting(EXPECT_ACCOUNT).map(str::to_owned),
            is_production: is_production(profile)?,
        })
    }

    pub(super) fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    /// Returns the account that both the profile and the command line expect.
    ///
    /// # Errors
    ///
    /// If they expect different ones, so that no credentials could be right.
    pub(super) fn and<'a>(&'a self, other: Option<&'a str>) -> Result<Option<&'a str>, Failure> {
        match (self.account(), other) {
            (Some(own), Some(other)) if own != other => Err(Failure::new(
                Class::Refused,
                format!(
                    "profile {:?} has {EXPECT_ACCOUNT} {own}, but --expect-account is {other}: \
                     nothing was sent; correct one of them",
                    self.profile
                ),
            )),
            (own, other) => Ok(own.or(other)),
        }
    }

    pub(super) fn is_production(&self) -> bool {
        self.is_production
    }
}

/// Returns `true` if a profile is marked as production.
///
/// # Errors
///
/// For a mark that says neither yes nor no: a guard that is misspelt must not be ignored.
pub(crate) fn is_production(profile: &ProfileInfo) -> Result<bool, Failure> {
    let Some(mark) = profile.setting(PRODUCTION) else {
        return Ok(false);
    };
    match mark.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Failure::new(
            Class::Config,
            format!(
                "{PRODUCTION} of profile {:?} is {mark:?}: write true or false",
                profile.name()
            ),
        )),
    }
}

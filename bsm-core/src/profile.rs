//! Profiles: reading their files, and finding out how one gets its credentials.
//!
//! All of it is ours, because the outcome has to be botocore's. aws-config's parser does not know
//! which file a key came from, on which botocore's precedence rests; it does not see a profile
//! whose name has a space, does not list the keys of one, and refuses files that botocore reads.
//! Its chain ignores `mfa_serial` and `duration_seconds`, and calls STS for every link whenever it
//! is asked.

mod base_provider;
mod chain;
mod files;
mod ini;
mod listing;
pub(crate) mod shlex;
#[cfg(test)]
mod tests;

pub(crate) use chain::{
    Command, Plan, RoleLink, Source, Sso, WebIdentity, WebIdentityVariables, plan,
};
pub(crate) use files::{Profile, Profiles, Services, SettingsWithoutKeys};
pub use listing::{ProfileInfo, ProfileKind};

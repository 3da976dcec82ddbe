//! The cache that the AWS CLI keeps in `~/.aws/cli/cache`.
//!
//! Entries for assumed roles and for SSO roles are read and written as the CLI does, byte for byte, so that
//! both use each other's. Those of session tokens are this crate's own. Unlike the CLI, processes that find
//! no entry make one call between them: the first takes an advisory lock on a file beside the entry, and
//! the others look again.

mod cached;
mod cached_session_token;
mod cached_sso;
mod entry;
mod key;
mod store;

use std::path::PathBuf;

pub(crate) use cached::CachedRole;
pub(crate) use cached_session_token::CachedSessionToken;
pub(crate) use cached_sso::CachedSso;
pub(crate) use store::Store;

/// Shares the credentials of roles with the AWS CLI, and with other processes that use its cache.
///
/// Off by default, as in boto3; see [`Builder::cli_cache`](crate::Builder::cli_cache).
///
/// - The entries are those of the AWS CLI: `~/.aws/cli/cache/<hash>.json`, readable for the user
///   alone, replaced in one piece. One that is damaged, or belongs to another role, counts as not
///   there, and is overwritten.
/// - An entry is used while it is valid for 15 minutes or more, as in the CLI. So a role with a
///   duration of 15 minutes is never found.
/// - Any number of processes that find no entry make one call: they wait for the one that makes it,
///   for 40 seconds at most, and then assume the role themselves. If the call needs an MFA code, they
///   leave a person five minutes more, so that one prompt serves all of them.
/// - A [session token](crate::BotoSesManager::session_token) has an entry too, which the AWS CLI doesn't use.
///   It counts only for the access key, the MFA device and the duration that it was issued for.
/// - A cache that cannot be read or written is no error: the role is assumed without it.
/// - `sso_logout()`, like `aws sso logout`, removes the entries of SSO roles.
///
/// The file's name says which role is assumed, with which session name, duration, policy and so
/// forth, but not whose credentials were used, so `admin` may get a session that `dev` started.
/// [`same_source_only`](Self::same_source_only) prevents that.
///
/// ```
/// use bsm_core::{BotoSesManager, CliCache};
///
/// let production = BotoSesManager::builder()
///     .profile_name("production")
///     .cli_cache(CliCache::new())
///     .build();
/// ```
#[derive(Clone, Debug, Default)]
pub struct CliCache {
    directory: Option<PathBuf>,
    same_source_only: bool,
}

impl CliCache {
    /// Creates a cache in `~/.aws/cli/cache`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the directory. It is made when there is something to write.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Uses only entries that are known to come from the same user or role as this manager's.
    ///
    /// The AWS CLI does not note whose credentials a role was assumed with, so its entries are not used then;
    /// bsm's entries have a field for it, which the CLI ignores. The manager calls STS GetCallerIdentity once
    /// for each role and process.
    #[must_use]
    pub fn same_source_only(mut self) -> Self {
        self.same_source_only = true;
        self
    }

    /// Returns the store of the cache, or `None` if neither a directory nor `home`, the home directory of the
    /// user, is known.
    pub(crate) fn open_store(&self, home: Option<PathBuf>) -> Option<Store> {
        let in_home = || Some(home?.join(".aws").join("cli").join("cache"));
        let directory = self.directory.clone().or_else(in_home)?;
        Some(Store::new(directory, self.same_source_only))
    }
}

/// Parses an entry of the cache, for the fuzz targets: whatever the bytes are, without a panic.
#[cfg(any(test, fuzzing))]
pub(crate) fn parse_entry(text: &str) {
    if let Some(entry) = entry::Entry::parse(text) {
        let _ = entry.credentials(std::time::SystemTime::UNIX_EPOCH, "fuzz");
    }
}

#[cfg(test)]
mod tests;

//! Profiles: their files, and the chain through which one gets its credentials.
//!
//! This crate parses the files itself, because the outcome must be botocore's. The parser of
//! aws-config does not know which file a key came from, which decides precedence in botocore. It
//! ignores profiles with a space in their name, does not list the keys of a profile, and rejects
//! files that botocore reads. Its chain ignores `mfa_serial` and `duration_seconds`, and calls STS
//! for every role whenever it is asked.

mod chain;
mod files;
mod ini;
mod listing;
mod not_found;
mod parsed;
pub(crate) mod shlex;
#[cfg(test)]
mod tests;

pub(crate) use chain::{
    BaseProvider, ChainedRole, Command, ProfileChain, Sso, WebIdentity, check_sso_region,
    static_keys,
};
pub(crate) use files::{Profile, Profiles, Services, SettingsWithoutKeys};
pub use listing::{ProfileInfo, ProfileKind};
pub(crate) use parsed::File;

/// Returns what cannot be parsed in a profile file, with the numbers of the lines.
pub fn problems(text: &str) -> Vec<(usize, &'static str)> {
    let malformed = ini::problems(text).into_iter();
    malformed.map(|it| (it.line, it.what)).collect()
}

/// Parses a file, for the fuzz targets: every key that was withheld is found in the text again.
#[cfg(any(test, fuzzing))]
pub(crate) fn parse_any(text: &str) {
    for titled in ini::parse(text).unwrap_or_default() {
        let section = titled.section;
        for name in section.names() {
            match section.get(name) {
                Some(ini::Value::Text(value)) => drop(shlex::split(value)),
                Some(ini::Value::Withheld) => assert!(section.key(text, name).is_some()),
                Some(ini::Value::Nested(_)) | None => {}
            }
        }
    }
}

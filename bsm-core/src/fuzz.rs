//! The fuzz targets of this crate: every parser of what another program writes, on any bytes.
//!
//! None of them may panic, and what was parsed must survive being written and parsed again. `cargo
//! fuzz` calls them, and so do the tests below, with the files of `fuzz/corpus` and random changes of
//! them.

use crate::credentials::{cli_cache, process};
use crate::export::{Shell, Snapshot};
use crate::profile::{self, shlex};
use crate::time;

fn text(bytes: &[u8]) -> &str {
    // Files that are not UTF-8 are rejected before they reach a parser.
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// Parses a profile file, and the command lines in it.
pub fn profile_files(bytes: &[u8]) {
    profile::parse_any(text(bytes));
}

/// Parses a time, such as an expiry.
pub fn expiry(bytes: &[u8]) {
    let _ = time::parse(text(bytes));
}

/// Parses an entry of the AWS CLI's cache.
pub fn cli_cache_entry(bytes: &[u8]) {
    cli_cache::parse_entry(text(bytes));
}

/// Parses the output of a `credential_process`.
pub fn credential_process_output(bytes: &[u8]) {
    if let Ok(credentials) = process::parse_output(bytes) {
        assert!(!credentials.access_key_id().is_empty());
    }
}

/// Reads a snapshot.
pub fn snapshot(bytes: &[u8]) {
    if let Ok(snapshot) = Snapshot::from_json(bytes) {
        let json = snapshot.to_json();
        let again = Snapshot::from_json(json.expose()).expect("it was written by this crate");
        assert_eq!(again.to_json().expose(), json.expose());
    }
}

/// Writes a value for a shell, which must read exactly this value.
pub fn shell_value(bytes: &[u8]) {
    let value = text(bytes);
    let mut command = String::new();
    Shell::Posix.set(&mut command, "NAME", value);
    let expected = vec!["export".to_owned(), format!("NAME={value}")];
    assert_eq!(shlex::split(command.trim_end_matches('\n')), Some(expected));
}

#[cfg(test)]
#[path = "../../fuzz/run_corpus.rs"]
mod run_corpus;

#[cfg(test)]
mod tests {
    use super::run_corpus::run_corpus;

    #[test]
    fn profile_files() {
        run_corpus("profile_files", super::profile_files);
    }

    #[test]
    fn expiry() {
        run_corpus("expiry", super::expiry);
    }

    #[test]
    fn cli_cache_entry() {
        run_corpus("cli_cache_entry", super::cli_cache_entry);
    }

    #[test]
    fn credential_process_output() {
        run_corpus(
            "credential_process_output",
            super::credential_process_output,
        );
    }

    #[test]
    fn snapshot() {
        run_corpus("snapshot", super::snapshot);
    }

    #[test]
    fn shell_value() {
        run_corpus("shell_value", super::shell_value);
    }
}

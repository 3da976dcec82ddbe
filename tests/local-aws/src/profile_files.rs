//! The files `config` and `credentials`, as in `~/.aws`, for clients of the server.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use crate::error::{Error, ErrorKind};
use crate::layout::{Account, IdentityCenter, Profile};

/// The first line of the files, which identifies them as written by this crate.
const MARK: &str = "# Written by bsm-local-aws, a local AWS for tests.";

/// Writes `config` and `credentials` into a directory, which is created if it does not exist.
///
/// # Errors
///
/// If a file cannot be written or was not written by this crate, or if a profile refers to a user
/// without an access key.
pub(crate) fn write(
    directory: &Path,
    profiles: &[Profile],
    accounts: &[Account],
    endpoint_url: &str,
    center: Option<&IdentityCenter>,
) -> Result<(), Error> {
    let sections = profiles
        .iter()
        .map(|profile| profile.config_section(endpoint_url));
    let config: Vec<_> = sections
        .chain(center.map(IdentityCenter::config_section))
        .collect();
    let credentials = profiles
        .iter()
        .filter_map(|profile| profile.credentials_section(accounts).transpose())
        .collect::<Result<Vec<_>, _>>()?;
    fs::create_dir_all(directory).map_err(|error| cannot_write(directory, error))?;
    let files = [("config", config), ("credentials", credentials)];
    let files = files.map(|(name, sections)| (directory.join(name), sections.join("\n")));
    // Both are checked before either is written.
    files
        .iter()
        .try_for_each(|(path, _)| reject_foreign(path))?;
    files.iter().try_for_each(|(path, sections)| {
        let written = write_private(path, &format!("{MARK}\n\n{sections}"));
        written.map_err(|error| cannot_write(path, error))
    })
}

/// Writes a file that only the user can read, as AWS's tools write credentials.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}

/// Returns an error if a file exists that this crate didn't write: it may be the user's real
/// `~/.aws/credentials`.
fn reject_foreign(path: &Path) -> Result<(), Error> {
    match fs::read(path) {
        Ok(content) if !content.starts_with(MARK.as_bytes()) => {
            let path = path.display();
            let message = format!(
                "{path} was not written by bsm-local-aws and is not overwritten; choose another \
                 directory"
            );
            Err(Error::new(ErrorKind::File, message))
        }
        // An error of reading is left to the write: usually the file does not exist.
        _ => Ok(()),
    }
}

fn cannot_write(path: &Path, error: std::io::Error) -> Error {
    Error::new(ErrorKind::File, format!("cannot write {}", path.display())).because(error)
}

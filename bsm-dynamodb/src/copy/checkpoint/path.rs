//! Where the files of a checkpoint are.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Linux follows as many links before it gives up.
const MAX_LINKS: u32 = 40;

/// Returns the path of a checkpoint without links, whether the file exists or not.
///
/// All runs that mean the same file must lock the same file, whatever they call it.
///
/// # Errors
///
/// If its folder does not exist, or the path leads to something else than a file.
pub(crate) fn locate(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::canonicalize(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            found => {
                let found = found?;
                refuse_special(&found)?;
                return Ok(found);
            }
        }
        // A link to a file that does not exist yet leads to where that file will be.
        let folder = folder(&path).to_owned();
        match fs::read_link(&path) {
            Ok(target) => path = folder.join(target),
            // Not a link: either there is nothing, or the error of the folder below says what is wrong.
            Err(_) => {
                let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
                return Ok(fs::canonicalize(folder)?.join(name));
            }
        }
    }
    Err(io::Error::other("it leads through too many links"))
}

/// Refuses what is not a regular file, if there is anything.
///
/// Call this before the file is opened: to open a named pipe would wait for another program.
pub(super) fn refuse_special(path: &Path) -> io::Result<()> {
    // Of the name itself: a link beside the checkpoint, such as one named `.lock`, is never followed.
    match fs::symlink_metadata(path) {
        Ok(found) if !found.is_file() => Err(io::Error::other("it is not a regular file")),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Returns the folder that a file is in.
pub(super) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Returns the path of a file beside the checkpoint, `users.json.lock` for `users.json`.
pub(super) fn beside(checkpoint: &Path, extension: &str) -> PathBuf {
    let mut path = OsString::from(checkpoint);
    path.push(extension);
    PathBuf::from(path)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_and_its_target_are_one_place() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        symlink("file", &link).unwrap();
        // Before the file exists, and after.
        for _ in 0..2 {
            assert_eq!(locate(&link).unwrap(), locate(&file).unwrap());
            fs::write(&file, "").unwrap();
        }
        symlink("endless", folder.path().join("endless")).unwrap();
        assert!(locate(&folder.path().join("endless")).is_err());
    }

    #[test]
    fn only_a_regular_file_is_accepted() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        for path in [folder.path(), &pipe, Path::new("/dev/null")] {
            let error = locate(path).unwrap_err();
            assert_eq!(error.to_string(), "it is not a regular file", "{path:?}");
        }
        assert!(locate(&folder.path().join("no/such/folder")).is_err());
    }
}

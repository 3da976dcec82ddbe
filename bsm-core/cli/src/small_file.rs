//! Reading of files that a user names, with a limit on their size.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Reads a text file of at most `limit` bytes.
///
/// A FIFO would wait for its writer, and a device such as `/dev/zero` has no end, so only regular files
/// are read.
pub(crate) fn read(path: &Path, limit: u64) -> io::Result<String> {
    // Before it is opened, because opening a FIFO already waits.
    if !std::fs::metadata(path)?.is_file() {
        let message = "it is a directory, a FIFO or a device, and not a file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let mut text = String::new();
    let length = File::open(path)?
        .take(limit + 1)
        .read_to_string(&mut text)?;
    match u64::try_from(length) {
        Ok(length) if length <= limit => Ok(text),
        _ => Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it is longer than {limit} bytes"),
        )),
    }
}

//! Reading of files that a user names, with a limit on their size.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

/// Reads a text file of at most `limit` bytes; see [`read_bytes`].
pub(crate) fn read(path: &Path, limit: u64) -> io::Result<Zeroizing<String>> {
    let bytes = read_bytes(path, limit)?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it is not UTF-8 text",
        )),
    }
}

/// Reads a file of at most `limit` bytes.
///
/// A FIFO would wait for its writer, and a device such as `/dev/zero` has no end, so only regular
/// files are read.
///
/// # Errors
///
/// The system's, and [`io::ErrorKind::InvalidInput`] or [`io::ErrorKind::FileTooLarge`].
pub(crate) fn read_bytes(path: &Path, limit: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    // Before it is opened, because opening a FIFO already waits.
    if !std::fs::metadata(path)?.is_file() {
        let message = "it is a directory, a FIFO or a device, and not a file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let message = format!("it is longer than {limit} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

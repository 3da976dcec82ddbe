//! The lines of a compressed file, with the checksum of the file.

use std::collections::VecDeque;
use std::io::{self, Write as _};

use aws_smithy_types::base64;
use flate2::write::MultiGzDecoder;
use md5::{Digest as _, Md5};

/// The part of a chunk that is decompressed at once. Deflate expands at most about a thousand times,
/// so this bounds the memory that a hostile file takes to a few megabytes.
const SLICE: usize = 4 * 1024;

/// The maximum length of a line. An item has at most 400 KB, which JSON can make several times longer.
const MAX_LINE: usize = 32 * 1024 * 1024;

/// Splits a file into lines while it arrives.
pub(super) struct LineSplitter {
    decoder: MultiGzDecoder<Vec<u8>>,
    md5: Md5,
    lines: VecDeque<Vec<u8>>,
    /// The beginning of the next line.
    rest: Vec<u8>,
}

impl LineSplitter {
    pub(super) fn new() -> Self {
        Self {
            // A gzip file may consist of several members, and a plain decoder stops after the first.
            decoder: MultiGzDecoder::new(Vec::new()),
            md5: Md5::new(),
            lines: VecDeque::new(),
            rest: Vec::new(),
        }
    }

    /// Adds a chunk of the compressed file.
    pub(super) fn add(&mut self, chunk: &[u8]) -> io::Result<()> {
        // The checksum of the manifest is that of the compressed file.
        self.md5.update(chunk);
        for slice in chunk.chunks(SLICE) {
            self.decoder.write_all(slice)?;
            // After every slice, so that the decoder's output does not grow with the chunk.
            self.split()?;
        }
        Ok(())
    }

    /// Ends the file, and returns the MD5 of all chunks in base64.
    pub(super) fn finish(&mut self) -> io::Result<String> {
        self.decoder.try_finish()?;
        self.split()?;
        if !self.rest.is_empty() {
            // The last line may lack its line break.
            self.lines.push_back(std::mem::take(&mut self.rest));
        }
        Ok(base64::encode(self.md5.finalize_reset()))
    }

    /// Removes the next line.
    pub(super) fn next_line(&mut self) -> Option<Vec<u8>> {
        self.lines.pop_front()
    }

    fn split(&mut self) -> io::Result<()> {
        let text = std::mem::take(self.decoder.get_mut());
        let mut parts = text.split(|&byte| byte == b'\n');
        if let Some(first) = parts.next() {
            self.rest.extend_from_slice(first);
        }
        for part in parts {
            self.lines
                .push_back(std::mem::replace(&mut self.rest, part.to_vec()));
        }
        // Only the open line is checked: a complete one is longer by a decompressed slice at most.
        match self.rest.len() > MAX_LINE {
            true => Err(io::Error::other("a line is too long to be an item")),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn lines(file: &[u8], chunk: usize) -> io::Result<Vec<Vec<u8>>> {
        let mut splitter = LineSplitter::new();
        for chunk in file.chunks(chunk) {
            splitter.add(chunk)?;
        }
        splitter.finish()?;
        Ok(std::iter::from_fn(|| splitter.next_line()).collect())
    }

    #[test]
    fn lines_do_not_depend_on_how_the_file_arrives() {
        let mut file = gzip(b"one\ntwo\n");
        file.extend(gzip(b"three\nfour"));
        for chunk in 1..file.len() {
            assert_eq!(
                lines(&file, chunk).unwrap(),
                [&b"one"[..], b"two", b"three", b"four"]
            );
        }
        assert!(lines(&gzip(b""), 10).unwrap().is_empty());
    }

    #[test]
    fn a_file_that_is_cut_off_or_damaged_is_an_error() {
        let file = gzip(b"one\ntwo\nthree\n");
        for end in 1..file.len() {
            assert!(lines(&file[..end], 7).is_err(), "{end}");
        }
        let mut damaged = file.clone();
        damaged[file.len() / 2] ^= 1;
        assert!(lines(&damaged, 7).is_err());
    }

    #[test]
    fn the_checksum_is_that_of_the_compressed_file() {
        let file = gzip(b"text\n");
        let mut splitter = LineSplitter::new();
        splitter.add(&file).unwrap();
        assert_eq!(
            splitter.finish().unwrap(),
            base64::encode(Md5::digest(&file))
        );
    }

    #[test]
    fn a_line_without_an_end_does_not_fill_the_memory() {
        let file = gzip(&vec![b'x'; MAX_LINE + 1]);
        assert!(lines(&file, 64 * 1024).is_err());
    }
}

//! The lines of a compressed file, with the checksum of the file.

use std::collections::VecDeque;
use std::io::{self, Write as _};

use aws_smithy_types::base64;
use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use md5::{Digest as _, Md5};

/// The part of a chunk that is decompressed at once. Deflate expands at most about a thousand times, so
/// this bounds what a hostile file takes to a megabyte, and its lines to a few times that.
const SLICE: usize = 1024;

/// The maximum length of a line. An item has at most 400 KB, which JSON can make several times longer.
const MAX_LINE: usize = 32 * 1024 * 1024;

/// Splits a file into lines while it arrives.
pub(super) struct LineSplitter {
    decoder: MultiGzDecoder<Vec<u8>>,
    md5: Md5,
    /// What has not been decompressed of the chunk.
    chunk: Bytes,
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
            chunk: Bytes::new(),
            lines: VecDeque::new(),
            rest: Vec::new(),
        }
    }

    /// Adds a chunk of the compressed file. All lines of the chunk before must have been taken.
    pub(super) fn add(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty());
        // The checksum of the manifest is that of the compressed file.
        self.md5.update(&chunk);
        self.chunk = chunk;
    }

    /// Ends the file, and returns the MD5 of all chunks in base64.
    pub(super) fn finish(&mut self) -> io::Result<String> {
        self.decoder.try_finish()?;
        self.split()?;
        // The last line may lack its line break.
        self.end_line();
        Ok(base64::encode(self.md5.finalize_reset()))
    }

    /// Removes the next line that is not blank; `None` if another chunk is needed, or the file has ended.
    pub(super) fn next_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Ok(Some(line));
            }
            if self.chunk.is_empty() {
                return Ok(None);
            }
            // Decompressed once its lines are needed, so that memory does not grow with the chunk.
            let slice = self.chunk.split_to(SLICE.min(self.chunk.len()));
            self.decoder.write_all(&slice)?;
            self.split()?;
        }
    }

    fn split(&mut self) -> io::Result<()> {
        let text = std::mem::take(self.decoder.get_mut());
        let mut parts = text.split(|&byte| byte == b'\n');
        if let Some(first) = parts.next() {
            self.rest.extend_from_slice(first);
        }
        for part in parts {
            self.end_line();
            self.rest.extend_from_slice(part);
        }
        // Only the open line is checked: a complete one is longer by a decompressed slice at most.
        match self.rest.len() > MAX_LINE {
            true => Err(io::Error::other("a line is too long to be an item")),
            false => Ok(()),
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.rest);
        // A blank line would take more memory here than in the file.
        if !line.trim_ascii().is_empty() {
            self.lines.push_back(line);
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
        let mut lines = Vec::new();
        for chunk in file.chunks(chunk) {
            splitter.add(Bytes::copy_from_slice(chunk));
            while let Some(line) = splitter.next_line()? {
                lines.push(line);
            }
        }
        splitter.finish()?;
        while let Some(line) = splitter.next_line()? {
            lines.push(line);
        }
        Ok(lines)
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
        splitter.add(Bytes::from(file.clone()));
        assert_eq!(splitter.next_line().unwrap(), None);
        assert_eq!(
            splitter.finish().unwrap(),
            base64::encode(Md5::digest(&file))
        );
        assert_eq!(splitter.next_line().unwrap(), Some(b"text".to_vec()));
    }

    #[test]
    fn a_hostile_file_does_not_fill_the_memory() {
        for text in ["\n", "a\n", " \n\n"] {
            let mut splitter = LineSplitter::new();
            splitter.add(Bytes::from(gzip(text.repeat(4 << 20).as_bytes())));
            let mut lines = 0;
            for is_end in [false, true] {
                if is_end {
                    splitter.finish().unwrap();
                }
                while splitter.next_line().unwrap().is_some() {
                    lines += 1;
                    // What one slice expands to, and not the whole chunk.
                    assert!(splitter.lines.len() <= SLICE * 1_200, "{text:?}");
                }
            }
            assert_eq!(lines, if text.starts_with('a') { 4 << 20 } else { 0 });
        }
    }

    #[test]
    fn a_line_without_an_end_does_not_fill_the_memory() {
        let file = gzip(&vec![b'x'; MAX_LINE + 1]);
        assert!(lines(&file, 64 * 1024).is_err());
    }
}

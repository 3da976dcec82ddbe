//! The fuzz targets of this crate: every parser of what another program writes, on any bytes.
//!
//! None of them may panic, and what was parsed must survive being written and parsed again. `cargo
//! fuzz` calls them, and so do the tests below, with the files of `fuzz/corpus` and random changes of
//! them.

use crate::copy::checkpoint;
use crate::expression::{Path, Writer};
use crate::operation::cursor::Cursor;
use crate::types::Number;

/// Parses the checkpoint of a copy.
pub fn checkpoint(bytes: &[u8]) {
    let _ = checkpoint::parse_any(bytes);
}

/// Parses a file of an export: a manifest, and a data file, compressed or not.
#[cfg(feature = "migrate")]
pub fn export_file(bytes: &[u8]) {
    crate::migrate::parse_any(bytes);
}

/// Parses a cursor.
pub fn cursor(bytes: &[u8]) {
    if let Ok(cursor) = serde_json::from_slice::<Cursor>(bytes) {
        let json = serde_json::to_vec(&cursor).expect("a cursor can be written");
        let again: Cursor = serde_json::from_slice(&json).expect("it was written by this crate");
        assert!(again == cursor);
    }
}

/// Parses a number: the text that is written for it is the same number.
pub fn number(bytes: &[u8]) {
    // The parser takes text, so bytes that are not UTF-8 have no case of their own.
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    if let Ok(number) = text.parse::<Number>() {
        let again: Number = number
            .to_string()
            .parse()
            .expect("a number is written as one");
        assert_eq!(again, number, "{text}");
    }
}

/// Writes a path whose names are the lines of the input: none of them is in the expression itself.
pub fn expression_path(bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let mut names = text.split('\n').map(str::to_owned);
    let mut path: Path<()> = Path::new(names.next().unwrap_or_default());
    for name in names {
        // Numbers become indexes, so that the input reaches both kinds of segments.
        path = match name.parse() {
            Ok(index) => path.index(index),
            Err(_) => path.field(name),
        };
    }
    let written = Writer::default().path(&path.into_document_path());
    let is_placeholder = |c: char| c.is_ascii_digit() || ".#n[]".contains(c);
    assert!(written.chars().all(is_placeholder), "{written}");
}

#[cfg(test)]
#[path = "../../fuzz/run_corpus.rs"]
mod run_corpus;

#[cfg(test)]
mod tests {
    use super::run_corpus::run_corpus;

    #[test]
    fn checkpoint() {
        let whole = include_bytes!("../../fuzz/corpus/checkpoint/whole");
        assert!(crate::copy::checkpoint::parse_any(whole));
        run_corpus("checkpoint", super::checkpoint);
    }

    #[cfg(feature = "migrate")]
    #[test]
    fn export_file() {
        run_corpus("export_file", super::export_file);
    }

    #[test]
    fn cursor() {
        run_corpus("cursor", super::cursor);
    }

    #[test]
    fn number() {
        run_corpus("number", super::number);
    }

    #[test]
    fn expression_path() {
        run_corpus("expression_path", super::expression_path);
    }
}

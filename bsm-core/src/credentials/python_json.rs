//! JSON in the form of Python's `json.dumps`.
//!
//! The AWS CLI names entries of its cache after hashes of this text, and writes its files so. Every
//! byte matters: separators, escapes, and the form of floats.

use std::io;

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, Serializer};

/// The texts between items and behind keys: the `separators` of `json.dumps`.
#[derive(Clone, Copy, Debug)]
pub(in crate::credentials) struct Separators {
    item: &'static str,
    key: &'static str,
}

/// Python's default.
pub(in crate::credentials) const SPACED: Separators = Separators {
    item: ", ",
    key: ": ",
};

/// `separators=(",", ":")`.
pub(in crate::credentials) const COMPACT: Separators = Separators {
    item: ",",
    key: ":",
};

/// Returns the text of `json.dumps(value, sort_keys=True)`.
pub(in crate::credentials) fn dumps_sorted(mut value: Value, separators: Separators) -> String {
    // Does nothing with serde_json's default map, which is sorted by the bytes of UTF-8, and so by
    // code point, as in Python. A crate elsewhere in the build can enable `preserve_order`, and
    // then the order is that of insertion.
    value.sort_all_objects();
    let mut bytes = Vec::new();
    dump(&mut bytes, &value, separators);
    String::from_utf8(bytes).expect("the formatter writes ASCII")
}

/// Appends the text of `json.dumps(value)` to `bytes`, with the keys in the order of the fields.
pub(in crate::credentials) fn dump(
    bytes: &mut Vec<u8>,
    value: &impl Serialize,
    separators: Separators,
) {
    let mut serializer = Serializer::with_formatter(bytes, PythonFormatter(separators));
    value
        .serialize(&mut serializer)
        .expect("values and structs of strings can be written as JSON");
}

/// A [`Formatter`] that writes ASCII only, with Python's separators and floats.
struct PythonFormatter(Separators);

impl Formatter for PythonFormatter {
    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.separate_items(writer, first)
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.separate_items(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(self.0.key.as_bytes())
    }

    /// Escapes what serde_json does not: DEL, and everything beyond ASCII as UTF-16.
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        for c in fragment.chars() {
            if matches!(c, ' '..='~') {
                writer.write_all(&[c as u8])?;
                continue;
            }
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, float: f64) -> io::Result<()> {
        writer.write_all(python_float(float).as_bytes())
    }

    /// Writes a number that is kept as text: serde_json does so if a crate elsewhere in the build
    /// enables `arbitrary_precision`.
    fn write_number_str<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        number: &str,
    ) -> io::Result<()> {
        match number.parse() {
            // Integers stay as they are: Python's have any size.
            Ok(float) if number.contains(['.', 'e', 'E']) => self.write_f64(writer, float),
            _ => writer.write_all(number.as_bytes()),
        }
    }
}

impl PythonFormatter {
    fn separate_items<W: ?Sized + io::Write>(&self, writer: &mut W, first: bool) -> io::Result<()> {
        match first {
            true => Ok(()),
            false => writer.write_all(self.0.item.as_bytes()),
        }
    }
}

/// Returns Python's `repr` of a float.
///
/// Its digits are the shortest that stand for the float, as in Rust. The exponent is written below
/// 1e-4 and from 1e16 on.
fn python_float(float: f64) -> String {
    let scientific = format!("{float:e}");
    // NaN and infinities have no exponent. serde_json writes them as null itself.
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = format!("{float}");
        return match plain.contains('.') {
            true => plain,
            false => plain + ".0",
        };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    // Python writes the sign, and two digits or more.
    format!("{digits}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Made with Python 3.11: `json.dumps(value, sort_keys=True)`.
    #[test]
    fn json_is_written_as_python_does() {
        let cases = [
            (
                json!({"b": 1, "a": [true, null]}),
                r#"{"a": [true, null], "b": 1}"#,
            ),
            (json!([]), "[]"),
            (json!({}), "{}"),
            (
                json!("a\"\\/\n\r\t\u{8}\u{c}\u{0}\u{1f} ~\u{7f}"),
                r#""a\"\\/\n\r\t\b\f\u0000\u001f ~\u007f""#,
            ),
            (
                json!("Zo\u{eb} \u{2603} \u{1f600} \u{ffff}"),
                r#""Zo\u00eb \u2603 \ud83d\ude00 \uffff""#,
            ),
            (
                json!({"\u{ffff}": 1, "\u{10000}": 2, "Z": 3, "a": 4}),
                r#"{"Z": 3, "a": 4, "\uffff": 1, "\ud800\udc00": 2}"#,
            ),
            (
                json!([
                    1.0,
                    0.1,
                    1e-5,
                    0.0001,
                    1e15,
                    1e16,
                    1.5e300,
                    -0.0,
                    123456789.125
                ]),
                "[1.0, 0.1, 1e-05, 0.0001, 1000000000000000.0, 1e+16, 1.5e+300, -0.0, 123456789.125]",
            ),
            (
                json!([0, -1, u64::MAX, i64::MIN]),
                "[0, -1, 18446744073709551615, -9223372036854775808]",
            ),
        ];
        for (value, expected) in cases {
            assert_eq!(dumps_sorted(value, SPACED), expected);
        }
        assert_eq!(
            dumps_sorted(json!({"b": [1, 2], "a": 0}), COMPACT),
            r#"{"a":0,"b":[1,2]}"#
        );
    }
}

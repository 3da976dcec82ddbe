//! JSON as Python's `json.dumps` writes it.

use std::fmt::Write as _;

use serde_json::{Number, Value};

/// What stands between items, and after a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Separators {
    item: &'static str,
    key: &'static str,
}

/// Python's default.
pub(super) const SPACED: Separators = Separators {
    item: ", ",
    key: ": ",
};

/// `separators=(",", ":")`.
pub(super) const COMPACT: Separators = Separators {
    item: ",",
    key: ":",
};

/// Writes a value as `json.dumps(value, sort_keys=True)`: keys by code point, ASCII alone.
pub(super) fn dumps_sorted(value: &Value, separators: Separators) -> String {
    let mut text = String::new();
    write_value(&mut text, value, separators);
    text
}

fn write_value(text: &mut String, value: &Value, separators: Separators) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => text.push_str(&python_number(number)),
        Value::String(string) => write_string(text, string),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push_str(separators.item);
                }
                write_value(text, item, separators);
            }
            text.push(']');
        }
        Value::Object(members) => {
            // Bytes of UTF-8 are in the order of code points. The map itself may be in another one,
            // if somebody has turned on serde_json's preserve_order.
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(key, _)| *key);
            text.push('{');
            for (index, (key, value)) in members.into_iter().enumerate() {
                if index > 0 {
                    text.push_str(separators.item);
                }
                write_string(text, key);
                text.push_str(separators.key);
                write_value(text, value, separators);
            }
            text.push('}');
        }
    }
}

/// Writes a string as JSON in ASCII, with Python's choice of escapes.
pub(super) fn write_string(text: &mut String, string: &str) {
    text.push('"');
    for c in string.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            ' '..='~' => text.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // A String takes everything.
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
    text.push('"');
}

/// A whole number as it is, and any other as Python's `repr` of a float.
fn python_number(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => python_float(float),
        _ => number.to_string(),
    }
}

/// The shortest digits that stand for the float, which Rust finds too, in Python's form: with an
/// exponent below 1e-4 and from 1e16 on.
fn python_float(float: f64) -> String {
    let scientific = format!("{float:e}");
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
            assert_eq!(dumps_sorted(&value, SPACED), expected);
        }
        assert_eq!(
            dumps_sorted(&json!({"b": [1, 2], "a": 0}), COMPACT),
            r#"{"a":0,"b":[1,2]}"#
        );
    }
}

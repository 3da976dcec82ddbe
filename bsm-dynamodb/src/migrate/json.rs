//! DynamoDB JSON, as exports contain it, and the lines of data files.
//!
//! See <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html>.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::wire::bodies::WireWrite;
use crate::wire::item::WireItem;

/// Which export a data file belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineKind {
    /// A full export: items.
    Items,
    /// An incremental export: the last image of each item that has changed.
    Changes,
}

/// Why a line could not be read. The error of serde would quote it.
#[derive(Debug)]
pub(super) struct MalformedLine;

impl LineKind {
    /// Parses a line to what the target has to write: the bytes that DynamoDB exported.
    ///
    /// The types of all attributes are checked, so that an item is written as a whole or not at all.
    pub(super) fn parse(self, line: Vec<u8>) -> Result<WireWrite, MalformedLine> {
        // The write shares the memory of its line.
        let line = Bytes::from(line);
        let (is_put, item) = match self {
            Self::Items => (true, parsed::<ItemLine<'_>>(&line)?.item),
            Self::Changes => match parsed::<ChangeLine<'_>>(&line)? {
                ChangeLine {
                    new_image: Some(item),
                    ..
                } => (true, item),
                // The item was deleted, so it has no new image.
                ChangeLine { keys, .. } => (false, keys),
            },
        };
        let item = WireItem::in_body(&line, item);
        item.inspect([]).map_err(|_| MalformedLine)?;
        Ok(match is_put {
            true => WireWrite::Put(item),
            false => WireWrite::Delete(item),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ItemLine<'a> {
    #[serde(borrow)]
    item: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ChangeLine<'a> {
    #[serde(borrow)]
    keys: &'a RawValue,
    #[serde(borrow)]
    new_image: Option<&'a RawValue>,
}

fn parsed<'a, T: Deserialize<'a>>(line: &'a [u8]) -> Result<T, MalformedLine> {
    serde_json::from_slice(line).map_err(|_| MalformedLine)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use aws_sdk_dynamodb::primitives::Blob;
    use aws_sdk_dynamodb::types::AttributeValue;

    use super::*;
    use crate::codec::Item;

    fn item(write: WireWrite) -> Item {
        match write {
            WireWrite::Put(item) => item.decode().unwrap(),
            WireWrite::Delete(_) => panic!("a delete"),
        }
    }

    #[test]
    fn every_type_of_an_export_is_read() {
        let line = r#"{"Item":{"s":{"S":"é\n"},"n":{"N":"-1.50"},"b":{"B":"AP8="},"ss":{"SS":["a"]},
            "ns":{"NS":["1","2"]},"bs":{"BS":["AA=="]},"t":{"BOOL":true},"z":{"NULL":true},
            "l":{"L":[{"N":"1"},{"M":{"x":{"S":""}}}]}}}"#;
        let item = item(LineKind::Items.parse(line.into()).unwrap());
        assert_eq!(item["s"], AttributeValue::S("é\n".to_owned()));
        assert_eq!(item["n"], AttributeValue::N("-1.50".to_owned()));
        assert_eq!(item["b"], AttributeValue::B(Blob::new([0, 255])));
        assert_eq!(item["bs"], AttributeValue::Bs(vec![Blob::new([0])]));
        assert_eq!(item["z"], AttributeValue::Null(true));
        let inner = HashMap::from([("x".to_owned(), AttributeValue::S(String::new()))]);
        let list = vec![AttributeValue::N("1".to_owned()), AttributeValue::M(inner)];
        assert_eq!(item["l"], AttributeValue::L(list));
        assert_eq!(item.len(), 9);
    }

    /// The lines are AWS's examples of incremental exports.
    #[test]
    fn a_change_without_a_new_image_is_a_delete() {
        let deleted = r#"{"Metadata":{"WriteTimestampMicros":{"N":"1680109764000000"}},
            "Keys":{"PK":{"S":"CUST#100"}},"OldImage":{"PK":{"S":"CUST#100"},"FirstName":{"S":"John"}}}"#;
        match LineKind::Changes.parse(deleted.into()).unwrap() {
            WireWrite::Delete(key) => assert_eq!(key.decode().unwrap().len(), 1),
            WireWrite::Put(_) => panic!("a put"),
        }
        let updated = r#"{"Metadata":{"WriteTimestampMicros":{"N":"1680109764000000"}},
            "Keys":{"PK":{"S":"CUST#200"}},"NewImage":{"PK":{"S":"CUST#200"},"LastName":{"S":"Miller"}}}"#;
        assert_eq!(
            item(LineKind::Changes.parse(updated.into()).unwrap()).len(),
            2
        );
    }

    #[test]
    fn a_line_that_would_lose_something_is_an_error() {
        for line in [
            "",
            "{}",
            r#"{"Item":{"a":{"VEC":"x"}}}"#,
            r#"{"Item":{"a":{"S":"x","N":"1"}}}"#,
            r#"{"Item":{"a":"x"}}"#,
            r#"{"Item":{"a":{"S":"x"}}} x"#,
        ] {
            assert!(LineKind::Items.parse(line.into()).is_err(), "{line}");
        }
    }
}

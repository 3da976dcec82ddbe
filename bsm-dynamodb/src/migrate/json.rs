//! DynamoDB JSON, as exports contain it, and the lines of data files.
//!
//! See <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html>.

use serde::Deserialize;

use crate::batch::Write;
use crate::wire::attribute_value::DecodedItem;

/// Which export a data file belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineKind {
    /// A full export: items.
    Items,
    /// An incremental export: the last image of each item that has changed.
    Changes,
}

impl LineKind {
    /// Parses a line to what the target has to write.
    pub(super) fn parse(self, line: &[u8]) -> serde_json::Result<Write> {
        match self {
            Self::Items => serde_json::from_slice(line).map(|ItemLine { item }| Write::Put(item.0)),
            Self::Changes => serde_json::from_slice(line).map(|line| match line {
                ChangeLine {
                    new_image: Some(item),
                    ..
                } => Write::Put(item.0),
                ChangeLine { keys, .. } => Write::Delete(keys.0),
            }),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ItemLine {
    item: DecodedItem,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ChangeLine {
    keys: DecodedItem,
    new_image: Option<DecodedItem>,
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use aws_sdk_dynamodb::primitives::Blob;
    use aws_sdk_dynamodb::types::AttributeValue;

    use super::*;
    use crate::codec::Item;

    fn item(write: Write) -> Item {
        match write {
            Write::Put(item) => item,
            Write::Delete(_) => panic!("a delete"),
        }
    }

    #[test]
    fn every_type_of_an_export_is_read() {
        let line = r#"{"Item":{"s":{"S":"é\n"},"n":{"N":"-1.50"},"b":{"B":"AP8="},"ss":{"SS":["a"]},
            "ns":{"NS":["1","2"]},"bs":{"BS":["AA=="]},"t":{"BOOL":true},"z":{"NULL":true},
            "l":{"L":[{"N":"1"},{"M":{"x":{"S":""}}}]}}}"#;
        let item = item(LineKind::Items.parse(line.as_bytes()).unwrap());
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
        match LineKind::Changes.parse(deleted.as_bytes()).unwrap() {
            Write::Delete(key) => assert_eq!(key.len(), 1),
            Write::Put(_) => panic!("a put"),
        }
        let updated = r#"{"Metadata":{"WriteTimestampMicros":{"N":"1680109764000000"}},
            "Keys":{"PK":{"S":"CUST#200"}},"NewImage":{"PK":{"S":"CUST#200"},"LastName":{"S":"Miller"}}}"#;
        assert_eq!(
            item(LineKind::Changes.parse(updated.as_bytes()).unwrap()).len(),
            2
        );
    }

    #[test]
    fn a_line_that_would_lose_something_is_an_error() {
        for line in [
            "",
            "{}",
            r#"{"Item":{"a":{"VEC":"x"}}}"#,
            r#"{"Item":{"a":{"B":"%"}}}"#,
            r#"{"Item":{"a":{"S":"x","N":"1"}}}"#,
            r#"{"Item":{"a":"x"}}"#,
            r#"{"Item":{"a":{"S":"x"}}} x"#,
        ] {
            assert!(LineKind::Items.parse(line.as_bytes()).is_err(), "{line}");
        }
    }
}

//! The bodies of the requests and responses that carry items.

use std::collections::HashMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::attribute_value::DecodedItem;
use super::item::WireItem;
use crate::codec::Item;

/// Why a body could not be read. The error of serde would quote it.
#[derive(Debug)]
pub(crate) struct MalformedBody;

/// The response to a Scan.
pub(crate) struct ScanResponse {
    pub(crate) items: Vec<WireItem>,
    pub(crate) last_evaluated_key: Option<Item>,
    pub(crate) consumed_units: f64,
}

impl ScanResponse {
    pub(crate) fn read(body: &Bytes) -> Result<Self, MalformedBody> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Body<'a> {
            #[serde(borrow)]
            // As in the SDK, every member is optional: a list that is absent is empty.
            items: Option<Vec<&'a RawValue>>,
            last_evaluated_key: Option<DecodedItem>,
            consumed_capacity: Option<ConsumedCapacity>,
        }
        let read: Body<'_> = from_slice(body)?;
        Ok(Self {
            items: wire_items(body, read.items.unwrap_or_default()).collect(),
            last_evaluated_key: read.last_evaluated_key.map(|DecodedItem(key)| key),
            consumed_units: units(read.consumed_capacity),
        })
    }
}

/// The response to a BatchGetItem for one table.
pub(crate) struct BatchGetResponse {
    pub(crate) items: Vec<WireItem>,
    pub(crate) unprocessed_keys: Vec<Item>,
    pub(crate) consumed_units: f64,
}

impl BatchGetResponse {
    pub(crate) fn read(body: &Bytes) -> Result<Self, MalformedBody> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Body<'a> {
            #[serde(borrow)]
            responses: Option<HashMap<String, Vec<&'a RawValue>>>,
            unprocessed_keys: Option<HashMap<String, Keys>>,
            consumed_capacity: Option<Vec<ConsumedCapacity>>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Keys {
            keys: Vec<DecodedItem>,
        }
        let read: Body<'_> = from_slice(body)?;
        let items = read.responses.unwrap_or_default();
        let unprocessed = read.unprocessed_keys.unwrap_or_default();
        Ok(Self {
            // The request named one table, so all items are from it.
            items: wire_items(body, items.into_values().flatten()).collect(),
            unprocessed_keys: unprocessed
                .into_values()
                .flat_map(|table| table.keys)
                .map(|DecodedItem(key)| key)
                .collect(),
            consumed_units: units(read.consumed_capacity.into_iter().flatten()),
        })
    }
}

/// One write of a batch.
#[derive(Clone, Debug)]
pub(crate) enum WireWrite {
    Put(WireItem),
    /// Deletes the item with this key.
    Delete(WireItem),
}

const BEFORE_AN_ITEM: &[u8] = br#"{"PutRequest":{"Item":"#;
const BEFORE_A_KEY: &[u8] = br#"{"DeleteRequest":{"Key":"#;
const AFTER_A_WRITE: &[u8] = b"}},";

impl WireWrite {
    /// The most bytes that a BatchWriteItem has around an item or a key.
    pub(crate) const AROUND: usize = BEFORE_A_KEY.len() + AFTER_A_WRITE.len();

    /// Returns how many bytes the write takes in a BatchWriteItem.
    pub(crate) fn bytes_in_a_request(&self) -> usize {
        self.parts().1.len() + Self::AROUND
    }

    fn parts(&self) -> (&'static [u8], &[u8]) {
        match self {
            Self::Put(item) => (BEFORE_AN_ITEM, item.as_bytes()),
            Self::Delete(key) => (BEFORE_A_KEY, key.as_bytes()),
        }
    }
}

/// Returns the body of a BatchWriteItem to one table.
pub(crate) fn batch_write(table: &str, writes: &[WireWrite]) -> Vec<u8> {
    let bytes = writes.iter().map(WireWrite::bytes_in_a_request);
    // The rest of the body takes less than 100 bytes and the table's name, so it is allocated once.
    let mut body = Vec::with_capacity(bytes.sum::<usize>() + table.len() + 100);
    // Concatenated by hand: the items are valid JSON already, and are copied without being parsed again.
    body.extend_from_slice(br#"{"ReturnConsumedCapacity":"TOTAL","RequestItems":{"#);
    // Encoded, so that a quote in the name of a table cannot end the string.
    body.extend_from_slice(json(table).as_bytes());
    body.extend_from_slice(b":[");
    for write in writes {
        let (before, item) = write.parts();
        body.extend_from_slice(before);
        body.extend_from_slice(item);
        body.extend_from_slice(AFTER_A_WRITE);
    }
    // The comma behind the last write.
    body.pop();
    body.extend_from_slice(b"]}}");
    body
}

/// The response to a BatchWriteItem to one table.
pub(crate) struct BatchWriteResponse {
    pub(crate) unprocessed: Vec<WireWrite>,
    /// Whether an unprocessed write is neither a put nor a delete, so that it can't be one of those sent.
    pub(crate) has_unknown_writes: bool,
    pub(crate) consumed_units: f64,
}

impl BatchWriteResponse {
    pub(crate) fn read(body: &Bytes) -> Result<Self, MalformedBody> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Body<'a> {
            #[serde(borrow)]
            unprocessed_items: Option<HashMap<String, Vec<Request<'a>>>>,
            consumed_capacity: Option<Vec<ConsumedCapacity>>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Request<'a> {
            #[serde(borrow)]
            put_request: Option<Put<'a>>,
            #[serde(borrow)]
            delete_request: Option<Delete<'a>>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Put<'a> {
            #[serde(borrow)]
            item: &'a RawValue,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Delete<'a> {
            #[serde(borrow)]
            key: &'a RawValue,
        }
        let read: Body<'_> = from_slice(body)?;
        let requests = read.unprocessed_items.unwrap_or_default();
        let requests: Vec<_> = requests.into_values().flatten().collect();
        let total = requests.len();
        let unprocessed: Vec<_> = requests
            .into_iter()
            .filter_map(
                |request| match (request.put_request, request.delete_request) {
                    (Some(put), _) => Some(WireWrite::Put(WireItem::in_body(body, put.item))),
                    (None, Some(delete)) => {
                        Some(WireWrite::Delete(WireItem::in_body(body, delete.key)))
                    }
                    (None, None) => None,
                },
            )
            .collect();
        Ok(Self {
            // The caller fails then: if the other writes were taken for all that is left, an item would be lost.
            has_unknown_writes: unprocessed.len() < total,
            unprocessed,
            consumed_units: units(read.consumed_capacity.into_iter().flatten()),
        })
    }
}

/// Returns the body of a PutItem that fails if the table has an item with this key.
pub(crate) fn put_if_missing(table: &str, hash_key: &str, item: &WireItem) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Body<'a> {
        table_name: &'a str,
        condition_expression: &'static str,
        expression_attribute_names: HashMap<&'static str, &'a str>,
        return_consumed_capacity: &'static str,
    }
    let body = Body {
        table_name: table,
        // The hash key is enough: every item has one, and the condition looks at the item with the whole key.
        condition_expression: "attribute_not_exists(#key)",
        expression_attribute_names: HashMap::from([("#key", hash_key)]),
        return_consumed_capacity: "TOTAL",
    };
    let mut body = json(&body).into_bytes();
    // In place of the closing brace.
    body.pop();
    body.extend_from_slice(br#","Item":"#);
    body.extend_from_slice(item.as_bytes());
    body.push(b'}');
    body
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ConsumedCapacity {
    capacity_units: Option<f64>,
}

fn units(consumed: impl IntoIterator<Item = ConsumedCapacity>) -> f64 {
    let units = consumed
        .into_iter()
        .filter_map(|table| table.capacity_units);
    units.sum()
}

fn from_slice<'a, T: Deserialize<'a>>(body: &'a Bytes) -> Result<T, MalformedBody> {
    serde_json::from_slice(body).map_err(|_| MalformedBody)
}

fn wire_items<'a>(
    body: &'a Bytes,
    items: impl IntoIterator<Item = &'a RawValue>,
) -> impl Iterator<Item = WireItem> {
    items
        .into_iter()
        .map(move |item| WireItem::in_body(body, item))
}

fn json(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).expect("strings and maps of strings can be written")
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::AttributeValue;
    use serde_json::{Value, from_slice, json};

    use super::*;

    fn item(id: &str) -> Item {
        Item::from([("id".to_owned(), AttributeValue::S(id.to_owned()))])
    }

    fn wire(id: &str) -> WireItem {
        WireItem::encode(&item(id)).unwrap()
    }

    fn decoded(items: &[WireItem]) -> Vec<Item> {
        items.iter().map(|item| item.decode().unwrap()).collect()
    }

    #[test]
    fn requests_are_the_json_that_dynamodb_expects_whatever_the_names() {
        let name = "a\"b\\c";
        let body: Value = from_slice(&batch_write(
            name,
            &[WireWrite::Put(wire("1")), WireWrite::Delete(wire("\""))],
        ))
        .unwrap();
        let put = json!({ "PutRequest": { "Item": { "id": { "S": "1" } } } });
        let delete = json!({ "DeleteRequest": { "Key": { "id": { "S": "\"" } } } });
        assert_eq!(
            body,
            json!({
                "ReturnConsumedCapacity": "TOTAL",
                "RequestItems": { name: [put, delete] },
            })
        );
        let body: Value = from_slice(&put_if_missing("users", name, &wire("1"))).unwrap();
        assert_eq!(
            body,
            json!({
                "TableName": "users",
                "Item": { "id": { "S": "1" } },
                "ConditionExpression": "attribute_not_exists(#key)",
                "ExpressionAttributeNames": { "#key": name },
                "ReturnConsumedCapacity": "TOTAL",
            })
        );
    }

    #[test]
    fn responses_are_read_with_and_without_their_optional_parts() {
        let page = json!({
            "Items": [{ "id": { "S": "1" } }, { "id": { "S": "2" } }],
            "LastEvaluatedKey": { "id": { "S": "2" } },
            "ConsumedCapacity": { "TableName": "users", "CapacityUnits": 1.5 },
            "Count": 2, "ScannedCount": 2, "Unknown": { "to": "us" },
        });
        let page = ScanResponse::read(&page.to_string().into()).unwrap();
        assert_eq!(decoded(&page.items), [item("1"), item("2")]);
        assert_eq!(page.last_evaluated_key, Some(item("2")));
        assert_eq!(page.consumed_units, 1.5);
        let page = ScanResponse::read(&Bytes::from_static(b"{}")).unwrap();
        assert!(page.items.is_empty() && page.last_evaluated_key.is_none());

        let answer = json!({
            "Responses": { "users": [{ "id": { "S": "1" } }] },
            "UnprocessedKeys": { "users": { "Keys": [{ "id": { "S": "2" } }] } },
            "ConsumedCapacity": [{ "CapacityUnits": 1.0 }, { "CapacityUnits": 0.5 }, {}],
        });
        let answer = BatchGetResponse::read(&answer.to_string().into()).unwrap();
        assert_eq!(decoded(&answer.items), [item("1")]);
        assert_eq!(answer.unprocessed_keys, [item("2")]);
        assert_eq!(answer.consumed_units, 1.5);

        let put = json!({ "PutRequest": { "Item": { "id": { "S": "1" } } } });
        let delete = json!({ "DeleteRequest": { "Key": { "id": { "S": "2" } } } });
        let answer = json!({ "UnprocessedItems": { "users": [put, delete] } });
        let answer = BatchWriteResponse::read(&answer.to_string().into()).unwrap();
        match &answer.unprocessed[..] {
            [WireWrite::Put(put), WireWrite::Delete(key)] => {
                assert_eq!(put.decode().unwrap(), item("1"));
                assert_eq!(key.decode().unwrap(), item("2"));
            }
            writes => panic!("{writes:?}"),
        }
        assert!(!answer.has_unknown_writes);
        let answer = json!({ "UnprocessedItems": { "users": [{}] } });
        let answer = BatchWriteResponse::read(&answer.to_string().into()).unwrap();
        assert!(answer.unprocessed.is_empty() && answer.has_unknown_writes);
    }

    #[test]
    fn a_body_that_is_not_dynamodbs_is_an_error() {
        for body in [
            "",
            "<html>",
            "[]",
            r#"{"Items":1}"#,
            r#"{"Items":[{]}"#,
            "\u{0}",
        ] {
            let body = Bytes::copy_from_slice(body.as_bytes());
            assert!(ScanResponse::read(&body).is_err(), "{body:?}");
        }
        let invalid_utf8 = Bytes::from_static(b"{\"Items\":[{\"a\":{\"S\":\"\xff\"}}]}");
        assert!(ScanResponse::read(&invalid_utf8).is_err());
    }
}

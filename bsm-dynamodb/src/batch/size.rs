//! Sizes of items, in a request and in a table.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::codec::Item;

/// Returns about how many bytes an item takes in a request, as JSON.
pub(super) fn sent_bytes(item: &Item) -> usize {
    item.iter()
        .map(|(name, value)| text_bytes(name) + value_bytes(value))
        .sum()
}

/// Returns a lower bound for the bytes that an item takes in a table.
///
/// Source: [Item sizes and formats](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html)
/// in the Developer Guide.
pub(crate) fn least_stored_bytes(item: &Item) -> usize {
    fn of(value: &AttributeValue) -> usize {
        match value {
            AttributeValue::S(text) => text.len(),
            AttributeValue::B(bytes) => bytes.as_ref().len(),
            AttributeValue::Ss(texts) => texts.iter().map(String::len).sum(),
            AttributeValue::Bs(all) => all.iter().map(|bytes| bytes.as_ref().len()).sum(),
            AttributeValue::L(values) => values.iter().map(of).sum(),
            AttributeValue::M(map) => least_stored_bytes(map),
            // Numbers, booleans and nulls take at least one byte.
            _ => 1,
        }
    }
    item.iter()
        .map(|(name, value)| name.len() + of(value))
        .sum()
}

fn value_bytes(value: &AttributeValue) -> usize {
    /// The braces, the type and the separators, as in `{"S":"…"},`.
    const AROUND: usize = 10;
    let base64 = |bytes: usize| bytes.div_ceil(3) * 4;
    AROUND
        + match value {
            AttributeValue::S(text) => text_bytes(text),
            AttributeValue::N(number) => number.len(),
            AttributeValue::B(bytes) => base64(bytes.as_ref().len()),
            AttributeValue::Ss(texts) => texts.iter().map(|text| text_bytes(text)).sum(),
            AttributeValue::Ns(numbers) => numbers.iter().map(|number| number.len() + 3).sum(),
            AttributeValue::Bs(all) => all.iter().map(|b| base64(b.as_ref().len()) + 3).sum(),
            AttributeValue::L(values) => values.iter().map(value_bytes).sum(),
            AttributeValue::M(map) => sent_bytes(map),
            // `false` is the longest of the rest: NULL and BOOL.
            _ => 5,
        }
}

/// Returns the bytes of a text with its quotes, and with the escapes that JSON requires.
fn text_bytes(text: &str) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' => 2,
        // As long as `\u0000`. The short escapes, such as `\n`, count as long ones.
        0..0x20 => 6,
        _ => 1,
    };
    // Quotes and separators, rounded up: with an estimate that is too low, a request could exceed the limit.
    text.bytes().map(escaped).sum::<usize>() + 4
}

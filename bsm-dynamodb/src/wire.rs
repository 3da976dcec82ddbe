//! Items as the JSON that DynamoDB sends, moved through the SDK's client without being decoded.
//!
//! The SDK turns each attribute of a response into a value of its own and back into text, which costs
//! more than everything else that a copy does. Here an item stays a slice of the response's body:
//! [`WireItem`](item::WireItem). The SDK still signs, sends, retries and times the requests, and decodes errors.

pub(crate) mod attribute_value;
pub(crate) mod bodies;
pub(crate) mod body_interceptor;
mod inspect;
pub(crate) mod item;

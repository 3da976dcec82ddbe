//! Text that contains secrets.

use std::fmt;

use zeroize::Zeroizing;

/// Text that holds secrets: shell code, or the JSON of credentials.
///
/// It is overwritten when it is dropped, and its `Debug` form shows nothing of it. There is no
/// `Display`; [`expose`](Self::expose) says what it does.
#[derive(Clone)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    pub(crate) fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    /// Returns the text, secrets and all.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(..)")
    }
}

/// Writes a value as JSON into memory that is overwritten when it is dropped.
///
/// `capacity` must exceed the length, because a buffer that grows leaves copies behind.
pub(crate) fn json(value: &impl serde::Serialize, capacity: usize) -> SecretText {
    let mut bytes = Vec::with_capacity(capacity);
    serde_json::to_writer(&mut bytes, value).expect("structs of strings can be written as JSON");
    let text = String::from_utf8(bytes).expect("JSON is UTF-8");
    SecretText(Zeroizing::new(text))
}

//! Secret text that does not show itself.

use std::fmt;

use serde::Deserialize;

/// A secret access key or TOTP secret. `Debug` shows that there is one, not what it is.
#[derive(Clone, Deserialize, Eq, PartialEq)]
#[serde(transparent)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

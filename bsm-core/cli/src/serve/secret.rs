//! Secrets that a client must send.

use std::fmt;

use zeroize::Zeroizing;

use crate::failure::{Class, Failure};

/// As many bytes as an AES-256 key: more than anybody can try.
const LENGTH: usize = 32;

/// A random secret, in hexadecimal so that it fits into a path and a header.
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    pub(crate) fn new() -> Result<Self, Failure> {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        getrandom::fill(&mut bytes[..]).map_err(|error| {
            let message = format!("the operating system returned no random numbers: {error}");
            Failure::new(Class::Failed, message)
        })?;
        // At its full size, because a string that grows leaves copies of the secret in memory.
        let mut text = Zeroizing::new(String::with_capacity(2 * LENGTH));
        for byte in bytes.iter() {
            for digit in [byte >> 4, byte & 15] {
                text.extend(char::from_digit(digit.into(), 16));
            }
        }
        Ok(Self(text))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Compares in a time that does not depend on how much of a guess is right.
    pub(super) fn is(&self, guess: &str) -> bool {
        let (own, guess) = (self.0.as_bytes(), guess.as_bytes());
        let differences = own
            .iter()
            .zip(guess)
            .fold(0, |found, (a, b)| found | (a ^ b));
        // `black_box` keeps the compiler from adding an early exit. The length is not a secret.
        std::hint::black_box(differences) == 0 && own.len() == guess.len()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_only_itself() {
        let (one, other) = (Secret::new().unwrap(), Secret::new().unwrap());
        assert_eq!(one.expose().len(), 64);
        assert!(one.is(one.expose()));
        for guess in [
            other.expose(),
            "",
            &one.expose()[1..],
            &format!("{}0", one.expose()),
        ] {
            assert!(!one.is(guess));
        }
        assert_eq!(format!("{one:?}"), "Secret(..)");
    }
}

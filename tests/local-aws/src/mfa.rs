//! MFA devices: time-based codes, or a list of codes to be used once each.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use totp_rs::{Builder, Totp};

use crate::secret::Secret;

/// How long one code lasts, in seconds.
const STEP_SECONDS: u64 = 30;

/// An MFA device of a user, as AWS's virtual ones are: six digits, SHA-1, a new code every 30 s.
///
/// Every code is accepted once.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MfaDevice {
    pub(crate) serial: String,
    #[serde(default)]
    totp_secret: Option<Secret>,
    #[serde(default)]
    codes: Vec<Secret>,
}

impl MfaDevice {
    /// Makes a device whose codes follow RFC 6238 from a Base32 secret and the server's clock.
    ///
    /// The codes of the step before and of the step after the current one are accepted as well.
    pub fn totp(serial: impl Into<String>, base32_secret: impl Into<String>) -> Self {
        Self {
            serial: serial.into(),
            totp_secret: Some(Secret::new(base32_secret)),
            codes: Vec::new(),
        }
    }

    /// Makes a device that accepts the given codes, each once, at any time.
    pub fn fixed(
        serial: impl Into<String>,
        codes: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        Self {
            serial: serial.into(),
            totp_secret: None,
            codes: codes.into_iter().map(Secret::new).collect(),
        }
    }

    /// Returns the code a TOTP device shows at `time`, and `None` for a device with fixed codes.
    pub fn code_at(&self, time: SystemTime) -> Option<String> {
        Some(self.generator()?.generate(unix_seconds(time)).to_string())
    }

    /// Says what is wrong with the device's settings.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        match &self.totp_secret {
            Some(_) if self.generator().is_none() => Some("its TOTP secret is not Base32"),
            None if self.codes.is_empty() => Some("it has neither a TOTP secret nor codes"),
            _ => None,
        }
    }

    /// Tells which use of the device `code` is at `time`: a code that was used before gives the
    /// same answer again, so that the caller can refuse it.
    pub(crate) fn recognize(&self, code: &str, time: SystemTime) -> Option<MfaUse> {
        match self.generator() {
            Some(generator) => {
                let now = unix_seconds(time);
                [now, now.saturating_sub(STEP_SECONDS), now + STEP_SECONDS]
                    .into_iter()
                    .find(|&at| generator.generate(at).to_string() == code)
                    .map(|at| MfaUse::Step(at / STEP_SECONDS))
            }
            None => self
                .codes
                .iter()
                .any(|known| known.reveal() == code)
                .then(|| MfaUse::Code(code.to_owned())),
        }
    }

    fn generator(&self) -> Option<Totp> {
        let encoded = self.totp_secret.as_ref()?.reveal();
        let secret = totp_rs::Secret::try_from_base32(encoded).ok()?;
        // The compliant builder refuses the short secrets that RFC 6238's own test vectors and many guides use.
        Some(Builder::new().with_secret(secret).build_noncompliant())
    }
}

/// One use of a device, which must not happen again.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum MfaUse {
    Step(u64),
    Code(String),
}

fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The SHA-1 secret of RFC 6238, appendix B ("12345678901234567890").
    const RFC_SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn totp_codes_are_those_of_rfc_6238() {
        let device = MfaDevice::totp("arn:aws:iam::111111111111:mfa/dev", RFC_SECRET);
        // Appendix B lists eight digits; the last six are the six-digit code.
        assert_eq!(device.code_at(at(59)).as_deref(), Some("287082"));
        assert_eq!(device.code_at(at(1_111_111_109)).as_deref(), Some("081804"));
        assert_eq!(device.code_at(at(2_000_000_000)).as_deref(), Some("279037"));
    }

    #[test]
    fn a_totp_code_lasts_one_step_to_either_side() {
        let device = MfaDevice::totp("arn:aws:iam::111111111111:mfa/dev", RFC_SECRET);
        let code = device.code_at(at(3_000)).expect("a TOTP device has codes");
        assert_eq!(device.recognize(&code, at(3_000)), Some(MfaUse::Step(100)));
        assert_eq!(device.recognize(&code, at(3_059)), Some(MfaUse::Step(100)));
        assert_eq!(device.recognize(&code, at(3_060)), None);
    }

    #[test]
    fn a_fixed_code_is_known_at_any_time() {
        let device = MfaDevice::fixed("GAHT12345678", ["123456"]);
        assert_eq!(
            device.recognize("123456", at(0)),
            Some(MfaUse::Code("123456".into()))
        );
        assert_eq!(device.recognize("654321", at(0)), None);
        assert_eq!(device.code_at(at(0)), None);
    }
}

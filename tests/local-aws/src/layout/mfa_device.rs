//! MFA devices: time-based codes, or a fixed list of one-time codes.

use std::time::SystemTime;
#[cfg(feature = "totp")]
use std::time::{Duration, UNIX_EPOCH};

use serde::Deserialize;
#[cfg(feature = "totp")]
use totp_rs::{Builder, Totp};

use crate::secret::Secret;

/// The duration of one TOTP step, in seconds: the default of RFC 6238, which AWS uses.
#[cfg(feature = "totp")]
const STEP_SECONDS: u64 = 30;

/// An MFA device like AWS's virtual devices: six digits, SHA-1, a new code every 30 seconds.
///
/// The server accepts each code once.
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
    /// Creates a device that generates codes by RFC 6238 from a Base32 secret and the server's
    /// clock.
    ///
    /// The server also accepts the codes of the previous and the next step.
    #[cfg(feature = "totp")]
    pub fn totp(serial: impl Into<String>, base32_secret: impl Into<String>) -> Self {
        Self {
            serial: serial.into(),
            totp_secret: Some(Secret::new(base32_secret)),
            codes: Vec::new(),
        }
    }

    /// Creates a device with fixed codes. The server accepts each of them once, at any time.
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

    /// Returns the code that a TOTP device displays at `time`. Returns `None` for a device with fixed
    /// codes.
    #[cfg(feature = "totp")]
    pub fn code_at(&self, time: SystemTime) -> Option<String> {
        Some(self.generator()?.generate(unix_seconds(time)).to_string())
    }

    /// Returns what is wrong with the settings of the device, if anything is.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        match &self.totp_secret {
            #[cfg(feature = "totp")]
            Some(_) if self.generator().is_none() => Some("its TOTP secret is not Base32"),
            #[cfg(not(feature = "totp"))]
            Some(_) => Some("its TOTP secret needs the feature totp"),
            None if self.codes.is_empty() => Some("it has neither a TOTP secret nor codes"),
            _ => None,
        }
    }

    /// Returns which one-time use `code` stands for at `time`, or `None` if the code is wrong.
    ///
    /// A code that was already used returns the same use again, so the caller can reject it.
    pub(crate) fn recognize(&self, code: &str, time: SystemTime) -> Option<MfaUse> {
        #[cfg(feature = "totp")]
        if let Some(generator) = self.generator() {
            let now = unix_seconds(time);
            return [now, now.saturating_sub(STEP_SECONDS), now + STEP_SECONDS]
                .into_iter()
                .find(|&at| generator.generate(at).to_string() == code)
                .map(|at| MfaUse::Step(at / STEP_SECONDS));
        }
        #[cfg(not(feature = "totp"))]
        let _ = time;
        let mut codes = self.codes.iter();
        let is_known = codes.any(|known| known.expose() == code);
        is_known.then(|| MfaUse::Code(code.to_owned()))
    }

    #[cfg(feature = "totp")]
    fn generator(&self) -> Option<Totp> {
        let encoded = self.totp_secret.as_ref()?.expose();
        let secret = totp_rs::Secret::try_from_base32(encoded).ok()?;
        // `build` rejects secrets shorter than 128 bits, which many tutorials use.
        Some(Builder::new().with_secret(secret).build_noncompliant())
    }
}

/// A one-time use of a device.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum MfaUse {
    #[cfg(feature = "totp")]
    Step(u64),
    Code(String),
}

#[cfg(feature = "totp")]
fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    /// The SHA-1 secret of RFC 6238, appendix B ("12345678901234567890").
    #[cfg(feature = "totp")]
    const RFC_SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[cfg(feature = "totp")]
    #[test]
    fn totp_codes_are_those_of_rfc_6238() {
        let device = MfaDevice::totp("arn:aws:iam::111111111111:mfa/dev", RFC_SECRET);
        // Appendix B lists eight digits; the last six are the six-digit code.
        assert_eq!(device.code_at(at(59)).as_deref(), Some("287082"));
        assert_eq!(device.code_at(at(1_111_111_109)).as_deref(), Some("081804"));
        assert_eq!(device.code_at(at(2_000_000_000)).as_deref(), Some("279037"));
    }

    #[cfg(feature = "totp")]
    #[test]
    fn a_totp_code_is_valid_one_step_before_and_after() {
        let device = MfaDevice::totp("arn:aws:iam::111111111111:mfa/dev", RFC_SECRET);
        let code = device.code_at(at(3_000)).expect("a TOTP device has codes");
        assert_eq!(device.recognize(&code, at(3_000)), Some(MfaUse::Step(100)));
        assert_eq!(device.recognize(&code, at(3_059)), Some(MfaUse::Step(100)));
        assert_eq!(device.recognize(&code, at(3_060)), None);
    }

    #[test]
    fn a_fixed_code_is_valid_at_any_time() {
        let device = MfaDevice::fixed("GAHT12345678", ["123456"]);
        assert_eq!(
            device.recognize("123456", at(0)),
            Some(MfaUse::Code("123456".into()))
        );
        assert_eq!(device.recognize("654321", at(0)), None);
        #[cfg(feature = "totp")]
        assert_eq!(device.code_at(at(0)), None);
    }
}

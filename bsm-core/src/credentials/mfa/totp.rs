//! MFA codes from the device's secret.

use std::fmt;
use std::time::Duration;

use parking_lot::Mutex;
use totp_rs::{Builder, Secret};

use super::{BoxFuture, Internal, MfaTokenProvider, STEP, TokenRequest};
use crate::error::{Error, ErrorKind};

/// How far ahead of the clock a code can be: AWS accepts the code of the next step, but no later
/// one.
const MAX_STEPS_AHEAD: u64 = 1;

/// Computes the codes of a virtual MFA device from its secret, for programs that run unattended.
///
/// AWS's virtual devices are RFC 6238 with its defaults: SHA-1, six digits, a new code every 30
/// seconds. The secret is the Base32 text behind "Show secret key" in the AWS console. A program
/// that holds it is the second factor itself: keep it as carefully as a password.
///
/// If the present code has been used, it waits for the next one, up to 30 seconds. The time is that
/// of the manager's clock.
pub struct Totp {
    totp: totp_rs::Totp,
    /// The step of the last code that was returned.
    last: Mutex<Option<u64>>,
}

impl Totp {
    /// Takes a Base32 secret; lower case, blanks and padding do not matter.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] if it is not Base32.
    pub fn new(base32_secret: &str) -> Result<Self, Error> {
        let cleaned = zeroize::Zeroizing::new(cleaned(base32_secret));
        let secret = Secret::try_from_base32(cleaned.as_str())
            .ok()
            .filter(|secret| !secret.as_bytes().is_empty());
        // Its error might hold a part of the secret.
        let secret = secret.ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                "the secret of the MFA device is not Base32, which uses A to Z and 2 to 7 only: \
                 copy it again",
            )
        })?;
        Ok(Self {
            // AWS's secrets are long enough; those of other tools need not be.
            totp: Builder::new().with_secret(secret).build_noncompliant(),
            last: Mutex::new(None),
        })
    }

    /// Returns the step of the next code, and how long to wait for it.
    fn next_step(&self, now: Duration) -> (u64, Duration) {
        let current = now.as_secs() / STEP.as_secs();
        let mut last = self.last.lock();
        let step = match *last {
            Some(last) if (current..=current + MAX_STEPS_AHEAD).contains(&last) => last + 1,
            // The last one is over; or the clock was set back, and it tells nothing.
            _ => current,
        };
        // Before the wait: a request in the meantime must get the step after this one.
        *last = Some(step);
        // Steps of 30 seconds since 1970 fit into 32 bits for four thousand years.
        (step, (STEP * step as u32).saturating_sub(now))
    }
}

fn cleaned(secret: &str) -> String {
    secret
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '='))
        .map(|c| c.to_ascii_uppercase())
        .collect()
}

impl MfaTokenProvider for Totp {
    fn token_code<'a>(&'a self, request: &'a TokenRequest) -> BoxFuture<'a, Result<String, Error>> {
        Box::pin(async move {
            let (step, wait) = self.next_step(request.since_epoch());
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            Ok(self.totp.generate(step * STEP.as_secs()).to_string())
        })
    }

    fn is_interactive(&self) -> bool {
        false
    }

    fn runs_anywhere(&self, _: Internal) -> bool {
        true
    }
}

/// Shows nothing: all of it is the secret.
impl fmt::Debug for Totp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Totp").finish_non_exhaustive()
    }
}

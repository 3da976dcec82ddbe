//! The codes that this process has sent, and the order in which codes are asked for.

use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant as MonotonicTime, SystemTime};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Internal, MfaTokenProvider, TokenRequest};
use crate::error::{Error, ErrorKind};
use crate::sync::on_callers_runtime;
use crate::sync::waits::{Wait, WorkId};

/// The time limit of a code, and of the wait for an earlier prompt: the user may have to find the device.
pub(super) const LIMIT: Duration = Duration::from_secs(300);

/// How often an interactive provider that returns used codes is prompted before the call fails.
const MAX_PROMPTS: usize = 3;

/// The time after which AWS can no longer have seen a code: five minutes, which covers the step
/// before and after plus clock drift.
pub(super) const CODE_MEMORY: Duration = Duration::from_secs(300);

/// A provider that answers faster than this did not wait for the device's next code.
const AT_ONCE: Duration = Duration::from_secs(1);

/// A provider, and its place in the order of all. Clones share both.
#[derive(Clone)]
pub(crate) struct TokenCodes {
    inner: Arc<Inner>,
}

struct Inner {
    provider: Box<dyn MfaTokenProvider>,
    lock: Arc<PromptLock>,
}

/// A device, as AWS knows it. Devices of different endpoints, such as those of tests, have nothing to
/// do with each other.
#[derive(Clone, PartialEq, Eq)]
struct Device {
    endpoint: Option<String>,
    serial: String,
}

struct Used {
    device: Device,
    code: String,
    /// By the clock of the manager that sent it.
    at: SystemTime,
    /// By the clock of the process. Not tokio's: a paused test must not prune the codes of another.
    sent: MonotonicTime,
}

/// The codes of the last minutes.
static USED: Mutex<Vec<Used>> = Mutex::new(Vec::new());

/// The queue of interactive prompts: a process has one terminal.
static PROMPT: LazyLock<Arc<PromptLock>> = LazyLock::new(Arc::default);

impl TokenCodes {
    pub(crate) fn new(provider: impl MfaTokenProvider) -> Self {
        let lock = match provider.is_interactive() {
            // Prompts share the terminal, so the process shows one at a time.
            true => Arc::clone(&PROMPT),
            false => Arc::default(),
        };
        Self::with_lock(provider, lock)
    }

    pub(super) fn with_lock(provider: impl MfaTokenProvider, lock: Arc<PromptLock>) -> Self {
        Self {
            inner: Arc::new(Inner {
                provider: Box::new(provider),
                lock,
            }),
        }
    }

    pub(crate) fn is_interactive(&self) -> bool {
        self.inner.provider.is_interactive()
    }

    /// Requests a code that this process has not sent, and records it as sent.
    ///
    /// A person is asked a few times. A provider without one is asked until the limit passes, because
    /// other roles may need the next codes of the device as well.
    pub(crate) async fn code(&self, request: TokenRequest) -> Result<String, Error> {
        let _guard = self.inner.lock.acquire(&request).await?;
        let code = self.unused_code(request.clone());
        match tokio::time::timeout(LIMIT, code).await {
            Ok(code) => code,
            Err(_) => Err(too_slow(&request)),
        }
    }

    async fn unused_code(&self, mut request: TokenRequest) -> Result<String, Error> {
        let mut prompts = 0;
        loop {
            tracing::debug!(serial = request.serial, "asking for an MFA code");
            let asked = Instant::now();
            let code = six_digits(&self.ask(&request).await?, &request)?;
            // Recorded before it is sent: AWS may count a code whose response is lost.
            if is_first_use(&request, &code) {
                return Ok(code);
            }
            prompts += 1;
            request.is_repeat = true;
            if self.is_interactive() {
                // Someone who repeats a used code is not waiting for the next one: another prompt doesn't help.
                if prompts == MAX_PROMPTS {
                    return Err(used_already(&request));
                }
            // A provider that returns at once has the same code until the device's next step.
            // One that took longer has waited itself.
            } else if asked.elapsed() < AT_ONCE {
                request.next_code().await;
            }
        }
    }

    /// Calls the provider: built-in providers here, and the user's on the runtime of a caller.
    async fn ask(&self, request: &TokenRequest) -> Result<String, Error> {
        if self.inner.provider.runs_anywhere(Internal(())) {
            return self.inner.provider.token_code(request).await;
        }
        on_callers_runtime(|| {
            let (inner, request) = (Arc::clone(&self.inner), request.clone());
            async move { inner.provider.token_code(&request).await }
        })
        .await
    }
}

impl fmt::Debug for TokenCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCodes")
            .field("is_interactive", &self.is_interactive())
            .finish_non_exhaustive()
    }
}

/// A lock that fails, instead of deadlocking, when its holder waits for it.
pub(super) struct PromptLock {
    id: WorkId,
    lock: tokio::sync::Mutex<()>,
}

/// Holds the lock for one request.
struct PromptGuard<'a> {
    _lock: tokio::sync::MutexGuard<'a, ()>,
    _wait: Option<Wait>,
}

impl Default for PromptLock {
    fn default() -> Self {
        Self {
            id: WorkId::new(),
            lock: tokio::sync::Mutex::default(),
        }
    }
}

impl PromptLock {
    async fn acquire(&self, request: &TokenRequest) -> Result<PromptGuard<'_>, Error> {
        let waiting = Wait::on(self.id)?;
        let lock = tokio::time::timeout(LIMIT, self.lock.lock()).await;
        let lock = lock.map_err(|_| busy(request))?;
        // The holder now does this work: a provider that takes the lock again would wait for itself.
        drop(waiting);
        Ok(PromptGuard {
            _lock: lock,
            _wait: Wait::holds(self.id),
        })
    }
}

/// Records a code as used. Returns `false` if it was used before.
fn is_first_use(request: &TokenRequest, code: &str) -> bool {
    let new = Used {
        device: Device {
            endpoint: request.endpoint.clone(),
            serial: request.serial.clone(),
        },
        code: code.to_owned(),
        at: request.now(),
        sent: MonotonicTime::now(),
    };
    // Looked up and recorded under one lock, so that two roles never send the same code.
    record(&mut USED.lock(), new)
}

/// Adds a code to the list and forgets old ones. Returns `false` if the code is in the list already.
fn record(used: &mut Vec<Used>, new: Used) -> bool {
    used.retain(|used| {
        // The managers of other devices may have other clocks, so only the process's own counts for them.
        let is_recent = new.sent.saturating_duration_since(used.sent) < CODE_MEMORY;
        is_recent && (used.device != new.device || used.is_remembered(new.at))
    });
    if used
        .iter()
        .any(|used| used.device == new.device && used.code == new.code)
    {
        return false;
    }
    used.push(new);
    true
}

impl Used {
    fn is_remembered(&self, now: SystemTime) -> bool {
        // A clock that was set back makes the time of use a future one. AWS's clock was not set back.
        now.duration_since(self.at)
            .map_or(true, |ago| ago < CODE_MEMORY)
    }
}

fn six_digits(given: &str, request: &TokenRequest) -> Result<String, Error> {
    let code: String = given.chars().filter(|c| !c.is_whitespace()).collect();
    if code.is_empty() {
        return Err(super::no_code(request));
    }
    // The kind of a code that AWS rejects: the next call may prompt at once.
    if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::new(
            ErrorKind::MfaCodeRejected,
            format!(
                "the code given for the MFA device {} is not six digits: enter the six digits that \
                 the device shows",
                request.serial
            ),
        ));
    }
    Ok(code)
}

fn used_already(request: &TokenRequest) -> Error {
    Error::new(
        ErrorKind::MfaCodeRejected,
        format!(
            "the code given for the MFA device {} has been used already: wait for the next one",
            request.serial
        ),
    )
}

fn busy(request: &TokenRequest) -> Error {
    Error::new(
        ErrorKind::MfaCodeUnavailable,
        format!(
            "cannot prompt for a code of the MFA device {}, because another prompt is open: answer \
             that one first",
            request.serial
        ),
    )
}

fn too_slow(request: &TokenRequest) -> Error {
    // Not `TimedOut`: after this kind, there is no prompt until the credentials have expired.
    Error::new(
        ErrorKind::MfaCodeUnavailable,
        format!(
            "timed out after {} s waiting for a code of the MFA device {}",
            LIMIT.as_secs(),
            request.serial
        ),
    )
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn the_codes_of_every_device_are_forgotten_after_five_minutes() {
        let start = MonotonicTime::now();
        let code = |serial: &str, passed| Used {
            device: Device {
                endpoint: None,
                serial: serial.to_owned(),
            },
            code: "123456".to_owned(),
            // Its manager's clock stands still.
            at: UNIX_EPOCH,
            sent: start + passed,
        };
        let second = Duration::from_secs(1);
        let mut used = Vec::new();
        assert!(record(&mut used, code("one", Duration::ZERO)));
        assert!(record(&mut used, code("two", second)));
        assert!(!record(&mut used, code("one", CODE_MEMORY - second)));
        assert_eq!(used.len(), 2);
        assert!(record(&mut used, code("three", CODE_MEMORY)));
        let serials: Vec<_> = used
            .iter()
            .map(|used| used.device.serial.as_str())
            .collect();
        assert_eq!(serials, ["two", "three"]);
    }
}

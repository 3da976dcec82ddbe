//! What the processes share: AWS, the clock, the cache, and what must hold.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fmt, fs, io};

use aws_smithy_async::time::TimeSource;
use parking_lot::Mutex;
use tokio::time::Instant;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

/// Every secret contains it, so that the log can be searched for all of them at once.
const MARK: &str = "s3cr3t";

/// What a violation of the time limits may be off by: timers have a granularity, and requests take time.
const SLACK: Duration = Duration::from_secs(5);

/// How long it may take after the last fault until everything works: longer than each time limit and each
/// cooldown without valid credentials.
pub(super) const RECOVERY: Duration = Duration::from_secs(180);

/// The most AssumeRole calls for one role that a process may send in a minute.
///
/// One that fails calls again after one to five seconds, with three attempts if the failure is one to retry:
/// about 60. Callers that clear the cache add some.
const MAX_CALLS: usize = 120;

/// How much goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weather {
    Fine,
    Changing,
    Foul,
    Outage,
    /// The policies have changed.
    Denied,
}

/// Clones are the same world.
#[derive(Clone, Debug)]
pub(super) struct World(Arc<State>);

#[derive(Debug)]
struct State {
    start: Instant,
    cache: PathBuf,
    weather: Mutex<(Weather, Instant)>,
    /// By how many seconds the clock of the machine is ahead.
    clock: Mutex<i64>,
    was_clock_set: Mutex<bool>,
    /// The furthest that it was behind: AWS's time is not known of each set of credentials.
    furthest_behind: Mutex<Duration>,
    keys: Mutex<HashMap<String, Key>>,
    assumed: Mutex<HashMap<(u64, String), Vec<Instant>>>,
    requests: Mutex<usize>,
    killed_at_steps: Mutex<usize>,
    violations: Mutex<Vec<String>>,
    log: Log,
}

/// An access key that was issued.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) account: String,
    /// `None` if it does not expire.
    pub(super) expires: Option<Instant>,
}

/// New keys: id, secret and token.
pub(super) struct Issued {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) token: String,
    pub(super) expires: SystemTime,
}

impl World {
    pub(super) fn new(cache: &Path) -> Self {
        Self(Arc::new(State {
            start: Instant::now(),
            cache: cache.to_owned(),
            weather: Mutex::new((Weather::Fine, Instant::now())),
            clock: Mutex::default(),
            was_clock_set: Mutex::default(),
            furthest_behind: Mutex::default(),
            keys: Mutex::default(),
            assumed: Mutex::default(),
            requests: Mutex::default(),
            killed_at_steps: Mutex::default(),
            violations: Mutex::default(),
            log: Log::default(),
        }))
    }

    pub(super) fn cache(&self) -> &Path {
        &self.0.cache
    }

    pub(super) fn weather(&self) -> Weather {
        self.0.weather.lock().0
    }

    /// Returns `true` if nothing has failed for so long that everything must work.
    pub(super) fn is_settled(&self) -> bool {
        let (weather, since) = *self.0.weather.lock();
        weather == Weather::Fine && since.elapsed() > RECOVERY
    }

    pub(super) fn set_weather(&self, weather: Weather) {
        let mut current = self.0.weather.lock();
        if current.0 != weather {
            *current = (weather, Instant::now());
        }
    }

    pub(super) fn set_clock(&self, seconds_ahead: i64) {
        *self.0.clock.lock() = seconds_ahead;
        *self.0.was_clock_set.lock() |= seconds_ahead != 0;
        let behind = Duration::from_secs(seconds_ahead.min(0).unsigned_abs());
        let mut furthest = self.0.furthest_behind.lock();
        *furthest = behind.max(*furthest);
    }

    /// The time as AWS knows it.
    pub(super) fn true_time(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000) + self.0.start.elapsed()
    }

    /// Issues keys, or adds keys that everybody knows.
    pub(super) fn issue(&self, account: &str, lifetime: Duration) -> Issued {
        let mut keys = self.0.keys.lock();
        let id = format!("ASIASIMULATED{:07}", keys.len());
        let key = Key {
            account: account.to_owned(),
            expires: Some(Instant::now() + lifetime),
        };
        keys.insert(id.clone(), key);
        Issued {
            secret: format!("{MARK}-key-{id}"),
            token: format!("{MARK}-token-{id}"),
            expires: self.true_time() + lifetime,
            id,
        }
    }

    pub(super) fn add_key(&self, id: &str, account: &str) -> String {
        let key = Key {
            account: account.to_owned(),
            expires: None,
        };
        self.0.keys.lock().insert(id.to_owned(), key);
        format!("{MARK}-key-{id}")
    }

    pub(super) fn key(&self, id: &str) -> Option<Key> {
        self.0.keys.lock().get(id).cloned()
    }

    /// Checks credentials that are used, or that a caller got: they are those of the account, and are not
    /// expired, unless the clock could not tell.
    pub(super) fn check_key(&self, id: &str, account: &str, what: &str) {
        let Some(key) = self.key(id) else {
            return self.violation(format!("{what}: the key {id} was never issued"));
        };
        if key.account != account {
            self.violation(format!("{what}: {account} used the key of {}", key.account));
        }
        let blind = *self.0.furthest_behind.lock() + SLACK;
        if let Some(expires) = key.expires
            && Instant::now() > expires + blind
        {
            let ago = expires.elapsed();
            self.violation(format!(
                "{what}: the key of {account} had expired {ago:?} ago"
            ));
        }
    }

    /// Returns `true` if the clock of the machine was always right.
    pub(super) fn has_right_clock(&self) -> bool {
        !*self.0.was_clock_set.lock()
    }

    /// Returns `true` if the clock of the machine was ever behind.
    pub(super) fn was_clock_behind(&self) -> bool {
        !self.0.furthest_behind.lock().is_zero()
    }

    /// Counts a call of AssumeRole, which must not become a flood.
    pub(super) fn count_assume_role(&self, process: u64, arn: &str) {
        let mut assumed = self.0.assumed.lock();
        let calls = assumed.entry((process, arn.to_owned())).or_default();
        calls.retain(|call| call.elapsed() < Duration::from_secs(60));
        calls.push(Instant::now());
        if calls.len() > MAX_CALLS {
            self.violation(format!(
                "{arn} was assumed {} times in a minute",
                calls.len()
            ));
        }
    }

    pub(super) fn count_request(&self) {
        *self.0.requests.lock() += 1;
    }

    pub(super) fn requests(&self) -> usize {
        *self.0.requests.lock()
    }

    pub(super) fn count_killed_at_step(&self) {
        *self.0.killed_at_steps.lock() += 1;
    }

    pub(super) fn killed_at_steps(&self) -> usize {
        *self.0.killed_at_steps.lock()
    }

    pub(super) fn violation(&self, what: String) {
        let at = self.0.start.elapsed();
        writeln!(self.log(), "{at:.1?}: violation: {what}").unwrap();
        let mut violations = self.0.violations.lock();
        // One is enough to know the seed.
        if violations.len() < 10 {
            violations.push(format!("{at:.1?}: {what}"));
        }
    }

    pub(super) fn violations(&self) -> Vec<String> {
        self.0.violations.lock().clone()
    }

    pub(super) fn log(&self) -> Log {
        self.0.log.clone()
    }

    /// Writes what was logged into a file.
    pub(super) fn write_log(&self, path: &Path) {
        fs::write(path, &*self.0.log.0.lock()).unwrap();
    }

    /// Checks that no secret was logged.
    pub(super) fn check_log(&self) {
        let log = self.0.log.0.lock();
        if let Some(at) = log
            .windows(MARK.len())
            .position(|part| part == MARK.as_bytes())
        {
            let end = log.len().min(at + 40);
            let around = String::from_utf8_lossy(&log[at.saturating_sub(200)..end]);
            self.violation(format!("a secret was logged: {around}"));
        }
    }
}

/// The machine's clock.
impl TimeSource for World {
    fn now(&self) -> SystemTime {
        let ahead = *self.0.clock.lock();
        let by = Duration::from_secs(ahead.unsigned_abs());
        match ahead < 0 {
            true => self.true_time() - by,
            false => self.true_time() + by,
        }
    }
}

/// The time in the log: that of AWS, and by how many seconds the machine's clock is ahead.
impl FormatTime for World {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let (elapsed, ahead) = (self.0.start.elapsed(), *self.0.clock.lock());
        write!(writer, "{:.3} {ahead:+}", elapsed.as_secs_f64())
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

//! Everything that a reader of logs, errors and files could see.

use std::cell::RefCell;
use std::fmt::{Debug, Display, Write as _};
use std::io;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, Once, OnceLock};

/// Everything that a reader could see, and the names of the types that it was printed from.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<String>>, Arc<Mutex<String>>);

/// Sets the subscriber of the process, which logs for threads that [`Seen::log_everything`] has prepared.
///
/// One for the process: with a subscriber for each test, an event that was first met by a thread without
/// one could stay disabled for all. Each test calls it first, because an event that is met while the
/// subscriber is being set could also stay disabled.
pub(crate) fn subscribe() {
    static SUBSCRIBER: Once = Once::new();
    SUBSCRIBER.call_once(|| {
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(|| OfThread)
            .with_ansi(false)
            .finish();
        tracing::subscriber::set_global_default(subscriber).expect("the only subscriber");
    });
}

impl Seen {
    pub(crate) fn debug<T: Debug>(&self, value: &T) {
        let mut types = self.1.lock().expect("no thread panics");
        writeln!(types, "{}", std::any::type_name::<T>()).expect("a string takes everything");
        drop(types);
        let mut seen = self.0.lock().expect("no thread panics");
        writeln!(seen, "{value:?}\n{value:#?}").expect("a string takes everything");
    }

    pub(crate) fn display(&self, value: &impl Display) {
        let mut seen = self.0.lock().expect("no thread panics");
        writeln!(seen, "{value}").expect("a string takes everything");
    }

    /// An error and all of its causes.
    pub(crate) fn error(&self, error: &(dyn std::error::Error + 'static)) {
        let mut next = Some(error);
        while let Some(error) = next {
            self.debug(&error);
            self.display(&error);
            next = error.source();
        }
    }

    /// Something that was printed elsewhere.
    pub(crate) fn text(&self, text: &str) {
        self.0.lock().expect("no thread panics").push_str(text);
    }

    /// Logs all targets at all levels on this thread, until the guard is dropped.
    pub(crate) fn log_everything(&self) -> LogGuard {
        subscribe();
        LOG.set(Some(self.clone()));
        LogGuard(PhantomData)
    }

    /// Checks that every type that a library exports was printed, except those of `others`.
    pub(crate) fn assert_shown(&self, library: &str, others: &[&[&str]]) {
        let types = self.1.lock().expect("no thread panics").clone();
        let is_letter = |c: char| c.is_alphanumeric() || c == '_';
        let shown: Vec<_> = types.split(|c| !is_letter(c)).collect();
        let exports = library.split("\npub use ").skip(1);
        let exported = exports.flat_map(|export| {
            let (paths, _) = export.split_once(';').expect("an export ends");
            paths.split(|c| !is_letter(c))
        });
        // A public module also has types of its own.
        let defined = ["\npub struct ", "\npub enum "].map(|item| {
            let items = library.split(item).skip(1);
            items.map(|item| item.split(|c| !is_letter(c)).next().unwrap_or_default())
        });
        let names = exported.chain(defined.into_iter().flatten());
        let is_other = |name: &str| others.iter().any(|names| names.contains(&name));
        let not_shown: Vec<_> = names
            .filter(|name| name.starts_with(char::is_uppercase))
            .filter(|name| !is_other(name) && !shown.contains(name))
            .collect();
        assert!(not_shown.is_empty(), "not looked at: {not_shown:?}");
    }

    /// Checks that all was seen.
    pub(crate) fn assert_with(&self, texts: &[&str]) {
        let elsewhere = ELSEWHERE.get_or_init(Self::default);
        let mut seen = self.0.lock().expect("no thread panics").clone();
        seen.push_str(&elsewhere.0.lock().expect("no thread panics"));
        for text in texts {
            assert!(seen.contains(text), "{text:?} is missing: was all seen?");
        }
    }

    /// Checks that a number was not seen, except as a part of another one, such as a hash.
    pub(crate) fn assert_without_number(&self, number: &str) {
        let seen = self.0.lock().expect("no thread panics");
        let is_part = |c: char| c.is_ascii_alphanumeric();
        for (at, _) in seen.match_indices(number) {
            let (before, behind) = (&seen[..at], &seen[at + number.len()..]);
            if !before.ends_with(is_part) && !behind.starts_with(is_part) {
                let line = before.rfind('\n').map_or(0, |newline| newline + 1);
                panic!("a number was shown: {}{number}", &before[line..]);
            }
        }
    }

    pub(crate) fn assert_without<S: AsRef<str>>(&self, secrets: &[S]) {
        self.assert_none_of(secrets);
        ELSEWHERE.get_or_init(Self::default).assert_none_of(secrets);
    }

    /// As [`assert_without`](Self::assert_without), for what was logged at DEBUG and above.
    pub(crate) fn assert_without_above_trace(&self, secrets: &[&str]) {
        let seen = self.0.lock().expect("no thread panics").clone();
        let above = seen.lines().filter(|line| !line.contains(" TRACE "));
        let above = Self::of(&above.collect::<Vec<_>>().join("\n"));
        above.assert_with(&[" DEBUG "]);
        above.assert_none_of(secrets);
    }

    fn of(text: &str) -> Self {
        let seen = Self::default();
        seen.text(text);
        seen
    }

    fn assert_none_of<S: AsRef<str>>(&self, secrets: &[S]) {
        // A copy, so that a failure does not poison what other tests write to.
        let seen = self.0.lock().expect("no thread panics").clone();
        for secret in secrets.iter().map(AsRef::as_ref) {
            assert!(secret.len() > 8, "{secret:?} is too short to look for");
            if let Some(at) = seen.find(secret) {
                let line = seen[..at].rfind('\n').map_or(0, |newline| newline + 1);
                panic!("a secret was shown: {}", &seen[line..at + secret.len()]);
            }
        }
    }
}

thread_local! {
    /// Where events of this thread go. A test runs on one thread, and so does its runtime.
    static LOG: RefCell<Option<Seen>> = const { RefCell::new(None) };
}

/// Where events of other threads go, which work for whichever test: the engine's, and those that read
/// files.
static ELSEWHERE: OnceLock<Seen> = OnceLock::new();

/// Ends the log of this thread when it is dropped.
pub(crate) struct LogGuard(PhantomData<*const ()>);

impl Drop for LogGuard {
    fn drop(&mut self) {
        LOG.set(None);
    }
}

/// The writer of the events of a thread.
struct OfThread;

impl io::Write for OfThread {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow(|log| {
            let seen = log.as_ref().or_else(|| {
                // The thread of a test that logs nothing has the test's name.
                let thread = std::thread::current();
                let name = thread.name().unwrap_or_default();
                let is_helper = name.starts_with("tokio") || name.starts_with("bsm");
                is_helper.then(|| ELSEWHERE.get_or_init(Seen::default))
            });
            if let Some(seen) = seen {
                seen.text(&String::from_utf8_lossy(bytes));
            }
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

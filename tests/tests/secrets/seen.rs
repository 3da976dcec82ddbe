//! Everything that somebody could see.

use std::fmt::{Debug, Display, Write as _};
use std::io;
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;

/// Everything that somebody could see.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<String>>);

impl Seen {
    pub(crate) fn debug(&self, value: &impl Debug) {
        let mut seen = self.0.lock().expect("nobody panics");
        writeln!(seen, "{value:?}\n{value:#?}").expect("a string takes everything");
    }

    pub(crate) fn display(&self, value: &impl Display) {
        let mut seen = self.0.lock().expect("nobody panics");
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
        self.0.lock().expect("nobody panics").push_str(text);
    }

    /// Logs all targets at all levels on this thread.
    pub(crate) fn log_everything(&self) -> tracing::subscriber::DefaultGuard {
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(self.clone())
            .with_ansi(false)
            .finish();
        let guard = tracing::subscriber::set_default(subscriber);
        // A test on another thread may have come to an event first, when nobody was listening.
        tracing::callsite::rebuild_interest_cache();
        guard
    }

    /// Checks that all was seen.
    pub(crate) fn assert_with(&self, texts: &[&str]) {
        let seen = self.0.lock().expect("nobody panics");
        for text in texts {
            assert!(seen.contains(text), "{text:?} is missing: was all seen?");
        }
    }

    pub(crate) fn assert_without<S: AsRef<str>>(&self, secrets: &[S]) {
        let seen = self.0.lock().expect("nobody panics");
        for secret in secrets.iter().map(AsRef::as_ref) {
            assert!(secret.len() > 8, "{secret:?} is too short to look for");
            if let Some(at) = seen.find(secret) {
                let line = seen[..at].rfind('\n').map_or(0, |newline| newline + 1);
                panic!("a secret was shown: {}", &seen[line..at + secret.len()]);
            }
        }
    }
}

impl io::Write for Seen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut seen = self.0.lock().expect("nobody panics");
        seen.push_str(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Seen {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

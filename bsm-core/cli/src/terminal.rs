//! What the person at the terminal sees: messages and colours.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};

pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const HINT: Style = AnsiColor::Cyan.on_default();
pub(crate) const STRONG: Style = Style::new().bold();

/// Prints a line on the standard error, with its colours if that is a terminal that shows them and
/// `NO_COLOR` is not set.
///
/// A closed standard error is no reason to fail.
pub(crate) fn say(message: impl Display) {
    let _ = writeln!(anstream::stderr(), "{message}");
}

pub(crate) fn note(message: impl Display) {
    say(format_args!("{HINT}note:{HINT:#} {message}"));
}

/// Returns `true` if there is a person who can answer a question.
pub(crate) fn is_interactive() -> bool {
    // Questions are on the standard error, so the standard output may go to a program.
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Waits for a signal that ends this command.
#[cfg(unix)]
pub(crate) async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    // A signal that cannot be listened for keeps its default action, which ends this process.
    let listen = |kind| signal(kind).ok();
    let (mut int, mut term, mut hup) = (
        listen(SignalKind::interrupt()),
        listen(SignalKind::terminate()),
        listen(SignalKind::hangup()),
    );
    let one = async |signal: &mut Option<tokio::signal::unix::Signal>| match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    };
    tokio::select! {
        () = one(&mut int) => {}
        () = one(&mut term) => {}
        () = one(&mut hup) => {}
    }
}

#[cfg(not(unix))]
pub(crate) async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}

//! What the programs print: whole lines, behind the name of their account.

use std::io;

use bsm_core::fleet::{Account, Call, Finished, Outcome};
use indicatif::{ProgressBar, ProgressStyle};
use parking_lot::Mutex;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};

use crate::failure::Failure;
use crate::terminal::{self, ERROR};

/// The longest line that is printed in one piece.
const MAX_LINE: u64 = 64 * 1024;

/// One of the two streams of a program.
#[derive(Clone, Copy)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

/// Prints lines and results, and the progress on a terminal.
pub(super) struct Output {
    is_json: bool,
    bar: ProgressBar,
    failed: Mutex<usize>,
}

impl Output {
    pub(super) fn new(is_json: bool, calls: usize) -> Self {
        let style = "{pos}/{len} {wide_bar} {msg}  {eta}";
        let style = ProgressStyle::with_template(style).expect("the template is valid");
        Self {
            is_json,
            // Hidden unless the standard error is a terminal.
            bar: ProgressBar::new(calls as u64).with_style(style),
            failed: Mutex::new(0),
        }
    }

    /// Prints a stream line by line until it ends.
    pub(super) async fn copy(
        &self,
        from: impl AsyncRead + Unpin,
        stream: Stream,
        account: &Account,
    ) {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        loop {
            line.clear();
            // A program that prints no line break must not fill the memory: its output comes in
            // pieces.
            let read = (&mut from)
                .take(MAX_LINE)
                .read_until(b'\n', &mut line)
                .await;
            // A program may close its stream and continue to run.
            if read.unwrap_or(0) == 0 {
                return;
            }
            // A program may print any bytes, and a piece of a long line may end within a character.
            let text = String::from_utf8_lossy(&line);
            self.line(account, stream, text.trim_end_matches(['\n', '\r']));
        }
    }

    fn line(&self, account: &Account, stream: Stream, text: &str) {
        let line = match self.is_json {
            true => json!({
                "account": account.name(),
                "region": account.region(),
                "stream": match stream {
                    Stream::Stdout => "stdout",
                    Stream::Stderr => "stderr",
                },
                "line": text,
            })
            .to_string(),
            false => format!("{} | {text}", label(account)),
        };
        // As a whole, so that the lines of two programs do not mix.
        self.bar.suspend(|| match (stream, self.is_json) {
            (Stream::Stderr, false) => write_line(&mut io::stderr().lock(), &line),
            // In JSON each line names its stream, so a script reads both from the standard output.
            _ => write_line(&mut io::stdout().lock(), &line),
        });
    }

    /// Counts a result, and says why it failed if it did.
    pub(super) fn finished(&self, finished: &Finished<(), Failure>) {
        let reason = match finished.outcome() {
            Outcome::Done(()) => None,
            Outcome::Failed(failure) => Some(failure.message().to_owned()),
            Outcome::NoSession(error) => Some(error.to_string()),
            Outcome::TimedOut => Some("timed out".to_owned()),
            _ => Some("bsm gave up waiting for it".to_owned()),
        };
        if let Some(reason) = reason {
            let mut failed = self.failed.lock();
            *failed += 1;
            self.bar.set_message(format!("{} failed", *failed));
            if !self.is_json {
                let name = name_of(finished.call());
                self.bar.suspend(|| {
                    terminal::say(format_args!("{ERROR}failed:{ERROR:#} {name}: {reason}"));
                });
            }
        }
        self.bar.inc(1);
    }

    pub(super) fn close(&self) {
        self.bar.finish_and_clear();
    }
}

fn write_line(to: &mut impl io::Write, line: &str) {
    // A reader that has gone away is no reason to stop the programs.
    let _ = writeln!(to, "{line}");
}

fn label(account: &Account) -> String {
    let name = account.id().unwrap_or(account.name());
    match account.region() {
        Some(region) => format!("{name} {region}"),
        None => name.to_owned(),
    }
}

/// The same name as in front of the lines.
fn name_of(call: &Call) -> String {
    let account = call.account();
    let of_role = account
        .starts_with("arn:")
        .then(|| account.split(':').nth(4));
    let name = of_role.flatten().unwrap_or(account);
    match call.region() {
        Some(region) => format!("{name} {region}"),
        None => name.to_owned(),
    }
}

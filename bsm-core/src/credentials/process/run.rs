//! Running the program: its standard streams, and a limit for what it prints.

use std::io::{self, IsTerminal as _};
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use zeroize::Zeroizing;

use crate::secret::SecretText;

/// What is read of the standard output. Credentials are a few KiB: session tokens of AWS have no
/// documented limit, but do not fit into an HTTP header beyond 16 KiB.
pub(in crate::credentials) const MAX_OUTPUT: usize = 64 * 1024;

/// What is kept of the standard error: the reason is at its end, and a screen holds less.
const MAX_STDERR: usize = 8 * 1024;

/// What a `credential_process` gets as its standard input, or as its standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProcessStdio {
    /// This process's own if that is a terminal, so that a person sees a prompt and can answer it;
    /// otherwise as [`Detached`](Self::Detached).
    #[default]
    Terminal,
    /// This process's own, whatever it is.
    Inherit,
    /// Standard input is empty, and the end of standard error is kept for
    /// [`Error::process_stderr`](crate::Error::process_stderr).
    Detached,
}

/// The choices for both streams.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Streams {
    pub(crate) stdin: ProcessStdio,
    pub(crate) stderr: ProcessStdio,
}

/// What a process came to.
pub(in crate::credentials) struct Ran {
    pub(in crate::credentials) status: ExitStatus,
    /// `None` if it is longer than [`MAX_OUTPUT`].
    pub(in crate::credentials) stdout: Option<Zeroizing<Vec<u8>>>,
    /// The end of it, if it was captured and there is some.
    pub(in crate::credentials) stderr: Option<SecretText>,
}

impl ProcessStdio {
    fn is_inherited(self, is_terminal: impl FnOnce() -> bool) -> bool {
        match self {
            Self::Terminal => is_terminal(),
            Self::Inherit => true,
            Self::Detached => false,
        }
    }
}

/// Runs a program and reads what it prints.
pub(in crate::credentials) async fn run(command: Command, streams: Streams) -> io::Result<Ran> {
    finish(spawn(command, streams)?).await
}

/// Starts a program.
pub(super) fn spawn(mut command: Command, streams: Streams) -> io::Result<Child> {
    let stdin = streams.stdin.is_inherited(|| io::stdin().is_terminal());
    let stderr = streams.stderr.is_inherited(|| io::stderr().is_terminal());
    command
        .stdin(if stdin {
            Stdio::inherit()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::piped())
        .stderr(if stderr {
            Stdio::inherit()
        } else {
            Stdio::piped()
        })
        .kill_on_drop(true)
        .spawn()
}

/// Reads what a program prints, until it ends.
pub(super) async fn finish(mut child: Child) -> io::Result<Ran> {
    let stdout = child.stdout.take();
    // In a task of its own, because a process that waits for its standard error to be read never
    // ends its standard output. The task ends with the process.
    let end = child.stderr.take().map(|pipe| tokio::spawn(tail(pipe)));
    let stdout = match stdout {
        Some(pipe) => bounded(pipe).await?,
        None => Some(Zeroizing::default()),
    };
    if stdout.is_none() {
        // It would otherwise wait for the rest to be read.
        child.start_kill()?;
    }
    let end = match end {
        Some(end) => end.await.map_err(io::Error::other)??,
        None => Zeroizing::default(),
    };
    let text = text_of(&end);
    Ok(Ran {
        status: child.wait().await?,
        stdout,
        stderr: (!text.trim().is_empty()).then(|| SecretText::new(text)),
    })
}

/// Returns the end of a text that may not be UTF-8, in at most [`MAX_STDERR`] bytes.
fn text_of(bytes: &[u8]) -> Zeroizing<String> {
    let text = Zeroizing::new(String::from_utf8_lossy(bytes).into_owned());
    // The character in place of an invalid byte has three.
    let mut start = text.len().saturating_sub(MAX_STDERR);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    Zeroizing::new(text[start..].to_owned())
}

/// Reads to the end, or returns `None` if that is too far away.
async fn bounded(pipe: impl AsyncRead + Unpin) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    // All at once, because memory that grows leaves copies of secrets behind.
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_OUTPUT + 1));
    pipe.take(MAX_OUTPUT as u64 + 1)
        .read_to_end(&mut text)
        .await?;
    Ok((text.len() <= MAX_OUTPUT).then_some(text))
}

/// Reads to the end, so that the process never waits, and keeps the last bytes.
async fn tail(mut pipe: impl AsyncRead + Unpin + Send) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut kept = Zeroizing::new(Vec::with_capacity(2 * MAX_STDERR));
    let mut chunk = Zeroizing::new([0; MAX_STDERR]);
    loop {
        let length = pipe.read(&mut chunk[..]).await?;
        if length == 0 {
            return Ok(kept);
        }
        kept.extend_from_slice(&chunk[..length]);
        let surplus = kept.len().saturating_sub(MAX_STDERR);
        kept.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_invalid_bytes_is_not_longer_than_the_bytes() {
        let text = text_of(&[0xff; MAX_STDERR]);
        assert!(
            (MAX_STDERR - 2..=MAX_STDERR).contains(&text.len()),
            "{}",
            text.len()
        );
        assert_eq!(*text_of(b"please sign in"), "please sign in");
    }
}

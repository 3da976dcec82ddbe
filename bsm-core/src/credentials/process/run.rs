//! Running the program: its standard streams, and a limit for what it prints.

use std::io::{self, IsTerminal as _};
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use zeroize::Zeroizing;

use crate::secret::SecretText;

/// What is read of the standard output. Credentials are a few KiB: session tokens of AWS have no
/// documented limit, but do not fit into an HTTP header beyond 16 KiB.
pub(in crate::credentials) const MAX_OUTPUT: usize = 64 * 1024;

/// What is kept of the standard error: the reason is at its end, and a screen holds less.
const MAX_STDERR: usize = 8 * 1024;

/// The most that is read at once: no more than the smallest of the limits.
const CHUNK: usize = MAX_STDERR;

/// How long a program that has exited is read: what it has printed is in the pipe, and only has to be
/// noticed.
const GRACE: Duration = Duration::from_millis(200);

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

impl Streams {
    /// Returns `true` if a person can see a prompt of the program and answer it: the program has this
    /// process's terminal as a stream, or may open it, unless the user said that it has none.
    fn may_prompt(self, terminals: Terminals) -> bool {
        let stdin = terminals.stdin && self.stdin.is_inherited(true);
        let stderr = terminals.stderr && self.stderr.is_inherited(true);
        let is_detached =
            self.stdin == ProcessStdio::Detached && self.stderr == ProcessStdio::Detached;
        stdin || stderr || (terminals.controlling && !is_detached)
    }
}

/// Where this process has a terminal.
#[derive(Clone, Copy, Debug)]
struct Terminals {
    stdin: bool,
    stderr: bool,
    /// A program can open it whatever its streams are.
    controlling: bool,
}

impl Terminals {
    fn of_this_process() -> Self {
        Self {
            stdin: io::stdin().is_terminal(),
            stderr: io::stderr().is_terminal(),
            controlling: cfg!(unix) && std::fs::File::open("/dev/tty").is_ok(),
        }
    }
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
    fn is_inherited(self, is_terminal: bool) -> bool {
        match self {
            Self::Terminal => is_terminal,
            Self::Inherit => true,
            Self::Detached => false,
        }
    }
}

/// Runs a program and reads what it prints.
pub(in crate::credentials) async fn run(command: Command, streams: Streams) -> io::Result<Ran> {
    Process::spawn(command, streams).await?.finish().await
}

/// A program that runs. It is killed when it is dropped.
pub(super) struct Process {
    child: Child,
    group: Group,
}

impl Process {
    /// Starts a program.
    pub(super) async fn spawn(command: Command, streams: Streams) -> io::Result<Self> {
        // On another thread: a program on a drive that does not respond would hold up every session
        // that the engine's thread works for, and the time limit with it.
        let spawned = tokio::task::spawn_blocking(move || Self::spawn_now(command, streams));
        match spawned.await {
            Ok(process) => process,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(error) => Err(error.into()),
        }
    }

    fn spawn_now(mut command: Command, streams: Streams) -> io::Result<Self> {
        let terminals = Terminals::of_this_process();
        let may_prompt = streams.may_prompt(terminals);
        command
            .stdin(match streams.stdin.is_inherited(terminals.stdin) {
                true => Stdio::inherit(),
                false => Stdio::null(),
            })
            .stdout(Stdio::piped())
            .stderr(match streams.stderr.is_inherited(terminals.stderr) {
                true => Stdio::inherit(),
                false => Stdio::piped(),
            })
            // The future is dropped when the time limit of the provider passes.
            .kill_on_drop(true);
        #[cfg(unix)]
        if !may_prompt {
            // A group of its own, so that the programs that it starts can be killed with it. The
            // terminal would stop a process of another group that reads from it.
            command.process_group(0);
        }
        let child = command.spawn()?;
        Ok(Self {
            group: Group::new(&child, may_prompt),
            child,
        })
    }

    /// Reads what the program prints, until it ends.
    ///
    /// It has ended when it has exited. A program that it started and left behind, such as an agent,
    /// can hold the pipes open for as long as it likes.
    pub(super) async fn finish(mut self) -> io::Result<Ran> {
        let mut stdout = Output::new(MAX_OUTPUT);
        let mut stderr = Output::new(MAX_STDERR);
        let (out, err) = (self.child.stdout.take(), self.child.stderr.take());
        let reading = async {
            // Both at once, because a process that waits for its standard error to be read never ends
            // its standard output.
            tokio::try_join!(stdout.read_all(out), stderr.read_end(err)).map(drop)
        };
        let read = {
            let mut reading = pin!(reading);
            tokio::select! {
                // A read that has come to its end needs no grace period.
                biased;
                read = &mut reading => read,
                status = self.child.wait() => {
                    status?;
                    let rest = tokio::time::timeout(GRACE, reading).await;
                    // A program in the background holds the pipe open: no more output is expected.
                    rest.unwrap_or(Ok(()))
                }
            }
        };
        if let Err(ReadError::TooLong) = read {
            // It would otherwise wait for the rest to be read.
            self.kill()?;
        } else if let Err(ReadError::Io(error)) = read {
            return Err(error);
        }
        let status = self.child.wait().await?;
        // What the program has left behind on purpose, such as an agent, lives on.
        self.group.end();
        let text = text_of(&stderr.text);
        Ok(Ran {
            status,
            stdout: read.is_ok().then_some(stdout.text),
            stderr: (!text.trim().is_empty()).then(|| SecretText::new(text)),
        })
    }

    fn kill(&mut self) -> io::Result<()> {
        self.group.kill();
        self.child.start_kill()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Before `child` is dropped, which kills and reaps it: its id can then be another's.
        self.group.kill();
    }
}

/// The process group of a program, if it has one of its own.
struct Group {
    #[cfg(unix)]
    leader: Option<rustix::process::Pid>,
}

#[cfg(unix)]
impl Group {
    fn new(child: &Child, may_prompt: bool) -> Self {
        // A program that may prompt has this process's group, and its id names none.
        let leader = child.id().filter(|_| !may_prompt);
        let leader = leader.and_then(|id| rustix::process::Pid::from_raw(id.try_into().ok()?));
        Self { leader }
    }

    fn kill(&mut self) {
        if let Some(leader) = self.leader.take() {
            // It fails if the group has ended by itself.
            let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
    }

    /// Forgets the group, whose number can be another's once its leader is gone.
    fn end(&mut self) {
        self.leader = None;
    }
}

#[cfg(not(unix))]
impl Group {
    fn new(_: &Child, _: bool) -> Self {
        Self {}
    }

    fn kill(&mut self) {}

    fn end(&mut self) {}
}

/// What was read of a pipe, so far.
struct Output {
    text: Zeroizing<Vec<u8>>,
    limit: usize,
}

enum ReadError {
    TooLong,
    Io(io::Error),
}

impl Output {
    fn new(limit: usize) -> Self {
        // All at once, because memory that grows leaves copies of secrets behind.
        // Twice the limit, because a read adds at most one chunk to it.
        let text = Zeroizing::new(Vec::with_capacity(2 * limit));
        Self { text, limit }
    }

    /// Reads to the end, unless that is too far away.
    async fn read_all(&mut self, pipe: Option<impl AsyncRead + Unpin>) -> Result<(), ReadError> {
        let Some(mut pipe) = pipe else { return Ok(()) };
        while self.read_some(&mut pipe).await? {
            if self.text.len() > self.limit {
                return Err(ReadError::TooLong);
            }
        }
        Ok(())
    }

    /// Reads to the end, so that the process never waits, and keeps the last bytes.
    async fn read_end(&mut self, pipe: Option<impl AsyncRead + Unpin>) -> Result<(), ReadError> {
        let Some(mut pipe) = pipe else { return Ok(()) };
        while self.read_some(&mut pipe).await? {
            let surplus = self.text.len().saturating_sub(self.limit);
            self.text.drain(..surplus);
        }
        Ok(())
    }

    /// Returns `false` at the end.
    async fn read_some(&mut self, pipe: &mut (impl AsyncRead + Unpin)) -> Result<bool, ReadError> {
        let mut chunk = Zeroizing::new([0; CHUNK]);
        let length = pipe.read(&mut chunk[..]).await.map_err(ReadError::Io)?;
        self.text.extend_from_slice(&chunk[..length]);
        Ok(length > 0)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_prompt_only_where_this_process_has_a_terminal() {
        use ProcessStdio::{Detached, Inherit, Terminal};
        let none = Terminals {
            stdin: false,
            stderr: false,
            controlling: false,
        };
        let piped = Terminals {
            controlling: true,
            ..none
        };
        let stderr = Terminals {
            stderr: true,
            ..piped
        };
        for (stdin, error, in_none, in_piped, in_stderr) in [
            (Terminal, Terminal, false, true, true),
            (Inherit, Inherit, false, true, true),
            // A program that prints an MFA code.
            (Detached, Inherit, false, true, true),
            (Detached, Terminal, false, true, true),
            (Terminal, Detached, false, true, true),
            (Detached, Detached, false, false, false),
        ] {
            let streams = Streams {
                stdin,
                stderr: error,
            };
            let may = [none, piped, stderr].map(|terminals| streams.may_prompt(terminals));
            assert_eq!(may, [in_none, in_piped, in_stderr], "{streams:?}");
        }
    }

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

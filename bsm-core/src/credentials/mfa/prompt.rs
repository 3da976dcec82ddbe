//! MFA codes from the terminal.

use std::path::PathBuf;
use std::{io, thread};

use parking_lot::Mutex;
use rpassword::ConfigBuilder;
use tokio::sync::oneshot;

use super::{BoxFuture, Internal, MfaTokenProvider, TokenRequest};
use crate::error::{Error, ErrorKind};

/// Asks the person at the terminal, without showing what is typed.
///
/// It reads from the terminal that controls the process, not from standard input, and fails with
/// [`ErrorKind::MfaCodeUnavailable`] without one: in a service, a pipeline, a container. An empty
/// answer also fails.
///
/// The prompt waits for five minutes. It has a thread of its own, so that neither a worker of the
/// runtime nor its shutdown waits with it.
#[derive(Clone, Debug, Default)]
pub struct TerminalPrompt {
    /// `None` for the terminal of the process.
    terminal: Option<PathBuf>,
}

impl TerminalPrompt {
    /// Makes a prompt on the process's terminal.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a prompt on another terminal, `/dev/pts/3` for instance.
    pub fn on(terminal: impl Into<PathBuf>) -> Self {
        Self {
            terminal: Some(terminal.into()),
        }
    }
}

impl MfaTokenProvider for TerminalPrompt {
    fn token_code<'a>(&'a self, request: &'a TokenRequest) -> BoxFuture<'a, Result<String, Error>> {
        Box::pin(async move {
            let question = question(request);
            let terminal = self.terminal.clone();
            let (answer, answered) = oneshot::channel();
            thread::Builder::new()
                .name("bsm-mfa-prompt".to_owned())
                .spawn(move || {
                    // The send fails if the caller was cancelled, and then the code is not needed.
                    let _ = answer.send(ask(&question, terminal));
                })
                .map_err(|error| no_terminal(request, error))?;
            match answered.await {
                Ok(answer) => answer.map_err(|error| no_terminal(request, error)),
                // The thread panicked before it could send.
                Err(error) => Err(no_terminal(request, io::Error::other(error))),
            }
        })
    }

    fn runs_anywhere(&self, _: Internal) -> bool {
        true
    }
}

fn question(request: &TokenRequest) -> String {
    let serial = request.serial();
    match request.is_repeat() {
        false => format!("Enter MFA code for {serial}: "),
        true => format!("That code has been used. Enter the next MFA code for {serial}: "),
    }
}

fn ask(question: &str, terminal: Option<PathBuf>) -> io::Result<String> {
    // A prompt that was given up still reads from the terminal. Of two that read at once, the one that
    // ends first would turn the echo on for the other.
    static TERMINAL: Mutex<()> = Mutex::new(());
    let _terminal = TERMINAL.lock();
    let mut config = ConfigBuilder::new();
    if let Some(terminal) = terminal {
        config = config
            .input_file_path(path(&terminal)?)
            .output_file_path(path(&terminal)?);
    }
    rpassword::prompt_password_with_config(question, config.build())
}

fn path(terminal: &std::path::Path) -> io::Result<&str> {
    terminal
        .to_str()
        .ok_or_else(|| io::ErrorKind::InvalidFilename.into())
}

fn no_terminal(request: &TokenRequest, error: io::Error) -> Error {
    Error::new(
        ErrorKind::MfaCodeUnavailable,
        format!(
            "{} needs a code of the MFA device {}, and there is no terminal for the prompt: run \
             this in a terminal, or set another mfa_token_provider",
            request.purpose(),
            request.serial()
        ),
    )
    .with_source(error)
}

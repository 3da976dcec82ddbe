//! The program of one account.

use std::ffi::OsString;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bsm_core::fleet::Account;
use parking_lot::Mutex;
use tokio::io::AsyncRead;
use tokio::process::Command;

use super::output::{Output, Stream};
use crate::audit::Audit;
use crate::failure::{Class, Failure};

/// How long to wait for the rest of what a program has printed when it has ended: the rest is in the pipes.
const REST: Duration = Duration::from_secs(1);

/// The programs that run, and those that were sent SIGTERM and have not been waited for.
#[derive(Default)]
pub(super) struct Children {
    running: Mutex<Vec<u32>>,
    ending: Mutex<Vec<u32>>,
}

/// A program that runs. Dropping this sends it SIGTERM.
pub(super) struct Child {
    process: tokio::process::Child,
    id: u32,
    children: Arc<Children>,
}

impl Child {
    /// Starts the program with the account's credentials.
    pub(super) async fn start(
        account: &Account,
        command: &(OsString, Vec<OsString>),
        children: &Arc<Children>,
    ) -> Result<Self, Failure> {
        let (program, arguments) = command;
        let manager = account.manager();
        let variables = manager.env_vars().await?;
        let name = std::path::Path::new(program).file_name().unwrap_or(program);
        // Before the program starts: it gets no credentials that could not be recorded.
        if let Some(audit) = Audit::of(account.name(), &format!("each {}", name.display())) {
            let id = variables
                .set()
                .find(|(name, _)| *name == "AWS_ACCESS_KEY_ID");
            let id = id.map(|(_, value)| value).unwrap_or_default();
            audit.record(manager, id, variables.expiration()).await?;
        }
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own: what it starts ends with it, and the terminal's Ctrl-C is this command's.
        #[cfg(unix)]
        command.process_group(0);
        #[cfg(not(unix))]
        command.kill_on_drop(true);
        variables.apply_to(&mut command);
        let process = command
            .spawn()
            .map_err(|error| Failure::io(format!("{} cannot be run", program.display()), error))?;
        // A process that was not waited for has an id. `Pid::from_raw` rejects 0, which is this
        // group.
        let id = process.id().unwrap_or_default();
        // There is no await since `spawn`, so a call that is cancelled cannot lose a running
        // program.
        children.running.lock().push(id);
        Ok(Self {
            process,
            id,
            children: Arc::clone(children),
        })
    }

    /// Prints what the program prints, and waits for its end.
    ///
    /// # Errors
    ///
    /// If it ends with another status than 0.
    pub(super) async fn end(mut self, account: &Account, output: &Output) -> Result<(), Failure> {
        let stdout = self.process.stdout.take();
        let stderr = self.process.stderr.take();
        let mut printed = pin!(async {
            tokio::join!(
                copy(stdout, Stream::Stdout, account, output),
                copy(stderr, Stream::Stderr, account, output),
            )
        });
        let status = tokio::select! {
            _ = &mut printed => self.process.wait().await,
            // A background process of the child may hold its pipes open forever.
            status = self.process.wait() => {
                _ = tokio::time::timeout(REST, printed).await;
                status
            }
        };
        let status = status.map_err(|error| Failure::io("cannot wait for the program", error))?;
        match status.success() {
            true => Ok(()),
            false => Err(Failure::new(Class::Failed, describe(status))),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Only if it has not been waited for: another process may have its id by now.
        if self.process.id().is_some() {
            terminate(self.id);
            self.children.ending.lock().push(self.id);
        }
        self.children.running.lock().retain(|id| *id != self.id);
    }
}

impl Children {
    /// Tells all programs to end, and waits until they have, or the time is over.
    pub(super) async fn end_all(&self, grace: Duration) {
        for id in self.running.lock().iter() {
            terminate(*id);
        }
        let ended = async {
            // The calls end on threads of their own, and nothing notifies this task. A program that is
            // ending is only looked for: another process may have its id by the time of a signal.
            loop {
                self.ending.lock().retain(|id| is_running(*id));
                if self.running.lock().is_empty() && self.ending.lock().is_empty() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        _ = tokio::time::timeout(grace, ended).await;
    }
}

async fn copy(
    from: Option<impl AsyncRead + Unpin>,
    stream: Stream,
    account: &Account,
    output: &Output,
) {
    if let Some(from) = from {
        output.copy(from, stream, account).await;
    }
}

fn describe(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exit status {code}"),
        None => status.to_string(),
    }
}

/// Sends SIGTERM to the group of a program.
#[cfg(unix)]
fn terminate(id: u32) {
    use rustix::process::{Pid, Signal, kill_process_group};
    if let Some(group) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        // It may have just ended.
        let _ = kill_process_group(group, Signal::TERM);
    }
}

#[cfg(not(unix))]
fn terminate(_: u32) {}

/// Returns whether a program, or one that it has started in its group, is still there.
#[cfg(unix)]
fn is_running(id: u32) -> bool {
    use rustix::process::{Pid, test_kill_process_group};
    let group = i32::try_from(id).ok().and_then(Pid::from_raw);
    group.is_some_and(|group| test_kill_process_group(group).is_ok())
}

#[cfg(not(unix))]
fn is_running(_: u32) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::os::unix::process::CommandExt as _;

    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_program_that_ignores_its_end_holds_up_the_command_for_the_grace_period_only() {
        let mut process = std::process::Command::new("sh")
            .args(["-c", "trap '' TERM; echo up; exec sleep 3600"])
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        // Not before the signal is ignored.
        let mut up = String::new();
        let stdout = process.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut up).unwrap();
        assert_eq!(up, "up\n");
        let id = process.id();
        let children = Children::default();
        children.running.lock().push(id);

        let (start, grace) = (Instant::now(), Duration::from_secs(5));
        children.end_all(grace).await;
        assert_eq!(start.elapsed().as_secs(), grace.as_secs());
        assert!(is_running(id));
        process.kill().unwrap();
        process.wait().unwrap();
    }
}

//! A parent that behaves as if its child were in its place.
//!
//! The child is in this process's group, so that the terminal's job control applies to both: Ctrl-Z
//! stops both, and `fg` continues both.

use std::future::poll_fn;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitCode, ExitStatus};
use std::task::Poll;

use rustix::process::{Pid, Signal, getpgrp, kill_process};
use rustix::termios::tcgetpgrp;
use tokio::signal::unix::{self, SignalKind, signal};

/// The signals that someone sends to a process to say something to it.
const FORWARDED: [Signal; 6] = [
    // Not TSTP and CONT: job control sends them to the whole group, and both processes obey.
    Signal::HUP,
    Signal::INT,
    Signal::QUIT,
    Signal::TERM,
    Signal::USR1,
    Signal::USR2,
];

/// Starts a command and waits for its end, and hands signals on to it.
pub(super) async fn wait(command: Command) -> io::Result<ExitStatus> {
    // Before the child exists, so that no signal ends this process and leaves the child behind.
    let mut signals = Signals::new()?;
    let mut child = tokio::process::Command::from(command).spawn()?;
    let pid = child
        .id()
        .and_then(|pid| Pid::from_raw(pid.try_into().ok()?));
    loop {
        tokio::select! {
            status = child.wait() => return status,
            signal = signals.next() => {
                if let Some(pid) = pid && !terminal_sends(signal) {
                    // The child may have just ended.
                    let _ = kill_process(pid, signal);
                }
            }
        }
    }
}

/// Ends this process as the child ended: with its status, or by its signal.
pub(super) fn exit_like(status: ExitStatus) -> ExitCode {
    if let Some(signal) = status.signal() {
        // A shell stops a loop if the program in it was interrupted, and a status would hide that.
        let _ = signal_hook::low_level::emulate_default_handler(signal);
        // As shells say it, in case the signal does not end this process.
        return ExitCode::from(u8::try_from(128 + signal).unwrap_or(u8::MAX));
    }
    ExitCode::from(
        status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(1),
    )
}

/// Returns `true` if the terminal has already sent this signal to the child: Ctrl-C and Ctrl-\ go to
/// every process of the foreground group. A second interrupt makes some programs abandon their work.
fn terminal_sends(signal: Signal) -> bool {
    if !matches!(signal, Signal::INT | Signal::QUIT) {
        return false;
    }
    // Without a terminal, it was another process that sent the signal.
    let Ok(terminal) = std::fs::File::open("/dev/tty") else {
        return false;
    };
    tcgetpgrp(terminal) == Ok(getpgrp())
}

struct Signals(Vec<(Signal, unix::Signal)>);

impl Signals {
    fn new() -> io::Result<Self> {
        let listen =
            |it: Signal| -> io::Result<_> { Ok((it, signal(SignalKind::from_raw(it.as_raw()))?)) };
        FORWARDED
            .into_iter()
            .map(listen)
            .collect::<io::Result<_>>()
            .map(Self)
    }

    async fn next(&mut self) -> Signal {
        poll_fn(|context| {
            for (signal, stream) in &mut self.0 {
                if let Poll::Ready(Some(())) = stream.poll_recv(context) {
                    return Poll::Ready(*signal);
                }
            }
            Poll::Pending
        })
        .await
    }
}

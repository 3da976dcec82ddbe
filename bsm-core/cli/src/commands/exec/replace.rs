//! The program in place of this process.

use std::io;
use std::process::{Command, ExitCode};

/// Replaces this process, so that nothing stands between the program and its signals, its process
/// group and its terminal. Returns only if the program cannot be started.
#[cfg(unix)]
pub(super) fn exec_program(mut command: Command) -> io::Result<ExitCode> {
    use std::os::unix::process::CommandExt as _;

    Err(command.exec())
}

/// Windows cannot replace a process: this one waits, and ends with the program's status.
#[cfg(not(unix))]
pub(super) fn exec_program(mut command: Command) -> io::Result<ExitCode> {
    let status = command.status()?;
    // `ExitCode` has 8 bits, and a status of Windows has 32.
    std::process::exit(status.code().unwrap_or(1))
}

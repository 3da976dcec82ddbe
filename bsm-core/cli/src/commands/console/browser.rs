//! Opening a browser at an address that is a secret.
//!
//! Arguments of a process are visible to every user of the machine. So the browser is given a file that
//! only this user can read, and that leads to the address.

use std::io::{self, Write as _};
use std::process::Stdio;
use std::time::Duration;

use tempfile::NamedTempFile;
use tokio::process::Command;

use crate::failure::{Class, Failure};
use crate::terminal::interrupted;

/// How long the file exists: a browser that has to be started first takes several seconds.
const LIFETIME: Duration = Duration::from_secs(15);

/// How long the program that starts the browser may take.
const START_LIMIT: Duration = Duration::from_secs(10);

pub(super) async fn open(url: &str) -> Result<(), Failure> {
    let cannot = |error: io::Error| {
        Failure::new(
            Class::Failed,
            format!("no browser can be opened ({error}): add --print to get the address"),
        )
    };
    let file = page(url).map_err(cannot)?;
    let mut command = match std::env::var_os("BROWSER").filter(|it| !it.is_empty()) {
        Some(browser) => Command::new(browser),
        None => opener(),
    };
    command.arg(file.path());
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::null());
    let shown = async {
        let mut child = command.spawn().map_err(cannot)?;
        // A browser that is the program itself runs for as long as it is open.
        if let Ok(status) = tokio::time::timeout(START_LIMIT, child.wait()).await {
            let status = status.map_err(cannot)?;
            if !status.success() {
                return Err(cannot(io::Error::other(format!("it ended with {status}"))));
            }
        }
        // The opener returns before the browser has read the file, and dropping `file` removes it.
        tokio::time::sleep(LIFETIME).await;
        Ok(())
    };
    tokio::select! {
        // First, so that it listens before the program is started: a signal that ended this process would
        // leave the file behind.
        biased;
        () = interrupted() => Ok(()),
        shown = shown => shown,
    }
}

/// Writes a page that leads to the address, readable for this user alone.
fn page(url: &str) -> io::Result<NamedTempFile> {
    // XDG_RUNTIME_DIR belongs to this user alone, and is usually in memory and not on a disk.
    let dir = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, Into::into);
    let mut builder = tempfile::Builder::new();
    builder.prefix("bsm-console-").suffix(".html");
    let mut file = builder.tempfile_in(dir)?;
    // The address contains no character that HTML gives a meaning, except `&`.
    let url = url.replace('&', "&amp;");
    write!(
        file,
        "<!doctype html><meta name=\"referrer\" content=\"no-referrer\">\
         <meta http-equiv=\"refresh\" content=\"0; url={url}\">"
    )?;
    file.flush()?;
    Ok(file)
}

fn opener() -> Command {
    if cfg!(target_os = "macos") {
        Command::new("open")
    } else if cfg!(windows) {
        let mut command = Command::new("cmd");
        // `start` takes its first quoted argument for the title of a window.
        command.args(["/C", "start", ""]);
        command
    } else {
        Command::new("xdg-open")
    }
}

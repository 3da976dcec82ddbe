//! `bsm man`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _};

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::output::print;

/// Print the man page, or write one for each command into a directory
///
///   bsm man | man -l -
///   bsm man --dir ~/.local/share/man/man1
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Man {
    /// Write the pages of all commands into this directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Man {
    pub(crate) fn run(&self) -> Result<ExitCode, Failure> {
        let command = Arguments::command();
        if let Some(dir) = &self.dir {
            let what = format!("the man pages cannot be written to {}", dir.display());
            clap_mangen::generate_to(command, dir).map_err(|error| Failure::io(what, error))?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut page = Vec::new();
        clap_mangen::Man::new(command)
            .render(&mut page)
            .map_err(|error| Failure::io("the man page cannot be rendered", error))?;
        print(&String::from_utf8_lossy(&page))?;
        Ok(ExitCode::SUCCESS)
    }
}

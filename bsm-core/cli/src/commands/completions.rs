//! `bsm completions`

use std::process::ExitCode;

use clap::{Args, CommandFactory as _};

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::output::print;

/// Print the completions for a shell
///
///   bsm completions bash > ~/.local/share/bash-completion/completions/bsm
///   bsm completions zsh > ~/.zfunc/_bsm
///   bsm completions fish > ~/.config/fish/completions/bsm.fish
///   bsm completions powershell >> $PROFILE
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Completions {
    shell: clap_complete::Shell,
}

impl Completions {
    pub(crate) fn run(&self) -> Result<ExitCode, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "bsm", &mut script);
        print(&String::from_utf8_lossy(&script))?;
        Ok(ExitCode::SUCCESS)
    }
}

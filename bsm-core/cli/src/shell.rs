//! Credentials as text: for shells, for files of variables, and for `credential_process`.

use bsm_core::{EnvVars, Shell};
use clap::ValueEnum;
use zeroize::Zeroizing;

use crate::failure::{Class, Failure};

/// A form of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Shell(Shell),
    /// `cmd.exe`, for which bsm-core has no quoting, because some values cannot be quoted.
    Cmd,
    /// `NAME=value` lines without quotes, as `docker run --env-file` reads them.
    EnvFile,
    CredentialProcess,
}

/// A shell on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShellName {
    Bash,
    Zsh,
    Sh,
    Fish,
    #[value(alias = "pwsh")]
    Powershell,
    Cmd,
}

impl Form {
    /// Writes the variables of a session.
    ///
    /// # Errors
    ///
    /// If a value cannot be written in this form so that the reader gets it back.
    pub(crate) fn write(self, variables: &EnvVars) -> Result<Zeroizing<String>, Failure> {
        let text = match self {
            Self::Shell(shell) => variables.to_shell(shell),
            Self::CredentialProcess => variables.to_credential_process(),
            Self::Cmd => return lines(variables, Self::cmd_line),
            Self::EnvFile => return lines(variables, Self::env_file_line),
        };
        let text = text.expose();
        // At once at its full size, because a string that grows leaves copies of its secrets.
        let mut whole = Zeroizing::new(String::with_capacity(text.len() + 1));
        whole.push_str(text);
        if self == Self::CredentialProcess {
            whole.push('\n');
        }
        Ok(whole)
    }

    /// Inside quotes, cmd.exe takes every character as it is but these: `%` and `!` start variables,
    /// and nothing escapes a quote.
    fn cmd_line(name: &str, value: &str) -> Option<String> {
        let fits = !value.contains(['"', '%', '!', '\r', '\n']);
        fits.then(|| format!("set \"{name}={value}\"\n"))
    }

    fn env_file_line(name: &str, value: &str) -> Option<String> {
        // To clear a variable, such a file has no means.
        let fits = !value.contains(['\r', '\n']);
        fits.then(|| match value {
            "" => String::new(),
            value => format!("{name}={value}\n"),
        })
    }
}

impl ShellName {
    pub(crate) fn form(self) -> Form {
        match self {
            Self::Bash | Self::Zsh | Self::Sh => Form::Shell(Shell::Posix),
            Self::Fish => Form::Shell(Shell::Fish),
            Self::Powershell => Form::Shell(Shell::PowerShell),
            Self::Cmd => Form::Cmd,
        }
    }

    /// Returns the user's shell: that of `SHELL`, or the platform's.
    pub(crate) fn of_user() -> Self {
        let shell = std::env::var("SHELL").unwrap_or_default();
        let name = shell.rsplit(['/', '\\']).next().unwrap_or_default();
        match name.strip_suffix(".exe").unwrap_or(name) {
            "bash" => Self::Bash,
            "zsh" => Self::Zsh,
            "fish" => Self::Fish,
            "pwsh" | "powershell" => Self::Powershell,
            _ if cfg!(windows) => Self::Powershell,
            _ => Self::Sh,
        }
    }

    /// Returns the command line that evaluates the output of `command` in this shell.
    pub(crate) fn evaluating(self, command: &str) -> String {
        match self {
            Self::Bash | Self::Zsh | Self::Sh => format!("eval \"$({command})\""),
            Self::Fish => format!("{command} | source"),
            Self::Powershell => format!("{command} | Out-String | Invoke-Expression"),
            Self::Cmd => format!("for /f \"tokens=*\" %i in ('{command}') do @%i"),
        }
    }
}

/// Writes a line for each variable: first those to clear, with an empty value.
fn lines(
    variables: &EnvVars,
    line: impl Fn(&str, &str) -> Option<String>,
) -> Result<Zeroizing<String>, Failure> {
    let cleared = variables.cleared().map(|name| (name, ""));
    // Ample, because a string that grows leaves copies of its secrets in memory.
    let room = |(name, value): (&str, &str)| name.len() + value.len() + 16;
    let room = cleared.map(room).sum::<usize>() + variables.set().map(room).sum::<usize>();
    let mut text = Zeroizing::new(String::with_capacity(room));
    let cleared = variables.cleared().map(|name| (name, ""));
    for (name, value) in cleared.chain(variables.set()) {
        let line = line(name, value).map(Zeroizing::new).ok_or_else(|| {
            let message = format!(
                "the value of {name} has a character that this form cannot express: choose another \
                 --shell or --format"
            );
            Failure::new(Class::Failed, message)
        })?;
        text.push_str(&line);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_without_quotes_refuses_what_it_cannot_express() {
        assert_eq!(
            Form::cmd_line("A", "a^b&c|d e'").as_deref(),
            Some("set \"A=a^b&c|d e'\"\n")
        );
        for value in ["a\"b", "50%", "a!b", "a\nb", "a\rb"] {
            assert_eq!(Form::cmd_line("A", value), None, "{value:?}");
        }
        assert_eq!(
            Form::env_file_line("A", "a\"b'$c").as_deref(),
            Some("A=a\"b'$c\n")
        );
        assert_eq!(Form::env_file_line("A", "a\nb"), None);
    }
}

//! Environment variables, as shells write them.

use std::fmt::Write as _;

/// A shell, for [`EnvVars::to_shell`](crate::EnvVars::to_shell).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Shell {
    /// `sh`, and all that understand it: bash, zsh, dash, ksh.
    Posix,
    /// `fish`.
    Fish,
    /// PowerShell, on Windows and elsewhere.
    PowerShell,
}

impl Shell {
    /// Writes the command that sets a variable for the shell and its children.
    pub(crate) fn set(self, text: &mut String, name: &str, value: &str) {
        // Single quotes, because none of these shells expands anything between them.
        let (before, after) = match self {
            Self::Posix => (format!("export {name}='"), "'\n"),
            Self::Fish => (format!("set -gx {name} '"), "'\n"),
            Self::PowerShell => (format!("$Env:{name} = '"), "'\n"),
        };
        text.push_str(&before);
        for c in value.chars() {
            self.push_quoted(text, c);
        }
        text.push_str(after);
    }

    fn push_quoted(self, text: &mut String, c: char) {
        match (self, c) {
            (Self::Posix, '\'') => text.push_str("'\\''"),
            // Between single quotes, a backslash escapes in fish, but not in sh.
            (Self::Fish, '\'' | '\\') => text.extend(['\\', c]),
            // PowerShell takes typographic quotes for plain ones.
            (Self::PowerShell, '\'' | '\u{2018}'..='\u{201b}') => text.extend([c, c]),
            _ => text.push(c),
        }
    }

    /// Writes the command that takes a variable away.
    pub(crate) fn clear(self, text: &mut String, name: &str) {
        // Writing to a string cannot fail.
        let _ = match self {
            Self::Posix => writeln!(text, "unset {name}"),
            Self::Fish => writeln!(text, "set -e {name}"),
            Self::PowerShell => writeln!(text, "$Env:{name} = $null"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUE: &str = "it's $HOME\\ `x` \"q\" \u{2019}\nend";

    #[test]
    fn each_shell_quotes_in_its_own_way() {
        for (shell, expected) in [
            (
                Shell::Posix,
                "export NAME='it'\\''s $HOME\\ `x` \"q\" \u{2019}\nend'\n",
            ),
            (
                Shell::Fish,
                "set -gx NAME 'it\\'s $HOME\\\\ `x` \"q\" \u{2019}\nend'\n",
            ),
            (
                Shell::PowerShell,
                "$Env:NAME = 'it''s $HOME\\ `x` \"q\" \u{2019}\u{2019}\nend'\n",
            ),
        ] {
            let mut text = String::new();
            shell.set(&mut text, "NAME", VALUE);
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn each_shell_takes_a_variable_away_in_its_own_way() {
        for (shell, expected) in [
            (Shell::Posix, "unset NAME\n"),
            (Shell::Fish, "set -e NAME\n"),
            (Shell::PowerShell, "$Env:NAME = $null\n"),
        ] {
            let mut text = String::new();
            shell.clear(&mut text, "NAME");
            assert_eq!(text, expected);
        }
    }
}

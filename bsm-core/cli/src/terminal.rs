//! The person at the terminal: messages, colours and questions.

use std::fmt::Display;
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use anstyle::{AnsiColor, Style};

use crate::failure::{Class, Failure};

pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const HINT: Style = AnsiColor::Cyan.on_default();
pub(crate) const STRONG: Style = Style::new().bold();

/// Nobody types an answer of this length.
const MAX_ANSWER: u64 = 4096;

/// Prints a line on the standard error, with its colours if that is a terminal that shows them and
/// `NO_COLOR` is not set.
///
/// A message that nobody can read is no reason to fail.
pub(crate) fn say(message: impl Display) {
    let _ = writeln!(anstream::stderr(), "{message}");
}

pub(crate) fn note(message: impl Display) {
    say(format_args!("{HINT}note:{HINT:#} {message}"));
}

pub(crate) fn stderr_has_colour() -> bool {
    anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
}

/// Returns `true` if there is a person who can answer a question.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a question that is answered with yes or no; anything but yes is no.
pub(crate) fn confirm(question: &str) -> Result<bool, Failure> {
    let answer = ask(&format!("{question} [y/N] "))?;
    Ok(matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Asks for one of several choices, by number or by name; an empty answer is `None`.
pub(crate) fn pick<'a>(
    question: &str,
    choices: &[(&'a str, String)],
) -> Result<Option<&'a str>, Failure> {
    for (number, (name, description)) in (1..).zip(choices) {
        say(format_args!(
            "{number:>4}  {STRONG}{name}{STRONG:#}  {description}"
        ));
    }
    let answer = ask(question)?;
    if answer.is_empty() {
        return Ok(None);
    }
    let by_number = answer.parse().ok().and_then(|number: usize| {
        let index = number.checked_sub(1)?;
        choices.get(index)
    });
    let by_name = || choices.iter().find(|(name, _)| *name == answer);
    match by_number.or_else(by_name) {
        Some((name, _)) => Ok(Some(name)),
        None => Err(Failure::new(
            Class::Usage,
            format!("{answer:?} is not one of the choices: answer with a number or a name"),
        )),
    }
}

/// Reads one line from the terminal. The question goes to the standard error, because the standard
/// output may be evaluated by a shell.
fn ask(question: &str) -> Result<String, Failure> {
    let _ = write!(anstream::stderr(), "{question}");
    let _ = io::stderr().flush();
    let mut answer = String::new();
    io::stdin()
        .lock()
        .take(MAX_ANSWER)
        .read_line(&mut answer)
        .map_err(|error| Failure::io("the answer could not be read", error))?;
    Ok(answer.trim().to_owned())
}

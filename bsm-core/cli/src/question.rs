//! Questions to the person at the terminal.

use std::fmt::Display;
use std::io::{self, BufRead as _, Read as _, Write as _};

use crate::failure::{Class, Failure};
use crate::terminal::{STRONG, WARNING, is_interactive, say};

/// The longest answer. No name or number is as long.
const MAX_ANSWER: u64 = 4096;

/// Asks a question that is answered with yes or no; anything but yes is no.
pub(crate) fn confirm(question: &str) -> Result<bool, Failure> {
    let answer = ask(&format!("{question} [y/N] "))?;
    Ok(matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Asks before something is done with what is marked as production.
///
/// Without a terminal there is no question, because a script cannot answer it.
pub(crate) fn confirm_production(
    what: &dyn Display,
    question: &str,
    yes: bool,
) -> Result<(), Failure> {
    // Also with --yes and without a terminal, so that the profile is named in every log.
    say(format_args!("{WARNING}production:{WARNING:#} {what}"));
    if yes || !is_interactive() || confirm(question)? {
        return Ok(());
    }
    Err(Failure::new(
        Class::Refused,
        "not confirmed: nothing was done",
    ))
}

/// Asks before something is written. A script must say --yes, because it cannot answer.
pub(crate) fn confirm_writing(question: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !is_interactive() {
        return Err(Failure::usage(
            "there is no terminal for the confirmation: add --yes to write without it",
        ));
    }
    match confirm(question)? {
        true => Ok(()),
        false => Err(Failure::new(
            Class::Refused,
            "not confirmed: nothing was written",
        )),
    }
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
    // At the end of the input the answer is empty, which `confirm` takes for no.
    Ok(answer.trim().to_owned())
}

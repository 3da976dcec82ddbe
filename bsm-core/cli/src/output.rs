//! The standard output, which is for data.

use std::io::{self, Write as _};

use serde::Serialize;

use crate::failure::Failure;

/// Prints text as it is.
///
/// A reader that has gone away, such as `head`, is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    // Flushed here, because an error of the flush at the end of the process is ignored.
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::io("the standard output cannot be written", error))
        }
        _ => Ok(()),
    }
}

pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).expect("this program's own types are JSON");
    print(&(text + "\n"))
}

/// Prints rows in columns that are as wide as their widest cell; the first row is the header.
pub(crate) fn print_table<const N: usize>(rows: &[[String; N]]) -> Result<(), Failure> {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(&format!("{cell:width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    print(&text)
}

/// Prints names and values, a line each.
pub(crate) fn print_facts(facts: &[(&str, String)]) -> Result<(), Failure> {
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = facts.iter();
    let lines = lines.map(|(name, value)| format!("{name:width$}  {value}\n"));
    print(&lines.collect::<String>())
}

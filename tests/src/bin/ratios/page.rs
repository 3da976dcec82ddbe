//! Output of the figures into the guide's page "Performance".

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::Utc;

use crate::Result;
use crate::row::Row;

const BEGIN: &str = "<!-- figures: written by the program `ratios` -->";
const END: &str = "<!-- end of the figures -->";

/// Replaces the figures on the page and returns the path of the page.
pub(crate) fn write(rows: &[Row]) -> Result<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/performance.md");
    let page = fs::read_to_string(&path)?;
    let (before, rest) = page
        .split_once(BEGIN)
        .ok_or("the page has no start marker for figures")?;
    let (_, after) = rest
        .split_once(END)
        .ok_or("the page has no end marker for figures")?;
    let figures = figures(rows);
    fs::write(&path, format!("{before}{BEGIN}\n\n{figures}\n{END}{after}"))?;
    Ok(path.canonicalize()?)
}

fn figures(rows: &[Row]) -> String {
    let mut table = String::from(
        "| what | ours | theirs | ratio | target | |\n|---|---:|---:|---:|---:|---|\n",
    );
    for row in rows {
        let columns = row.columns().map(|column| column.replace('|', "\\|"));
        table.push_str(&format!("| {} |\n", columns.join(" | ")));
    }
    format!("{}\n\n{table}", environment())
}

/// Returns a line with machine, compiler, date and commit.
fn environment() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let date = Utc::now().format("%Y-%m-%d");
    let processor = processor().unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let commit = first_line("git", &["describe", "--always", "--dirty"]);
    let compiler = first_line("rustc", &["--version"]);
    format!(
        "{processor}, {cores} cores, {}. {compiler}. {date}, commit {commit}.",
        std::env::consts::OS
    )
}

fn processor() -> Option<String> {
    let description = fs::read_to_string("/proc/cpuinfo").ok()?;
    let mut lines = description.lines();
    let line = lines.find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn first_line(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.map(|output| output.stdout).unwrap_or_default();
    let output = String::from_utf8_lossy(&output);
    output.lines().next().unwrap_or("unknown").to_owned()
}

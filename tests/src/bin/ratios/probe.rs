//! Probes: measurements for which this program runs itself as a child process.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

use crate::Result;
use crate::pairs::{copy, get, managers};

/// The arguments of a probe.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Probe {
    pub(crate) subject: Subject,
    pub(crate) side: Side,
    pub(crate) calls: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Subject {
    /// Reads items without a network.
    Get,
    /// Reads items without a network, and enters and leaves a session for each.
    Switch,
    /// Creates a manager or a configuration for each of many profiles, and uses each once.
    Profiles,
    /// Creates a manager or a configuration for each of many roles, and uses each once.
    Roles,
    /// Copies a table without a network.
    Copy,
    /// Compares two tables without a network.
    Compare,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Side {
    Ours,
    Theirs,
}

/// Performs a probe, in the child process.
pub(crate) fn run(
    Probe {
        subject,
        side,
        calls,
    }: Probe,
) -> Result {
    match subject {
        Subject::Get => get::probe(side, calls),
        Subject::Switch => get::probe_switch(side, calls),
        Subject::Profiles => managers::probe_profiles(side, calls),
        Subject::Roles => managers::probe_roles(side, calls),
        Subject::Copy => copy::probe_copy(side, calls),
        Subject::Compare => copy::probe_compare(side, calls),
    }
}

impl Probe {
    /// Returns the command line of the child process.
    fn arguments(self) -> [String; 4] {
        let Self {
            subject,
            side,
            calls,
        } = self;
        let name = |value: Option<PossibleValue>| value.map(|it| it.get_name().to_owned());
        [
            "probe".to_owned(),
            name(subject.to_possible_value()).unwrap_or_default(),
            name(side.to_possible_value()).unwrap_or_default(),
            calls.to_string(),
        ]
    }
}

/// Returns the number of instructions of one call.
pub(crate) fn instructions(subject: Subject, side: Side) -> Result<f64> {
    one_of(subject, side, |probe| {
        let output = valgrind("callgrind", &["--callgrind-out-file=/dev/null"], probe)?;
        number_after(&output, "Collected :")
    })
}

/// Returns the number of allocations of one call.
pub(crate) fn allocations(subject: Subject, side: Side) -> Result<f64> {
    one_of(subject, side, |probe| {
        let output = valgrind("memcheck", &["--leak-check=no"], probe)?;
        number_after(&output, "total heap usage:")
    })
}

/// Measures a few calls and many calls, and returns the difference for one call, which excludes the start
/// and the end of the process.
fn one_of(subject: Subject, side: Side, count: impl Fn(Probe) -> Result<f64>) -> Result<f64> {
    const FEW: usize = 20;
    const MORE: usize = 220;
    let count = |calls| {
        count(Probe {
            subject,
            side,
            calls,
        })
    };
    let (few, more) = (count(FEW)?, count(MORE)?);
    Ok((more - few) / (MORE - FEW) as f64)
}

fn valgrind(tool: &str, options: &[&str], probe: Probe) -> Result<String> {
    let mut command = Command::new("valgrind");
    command.arg(format!("--tool={tool}")).args(options);
    command
        .arg(std::env::current_exe()?)
        .args(probe.arguments());
    let output = command.output().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "valgrind is not installed".into(),
        _ => Box::<dyn std::error::Error>::from(error),
    })?;
    Ok(String::from_utf8_lossy(&successful(output)?.stderr).into_owned())
}

/// Parses a number such as `1,234` that follows some words.
fn number_after(text: &str, words: &str) -> Result<f64> {
    let (_, rest) = text
        .split_once(words)
        .ok_or("the output of valgrind has no such number")?;
    let digits: String = rest
        .trim_start()
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == ',')
        .filter(|c| *c != ',')
        .collect();
    Ok(digits.parse()?)
}

/// Runs the child process with an environment that contains only the profile files, and returns the
/// figures that it prints.
pub(crate) fn figures(
    probe: Probe,
    folder: &Path,
    endpoint_url: &str,
) -> Result<BTreeMap<String, f64>> {
    let output = Command::new(std::env::current_exe()?)
        .args(probe.arguments())
        .env_clear()
        .env("AWS_CONFIG_FILE", folder.join("config"))
        .env("AWS_SHARED_CREDENTIALS_FILE", folder.join("credentials"))
        .env("AWS_ENDPOINT_URL", endpoint_url)
        .output()?;
    figures_in(&successful(output)?)
}

/// Parses a name and a figure from each line of the output.
pub(crate) fn figures_in(output: &Output) -> Result<BTreeMap<String, f64>> {
    let output = std::str::from_utf8(&output.stdout)?;
    let figures = output.lines().map(|line| {
        let (name, figure) = line.split_once(' ').ok_or("a name and a figure")?;
        Ok((name.to_owned(), figure.parse()?))
    });
    figures.collect()
}

/// Returns an error with the error output if a program failed.
pub(crate) fn successful(output: Output) -> Result<Output> {
    match output.status.success() {
        true => Ok(output),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
    }
}

/// Returns the resident memory of this process in bytes, from Linux's `/proc`.
pub(crate) fn resident_bytes() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let mut lines = status.lines().filter_map(|it| it.strip_prefix("VmRSS:"));
    let line = lines.next().ok_or("no VmRSS")?;
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes * 1024.0)
}

/// Returns the number of open sockets of this process, from Linux's `/proc`.
pub(crate) fn open_sockets() -> Result<f64> {
    let files = fs::read_dir("/proc/self/fd")?;
    let sockets = files.filter(|file| {
        let target = file
            .as_ref()
            .ok()
            .and_then(|it| fs::read_link(it.path()).ok());
        target.is_some_and(|target| target.to_string_lossy().starts_with("socket:"))
    });
    Ok(sockets.count() as f64)
}

//! What can only be measured from outside: this program runs itself, and looks at the child.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

use crate::Result;
use crate::pairs::{get, managers};

/// What the child does.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Probe {
    pub(crate) what: What,
    pub(crate) side: Who,
    pub(crate) calls: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum What {
    /// Reads so many items without a network.
    Get,
    /// The same, each time in a session that is entered and left.
    Switch,
    /// Makes a manager, or a configuration, for so many profiles, and uses each once.
    Profiles,
    /// The same for roles.
    Roles,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Who {
    Ours,
    Theirs,
}

/// Does what a probe asks for, in the child.
pub(crate) fn run(Probe { what, side, calls }: Probe) -> Result {
    match what {
        What::Get => get::probe(side, calls),
        What::Switch => get::probe_switch(side, calls),
        What::Profiles => managers::probe_profiles(side, calls),
        What::Roles => managers::probe_roles(side, calls),
    }
}

impl Probe {
    /// Gives the command line of the child.
    fn arguments(self) -> [String; 4] {
        let Self { what, side, calls } = self;
        let name = |value: Option<PossibleValue>| value.map(|it| it.get_name().to_owned());
        [
            "probe".to_owned(),
            name(what.to_possible_value()).unwrap_or_default(),
            name(side.to_possible_value()).unwrap_or_default(),
            calls.to_string(),
        ]
    }
}

/// Returns the instructions of one call.
pub(crate) fn instructions(what: What, side: Who) -> Result<f64> {
    one_of(what, side, |probe| {
        let output = valgrind("callgrind", &["--callgrind-out-file=/dev/null"], probe)?;
        number_after(&output, "Collected :")
    })
}

/// Returns the allocations of one call.
pub(crate) fn allocations(what: What, side: Who) -> Result<f64> {
    one_of(what, side, |probe| {
        let output = valgrind("memcheck", &["--leak-check=no"], probe)?;
        number_after(&output, "total heap usage:")
    })
}

/// Counts for a few calls and for more of them: the difference has no start and no end in it.
fn one_of(what: What, side: Who, count: impl Fn(Probe) -> Result<f64>) -> Result<f64> {
    const FEW: usize = 20;
    const MORE: usize = 220;
    let count = |calls| count(Probe { what, side, calls });
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

/// Finds a number such as `1,234` that comes after some words.
fn number_after(text: &str, words: &str) -> Result<f64> {
    let (_, rest) = text.split_once(words).ok_or("valgrind did not say it")?;
    let digits: String = rest
        .trim_start()
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == ',')
        .filter(|c| *c != ',')
        .collect();
    Ok(digits.parse()?)
}

/// Runs the child with the profile files in a folder and with nothing else in its environment, and
/// returns the figures that it prints.
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

/// Reads a name and a figure from each line that a program has printed.
pub(crate) fn figures_in(output: &Output) -> Result<BTreeMap<String, f64>> {
    let output = std::str::from_utf8(&output.stdout)?;
    let figures = output.lines().map(|line| {
        let (name, figure) = line.split_once(' ').ok_or("a name and a figure")?;
        Ok((name.to_owned(), figure.parse()?))
    });
    figures.collect()
}

/// Refuses the output of a program that has failed, with what it says.
pub(crate) fn successful(output: Output) -> Result<Output> {
    match output.status.success() {
        true => Ok(output),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
    }
}

/// Returns the memory that this process has in use, in bytes; Linux tells.
pub(crate) fn resident_bytes() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let mut lines = status.lines().filter_map(|it| it.strip_prefix("VmRSS:"));
    let line = lines.next().ok_or("no VmRSS")?;
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes * 1024.0)
}

/// Returns how many sockets this process has open; Linux tells.
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

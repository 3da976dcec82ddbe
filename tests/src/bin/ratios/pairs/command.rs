//! The command `bsm`, beside the AWS CLI and beside no command at all.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use bsm_tests::Playground;

use super::one_thread;
use crate::Result;
use crate::measure::{Effort, children_on_cpu, time};
use crate::probe::successful;
use crate::row::{Row, Target, Unit};

pub(crate) fn measure(effort: Effort, python: &Path, report: &mut dyn FnMut(Row)) -> Result {
    let home = Home::start()?;
    let bsm = program(&std::env::current_exe()?, "bsm");
    let bsm = bsm.ok_or("bsm is not beside this program: cargo build --release -p bsm-cli")?;
    let credentials: &[&str] = &["credential-process", "--profile", "staging"];
    // The first call assumes the role and writes the cache that all others read.
    home.run(&bsm, credentials)?;

    let name = "credential-process, warm cache";
    match aws_cli(python) {
        Ok(aws) => {
            // Version 1 has no `export-credentials`. Its `list` resolves the same credentials, and masks them.
            let commands = ["configure export-credentials", "configure list"];
            let commands = commands.map(|it| format!("{it} --profile staging"));
            let commands = commands
                .each_ref()
                .map(|it| it.split(' ').collect::<Vec<_>>());
            let [export, list] = commands;
            let theirs = match home.run(&aws, &export) {
                Ok(()) => export,
                Err(_) => list,
            };
            let than = format!("aws {}", theirs[..2].join(" "));
            let [ours, theirs] = home.compare(effort, (&bsm, credentials), (&aws, &theirs))?;
            report(Row::new(
                format!("{name}: time; {than}"),
                Unit::Seconds,
                ours.time,
                theirs.time,
                Target::Ratio(0.02),
            ));
            report(Row::new(
                format!("{name}: CPU; {than}"),
                Unit::Seconds,
                ours.cpu,
                theirs.cpu,
                Target::AtMost(0.006),
            ));
        }
        Err(why) => report(Row::without(format!("{name}; the AWS CLI"), why)),
    }
    let nothing = PathBuf::from("true");
    let exec: &[&str] = &["exec", "--profile", "staging", "--", "true"];
    let [ours, theirs] = home.compare(effort, (&bsm, exec), (&nothing, &[]))?;
    let more = Target::MoreAtMost(0.006);
    report(Row::new(
        "exec true: time; true",
        Unit::Seconds,
        ours.time,
        theirs.time,
        Target::Nothing,
    ));
    report(Row::new(
        "exec true: CPU; true",
        Unit::Seconds,
        ours.cpu,
        theirs.cpu,
        more,
    ));
    Ok(())
}

/// Returns a program that is in the same folder as another one.
fn program(beside: &Path, name: &str) -> Option<PathBuf> {
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let program = beside.parent()?.join(file);
    program.is_file().then_some(program)
}

/// Returns the AWS CLI that is installed with a Python.
fn aws_cli(python: &Path) -> std::result::Result<PathBuf, String> {
    let found = Command::new(python)
        .args(["-c", "import awscli, sys; print(sys.executable)"])
        .output()
        .map_err(|error| format!("{} cannot be run: {error}", python.display()))?;
    let interpreter = String::from_utf8_lossy(&found.stdout).trim().to_owned();
    program(Path::new(&interpreter), "aws").ok_or_else(|| {
        let python = python.display();
        format!("{python} has no AWS CLI: install awscli, and name that Python with --python")
    })
}

/// A home folder with the profiles of a local AWS.
struct Home {
    playground: Playground,
}

#[derive(Clone, Copy)]
struct Cost {
    time: f64,
    cpu: f64,
}

impl Home {
    fn start() -> Result<Self> {
        let playground = one_thread()?.block_on(Playground::start());
        let files = playground.dir();
        fs::create_dir(files.join(".aws"))?;
        for file in ["config", "credentials"] {
            fs::rename(files.join(file), files.join(".aws").join(file))?;
        }
        Ok(Self { playground })
    }

    fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        let path = std::env::var_os("PATH").unwrap_or_default();
        command
            .args(arguments)
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.playground.dir())
            .stdin(Stdio::null());
        command
    }

    fn run(&self, program: &Path, arguments: &[&str]) -> Result {
        successful(self.command(program, arguments).output()?)?;
        Ok(())
    }

    /// Measures two commands. Both must succeed.
    fn compare(
        &self,
        effort: Effort,
        ours: (&Path, &[&str]),
        theirs: (&Path, &[&str]),
    ) -> Result<[Cost; 2]> {
        let run = |(program, arguments), calls| {
            for _ in 0..calls {
                self.run(program, arguments).expect("the command succeeds");
            }
        };
        // Both succeed before they are measured.
        self.run(ours.0, ours.1)?;
        self.run(theirs.0, theirs.1)?;
        let times = time(
            effort,
            [&mut |calls| run(ours, calls), &mut |calls| {
                run(theirs, calls)
            }],
        );
        let runs = effort.times(30);
        let cpu = |command| -> Result<Duration> {
            let began = children_on_cpu()?;
            run(command, runs);
            Ok((children_on_cpu()? - began) / u32::try_from(runs)?)
        };
        let cpu = [cpu(ours)?, cpu(theirs)?];
        let cost = |side: usize| Cost {
            time: times[side],
            cpu: cpu[side].as_secs_f64(),
        };
        Ok([cost(0), cost(1)])
    }
}

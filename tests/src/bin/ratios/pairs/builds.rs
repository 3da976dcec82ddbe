//! The cost of building the crates, compared with the SDK alone.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::Result;
use crate::measure::Effort;
use crate::probe::successful;
use crate::row::{Row, Target, Unit};

/// The dependencies of a program that uses the SDK alone.
const SDK: &str = r#"
aws-config = "1"
aws-sdk-dynamodb = "1"
aws-sdk-sts = "1"
"#;

/// The same without the SDK's second, legacy TLS stack.
const SLIM_SDK: &str = r#"
aws-config = { version = "1", default-features = false, features = ["default-https-client", "rt-tokio", "sso"] }
aws-sdk-dynamodb = { version = "1", default-features = false, features = ["default-https-client", "rt-tokio"] }
aws-sdk-sts = { version = "1", default-features = false, features = ["default-https-client", "rt-tokio"] }
"#;

pub(crate) fn measure(effort: Effort, report: &mut dyn FnMut(Row)) -> Result {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()?;
    let path = |name: &str| format!("{name} = {{ path = {:?} }}\n", root.join(name));
    let ours = [path("bsm-core"), path("bsm-dynamodb")].concat();
    let sides = [ours.as_str(), SDK, SLIM_SDK].map(|it| Project::new(&root, it));
    let [ours, sdk, slim] = sides;
    let (ours, sdk, slim) = (ours?, sdk?, slim?);

    let crates = (ours.crates()?, sdk.crates()?, slim.crates()?);
    let more = Target::MoreAtMost(10.0);
    let name = "crates to download; the SDK's three with default features";
    report(Row::new(name, Unit::Count, crates.0, crates.1, more));
    let name = "crates to download; the SDK's three without their second TLS";
    report(Row::new(name, Unit::Count, crates.0, crates.2, more));
    let quick_start = crates_of(&root, &["--package", "bsm-quick-start"])?;
    let name = "crates to download for the quick start; the SDK's three with default features";
    report(Row::new(
        name,
        Unit::Count,
        quick_start,
        crates.1,
        Target::AtMost(200.0),
    ));
    if effort == Effort::Once {
        return Ok(());
    }
    let times = (ours.build()?, sdk.build()?, slim.build()?);
    let name = "clean build of the quick start; the SDK's three with default features";
    let quick_start = first_command(&root)?;
    report(Row::new(
        name,
        Unit::Seconds,
        quick_start,
        times.1,
        Target::Ratio(1.4),
    ));
    let more = Target::Ratio(1.05);
    let name = "clean build; the SDK's three with default features";
    report(Row::new(name, Unit::Seconds, times.0, times.1, more));
    let name = "clean build; the SDK's three without their second TLS";
    report(Row::new(name, Unit::Seconds, times.0, times.2, more));
    Ok(())
}

/// A program that has dependencies and does nothing.
struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    fn new(root: &Path, dependencies: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let manifest = format!(
            "[package]\nname = \"measured\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
             [dependencies]\n{dependencies}\n[workspace]\n"
        );
        fs::write(folder.path().join("Cargo.toml"), manifest)?;
        fs::create_dir(folder.path().join("src"))?;
        fs::write(folder.path().join("src/main.rs"), "fn main() {}\n")?;
        // The same versions on all sides.
        fs::copy(root.join("Cargo.lock"), folder.path().join("Cargo.lock"))?;
        Ok(Self { folder })
    }

    fn crates(&self) -> Result<f64> {
        crates_of(self.folder.path(), &[])
    }

    /// Builds everything and returns the duration in seconds.
    fn build(&self) -> Result<f64> {
        build(self.folder.path(), &[])
    }
}

/// Builds the first command of the README and returns the duration in seconds.
fn first_command(root: &Path) -> Result<f64> {
    build(root, &["--example", "quick_start"])
}

/// Runs cargo in a folder and returns its output.
fn cargo(folder: &Path, target: &Path, arguments: &[&str]) -> Result<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let output = Command::new(cargo)
        .args(arguments)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target)
        .output()?;
    Ok(String::from_utf8(successful(output)?.stdout)?)
}

/// Counts the crates that a package needs, without those of its own workspace.
fn crates_of(folder: &Path, package: &[&str]) -> Result<f64> {
    let arguments = ["tree", "--edges", "normal,build", "--prefix", "none"];
    let tree = cargo(folder, folder, &[&arguments[..], package].concat())?;
    // `name version`, and behind it the path of a package that is in the workspace.
    let crates: BTreeSet<_> = tree
        .lines()
        .filter(|line| !line.contains(" (/"))
        .filter_map(|line| line.split(" (").next())
        .filter(|name| !name.is_empty())
        .collect();
    Ok(crates.len() as f64)
}

/// Builds in an empty folder and returns the duration in seconds.
fn build(folder: &Path, arguments: &[&str]) -> Result<f64> {
    let target = tempfile::tempdir()?;
    // Download before the measurement starts.
    cargo(folder, target.path(), &["fetch"])?;
    let began = Instant::now();
    cargo(
        folder,
        target.path(),
        &[&["build", "--quiet"], arguments].concat(),
    )?;
    Ok(began.elapsed().as_secs_f64())
}

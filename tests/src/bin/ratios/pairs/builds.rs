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
    let name = "crates in the tree; the SDK's three with default features";
    report(Row::new(name, Unit::Count, crates.0, crates.1, more));
    let name = "crates in the tree; the SDK's three without their second TLS";
    report(Row::new(name, Unit::Count, crates.0, crates.2, more));
    if effort == Effort::Once {
        return Ok(());
    }
    let times = (ours.build()?, sdk.build()?, slim.build()?);
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

    /// Runs cargo and returns its output.
    fn cargo(&self, arguments: &[&str]) -> Result<String> {
        let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
        let output = Command::new(cargo)
            .args(arguments)
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", self.folder.path().join("target"))
            .output()?;
        Ok(String::from_utf8(successful(output)?.stdout)?)
    }

    fn crates(&self) -> Result<f64> {
        let tree = self.cargo(&["tree", "--edges", "normal,build", "--prefix", "none"])?;
        let crates: BTreeSet<_> = tree
            .lines()
            .filter_map(|line| line.split(" (").next())
            .filter(|name| !name.is_empty() && !name.starts_with("measured "))
            .collect();
        Ok(crates.len() as f64)
    }

    /// Builds everything and returns the duration in seconds.
    fn build(&self) -> Result<f64> {
        // Download before the measurement starts.
        self.cargo(&["fetch"])?;
        let began = Instant::now();
        self.cargo(&["build", "--quiet"])?;
        Ok(began.elapsed().as_secs_f64())
    }
}

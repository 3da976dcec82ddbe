//! Profile files with thousands of profiles, as tools for many accounts write them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use aws_config::BehaviorVersion;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use bsm_core::BotoSesManager;

use super::one_thread;
use crate::Result;
use crate::measure::{Effort, time};
use crate::probe::{figures_in, successful};
use crate::row::{Row, Target, Unit};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/profile_files.py");

/// Copies of the file: more than the parsed files that a process caches, so that each is parsed again.
const COPIES: usize = 17;

pub(crate) fn measure(effort: Effort, python: &Path, report: &mut dyn FnMut(Row)) -> Result {
    let profiles = match effort {
        Effort::Steady => 20_000,
        Effort::Once => 20,
    };
    let folder = tempfile::tempdir()?;
    let text = config(profiles)?;
    let copies: Vec<PathBuf> = (0..COPIES)
        .map(|n| folder.path().join(n.to_string()))
        .collect();
    for copy in &copies {
        std::fs::write(copy, &text)?;
    }
    let none = folder.path().join("none");
    let manager = |config: &Path| {
        BotoSesManager::builder()
            .config_file(config)
            .shared_credentials_file(&none)
            .profile_name("account-7")
    };
    let mut next = copies.iter().cycle();
    let [ours] = time(
        effort,
        [&mut |calls| {
            for copy in next.by_ref().take(calls) {
                let found = manager(copy).profiles().expect("a profile file");
                assert_eq!(found.len(), profiles);
            }
        }],
    );
    let name = format!("a file of {profiles} profiles, parsed; botocore");
    match theirs(python, &copies[0]) {
        Ok(theirs) => report(Row::new(
            name,
            Unit::Seconds,
            ours,
            theirs,
            Target::Ratio(0.2),
        )),
        Err(why) => report(Row::without(name, why.to_string())),
    }

    let runtime = one_thread()?;
    let path = &copies[0];
    let [ours, theirs] = time(
        effort,
        [
            &mut |calls| {
                for _ in 0..calls {
                    let manager = manager(path).build();
                    let config = runtime.block_on(manager.sdk_config());
                    config.expect("the profile is there");
                }
            },
            &mut |calls| {
                for _ in 0..calls {
                    let files = EnvConfigFiles::builder();
                    let files = files.with_file(EnvConfigFileKind::Config, path).build();
                    let loader = aws_config::defaults(BehaviorVersion::v2026_01_12());
                    let loader = loader.profile_files(files).profile_name("account-7");
                    runtime.block_on(loader.load());
                }
            },
        ],
    );
    report(Row::new(
        format!("one more manager on a file of {profiles} profiles; load"),
        Unit::Seconds,
        ours,
        theirs,
        Target::Ratio(0.2),
    ));
    Ok(())
}

fn config(profiles: usize) -> Result<String> {
    let mut text = "[sso-session main]\nsso_region = us-east-1\n".to_owned();
    for number in 0..profiles {
        writeln!(
            text,
            "[profile account-{number}]\nsso_session = main\nsso_account_id = {number:012}\n\
             sso_role_name = Reader\nregion = us-east-1\n"
        )?;
    }
    // The profile that is used needs no sign-in.
    Ok(text.replace(
        "sso_session = main\nsso_account_id = 000000000007\nsso_role_name = Reader\n",
        "aws_access_key_id = AKIALOCALEXAMPLE0007\naws_secret_access_key = not-a-secret\n",
    ))
}

fn theirs(python: &Path, path: &Path) -> Result<f64> {
    let output = Command::new(python)
        .arg(SCRIPT)
        .arg(path)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .map_err(|error| format!("{} cannot be run: {error}", python.display()))?;
    if !output.status.success() {
        return Err("botocore is not installed: name a Python that has it with --python".into());
    }
    Ok(figures_in(&successful(output)?)?["parse_seconds"])
}

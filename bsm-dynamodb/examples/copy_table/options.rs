//! What the command line says.

use bsm_core::BotoSesManager;
use bsm_dynamodb::CopyPolicy;

use crate::Result;

const USAGE: &str = "usage: copy_table [--items N]
       copy_table --real SOURCE TARGET TABLE [--policy POLICY] [--yes]
  --items   how many items to make in the local AWS; 20000 unless told otherwise
  --real    copy TABLE from the account of the profile SOURCE to that of TARGET
  --policy  what to do if the target has items: fail (the default), overwrite, skip
  --yes     do not ask";

pub(crate) struct Options {
    pub(crate) place: Where,
    pub(crate) policy: CopyPolicy,
    pub(crate) yes: bool,
}

pub(crate) enum Where {
    Local {
        items: usize,
    },
    Real {
        source: BotoSesManager,
        target: BotoSesManager,
        table: String,
    },
}

impl Options {
    pub(crate) fn from_args(mut args: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            place: Where::Local { items: 20_000 },
            policy: CopyPolicy::FailIfNotEmpty,
            yes: false,
        };
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(USAGE);
            match arg.as_str() {
                "--items" => {
                    let items = value()?.parse()?;
                    options.place = Where::Local { items };
                }
                "--real" => {
                    options.place = Where::Real {
                        source: BotoSesManager::from_profile(value()?),
                        target: BotoSesManager::from_profile(value()?),
                        table: value()?,
                    };
                }
                "--policy" => {
                    options.policy = match value()?.as_str() {
                        "fail" => CopyPolicy::FailIfNotEmpty,
                        "overwrite" => CopyPolicy::Overwrite,
                        "skip" => CopyPolicy::SkipExisting,
                        _ => return Err(USAGE.into()),
                    };
                }
                "--yes" => options.yes = true,
                "--help" => {
                    println!("{USAGE}");
                    std::process::exit(0);
                }
                _ => return Err(USAGE.into()),
            }
        }
        Ok(options)
    }
}

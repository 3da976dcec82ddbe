//! Explanations of profile files and environment: what is used and why, and what is broken, with the
//! file, the line and the repair.
//!
//! What is an error, bsm-core decides. This finds the line of it, and what is accepted but certainly not
//! meant, such as a misspelt key.

mod environment;
mod finding;
mod known;
mod profiles;
mod settings;

pub(crate) use self::environment::explain as explain_environment;
pub(crate) use self::finding::{Finding, Severity};
pub(crate) use self::known::is_secret;
pub(crate) use self::profiles::{Diagnosis, diagnose};
pub(crate) use self::settings::check as check_settings;

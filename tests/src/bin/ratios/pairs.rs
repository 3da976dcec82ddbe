//! The comparisons, by group.

mod builds;
mod command;
pub(crate) mod copy;
mod current;
mod first_use;
pub(crate) mod get;
mod in_process;
mod load;
pub(crate) mod managers;
mod profile_files;
mod python;
mod refresh;

use std::path::Path;

use clap::ValueEnum;
use tokio::runtime::{Builder, Runtime};

use crate::Result;
use crate::measure::Effort;
use crate::row::Row;

/// A group of comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Group {
    Current,
    Get,
    Switch,
    FirstUse,
    Managers,
    Profiles,
    Refresh,
    Copy,
    Load,
    Command,
    Python,
    Builds,
}

impl Group {
    pub(crate) const ALL: [Self; 12] = [
        Self::Current,
        Self::Get,
        Self::Switch,
        Self::FirstUse,
        Self::Managers,
        Self::Profiles,
        Self::Refresh,
        Self::Copy,
        Self::Load,
        Self::Command,
        Self::Python,
        Self::Builds,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Current => "current()",
            Self::Get => "one get of a model",
            Self::Switch => "one switch of a model",
            Self::FirstUse => "first use of a manager",
            Self::Managers => "a thousand managers",
            Self::Profiles => "a file of many profiles",
            Self::Refresh => "credentials during a refresh",
            Self::Copy => "copying a table",
            Self::Load => "loading an export",
            Self::Command => "the command",
            Self::Python => "the Python originals",
            Self::Builds => "building it",
        }
    }

    /// Measures the comparisons of this group and reports each row as soon as it is known.
    pub(crate) fn measure(
        self,
        effort: Effort,
        python: &Path,
        report: &mut dyn FnMut(Row),
    ) -> Result {
        match self {
            Self::Current => current::measure(effort, report),
            Self::Get => get::measure(effort, report),
            Self::Switch => get::measure_switch(effort, report),
            Self::FirstUse => first_use::measure(effort, report),
            Self::Managers => managers::measure(effort, report),
            Self::Profiles => profile_files::measure(effort, python, report),
            Self::Refresh => refresh::measure(effort, report),
            Self::Copy => copy::measure(effort, report),
            Self::Load => load::measure(effort, report),
            Self::Command => command::measure(effort, python, report),
            Self::Python => python::measure(effort, python, report),
            Self::Builds => builds::measure(effort, report),
        }
    }
}

/// Creates a current-thread runtime, so that everything measured runs on the calling thread.
fn one_thread() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

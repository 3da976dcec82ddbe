//! Copying tables between accounts.

mod checkpoint;
mod creation;
mod faults;
mod kill;
mod preflight;
pub(crate) mod proxy;
mod resume;
mod settings;
mod several;
mod support;
mod values;
mod verify;
mod ways;

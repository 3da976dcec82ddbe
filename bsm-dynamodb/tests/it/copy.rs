//! Copying tables between accounts.

mod creation;
mod faults;
mod kill;
mod preflight;
mod resume;
mod support;
mod values;
mod verify;
mod ways;

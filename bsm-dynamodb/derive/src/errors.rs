//! Errors that are collected, so that one compilation reports all of them.

use syn::{Error, Result};

/// The errors of one derive.
#[derive(Default)]
pub(crate) struct Errors {
    found: Option<Error>,
    missing: Option<Error>,
}

impl Errors {
    pub(crate) fn push(&mut self, error: Error) {
        add(&mut self.found, error);
    }

    /// Adds the error that something is missing, which counts only if there is no other: it may be there,
    /// with a mistake.
    pub(crate) fn push_missing(&mut self, error: Error) {
        add(&mut self.missing, error);
    }

    /// Keeps the error of a result, and returns its value.
    pub(crate) fn ok<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// Returns the errors, if there are any.
    pub(crate) fn finish(self) -> Result<()> {
        self.found.or(self.missing).map_or(Ok(()), Err)
    }
}

fn add(errors: &mut Option<Error>, error: Error) {
    match errors {
        Some(errors) => errors.combine(error),
        none => *none = Some(error),
    }
}

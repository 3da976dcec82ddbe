//! The profiles whose credentials are being fetched by this process and those that started it.
//!
//! `[profile x] credential_process = bsm credential-process -p x` would start itself forever. Each
//! command hands the names under way to the `credential_process` that it runs.

use crate::failure::{Class, Failure};

const VARIABLE: &str = "BSM_CREDENTIAL_PROCESS_CHAIN";

/// Names of profiles, in the order in which the processes were started.
pub(super) struct ProcessChain(Vec<String>);

impl ProcessChain {
    pub(super) fn from_environment() -> Self {
        let names = std::env::var(VARIABLE).unwrap_or_default();
        // A name in a profile file has no line breaks.
        Self(names.lines().map(str::to_owned).collect())
    }

    /// Adds a profile.
    ///
    /// # Errors
    ///
    /// If its credentials are already being fetched.
    pub(super) fn with(mut self, profile: &str) -> Result<Self, Failure> {
        if self.0.iter().any(|name| name == profile) {
            let circle = [self.0.as_slice(), &[profile.to_owned()]].concat();
            let message = format!(
                "the credential_process of a profile runs bsm for that profile again ({}): let it name \
                 a profile with credentials of its own",
                circle.join(" -> ")
            );
            return Err(Failure::new(Class::Config, message));
        }
        self.0.push(profile.to_owned());
        Ok(self)
    }

    /// Returns the environment variable for a `credential_process`.
    pub(super) fn variable(&self) -> (&'static str, String) {
        (VARIABLE, self.0.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_that_is_under_way_is_refused() {
        let chain = ProcessChain(vec!["a".to_owned()]).with("b c").ok().unwrap();
        assert_eq!(chain.variable().1, "a\nb c");
        assert!(chain.with("a").is_err());
    }
}

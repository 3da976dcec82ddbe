//! The environment: what it selects, what contradicts it, and what is broken.

use bsm_core::{BotoSesManager, ProfileInfo};

use super::finding::Finding;
use crate::environment::variable;
use crate::similar_name::closest;

/// What the environment comes to without options.
pub(crate) struct Explanation {
    /// Sentences for a person, in the order of precedence.
    pub(crate) facts: Vec<String>,
    pub(crate) findings: Vec<Finding>,
}

/// Explains what a command without options would use, and checks the variables.
pub(crate) fn explain(profiles: &[ProfileInfo]) -> Explanation {
    let mut explanation = Explanation {
        facts: Vec::new(),
        findings: Vec::new(),
    };
    let names = [variable("AWS_DEFAULT_PROFILE"), variable("AWS_PROFILE")];
    if let [Some(first), Some(second)] = &names
        && first != second
    {
        explanation.findings.push(Finding::warning(
            format!(
                "AWS_DEFAULT_PROFILE is {first:?} and AWS_PROFILE is {second:?}: bsm and botocore use \
                 the former, and other SDKs the latter"
            ),
            "unset one of them",
        ));
    }
    let named = names.iter().flatten().next();
    if let Some(name) = named
        && !profiles.iter().any(|profile| profile.name() == *name)
    {
        let known = profiles.iter().map(ProfileInfo::name);
        // The same limit as for --profile: one typo in three letters.
        let repair = match closest(name, known, name.chars().count().div_ceil(3)) {
            Some(known) => format!("write {known}"),
            None => "unset it, or create the profile".to_owned(),
        };
        let problem = format!("the environment names the profile {name:?}, which does not exist");
        explanation.findings.push(Finding::error(problem, repair));
    }
    explanation.facts.extend(keys(named.map(String::as_str)));
    match BotoSesManager::new().credentials_source() {
        Ok(source) => explanation
            .facts
            .push(format!("without --profile, the credentials are: {source}")),
        // A missing profile has its finding already.
        Err(error) if error.is_profile_not_found() => {}
        Err(error) => {
            let message = error.to_string();
            // An error about a profile file is a finding of `diagnose`, with its line.
            let is_of_environment = message.contains("AWS_");
            if is_of_environment {
                explanation.findings.push(Finding::of_message(&message));
            }
        }
    }
    explanation.findings.extend(files());
    explanation
}

/// Says which of keys and profile takes precedence.
fn keys(profile: Option<&str>) -> Option<String> {
    variable("AWS_ACCESS_KEY_ID")?;
    Some(match profile {
        Some(profile) => format!(
            "AWS_ACCESS_KEY_ID takes precedence over the profile {profile:?} that the environment names; \
             --profile {profile} takes precedence over both"
        ),
        None => "AWS_ACCESS_KEY_ID takes precedence over the profile default; --profile takes precedence \
                 over it"
            .to_owned(),
    })
}

/// Finds variables that name profile files which do not exist.
fn files() -> impl Iterator<Item = Finding> {
    let variables = ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"];
    let paths = BotoSesManager::builder().profile_files();
    variables.into_iter().zip(paths).filter_map(|(name, path)| {
        // The files at the default paths need not exist.
        variable(name)?;
        (!path.is_file()).then(|| {
            Finding::warning(
                format!("{name} names {}, which is not a file", path.display()),
                format!("unset {name}, or correct its path"),
            )
        })
    })
}

//! bsm-core's verdict on each profile, and the line that it is about.

use std::error::Error as _;

use bsm_core::{BotoSesManager, Error, ErrorKind, ProfileInfo};

use super::finding::Finding;
use super::known::is_secret;
use crate::source_file::{FileKind, Section, SourceFile};

/// A profile, and what its use would come to.
pub(crate) struct Diagnosis {
    pub(crate) name: String,
    /// Where the credentials come from; `None` if they cannot come from anywhere.
    pub(crate) source: Option<String>,
    pub(crate) region: Option<String>,
}

/// Resolves every profile, which sends no request.
pub(crate) async fn diagnose(files: &[SourceFile]) -> (Vec<Diagnosis>, Vec<Finding>) {
    let profiles = match BotoSesManager::profiles() {
        Ok(profiles) => profiles,
        Err(error) => return (Vec::new(), of_files(&error, files)),
    };
    let mut diagnoses = Vec::new();
    let mut findings = Vec::new();
    for profile in profiles {
        let manager = BotoSesManager::from_profile(profile.name());
        let source = manager.credentials_source();
        let resolved = manager.sdk_config().await;
        let region = match &resolved {
            Ok(config) => config.region().map(ToString::to_string),
            Err(_) => profile.region().map(str::to_owned),
        };
        let of_settings = match &source {
            Ok(_) => resolved.err(),
            // A chain that leads nowhere hides what else is wrong.
            Err(_) => with_keys(&profile).sdk_config().await.err(),
        };
        // A profile without a region can be used: the environment or --region has one.
        let of_settings = of_settings.filter(|error| !error.is_no_region());
        let mut of_settings = of_settings.map(|error| of_profile(&error, &profile, files));
        let of_chain = source.as_ref().err();
        if let Some(error) = of_chain.filter(|error| !is_only_settings(error, &profile)) {
            let finding = of_profile(error, &profile, files);
            of_settings = of_settings.filter(|it| it.problem != finding.problem);
            findings.push(finding);
        }
        findings.extend(of_settings);
        diagnoses.push(Diagnosis {
            name: profile.name().to_owned(),
            source: source.ok(),
            region,
        });
    }
    (diagnoses, findings)
}

/// Returns a manager with a profile's settings, and keys in place of its credentials. It is only resolved.
fn with_keys(profile: &ProfileInfo) -> BotoSesManager {
    let builder = BotoSesManager::builder().profile_name(profile.name());
    builder.keys("AKIAEXAMPLE", "unused").build()
}

/// Returns `true` if nothing is wrong but that a profile has settings and no credentials, which is
/// what `[default]` with a region is for.
fn is_only_settings(error: &Error, profile: &ProfileInfo) -> bool {
    error.is_no_credentials() && profile.name() == "default"
}

/// Finds every line that keeps the files from being parsed. The error is about the first one.
fn of_files(error: &Error, files: &[SourceFile]) -> Vec<Finding> {
    let of_lines = files.iter().flat_map(|file| {
        let malformed = file.malformed.iter();
        malformed.map(|(line, what)| {
            let (fact, repair) = repair_of_line(what);
            Finding::error(fact, repair).at(&file.path, *line)
        })
    });
    let mut findings: Vec<_> = of_lines.collect();
    let first = of_file(error, files);
    let is_first = |it: &Finding| (&it.file, it.line) == (&first.file, first.line);
    if !findings.iter().any(is_first) {
        findings.push(first);
    }
    findings
}

/// Finds the line of an error about a file that cannot be read or parsed.
fn of_file(error: &Error, files: &[SourceFile]) -> Finding {
    let message = error.to_string();
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    let file = files
        .iter()
        .find(|file| message.contains(&file.path.display().to_string()));
    let Some(file) = file else {
        return Finding::of_message(&message);
    };
    // The parser's errors begin with the line.
    let line = cause.strip_prefix("line ").and_then(|rest| {
        let (line, what) = rest.split_once(": ")?;
        Some((line.parse().ok()?, what))
    });
    match line {
        Some((line, what)) => {
            let (fact, repair) = repair_of_line(what);
            Finding::error(fact, repair).at(&file.path, line)
        }
        None => Finding::error(
            format!("the file cannot be read: {cause}"),
            "check its permissions, and that it is a text file in UTF-8",
        )
        .at(&file.path, 1),
    }
}

/// Splits what the parser says about a line.
fn repair_of_line(what: &str) -> (String, String) {
    match what.split_once(": ") {
        Some((fact, repair)) => (fact.to_owned(), repair.to_owned()),
        None => (
            format!("this line cannot be parsed: {what}"),
            "write [section], key = value or # comment".to_owned(),
        ),
    }
}

/// Finds the line of an error about a profile: that of the key which the message names, in the profile
/// which it names.
fn of_profile(error: &Error, profile: &ProfileInfo, files: &[SourceFile]) -> Finding {
    let message = error.to_string();
    let finding = match error.kind() {
        // The file is given by its place already.
        ErrorKind::ProfileNotFound => Finding::error(message.clone(), "create the profile"),
        _ => Finding::of_message(&message),
    };
    let finding = finding.of_profile(profile.name());
    match place(&message, profile.name(), files) {
        Some((file, line)) => finding.at(&file.path, line),
        None => finding,
    }
}

fn place<'a>(
    message: &str,
    profile: &str,
    files: &'a [SourceFile],
) -> Option<(&'a SourceFile, usize)> {
    // A chain leads to other profiles, and the message names the one where it breaks.
    let quoted = |name: &str| message.contains(&format!("{name:?}"));
    let named: Vec<_> = sections(files)
        .filter_map(|(file, section)| Some((file, section, section.profile(file.kind)?)))
        .collect();
    let others = named
        .iter()
        .filter(|(.., name)| quoted(name) && *name != profile);
    let own = named.iter().filter(|(.., name)| *name == profile);
    let words: Vec<_> = message.split(|c: char| !c.is_alphanumeric()).collect();
    let of_key = |section: &Section| {
        let keys = section.keys.iter();
        let by_name = keys.clone().filter(|key| message.contains(&key.name));
        // A message about `sso_region` also contains `region`.
        let by_name = by_name.max_by_key(|key| key.name.len());
        // Some messages name the value alone.
        let mut by_value = keys
            .filter(|key| !is_secret(&key.name))
            .filter(|key| quoted(&key.value) || words.contains(&key.value.as_str()));
        by_name.or_else(|| by_value.next()).map(|key| key.line)
    };
    // Its own key first: that is what sends the chain elsewhere.
    let mut candidates = own.clone().chain(others);
    let by_key = candidates.find_map(|(file, section, _)| Some((*file, of_key(section)?)));
    by_key.or_else(|| {
        let mut sections = own.map(|(file, section, _)| (*file, section.line));
        sections.next()
    })
}

fn sections(files: &[SourceFile]) -> impl Iterator<Item = (&SourceFile, &Section)> {
    let rank = |kind| usize::from(kind == FileKind::Credentials);
    let mut files: Vec<_> = files.iter().collect();
    files.sort_by_key(|file| rank(file.kind));
    files
        .into_iter()
        .flat_map(|file| file.sections.iter().map(move |section| (file, section)))
}

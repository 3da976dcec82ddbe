//! Settings that are accepted, but certainly not meant.

use std::path::Path;

use super::finding::Finding;
use super::known::{is_secret, meant};
use crate::profile_summary::is_account;
use crate::similar_name::closest;
use crate::source_file::{FileKind, Key, Section, SourceFile};

/// The types of sections in the config file.
const SECTION_TYPES: [&str; 3] = ["profile", "sso-session", "services"];

/// Keys whose value is `true` or `false`.
const SWITCHES: [&str; 3] = [
    "ignore_configured_endpoint_urls",
    "use_dualstack_endpoint",
    "use_fips_endpoint",
];

/// The lifetimes of a role's session that STS accepts, in seconds: 15 minutes to 12 hours.
const DURATIONS: std::ops::RangeInclusive<u64> = 900..=43_200;

/// Checks one profile file.
pub(crate) fn check(file: &SourceFile) -> Vec<Finding> {
    let mut findings: Vec<_> = readable_by_others(file).into_iter().collect();
    for section in &file.sections {
        findings.extend(section_title(file, section));
        let profile = section.profile(file.kind);
        for key in &section.keys {
            let found = profile.and_then(|profile| setting(section, key, profile));
            findings.extend(found.map(|finding| finding.at(&file.path, key.line)));
        }
        if let Some(profile) = profile {
            let found = token_missing(section, profile);
            findings.extend(found.map(|finding| finding.at(&file.path, section.line)));
        }
    }
    findings
}

/// Checks the title of a section, which AWS's clients ignore if they do not know it.
fn section_title(file: &SourceFile, section: &Section) -> Option<Finding> {
    let title = &section.title;
    let finding = match file.kind {
        FileKind::Credentials => {
            let name = section.named("profile")?;
            Finding::warning(
                format!("[{title}] is a profile named {title:?} in this file"),
                format!("write [{name}]: the word profile belongs in the config file only"),
            )
        }
        FileKind::Config => {
            let is_known = |kind: &&str| section.named(kind).is_some();
            // `DEFAULT` applies to every section, and the AWS CLI reads `preview` and `plugins`.
            if matches!(
                title.as_str(),
                "default" | "DEFAULT" | "preview" | "plugins"
            ) || SECTION_TYPES.iter().any(is_known)
            {
                return None;
            }
            let (first, rest) = title.split_once(' ').unwrap_or((title, ""));
            match closest(first, SECTION_TYPES, 2) {
                Some(kind) if !rest.is_empty() => Finding::warning(
                    format!("[{title}] is ignored: there is no such type of section"),
                    format!("write [{kind} {rest}]"),
                ),
                // Sections of other tools have settings that no profile has.
                _ if section.keys.iter().any(|key| is_of_profile(&key.name)) => Finding::warning(
                    format!("[{title}] is ignored: in the config file it is not a profile"),
                    format!("write [profile {title}]"),
                ),
                _ => return None,
            }
        }
    };
    Some(finding.at(&file.path, section.line))
}

fn is_of_profile(key: &str) -> bool {
    let prefixes = ["aws_", "sso_", "role_", "source_", "credential_"];
    key == "region" || key == "output" || prefixes.iter().any(|prefix| key.starts_with(prefix))
}

/// Checks one setting of a profile.
fn setting(section: &Section, key: &Key, profile: &str) -> Option<Finding> {
    let Key { name, value, .. } = key;
    if let Some(known) = meant(name) {
        // Both spellings may be there on purpose.
        return section.key(known).is_none().then(|| {
            Finding::warning(
                format!("{name} of profile {profile:?} is not a setting, and is ignored"),
                format!("write {known}"),
            )
            .of_profile(profile)
        });
    }
    let quoted =
        |quote: char| value.len() > 1 && value.starts_with(quote) && value.ends_with(quote);
    // The quotes in a command line are part of its syntax.
    if name != "credential_process" && (quoted('"') || quoted('\'')) {
        return Some(
            Finding::warning(
                format!("the value of {name} of profile {profile:?} includes its quotes"),
                match is_secret(name) {
                    true => "remove the quotes".to_owned(),
                    false => format!("write {name} = {}", value.trim_matches(['"', '\''])),
                },
            )
            .of_profile(profile),
        );
    }
    let problem = match name.as_str() {
        "duration_seconds" => duration(value),
        "role_arn" => role(value),
        "bsm_expect_account" | "sso_account_id" | "aws_account_id" => account(value),
        "bsm_production" => switch(value),
        "web_identity_token_file" | "ca_bundle" => file_that_exists(value),
        "credential_process" => program(value, profile),
        name if SWITCHES.contains(&name) => switch(value),
        _ => None,
    };
    let (problem, repair) = problem?;
    let problem = format!("{name} of profile {profile:?} {problem}");
    let finding = match name.as_str() {
        "duration_seconds" => Finding::warning(problem, repair),
        _ => Finding::error(problem, repair),
    };
    Some(finding.of_profile(profile))
}

type Problem = Option<(String, String)>;

fn duration(value: &str) -> Problem {
    match value.parse() {
        Ok(seconds) if DURATIONS.contains(&seconds) => None,
        Ok(_) => Some((
            format!("is {value}, which STS refuses"),
            "write a number of seconds from 900 to 43200".to_owned(),
        )),
        Err(_) => Some((
            format!("is {value:?}, which is not a number, and is ignored"),
            "write a number of seconds from 900 to 43200".to_owned(),
        )),
    }
}

/// bsm-core's rule, which it applies only where the role's chain leads somewhere.
fn role(value: &str) -> Problem {
    let parts: Vec<_> = value.splitn(6, ':').collect();
    let is_role = matches!(parts[..], ["arn", _, "iam", "", account, resource]
        if is_account(account) && resource.len() > "role/".len() && resource.starts_with("role/"));
    (!is_role).then(|| {
        (
            format!("is {value:?}, which is not the ARN of a role"),
            "write it as arn:aws:iam::111122223333:role/Name".to_owned(),
        )
    })
}

fn account(value: &str) -> Problem {
    (!is_account(value)).then(|| {
        (
            format!("is {value:?}, which is not an account"),
            "write its twelve digits".to_owned(),
        )
    })
}

fn switch(value: &str) -> Problem {
    let is_switch = value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false");
    (!is_switch).then(|| (format!("is {value:?}"), "write true or false".to_owned()))
}

fn file_that_exists(value: &str) -> Problem {
    let path = Path::new(value);
    let path = match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    };
    (!path.is_file()).then(|| {
        (
            format!("is {value:?}, and there is no such file"),
            "correct the path, or create the file".to_owned(),
        )
    })
}

/// Checks the program of a `credential_process`, and names nothing else of the command, because it may
/// contain secrets.
fn program(value: &str, profile: &str) -> Problem {
    let words: Vec<&str> = value.split_whitespace().collect();
    let first = *words.first()?;
    // Quotes and variables are for a real parser.
    if first.contains(['"', '\'', '\\', '=', '$']) {
        return None;
    }
    let path = Path::new(first);
    let of_dirs =
        |dirs: std::ffi::OsString| std::env::split_paths(&dirs).any(|dir| dir.join(path).is_file());
    let exists = match path.components().count() {
        // A name without a directory is looked up in PATH. Without PATH, the system has a default.
        1 => std::env::var_os("PATH").is_none_or(of_dirs),
        _ => path.is_file(),
    };
    if !exists {
        let name = path.file_name().unwrap_or_default().display();
        return Some((
            format!("runs the program {name}, which does not exist"),
            "install it, or correct its path".to_owned(),
        ));
    }
    let names_itself = path.file_stem().is_some_and(|stem| stem == "bsm")
        && words.windows(2).any(|pair| {
            matches!(pair[0], "-p" | "--profile") && pair[1].trim_matches(['"', '\'']) == profile
        });
    names_itself.then(|| {
        (
            "starts bsm for the same profile, in an endless loop".to_owned(),
            "let it name another profile, which has credentials".to_owned(),
        )
    })
}

/// Ids of temporary keys begin with ASIA, and AWS refuses them without their token.
fn token_missing(section: &Section, profile: &str) -> Option<Finding> {
    let id = section.key("aws_access_key_id")?;
    let has_token = ["aws_session_token", "aws_security_token"]
        .iter()
        .any(|name| section.key(name).is_some());
    (id.value.starts_with("ASIA") && !has_token).then(|| {
        Finding::error(
            format!("the keys of profile {profile:?} are temporary, but have no session token"),
            "add aws_session_token, or get the keys again",
        )
        .of_profile(profile)
    })
}

#[cfg(unix)]
fn readable_by_others(file: &SourceFile) -> Option<Finding> {
    use std::os::unix::fs::PermissionsExt as _;

    /// Access for the group and for everybody else.
    const OTHERS: u32 = 0o077;

    let has_secret = |section: &Section| section.key("aws_secret_access_key").is_some();
    if !file.sections.iter().any(has_secret) {
        return None;
    }
    let mode = std::fs::metadata(&file.path).ok()?.permissions().mode();
    (mode & OTHERS != 0).then(|| {
        let path = file.path.display();
        Finding::warning(
            "other users of this machine can read the keys in this file",
            format!("run chmod 600 {path}"),
        )
        .at(&file.path, 1)
    })
}

#[cfg(not(unix))]
fn readable_by_others(_: &SourceFile) -> Option<Finding> {
    None
}

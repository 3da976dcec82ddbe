//! `bsm doctor`

use std::process::ExitCode;

use bsm_core::BotoSesManager;
use clap::Args;
use serde_json::json;

use crate::doctor::{Diagnosis, Finding, Severity, check_settings, diagnose, explain_environment};
use crate::failure::{Class, Failure};
use crate::global::Global;
use crate::output::{print, print_json};
use crate::source_file::{FileKind, SourceFile, read};
use crate::terminal::{ERROR, HINT, STRONG, WARNING};

/// Check the profile files and the environment for mistakes
///
/// It prints the file, the line and the fix for each problem, and where each profile gets its
/// credentials. It exits with 3 if there is an error, otherwise with the exit code of the first profile that
/// fails online. It sends nothing without --online.
#[derive(Args)]
pub(crate) struct Doctor {
    /// Also ask AWS for the identity of each profile; this can run a credential_process and ask for MFA codes
    #[arg(long)]
    online: bool,
}

struct Report {
    files: Vec<SourceFile>,
    facts: Vec<String>,
    profiles: Vec<(Diagnosis, Option<Result<String, Failure>>)>,
    findings: Vec<Finding>,
}

impl Doctor {
    pub(crate) async fn run(&self, global: &Global) -> Result<ExitCode, Failure> {
        let report = self.report(global).await;
        match global.json {
            true => print_json(&report.to_json())?,
            false => print(&anstyle_text(&report.to_text()))?,
        }
        Ok(ExitCode::from(report.status()))
    }

    async fn report(&self, global: &Global) -> Report {
        let files = read_files();
        let (diagnoses, mut findings) = diagnose(&files).await;
        // The profile that is asked about, or all.
        let is_asked_for = |name: &str| {
            global
                .session
                .profile
                .as_deref()
                .is_none_or(|it| it == name)
        };
        findings.retain(|finding| finding.profile.as_deref().is_none_or(is_asked_for));
        // If the files cannot be parsed, `diagnose` has a finding about it.
        let known = BotoSesManager::profiles().unwrap_or_default();
        let explanation = explain_environment(&known);
        findings.extend(explanation.findings);
        for finding in files.iter().flat_map(check_settings) {
            // bsm-core's own verdict on the same line is more precise.
            let is_known = |it: &Finding| it.file == finding.file && it.line == finding.line;
            let is_about = finding.profile.as_deref().is_none_or(is_asked_for);
            if is_about && !findings.iter().any(is_known) {
                findings.push(finding);
            }
        }
        // `None` sorts first, so the findings about the environment are above those about files.
        findings.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        let mut profiles = Vec::new();
        for diagnosis in diagnoses {
            if !is_asked_for(&diagnosis.name) {
                continue;
            }
            // A request with a broken profile would only repeat its finding.
            let answer = match self.online && diagnosis.source.is_some() {
                true => Some(ask_aws(global, &diagnosis.name).await),
                false => None,
            };
            profiles.push((diagnosis, answer));
        }
        Report {
            files,
            facts: explanation.facts,
            profiles,
            findings,
        }
    }
}

fn read_files() -> Vec<SourceFile> {
    use FileKind::{Config, Credentials};
    let paths = BotoSesManager::builder().profile_files();
    let files = [Config, Credentials].into_iter().zip(paths);
    files.map(|(kind, path)| read(kind, &path)).collect()
}

async fn ask_aws(global: &Global, profile: &str) -> Result<String, Failure> {
    let arguments = crate::session::SessionArguments {
        profile: Some(profile.to_owned()),
        ..global.session.clone()
    };
    let session = arguments.select(crate::session::Questions::Never)?;
    Ok(session.manager.principal_arn().await?)
}

impl Report {
    /// Returns the exit code: that of the first profile that failed online, unless the files are broken.
    fn status(&self) -> u8 {
        if self
            .findings
            .iter()
            .any(|it| it.severity == Severity::Error)
        {
            return Class::Config as u8;
        }
        let mut answers = self
            .profiles
            .iter()
            .filter_map(|(_, answer)| answer.as_ref());
        let failed = answers.find_map(|answer| answer.as_ref().err());
        failed.map_or(0, Failure::status)
    }

    fn to_json(&self) -> serde_json::Value {
        let files = self.files.iter();
        let files = files.map(|file| json!({ "path": file.path, "exists": file.exists }));
        let profiles = self.profiles.iter().map(|(profile, answer)| {
            json!({
                "name": profile.name,
                "source": profile.source,
                "region": profile.region,
                "arn": answer.as_ref().and_then(|answer| answer.as_ref().ok()),
                "error": answer.as_ref().and_then(|it| Some(it.as_ref().err()?.message())),
            })
        });
        json!({
            "files": files.collect::<Vec<_>>(),
            "environment": self.facts,
            "profiles": profiles.collect::<Vec<_>>(),
            "findings": self.findings,
        })
    }

    fn to_text(&self) -> String {
        let mut text = format!("{STRONG}Files{STRONG:#}\n");
        for file in &self.files {
            let state = if file.exists {
                ""
            } else {
                "  (does not exist)"
            };
            text += &format!("  {}{state}\n", file.path.display());
        }
        text += &format!("\n{STRONG}Environment{STRONG:#}\n");
        for fact in &self.facts {
            text += &format!("  {fact}\n");
        }
        text += &format!("\n{STRONG}Profiles{STRONG:#}\n");
        let width = self.profiles.iter().map(|(it, _)| it.name.chars().count());
        let width = width.max().unwrap_or(0);
        for (profile, answer) in &self.profiles {
            let source = profile.source.as_deref().unwrap_or("broken, see below");
            let region = profile.region.as_deref().unwrap_or("no region");
            let name = &profile.name;
            text += &format!("  {name:width$}  {source}; {region}\n");
            match answer {
                Some(Ok(arn)) => text += &format!("  {:width$}  {HINT}{arn}{HINT:#}\n", ""),
                Some(Err(failure)) => {
                    text += &format!("  {:width$}  {ERROR}{}{ERROR:#}\n", "", failure.message());
                }
                None => {}
            }
        }
        // `aws configure` would edit a file that is broken.
        let is_broken = |it: &Finding| it.severity == Severity::Error && it.file.is_some();
        if self.profiles.is_empty() && self.findings.iter().any(is_broken) {
            text += "  unknown until the files can be parsed\n";
        } else if self.profiles.is_empty() {
            text += "  none: `aws configure` or `aws configure sso` creates one\n";
        }
        text += &format!("\n{STRONG}Problems{STRONG:#}\n");
        for finding in &self.findings {
            let (style, severity) = match finding.severity {
                Severity::Error => (ERROR, "error"),
                Severity::Warning => (WARNING, "warning"),
            };
            let (place, problem) = (finding.place(), &finding.problem);
            text += &format!("  {place}: {style}{severity}:{style:#} {problem}\n");
            text += &format!("    {HINT}fix:{HINT:#} {}\n", finding.repair);
        }
        if self.findings.is_empty() {
            text += "  none\n";
        }
        text
    }
}

/// Removes the colours if the standard output does not show any.
fn anstyle_text(text: &str) -> String {
    // `print` writes to the standard output as it is, and removes no colours.
    match anstream::AutoStream::choice(&std::io::stdout()) {
        anstream::ColorChoice::Never => anstream::adapter::strip_str(text).to_string(),
        _ => text.to_owned(),
    }
}

//! `bsm whoami`

use std::process::ExitCode;

use chrono::Utc;
use clap::Args;
use serde_json::json;

use crate::environment::{ambient_profile, expiry_of_keys, has_temporary_keys, variable};
use crate::failure::Failure;
use crate::global::Global;
use crate::lifetime::{remaining, rfc3339};
use crate::output::{print_facts, print_json};
use crate::session::{Questions, SessionArguments};
use crate::terminal;

/// Show which account and identity a session has, and where its credentials come from
#[derive(Args)]
pub(crate) struct Whoami {
    /// Mask the account and the user id, for screens that others see
    #[arg(long)]
    masked: bool,
}

impl Whoami {
    pub(crate) async fn run(&self, global: &Global) -> Result<ExitCode, Failure> {
        let session = global.session.select(Questions::Allowed)?;
        let manager = &session.manager;
        let source = manager.credentials_source()?;
        // Before the request, so that the note is also there if the credentials are rejected.
        explain_precedence(&global.session);
        let mut who = manager.who_am_i().await?;
        if self.masked {
            who = who.masked();
        }
        // After `who_am_i`, which fetches the credentials: a new manager has no expiry yet.
        let (caller, expiry) = (who.caller(), manager.expiration());
        if global.json {
            print_json(&json!({
                "account": caller.account(),
                "arn": caller.arn(),
                "user_id": caller.user_id(),
                "region": who.region(),
                "profile": session.profile.as_ref().map(|profile| profile.name()),
                "source": source,
                "expiration": expiry.map(rfc3339),
            }))?;
            return Ok(ExitCode::SUCCESS);
        }
        let expiry = match expiry {
            Some(time) => format!("{} ({})", rfc3339(time), remaining(time, Utc::now())),
            None => of_environment(&source).unwrap_or_else(|| "never".to_owned()),
        };
        print_facts(&[
            ("account", caller.account().to_owned()),
            ("arn", caller.arn().to_owned()),
            ("user id", caller.user_id().to_owned()),
            ("region", who.region().unwrap_or("none").to_owned()),
            ("source", source),
            ("expires", expiry),
        ])?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Describes the expiry of temporary keys in the environment. Unlike a session's, they are not refreshed, and a
/// variable that is wrong must not stop a request.
fn of_environment(source: &str) -> Option<String> {
    if !source.starts_with("environment") || !has_temporary_keys() {
        return None;
    }
    Some(match expiry_of_keys() {
        Some(time) => format!(
            "{} ({}), as AWS_CREDENTIAL_EXPIRATION says",
            rfc3339(time),
            remaining(time, Utc::now())
        ),
        None => "not known: temporary keys in the environment".to_owned(),
    })
}

/// Says which of two contradicting settings is used.
fn explain_precedence(arguments: &SessionArguments) {
    if variable("AWS_ACCESS_KEY_ID").is_none() {
        return;
    }
    match (&arguments.profile, ambient_profile()) {
        (Some(profile), _) => terminal::note(format_args!(
            "AWS_ACCESS_KEY_ID is set and not used, because --profile {profile} takes precedence"
        )),
        (None, Some(profile)) => terminal::note(format_args!(
            "AWS_ACCESS_KEY_ID is set and used; it takes precedence over AWS_PROFILE. For the \
             profile, add --profile {profile}"
        )),
        (None, None) => {}
    }
}

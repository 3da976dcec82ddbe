//! `bsm console`

mod browser;
mod partition;
mod signin;

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::time::Duration;

use bsm_core::{BotoSesManager, ProfileInfo, ProfileKind};
use clap::Args;
use serde_json::json;

use self::partition::Partition;
use crate::environment::variable;
use crate::failure::{Class, Failure};
use crate::global::Global;
use crate::lifetime;
use crate::output::{print, print_json};
use crate::session::{Questions, Session};
use crate::terminal;

/// Sign a browser in to the AWS console as a session
///
/// The session must be a role: AWS refuses a sign-in with long-lived keys. Anyone who has the
/// address that it opens or prints can sign in with it for 15 minutes: keep it secret.
#[derive(Args)]
pub(crate) struct Console {
    /// The console of this service: s3, ec2, dynamodb
    #[arg(long, value_name = "SERVICE", default_value = "console")]
    service: String,
    /// How long the browser stays signed in, from 15m to 12h [default: until the credentials expire]
    #[arg(long, value_name = "TIME", value_parser = lifetime::parse)]
    duration: Option<Duration>,
    /// Print the address instead of opening a browser; the default if the standard output is not a terminal
    #[arg(long)]
    print: bool,
    /// Do not ask before a browser is signed in to a production profile
    #[arg(long, short)]
    yes: bool,
}

impl Console {
    pub(crate) async fn run(&self, global: &Global) -> Result<ExitCode, Failure> {
        let session = global.session.select(Questions::Allowed)?;
        let manager = &session.manager;
        // Before AWS gets a request to sign in, the account is checked and the credentials
        // recorded.
        session.issue(session.audit("console").as_ref()).await?;
        let credentials = manager.credentials().await?;
        let caller = manager.caller_identity().await?;
        // GetSessionToken also returns a session token, but the console's federation endpoint accepts
        // only those of roles.
        if credentials.session_token().is_none() || !caller.arn().contains(":assumed-role/") {
            return Err(Failure::new(
                Class::Credentials,
                format!(
                    "{} is not a role, and AWS signs only roles in to the console: add --role ARN",
                    caller.arn()
                ),
            ));
        }
        self.check_duration(global, &session).await?;
        session.confirm_production("Sign a browser in", self.yes)?;
        let partition = Partition::of_arn(caller.arn())?;
        // The console chooses a region itself if the address names none.
        let region = manager.aws_region().await.ok();
        let destination = partition.console_url(&self.service, region.as_deref())?;
        let config = manager.sdk_config().await?;
        let token = signin::token(&config, partition, &credentials, self.duration).await?;
        let url = signin::login_url(&config, partition, &destination, &token);
        if global.json {
            print_json(&json!({ "url": *url, "account": caller.account() }))?;
        } else if self.print || !io::stdout().is_terminal() {
            print(&url)?;
            print("\n")?;
        } else {
            terminal::say(format_args!("opening the console of {}", caller.account()));
            browser::open(&url).await?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// AWS accepts a duration only for credentials that were not obtained with those of another role.
    async fn check_duration(&self, global: &Global, session: &Session) -> Result<(), Failure> {
        if self.duration.is_none() {
            return Ok(());
        }
        // Keys in the environment take precedence over a profile that is not named.
        let has_keys = global.session.profile.is_none() && variable("AWS_ACCESS_KEY_ID").is_some();
        let is_chained = match (&session.parent, &session.profile) {
            (Some(parent), _) => {
                let parent = parent.caller_identity().await?;
                parent.arn().contains(":assumed-role/")
            }
            (None, Some(profile)) if !has_keys => is_assumed_by_role(profile)?,
            (None, _) => false,
        };
        match is_chained {
            false => Ok(()),
            true => Err(Failure::usage(
                "--duration does not work for a role that was assumed with another role: remove it, and the \
                 browser stays signed in until the credentials expire",
            )),
        }
    }
}

/// Returns `true` if a profile's role is assumed with the credentials of another role, as far as the
/// settings say so. AWS refuses the duration of the others, such as that of a role by a
/// `credential_process`, itself.
fn is_assumed_by_role(profile: &ProfileInfo) -> Result<bool, Failure> {
    let source = match (profile.kind(), profile.setting("source_profile")) {
        // A profile that is its own source assumes the role with its own keys.
        (ProfileKind::Role, Some(source)) if source != profile.name() => source,
        _ => return Ok(false),
    };
    let profiles = BotoSesManager::profiles()?;
    let source = profiles.iter().find(|it| it.name() == source);
    Ok(source.is_some_and(|source| {
        use ProfileKind::{Role, Sso, WebIdentity};
        matches!(source.kind(), Role | Sso | WebIdentity)
    }))
}

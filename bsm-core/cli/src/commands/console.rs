//! `bsm console`

mod browser;
mod partition;
mod signin;

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use self::partition::Partition;
use crate::failure::{Class, Failure};
use crate::global::Global;
use crate::lifetime;
use crate::output::{print, print_json};
use crate::session::{Questions, Session};
use crate::terminal;

/// Sign a browser in to the AWS console as a session
///
/// The session must be a role: AWS refuses a sign-in with long-lived keys. The address that it opens or
/// prints is a secret: it is enough to sign in. It can be used for 15 minutes.
#[derive(Args)]
pub(crate) struct Console {
    /// The console of this service: s3, ec2, dynamodb
    #[arg(long, value_name = "SERVICE", default_value = "console")]
    service: String,
    /// How long the browser stays signed in, from 15m to 12h [default: until the credentials expire]
    #[arg(long, value_name = "TIME", value_parser = lifetime::parse)]
    duration: Option<Duration>,
    /// Print the address instead of opening a browser; so does a standard output that is no terminal
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
        // GetSessionToken also returns a session token, but for a user, whom AWS does not sign in
        // here.
        if credentials.session_token().is_none() || !caller.arn().contains(":assumed-role/") {
            return Err(Failure::new(
                Class::Credentials,
                format!(
                    "{} is not a role, and AWS signs only roles in to the console: add --role ARN",
                    caller.arn()
                ),
            ));
        }
        self.check_duration(&session).await?;
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
    async fn check_duration(&self, session: &Session) -> Result<(), Failure> {
        if self.duration.is_none() {
            return Ok(());
        }
        let parent = match &session.parent {
            Some(parent) => parent.caller_identity().await?,
            // A role of the profile's own chain is left to AWS, which refuses the duration itself.
            None => return Ok(()),
        };
        match parent.arn().contains(":assumed-role/") {
            false => Ok(()),
            true => Err(Failure::usage(
                "--duration is not possible for a role that was assumed by another role: leave it out, \
                 and the browser stays signed in until the credentials expire",
            )),
        }
    }
}

//! A thousand managers that are alive, beside a thousand configurations with a client.

use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, ConfigLoader};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::SharedCredentialsProvider;
use bsm_core::BotoSesManager;
use bsm_local_aws::{Account, LocalAws, LocalAwsBuilder, Profile, Role, Trust, User};

use super::one_thread;
use crate::Result;
use crate::measure::Effort;
use crate::probe::{self, Probe, Side, Subject, open_sockets, resident_bytes};
use crate::row::{Row, Target, Unit};

/// Used before the others, so that what is only needed once is not counted.
const WARM_UP: usize = 3;

/// The user that may assume the role of every account.
const BASE: &str = "account-0";

pub(crate) fn measure(effort: Effort, report: &mut dyn FnMut(Row)) -> Result {
    let calls = effort.times(1_000);
    let runtime = one_thread()?;
    let aws = runtime.block_on(accounts(calls + WARM_UP).start())?;
    let folder = tempfile::tempdir()?;
    aws.write_profiles(&folder)?;
    for (name, subject) in [("profiles", Subject::Profiles), ("roles", Subject::Roles)] {
        let figures = |side| {
            let probe = Probe {
                subject,
                side,
                calls,
            };
            probe::figures(probe, folder.path(), aws.endpoint_url())
        };
        let (ours, theirs) = (figures(Side::Ours)?, figures(Side::Theirs)?);
        for (figure, unit, most) in [
            ("bytes", Unit::Bytes, 20_000.0),
            ("sockets", Unit::Count, 0.0),
        ] {
            report(Row::new(
                format!("{calls} {name} used once: {figure}"),
                unit,
                ours[figure],
                theirs[figure],
                Target::AtMost(most),
            ));
        }
    }
    Ok(())
}

fn account(number: usize) -> String {
    format!("{:012}", 100_000_000_000 + number)
}

fn role_arn(number: usize) -> String {
    format!("arn:aws:iam::{}:role/App", account(number))
}

/// Accounts that have a user each, with a profile for it, and a role for the first of the users.
fn accounts(count: usize) -> LocalAwsBuilder {
    let user = |number| format!("arn:aws:iam::{}:user/app", account(number));
    (0..count).fold(LocalAws::builder(), |aws, number| {
        let id = format!("AKIALOCALAPP{number:08}");
        let app = User::new("app").access_key(id, format!("not-a-secret-{number}"));
        let role = Role::new("App").trust(Trust::principal(user(0)));
        let profile = Profile::new(format!("account-{number}")).region("us-east-1");
        aws.account(Account::new(account(number)).user(app).role(role))
            .profile(profile.user(user(number)))
    })
}

/// Creates and uses a manager or a configuration for each of many profiles.
pub(crate) fn probe_profiles(side: Side, calls: usize) -> Result {
    match side {
        Side::Ours => probe(calls, async |number| {
            let manager = BotoSesManager::from_profile(format!("account-{number}"));
            let client = manager.client(Client::new).await?;
            Ok((client, manager))
        }),
        Side::Theirs => probe(calls, async |number| {
            let config = loader().profile_name(format!("account-{number}"));
            let config = config.load().await;
            Ok((Client::new(&config), config))
        }),
    }
}

/// Creates and uses a manager or a configuration for each of many roles.
pub(crate) fn probe_roles(side: Side, calls: usize) -> Result {
    match side {
        Side::Ours => {
            let base = BotoSesManager::from_profile(BASE);
            probe(calls, async |number| {
                let manager = base.assume_role(role_arn(number)).build();
                let client = manager.client(Client::new).await?;
                Ok((client, manager))
            })
        }
        Side::Theirs => {
            let base = one_thread()?.block_on(loader().profile_name(BASE).load());
            probe(calls, async |number| {
                let role = AssumeRoleProvider::builder(role_arn(number));
                let role = role.session_name("app").configure(&base).build().await;
                let config = base.to_builder();
                let config = config.credentials_provider(SharedCredentialsProvider::new(role));
                let config = config.build();
                Ok((Client::new(&config), config))
            })
        }
    }
}

fn loader() -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::v2026_01_12())
}

/// Creates and uses many managers or configurations, and prints the memory and sockets of each.
fn probe<T>(calls: usize, make: impl AsyncFn(usize) -> Result<(Client, T)>) -> Result {
    one_thread()?.block_on(async {
        let mut made = Vec::with_capacity(calls + WARM_UP);
        let mut before = (0.0, 0.0);
        for number in 0..calls + WARM_UP {
            if number == WARM_UP {
                before = (resident_bytes()?, open_sockets()?);
            }
            let (client, of) = make(number).await?;
            client.list_tables().send().await?;
            made.push((client, of));
        }
        println!("bytes {}", (resident_bytes()? - before.0) / calls as f64);
        println!("sockets {}", open_sockets()? - before.1);
        Ok(())
    })
}

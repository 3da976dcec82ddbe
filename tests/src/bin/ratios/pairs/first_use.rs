//! The first use of a manager, beside what has to be loaded by hand.

use aws_config::BehaviorVersion;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_sdk_dynamodb::Client;
use bsm_core::BotoSesManager;
use bsm_tests::Playground;

use super::one_thread;
use crate::Result;
use crate::measure::{Effort, time};
use crate::row::{Row, Target, Unit};

pub(crate) fn measure(effort: Effort, report: &mut dyn FnMut(Row)) -> Result {
    let runtime = one_thread()?;
    let playground = runtime.block_on(Playground::start());
    let (config, credentials) = (
        playground.dir().join("config"),
        playground.dir().join("credentials"),
    );
    let load = async || {
        let files = EnvConfigFiles::builder()
            .with_file(EnvConfigFileKind::Config, &config)
            .with_file(EnvConfigFileKind::Credentials, &credentials)
            .build();
        aws_config::defaults(BehaviorVersion::v2026_01_12())
            .profile_files(files)
            .profile_name("staging")
            .load()
            .await
    };
    let [ours, theirs] = time(
        effort,
        [
            &mut |calls| {
                runtime.block_on(async {
                    for _ in 0..calls {
                        let manager = BotoSesManager::builder()
                            .config_file(&config)
                            .shared_credentials_file(&credentials)
                            .profile_name("staging")
                            .build();
                        let client = manager.client(Client::new).await;
                        client.expect("the profile is there");
                    }
                });
            },
            &mut |calls| {
                runtime.block_on(async {
                    for _ in 0..calls {
                        Client::new(&load().await);
                    }
                });
            },
        ],
    );
    report(Row::new(
        "first use of a manager; load and Client::new",
        Unit::Seconds,
        ours,
        theirs,
        Target::Ratio(0.5),
    ));
    Ok(())
}

//! A program that uses AWS, for tests that need another process.
//!
//! - `session-child` prints the account of its own session.
//! - `session-child as PROFILE [PROGRAM ARGUMENT...]` runs a program, or itself, as a child process
//!   with the session of that profile.
//! - `session-child at ENDPOINT PROFILE` runs itself as a child process with the session of that profile
//!   and an endpoint for all services.
//! - `session-child from FILE` prints the account of a snapshot.

use std::process::ExitCode;

use bsm_core::{BotoSesManager, Snapshot};

type Result = std::result::Result<(), Box<dyn std::error::Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [] => print_account(&BotoSesManager::new()).await,
        ["as", profile, program @ ..] => {
            let session = BotoSesManager::from_profile(*profile);
            let mut child = match program {
                [] => session.command(std::env::current_exe()?).await?,
                [program, arguments @ ..] => {
                    let mut child = session.command(program).await?;
                    child.args(arguments);
                    child
                }
            };
            let status = child.status().await?;
            if status.success() {
                return Ok(());
            }
            Err("the child failed".into())
        }
        ["at", endpoint, profile] => {
            let session = BotoSesManager::builder()
                .profile_name(*profile)
                .endpoint_url(*endpoint)
                .build();
            let mut child = session.command(std::env::current_exe()?).await?;
            match child.status().await?.success() {
                true => Ok(()),
                false => Err("the child failed".into()),
            }
        }
        ["from", file] => {
            print_account(&BotoSesManager::from_snapshot(Snapshot::read(file)?)).await
        }
        _ => {
            let usage = "usage: session-child \
                         [as PROFILE [PROGRAM ARGUMENT...] | at ENDPOINT PROFILE | from FILE]";
            Err(usage.into())
        }
    }
}

async fn print_account(session: &BotoSesManager) -> Result {
    println!("{}", session.aws_account_id().await?);
    Ok(())
}

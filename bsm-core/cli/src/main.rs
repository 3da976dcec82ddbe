//! `bsm`: AWS sessions for people and scripts that work with more than one account.

mod arguments;
mod audit;
mod commands;
mod doctor;
mod environment;
mod failure;
mod global;
mod lifetime;
mod output;
mod profile_summary;
mod question;
mod serve;
mod session;
mod shell;
mod similar_name;
mod source_file;
mod terminal;

use std::collections::HashSet;
use std::process::ExitCode;

use clap::Parser as _;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::arguments::Arguments;
use crate::session::Questions;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return wrong_command_line(&error),
    };
    if arguments.global.verbose {
        log_to_stderr();
    }
    match run(&arguments) {
        Ok(code) => code,
        Err(failure) => {
            let failure = failure.or_hint(|failure| arguments.advice(failure));
            failure.report(arguments.global.json, arguments.global.verbose);
            arguments.command.exit_code(&failure)
        }
    }
}

/// Prints the help that was asked for, or what is wrong with the command line.
fn wrong_command_line(error: &clap::Error) -> ExitCode {
    // Without a standard error, the exit code is all that is left.
    let _ = error.print();
    match error.exit_code() {
        0 => ExitCode::SUCCESS,
        _ => arguments::usage_status(),
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode, failure::Failure> {
    let mut runtime = match arguments.command.needs_workers() {
        true => tokio::runtime::Builder::new_multi_thread(),
        // One thread: a command has one thing to wait for at a time, and starting workers would take
        // longer than reading credentials from a cache.
        false => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = runtime
        .enable_all()
        .build()
        .map_err(|error| failure::Failure::io("the program could not start", error))?;
    let outcome = runtime.block_on(run_signed_in(arguments));
    // A lookup of a host name may still be under way, and nothing waits for it any more.
    runtime.shutdown_background();
    outcome
}

/// Runs the command, and signs in first if the login of its profile has ended and a person is there.
async fn run_signed_in(arguments: &Arguments) -> Result<ExitCode, failure::Failure> {
    let Arguments { command, global } = arguments;
    let mut signed_in = HashSet::new();
    loop {
        let failure = match command.run(global).await {
            Err(failure) if failure.is_sign_in_required() => failure,
            outcome => return outcome,
        };
        let session = arguments.session_of(&failure);
        if !command.can_run_again() || !session.selects_profile() || !terminal::is_interactive() {
            return Err(failure);
        }
        // Several profiles can have logins of their own. One that has just been signed in to does not help.
        if !signed_in.insert(session.profile.clone()) {
            return Err(failure);
        }
        terminal::note(&failure);
        // One prompt for all programs: those that wait for it find the token.
        session
            .select(Questions::Never)?
            .manager
            .sso_login()
            .await?;
    }
}

fn log_to_stderr() {
    // Not the SDK's own events, which can show requests and responses.
    let targets = Targets::new()
        .with_target("bsm", LevelFilter::DEBUG)
        .with_target("bsm_core", LevelFilter::DEBUG)
        .with_target("bsm_dynamodb", LevelFilter::DEBUG);
    tracing_subscriber::registry()
        // Without colours, which would need another crate.
        .with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr))
        .with(targets)
        .init();
}

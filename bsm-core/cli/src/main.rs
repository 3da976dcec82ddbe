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

use std::process::ExitCode;

use clap::Parser as _;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::arguments::Arguments;
use crate::session::Questions;

fn main() -> ExitCode {
    // For a wrong command line, clap ends the process with 2, which is also `Class::Usage`.
    let arguments = Arguments::parse();
    if arguments.global.verbose {
        log_to_stderr();
    }
    match run(&arguments) {
        Ok(code) => code,
        Err(failure) => {
            let failure = failure.or_hint(|kind| arguments.global.session.advice(kind));
            failure.report(arguments.global.json, arguments.global.verbose);
            arguments.command.exit_code(&failure)
        }
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
    let failure = match command.run(global).await {
        Err(failure) if failure.is_sign_in_required() => failure,
        outcome => return outcome,
    };
    let session = &global.session;
    if !command.can_run_again() || !session.selects_profile() || !terminal::is_interactive() {
        return Err(failure);
    }
    terminal::note(&failure);
    // One prompt for all programs: whoever waits for it finds the token.
    session
        .select(Questions::Never)?
        .manager
        .sso_login()
        .await?;
    command.run(global).await
}

fn log_to_stderr() {
    // Not the SDK's own events, which can show requests and responses.
    let targets = Targets::new()
        .with_target("bsm", LevelFilter::DEBUG)
        .with_target("bsm_core", LevelFilter::DEBUG)
        .with_target("bsm_dynamodb", LevelFilter::DEBUG);
    tracing_subscriber::registry()
        .with(
            tracing_subscriber::fmt::layer()
                .with_ansi(terminal::stderr_has_colour())
                .with_writer(std::io::stderr),
        )
        .with(targets)
        .init();
}

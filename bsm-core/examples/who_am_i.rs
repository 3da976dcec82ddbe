//! Prints the identity that AWS sees, with the profile files and variables that every AWS tool reads.
//!
//! ```sh
//! cargo run -p bsm-core --example who_am_i -- --profile staging --json
//! ```
//!
//! On failure it exits with 1 and says why.

use std::error::Error as _;
use std::process::ExitCode;

use bsm_core::{BotoSesManager, Error};
use clap::Parser;
use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Prints the identity that AWS sees.
#[derive(Parser)]
struct Arguments {
    /// The profile. Default: what the environment says.
    #[arg(long)]
    profile: Option<String>,
    /// The region. Default: what the environment or the profile says.
    #[arg(long)]
    region: Option<String>,
    /// Print JSON, one line for each answer.
    #[arg(long)]
    json: bool,
    /// Clear the cache and resolve again, this many times.
    #[arg(long, value_name = "N", default_value_t = 0)]
    refresh: u32,
    /// Log each step to the standard error.
    #[arg(long, short)]
    verbose: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.verbose {
        tracing_subscriber::registry()
            .with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr))
            .with(Targets::new().with_target("bsm_core", LevelFilter::DEBUG))
            .init();
    }
    for _ in 0..=arguments.refresh {
        match who_am_i(&arguments).await {
            Ok(answer) if arguments.json => println!("{answer}"),
            Ok(answer) => print_lines(&answer),
            Err(error) if arguments.json => {
                println!("{}", report(&error));
                return ExitCode::FAILURE;
            }
            Err(error) => {
                eprintln!("{error}");
                for cause in causes(&error) {
                    eprintln!("  because: {cause}");
                }
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

async fn who_am_i(arguments: &Arguments) -> Result<Value, Error> {
    let mut builder = BotoSesManager::builder();
    if let Some(profile) = &arguments.profile {
        builder = builder.profile_name(profile);
    }
    if let Some(region) = &arguments.region {
        builder = builder.region(region);
    }
    let bsm = builder.build();
    let source = bsm.credentials_source()?;
    let credentials = bsm.credentials().await?;
    let caller = bsm.caller_identity().await?;
    let region = match bsm.aws_region().await {
        Ok(region) => Some(region),
        // Whose the credentials are can be said without one.
        Err(error) if error.is_no_region() => None,
        Err(error) => return Err(error),
    };
    Ok(json!({
        "account": caller.account(),
        "arn": caller.arn(),
        "user_id": caller.user_id(),
        "region": region,
        "access_key_id": credentials.access_key_id(),
        "expiration": bsm.expiration().map(|at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string()),
        "source": source,
    }))
}

fn print_lines(answer: &Value) {
    for (name, value) in answer.as_object().into_iter().flatten() {
        println!("{name:13} {}", value.as_str().unwrap_or("-"));
    }
}

fn report(error: &Error) -> Value {
    json!({
        "error": {
            "kind": format!("{:?}", error.kind()),
            "message": error.to_string(),
            "causes": causes(error),
        },
    })
}

fn causes(error: &Error) -> Vec<String> {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    causes
}

//! A program that gets its credentials from a server of its own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, ExitCode};

use bsm_core::EnvVars;

#[cfg(unix)]
use super::supervise::{exit_like, wait};
use crate::audit::Audit;
use crate::environment::variable;
use crate::failure::Failure;
use crate::serve::{ConfigFiles, Server, Source};
use crate::session::Session;

/// The variables of a session that the server takes the place of.
const CREDENTIALS: [&str; 4] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
];

/// A file with keys, which botocore reads before it asks a server.
const CREDENTIAL_FILE: &str = "AWS_CREDENTIAL_FILE";

// Without `HTTPS_PROXY`: the server speaks HTTP.
const PROXIES: [&str; 4] = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// Runs the program to its end. The inner error is that of starting it.
pub(super) async fn run(
    session: &Session,
    variables: &EnvVars,
    audit: Option<Audit>,
    command: Command,
) -> Result<io::Result<ExitCode>, Failure> {
    let status = {
        let sources = vec![Source::new(session.manager.clone(), audit)?];
        // Port 0 is any free one: several commands run servers at the same time.
        let server = Server::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), sources)
            .await
            .map_err(|error| Failure::io("cannot listen on 127.0.0.1", error))?;
        let region = variables.set().find(|(name, _)| *name == "AWS_REGION");
        let region = region.map(|(_, region)| region);
        let files = ConfigFiles::write(region, session.profile.as_ref())
            .map_err(|error| Failure::io("the profile files cannot be written", error))?;
        let mut command = command;
        point_at(&server, &files, variables, &mut command);
        wait(command).await
        // Server and files are gone before this process ends, perhaps by a signal.
    };
    Ok(status.map(exit_like))
}

/// Sets the environment of the session on a command, with the server in place of keys.
fn point_at(server: &Server, files: &ConfigFiles, variables: &EnvVars, command: &mut Command) {
    // Removed before the server's variables are set: some have the same names.
    for name in variables
        .cleared()
        .chain(CREDENTIALS)
        .chain([CREDENTIAL_FILE])
    {
        command.env_remove(name);
    }
    let others = variables.set();
    command.envs(others.filter(|(name, _)| !CREDENTIALS.contains(name)));
    for source in server.sources() {
        command.envs(source.container_variables(server.address()));
    }
    command.envs(files.variables());
    // When the server is gone, no client must fall back to the role of this machine.
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    // Some clients would send the token, and get the keys, through a proxy.
    if PROXIES.iter().any(|name| variable(name).is_some()) {
        // Some clients read only one of the two spellings, and some prefer one of them.
        for (name, other) in [("NO_PROXY", "no_proxy"), ("no_proxy", "NO_PROXY")] {
            let others = variable(name).or_else(|| variable(other));
            let others = others.map(|others| others + ",");
            let value = others.unwrap_or_default() + &Ipv4Addr::LOCALHOST.to_string();
            command.env(name, value);
        }
    }
}

#[cfg(not(unix))]
async fn wait(command: Command) -> io::Result<std::process::ExitStatus> {
    tokio::process::Command::from(command).status().await
}

#[cfg(not(unix))]
fn exit_like(status: std::process::ExitStatus) -> ExitCode {
    // `ExitCode` has 8 bits, and a status of Windows has 32.
    std::process::exit(status.code().unwrap_or(1))
}

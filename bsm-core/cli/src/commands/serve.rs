//! `bsm serve`

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::global::Global;
use crate::output::{print, print_json};
use crate::serve::{Server, Source};
use crate::session::{Questions, SessionArguments};
use crate::terminal;

/// Serve credentials to AWS clients on this machine, and refresh them for as long as it runs
///
/// It prints the environment variables of two protocols for each profile: give a client one of the two sets.
/// They contain secrets; requests without them get 403.
///
///   container credentials   AWS CLI, all SDKs
///   instance metadata       clients that support nothing else
///
/// A client uses keys in its environment and in its profile files first. `bsm exec --server` gives a
/// program an environment without them.
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Serve {
    /// The profiles to serve, in place of --profile
    #[arg(value_name = "PROFILE", conflicts_with = "profile")]
    profiles: Vec<String>,
    /// The address and port to listen on; port 0 is any free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Allow --listen on an address that other machines can reach; anyone who reads the traffic gets the
    /// credentials
    #[arg(long)]
    allow_remote: bool,
}

impl Serve {
    pub(crate) async fn run(&self, global: &Global) -> Result<ExitCode, Failure> {
        if !self.listen.ip().is_loopback() && !self.allow_remote {
            return Err(Failure::usage(format!(
                "other machines can reach {}: listen on 127.0.0.1, or add --allow-remote",
                self.listen.ip()
            )));
        }
        if self.listen.ip().is_unspecified() {
            return Err(Failure::usage(format!(
                "cannot listen on {}, because clients need one address: use one that they can reach, such as \
                 172.17.0.1 for the containers of Docker",
                self.listen.ip()
            )));
        }
        // Before the variables are printed: a script that reads them may send the signal at once.
        let stop = shutdown_signal()?;
        let mut sources = Vec::new();
        let mut names = Vec::new();
        for arguments in self.selections(&global.session) {
            let session = arguments.select(Questions::Allowed)?;
            // Now, because a mistake is noticed here and not in a client, and the guards hold.
            let audit = session.audit("serve");
            let issued = session.issue(audit.as_ref()).await;
            let variables = issued.map_err(|failure| failure.of_profile(session.profile_name()))?;
            if session.manager.credentials().await?.expiry().is_none() {
                return Err(match variables.expiration() {
                    Some(_) => Failure::usage(
                        "the keys in the environment cannot be refreshed: name a profile, or give them to a \
                         program with bsm exec",
                    ),
                    None => long_lived(session.profile_name()),
                });
            }
            sources.push(Source::new(session.manager.clone(), audit)?);
            names.push(session.profile_name().to_owned());
        }
        let server = Server::start(self.listen, sources)
            .await
            .map_err(|error| Failure::io(format!("cannot listen on {}", self.listen), error))?;
        // After the server has its port, which is in the variables.
        announce(&names, &server, global.json)?;
        let count = names.len();
        terminal::say(format_args!(
            "serving {count} {} on {}; Ctrl-C ends it",
            if count == 1 { "session" } else { "sessions" },
            server.address()
        ));
        stop.await;
        Ok(ExitCode::SUCCESS)
    }

    fn selections(&self, arguments: &SessionArguments) -> Vec<SessionArguments> {
        if self.profiles.is_empty() {
            return vec![arguments.clone()];
        }
        let named = self.profiles.iter().map(|profile| SessionArguments {
            profile: Some(profile.clone()),
            ..arguments.clone()
        });
        named.collect()
    }
}

/// The protocols require a session token and an expiry. Some clients accept neither none nor a made-up
/// one.
fn long_lived(profile: &str) -> Failure {
    Failure::usage(format!(
        "the keys of profile {profile:?} do not expire, which the protocols cannot express: add --role, \
         or give them to a program with bsm exec"
    ))
}

fn announce(names: &[String], server: &Server, as_json: bool) -> Result<(), Failure> {
    let address = server.address();
    let sources = names.iter().zip(server.sources());
    if as_json {
        let object = |variables: Vec<(&str, String)>| -> Map<String, Value> {
            let variables = variables.into_iter();
            variables
                .map(|(name, value)| (name.to_owned(), value.into()))
                .collect()
        };
        let list = sources.map(|(name, source)| {
            json!({
                "profile": name,
                "container": object(source.container_variables(address).into()),
                "metadata": object(source.metadata_variables(address).into()),
            })
        });
        return print_json(&list.collect::<Vec<_>>());
    }
    let mut text = String::new();
    for (name, source) in sources {
        text.push_str(&format!("# {name}: container credentials\n"));
        for (variable, value) in source.container_variables(address) {
            text.push_str(&format!("{variable}={value}\n"));
        }
        text.push_str(&format!("# {name}: instance metadata\n"));
        for (variable, value) in source.metadata_variables(address) {
            text.push_str(&format!("{variable}={value}\n"));
        }
    }
    print(&text)
}

/// Starts to listen for SIGINT and SIGTERM. The returned future completes on the first of them.
#[cfg(unix)]
fn shutdown_signal() -> Result<impl Future<Output = ()>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};

    let listen =
        |kind| signal(kind).map_err(|error| Failure::io("cannot listen for signals", error));
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Returns a future that completes on Ctrl-C.
#[cfg(not(unix))]
fn shutdown_signal() -> Result<impl Future<Output = ()>, Failure> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

//! A server that gives credentials to AWS clients, by the protocols of containers and of instances.
//!
//! It serves several sessions, each below a path of its own that cannot be guessed. A request must have
//! that path, come from this machine, and not come from a web page; every other one gets 403 and
//! nothing else.

mod access;
mod answer;
mod config_files;
mod container;
mod metadata;
mod secret;
mod server;
mod source;

pub(crate) use self::config_files::ConfigFiles;
pub(crate) use self::server::Server;
pub(crate) use self::source::Source;

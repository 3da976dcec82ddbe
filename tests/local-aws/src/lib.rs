//! A small local AWS with several accounts, for tests.

mod access;
mod accounts;
mod answer;
mod auth;
mod clock;
mod control;
mod directory;
mod dynamodb;
mod error;
mod exchange;
mod faults;
mod iam;
mod ids;
mod local_aws;
mod mfa;
mod profiles;
mod record;
mod request;
mod secret;
mod server;
mod session;
pub mod standard;
mod sts;

pub use accounts::{Account, Role, Trust, User};
pub use clock::Clock;
pub use error::{Error, ErrorKind};
pub use faults::{Fault, FaultId, Faults};
pub use local_aws::{LocalAws, LocalAwsBuilder};
pub use mfa::MfaDevice;
pub use profiles::Profile;
pub use record::Call;
pub use session::Session;

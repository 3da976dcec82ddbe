//! A small local AWS with several accounts, for tests.
//!
//! It serves DynamoDB, and as much of STS and IAM as switching accounts takes, over real HTTP on
//! 127.0.0.1, to clients that need no change: the AWS SDKs, AWS CLI, boto3. **It is a test tool.**
//! It guards nothing, forgets everything when it stops, and must not be reachable by others.
//!
//! ```
//! use bsm_local_aws::{Fault, LocalAws, standard};
//! use std::time::Duration;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! // Three accounts: a user, and a role in each of the two others that the user may assume.
//! let aws = LocalAws::start().await?;
//! let _endpoint = aws.endpoint_url(); // for `.endpoint_url(..)` on a client's configuration
//! let _keys = (standard::ACCESS_KEY_ID, standard::SECRET_ACCESS_KEY);
//!
//! // Two hours pass; sessions of one hour have expired.
//! aws.clock().advance(Duration::from_secs(7200));
//! // STS is down for three calls.
//! aws.faults().add(Fault::unavailable().service("sts").times(3));
//! // Which account did each call reach?
//! for call in aws.calls() {
//!     println!("{:?} {} as {:?}", call.account, call.operation, call.principal_arn);
//! }
//! # Ok::<_, bsm_local_aws::Error>(())
//! # }).unwrap();
//! ```
//!
//! [`LocalAws::start`] gives the [`standard`] layout, [`LocalAws::builder`] any other, and
//! [`Layout`] reads one from a file. [`LocalAws::write_profiles`] writes a ready `~/.aws` pair. The
//! crate is also a program, `bsm-local-aws`, with `GET`/`DELETE /_local/calls`,
//! `POST`/`DELETE /_local/faults`, `GET`/`POST /_local/clock` and `GET /_local/sessions` for clients
//! in other languages. [`Fault`] shows the JSON of a fault; the clock takes
//! `{"advance_seconds": 3600}`.
//!
//! # What it does
//!
//! - **Isolation.** One database per account and region. The access key gives the account, the
//!   signature's scope the region. ARNs in answers name both.
//! - **Signatures.** SigV4 in the `Authorization` header is verified. Unknown keys, wrong secrets,
//!   wrong or missing session tokens, expired credentials and requests signed at another time are
//!   refused, each with the service's own code.
//! - **STS.** AssumeRole with every parameter but `ProvidedContexts`, GetCallerIdentity,
//!   GetSessionToken. Trust rules, MFA, role chaining, session tags, source identity, and AWS's
//!   limits on all of them.
//! - **IAM.** ListAccountAliases.
//! - **DynamoDB.** What the dynoxide engine does, which is most of it: tables, items, queries,
//!   scans, batches, transactions, PartiQL, indexes, streams, tags, time to live.
//! - **For tests.** A [record](Call) of calls, [faults](Fault), a movable [clock](Clock), the
//!   [sessions](Session) that were issued, and the stored [items](LocalAws::table_items).
//!
//! # What it does not do
//!
//! - Policies. Everything is allowed but what a user's or role's deny list names. Session policies
//!   and managed session policies are recorded, not enforced. There are no resource policies, so a
//!   table belongs to its account alone.
//! - AssumeRoleWithWebIdentity and with SAML, GetFederationToken, IAM operations, other services.
//! - Root users' keys, presigned URLs, SigV4A, AWS partitions other than `aws`.
//! - DynamoDB's delays, capacity and contention: a table is active at once, every read is
//!   consistent, nothing is throttled and no transaction conflicts, unless a fault says so.
//!   Expired items go when [`LocalAws::sweep_expired_items`] is called. Backups, global tables,
//!   exports and limits are not known.
//! - DynamoDB's speed. For each page of a parallel scan the engine looks through the whole table, so
//!   such a scan of some hundred thousand items is slow.
//! - The size of packed policies and tags is a guess; AWS's packing is not public.

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
mod layout;
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
pub use layout::Layout;
pub use local_aws::{LocalAws, LocalAwsBuilder};
pub use mfa::MfaDevice;
pub use profiles::Profile;
pub use record::Call;
pub use session::Session;

//! A local AWS with several accounts, for tests.
//!
//! The server emulates DynamoDB, and the parts of STS, IAM and IAM Identity Center that programs with
//! more than one account need. It speaks HTTP on 127.0.0.1 to unmodified clients: the AWS SDKs, the AWS CLI, boto3.
//!
//! **It is a test tool.** It protects nothing, keeps items in memory and objects of S3 in a temporary
//! folder, which a server that is killed leaves to the next one to delete. Don't make it reachable from other machines.
//!
//! # Examples
//!
//! Start a server with three accounts, send requests to it, and look at what reached it:
//!
//! ```
//! use bsm_local_aws::{Fault, LocalAws, standard};
//! use std::time::Duration;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! // A user in the first account, and a role in each of the other two that the user may assume.
//! let aws = LocalAws::start().await?;
//! let _endpoint = aws.endpoint_url(); // for `.endpoint_url(..)` of a client's configuration
//! let _keys = (standard::ACCESS_KEY_ID, standard::SECRET_ACCESS_KEY);
//!
//! // Two hours pass: sessions of one hour expire.
//! aws.clock().advance(Duration::from_secs(7200));
//! // STS is unavailable for three calls.
//! aws.faults().add(Fault::unavailable().service("sts").times(3));
//! // Which account did each call reach?
//! for call in aws.calls() {
//!     println!("{:?} {} as {:?}", call.account, call.operation, call.principal_arn);
//! }
//! # Ok::<_, bsm_local_aws::Error>(())
//! # }).unwrap();
//! ```
//!
//! Write profile files, so that any client reaches the server by the name of a profile:
//!
//! ```
//! use bsm_local_aws::LocalAws;
//!
//! let aws = LocalAws::standard().start_blocking()?;
//! let directory = aws.profile_dir()?;
//! // Set AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE of the client to these two files.
//! assert!(directory.join("config").exists());
//! assert!(directory.join("credentials").exists());
//! # Ok::<_, bsm_local_aws::Error>(())
//! ```
//!
//! # Where to start
//!
//! | to | use |
//! |---|---|
//! | start a server | [`LocalAws::start`] with the [`standard`] layout, [`LocalAws::builder`] with your own accounts, or [`Layout`] with a TOML file |
//! | let credentials or items expire | [`LocalAws::clock`] |
//! | inject failures | [`LocalAws::faults`] and [`Fault`] |
//! | check which account a call reached | [`LocalAws::calls`] and [`Call`] |
//! | check the parameters of AssumeRole | [`LocalAws::sessions`] and [`Session`] |
//! | look at stored items | [`LocalAws::table_items`] |
//! | look at stored objects (feature `s3`) | `LocalAws::object`, `LocalAws::object_keys` |
//!
//! # Other languages
//!
//! The crate is also a program, `bsm-local-aws`. It prints the environment variables for AWS clients
//! and has a control API:
//!
//! | request | effect |
//! |---|---|
//! | `GET /_local/calls`, `DELETE /_local/calls` | returns or clears the [calls](Call) |
//! | `POST /_local/faults`, `DELETE /_local/faults` | adds a [fault](Fault), or removes all |
//! | `GET /_local/clock`, `POST /_local/clock` | returns the time, or advances it: `{"advance_seconds": 3600}` |
//! | `GET /_local/sessions` | returns the [sessions](Session) |
//! | `POST /_local/devices` | allows or denies the sign-ins that wait: `{"allow": true}` |
//!
//! # What is emulated
//!
//! - **Isolation.** Every account and region has its own database. The access key determines the
//!   account, and the credential scope of the signature determines the region. ARNs in responses
//!   contain both.
//! - **Signatures.** The server verifies SigV4 in the `Authorization` header. It rejects unknown keys,
//!   wrong secrets, wrong or missing session tokens, expired credentials and old signatures, each with
//!   the error code of the service.
//! - **STS.** AssumeRole with every parameter except `ProvidedContexts`, GetCallerIdentity and
//!   GetSessionToken, with trust policies, MFA, role chaining, session tags, source identity and AWS's
//!   limits.
//! - **IAM.** ListAccountAliases.
//! - **Organizations.** DescribeOrganization, ListAccounts, ListRoots, ListOrganizationalUnitsForParent,
//!   ListAccountsForParent, ListParents and ListTagsForResource, for the management account and delegated
//!   administrators; see [`Organization`].
//! - **Console sign-in.** The federation endpoint, at `/federation`.
//! - **IAM Identity Center.** Sign-in (SSO OIDC: RegisterClient, StartDeviceAuthorization, CreateToken with
//!   every grant, and the page `/authorize`) and the portal (SSO: GetRoleCredentials, ListAccounts,
//!   ListAccountRoles, Logout), for one user; see [`IdentityCenter`].
//! - **Machines.** The metadata service of an EC2 instance (IMDSv2), and the credentials of a container.
//! - **DynamoDB.** Tables, items, queries, scans, batches, transactions, PartiQL, indexes, tags and time
//!   to live, by the dynoxide engine. What the engine accepts and DynamoDB refuses is checked before it:
//!
//!   | DynamoDB refuses | source |
//!   |---|---|
//!   | an expression over 4 KB or 300 operators, 100 operands of `IN`, a path over 32 elements | [Constraints] |
//!   | an operand that an operator or function has no use for, a reversed BETWEEN, a wrong number of operands | [Operators], [Legacy] |
//!   | a name of a key attribute over 255 bytes, any other over 64 KB, a definition twice | [Constraints] |
//!   | an empty list of attributes, a request that is no object | the API's model |
//!   | a name or function that begins with `_` or a digit, or is written in other letters; paths that conflict, and a list index that is no `int` | [Operators] |
//!   | more than one change of an index at a time, an index that exists, a billing mode that does not fit the capacity | the API's model |
//!   | an index key over 2,048 or 1,024 bytes, also in a transaction; an empty key in a query | [Constraints] |
//!   | more than 20 attributes that an index includes | the API's model |
//!   | a comparison of a path with itself | [Operators] |
//!   | a signature that is older or newer than the server's time by more than five minutes, before its key is looked at | [Signing] |
//!   | more than 50 tags, and characters that a tag cannot have | [Tagging] |
//!   | a time to live that is already as requested, or on another attribute | [TTL] |
//!
//!   [Constraints]: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
//!   [Operators]: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
//!   [Legacy]: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.Conditions.html
//!   [Tagging]: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Tagging.html
//!   [Signing]: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
//!   [TTL]: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTimeToLive.html
//! - **DynamoDB Streams.** Every table with a stream has two shards at a time, which are succeeded by
//!   their children after four hours. Records are kept for a day and shard iterators for 15 minutes.
//! - **Point-in-time recovery.** UpdateContinuousBackups and DescribeContinuousBackups. The latest
//!   restorable time is five minutes ago. Tables cannot be restored.
//! - **S3** (feature `s3`). Buckets and objects, by the s3s-fs server; multipart uploads; bucket policies,
//!   so that accounts can share a bucket.
//! - **Exports and imports** (feature `s3`). ExportTableToPointInTime, ImportTable, and the operations
//!   that describe and list them, in DynamoDB JSON. Exports are full or incremental, with AWS's limits
//!   on their times and with manifests and checksums. [`Fault`] makes them fail, skip lines, or take
//!   long.
//!
//! # Limitations
//!
//! - **Policies.** Every action is allowed except those on a user's or role's deny list. Session
//!   policies are recorded but not enforced. Tables have no resource policies, so only the account of
//!   a table can use it. Bucket policies with conditions are rejected.
//! - **Operations.** AssumeRoleWithWebIdentity, AssumeRoleWithSAML, GetFederationToken, other IAM
//!   operations and other services are missing. In DynamoDB, backups on demand, restores, global tables
//!   and DescribeLimits are missing; in S3, everything about a bucket except its region and its policy.
//! - **Authentication.** Keys of root users, presigned URLs, SigV4A and partitions other than `aws` are
//!   missing. The signatures of the chunks of an S3 object are not verified.
//! - **More lenient than DynamoDB.** The sizes of index keys are not checked in transactions, where a removal also
//!   creates the missing item, as it does with `Expected` on the key. The total size of a transaction and that of HTTP
//!   headers have no limit. A starting key without a table's items is accepted.
//! - **Otherwise different.** A page of an index that was added to a table can be shorter than `Limit`, because items
//!   that do not belong to it are left out afterwards. A Scan reports less consumed capacity, tags are measured in
//!   bytes, not characters, and some messages of key conditions have other words. Global secondary indexes have one hash
//!   and one range attribute.
//! - **Times.** Changes are dated in whole seconds, and so are the windows of exports.
//! - **Delays.** A table is active immediately, every read is consistent, nothing is throttled and
//!   transactions never conflict, unless a fault causes it. [`LocalAws::sweep_expired_items`] deletes
//!   expired items.
//! - **Speed.** Each page of a parallel scan reads the whole table, so parallel scans of several hundred
//!   thousand items are slow.
//! - **Sizes.** The size of packed session policies and tags is an estimate, since AWS doesn't publish
//!   the algorithm.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod auth;
mod call_log;
mod clock;
mod dynamodb;
mod error;
mod faults;
mod federation;
mod iam;
mod ids;
mod layout;
mod local_aws;
mod metadata;
mod organizations;
mod profile_files;
mod request;
mod response;
#[cfg(feature = "s3")]
mod s3;
mod secret;
mod server;
mod service;
mod session;
mod sso;
pub mod standard;
mod sts;
mod temporary;

pub use call_log::Call;
pub use clock::Clock;
pub use error::{Error, ErrorKind};
pub use faults::{Fault, FaultId, Faults};
pub use layout::{
    Account, IdentityCenter, Layout, MfaDevice, Organization, Profile, Role, Trust, User,
};
pub use local_aws::{LocalAws, LocalAwsBuilder};
pub use session::Session;
pub use sso::SsoToken;

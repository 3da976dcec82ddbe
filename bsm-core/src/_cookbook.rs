//! Recipes for common tasks.
//!
//! - [Use a profile, keys, or an assumed role](#use-a-profile-keys-or-an-assumed-role)
//! - [Create a client of any AWS service](#create-a-client-of-any-aws-service)
//! - [Switch the account for a future, a block, or a
//!   closure](#switch-the-account-for-a-future-a-block-or-a-closure)
//! - [Keep the account in a spawned task](#keep-the-account-in-a-spawned-task)
//! - [Make a forgotten scope an error](#make-a-forgotten-scope-an-error)
//! - [Refuse the wrong account](#refuse-the-wrong-account)
//! - [Enter an MFA code](#enter-an-mfa-code)
//! - [Run a command in another account](#run-a-command-in-another-account)
//! - [Check why a call failed](#check-why-a-call-failed)
//!
//! # Use a profile, keys, or an assumed role
//!
//! ```
//! use std::time::Duration;
//!
//! use bsm_core::BotoSesManager;
//!
//! let staging = BotoSesManager::from_profile("staging");
//! let keys = BotoSesManager::from_keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
//! let admin = staging
//!     .assume_role("arn:aws:iam::222222222222:role/Admin")
//!     .duration(Duration::from_secs(15 * 60))
//!     .build();
//!
//! assert_eq!(staging.to_string(), "profile \"staging\"");
//! assert_eq!(keys.to_string(), "keys AKIAIOSFODNN7EXAMPLE");
//! assert_eq!(
//!     admin.to_string(),
//!     "role arn:aws:iam::222222222222:role/Admin through profile \"staging\""
//! );
//! ```
//!
//! # Create a client of any AWS service
//!
//! The manager caches the client. Another region is another manager, with the same credentials.
//!
//! ```no_run
//! # async fn f() -> Result<(), bsm_core::Error> {
//! use bsm_core::BotoSesManager;
//!
//! let staging = BotoSesManager::from_profile("staging");
//! let sts = staging.client(aws_sdk_sts::Client::new).await?;
//! let sts_in_ireland = staging.with_region("eu-west-1").client(aws_sdk_sts::Client::new).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Switch the account for a future, a block, or a closure
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use bsm_core::BotoSesManager;
//!
//! fn profile() -> Option<String> {
//!     BotoSesManager::current().profile_name().map(String::from)
//! }
//!
//! let staging = BotoSesManager::from_profile("staging");
//! assert_eq!(staging.scope(async { profile() }).await.as_deref(), Some("staging"));
//! assert_eq!(staging.sync_scope(profile).as_deref(), Some("staging"));
//! {
//!     let _env = staging.awsenv();
//!     assert_eq!(profile().as_deref(), Some("staging"));
//! }
//! assert_eq!(profile(), None);
//! # }
//! ```
//!
//! # Keep the account in a spawned task
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use bsm_core::{BotoSesManager, InCurrentScope as _};
//!
//! let staging = BotoSesManager::from_profile("staging");
//! let profile = staging
//!     .scope(async {
//!         let task = async { BotoSesManager::current().profile_name().map(String::from) };
//!         tokio::spawn(task.in_current_scope()).await.unwrap()
//!     })
//!     .await;
//! assert_eq!(profile.as_deref(), Some("staging"));
//! # }
//! ```
//!
//! # Make a forgotten scope an error
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use bsm_core::{BotoSesManager, install_default};
//!
//! install_default(BotoSesManager::none()).unwrap();
//! let error = BotoSesManager::current().aws_account_id().await.unwrap_err();
//! assert!(error.is_no_session());
//! # }
//! ```
//!
//! # Refuse the wrong account
//!
//! Every use fails, before a request is signed, if the credentials belong to another account.
//!
//! ```
//! use bsm_core::BotoSesManager;
//!
//! let production = BotoSesManager::builder()
//!     .profile_name("production")
//!     .expect_account("333333333333")
//!     .expect_region("eu-central-1")
//!     .build();
//! ```
//!
//! # Enter an MFA code
//!
//! ```
//! use bsm_core::{BotoSesManager, mfa};
//!
//! let production = BotoSesManager::builder()
//!     .profile_name("production")
//!     .mfa_token_provider(mfa::TerminalPrompt::new())
//!     .build();
//! ```
//!
//! # Run a command in another account
//!
//! The credentials of a child process cannot be refreshed, so ask for enough time first.
//!
//! ```no_run
//! # async fn f() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! use bsm_core::BotoSesManager;
//!
//! let staging = BotoSesManager::from_profile("staging");
//! staging.credentials_for(Duration::from_secs(45 * 60)).await?;
//! let status = staging.command("terraform").await?.arg("plan").status().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Check why a call failed
//!
//! ```no_run
//! # async fn f() {
//! use bsm_core::{BotoSesManager, ErrorKind};
//!
//! match BotoSesManager::from_profile("staging").credentials().await {
//!     Ok(credentials) => println!("using {}", credentials.access_key_id()),
//!     Err(error) => match error.kind() {
//!         ErrorKind::ProfileNotFound => eprintln!("{error}"),
//!         ErrorKind::Unreachable => eprintln!("try again later: {error}"),
//!         _ => panic!("{error}"),
//!     },
//! }
//! # }
//! ```

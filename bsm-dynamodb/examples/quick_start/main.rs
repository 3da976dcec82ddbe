//! One model in three accounts, by switching sessions.
//!
//! ```text
//! cargo run --example quick_start
//! cargo run --example quick_start -- --real DEFAULT STAGING PRODUCTION
//! ```
//!
//! The first form runs against a local AWS with three accounts, and touches nothing else. The second
//! form runs the same on three profiles of yours. It creates the table `bsm-quick-start-users` in
//! the accounts of STAGING and PRODUCTION, with on-demand billing, and deletes it in the end; it
//! does nothing if one of the accounts has such a table already.

use std::process::ExitCode;

use bsm_core::BotoSesManager;
use bsm_dynamodb::{Model, reset_connection, slot, use_boto_session, with_boto_session};
use quick_start_accounts::{Accounts, Result};
use serde::{Deserialize, Serialize};

// ANCHOR: programs
#[derive(Serialize, Deserialize, Model)]
#[model(table = "bsm-quick-start-users", region = "us-east-1")]
struct User {
    #[model(hash_key)]
    id: String,
}

/// Switches one model to another account, for a block.
async fn quick_start(target: &BotoSesManager) -> Result {
    {
        let _session = use_boto_session::<User>(target);
        User::create_table().wait().await?;
        User { id: "123".into() }.save().await?;
        println!("  inside the block:  saved 123 in {}", account().await?);
    }
    assert!(User::get("123").await.is_err()); // default account: no such table
    println!("  outside the block: no table in {}", account().await?);
    Ok(())
}

/// Keeps the connection after the block, then puts it back.
async fn advanced(target: &BotoSesManager) -> Result {
    {
        let _session = use_boto_session::<User>(target).restore_on_exit(false);
        User { id: "456".into() }.save().await?;
        println!("  inside the block:  saved 456 in {}", account().await?);
    }
    User::get("456").await?; // still target
    println!("  outside the block: read 456 in {}", account().await?);

    reset_connection::<User>(); // default again
    println!("  after the reset:   back in {}", account().await?);
    Ok(())
}

/// Copies from one account to another: the attributes that `User` declares, and no others.
///
/// To copy a table with every attribute, use `copy_table`.
async fn multiple_accounts(staging: &BotoSesManager, production: &BotoSesManager) -> Result {
    let users: Vec<User> = with_boto_session::<User, _>(staging, User::scan().collect()).await?;
    println!("  read {} users with {staging}", users.len());

    with_boto_session::<User, _>(production, async {
        User::create_table().wait().await?;
        User::batch_write().save_all(users).await
    })
    .await?;
    println!("  wrote them with {production}");
    Ok(())
}
// ANCHOR_END: programs

/// The account that the model is in, here and now.
async fn account() -> Result<String> {
    let slot = slot::<User>();
    let manager = slot.manager();
    Ok(format!("{} ({manager})", manager.aws_account_id().await?))
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let causes = std::iter::successors(error.source(), |&cause| cause.source());
            causes.for_each(|cause| eprintln!("  because: {cause}"));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result {
    let accounts = Accounts::from_args(std::env::args().skip(1)).await?;
    bsm_core::install_default(accounts.default.clone())?;
    accounts.check::<User>().await?;

    let outcome = three_programs(&accounts).await;
    let clean = accounts.clean_up::<User>().await;
    outcome.and(clean)
}

async fn three_programs(accounts: &Accounts) -> Result {
    println!("\n1. Quick Start: another account, for a block");
    quick_start(&accounts.staging).await?;

    println!("\n2. Advanced: keep it after the block, then put it back");
    advanced(&accounts.staging).await?;

    println!("\n3. Multiple Accounts: copy from one to another");
    multiple_accounts(&accounts.staging, &accounts.production).await?;

    println!("\nWhich account holds which items\n");
    println!("  {:<14}{:<23}items", "account", "session");
    for manager in accounts.all() {
        let account = manager.aws_account_id().await?;
        let items = match with_boto_session::<User, _>(manager, User::scan().collect()).await {
            Ok(users) => users
                .iter()
                .map(|user| &*user.id)
                .collect::<Vec<_>>()
                .join(", "),
            Err(error) if error.is_table_not_found() => "(no table)".to_owned(),
            Err(error) => return Err(error.into()),
        };
        println!("  {account:<14}{:<23}{items}", manager.to_string());
    }
    Ok(())
}

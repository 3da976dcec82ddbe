//! Transactions take effect as a whole or not at all, in one account.

use bsm_dynamodb::{
    Codec, ErrorKind, Model, Serde, Version, transact_get, transact_write, use_boto_session,
};
use bsm_local_aws::Fault;
use serde::{Deserialize, Serialize};

use crate::support::{DEFAULT, Playground, STAGING};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Model)]
#[model(table = "accounts")]
struct Account {
    #[model(hash_key)]
    id: String,
    balance: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Model)]
#[model(table = "transfers")]
struct Transfer {
    #[model(hash_key)]
    from: String,
    #[model(range_key)]
    number: u64,
    #[model(version)]
    version: Version,
}

fn account(id: &str, balance: i64) -> Account {
    Account {
        id: id.into(),
        balance,
    }
}

fn transfer(number: u64) -> Transfer {
    Transfer {
        from: "alice".into(),
        number,
        version: Version::new(),
    }
}

/// Both tables in the default account, and two accounts with money.
async fn bank() -> Playground {
    let local = Playground::start().await;
    let fill = async {
        Account::create_table().wait().await.unwrap();
        Transfer::create_table().wait().await.unwrap();
        let accounts = [account("alice", 100), account("bob", 0)];
        Account::batch_write().save_all(accounts).await.unwrap();
    };
    local.profile("default").scope(fill).await;
    local
}

async fn balances() -> (i64, i64) {
    let both = transact_get((Account::get("alice"), Account::get("bob")));
    let (alice, bob) = both.await.unwrap();
    (alice.unwrap().balance, bob.unwrap().balance)
}

fn pay(transfer: &Transfer, amount: i64) -> bsm_dynamodb::TransactWrite {
    transact_write()
        .write(transfer.save().condition(Transfer::from().not_exists()))
        .write(
            Account::update("alice")
                .decrement(Account::balance(), amount)
                .condition(Account::balance().ge(amount)),
        )
        .write(Account::update("bob").increment(Account::balance(), amount))
}

#[tokio::test]
async fn the_actions_of_several_models_all_take_effect() {
    let local = bank().await;
    let _default = local.profile("default").awsenv();
    let transfer = transfer(1);
    pay(&transfer, 70).await.unwrap();
    assert_eq!(balances().await, (30, 70));
    assert_eq!(transfer.version.get(), 1);
    assert_eq!(Transfer::get(("alice", 1)).await.unwrap(), transfer);

    transact_write()
        .write(transfer.delete())
        .write(Account::delete_key("bob"))
        .check("alice", Account::balance().eq(30))
        .await
        .unwrap();
    assert_eq!(transfer.version.get(), 0);
    assert_eq!(local.ids(DEFAULT, "accounts"), ["alice"]);
    transact_write().await.unwrap();
}

#[tokio::test]
async fn a_false_condition_cancels_the_transaction_and_is_reported() {
    let local = bank().await;
    let _default = local.profile("default").awsenv();
    let transfer = transfer(1);
    let error = pay(&transfer, 700).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TransactionCancelled, "{error}");
    assert!(error.is_transaction_cancelled());
    assert_eq!(error.table(), "transfers, accounts");
    let reasons = error.cancellation_reasons();
    let codes: Vec<_> = reasons.iter().map(|reason| reason.code()).collect();
    assert_eq!(codes, ["None", "ConditionalCheckFailed", "None"]);
    assert!(reasons[1].is_conditional_check_failed() && !reasons[0].is_failure());
    let existing = reasons[1].existing_item().unwrap().clone();
    assert_eq!(
        <Serde as Codec<Account>>::from_item(existing).unwrap(),
        account("alice", 100)
    );
    let text = format!("{error:?}");
    assert!(
        text.contains("ConditionalCheckFailed") && !text.contains("alice"),
        "{text}"
    );

    assert_eq!(balances().await, (100, 0));
    assert_eq!(transfer.version.get(), 0);
    assert!(Transfer::get(("alice", 1)).await.is_err());

    let check = transact_write().check("nobody", Account::id().exists());
    let error = check.await.unwrap_err();
    assert!(error.cancellation_reasons()[0].is_conditional_check_failed());
    assert!(error.cancellation_reasons()[0].existing_item().is_none());
}

#[tokio::test]
async fn a_transaction_checks_versions() {
    let local = bank().await;
    let _default = local.profile("default").awsenv();
    let mine = transfer(1);
    mine.save().await.unwrap();
    let theirs = mine.clone();
    theirs.save().await.unwrap();
    let error = transact_write().write(mine.save()).await.unwrap_err();
    assert!(error.cancellation_reasons()[0].is_conditional_check_failed());
    assert_eq!(mine.version.get(), 1);
}

#[tokio::test]
async fn a_transaction_with_a_token_is_done_once() {
    let local = bank().await;
    let _default = local.profile("default").awsenv();
    let pay = || {
        let update = Account::update("bob").increment(Account::balance(), 5);
        transact_write().write(update).token("payment-1")
    };
    pay().await.unwrap();
    pay().await.unwrap();
    assert_eq!(balances().await, (100, 5));
    let other = transact_write()
        .write(Account::update("bob").increment(Account::balance(), 6))
        .token("payment-1");
    let error = other.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
}

#[tokio::test]
async fn models_with_different_sessions_are_rejected() {
    let local = bank().await;
    let default = local.profile("default");
    let _default = default.awsenv();
    let staging = local.profile("staging");
    let _session = use_boto_session::<Account>(&staging);
    local.aws.clear_calls();
    let error = pay(&transfer(1), 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
    let text = error.to_string();
    assert!(
        text.contains("\"default\"") && text.contains("\"staging\""),
        "{text}"
    );
    let get = transact_get((Account::get("alice"), Transfer::get(("alice", 1))));
    assert_eq!(get.await.unwrap_err().kind(), ErrorKind::InvalidRequest);
    assert_eq!(local.aws.call_count("dynamodb", "TransactWriteItems"), 0);
    assert_eq!(local.aws.call_count("dynamodb", "TransactGetItems"), 0);

    // The same session, by two ways.
    let _session = use_boto_session::<Account>(&default.with_region("us-east-1"));
    pay(&transfer(1), 1).await.unwrap();

    // The same identity, which reads and writes elsewhere.
    let elsewhere = "http://127.0.0.1:9";
    for other in [
        local.builder().service_endpoint_url("dynamodb", elsewhere),
        local
            .builder()
            .service_endpoint_url("sts", local.aws.endpoint_url())
            .endpoint_url(elsewhere),
        local
            .builder()
            .environment([("AWS_ENDPOINT_URL_DYNAMODB", elsewhere)]),
    ] {
        let _session = use_boto_session::<Account>(&other.profile_name("default").build());
        let error = pay(&transfer(2), 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
    }
}

#[tokio::test]
async fn a_transaction_that_only_conflicts_cancelled_is_retried_and_a_kind_of_its_own() {
    let local = bank().await;
    let _default = local.profile("default").awsenv();
    let faults = local.aws.faults();
    for (reasons, is_conflict) in [
        (["None", "None", "TransactionConflict"], true),
        (
            ["TransactionConflict", "None", "ConditionalCheckFailed"],
            false,
        ),
    ] {
        // The next attempt finds the item free.
        let fault = || Fault::cancelled_transaction(reasons);
        let once = faults.add(fault().times(1));
        let calls = || local.aws.call_count("dynamodb", "TransactWriteItems");
        let before = calls();
        let paid = pay(&transfer(7), 1).await;
        assert_eq!(paid.is_ok(), is_conflict, "{paid:?}");
        assert_eq!(calls() - before, if is_conflict { 2 } else { 1 });
        faults.remove(once);

        let always = faults.add(fault());
        let before = calls();
        let error = pay(&transfer(8), 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TransactionCancelled, "{error}");
        assert_eq!(error.is_conflict(), is_conflict, "{error}");
        assert!(!error.may_have_been_applied(), "{error}");
        assert_eq!(calls() - before, if is_conflict { 3 } else { 1 });
        faults.remove(always);
    }
    // One of the two transfers above, once.
    assert_eq!(balances().await, (99, 1));
}

#[tokio::test]
async fn a_transaction_is_bound_where_it_is_awaited() {
    let local = bank().await;
    let _default = local.profile("default").awsenv();
    let staging = local.profile("staging");
    let create = async {
        Account::create_table().wait().await.unwrap();
        Transfer::create_table().wait().await.unwrap();
    };
    staging.scope(create).await;
    let write = transact_write().write(account("carol", 1).save());
    staging.scope(write).await.unwrap();
    assert_eq!(local.ids(STAGING, "accounts"), ["carol"]);
    assert_eq!(local.ids(DEFAULT, "accounts"), ["alice", "bob"]);
    let get = transact_get(Account::get("carol"));
    assert!(staging.scope(get).await.unwrap().is_some());
}

#[tokio::test]
async fn items_are_returned_in_the_shape_of_the_call() {
    let local = bank().await;
    let _default = local.profile("default").awsenv();
    transfer(7).save().await.unwrap();
    account("carol", 3).save().await.unwrap();
    #[derive(Debug, PartialEq, Deserialize)]
    struct Balance {
        balance: i64,
    }
    let (accounts, missing, transfer, balance) = transact_get((
        vec![Account::get("bob"), Account::get("alice")],
        Account::get("nobody"),
        Transfer::get(("alice", 7)),
        Account::get("carol").project::<Balance>(),
    ))
    .await
    .unwrap();
    assert_eq!(
        accounts,
        [Some(account("bob", 0)), Some(account("alice", 100))]
    );
    assert_eq!(missing, None);
    assert_eq!(transfer.unwrap().number, 7);
    assert_eq!(balance, Some(Balance { balance: 3 }));
    let none: Vec<Option<Account>> = transact_get(Vec::<bsm_dynamodb::Get<Account>>::new())
        .await
        .unwrap();
    assert!(none.is_empty());
}

#[tokio::test]
async fn a_transaction_that_is_too_large_is_rejected_before_it_is_sent() {
    let local = bank().await;
    let _default = local.profile("default").awsenv();
    local.aws.clear_calls();
    let many = (0..101).fold(transact_write(), |all, n| {
        all.write(account(&n.to_string(), 0).save())
    });
    let error = many.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
    assert!(error.to_string().contains("at most 100"), "{error}");

    #[derive(Serialize, Deserialize, Model)]
    #[model(table = "accounts")]
    struct Large {
        #[model(hash_key)]
        id: String,
        text: String,
    }
    let large = (0..11).fold(transact_write(), |all, n| {
        let large = Large {
            id: n.to_string(),
            text: "x".repeat(390_000),
        };
        all.write(large.save())
    });
    let error = large.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
    assert!(error.to_string().contains("at most 4 MB"), "{error}");
    let many: Vec<_> = (0..101).map(|n| Account::get(n.to_string())).collect();
    assert!(transact_get(many).await.is_err());
    assert!(local.aws.calls().is_empty());
}

/// A conflict with another transaction, which AWS reports as `TransactionConflict`, cannot be had of
/// the engine.
#[tokio::test]
async fn two_actions_on_one_item_are_rejected() {
    let local = bank().await;
    let _default = local.profile("default").awsenv();
    let twice = transact_write()
        .write(account("alice", 1).save())
        .write(Account::delete_key("alice"));
    let error = twice.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
    assert_eq!(balances().await, (100, 0));
}

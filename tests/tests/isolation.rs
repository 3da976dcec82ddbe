//! Many tasks, many accounts, one model: every operation reaches the account of the scope in which it
//! was started, according to the call log of the local AWS.

use std::collections::BTreeMap;

use bsm_core::BotoSesManager;
use bsm_dynamodb::{Model, use_boto_session, with_boto_session};
use bsm_local_aws::{Account, LocalAws, Role, Trust, User};
use serde::{Deserialize, Serialize};

const ACCOUNTS: usize = 16;
const TASKS: usize = 64;
/// Operations per task: 100,032 in total, which fits into the call log of the local AWS.
const ROUNDS: usize = 1_563;

const CALLER: &str = "arn:aws:iam::999999999999:user/caller";

#[derive(Serialize, Deserialize, Model)]
#[model(table = "notes")]
struct Note {
    #[model(hash_key)]
    id: String,
    written_for: String,
}

fn account(number: usize) -> String {
    format!("{:012}", 100_000_000_000 + number)
}

/// Returns the number of the account that a task uses in a round. Every task uses all accounts.
fn number_for(task: usize, round: usize) -> usize {
    (task * 7 + round * 5) % ACCOUNTS
}

async fn many_accounts() -> (LocalAws, Vec<BotoSesManager>) {
    let caller = User::new("caller").access_key("AKIALOCALCALLER00001", "a-secret-of-the-caller");
    let mut aws = LocalAws::builder().account(Account::new("999999999999").user(caller));
    for number in 0..ACCOUNTS {
        let role = Role::new("App").trust(Trust::principal(CALLER));
        aws = aws.account(Account::new(account(number)).role(role));
    }
    let aws = aws.start().await.expect("a local AWS starts");
    let base = BotoSesManager::builder()
        .keys("AKIALOCALCALLER00001", "a-secret-of-the-caller")
        .region("us-east-1")
        .endpoint_url(aws.endpoint_url())
        .environment([("HOME", "/nowhere")])
        .build();
    let managers = (0..ACCOUNTS)
        .map(|number| {
            let role = format!("arn:aws:iam::{}:role/App", account(number));
            base.assume_role(role).build()
        })
        .collect();
    (aws, managers)
}

/// Saves a note in one of the ways to select an account.
async fn save(manager: &BotoSesManager, other: &BotoSesManager, round: usize, note: Note) {
    let saved = match round % 4 {
        0 => with_boto_session::<Note, _>(manager, note.save()).await,
        1 => manager.scope(async { note.save().await }).await,
        // Started in one scope and completed inside another.
        2 => {
            let started = {
                let _session = use_boto_session::<Note>(manager);
                note.save().into_future()
            };
            other.scope(started).await
        }
        // The override of the model is outside, the general one inside: the innermost one wins.
        _ => {
            let nested = async { manager.scope(async { note.save().await }).await };
            with_boto_session::<Note, _>(other, nested).await
        }
    };
    saved.expect("the local AWS answers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_operation_reaches_another_account() {
    let (aws, managers) = many_accounts().await;
    for manager in &managers {
        with_boto_session::<Note, _>(manager, Note::create_table().wait())
            .await
            .unwrap();
    }
    aws.clear_calls();

    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let managers = managers.clone();
            tokio::spawn(async move {
                for round in 0..ROUNDS {
                    let mine = number_for(task, round);
                    let note = Note {
                        // So few keys that writes to a wrong account overwrite an item there.
                        id: format!("{}", round % 50),
                        written_for: account(mine),
                    };
                    let other = &managers[(mine + 1) % ACCOUNTS];
                    save(&managers[mine], other, round, note).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }

    for number in 0..ACCOUNTS {
        let account = account(number);
        let notes = aws.table_items(&account, "us-east-1", "notes").unwrap();
        assert!(!notes.is_empty());
        for note in notes {
            assert_eq!(note["written_for"]["S"], account.as_str());
        }
    }
    let mut wanted = BTreeMap::<String, usize>::new();
    for (task, round) in (0..TASKS).flat_map(|task| (0..ROUNDS).map(move |round| (task, round))) {
        *wanted.entry(account(number_for(task, round))).or_default() += 1;
    }
    let mut reached = BTreeMap::<String, usize>::new();
    for call in aws.calls() {
        *reached.entry(call.account.unwrap()).or_default() += 1;
    }
    assert_eq!(reached, wanted);
}

//! `bsm copy` and `bsm tables`, and the table that they and `bsm migrate` are tried on.

use std::time::Duration;

use bsm_local_aws::standard::{PRODUCTION_ACCOUNT, STAGING_ACCOUNT};
use bsm_local_aws::{Fault, LocalAws};
use serde_json::json;

use crate::support::{Home, on_terminal, run};

/// Makes a table with two items in the account of the profile `staging`, with the AWS API by hand.
pub(crate) fn world() -> (LocalAws, Home) {
    world_of(2)
}

fn world_of(items: usize) -> (LocalAws, Home) {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let home = Home::of(&aws);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let config = staging(&home).sdk_config().await.unwrap();
        fill(&aws_sdk_dynamodb::Client::new(&config), items).await;
    });
    (aws, home)
}

pub(crate) fn staging(home: &Home) -> bsm_core::BotoSesManager {
    bsm_core::BotoSesManager::builder()
        .profile_name("staging")
        .config_file(home.aws_dir().join("config"))
        .shared_credentials_file(home.aws_dir().join("credentials"))
        .environment([])
        .build()
}

async fn fill(client: &aws_sdk_dynamodb::Client, items: usize) {
    use aws_sdk_dynamodb::types::{
        AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType,
        ScalarAttributeType,
    };
    let attribute = AttributeDefinition::builder()
        .attribute_name("id")
        .attribute_type(ScalarAttributeType::S);
    let key = KeySchemaElement::builder()
        .attribute_name("id")
        .key_type(KeyType::Hash);
    client
        .create_table()
        .table_name("things")
        .attribute_definitions(attribute.build().unwrap())
        .key_schema(key.build().unwrap())
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await
        .unwrap();
    for id in 1..=items {
        let item = client.put_item().table_name("things");
        let item = item.item("id", AttributeValue::S(id.to_string()));
        item.send().await.unwrap();
    }
}

#[test]
fn a_table_is_copied_verified_and_listed() {
    let (_aws, home) = world();
    assert_eq!(home.run(&["tables", "-p", "staging"]).ok(), "things\n");
    assert_eq!(
        home.run(&["tables", "-p", "production", "--json"]).json(),
        json!([])
    );

    let copy = ["copy", "things", "--from", "staging", "--to", "production"];
    let with = |more: &[&str]| home.run(&[&copy[..], more].concat());
    // A script must say that it may write.
    let stderr = with(&["--create"]).fails_with(2);
    assert!(stderr.contains("add --yes"), "{stderr}");
    assert_eq!(home.run(&["tables", "-p", "production"]).ok(), "");

    let summary = with(&["--create", "--verify", "--yes", "--json"]).json();
    assert_eq!(summary["written"], 2);
    assert_eq!(summary["verification"]["identical"], true);
    assert_eq!(home.run(&["tables", "-p", "production"]).ok(), "things\n");

    let stderr = with(&["--yes"]).fails_with(1);
    assert!(stderr.contains("items"), "{stderr}");
    let text = with(&["--policy", "skip", "--verify", "--yes"]).ok();
    assert!(text.contains("the tables are the same"), "{text}");
    let dry = with(&["--dry-run", "--policy", "overwrite", "--json"]).json();
    assert_eq!(dry["scanned"], 2);
}

#[test]
fn a_copy_that_failed_is_resumed_from_its_checkpoint_and_counts_both_runs() {
    let (aws, home) = world_of(400);
    let checkpoint = home.path().join("things.checkpoint");
    let copy = [
        "copy",
        "things",
        "--from",
        "staging",
        "--to",
        "production",
        "--create",
        "--yes",
        "--checkpoint",
        checkpoint.to_str().unwrap(),
    ];
    let fault = Fault::error(400, "AccessDeniedException", "no more");
    let fault = aws
        .faults()
        .add(fault.operation("BatchWriteItem").after(14));
    let stderr = home.run(&copy).fails_with(1);
    assert!(stderr.contains("lacks the permission"), "{stderr}");
    assert!(checkpoint.exists());
    aws.faults().remove(fault);

    let summary = home.run(&[&copy[..], &["--json"]].concat()).json();
    let written = summary["written"].as_u64().unwrap();
    assert!((1..400).contains(&written), "{summary}");
    assert_eq!(summary["total_written"], 400);
    assert!(!checkpoint.exists());
    let items = aws.table_items(PRODUCTION_ACCOUNT, "us-east-1", "things");
    assert_eq!(items.unwrap().len(), 400);
}

#[test]
fn a_copy_goes_to_another_name_and_region() {
    let (aws, home) = world();
    let copy = [
        "copy",
        "things",
        "-p",
        "staging",
        "--as",
        "copied-things",
        "--to-region",
        "eu-west-1",
        "--create",
        "--yes",
    ];
    home.run(&copy).ok();
    assert_eq!(aws.tables(STAGING_ACCOUNT, "us-east-1"), ["things"]);
    assert_eq!(aws.tables(STAGING_ACCOUNT, "eu-west-1"), ["copied-things"]);
    let items = aws.table_items(STAGING_ACCOUNT, "eu-west-1", "copied-things");
    assert_eq!(items.unwrap().len(), 2);
}

#[test]
fn on_a_terminal_a_copy_asks_before_it_writes_and_shows_its_progress() {
    let (aws, home) = world();
    let copy = [
        "env",
        // A dumb terminal shows no bar.
        "TERM=xterm",
        "bsm",
        "copy",
        "things",
        "--from",
        "staging",
        "--to",
        "production",
        "--create",
    ];
    let question = format!("Write to table things of account {PRODUCTION_ACCOUNT}? [y/N]");
    for (answer, status) in [("n", 5), ("", 5), ("y", 0)] {
        assert_eq!(aws.call_count("dynamodb", "CreateTable"), 1);
        let Some(ran) = on_terminal(&home, &[&question, answer], &copy) else {
            return;
        };
        assert_eq!(ran.status, Some(status), "{answer:?}: {ran:?}");
        let has_bar = ran.stdout.contains("copying");
        assert_eq!(has_bar, status == 0, "{answer:?}: {ran:?}");
    }
    assert_eq!(aws.tables(PRODUCTION_ACCOUNT, "us-east-1"), ["things"]);
}

#[test]
fn ctrl_c_stops_a_copy_which_says_how_it_is_resumed() {
    let (aws, home) = world();
    let checkpoint = home.path().join("things.checkpoint");
    // The copy is under way for as long as the terminal needs to type.
    let slow = Fault::latency(Duration::from_secs(2));
    aws.faults().add(slow.operation("BatchWriteItem"));
    let copy = [
        "env",
        // A dumb terminal shows no bar.
        "TERM=xterm",
        "bsm",
        "copy",
        "things",
        "--from",
        "staging",
        "--to",
        "production",
        "--create",
        "--yes",
    ];
    for (options, expected) in [
        (
            &[][..],
            "without --checkpoint, the next run starts from the beginning",
        ),
        (
            &[
                "--checkpoint",
                checkpoint.to_str().unwrap(),
                "--policy",
                "overwrite",
            ],
            "run the same command again to resume from",
        ),
    ] {
        let copy = [&copy[..], options].concat();
        let Some(ran) = on_terminal(&home, &["copying", "^C"], &copy) else {
            return;
        };
        assert_eq!(ran.status, Some(1), "{ran:?}");
        assert!(ran.stdout.contains(expected), "{ran:?}");
    }
}

#[test]
fn a_copy_never_writes_to_another_account_than_expected() {
    let (_aws, home) = world();
    let mut command = home.bsm(&[
        "copy",
        "things",
        "--from",
        "staging",
        "--to",
        "production",
        "--create",
        "--yes",
        "--expect-account",
        "222222222222",
    ]);
    command.env("AWS_PROFILE", "staging");
    run(command).fails_with(5);
    assert_eq!(home.run(&["tables", "-p", "production"]).ok(), "");
}

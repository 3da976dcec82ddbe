//! Nothing is lost on the way.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue as V;
use bsm_dynamodb::{ErrorKind, Item, Model, copy_table};
use serde_json::json;

use super::proxy;
use super::support::{Pair, TABLE, create, item, n, s, user};
use crate::support::{Playground, user_model};

user_model!(User);

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

/// An item for every type, and for what is easily damaged.
fn curious() -> Vec<Item> {
    let number = |text: &str| n(text.to_owned());
    let bytes: Vec<u8> = (0..=255).collect();
    let values = [
        ("string", s("plain")),
        ("empty string", s("")),
        (
            "unicode",
            s("Zoë \u{1F600} \u{0301}\u{202E} \0\u{1}\u{7f}\u{FFFF}\r\n\t\"\\"),
        ),
        (
            "38 digits",
            number("12345678901234567890123456789012345678"),
        ),
        (
            "38 fractional digits",
            number("-0.12345678901234567890123456789012345678"),
        ),
        (
            "largest",
            number("9.9999999999999999999999999999999999999E+125"),
        ),
        ("smallest", number("-1E-130")),
        ("0.1", number("0.1")),
        ("2^53+1", number("9007199254740993")),
        ("minus zero", number("-0")),
        ("binary", V::B(Blob::new(bytes.clone()))),
        ("empty binary", V::B(Blob::new([]))),
        ("true", V::Bool(true)),
        ("false", V::Bool(false)),
        ("null", V::Null(true)),
        ("strings", V::Ss(strings(&["b", "a", "Zoë", ""]))),
        (
            "numbers",
            V::Ns(strings(&[
                "3",
                "-1.5",
                "12345678901234567890123456789012345678",
            ])),
        ),
        (
            "binaries",
            V::Bs(vec![Blob::new(bytes), Blob::new([0]), Blob::new([255])]),
        ),
        ("one string", V::Ss(strings(&["1"]))),
        ("empty list", V::L(vec![])),
        ("empty map", V::M(Item::new())),
        (
            "list",
            V::L(vec![
                n(1),
                s("1"),
                V::Null(true),
                V::L(vec![V::Bool(false)]),
            ]),
        ),
        (
            "reserved",
            V::M(item([
                ("a.b", n(1)),
                ("#c", n(2)),
                (":d", n(3)),
                ("size", n(4)),
            ])),
        ),
        ("390 KB", s("x".repeat(390 * 1024))),
        ("390 KB binary", V::B(Blob::new(vec![255; 390 * 1024]))),
    ];
    let deep = (0..14).fold(n(1), |value, _| {
        V::M(item([("l", V::L(vec![value, V::Null(true)]))]))
    });
    let mut items: Vec<_> = values
        .into_iter()
        .chain([("deep", deep)])
        .map(|(id, value)| item([("id", s(id)), ("value", value)]))
        .collect();
    items.extend(["é", "e\u{301}", "\u{1F600}", " ", "a\0b", "\u{FFFF}"].map(user));
    items.push(item([("id", s("only a key"))]));
    items.push(item([
        ("id", s("names")),
        ("", n(0)),
        ("Zoë.\u{1F600}", n(1)),
        ("select", n(2)),
    ]));
    items.retain(|item| !item.contains_key(""));
    items
}

#[tokio::test]
async fn every_type_is_identical_after_a_copy() {
    let pair = Pair::with(Playground::start().await).await;
    create(&pair.target, TABLE).await;
    for item in curious() {
        pair.put(&pair.source, vec![item]).await;
    }
    let summary = pair.copy().verify(true).await.unwrap();
    assert_eq!(summary.statistics().written(), curious().len() as u64);
    assert!(
        summary.verification().unwrap().is_identical(),
        "{summary:?}"
    );
    assert_eq!(pair.in_source().len(), curious().len());
    assert!(pair.in_target() == pair.in_source(), "an item has changed");
}

/// A DynamoDB with a table whose only item has an attribute of a type of the future.
fn dynamodb_of_the_future() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let table = json!({ "Table": {
        "TableName": TABLE,
        "TableStatus": "ACTIVE",
        "TableArn": "arn:aws:dynamodb:us-east-1:222222222222:table/users",
        "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
        "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
    }});
    let future =
        json!({ "id": { "S": "1" }, "a": { "L": [{ "M": { "b": { "QUATERNION": "1" } } }] } });
    let page = json!({ "Items": [future], "Count": 1, "ScannedCount": 1 });
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = BufReader::new(connection.unwrap());
            let (mut is_scan, mut length, mut line) = (false, 0, String::new());
            while connection.read_line(&mut line).is_ok_and(|read| read > 2) {
                let header = line.to_ascii_lowercase();
                is_scan |= header.contains(".scan");
                if let Some(value) = header.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            connection.read_exact(&mut vec![0; length]).unwrap();
            let body = if is_scan { &page } else { &table }.to_string();
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: ";
            write!(connection.get_mut(), "{head}{}\r\n\r\n{body}", body.len()).unwrap();
        }
    });
    url
}

#[tokio::test]
async fn an_attribute_of_an_unknown_type_fails_the_copy() {
    let pair = Pair::with(Playground::start().await).await;
    create(&pair.target, TABLE).await;
    let source = pair.local.builder().profile_name("staging");
    let source = source.service_endpoint_url("dynamodb", dynamodb_of_the_future());
    let copy = copy_table(&source.build(), &pair.target, TABLE);
    let error = copy.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidItem, "{error:?}");
    assert!(error.to_string().contains("`a[0].b`"), "{error}");
    assert!(pair.in_target().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scan_that_repeats_a_page_fails_the_copy() {
    let pair = Pair::start(0).await;
    let url = proxy::start(pair.local.aws.endpoint_url(), |operation, _| {
        let key = json!({ "id": { "S": "1" } });
        (operation == "Scan").then(
            || json!({ "Items": [key], "Count": 1, "ScannedCount": 1, "LastEvaluatedKey": key }),
        )
    });
    let source = proxy::manager(&pair.local, "staging", url);
    for compares in [false, true] {
        let copy = copy_table(&source, &pair.target, TABLE).segments(1);
        let copy = copy.policy(bsm_dynamodb::CopyPolicy::Overwrite);
        let error = match compares {
            false => copy.await.map(drop).unwrap_err(),
            true => copy.compare().await.map(drop).unwrap_err(),
        };
        assert_eq!(error.kind(), ErrorKind::Service, "{error}");
        assert!(error.to_string().contains("LastEvaluatedKey"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unprocessed_write_of_an_unknown_kind_is_not_a_written_item() {
    let pair = Pair::start(30).await;
    let url = proxy::start(pair.local.aws.endpoint_url(), |operation, _| {
        (operation == "BatchWriteItem").then(|| json!({ "UnprocessedItems": { TABLE: [{}] } }))
    });
    let target = proxy::manager(&pair.local, "production", url);
    let error = copy_table(&pair.source, &target, TABLE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Service, "{error}");
    assert!(error.to_string().contains("unprocessed"), "{error}");

    let users = (0..3).map(|number| User::new(number.to_string()));
    let saved = target.scope(User::batch_write().save_all(users)).await;
    let error = saved.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Service, "{error}");
    assert_eq!(error.unprocessed().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_that_is_not_dynamodbs_is_an_error_and_not_an_empty_table() {
    let pair = Pair::start(30).await;
    let not_an_item = json!({ "Items": [1], "Count": 1, "ScannedCount": 1 });
    let not_a_page = json!({ "Items": "none" });
    for answer in [not_an_item, not_a_page] {
        let url = proxy::start(pair.local.aws.endpoint_url(), move |operation, _| {
            (operation == "Scan").then(|| answer.clone())
        });
        let source = proxy::manager(&pair.local, "staging", url);
        let copy = copy_table(&source, &pair.target, TABLE).max_attempts(1);
        let error = copy.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
        assert!(error.to_string().contains("cannot be read"), "{error}");
        assert!(pair.in_target().is_empty());
    }
}

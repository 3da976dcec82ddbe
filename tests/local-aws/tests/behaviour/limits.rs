//! DynamoDB's limits on expressions and nesting. No request can overflow the stack of the server,
//! which would abort the test process that runs it.

use aws_sdk_dynamodb::error::ProvideErrorMetadata as _;
use bsm_local_aws::LocalAws;
use serde_json::{Value, json};

use crate::support::*;

/// Starts a server with a table `users` that has an item with the key 1.
async fn server() -> LocalAws {
    let aws = LocalAws::start().await.unwrap();
    let client = dynamodb(&aws, dev());
    create_table(&client, "users").await;
    put(&client, "users", "1").await;
    aws
}

/// Sends a signed request with this body, and returns the error response, if it is one.
async fn send(aws: &LocalAws, operation: &str, body: String) -> Option<ErrorResponse> {
    let target = format!("DynamoDB_20120810.{operation}");
    let result = dynamodb(aws, dev())
        .list_tables()
        .customize()
        .mutate_request(move |request| {
            let headers = request.headers_mut();
            headers.insert("content-length", body.len().to_string());
            headers.insert("x-amz-target", target.clone());
            *request.body_mut() = body.clone().into();
        })
        .send()
        .await;
    let error = result.err()?;
    let status = error.raw_response().unwrap().status().as_u16();
    Some(ErrorResponse {
        status,
        code: error.code().unwrap_or_default().to_owned(),
        message: error.message().unwrap_or_default().to_owned(),
    })
}

/// Requests in which an expression can occur, each with one expression in every place.
fn requests(parameter: &str, expression: &str) -> Vec<(&'static str, Value)> {
    let key = json!({ "id": { "S": "1" } });
    let values = json!({ ":v": { "N": "1" } });
    let with = |mut request: Value| {
        request["TableName"] = "users".into();
        request[parameter] = expression.into();
        if parameter != "ProjectionExpression" {
            request["ExpressionAttributeValues"] = values.clone();
        }
        request
    };
    let keyed = || with(json!({ "Key": key }));
    let update = || {
        let mut request = keyed();
        if parameter != "UpdateExpression" {
            request["UpdateExpression"] = "SET a = :v".into();
        }
        request
    };
    match parameter {
        "ConditionExpression" => vec![
            ("PutItem", with(json!({ "Item": key }))),
            ("UpdateItem", update()),
            ("DeleteItem", keyed()),
            (
                "TransactWriteItems",
                json!({ "TransactItems": [{ "Put": with(json!({ "Item": key })) }] }),
            ),
            (
                "TransactWriteItems",
                json!({ "TransactItems": [{ "Update": update() }] }),
            ),
            (
                "TransactWriteItems",
                json!({ "TransactItems": [{ "Delete": keyed() }] }),
            ),
            (
                "TransactWriteItems",
                json!({ "TransactItems": [{ "ConditionCheck": keyed() }] }),
            ),
        ],
        "FilterExpression" => {
            let mut query = with(json!({ "KeyConditionExpression": "id = :id" }));
            query["ExpressionAttributeValues"][":id"] = json!({ "S": "1" });
            vec![("Scan", with(json!({}))), ("Query", query)]
        }
        "KeyConditionExpression" => vec![("Query", with(json!({})))],
        "UpdateExpression" => vec![
            ("UpdateItem", update()),
            (
                "TransactWriteItems",
                json!({ "TransactItems": [{ "Update": update() }] }),
            ),
        ],
        "ProjectionExpression" => {
            let batch = json!({ "Keys": [key], "ProjectionExpression": expression });
            vec![
                ("GetItem", keyed()),
                ("Scan", with(json!({}))),
                (
                    "BatchGetItem",
                    json!({ "RequestItems": { "users": batch } }),
                ),
                (
                    "TransactGetItems",
                    json!({ "TransactItems": [{ "Get": keyed() }] }),
                ),
            ]
        }
        _ => unreachable!("{parameter} is not an expression parameter"),
    }
}

const PARAMETERS: [&str; 5] = [
    "ConditionExpression",
    "FilterExpression",
    "KeyConditionExpression",
    "UpdateExpression",
    "ProjectionExpression",
];

#[tokio::test]
async fn no_expression_overflows_the_stack() {
    let nested = |before: &str, inside: &str, after: &str, depth: usize| {
        format!("{}{inside}{}", before.repeat(depth), after.repeat(depth))
    };
    let aws = server().await;
    // Within the limits, at them, beyond them, within 4 KB, and far beyond that.
    for depth in [240, 300, 301, 2_040, 20_000] {
        let expressions = [
            nested("NOT ", "a = :v", "", depth),
            nested("NOT (", "a = :v", ")", depth),
            nested("(", "a = :v", ")", depth),
            "(".repeat(depth),
            ")".repeat(depth),
            nested("a = :v OR ", "a = :v", "", depth),
            nested("a = :v AND ", "a = :v", "", depth),
            nested("a = :v OR (", "a = :v", ")", depth),
            nested("(", "a = :v", " OR a = :v)", depth),
            nested("size(", "a", ")", depth),
            nested("a = size(", "a", ")", depth),
            format!("a IN ({}:v)", ":v,".repeat(depth)),
            nested("a.", "a", "", depth),
            nested("", "a", "[0]", depth),
            nested("a,", "a", "", depth),
            nested("[", "a", "", depth),
            format!("SET a = {}", nested("(", ":v", ")", depth)),
            format!("SET a = {}", "(".repeat(depth)),
            format!("SET a = {}", nested("(a + ", ":v", ")", depth)),
            format!("SET a = {}", nested("", "a", " + :v", depth)),
            format!("SET a = {}", nested("list_append(", ":v", ",:v)", depth)),
            format!("SET a = {}", nested("list_append(:v,", ":v", ")", depth)),
            format!("SET a = {}", "list_append(".repeat(depth)),
            format!("SET a = {}", nested("if_not_exists(a,", ":v", ")", depth)),
            format!("REMOVE {}", nested("a.", "a", "", depth)),
        ];
        for expression in expressions {
            for parameter in PARAMETERS {
                for (operation, request) in requests(parameter, &expression) {
                    let error = send(&aws, operation, request.to_string()).await;
                    let status = error.as_ref().map_or(200, |error| error.status);
                    let start: String = expression.chars().take(40).collect();
                    assert!(
                        status < 500,
                        "{operation} {parameter} {start} {depth}: {error:?}"
                    );
                }
            }
        }
    }
    assert_eq!(
        aws.table_items("111111111111", US, "users").unwrap().len(),
        1
    );
}

#[tokio::test]
async fn an_expression_with_300_operators_succeeds_and_with_301_fails() {
    let aws = server().await;
    let scan = |filter: String| {
        let request = json!({
            "TableName": "users",
            "FilterExpression": filter,
            "ExpressionAttributeValues": { ":v": { "N": "1" } },
        });
        send(&aws, "Scan", request.to_string())
    };
    assert_eq!(scan(format!("{}a = :v", "NOT ".repeat(299))).await, None);
    assert_eq!(
        scan(format!(
            "a = :v {}{}",
            "OR (a = :v ".repeat(149),
            ")".repeat(149)
        ))
        .await,
        None
    );
    let error = scan(format!("{}a = :v", "NOT ".repeat(300))).await.unwrap();
    assert_eq!(error.code, "ValidationException");
    assert_eq!(
        error.message,
        "Invalid FilterExpression: The expression contains too many operators; operator count: 301"
    );
}

#[tokio::test]
async fn an_expression_of_4096_bytes_succeeds_and_of_4097_fails() {
    let aws = server().await;
    for parameter in PARAMETERS {
        let expression = match parameter {
            "UpdateExpression" => "SET a = :v",
            "ProjectionExpression" => "a",
            "KeyConditionExpression" => "id = :v",
            _ => "attribute_exists(id) OR a = :v",
        };
        let sized = |size: usize| format!("{expression:size$}");
        for (operation, request) in requests(parameter, &sized(4_097)) {
            let error = send(&aws, operation, request.to_string()).await.unwrap();
            assert_eq!(error.status, 400, "{operation} {parameter}");
            assert!(
                error.message.contains("Expression size has exceeded"),
                "{operation}: {error:?}"
            );
        }
        for (operation, request) in requests(parameter, &sized(4_096)) {
            let error = send(&aws, operation, request.to_string()).await;
            let message = error.map(|error| error.message).unwrap_or_default();
            assert!(
                !message.contains("size"),
                "{operation} {parameter}: {message}"
            );
        }
    }
}

/// Returns an attribute value that is nested in this many maps or lists.
fn nested_value(before: &str, after: &str, depth: usize) -> String {
    format!(
        r#"{}{{"S":"x"}}{}"#,
        before.repeat(depth),
        after.repeat(depth)
    )
}

#[tokio::test]
async fn attribute_values_nest_at_most_32_levels() {
    let aws = server().await;
    for (before, after) in [(r#"{"M":{"a":"#, "}}"), (r#"{"L":["#, "]}")] {
        let bodies = |depth| {
            let value = nested_value(before, after, depth);
            let item = format!(r#"{{"id":{{"S":"2"}},"a":{value}}}"#);
            let key = r#"{"id":{"S":"2"}}"#;
            [
                (
                    "PutItem",
                    format!(r#"{{"TableName":"users","Item":{item}}}"#),
                ),
                (
                    "UpdateItem",
                    format!(
                        r#"{{"TableName":"users","Key":{key},"UpdateExpression":"SET a = :v",
                        "ExpressionAttributeValues":{{":v":{value}}}}}"#
                    ),
                ),
                (
                    "BatchWriteItem",
                    format!(
                        r#"{{"RequestItems":{{"users":[{{"PutRequest":{{"Item":{item}}}}}]}}}}"#
                    ),
                ),
                (
                    "TransactWriteItems",
                    format!(
                        r#"{{"TransactItems":[{{"Put":{{"TableName":"users","Item":{item}}}}}]}}"#
                    ),
                ),
            ]
        };
        for (operation, body) in bodies(31) {
            assert_eq!(send(&aws, operation, body).await, None, "{operation}");
        }
        for depth in [33, 50, 62, 100, 1_000, 100_000] {
            for (operation, body) in bodies(depth) {
                let error = send(&aws, operation, body).await.unwrap();
                assert_eq!(
                    (error.status, error.code.as_str()),
                    (400, "ValidationException")
                );
                let message = error.message.to_lowercase();
                assert!(message.contains("nest"), "{operation} {depth}: {message}");
            }
        }
    }
}

#[tokio::test]
async fn no_json_overflows_the_stack() {
    let aws = server().await;
    for depth in [120, 128, 1_000, 100_000] {
        for body in [
            "[".repeat(depth),
            format!("{}{}", "[".repeat(depth), "]".repeat(depth)),
            format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth)),
            format!(r#"{{"TableName":{}"#, "[".repeat(depth)),
            format!(r#"{{"RequestItems":{{"users":{}"#, "[".repeat(depth)),
            format!(r#"{{"FilterExpression":{}"#, "[".repeat(depth)),
        ] {
            for operation in ["Scan", "BatchWriteItem", "PutItem", "ListTables"] {
                let error = send(&aws, operation, body.clone()).await;
                let status = error.as_ref().map_or(200, |error| error.status);
                assert!(status < 500, "{operation} {depth}: {error:?}");
            }
        }
    }
}

#[tokio::test]
async fn no_partiql_statement_overflows_the_stack() {
    let aws = server().await;
    for depth in [100, 300, 1_000, 4_000] {
        for condition in [
            format!("{}a = 1{}", "(".repeat(depth), ")".repeat(depth)),
            format!("{}a = 1", "NOT ".repeat(depth)),
            format!("a = 1{}", " OR a = 1".repeat(depth)),
            format!("{}a = 1{}", "NOT (".repeat(depth), ")".repeat(depth)),
            format!("a = {}1{}", "[".repeat(depth), "]".repeat(depth)),
            format!("a = {}1{}", "{'a':".repeat(depth), "}".repeat(depth)),
        ] {
            let statement = format!("SELECT * FROM users WHERE {condition}");
            let body = json!({ "Statement": statement }).to_string();
            let error = send(&aws, "ExecuteStatement", body).await;
            let status = error.as_ref().map_or(200, |error| error.status);
            assert!(status < 500, "{condition:.40} {depth}: {error:?}");
        }
    }
}

#[tokio::test]
async fn names_tags_and_the_time_to_live_are_refused_as_by_dynamodb() {
    let aws = server().await;
    let long = "x".repeat(256);
    let huge = "x".repeat(65_536);
    let arn = format!("arn:aws:dynamodb:{US}:111111111111:table/users");
    let tags = |count: usize| -> Vec<Value> {
        let tags = (0..count).map(|number| json!({ "Key": number.to_string(), "Value": "v" }));
        tags.collect()
    };
    let tag = |key: &str, value: &str| json!({ "ResourceArn": arn, "Tags": [{ "Key": key, "Value": value }] });
    let table = |key: &str, tags: Vec<Value>| {
        json!({
            "TableName": "more", "BillingMode": "PAY_PER_REQUEST", "Tags": tags,
            "KeySchema": [{ "AttributeName": key, "KeyType": "HASH" }],
            "AttributeDefinitions": [{ "AttributeName": key, "AttributeType": "S" }],
        })
    };
    let time_to_live = |name: &str, enabled: bool| {
        let specification = json!({ "AttributeName": name, "Enabled": enabled });
        json!({ "TableName": "users", "TimeToLiveSpecification": specification })
    };
    let key = json!({ "id": { "S": "1" } });
    let cases = [
        (
            "TagResource",
            json!({ "ResourceArn": arn, "Tags": [] }),
            "Tag needs to be provided",
        ),
        (
            "TagResource",
            json!({ "ResourceArn": arn, "Tags": tags(51) }),
            "Too many tags",
        ),
        ("TagResource", tag("k", "#!"), "not allowed"),
        ("TagResource", tag("->>;", "v"), "not allowed"),
        (
            "TagResource",
            json!({ "ResourceArn": arn, "Tags": tags(50) }),
            "",
        ),
        ("TagResource", tag("0", "replaced"), ""),
        ("TagResource", tag("one more", "v"), "Too many tags"),
        ("CreateTable", table("id", tags(51)), "Too many tags"),
        (
            "CreateTable",
            table(&long, Vec::new()),
            "less than or equal to 255",
        ),
        (
            "UpdateTimeToLive",
            time_to_live("expires", false),
            "already disabled",
        ),
        (
            "UpdateTimeToLive",
            time_to_live(&long, true),
            "less than or equal to 255",
        ),
        (
            "UpdateTimeToLive",
            time_to_live("", true),
            "greater than or equal to 1",
        ),
        ("UpdateTimeToLive", time_to_live("expires", true), ""),
        (
            "UpdateTimeToLive",
            time_to_live("expires", true),
            "already enabled",
        ),
        (
            "UpdateTimeToLive",
            time_to_live("other", true),
            "different AttributeName",
        ),
        (
            "UpdateTimeToLive",
            time_to_live("other", false),
            "different AttributeName",
        ),
        ("UpdateTimeToLive", time_to_live("expires", false), ""),
        (
            "PutItem",
            json!({ "TableName": "users", "Item": { "id": { "S": "1" }, &*huge: { "S": "v" } } }),
            "less than 65536",
        ),
        (
            "GetItem",
            json!({ "TableName": "users", "Key": key, "AttributesToGet": [huge] }),
            "less than 65536",
        ),
        (
            "GetItem",
            json!({
                "TableName": "users", "Key": key, "ProjectionExpression": "#n",
                "ExpressionAttributeNames": { "#n": huge },
            }),
            "less than 65536",
        ),
        (
            "GetItem",
            json!({
                "TableName": "users", "Key": key, "ProjectionExpression": "a".repeat(4_097),
            }),
            "expression size: 4097",
        ),
    ];
    for (operation, body, expected) in cases {
        let shown: String = body.to_string().chars().take(120).collect();
        match send(&aws, operation, body.to_string()).await {
            None => assert_eq!(expected, "", "{operation} {shown}"),
            Some(error) => {
                assert_eq!(error.code, "ValidationException", "{operation} {shown}");
                let is_expected = !expected.is_empty() && error.message.contains(expected);
                assert!(is_expected, "{operation} {shown}: {}", error.message);
            }
        }
    }
}

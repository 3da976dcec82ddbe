//! Errors of bsm-dynamodb, whatever DynamoDB responds with.

use bsm_dynamodb::{Error, Model, transact_write};
use bsm_tests::Playground;
use serde::{Deserialize, Serialize};

use crate::seen::Seen;
use crate::stub::{ECHO, Stub};

const KEY: &str = "MARKER-of-the-key";
const VALUE: &str = "MARKER-of-a-value";
const STORED: &str = "MARKER-of-a-stored-value";

#[derive(Debug, Serialize, Deserialize, Model)]
#[model(table = "users")]
struct User {
    #[model(hash_key)]
    id: String,
    name: String,
}

impl User {
    fn marked() -> Self {
        Self {
            id: KEY.to_owned(),
            name: VALUE.to_owned(),
        }
    }
}

/// Status and body.
fn responses() -> Vec<(u16, String)> {
    let item = format!("{{\"id\": {{\"S\": \"{STORED}\"}}}}");
    let error = |code: &str, message: &str, more: &str| {
        let message = message.replace('"', "\\\"").replace('\n', "\\n");
        let code = format!("com.amazonaws.dynamodb.v20120810#{code}");
        (
            400,
            format!("{{\"__type\": \"{code}\", \"message\": \"{message}\"{more}}}"),
        )
    };
    let mut responses = vec![
        error(
            "ConditionalCheckFailedException",
            "The conditional request failed",
            &format!(", \"Item\": {item}"),
        ),
        error(
            "TransactionCanceledException",
            &format!("Transaction cancelled [ConditionalCheckFailed: {STORED}]"),
            &format!(
                ", \"CancellationReasons\": [{{\"Code\": \"ConditionalCheckFailed\", \"Item\": {item}, \
                 \"Message\": \"{STORED}\"}}]"
            ),
        ),
    ];
    let sentences = [
        format!(
            "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower \
             bound operand: AttributeValue: {{S:{VALUE}}}, upper bound operand: AttributeValue: {{S:{KEY}}}"
        ),
        format!("The parameter cannot be converted to a numeric value: {VALUE}"),
        format!("Input collection [{VALUE}, {VALUE}] contains duplicates."),
        format!(
            "1 validation error detected: Value '{VALUE}' at 'key' failed to satisfy constraint"
        ),
        format!("Syntax error; token: \"{VALUE}\", near: \"a {VALUE}\""),
        format!("It does not match.\nThe Canonical String was '{VALUE}'"),
        format!("cut off: '{VALUE} it's"),
    ];
    for sentence in sentences {
        for code in [
            "ValidationException",
            "SerializationException",
            "InvalidSignatureException",
            "Other",
        ] {
            responses.push(error(code, &sentence, ""));
        }
    }
    for status in [200, 400, 500] {
        responses.extend([
            (status, String::new()),
            (status, format!("<html>{ECHO}</html>")),
            (status, format!("{{\"Item\": {{\"id\": {{\"S\": \"{STORED}")),
            (
                status,
                format!("{{\"Item\": {{\"id\": {{\"N\": {{\"x\": \"{STORED}\"}}}}}}}}"),
            ),
            (
                status,
                format!(
                    "{{\"Item\": {{\"id\": {{\"{STORED}\": 1}}}}, \"Attributes\": \"{STORED}\"}}"
                ),
            ),
            (status, ECHO.to_owned()),
        ]);
    }
    responses
}

#[tokio::test]
async fn the_sdk_logs_no_item_of_a_model_above_trace() {
    let seen = Seen::default();
    let _log = seen.log_everything();
    let playground = Playground::start().await;
    let staging = playground.profile("staging");
    let work = async {
        User::create_table().wait().await?;
        User::marked().save().await?;
        User::update(KEY).set(User::name(), VALUE).await?;
        User::get(KEY).consistent_read(true).await?;
        User::scan()
            .filter(User::name().eq(VALUE))
            .collect()
            .await?;
        User::batch_write().save_all([User::marked()]).await?;
        User::get_many([KEY]).await?;
        User::marked().delete().await
    };
    staging.scope(work).await.expect("every request succeeds");
    seen.assert_with(&["DynamoDB.GetItem", " TRACE "]);
    seen.assert_without_above_trace(&[KEY, VALUE]);
}

#[tokio::test]
async fn no_response_of_dynamodb_makes_an_error_show_a_value() {
    crate::seen::subscribe();
    let seen = Seen::default();
    let stub = Stub::start();
    let mut failures = 0;
    for (status, body) in responses() {
        stub.respond(status, &body);
        let manager = stub
            .builder()
            .keys("AKIASTUB", "MARKER-of-the-secret")
            .build();
        let outcomes: Vec<Result<(), Error>> = manager
            .scope(async {
                vec![
                    User::get(KEY).await.map(drop),
                    User::marked()
                        .save()
                        .condition(User::name().not_exists())
                        .await
                        .map(drop),
                    User::update(KEY).set(User::name(), VALUE).await.map(drop),
                    User::marked().delete().await.map(drop),
                    transact_write()
                        .write(User::marked().save())
                        .await
                        .map(drop),
                ]
            })
            .await;
        for error in outcomes.into_iter().filter_map(Result::err) {
            seen.error(&error);
            failures += 1;
        }
    }
    assert!(failures > 150, "{failures}");
    seen.assert_with(&[
        "ValidationException",
        "SdkFailure",
        "TransactionCanceledException",
    ]);
    seen.assert_without(&[KEY, VALUE, STORED, "MARKER-of-the-secret"]);
}

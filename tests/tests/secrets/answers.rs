//! Errors of requests to STS, whatever it responds with.

use bsm_core::{BotoSesManager, Builder, mfa};

use crate::seen::Seen;
use crate::stub::{ECHO, Stub};

pub(crate) const KEY: &str = "MARKER-of-the-secret-key";
const TOKEN_CODE: &str = "864209";
const EXTERNAL_ID: &str = "MARKER/external:id";
const WEB_TOKEN: &str = "eyMARKER.of-the.web-identity";
const ACCESS_TOKEN: &str = "MARKER.of.the-access-token";
const REFRESH_TOKEN: &str = "MARKER.of.the-refresh-token";
pub(crate) const CLIENT_SECRET: &str = "MARKER.of.the-client-secret";
pub(crate) const AUTHORIZATION_CODE: &str = "MARKER-of-the-authorization-code";
const ISSUED_KEY: &str = "MARKER+issued/secret";
const ISSUED_TOKEN: &str = "MARKER-issued-token==";

/// What STS never responds with, or should not: status and body.
fn responses() -> Vec<(u16, String)> {
    let issued = |expiration: &str| {
        format!(
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <AssumeRoleResult><Credentials><AccessKeyId>ASIAX</AccessKeyId>\
             <SecretAccessKey>{ISSUED_KEY}</SecretAccessKey>\
             <SessionToken>{ISSUED_TOKEN}</SessionToken>{expiration}</Credentials>\
             </AssumeRoleResult></AssumeRoleResponse>"
        )
    };
    let with_web_identity = |text: String| text.replace("AssumeRole", "AssumeRoleWithWebIdentity");
    let unparsable = [
        issued("<Expiration>tomorrow</Expiration>"),
        issued(""),
        // The SDK's parser ignores a wrong end tag, but not this attribute.
        issued("<Expiration a=2>2030-01-01T00:00:00Z</Expiration>"),
    ];
    let mut responses = Vec::new();
    for text in &unparsable {
        for text in [text.clone(), with_web_identity(text.clone())] {
            let cuts = [
                text.len(),
                text.find("</SecretAccessKey>").expect("a key") - 3,
            ];
            responses.extend(cuts.map(|cut| (200, text[..cut].to_owned())));
        }
    }
    let json = format!("{{\"SecretAccessKey\": \"{ISSUED_KEY}\", \"request\": \"{ECHO}\"}}");
    // What a portal and a sign-in respond with, cut off or with a value of another type.
    responses.push((
        200,
        format!("{{\"roleCredentials\": {{\"secretAccessKey\": \"{ISSUED_KEY}\", \"expiration\": \"x\"}}}}"),
    ));
    responses.push((
        200,
        format!("{{\"accessToken\": \"{ISSUED_TOKEN}\", \"expiresIn\": \"{ISSUED_KEY}\""),
    ));
    responses.push((
        400,
        format!(
            "{{\"error\": \"invalid_grant\", \"error_description\": \"{ECHO} {ISSUED_TOKEN}\"}}"
        ),
    ));
    for status in [200, 301, 400, 403, 500, 503] {
        responses.push((status, String::new()));
        responses.push((status, json.clone()));
        responses.push((status, format!("<html>{ECHO} {ISSUED_KEY}</html>")));
    }
    let sentences = [
        format!("1 validation error detected: Value '{TOKEN_CODE}' at 'tokenCode' failed"),
        format!("Value '{WEB_TOKEN} is wrong"),
        format!("The id \"{EXTERNAL_ID}\" is not allowed"),
        format!("cannot parse {ECHO}"),
        format!("not accepted: {EXTERNAL_ID} {TOKEN_CODE} {WEB_TOKEN}"),
        format!("It does not match.\n\nThe Canonical String was 'POST\n{ISSUED_TOKEN}\n{KEY}'"),
    ];
    for sentence in sentences {
        for code in [
            "ValidationError",
            "SignatureDoesNotMatch",
            "AccessDenied",
            KEY,
            WEB_TOKEN,
            TOKEN_CODE,
            "MARKERxWithoutAHyphenxOfTheSecretKeyxThatIsLongerThanAnyCodeOfAWS",
        ] {
            responses.push((
                400,
                format!(
                    "<ErrorResponse><Error><Type>Sender</Type><Code>{code} {KEY}</Code>\
                     <Message>{sentence}</Message></Error>\
                     <RequestId>{ISSUED_TOKEN}</RequestId></ErrorResponse>"
                ),
            ));
            responses.push((
                400,
                format!(
                    "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>\
                     <Message>{sentence}</Message></Error>\
                     <RequestId>0a1b2c3d</RequestId></ErrorResponse>"
                ),
            ));
        }
    }
    responses
}

/// Everything that a server can respond with, as bytes.
pub(crate) fn raw_responses() -> Vec<Vec<u8>> {
    let responses = responses().into_iter().map(|(status, body)| {
        format!("HTTP/1.1 {status} X\r\nconnection: close\r\n\r\n{body}").into_bytes()
    });
    responses.chain(broken()).collect()
}

/// Responses that are not even HTTP, or end too early.
fn broken() -> Vec<Vec<u8>> {
    let cut = format!("HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n<a>{ISSUED_KEY}{ECHO}");
    let header = format!("HTTP/1.1 200 OK\r\nx y: {ECHO}{ISSUED_KEY}\r\n\r\n");
    vec![
        Vec::new(),
        cut.into_bytes(),
        header.into_bytes(),
        format!("SSH-2.0-{ISSUED_KEY} {ECHO}\r\n").into_bytes(),
        b"HTTP/1.1 999999 \xff\xfe\r\n\r\n".to_vec(),
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz{ISSUED_KEY}").into_bytes(),
    ]
}

/// A home directory with the login of a profile `sso`, and the variables that lead to it.
pub(crate) struct Login(tempfile::TempDir);

impl Login {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(home.path().join(".aws/sso/cache")).expect("a folder");
        let config = "[profile sso]\nsso_session = corp\nsso_account_id = 111111111111\n\
                      sso_role_name = Admin\nregion = us-east-1\n\
                      [sso-session corp]\nsso_region = us-east-1\n\
                      sso_start_url = https://corp.example.com/start\n";
        std::fs::write(home.path().join("config"), config).expect("a file");
        Self(home)
    }

    /// Writes the token file.
    pub(crate) fn token(&self, expires_at: &str) {
        let token = format!(
            "{{\"startUrl\": \"https://corp.example.com/start\", \"region\": \"us-east-1\", \
             \"accessToken\": \"{ACCESS_TOKEN}\", \"expiresAt\": \"{expires_at}\", \
             \"clientId\": \"client\", \"clientSecret\": \"{CLIENT_SECRET}\", \
             \"registrationExpiresAt\": \"2099-01-01T00:00:00Z\", \
             \"refreshToken\": \"{REFRESH_TOKEN}\"}}"
        );
        // The SHA-1 of the session's name, as the AWS CLI has it.
        let name = "ee0bfd2552fbd840c02cc48b6e823320543c450f.json";
        let path = self.0.path().join(".aws/sso/cache").join(name);
        std::fs::write(path, token).expect("a file");
    }

    pub(crate) fn of(&self, builder: Builder) -> BotoSesManager {
        let home = self.0.path().to_str().expect("a path of letters");
        builder
            .config_file(self.0.path().join("config"))
            .profile_name("sso")
            // With a display, so that a sign-in uses a browser.
            .environment([("HOME", home), ("USERPROFILE", home), ("DISPLAY", ":0")])
            .build()
    }
}

#[tokio::test]
async fn a_response_beyond_all_measure_is_not_read() {
    crate::seen::subscribe();
    let stub = Stub::start();
    let head = "HTTP/1.1 200 X\r\nconnection: close\r\nx-aws-ec2-metadata-token-ttl-seconds: 60";
    stub.respond_raw(format!("{head}\r\n\r\n{}", "x".repeat(2 * 1024 * 1024)));
    let machine = |variable| {
        let variables = [
            (variable, stub.url()),
            ("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "1"),
        ];
        stub.builder().environment(variables).build()
    };
    let login = |expires_at| {
        let login = Login::new();
        login.token(expires_at);
        (login.of(stub.builder()), login)
    };
    let (portal, _home) = login("2099-01-01T00:00:00Z");
    let (sign_in, _other_home) = login("2020-01-01T00:00:00Z");
    let keys = stub.builder().keys("AKIASTUB", KEY).build();
    let error = keys.caller_identity().await.expect_err("too long");
    assert!(error.is_unreachable(), "{error:?}");
    assert!(error.to_string().contains("could not be read"), "{error}");
    // A response that was read would have been a token, or found to hold no credentials.
    let (unread, no_token) = ("could not be read", "it issued no token");
    for (bsm, reason) in [
        (machine("AWS_CONTAINER_CREDENTIALS_FULL_URI"), unread),
        (machine("AWS_EC2_METADATA_SERVICE_ENDPOINT"), no_token),
        (portal, unread),
        (sign_in, unread),
    ] {
        let error = bsm.credentials().await.expect_err("too long");
        let causes = format!("{error:?}");
        assert!(causes.contains(reason), "{causes}");
    }
}

#[tokio::test]
async fn no_response_of_sts_makes_an_error_show_a_secret() {
    let seen = Seen::default();
    let _log = seen.log_everything();
    let stub = Stub::start();
    let dir = tempfile::tempdir().expect("a folder");
    let token_file = dir.path().join("token");
    std::fs::write(&token_file, format!("{WEB_TOKEN}\n")).expect("a file");
    let config = dir.path().join("config");
    std::fs::write(
        &config,
        format!(
            "[profile web]\nrole_arn = arn:aws:iam::222222222222:role/Web\n\
             web_identity_token_file = {}\n",
            token_file.display()
        ),
    )
    .expect("a file");

    let login = Login::new();
    let mut requests = 0;
    for response in raw_responses() {
        stub.respond_raw(response);
        // An error is no different after retries.
        let builder = || {
            let once = aws_config::retry::RetryConfig::disabled();
            stub.builder().retry_config(once)
        };
        let keys = builder().keys("AKIASTUB", KEY);
        let provider = mfa::from_fn(|_| async { Ok::<_, std::io::Error>(TOKEN_CODE.to_owned()) });
        let base = keys.mfa_token_provider(provider).build();
        let role = base
            .assume_role("arn:aws:iam::222222222222:role/R")
            .external_id(EXTERNAL_ID)
            // A device of its own: no code of a device is used twice.
            .mfa_serial(format!("arn:aws:iam::111111111111:mfa/me-{requests}"));
        let token = base
            .session_token()
            .mfa_serial(format!("arn:aws:iam::111111111111:mfa/you-{requests}"));
        let web = builder().config_file(&config).profile_name("web");
        let machine = builder().environment([
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", stub.url()),
            ("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "1"),
        ]);
        // The portal is asked with a token that is valid, and the sign-in for another one.
        login.token("2099-01-01T00:00:00Z");
        let portal = login.of(builder()).credentials().await;
        login.token("2020-01-01T00:00:00Z");
        let renewed = login.of(builder()).credentials().await;
        for error in [
            portal.expect_err("no role"),
            renewed.expect_err("no token"),
            token.load().await.expect_err("no session token"),
            machine
                .build()
                .credentials()
                .await
                .expect_err("no instance"),
            role.load().await.expect_err("no role"),
            web.build()
                .credentials()
                .await
                .expect_err("no web identity"),
            base.caller_identity().await.expect_err("no identity"),
        ] {
            seen.error(&error);
            requests += 1;
        }
    }
    assert!(requests > 200, "{requests}");
    assert_shows_no_secret(&seen);
}

pub(crate) fn assert_shows_no_secret(seen: &Seen) {
    seen.assert_with(&["SdkFailure", "AWS answered", "TRACE", "aws_"]);
    seen.assert_without(&[
        KEY,
        EXTERNAL_ID,
        "MARKER%2Fexternal%3Aid",
        WEB_TOKEN,
        ISSUED_KEY,
        "MARKER+issued",
        ISSUED_TOKEN,
        "MARKERxWithoutAHyphen",
        ACCESS_TOKEN,
        REFRESH_TOKEN,
        CLIENT_SECRET,
        AUTHORIZATION_CODE,
    ]);
    seen.assert_without_number(TOKEN_CODE);
}

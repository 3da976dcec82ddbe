//! Malformed endpoints, keys and regions, wherever they are set.

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_types::retry::RetryConfig;
use bsm_core::{BotoSesManager, Builder, ErrorKind, mfa};
use bsm_dynamodb::Model;
use serde::{Deserialize, Serialize};

use crate::seen::Seen;

const KEY: &str = "MARKER-of-the-secret-key";
const PASSWORD: &str = "MARKER-of-the-password";
const EXTERNAL_ID: &str = "MARKER/external:id";
const WEB_TOKEN: &str = "eyMARKER.of-the.web-identity";
const VALUE: &str = "MARKER-of-a-value";

/// What is not an endpoint, and the remedy that the message offers.
const MALFORMED: [(&str, &str); 8] = [
    ("localhost:4566", "use \"http://localhost:4566\""),
    ("127.0.0.1:8000", "use \"http://127.0.0.1:8000\""),
    ("http//x", "use \"http://x\""),
    ("http://", "has no host"),
    ("http://x y", "remove it"),
    ("http://x:port", "correct it"),
    ("http://[::1", "add it"),
    (
        "me:MARKER-of-the-password@localhost:1",
        "use \"http://***@localhost:1\"",
    ),
];

#[derive(Debug, Serialize, Deserialize, Model)]
#[model(table = "users")]
struct User {
    #[model(hash_key)]
    id: String,
}

/// A folder with profile files in which one setting is malformed.
struct Files(tempfile::TempDir);

impl Files {
    fn new(of_profile: &str, section: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let token = dir.path().join("token");
        std::fs::write(&token, WEB_TOKEN).expect("a file");
        let config = format!(
            "[profile keys]\naws_access_key_id = AKIASTUB\naws_secret_access_key = {KEY}\n\
             region = us-east-1\n{of_profile}\
             [profile role]\nrole_arn = arn:aws:iam::222222222222:role/R\nsource_profile = keys\n\
             external_id = {EXTERNAL_ID}\nmfa_serial = arn:aws:iam::111111111111:mfa/me\n\
             region = us-east-1\n{of_profile}\
             [profile web]\nrole_arn = arn:aws:iam::222222222222:role/W\nregion = us-east-1\n\
             web_identity_token_file = {}\n{of_profile}{section}",
            token.display()
        );
        std::fs::write(dir.path().join("config"), config).expect("a file");
        Self(dir)
    }

    fn builder(&self, profile: &str, environment: &[(&str, &str)]) -> Builder {
        BotoSesManager::builder()
            .profile_name(profile)
            .config_file(self.0.path().join("config"))
            .shared_credentials_file(self.0.path().join("credentials"))
            .retry_config(RetryConfig::disabled())
            .mfa_token_provider(mfa::from_fn(|_| async {
                Ok::<_, std::io::Error>("864209".to_owned())
            }))
            .environment(environment.iter().copied())
    }
}

/// Where an endpoint can be set: how the message names it, and its kind.
type Place = (&'static str, ErrorKind, fn(&str, &str) -> WithFiles);

/// A builder, and the files that its managers read when they are used.
struct WithFiles {
    builder: Builder,
    _files: Files,
}

impl WithFiles {
    fn set(mut self, set: impl FnOnce(Builder) -> Builder) -> Self {
        self.builder = set(self.builder);
        self
    }
}

fn with_files(profile: &str, of_profile: &str, section: &str, env: &[(&str, &str)]) -> WithFiles {
    let files = Files::new(of_profile, section);
    let builder = files
        .builder(profile, env)
        .service_endpoint_url("dynamodb", "http://127.0.0.1:9");
    WithFiles {
        builder,
        _files: files,
    }
}

const PLACES: [Place; 6] = [
    (
        "AWS_ENDPOINT_URL_STS ",
        ErrorKind::InvalidConfig,
        |profile, url| with_files(profile, "", "", &[("AWS_ENDPOINT_URL_STS", url)]),
    ),
    (
        "AWS_ENDPOINT_URL ",
        ErrorKind::InvalidConfig,
        |profile, url| with_files(profile, "", "", &[("AWS_ENDPOINT_URL", url)]),
    ),
    ("endpoint_url ", ErrorKind::InvalidConfig, |profile, url| {
        with_files(profile, &format!("endpoint_url = {url}\n"), "", &[])
    }),
    (
        "of sts in section [services local]",
        ErrorKind::InvalidConfig,
        |profile, url| {
            let section = format!("[services local]\nsts =\n  endpoint_url = {url}\n");
            with_files(profile, "services = local\n", &section, &[])
        },
    ),
    (
        "given to the builder",
        ErrorKind::InvalidInput,
        |profile, url| with_files(profile, "", "", &[]).set(|builder| builder.endpoint_url(url)),
    ),
    (
        "given to the builder for sts",
        ErrorKind::InvalidInput,
        |profile, url| {
            with_files(profile, "", "", &[]).set(|builder| builder.service_endpoint_url("sts", url))
        },
    ),
];

#[tokio::test]
async fn a_malformed_endpoint_is_named_and_nothing_of_the_request_is_shown() {
    let seen = Seen::default();
    let _log = seen.log_everything();
    for (url, remedy) in MALFORMED {
        for (place, kind, builder) in PLACES {
            for profile in ["keys", "role", "web"] {
                let WithFiles { builder, _files } = builder(profile, url);
                let bsm = builder.build();
                let error = bsm.caller_identity().await.expect_err(url);
                assert_eq!(error.kind(), kind, "{url} {place}: {error}");
                let message = error.to_string();
                assert!(message.contains(place), "{url} {place}: {message}");
                assert!(message.contains(remedy), "{url} {place}: {message}");
                seen.error(&error);
                seen.debug(&bsm);
                let config = bsm.sdk_config().await;
                seen.debug(&config);
                let request = bsm.scope(User::get(VALUE)).await;
                if let Err(error) = request {
                    seen.error(&error);
                }
            }
        }
    }
    seen.assert_with(&["has no scheme", "TRACE"]);
    seen.assert_without(&[KEY, PASSWORD, EXTERNAL_ID, WEB_TOKEN, VALUE]);
}

#[tokio::test]
async fn a_clients_service_alone_is_affected_by_its_endpoint() {
    let seen = Seen::default();
    let _log = seen.log_everything();
    let files = Files::new("", "");
    let bad = [("AWS_ENDPOINT_URL_DYNAMODB", "localhost:8000")];
    let bsm = files.builder("keys", &bad).build();

    bsm.client(aws_sdk_sts::Client::new)
        .await
        .expect("STS has its own endpoint");
    let error = bsm
        .client(aws_sdk_dynamodb::Client::new)
        .await
        .expect_err("no endpoint");
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert_eq!(
        error.to_string(),
        "AWS_ENDPOINT_URL_DYNAMODB \"localhost:8000\" has no scheme; use \"http://localhost:8000\""
    );
    // Nor does a client that the program itself creates send anything to AWS.
    let config = bsm.sdk_config().await.expect("a configuration");
    let client = aws_sdk_dynamodb::Client::new(&config);
    let failed = client.list_tables().send().await.expect_err("no endpoint");
    let error = bsm_core::Error::find_in(&failed).expect("the manager's own error");
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    // And the error of an operation shows nothing of the item that it would have sent.
    let user = User {
        id: VALUE.to_owned(),
    };
    seen.error(&bsm.scope(user.save()).await.expect_err("no endpoint"));
    let got = bsm.scope(User::get(VALUE)).await;
    seen.error(&got.expect_err("no endpoint"));
    seen.assert_with(&["AWS_ENDPOINT_URL_DYNAMODB", "TRACE"]);
    seen.assert_without(&[KEY, VALUE]);
}

#[tokio::test]
async fn an_endpoint_that_is_ignored_is_no_error() {
    crate::seen::subscribe();
    let bad = "localhost:8000";
    for (variable, of_profile) in [
        (Some(("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")), ""),
        (None, "ignore_configured_endpoint_urls = true\n"),
    ] {
        let of_profile = format!("endpoint_url = {bad}\nservices = none\n{of_profile}");
        let files = Files::new(&of_profile, "");
        let variables = [("AWS_ENDPOINT_URL", bad), ("AWS_ENDPOINT_URL_STS", bad)];
        let variables: Vec<_> = variables.into_iter().chain(variable).collect();
        let bsm = files.builder("keys", &variables).build();
        bsm.client(aws_sdk_sts::Client::new)
            .await
            .expect("a client");
    }
}

#[tokio::test]
async fn an_endpoint_that_is_overridden_is_no_error() {
    crate::seen::subscribe();
    let files = Files::new("endpoint_url = localhost:8000\n", "");
    let variables = [("AWS_ENDPOINT_URL", "http://127.0.0.1:9")];
    let bsm = files.builder("keys", &variables).build();
    bsm.client(aws_sdk_sts::Client::new)
        .await
        .expect("a client");
}

#[tokio::test]
async fn keys_and_regions_that_cannot_be_sent_are_named() {
    crate::seen::subscribe();
    let seen = Seen::default();
    let keys = |id: &str, secret: &str, token: &str| {
        let files = Files::new("", "");
        let bsm = BotoSesManager::builder()
            .config_file(files.0.path().join("none"))
            .shared_credentials_file(files.0.path().join("none"))
            .environment([
                ("AWS_ACCESS_KEY_ID", id),
                ("AWS_SECRET_ACCESS_KEY", secret),
                ("AWS_SESSION_TOKEN", token),
                ("AWS_REGION", "us-east-1"),
            ]);
        bsm.build()
    };
    let key = |end: &str| format!("{KEY}{end}");
    for (bsm, setting) in [
        (keys("AKIA\n", KEY, ""), "AWS_ACCESS_KEY_ID"),
        (keys(" AKIA", KEY, ""), "AWS_ACCESS_KEY_ID"),
        (keys("AKI\u{c4}", KEY, ""), "AWS_ACCESS_KEY_ID"),
        (keys("AKIA", &key("\n"), ""), "AWS_SECRET_ACCESS_KEY"),
        (keys("AKIA", &key(" "), ""), "AWS_SECRET_ACCESS_KEY"),
        (keys("AKIA", KEY, &key("\r\n")), "AWS_SESSION_TOKEN"),
    ] {
        let error = bsm.credentials().await.expect_err(setting);
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.to_string().starts_with(setting), "{error}");
        seen.error(&error);
    }
    let files = Files::new("", "");
    let of_profile = |id: &str, secret: &str, token: &str| {
        let keys = format!(
            "[bad]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n\
             aws_session_token = {token}\n"
        );
        let path = files.0.path().join("credentials");
        std::fs::write(&path, keys).expect("a file");
        BotoSesManager::builder()
            .profile_name("bad")
            .region("us-east-1")
            .config_file(files.0.path().join("none"))
            .shared_credentials_file(path)
            .environment([])
            .build()
    };
    // Blanks and line breaks around a value are not part of it.
    for (id, secret, token, setting) in [
        ("AKI\u{7f}", KEY, "t", "aws_access_key_id"),
        ("AKI\u{c4}", KEY, "t", "aws_access_key_id"),
        ("AKIA", &key("\u{1}"), "t", "aws_secret_access_key"),
        ("AKIA", KEY, &key("\u{7f}"), "aws_session_token"),
    ] {
        let bsm = of_profile(id, secret, token);
        let error = bsm.credentials().await.expect_err(setting);
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
        let message = error.to_string();
        assert!(message.starts_with(setting), "{message}");
        assert!(message.contains("of profile \"bad\""), "{message}");
        seen.error(&error);
    }
    let error = BotoSesManager::from_keys("AKIA\n", KEY).credentials().await;
    let error = error.expect_err("a line break");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    seen.error(&error);
    let given = Credentials::new("AKIA", key("\n"), None, None, "test");
    let bsm = BotoSesManager::builder()
        .credentials_provider(SharedCredentialsProvider::new(given))
        .environment([])
        .build();
    let error = bsm.credentials().await.expect_err("a line break");
    assert_eq!(error.kind(), ErrorKind::CredentialsUnavailable, "{error}");
    assert!(
        error
            .to_string()
            .starts_with("the secret access key from the"),
        "{error}"
    );
    seen.error(&error);

    let files = Files::new("", "");
    for region in [
        "us-east-1 ",
        "us east 1",
        "us-east-1\n",
        "-us",
        "us/east",
        "123",
        "us.east",
    ] {
        let variable = files.builder("keys", &[("AWS_REGION", region)]).build();
        let error = variable.aws_region().await.expect_err(region);
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.to_string().starts_with("AWS_REGION "), "{error}");
        let given = files.builder("keys", &[]).region(region).build();
        let error = given.aws_region().await.expect_err(region);
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let other = files.builder("keys", &[]).build().with_region(region);
        let error = other.sdk_config().await.expect_err(region);
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let role = files.builder("keys", &[]).build();
        let role = role
            .assume_role("arn:aws:iam::222222222222:role/R")
            .region(region);
        let error = role.load().await.expect_err(region);
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    seen.assert_without(&[KEY]);
}

#[tokio::test]
async fn a_web_identity_is_checked_as_a_role_is() {
    crate::seen::subscribe();
    for setting in ["role_session_name = a b\n", "role_session_name = x\n"] {
        let files = Files::new(setting, "");
        let web = files.builder("web", &[]).endpoint_url("http://127.0.0.1:9");
        let error = web.build().credentials().await.expect_err(setting);
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
        assert!(error.to_string().contains("role session name"), "{error}");
    }
}

#[tokio::test]
async fn the_role_of_a_profile_is_checked_before_a_request() {
    crate::seen::subscribe();
    const BAD_ARN: &str =
        "[profile bad]\nrole_arn = arn:aws:iam::222222222222:user/R\nsource_profile = keys\n";
    for (profile, setting, section, flaw) in [
        ("role", "role_session_name = a b\n", "", "role session name"),
        (
            "role",
            "duration_seconds = 60\n",
            "",
            "cannot be assumed for 60 s",
        ),
        ("bad", "", BAD_ARN, "is not the ARN of a role"),
    ] {
        let files = Files::new(setting, section);
        // Nobody listens there: a request would be `Unreachable`.
        let builder = files.builder(profile, &[]);
        let bsm = builder.endpoint_url("http://127.0.0.1:9").build();
        let error = bsm.credentials().await.expect_err(flaw);
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
        assert!(error.to_string().contains(flaw), "{error}");
        assert!(error.to_string().contains(profile), "{error}");
    }
}

#[tokio::test]
async fn a_web_identity_token_is_read_with_care() {
    crate::seen::subscribe();
    let files = Files::new("", "");
    let token = files.0.path().join("token");
    let error = async || {
        let bsm = files
            .builder("web", &[])
            .endpoint_url("http://127.0.0.1:9")
            .build();
        bsm.credentials().await.expect_err("no STS")
    };
    for (text, flaw) in [
        (String::new(), "is empty"),
        (" \n".to_owned(), "is empty"),
        ("abc".to_owned(), "is too short"),
        (format!("{WEB_TOKEN}\n{WEB_TOKEN}"), "contains a line break"),
        ("x".repeat(30_000), "cannot be read"),
    ] {
        std::fs::write(&token, text).expect("a file");
        let error = error().await;
        assert_eq!(error.kind(), ErrorKind::CredentialsUnavailable, "{error}");
        assert!(error.to_string().contains(flaw), "{error}");
    }
    // A line break behind the token is not part of it.
    std::fs::write(&token, format!("{WEB_TOKEN}\r\n")).expect("a file");
    assert_eq!(error().await.kind(), ErrorKind::Unreachable);
    std::fs::remove_file(&token).expect("a file");
    std::fs::create_dir(&token).expect("a folder");
    assert!(error().await.to_string().contains("cannot be read"));
    #[cfg(unix)]
    {
        std::fs::remove_dir(&token).expect("a folder");
        std::os::unix::fs::symlink("/dev/zero", &token).expect("a link");
        assert!(error().await.to_string().contains("cannot be read"));
    }
}

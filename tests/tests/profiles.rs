//! What profiles say, end to end: who is asked for credentials, where, and with what.

#![expect(
    clippy::unwrap_used,
    reason = "a test that finds no value is to fail there"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::body::SdkBody;
use bsm_core::{BotoSesManager, Builder, ErrorKind, ProfileKind};
use bsm_tests::Playground;
use tempfile::TempDir;

/// A config file, and a manager that reads nothing else.
struct Files(TempDir);

impl Files {
    fn new(config: &str) -> Self {
        let dir = TempDir::new().unwrap();
        std::fs::write(dir.path().join("config"), config).unwrap();
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn builder(&self) -> Builder {
        BotoSesManager::builder()
            .config_file(self.path().join("config"))
            .shared_credentials_file(self.path().join("credentials"))
            .environment([])
    }

    fn profile(&self, name: &str) -> Builder {
        self.builder().profile_name(name)
    }

    /// Writes a program that can be a `credential_process`.
    fn script(&self, name: &str, body: &str) -> String {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        path.display().to_string()
    }
}

/// An STS that answers everything, and keeps what it was sent: the URI, then the fields.
#[derive(Clone, Debug, Default)]
struct Sts(Arc<Mutex<Vec<BTreeMap<String, String>>>>);

impl Sts {
    fn http_client(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self.clone());
        http_client_fn(move |_, _| connector.clone())
    }

    fn sent(&self) -> Vec<BTreeMap<String, String>> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl HttpConnector for Sts {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut fields = BTreeMap::from([("uri".to_owned(), request.uri().to_owned())]);
        if request.headers().contains_key("authorization") {
            fields.insert("signed".to_owned(), "yes".to_owned());
        }
        let body = String::from_utf8_lossy(request.body().bytes().unwrap()).into_owned();
        for (name, value) in body.split('&').filter_map(|field| field.split_once('=')) {
            let value = value.replace("%3A", ":").replace("%2F", "/");
            fields.insert(name.to_owned(), value);
        }
        let answer = SdkBody::from(answer(&fields["Action"]));
        self.0.lock().unwrap().push(fields);
        HttpConnectorFuture::ready(Ok(HttpResponse::new(200.try_into().unwrap(), answer)))
    }
}

fn answer(action: &str) -> String {
    let result = match action {
        "GetCallerIdentity" => {
            "<Arn>arn:aws:iam::1:user/u</Arn><UserId>U</UserId><Account>1</Account>"
        }
        _ => {
            "<Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
             <SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>\
             </Credentials>"
        }
    };
    format!("<{action}Response><{action}Result>{result}</{action}Result></{action}Response>")
}

#[tokio::test]
async fn a_profile_that_is_named_beats_keys_in_the_environment() {
    let playground = Playground::start().await;
    let bsm = playground
        .builder()
        .environment([
            ("AWS_ACCESS_KEY_ID", "AKIAHOSTILE"),
            ("AWS_SECRET_ACCESS_KEY", "hostile"),
            ("AWS_SESSION_TOKEN", "hostile"),
            ("AWS_PROFILE", "production"),
            ("AWS_ROLE_ARN", "arn:aws:iam::999999999999:role/Hostile"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/no/such/token"),
        ])
        .profile_name("staging")
        .build();
    assert_eq!(bsm.aws_account_id().await.unwrap(), "222222222222");
}

#[tokio::test]
async fn a_role_is_asked_for_with_all_that_its_profile_says() {
    let sts = Sts::default();
    let files = Files::new(
        "[profile \"del ta\"]\nrole_arn = arn:aws:iam::222222222222:role/R\nsource_profile = base\n\
         role_session_name = me\nexternal_id = x1\nduration_seconds = 900\nregion = eu-west-1\n\
         [profile base]\naws_access_key_id = AKIA\naws_secret_access_key = s\n",
    );
    let bsm = files
        .profile("del ta")
        .http_client(sts.http_client())
        .build();
    assert_eq!(bsm.credentials().await.unwrap().access_key_id(), "ASIA");
    let [call] = sts.sent().try_into().unwrap();
    assert_eq!(call["Action"], "AssumeRole");
    assert_eq!(call["uri"], "https://sts.eu-west-1.amazonaws.com/");
    assert_eq!(call["RoleArn"], "arn:aws:iam::222222222222:role/R");
    assert_eq!(call["RoleSessionName"], "me");
    assert_eq!(call["ExternalId"], "x1");
    assert_eq!(call["DurationSeconds"], "900");
}

#[tokio::test]
async fn a_web_identity_is_not_signed_and_its_token_is_read_at_every_refresh() {
    let sts = Sts::default();
    let files = Files::new("");
    let token = files.path().join("token");
    std::fs::write(&token, "first").unwrap();
    let token_file = token.display().to_string();
    let variables = [
        ("AWS_ROLE_ARN", "arn:aws:iam::222222222222:role/W"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token_file.as_str()),
        ("AWS_ENDPOINT_URL_STS", "http://sts.local/"),
    ];
    let manager = || {
        let builder = files.builder().environment(variables);
        builder.http_client(sts.http_client()).build()
    };
    manager().credentials().await.unwrap();
    std::fs::write(&token, "second").unwrap();
    manager().credentials().await.unwrap();
    for (call, token) in sts.sent().iter().zip(["first", "second"]) {
        assert_eq!(call["Action"], "AssumeRoleWithWebIdentity");
        assert_eq!(call["uri"], "http://sts.local/");
        assert_eq!(call["WebIdentityToken"], token);
        assert!(call["RoleSessionName"].starts_with("bsm-session-"));
        assert!(!call.contains_key("signed"));
    }
    std::fs::remove_file(&token).unwrap();
    let error = manager().credentials().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CredentialsUnavailable);
    assert!(error.to_string().contains(&token_file), "{error}");
}

#[tokio::test]
async fn a_process_is_run_once_without_a_shell_and_its_expiration_is_honoured() {
    let files = Files::new("");
    let program = files.script(
        "gi ve",
        "echo x >> \"$(dirname \"$0\")/runs\"\n\
         echo '{\"Version\": 1, \"AccessKeyId\": \"'\"$1\"'\", \"SecretAccessKey\": \"s\", \
         \"AccountId\": \"222222222222\", \"Expiration\": \"2030-01-01T01:00:00Z\"}'",
    );
    let config = format!("[profile p]\ncredential_process = '{program}' \"$HOME; b\" # c\n");
    std::fs::write(files.path().join("config"), config).unwrap();
    let at = |seconds: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(1_893_456_000 + seconds);
    let runs = || {
        let runs = std::fs::read_to_string(files.path().join("runs"));
        runs.unwrap_or_default().lines().count()
    };

    let bsm = files
        .profile("p")
        .time_source(aws_smithy_async::time::StaticTimeSource::new(at(0)))
        .build();
    for _ in 0..3 {
        let credentials = bsm.credentials().await.unwrap();
        assert_eq!(credentials.access_key_id(), "$HOME; b");
        assert_eq!(credentials.account_id().unwrap().as_str(), "222222222222");
        assert_eq!(credentials.expiry(), Some(at(3600)));
    }
    assert_eq!(runs(), 1);

    let late = files
        .profile("p")
        .time_source(aws_smithy_async::time::StaticTimeSource::new(at(4000)))
        .build();
    assert!(late.credentials().await.is_err());
}

#[tokio::test]
async fn the_account_of_the_profile_is_that_of_a_process_that_names_none() {
    for (printed, expected) in [
        ("", "111111111111"),
        (", \"AccountId\": \"222222222222\"", "222222222222"),
    ] {
        let files = Files::new("");
        let program = files.script(
            "give",
            &format!(
                "echo '{{\"Version\": 1, \"AccessKeyId\": \"AKIA\", \"SecretAccessKey\": \"s\"{printed}}}'"
            ),
        );
        let config =
            format!("[profile p]\ncredential_process = {program}\naws_account_id = 111111111111\n");
        std::fs::write(files.path().join("config"), config).unwrap();
        let credentials = files.profile("p").build().credentials().await.unwrap();
        assert_eq!(credentials.account_id().unwrap().as_str(), expected);
    }
}

#[tokio::test]
async fn a_manager_that_reloads_static_keys_uses_new_ones_and_reads_nothing_else_again() {
    const SECOND: &str = "AKIALOCALROTATED0002";
    let user =
        |name: &str, id: &str, secret: &str| bsm_local_aws::User::new(name).access_key(id, secret);
    let account = bsm_local_aws::Account::new("111111111111")
        .user(user("uploader", "AKIALOCALROTATED0001", "one"))
        .user(user("uploader-2", SECOND, "two"));
    let aws = bsm_local_aws::LocalAws::builder().account(account);
    let playground = Playground::with(aws).await;
    let write = |id: &str, secret: &str, others: &str| {
        let text = format!(
            "[uploader]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n{others}"
        );
        std::fs::write(playground.dir().join("credentials"), text).unwrap();
    };
    write("AKIALOCALROTATED0001", "one", "region = us-east-1\n");
    let builder = || {
        let builder = playground.builder().profile_name("uploader");
        builder.endpoint_url(playground.aws.endpoint_url())
    };
    let once = builder().build();
    let reloading = builder().reload_static_keys(true).build();
    for bsm in [&once, &reloading] {
        bsm.credentials().await.unwrap();
    }
    // Everything else that changes is for new managers.
    let others = "region = eu-west-1\nsource_profile = uploader\nrole_arn = arn:aws:iam::222222222222:role/R\n";
    write(SECOND, "two", others);
    playground.aws.clock().advance(Duration::from_secs(70));
    // The new keys are used when two reads in the background, a second apart, have agreed.
    let mut polls = 0;
    while reloading.credentials().await.unwrap().access_key_id() != SECOND {
        polls += 1;
        assert!(polls < 2_000, "the keys are still the old ones");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let user = reloading.principal_arn().await.unwrap();
    assert_eq!(user, "arn:aws:iam::111111111111:user/uploader-2");
    assert_eq!(reloading.aws_region().await.unwrap(), "us-east-1");
    let role = builder().build().credentials().await.unwrap_err();
    assert_eq!(role.kind(), ErrorKind::AccessDenied, "{role}");
    let old = once.credentials().await.unwrap();
    assert_eq!(old.access_key_id(), "AKIALOCALROTATED0001");
}

#[cfg(unix)]
#[tokio::test]
async fn a_profile_file_of_more_than_64_mib_is_not_read() {
    let files = Files::new("[profile p]\naws_access_key_id = AKIA\naws_secret_access_key = s\n");
    // It takes no room: the rest of the file is a hole.
    let large = files.path().join("large");
    std::fs::File::create(&large)
        .unwrap()
        .set_len(64 * 1024 * 1024 + 1)
        .unwrap();
    let bsm = files.profile("p").shared_credentials_file(&large).build();
    let error = bsm.credentials().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "it is longer than 67108864 bytes");
}

#[tokio::test]
async fn a_process_that_fails_gives_none_of_its_output_away() {
    for (body, why) in [
        (
            "echo '{\"SecretAccessKey\": \"TOPSECRET\"'",
            "did not print credentials",
        ),
        (
            "echo '{\"Version\": 2, \"AccessKeyId\": \"a\", \"SecretAccessKey\": \"TOPSECRET\"}'",
            "Version",
        ),
        (
            "echo '{\"Version\": \"TOPSECRET\"}'",
            "did not print credentials",
        ),
        (
            "echo '{\"k\": \"TOPSECRET\"}' >&2; exit 3",
            "exit status: 3",
        ),
        (
            "echo TOPSECRET; echo please sign in TOPSECRET >&2; exit 1",
            "failed with exit status: 1",
        ),
    ] {
        let files = Files::new("");
        let program = files.script("give", body);
        let config = format!("[profile p]\ncredential_process = {program} --password TOPSECRET\n");
        std::fs::write(files.path().join("config"), config).unwrap();
        let error = files.profile("p").build().credentials().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CredentialsUnavailable, "{body}");
        assert!(error.to_string().contains(why), "{error}");
        assert!(!format!("{error:?}").contains("TOPSECRET"), "{error:?}");
    }
    let files = Files::new(
        "[profile p]\ncredential_process = /no/such/program\n[profile q]\ncredential_process = 'open\n",
    );
    let error = files.profile("p").build().credentials().await.unwrap_err();
    assert!(
        error.to_string().contains("could not be started"),
        "{error}"
    );
    let error = files.profile("q").build().credentials().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
}

#[tokio::test]
async fn endpoints_are_looked_for_in_botocores_order() {
    let keys = "aws_access_key_id = AKIA\naws_secret_access_key = s\nregion = eu-west-1\n";
    let config = format!(
        "[default]\n{keys}endpoint_url = http://profile\nservices = s\n\
         [services s]\nsts =\n  endpoint_url = http://section\n\
         [profile plain]\n{keys}endpoint_url = http://profile\n\
         [profile ignoring]\n{keys}endpoint_url = http://profile\n\
         ignore_configured_endpoint_urls = True\n\
         [profile astray]\n{keys}services = gone\n"
    );
    let files = Files::new(&config);
    let for_all = ("AWS_ENDPOINT_URL", "http://variable");
    let for_sts = ("AWS_ENDPOINT_URL_STS", "http://sts-variable");
    let ignore = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
    for (profile, variables, uri) in [
        ("default", vec![for_all, for_sts], "http://sts-variable/"),
        ("default", vec![for_all], "http://variable/"),
        ("default", vec![], "http://section/"),
        ("default", vec![("AWS_ENDPOINT_URL", "")], "http://section/"),
        ("plain", vec![], "http://profile/"),
        (
            "ignoring",
            vec![for_all],
            "https://sts.eu-west-1.amazonaws.com/",
        ),
        (
            "plain",
            vec![for_all, ignore],
            "https://sts.eu-west-1.amazonaws.com/",
        ),
    ] {
        let sts = Sts::default();
        let bsm = files
            .profile(profile)
            .environment(variables.clone())
            .http_client(sts.http_client())
            .build();
        bsm.caller_identity().await.unwrap();
        assert_eq!(sts.sent()[0]["uri"], uri, "{profile} {variables:?}");
    }
    let error = files
        .profile("astray")
        .build()
        .credentials()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.to_string().contains("gone"), "{error}");
}

#[tokio::test]
async fn settings_that_botocore_accepts_are_accepted() {
    let keys = "aws_access_key_id = AKIA\naws_secret_access_key = s\nregion = r\n";
    let files = Files::new(&format!(
        "[default]\n{keys}retry_mode = legacy\nmax_attempts = 0\nuse_fips_endpoint = maybe\n\
         sdk_ua_app_id = a b c\ns3 =\n  addressing_style = path\nsts_regional_endpoints = legacy\n\
         [profile bad]\n{keys}retry_mode = often\n"
    ));
    let config = files.profile("default").build().sdk_config().await.unwrap();
    let retry = config.retry_config().unwrap();
    assert_eq!(retry.max_attempts(), 1);
    let error = files.profile("bad").build().sdk_config().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
}

#[tokio::test]
async fn nobody_is_asked_for_a_region() {
    let sts = Sts::default();
    let keys = "aws_access_key_id = AKIA\naws_secret_access_key = s\n";
    let files = Files::new(&format!("[profile p]\n{keys}"));
    let told = files.builder().keys("AKIA", "s");
    for builder in [files.profile("p"), told] {
        let bsm = builder.http_client(sts.http_client()).build();
        assert!(bsm.aws_region().await.unwrap_err().is_no_region());
        bsm.caller_identity().await.unwrap();
        let [call] = sts.sent().try_into().unwrap();
        assert_eq!(call["uri"], "https://sts.us-east-1.amazonaws.com/");
    }
}

#[tokio::test]
async fn a_ca_bundle_that_is_missing_is_a_typed_error() {
    let files = Files::new(
        "[default]\naws_access_key_id = AKIA\naws_secret_access_key = s\nca_bundle = /no/ca.pem\n",
    );
    let error = files
        .profile("default")
        .build()
        .credentials()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.to_string().contains("/no/ca.pem"), "{error}");
    let variable = [("AWS_CA_BUNDLE", "/no/variable.pem")];
    let told = files.profile("default").environment(variable).build();
    let error = told.credentials().await.unwrap_err();
    assert!(error.to_string().contains("/no/variable.pem"), "{error}");
}

#[tokio::test]
async fn a_request_of_a_client_fails_with_the_profiles_own_error() {
    let files = Files::new("[profile p]\ncredential_process = /no/such/program\nregion = r\n");
    let bsm = files.profile("p").build();
    let sts = bsm.client(aws_sdk_sts::Client::new).await.unwrap();
    let error = sts.get_caller_identity().send().await.unwrap_err();
    assert!(matches!(error, SdkError::DispatchFailure(_)), "{error:?}");
    let ours = bsm_core::Error::find_in(&error).unwrap();
    assert!(ours.to_string().contains("profile \"p\""), "{ours}");
}

#[tokio::test]
async fn no_secret_of_a_profile_is_logged() {
    let files = Files::new("");
    let program = files.script(
        "give",
        "echo '{\"Version\": 1, \"AccessKeyId\": \"AKIAX\", \"SecretAccessKey\": \"TOPSECRET1\", \
         \"SessionToken\": \"TOPSECRET2\"}'",
    );
    let config = format!(
        "[profile p]\ncredential_process = {program} TOPSECRET3\nregion = r\n\
         [profile k]\naws_access_key_id = AKIAX\naws_secret_access_key = TOPSECRET4\n\
         aws_session_token = TOPSECRET5\nregion = r\n\
         [profile r]\nrole_arn = arn:aws:iam::222222222222:role/R\nsource_profile = k\n"
    );
    std::fs::write(files.path().join("config"), config).unwrap();
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    let logging = tracing::subscriber::set_default(subscriber);
    for profile in ["p", "k", "r"] {
        // A test on another thread may have reached an event first, before there was a subscriber.
        tracing::callsite::rebuild_interest_cache();
        let sts = Sts::default();
        let bsm = files
            .profile(profile)
            .http_client(sts.http_client())
            .build();
        bsm.caller_identity().await.unwrap();
        let config = bsm.sdk_config().await;
        tracing::info!(?bsm, ?config, source = bsm.credentials_source().unwrap());
    }
    drop(logging);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        log.contains("resolved the origin of the credentials"),
        "{log}"
    );
    let given_away: Vec<_> = log
        .lines()
        .filter(|line| line.contains("TOPSECRET"))
        .collect();
    assert!(given_away.is_empty(), "{}", given_away.join("\n"));
}

#[tokio::test]
async fn a_profile_that_is_not_found_is_told_the_likely_mistake() {
    let config = "[e]\nregion = x\n[profile My Laptop]\nregion = x\n[ profile p ]\nregion = x\n\
                  [Profile big]\nregion = x\n[profile \"open]\nregion = x\n[preview]\ncloudfront = true\n\
                  [profile staging]\nregion = x\n";
    let files = Files::new(config);
    let credentials = "[profile keys]\naws_access_key_id = AKIA\naws_secret_access_key = s\n";
    std::fs::write(files.path().join("credentials"), credentials).unwrap();
    for (name, advice) in [
        (
            "e",
            "section [e], which is not a profile: write it as [profile e]",
        ),
        (
            "My Laptop",
            "section [profile My Laptop], which is not a profile: write it as [profile \"My Laptop\"]",
        ),
        (
            "p",
            "section [ profile p ], which is not a profile: write it as [profile p]",
        ),
        (
            "big",
            "section [Profile big], which is not a profile: write it as [profile big]",
        ),
        (
            "open",
            "section [profile \"open], which is not a profile: write it as [profile open]",
        ),
        ("keys", "section [profile keys]: write it as [keys] there"),
        ("stagign", "did you mean \"staging\"?"),
        ("STAGING", "did you mean \"staging\"?"),
        ("staging ", "did you mean \"staging\"?"),
        ("unheard-of", "existing profiles: profile keys, staging"),
    ] {
        let error = files.profile(name).build().credentials().await.unwrap_err();
        assert!(error.is_profile_not_found(), "{error}");
        assert!(error.to_string().ends_with(advice), "{name}: {error}");
        if name.ends_with(' ') {
            continue; // A file cannot say that.
        }
        // The same for a profile that another one names.
        let source = format!(
            "{config}[profile r]\nrole_arn = arn:aws:iam::222222222222:role/R\nsource_profile = '{name}'\n"
        );
        let source = Files::new(&source.replace('\'', ""));
        std::fs::write(source.path().join("credentials"), credentials).unwrap();
        let error = source.profile("r").build().credentials().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
        let advice = advice.replace(", staging", ", r, staging");
        assert!(error.to_string().ends_with(&advice), "{name}: {error}");
    }
}

#[tokio::test]
async fn a_message_never_lists_all_of_many_profiles() {
    let config: String = (0..500)
        .map(|n| format!("[profile account-{n}]\n"))
        .collect();
    let files = Files::new(&config);
    let error = files.profile("acount-77").build().credentials().await;
    let error = error.unwrap_err().to_string();
    assert!(error.ends_with("did you mean \"account-77\"?"), "{error}");
    assert!(
        error.contains("there are 500 profiles, such as account-0, "),
        "{error}"
    );
    assert!(error.matches("account-").count() < 15, "{error}");
}

#[tokio::test]
async fn a_profile_without_credentials_is_told_what_is_missing() {
    for (settings, missing) in [
        ("region = x", "no credentials: give it keys"),
        ("sso_session = s", "no sso_account_id and no sso_role_name"),
        (
            "sso_start_url = https://x",
            "no sso_account_id and no sso_role_name",
        ),
        ("source_profile = base", "no role_arn"),
        ("credential_source = Environment", "no role_arn"),
        ("aws_secret_access_key = TOPSECRET", "no aws_access_key_id"),
        ("external_id = x", "no role_arn and no source_profile"),
    ] {
        let files = Files::new(&format!(
            "[profile p]\n{settings}\n[sso-session s]\nsso_region = x\n"
        ));
        let error = files.profile("p").build().credentials().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoCredentials, "{settings}");
        let message = error.to_string();
        assert!(message.starts_with("profile \"p\" has "), "{message}");
        assert!(message.contains(missing), "{settings}: {message}");
        assert!(!message.contains("TOPSECRET"), "{message}");
    }
}

/// What can be in the place of a file: a folder, a FIFO, a device without end, a socket.
#[cfg(unix)]
fn not_files(dir: &Path) -> Vec<std::path::PathBuf> {
    let (folder, fifo) = (dir.join("a-folder"), dir.join("a-fifo"));
    let (zero, socket) = (dir.join("a-device"), dir.join("a-socket"));
    std::fs::create_dir(&folder).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    std::os::unix::fs::symlink("/dev/zero", &zero).unwrap();
    std::os::unix::net::UnixListener::bind(&socket).unwrap();
    vec![folder, fifo, zero, socket]
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_not_a_file_is_an_error_at_once_wherever_a_file_is_read() {
    let files = Files::new(
        "[profile keys]\naws_access_key_id = AKIA\naws_secret_access_key = s\n\
         [profile web]\nrole_arn = arn:aws:iam::222222222222:role/W\nweb_identity_token_file = TOKEN\n",
    );
    let config = std::fs::read_to_string(files.path().join("config")).unwrap();
    for path in not_files(files.path()) {
        let text = path.display().to_string();
        let with_token = config.replace("TOKEN", &text);
        std::fs::write(files.path().join("config"), with_token).unwrap();
        let ca_bundle = [("AWS_CA_BUNDLE", text.as_str())];
        for (what, kind, builder) in [
            (
                "config",
                ErrorKind::InvalidConfig,
                files.profile("keys").config_file(&path),
            ),
            (
                "credentials",
                ErrorKind::InvalidConfig,
                files.profile("keys").shared_credentials_file(&path),
            ),
            (
                "CA bundle",
                ErrorKind::InvalidConfig,
                files.profile("keys").environment(ca_bundle),
            ),
            (
                "token",
                ErrorKind::CredentialsUnavailable,
                files.profile("web"),
            ),
        ] {
            let error = builder.build().credentials().await.expect_err(what);
            assert_eq!(error.kind(), kind, "{what} {text}: {error}");
            assert!(error.to_string().contains(&text), "{what} {text}: {error}");
            let cause = std::error::Error::source(&error).unwrap().to_string();
            assert!(cause.contains("not a file"), "{what} {text}: {cause}");
        }
        let error = bsm_core::Snapshot::read(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::File, "{error}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn an_entry_of_the_cache_that_is_not_a_file_is_a_miss() {
    let sts = Sts::default();
    let files = Files::new(
        "[profile r]\nrole_arn = arn:aws:iam::111122223333:role/Admin\nsource_profile = k\n\
         [profile k]\naws_access_key_id = AKIA\naws_secret_access_key = s\n",
    );
    for path in not_files(files.path()) {
        for name in ["json", "lock"] {
            let cache = files.path().join("cache");
            std::fs::create_dir(&cache).unwrap();
            // The key of a role with nothing but its ARN.
            let entry = cache.join(format!("20d1c4c47209b5c6f6727fa999b7ec9c34fe8643.{name}"));
            std::os::unix::fs::symlink(&path, &entry).unwrap();
            let builder = files.profile("r").http_client(sts.http_client());
            let bsm = builder
                .cli_cache(bsm_core::CliCache::new().directory(&cache))
                .build();
            assert_eq!(bsm.credentials().await.unwrap().access_key_id(), "ASIA");
            assert_eq!(sts.sent().len(), 1, "{path:?} {name}");
            std::fs::remove_dir_all(&cache).unwrap();
        }
    }
}

#[tokio::test]
async fn no_file_is_a_file_without_profiles() {
    let sts = Sts::default();
    let bsm = BotoSesManager::builder()
        .keys("AKIA", "s")
        .environment([
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/no/such/file"),
        ])
        .http_client(sts.http_client())
        .build();
    bsm.caller_identity().await.unwrap();
}

#[tokio::test]
async fn a_changed_file_is_noticed_by_a_new_manager_and_after_clear_cache() {
    let keys =
        |id: &str| format!("[profile p]\naws_access_key_id = {id}\naws_secret_access_key = s\n");
    let files = Files::new(&keys("AKIAONE"));
    let id = async |bsm: &BotoSesManager| {
        let credentials = bsm.credentials().await.unwrap();
        credentials.access_key_id().to_owned()
    };
    let bsm = files.profile("p").build();
    assert_eq!(id(&bsm).await, "AKIAONE");
    // Of the same length, within the same tick of the file system's clock.
    std::fs::write(files.path().join("config"), keys("AKIATWO")).unwrap();
    assert_eq!(id(&bsm).await, "AKIAONE");
    assert_eq!(id(&files.profile("p").build()).await, "AKIATWO");
    bsm.clear_cache();
    assert_eq!(id(&bsm).await, "AKIATWO");
}

#[tokio::test]
async fn sts_is_asked_in_the_partition_of_the_role_if_there_is_no_region() {
    let keys = "[profile keys]\naws_access_key_id = AKIA\naws_secret_access_key = s\n";
    for (partition, host) in [
        ("aws", "sts.us-east-1.amazonaws.com"),
        ("aws-us-gov", "sts.us-gov-west-1.amazonaws.com"),
        ("aws-cn", "sts.cn-northwest-1.amazonaws.com.cn"),
        ("aws-eusc", "sts.eusc-de-east-1.amazonaws.eu"),
        ("aws-iso-b", "sts.us-isob-east-1.sc2s.sgov.gov"),
    ] {
        let arn = format!("arn:{partition}:iam::222222222222:role/R");
        let files = Files::new(&format!(
            "{keys}[profile role]\nrole_arn = {arn}\nsource_profile = keys\n\
             [profile web]\nrole_arn = {arn}\nweb_identity_token_file = TOKEN\n"
        ));
        let token = files.path().join("token");
        std::fs::write(&token, "token").unwrap();
        let config = std::fs::read_to_string(files.path().join("config")).unwrap();
        let config = config.replace("TOKEN", &token.display().to_string());
        std::fs::write(files.path().join("config"), config).unwrap();
        let sts = Sts::default();
        let profile = |name| files.profile(name).http_client(sts.http_client()).build();
        let of_keys = profile("keys").assume_role(&arn).build();
        for bsm in [profile("role"), profile("web"), of_keys] {
            bsm.caller_identity().await.unwrap();
            for call in sts.sent() {
                assert_eq!(call["uri"], format!("https://{host}/"), "{call:?}");
            }
        }
    }
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl tracing_subscriber::fmt::MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[test]
fn profiles_are_listed_with_their_kind_and_region() {
    let files = Files::new(
        "[default]\nregion = eu-west-1\n[profile role]\nrole_arn = x\nsource_profile = default\n\
         [profile 'with space']\ncredential_process = secret\n[profile sso]\nsso_account_id = 1\n\
         [profile web]\nrole_arn = x\nweb_identity_token_file = y\n[profile login]\nlogin_session = z\n\
         [services not-a-profile]\n",
    );
    let keys = "[default]\naws_access_key_id = AKIA\naws_secret_access_key = SECRET\n[only-here]\n";
    std::fs::write(files.path().join("credentials"), keys).unwrap();
    let profiles = files.builder().profiles().unwrap();
    let listed: Vec<_> = profiles
        .iter()
        .map(|profile| (profile.name(), profile.kind(), profile.region()))
        .collect();
    assert_eq!(
        listed,
        [
            ("default", ProfileKind::Keys, Some("eu-west-1")),
            ("login", ProfileKind::Login, None),
            ("only-here", ProfileKind::Other, None),
            ("role", ProfileKind::Role, None),
            ("sso", ProfileKind::Sso, None),
            ("web", ProfileKind::WebIdentity, None),
            ("with space", ProfileKind::Process, None),
        ]
    );
    assert!(!format!("{profiles:?}").to_lowercase().contains("secret"));
}

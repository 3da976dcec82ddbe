//! Roles of IAM Identity Center, and the login that all processes share.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_config::AppName;
use aws_credential_types::provider::token::ProvideToken as _;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;
use bsm_core::{BotoSesManager, Builder, CliCache, ErrorKind};
use bsm_local_aws::{Account, Fault, IdentityCenter, LocalAws, Profile, SsoToken};
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use tempfile::TempDir;

use crate::support::request;

const ACCOUNT: &str = "111111111111";
const START_URL: &str = "https://corp.example.com/start";

/// An Identity Center, and a home directory with a profile for it.
pub(crate) struct Center {
    pub(crate) aws: LocalAws,
    home: TempDir,
}

impl Center {
    pub(crate) fn start() -> Self {
        Self::with(IdentityCenter::new("corp", START_URL))
    }

    fn with(center: IdentityCenter) -> Self {
        let aws = LocalAws::builder()
            .account(Account::new(ACCOUNT))
            .identity_center(center.region("eu-west-1").assign(ACCOUNT, "Admin"))
            .profile(
                Profile::new("admin")
                    .sso("corp", ACCOUNT, "Admin")
                    .region("us-east-1"),
            )
            .start_blocking()
            .unwrap();
        let home = TempDir::new().unwrap();
        aws.write_profiles(home.path().join(".aws")).unwrap();
        Self { aws, home }
    }

    /// Writes a token that expires so many seconds from now, and returns it with the path of its file.
    pub(crate) fn token(&self, seconds: i64) -> (SsoToken, PathBuf) {
        let path = self.aws.write_sso_token(self.home.path()).unwrap();
        let mut token = self.aws.sso_sign_in().unwrap();
        let (now, by) = (
            self.aws.clock().now(),
            Duration::from_secs(seconds.unsigned_abs()),
        );
        token.expires_at = if seconds < 0 { now - by } else { now + by };
        fs::write(&path, token.to_json()).unwrap();
        (token, path)
    }

    pub(crate) fn builder(&self) -> Builder {
        builder(self.home.path()).time_source(self.aws.clock())
    }

    fn manager(&self) -> BotoSesManager {
        self.builder().build()
    }

    fn renewals(&self) -> usize {
        self.aws.call_count("sso-oidc", "CreateToken")
    }
}

fn builder(home: &Path) -> Builder {
    BotoSesManager::builder()
        .profile_name("admin")
        .environment([
            ("HOME", home.to_str().unwrap()),
            ("USERPROFILE", home.to_str().unwrap()),
        ])
        .retry_config(quick(3))
}

/// The SDK's retries without its pauses.
fn quick(attempts: u32) -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(attempts)
        .with_initial_backoff(Duration::from_millis(1))
}

#[tokio::test]
async fn a_login_gives_the_credentials_of_its_roles() {
    let center = Center::start();
    center.token(3_600);
    let bsm = center.manager();
    let arn = request(&bsm).await;
    assert!(arn.contains(":assumed-role/AWSReservedSSO_Admin_"), "{arn}");
    let credentials = bsm.credentials().await.unwrap();
    assert_eq!(
        credentials.account_id().map(|id| id.as_str()),
        Some(ACCOUNT)
    );
    assert!(credentials.expiry().is_some());
    assert_eq!(center.renewals(), 0);
}

#[tokio::test]
async fn an_expired_token_is_renewed_once_for_all_managers_and_written_as_the_aws_cli_does() {
    let center = Center::with(IdentityCenter::new("corp", START_URL).one_time_refresh_tokens());
    let (old, path) = center.token(-60);
    let managers: Vec<_> = (0..60).map(|_| center.manager()).collect();
    for outcome in join_all(managers.iter().map(|bsm| bsm.credentials())).await {
        outcome.unwrap();
    }
    assert_eq!(center.renewals(), 1);
    let text = fs::read_to_string(&path).unwrap();
    let start =
        format!("{{\"startUrl\": \"{START_URL}\", \"region\": \"eu-west-1\", \"accessToken\": \"");
    assert!(text.starts_with(&start), "{text}");
    assert!(
        text.contains(&format!("\"clientId\": \"{}\"", old.client_id)),
        "{text}"
    );
    assert!(!text.contains(&old.refresh_token), "{text}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    // And what was written is good for another renewal.
    center.aws.clock().advance(Duration::from_secs(2 * 3_600));
    center.manager().credentials().await.unwrap();
    assert_eq!(center.renewals(), 2);
}

#[tokio::test]
async fn a_token_is_renewed_ahead_of_its_expiry_and_used_while_it_is_valid() {
    let center = Center::start();
    center.token(10 * 60);
    let down = center
        .aws
        .faults()
        .add(Fault::unavailable().service("sso-oidc"));
    center.manager().credentials().await.unwrap();
    let failed = center.renewals();
    assert!(failed > 0);
    // At most one attempt a minute.
    center.manager().credentials().await.unwrap();
    assert_eq!(center.renewals(), failed);
    center.aws.faults().remove(down);
    center.aws.clock().advance(Duration::from_secs(61));
    center.manager().credentials().await.unwrap();
    assert_eq!(center.renewals(), failed + 1);
    center.manager().credentials().await.unwrap();
    assert_eq!(center.renewals(), failed + 1);
}

#[tokio::test]
async fn a_cancelled_caller_does_not_lose_the_renewed_token() {
    let center = Center::with(IdentityCenter::new("corp", START_URL).one_time_refresh_tokens());
    let (old, path) = center.token(-60);
    let bsm = center.manager();
    let config = bsm.sdk_config().await.unwrap();
    let tokens = config.token_provider().unwrap();
    let slow = Fault::latency(Duration::from_millis(300)).operation("CreateToken");
    center.aws.faults().add(slow.times(1));
    // Dropped once AWS has the request.
    let mut caller = Box::pin(tokens.provide_token());
    while center.renewals() == 0 {
        assert!((&mut caller).now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    drop(caller);
    let token = tokens.provide_token().await.unwrap();
    assert_ne!(token.token(), old.access_token);
    assert_eq!(center.renewals(), 1);
    assert!(fs::read_to_string(&path).unwrap().contains(token.token()));
}

#[tokio::test]
async fn a_login_that_cannot_be_renewed_names_the_command() {
    let center = Center::start();
    let sign_in = async |part: &str, renewals: usize| {
        center.aws.clear_calls();
        let error = center.manager().credentials().await.unwrap_err();
        assert!(error.is_sign_in_required(), "{error}");
        let message = error.to_string();
        assert!(message.contains(part), "{message}");
        assert!(
            message.ends_with("sign in with `aws sso login --profile admin`"),
            "{message}"
        );
        assert_eq!(center.renewals(), renewals, "{part}");
    };
    sign_in("does not exist", 0).await;
    let (token, path) = center.token(-60);
    let without = token.to_json().replace("\"refreshToken\"", "\"other\"");
    fs::write(&path, &without).unwrap();
    sign_in("has expired", 0).await;
    assert_eq!(fs::read_to_string(&path).unwrap(), without);
    let used_up = token.to_json().replace(&token.refresh_token, "used-up");
    fs::write(&path, &used_up).unwrap();
    sign_in("has expired", 1).await;
    // Other processes read that from the lock file.
    sign_in("has expired", 0).await;
    assert_eq!(fs::read_to_string(&path).unwrap(), used_up);
    let error = center.manager().credentials().await.unwrap_err();
    let printed = format!("{error} {error:?}");
    for secret in [
        &token.access_token,
        &token.client_secret,
        &"used-up".to_owned(),
    ] {
        assert!(!printed.contains(secret), "{printed}");
    }
    // A new login is noticed by managers that have failed.
    let bsm = center.manager();
    bsm.credentials().await.unwrap_err();
    center.token(3_600);
    center.aws.clock().advance(Duration::from_secs(10));
    bsm.credentials().await.unwrap();
}

#[tokio::test]
async fn a_damaged_file_is_kept_and_named() {
    let center = Center::start();
    let (_, path) = center.token(3_600);
    fs::write(&path, "{\"accessToken\": ").unwrap();
    let error = center.manager().credentials().await.unwrap_err();
    assert!(error.to_string().contains("is damaged: sign in"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"accessToken\": ");
}

#[cfg(unix)]
#[tokio::test]
async fn a_token_file_that_is_no_file_is_an_error_at_once() {
    let center = Center::start();
    let (_, path) = center.token(3_600);
    fs::remove_file(&path).unwrap();
    let fifo = center.home.path().join("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    for other in [&fifo, Path::new("/dev/zero"), center.home.path()] {
        std::os::unix::fs::symlink(other, &path).unwrap();
        let error = center.manager().credentials().await.unwrap_err();
        assert!(error.is_sign_in_required(), "{other:?}: {error}");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("not a file"), "{other:?}: {cause}");
        fs::remove_file(&path).unwrap();
    }
}

#[tokio::test]
async fn a_token_that_the_portal_refuses_asks_for_a_new_login() {
    let center = Center::start();
    let (token, path) = center.token(3_600);
    fs::write(
        &path,
        token.to_json().replace(&token.access_token, "revoked"),
    )
    .unwrap();
    let error = center.manager().credentials().await.unwrap_err();
    assert!(error.is_sign_in_required(), "{error}");
    assert!(
        error.to_string().contains("is no longer accepted"),
        "{error}"
    );
}

#[tokio::test]
async fn a_role_that_is_not_assigned_is_denied() {
    let center = Center::start();
    center.token(3_600);
    let config = center.home.path().join(".aws").join("config");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(
        &config,
        text.replace("sso_role_name = Admin", "sso_role_name = Root"),
    )
    .unwrap();
    let error = center.manager().credentials().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AccessDenied, "{error}");
    assert!(
        error
            .to_string()
            .contains("the role Root in account 111111111111"),
        "{error}"
    );
}

#[tokio::test]
async fn the_cache_of_the_aws_cli_holds_the_credentials_for_all_processes() {
    let center = Center::start();
    center.token(3_600);
    let cached = || center.builder().cli_cache(CliCache::new()).build();
    let issued = || center.aws.call_count("sso", "GetRoleCredentials");
    let first = cached().credentials().await.unwrap();
    assert_eq!(issued(), 1);
    // Another process: managers share nothing but the file.
    let second = cached().credentials().await.unwrap();
    assert_eq!(second.secret_access_key(), first.secret_access_key());
    assert_eq!(issued(), 1);
    let directory = center.home.path().join(".aws/cli/cache");
    let entry = || {
        let paths = fs::read_dir(&directory).unwrap().flatten();
        let mut paths = paths.map(|entry| entry.path());
        paths.find(|path| path.extension().is_some_and(|it| it == "json"))
    };
    let text = fs::read_to_string(entry().unwrap()).unwrap();
    let start = format!(
        "{{\"ProviderType\": \"sso\", \"Credentials\": {{\"AccessKeyId\": \"{}\", ",
        first.access_key_id()
    );
    assert!(text.starts_with(&start), "{text}");
    assert!(
        text.ends_with(&format!("Z\", \"AccountId\": \"{ACCOUNT}\"}}}}")),
        "{text}"
    );
    // What it has not long to live for is not used.
    center.aws.clock().advance(Duration::from_secs(3_000));
    center.token(3_600);
    cached().credentials().await.unwrap();
    assert_eq!(issued(), 2);
    // Nor is an entry of another account.
    let text = fs::read_to_string(entry().unwrap()).unwrap();
    fs::write(entry().unwrap(), text.replace(ACCOUNT, "222222222222")).unwrap();
    let credentials = cached().credentials().await.unwrap();
    assert_eq!(credentials.account_id().unwrap().as_str(), ACCOUNT);
    assert_eq!(issued(), 3);
    #[cfg(feature = "sso-login")]
    {
        // Also where the entries are in another directory.
        let elsewhere = center.home.path().join("elsewhere");
        let cache = CliCache::new().directory(&elsewhere);
        let other = center.builder().cli_cache(cache).build();
        other.credentials().await.unwrap();
        let entries = || {
            let paths = fs::read_dir(&elsewhere).unwrap().flatten();
            let paths = paths.map(|entry| entry.path());
            paths.filter(|path| path.extension().is_some_and(|it| it == "json"))
        };
        assert_eq!(entries().count(), 1);
        assert!(other.sso_logout().await.unwrap());
        assert_eq!(entry(), None);
        assert_eq!(entries().count(), 0);
    }
}

#[tokio::test]
async fn a_throttled_portal_is_asked_again_as_often_as_the_user_says() {
    let center = Center::start();
    center.token(3_600);
    center
        .aws
        .faults()
        .add(Fault::throttling().service("sso").times(5));
    let patient = center.builder().retry_config(quick(6)).build();
    patient.credentials().await.unwrap();
    assert_eq!(center.aws.call_count("sso", "GetRoleCredentials"), 6);
    center
        .aws
        .faults()
        .add(Fault::throttling().service("sso").times(1));
    let once = center
        .builder()
        .retry_config(RetryConfig::disabled())
        .build();
    let error = once.credentials().await.unwrap_err();
    assert!(
        error.to_string().contains("TooManyRequestsException"),
        "{error}"
    );
}

/// Answers every request of Identity Center, and keeps their URLs and user agents.
#[derive(Clone, Debug, Default)]
struct Recorder {
    urls: Arc<Mutex<Vec<String>>>,
    agents: Arc<Mutex<Vec<String>>>,
}

impl HttpConnector for Recorder {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let url = request.uri().to_owned();
        let body = match url.contains("/token") {
            true => r#"{"accessToken": "fresh", "expiresIn": 3600, "tokenType": "Bearer"}"#,
            false => {
                r#"{"roleCredentials": {"accessKeyId": "ASIA", "secretAccessKey": "s", "sessionToken": "t",
                    "expiration": 4102444800000}}"#
            }
        };
        let end = url
            .find("/token")
            .or(url.find("/federation"))
            .unwrap_or(url.len());
        self.urls.lock().unwrap().push(url[..end].to_owned());
        let agent = request
            .headers()
            .get("x-amz-user-agent")
            .unwrap_or_default();
        self.agents.lock().unwrap().push(agent.to_owned());
        let response = HttpResponse::new(200.try_into().unwrap(), SdkBody::from(body));
        HttpConnectorFuture::ready(Ok(response))
    }
}

#[tokio::test]
async fn every_setting_reaches_sign_in_and_portal() {
    const OIDC: &str = "https://oidc.eu-west-1.amazonaws.com";
    const PORTAL: &str = "https://portal.sso.eu-west-1.amazonaws.com";
    const A: &str = "http://a.example.com";
    const B: &str = "http://b.example.com";
    type Build = fn(Builder) -> Builder;
    let same: Build = |builder| builder;
    let plain = "[profile admin]\nsso_session = corp\nsso_account_id = 111111111111\nsso_role_name = Admin\n";
    type Case<'a> = (
        &'a str,
        &'a [(&'a str, &'a str)],
        &'a str,
        Build,
        [&'a str; 2],
    );
    let cases: &[Case<'_>] = &[
        ("nothing", &[], "", same, [OIDC, PORTAL]),
        (
            "the profile's FIPS",
            &[],
            "use_fips_endpoint = true\n",
            same,
            [OIDC, PORTAL],
        ),
        (
            "the environment's FIPS",
            &[("AWS_USE_FIPS_ENDPOINT", "true")],
            "",
            same,
            [OIDC, PORTAL],
        ),
        (
            "FIPS with an endpoint",
            &[("AWS_USE_FIPS_ENDPOINT", "true")],
            "endpoint_url = http://a.example.com\n",
            same,
            [A, A],
        ),
        (
            "dual-stack",
            &[],
            "use_dualstack_endpoint = true\n",
            same,
            [
                "https://oidc.eu-west-1.api.aws",
                "https://portal.sso.eu-west-1.api.aws",
            ],
        ),
        (
            "the profile's endpoint",
            &[],
            "endpoint_url = http://a.example.com\n",
            same,
            [A, A],
        ),
        (
            "the environment's endpoint",
            &[("AWS_ENDPOINT_URL", A)],
            "endpoint_url = http://b.example.com\n",
            same,
            [A, A],
        ),
        (
            "the services' endpoints",
            &[
                ("AWS_ENDPOINT_URL_SSO", A),
                ("AWS_ENDPOINT_URL_SSO_OIDC", B),
            ],
            "",
            same,
            [B, A],
        ),
        (
            "a services section",
            &[],
            "services = x\n[services x]\nsso =\n  endpoint_url = http://a.example.com\nsso_oidc =\n  endpoint_url = http://b.example.com\n",
            same,
            [B, A],
        ),
        (
            "ignored endpoints, environment",
            &[
                ("AWS_ENDPOINT_URL", A),
                ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
            ],
            "endpoint_url = http://b.example.com\n",
            same,
            [OIDC, PORTAL],
        ),
        (
            "ignored endpoints, profile",
            &[("AWS_ENDPOINT_URL_SSO", A)],
            "ignore_configured_endpoint_urls = true\n",
            same,
            [OIDC, PORTAL],
        ),
        (
            "the builder's endpoint",
            &[("AWS_ENDPOINT_URL", A)],
            "",
            |builder| builder.endpoint_url(B),
            [B, B],
        ),
        (
            "the builder's endpoint of one service",
            &[],
            "",
            |builder| builder.service_endpoint_url("sso", B),
            [OIDC, B],
        ),
        (
            "another profile's endpoint",
            &[],
            "[default]\nendpoint_url = http://a.example.com\nuse_fips_endpoint = true\n",
            same,
            [OIDC, PORTAL],
        ),
        (
            "another region",
            &[("AWS_REGION", "us-west-2")],
            "region = us-east-1\n",
            same,
            [OIDC, PORTAL],
        ),
    ];
    for (name, variables, profile, build, expected) in cases {
        let center = Center::start();
        center.token(-60);
        let home = center.home.path().to_str().unwrap();
        let section =
            format!("[sso-session corp]\nsso_start_url = {START_URL}\nsso_region = eu-west-1\n");
        let config = center.home.path().join(".aws").join("config");
        fs::write(config, format!("{section}{plain}{profile}")).unwrap();
        let recorder = Recorder::default();
        let connector = SharedHttpConnector::new(recorder.clone());
        let variables = variables
            .iter()
            .copied()
            .chain([("HOME", home), ("USERPROFILE", home)]);
        let builder = center
            .builder()
            .environment(variables)
            .http_client(http_client_fn(move |_, _| connector.clone()));
        build(builder).build().credentials().await.unwrap();
        assert_eq!(*recorder.urls.lock().unwrap(), expected, "{name}");
    }
}

#[tokio::test]
async fn the_app_name_is_in_every_request_of_a_login() {
    let center = Center::start();
    center.token(-60);
    let recorder = Recorder::default();
    let connector = SharedHttpConnector::new(recorder.clone());
    let builder = center.builder().app_name(AppName::new("my-tool").unwrap());
    let bsm = builder
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build();
    bsm.credentials().await.unwrap();
    // Its answer does not come from STS.
    bsm.caller_identity().await.unwrap_err();
    let agents = recorder.agents.lock().unwrap();
    // The sign-in, the portal, and STS.
    assert!(agents.len() >= 3, "{agents:?}");
    for agent in &*agents {
        assert!(agent.contains("app/my-tool"), "{agent}");
    }
}

#[tokio::test]
async fn without_a_home_directory_there_is_no_login() {
    let center = Center::start();
    center.token(3_600);
    let config = center.home.path().join(".aws").join("config");
    let bsm = center.builder().environment([]).config_file(config).build();
    let error = bsm.credentials().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CredentialsUnavailable, "{error}");
    assert!(error.to_string().contains("no home directory"), "{error}");
    assert!(center.aws.calls().is_empty());
}

/// The home directory of a child; only set there.
const CHILD: &str = "BSM_TEST_SSO_HOME";

/// Whether a child only holds the lock.
const HOLDER: &str = "BSM_TEST_SSO_HOLDER";

/// Runs in the children of the tests below, and does nothing elsewhere.
#[tokio::test]
async fn child() {
    let Some(home) = env::var_os(CHILD).map(PathBuf::from) else {
        return;
    };
    if let Some(lock) = env::var_os(HOLDER) {
        let file = File::create(lock).unwrap();
        file.lock().unwrap();
        println!("locked");
        std::thread::sleep(Duration::from_secs(60));
        drop(file);
        return;
    }
    match builder(&home).build().credentials().await {
        Ok(credentials) => println!("key={}", credentials.access_key_id()),
        Err(error) => println!("error={:?}", error.kind()),
    }
}

fn spawn(home: &Path, holder: Option<&Path>) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "sso::child", "--nocapture"])
        .env(CHILD, home)
        .stdout(Stdio::piped());
    if let Some(lock) = holder {
        command.env(HOLDER, lock);
    }
    command.spawn().unwrap()
}

fn outcomes(children: Vec<Child>, marker: &str) -> usize {
    let outputs = children.into_iter().map(|child| {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    });
    outputs.filter(|text| text.contains(marker)).count()
}

fn processes_share_one_renewal(count: usize) {
    let center = Center::with(IdentityCenter::new("corp", START_URL).one_time_refresh_tokens());
    center.token(-60);
    let slow = Fault::latency(Duration::from_millis(300)).operation("CreateToken");
    center.aws.faults().add(slow);
    let children = (0..count)
        .map(|_| spawn(center.home.path(), None))
        .collect();
    assert_eq!(outcomes(children, "key=ASIA"), count);
    assert_eq!(center.renewals(), 1);
}

#[test]
fn sixteen_processes_on_an_expired_token_make_one_renewal() {
    processes_share_one_renewal(16);
}

/// By hand, because it takes a minute on a small machine.
#[test]
#[ignore = "starts a hundred processes"]
fn a_hundred_processes_on_an_expired_token_make_one_renewal() {
    processes_share_one_renewal(100);
}

#[test]
fn a_refresh_token_that_is_used_up_costs_one_request_among_all_processes() {
    let center = Center::with(IdentityCenter::new("corp", START_URL).one_time_refresh_tokens());
    // As if a process had been killed between the request and the write.
    let (token, path) = center.token(-60);
    fs::write(
        &path,
        token.to_json().replace(&token.refresh_token, "used-up"),
    )
    .unwrap();
    let children = (0..8).map(|_| spawn(center.home.path(), None)).collect();
    assert_eq!(outcomes(children, "error=SignInRequired"), 8);
    assert_eq!(center.renewals(), 1);
}

#[test]
fn a_killed_holder_of_the_lock_holds_nobody_up() {
    use std::io::{BufRead as _, BufReader};
    let center = Center::start();
    let (_, path) = center.token(-60);
    let mut holder = spawn(center.home.path(), Some(&path.with_extension("lock")));
    let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("locked")));
    let waiting: Vec<_> = (0..2).map(|_| spawn(center.home.path(), None)).collect();
    // Whether or not they already wait, no caller gets through while the lock is held.
    assert_eq!(center.renewals(), 0);
    let killed_at = SystemTime::now();
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert_eq!(outcomes(waiting, "key=ASIA"), 2);
    assert_eq!(center.renewals(), 1);
    assert!(killed_at.elapsed().unwrap() < Duration::from_secs(30));
}

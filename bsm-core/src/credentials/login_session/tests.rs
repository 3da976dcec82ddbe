use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;
use aws_types::os_shim_internal::Env;
use base64_simd::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;
use crate::credentials::provider::provide;
use crate::credentials::testing::Clock;
use crate::environment::Environment;
use crate::manager::BotoSesManager;
use crate::session::sdk_config::with_required_parts;
use crate::session::settings::Settings;

const SESSION: &str = "arn:aws:iam::111122223333:user/me";

/// Generated for these tests.
const KEY: &str = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIBMB/RwQERsVoqWRQG4zK8CnaAa5dfrpbm+9tFdBh3z4oAoGCCqGSM49\n\
    AwEHoUQDQgAEWb1VLi1EA2hJaTz4yYuxSELvY+1GAfL+8rUTCAdiFid87Bf6GY+s\n2+1RpqDv0RpZiDIMCrZrsAh+RK9S3QCaGA==\n\
    -----END EC PRIVATE KEY-----\n";

/// Sign-In, with what it does next; the last one stays.
#[derive(Clone, Debug)]
struct SignIn {
    next: Arc<Mutex<Vec<Act>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// Where a directory is put in place of the file, once.
    occupies: Arc<Mutex<Option<PathBuf>>>,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Renew,
    Refuse(&'static str),
    Fail,
    Hang,
    Babble,
    /// Without a refresh token.
    Forget,
}

#[derive(Clone, Debug)]
struct Seen {
    url: String,
    refresh_token: String,
    proof: Value,
}

impl SignIn {
    fn that(acts: &[Act]) -> Self {
        Self {
            next: Arc::new(Mutex::new(acts.iter().rev().copied().collect())),
            seen: Arc::default(),
            occupies: Arc::default(),
        }
    }

    fn client(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self.clone());
        SharedHttpClient::new(http_client_fn(move |_, _| connector.clone()))
    }

    fn requests(&self) -> usize {
        self.seen.lock().len()
    }
}

impl HttpConnector for SignIn {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        assert_eq!(body["grantType"], "refresh_token", "{body}");
        assert_eq!(body["clientId"], "arn:aws:signin:::devtools/same-device");
        let number = self.requests() + 1;
        self.seen.lock().push(Seen {
            url: request.uri().to_owned(),
            refresh_token: body["refreshToken"].as_str().unwrap().to_owned(),
            proof: verified(request.headers().get("dpop").expect("a proof")),
        });
        if let Some(path) = self.occupies.lock().take() {
            std::fs::remove_file(&path).unwrap();
            std::fs::create_dir_all(path.join("occupied")).unwrap();
        }
        let mut next = self.next.lock();
        let act = match next.len() {
            1 => next[0],
            _ => next.pop().unwrap(),
        };
        let (status, body, kind) = match act {
            Act::Hang => return HttpConnectorFuture::new(std::future::pending()),
            Act::Renew => (
                200,
                json!({
                    "accessToken": {
                        "accessKeyId": format!("ASIARENEWED{number}"),
                        "secretAccessKey": "a new secret",
                        "sessionToken": "a new token",
                    },
                    "tokenType": "aws_sigv4",
                    "expiresIn": 900,
                    "refreshToken": format!("refresh {number}"),
                }),
                "",
            ),
            Act::Refuse(why) => (
                403,
                json!({"error": why, "message": "refresh 0 is over"}),
                "AccessDeniedException",
            ),
            Act::Fail => (
                500,
                json!({"error": "server_error", "message": "sorry"}),
                "InternalServerException",
            ),
            Act::Babble => (200, json!({"hello": "world"}), ""),
            Act::Forget => (
                200,
                json!({"accessToken": {
                    "accessKeyId": "ASIANEW",
                    "secretAccessKey": "a new secret",
                    "sessionToken": "a new token",
                }, "expiresIn": 900}),
                "",
            ),
        };
        let mut response =
            HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body.to_string()));
        response.headers_mut().insert("x-amzn-errortype", kind);
        HttpConnectorFuture::ready(Ok(response))
    }
}

/// Checks the signature of a proof with the key that is in it; returns its claims and its key.
fn verified(proof: &str) -> Value {
    let parts: Vec<_> = proof.split('.').collect();
    let decode = |part: &str| URL_SAFE_NO_PAD.decode_to_vec(part).unwrap();
    let header: Value = serde_json::from_slice(&decode(parts[0])).unwrap();
    assert_eq!(
        (&header["typ"], &header["alg"]),
        (&json!("dpop+jwt"), &json!("ES256"))
    );
    let coordinate = |name: &str| decode(header["jwk"][name].as_str().unwrap());
    let point = [vec![4], coordinate("x"), coordinate("y")].concat();
    let signed = format!("{}.{}", parts[0], parts[1]);
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
        .verify(signed.as_bytes(), &decode(parts[2]))
        .expect("the signature is that of the key");
    let mut claims: Value = serde_json::from_slice(&decode(parts[1])).unwrap();
    claims["jwk"] = header["jwk"].clone();
    claims
}

fn environment(variables: &[(&str, String)]) -> Environment {
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    Environment {
        variables: Some(Env::from_slice(&variables)),
        ..Environment::default()
    }
}

/// A home directory with a login that is valid for so many seconds.
struct Home {
    directory: tempfile::TempDir,
    clock: Clock,
}

impl Home {
    fn with(seconds: i64) -> Self {
        let home = Self {
            directory: tempfile::tempdir().unwrap(),
            clock: Clock::new(),
        };
        let now = home.clock.shared().now();
        let left = Duration::from_secs(seconds.unsigned_abs());
        let expires = if seconds < 0 { now - left } else { now + left };
        home.write(&json!({
            "accessToken": {
                "accessKeyId": "ASIAOLD",
                "secretAccessKey": "an old secret",
                "sessionToken": "an old token",
                "accountId": "111122223333",
                "expiresAt": format_rfc3339(expires).unwrap(),
            },
            "tokenType": "aws_sigv4",
            "refreshToken": "refresh 0",
            "idToken": "an id",
            "clientId": "arn:aws:signin:::devtools/same-device",
            "dpopKey": KEY,
        }));
        home
    }

    fn variable(&self) -> (&'static str, String) {
        let home = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
        (home, self.directory.path().to_str().unwrap().to_owned())
    }

    fn file(&self) -> LoginFile {
        LoginFile::of(&environment(&[self.variable()]), SESSION).unwrap()
    }

    fn path(&self) -> PathBuf {
        self.file().path().to_owned()
    }

    fn write(&self, login: &Value) {
        let path = self.path();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, login.to_string()).unwrap();
    }

    fn read(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.path()).unwrap()).unwrap()
    }

    /// Returns a provider, as another process has one.
    fn provider(&self, sign_in: &SignIn) -> LoginSession {
        let config = SdkConfig::builder()
            .region(aws_config::Region::from_static("us-east-1"))
            .http_client(sign_in.client())
            .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(1)))
            .build();
        let settings = Settings {
            time_source: Some(self.clock.shared()),
            ..Settings::default()
        };
        let config = with_required_parts(&config, &settings).unwrap();
        LoginSession::new("a login".to_owned(), "p", self.file(), &config)
    }
}

async fn key(provider: &LoginSession) -> Result<String, Error> {
    let credentials = provide(provider).await?;
    Ok(credentials.access_key_id().to_owned())
}

#[test]
fn the_file_of_a_login_has_the_name_that_the_aws_cli_gives_it() {
    let name = |variables: &[(&'static str, String)], session: &str| {
        LoginFile::of(&environment(variables), session).map(|file| file.path().to_owned())
    };
    let home = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
    let hash = "36db1d138ff460920374e4c3d8e01f53f9f73537e89c88d639f68393df0e2726.json";
    let jane = (home, "jane".to_owned());
    let set = ("AWS_LOGIN_CACHE_DIRECTORY", "logins".to_owned());
    let in_home = Path::new("jane").join(".aws").join("login").join("cache");
    for session in [
        "arn:aws:iam::0123456789012:user/Admin",
        " arn:aws:iam::0123456789012:user/Admin\n",
    ] {
        assert_eq!(
            name(std::slice::from_ref(&jane), session),
            Some(in_home.join(hash))
        );
        let both = [jane.clone(), set.clone()];
        assert_eq!(name(&both, session), Some(Path::new("logins").join(hash)));
        assert_eq!(name(&[], session), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_is_used_without_a_request_until_five_minutes_before_its_expiry() {
    let home = Home::with(301);
    let sign_in = SignIn::that(&[Act::Renew]);
    let credentials = provide(&home.provider(&sign_in)).await.unwrap();
    assert_eq!(credentials.access_key_id(), "ASIAOLD");
    assert_eq!(credentials.account_id().unwrap().as_str(), "111122223333");
    assert_eq!(sign_in.requests(), 0);
    home.clock.advance(1);
    assert_eq!(key(&home.provider(&sign_in)).await.unwrap(), "ASIARENEWED1");
}

#[tokio::test(start_paused = true)]
async fn a_renewed_login_is_proven_written_and_read_by_the_next_process() {
    let home = Home::with(-3_600);
    let sign_in = SignIn::that(&[Act::Renew]);
    let renewed = provide(&home.provider(&sign_in)).await.unwrap();
    assert_eq!(renewed.access_key_id(), "ASIARENEWED1");
    assert_eq!(renewed.account_id().unwrap().as_str(), "111122223333");
    let now = home.clock.shared().now();
    assert_eq!(renewed.expiry(), Some(now + Duration::from_secs(900)));
    let Seen {
        url,
        refresh_token,
        proof,
    } = sign_in.seen.lock()[0].clone();
    assert_eq!(refresh_token, "refresh 0");
    assert_eq!(
        (&proof["htm"], &proof["htu"]),
        (&json!("POST"), &json!(url))
    );
    assert_eq!(proof["iat"], 1_800_000_000);
    assert_eq!(
        proof["jwk"]["x"],
        "Wb1VLi1EA2hJaTz4yYuxSELvY-1GAfL-8rUTCAdiFic"
    );
    let written = home.read();
    assert_eq!(written["refreshToken"], "refresh 1");
    assert_eq!(written["accessToken"]["secretAccessKey"], "a new secret");
    assert_eq!(
        (&written["idToken"], &written["dpopKey"]),
        (&json!("an id"), &json!(KEY))
    );
    assert_eq!(key(&home.provider(&sign_in)).await.unwrap(), "ASIARENEWED1");
    assert_eq!(sign_in.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn processes_that_find_an_expired_login_make_one_request() {
    let home = Home::with(-1);
    let sign_in = SignIn::that(&[Act::Renew]);
    let processes: Vec<_> = (0..8).map(|_| home.provider(&sign_in)).collect();
    let keys = futures_util::future::join_all(processes.iter().map(key)).await;
    for key in keys {
        assert_eq!(key.unwrap(), "ASIARENEWED1");
    }
    assert_eq!(sign_in.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_comes_back_gets_other_credentials() {
    let home = Home::with(900);
    let sign_in = SignIn::that(&[Act::Renew]);
    let provider = home.provider(&sign_in);
    assert_eq!(key(&provider).await.unwrap(), "ASIAOLD");
    assert_eq!(key(&provider).await.unwrap(), "ASIARENEWED1");
    assert_eq!(key(&provider).await.unwrap(), "ASIARENEWED2");
    assert_eq!(sign_in.seen.lock()[1].refresh_token, "refresh 1");
}

#[tokio::test(start_paused = true)]
async fn a_request_has_retries_and_a_time_limit() {
    let home = Home::with(-1);
    let sign_in = SignIn::that(&[Act::Fail, Act::Hang, Act::Renew]);
    assert_eq!(key(&home.provider(&sign_in)).await.unwrap(), "ASIARENEWED3");

    let home = Home::with(-1);
    let sign_in = SignIn::that(&[Act::Hang]);
    let before = Instant::now();
    let error = key(&home.provider(&sign_in)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    assert!(before.elapsed() < Duration::from_secs(60), "{error}");
    assert_eq!(sign_in.requests(), 3);
    // Each attempt has a proof of its own.
    let seen = sign_in.seen.lock();
    assert_ne!(seen[0].proof["jti"], seen[1].proof["jti"]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_sorted_by_what_helps_and_repeats_no_secret() {
    for (act, kind, says) in [
        (
            Act::Refuse("TOKEN_EXPIRED"),
            ErrorKind::SignInRequired,
            "sign in with `aws login --profile p`",
        ),
        (
            Act::Refuse("USER_CREDENTIALS_CHANGED"),
            ErrorKind::SignInRequired,
            "sign in with",
        ),
        (
            Act::Refuse("INSUFFICIENT_PERMISSIONS"),
            ErrorKind::AccessDenied,
            "could not renew the login session",
        ),
        (
            Act::Fail,
            ErrorKind::Service,
            "could not renew the login session",
        ),
        (
            Act::Babble,
            ErrorKind::Service,
            "AWS Sign-In answered without credentials",
        ),
        (
            Act::Forget,
            ErrorKind::Service,
            "AWS Sign-In answered without credentials",
        ),
    ] {
        let home = Home::with(-1);
        let sign_in = SignIn::that(&[act]);
        let error = key(&home.provider(&sign_in)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{act:?}: {error}");
        assert!(error.to_string().contains(says), "{act:?}: {error}");
        assert_eq!(home.read()["refreshToken"], "refresh 0");
        let shown = format!("{error:?} {error}");
        for secret in ["refresh 0", "an old", "PRIVATE KEY"] {
            assert!(!shown.contains(secret), "{act:?}: {shown}");
        }
        // The same failure, while the login is still valid.
        let home = Home::with(60);
        let sign_in = SignIn::that(&[act]);
        assert_eq!(
            key(&home.provider(&sign_in)).await.unwrap(),
            "ASIAOLD",
            "{act:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_missing_or_damaged_is_asked_for() {
    let home = Home::with(900);
    let good = home.read();
    let without = |field: &str| {
        let mut login = good.clone();
        login[field].take();
        login
    };
    let mut dateless = good.clone();
    dateless["accessToken"]["expiresAt"] = json!("soon");
    for bad in [
        json!([]),
        without("accessToken"),
        without("refreshToken"),
        without("clientId"),
        without("dpopKey"),
        dateless,
    ] {
        home.write(&bad);
        let sign_in = SignIn::that(&[Act::Renew]);
        let error = key(&home.provider(&sign_in)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SignInRequired, "{bad}: {error}");
        assert_eq!(sign_in.requests(), 0);
    }
    // A key that nothing can be proven with.
    let home = Home::with(-1);
    let mut login = home.read();
    login["dpopKey"] =
        json!("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n");
    home.write(&login);
    let error = key(&home.provider(&SignIn::that(&[Act::Renew])))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SignInRequired, "{error}");

    std::fs::remove_file(home.path()).unwrap();
    let error = key(&home.provider(&SignIn::that(&[Act::Renew])))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SignInRequired, "{error}");
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_renewed_login_that_cannot_be_written_is_not_lost() {
    use std::os::unix::fs::PermissionsExt as _;

    let home = Home::with(-1);
    let sign_in = SignIn::that(&[Act::Renew]);
    let provider = home.provider(&sign_in);
    // A directory in its place can be neither read nor replaced.
    *sign_in.occupies.lock() = Some(home.path());
    assert_eq!(key(&provider).await.unwrap(), "ASIARENEWED1");
    assert!(home.path().is_dir());
    assert_eq!(key(&provider).await.unwrap(), "ASIARENEWED2");
    assert_eq!(sign_in.seen.lock()[1].refresh_token, "refresh 1");
    // Once it can be written, it is.
    std::fs::remove_dir_all(home.path()).unwrap();
    assert_eq!(key(&provider).await.unwrap(), "ASIARENEWED3");
    assert_eq!(home.read()["refreshToken"], "refresh 3");
    let mode = std::fs::metadata(home.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// Everything comes from the manager: the directory, the endpoint, the clock and the HTTP client.
#[tokio::test]
async fn a_login_has_every_setting_of_its_manager() {
    let home = Home::with(-1);
    let config = format!("[profile p]\nregion = eu-west-1\nlogin_session = {SESSION}\n");
    std::fs::write(home.directory.path().join("config"), config).unwrap();
    let manager = |sign_in: &SignIn, variables: Vec<(&'static str, String)>| {
        BotoSesManager::builder()
            .profile_name("p")
            .config_file(home.directory.path().join("config"))
            .shared_credentials_file(home.directory.path().join("credentials"))
            .environment(
                variables
                    .iter()
                    .map(|(name, value)| (*name, value.as_str())),
            )
            .time_source(home.clock.clone())
            .http_client(sign_in.client())
            .build()
    };
    let endpoint = (
        "AWS_ENDPOINT_URL_SIGNIN",
        "http://signin.invalid".to_owned(),
    );
    for (variables, url) in [
        (
            vec![home.variable()],
            "https://eu-west-1.signin.aws.amazon.com/",
        ),
        (vec![home.variable(), endpoint], "http://signin.invalid/"),
    ] {
        let sign_in = SignIn::that(&[Act::Renew]);
        let bsm = manager(&sign_in, variables);
        let credentials = bsm.credentials().await.unwrap();
        assert_eq!(credentials.access_key_id(), "ASIARENEWED1");
        let seen = sign_in.seen.lock()[0].clone();
        assert!(seen.url.starts_with(url), "{}", seen.url);
        home.clock.advance(1_000);
    }
    // Given variables never lead to the login of the process.
    let sign_in = SignIn::that(&[Act::Renew]);
    let error = manager(&sign_in, vec![]).credentials().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CredentialsUnavailable, "{error}");
    let elsewhere = vec![(home.variable().0, "nowhere".to_owned())];
    let error = manager(&sign_in, elsewhere)
        .credentials()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SignInRequired, "{error}");
    assert_eq!(sign_in.requests(), 0);
}

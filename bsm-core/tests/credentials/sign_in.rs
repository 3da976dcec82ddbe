//! Signing in to IAM Identity Center, and out of it.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_types::retry::RetryConfig;
use bsm_core::sign_in::{self, SignInPrompt, SignInRequest};
use bsm_core::{BotoSesManager, ErrorKind};
use bsm_local_aws::{Account, Fault, IdentityCenter, LocalAws, Profile};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::request;

const ACCOUNT: &str = "111111111111";
const START_URL: &str = "https://corp.example.com/start";

struct Center {
    aws: Arc<LocalAws>,
    home: TempDir,
}

impl Center {
    fn start() -> Self {
        let center = IdentityCenter::new("corp", START_URL).region("eu-west-1");
        let center = center
            .assign(ACCOUNT, "Admin")
            .assign(ACCOUNT, "Reader")
            .assign("222222222222", "Admin");
        let admin = Profile::new("admin").sso("corp", ACCOUNT, "Admin");
        let aws = LocalAws::builder()
            .account(Account::new(ACCOUNT))
            .account(Account::new("222222222222"))
            .identity_center(center)
            .profile(admin.region("us-east-1"))
            .start_blocking()
            .unwrap();
        let home = TempDir::new().unwrap();
        aws.write_profiles(home.path().join(".aws")).unwrap();
        let aws = Arc::new(aws);
        Self { aws, home }
    }

    /// A manager on a machine with a display, or without.
    fn manager(&self, display: &str) -> BotoSesManager {
        let home = self.home.path().to_str().unwrap();
        BotoSesManager::builder()
            .profile_name("admin")
            .environment([("HOME", home), ("USERPROFILE", home), ("DISPLAY", display)])
            .time_source(self.aws.clock())
            .build()
    }

    fn cache(&self) -> PathBuf {
        self.home.path().join(".aws/sso/cache")
    }

    /// The text of the token file.
    fn token(&self) -> String {
        let name = "ee0bfd2582c38c1ffad4e8ac0bb30e5d4e35450f.json";
        let files = fs::read_dir(self.cache()).into_iter().flatten().flatten();
        let mut tokens = files.filter(|file| {
            let name = file.file_name();
            let name = name.to_str().unwrap();
            name.starts_with("ee0bfd25") && name.ends_with("450f.json")
        });
        let token = tokens
            .next()
            .unwrap_or_else(|| panic!("no token such as {name}"));
        fs::read_to_string(token.path()).unwrap()
    }

    fn count(&self, operation: &str) -> usize {
        self.aws.call_count("sso-oidc", operation)
    }
}

/// What a browser gets: the status, the address that it is sent to, and the page.
struct Page {
    status: u16,
    location: Option<String>,
    text: String,
}

/// Opens an address as a browser does, with another host if one is given.
async fn open(url: &str, host: Option<&str>) -> io::Result<Page> {
    let rest = url.strip_prefix("http://").expect("an address of loopback");
    let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(address).await?;
    let host = host.unwrap_or(address);
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let text = String::from_utf8(answer).unwrap();
    let status = text
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let location = text.lines().find_map(|line| {
        line.to_ascii_lowercase()
            .starts_with("location: ")
            .then(|| line[10..].trim().to_owned())
    });
    Ok(Page {
        status: status.unwrap_or_default(),
        location,
        text,
    })
}

/// The user, who decides about each request and counts them.
fn user(decision: &'static str, prompts: &Arc<AtomicUsize>) -> impl SignInPrompt {
    let prompts = Arc::clone(prompts);
    sign_in::from_fn(move |request: SignInRequest| {
        prompts.fetch_add(1, Ordering::SeqCst);
        async move {
            let page = open(request.url(), None).await?;
            assert_eq!(page.status, 200, "{}", page.text);
            let decided = open(&format!("{}&decision={decision}", request.url()), None).await?;
            if let Some(location) = decided.location {
                open(&location, None).await?;
            }
            Ok::<_, io::Error>(())
        }
    })
}

#[tokio::test]
async fn a_browser_signs_in_and_every_program_uses_the_login() {
    let center = Center::start();
    let prompts = Arc::default();
    let bsm = center.manager(":0");
    assert!(bsm.credentials().await.unwrap_err().is_sign_in_required());
    let login = bsm
        .sso_login()
        .prompt(user("allow", &prompts))
        .await
        .unwrap();
    assert_eq!(login.sso_session(), Some("corp"));
    assert_eq!(login.start_url(), START_URL);
    assert!(login.can_be_renewed() && login.expiration().is_some());
    let arn = request(&bsm).await;
    assert!(arn.contains(":assumed-role/AWSReservedSSO_Admin_"), "{arn}");

    let token = center.token();
    let start =
        format!("{{\"startUrl\": \"{START_URL}\", \"region\": \"eu-west-1\", \"accessToken\": \"");
    assert!(token.starts_with(&start), "{token}");
    for field in ["clientSecret", "registrationExpiresAt", "refreshToken"] {
        assert!(token.contains(field), "{token}");
    }
    #[cfg(unix)]
    for file in fs::read_dir(center.cache()).unwrap().flatten() {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?}", file.path());
    }

    // The client is registered once; each sign-in is a new login.
    let again = center
        .manager(":0")
        .sso_login()
        .prompt(user("allow", &prompts));
    again.await.unwrap();
    assert_eq!(center.count("RegisterClient"), 1);
    assert_ne!(center.token(), token);
    // A client whose registration is about to end is registered anew.
    center
        .aws
        .clock()
        .advance(Duration::from_secs(90 * 86_400 - 600));
    let again = center
        .manager(":0")
        .sso_login()
        .prompt(user("allow", &prompts));
    again.await.unwrap();
    assert_eq!(center.count("RegisterClient"), 2);
    assert_eq!(prompts.load(Ordering::SeqCst), 3);
}

#[test]
fn a_sign_in_waits_for_ten_minutes() {
    let bsm = BotoSesManager::builder().profile_name("admin").build();
    for sign_in in [bsm.sso_login(), bsm.sso_login().device_code()] {
        let settings = format!("{sign_in:?}");
        assert!(settings.contains("timeout: 600s"), "{settings}");
    }
}

#[tokio::test]
async fn a_device_code_signs_in_where_there_is_no_display_or_it_is_asked_for() {
    let center = Center::start();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let user = || {
        let (seen, aws) = (Arc::clone(&seen), Arc::clone(&center.aws));
        sign_in::from_fn(move |request: SignInRequest| {
            let code = request.user_code().map(str::to_owned);
            assert!(!format!("{request:?}").contains(code.as_deref().unwrap()));
            seen.lock().unwrap().push((request.url().to_owned(), code));
            assert_eq!(aws.decide_devices(true), 1);
            std::future::ready(Ok::<_, io::Error>(()))
        })
    };
    center.manager("").sso_login().prompt(user()).await.unwrap();
    let asked = center.manager(":0").sso_login().device_code();
    asked.prompt(user()).await.unwrap();
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen.len(), 2);
    for (url, code) in &seen {
        let code = code.as_deref().unwrap();
        assert!(url.ends_with(&format!("?user_code={code}")), "{url}");
    }
    assert_eq!(center.count("StartDeviceAuthorization"), 2);
    assert!(
        request(&center.manager(""))
            .await
            .contains("AWSReservedSSO_Admin_")
    );
}

#[tokio::test]
async fn a_poll_without_a_response_does_not_end_a_sign_in() {
    let center = Center::start();
    let aws = Arc::clone(&center.aws);
    let user = sign_in::from_fn(move |_: SignInRequest| {
        aws.decide_devices(true);
        std::future::ready(Ok::<_, io::Error>(()))
    });
    let lost = Fault::dropped_connection()
        .operation("CreateToken")
        .times(1);
    center.aws.faults().add(lost);
    let home = center.home.path().to_str().unwrap();
    let manager = BotoSesManager::builder()
        .profile_name("admin")
        .environment([("HOME", home), ("USERPROFILE", home)])
        // Every poll is one attempt.
        .retry_config(RetryConfig::disabled())
        .build();
    manager.sso_login().prompt(user).await.unwrap();
    assert_eq!(center.count("CreateToken"), 2);
}

#[tokio::test]
async fn a_client_that_aws_has_forgotten_is_registered_again() {
    let center = Center::start();
    let user = || {
        let aws = Arc::clone(&center.aws);
        sign_in::from_fn(move |_: SignInRequest| {
            aws.decide_devices(true);
            std::future::ready(Ok::<_, io::Error>(()))
        })
    };
    let forgotten = Fault::error(401, "InvalidClientException", "unknown client");
    let forgotten = forgotten.operation("StartDeviceAuthorization").times(1);
    for registered in [1, 2] {
        center.manager("").sso_login().prompt(user()).await.unwrap();
        assert_eq!(center.count("RegisterClient"), registered);
        center.aws.faults().add(forgotten.clone());
    }
}

#[tokio::test]
async fn a_refusal_is_an_error_and_changes_nothing() {
    let center = Center::start();
    let path = center.aws.write_sso_token(center.home.path()).unwrap();
    let before = fs::read_to_string(&path).unwrap();
    let prompts = Arc::default();

    let denied = center
        .manager(":0")
        .sso_login()
        .prompt(user("deny", &prompts));
    let error = denied.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SignInFailed);
    assert!(error.to_string().contains("denied"), "{error}");

    let aws = Arc::clone(&center.aws);
    let deny = sign_in::from_fn(move |_| {
        aws.decide_devices(false);
        std::future::ready(Ok::<_, io::Error>(()))
    });
    let error = center
        .manager("")
        .sso_login()
        .prompt(deny)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SignInFailed, "{error}");

    let broken = sign_in::from_fn(|_| std::future::ready(Err(io::Error::other("no chat"))));
    let error = center
        .manager(":0")
        .sso_login()
        .prompt(broken)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SignInFailed, "{error}");

    // A code that was not issued to this client.
    let guess = sign_in::from_fn(|request: SignInRequest| async move {
        let (redirect_uri, state) = parameters(request.url());
        open(&format!("{redirect_uri}?code=guessed&state={state}"), None).await?;
        Ok::<_, io::Error>(())
    });
    let error = center
        .manager(":0")
        .sso_login()
        .prompt(guess)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SignInFailed, "{error}");
    assert!(!format!("{error:?}").contains("guessed"), "{error:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
}

/// The redirect address and the state in the address of a sign-in.
fn parameters(url: &str) -> (String, String) {
    let query = url.split_once('?').unwrap().1;
    let value = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(key, _)| *key == name).unwrap();
        value.replace("%3A", ":").replace("%2F", "/")
    };
    (value("redirect_uri"), value("state"))
}

#[tokio::test]
async fn only_the_answer_to_this_sign_in_counts() {
    let center = Center::start();
    let foreign = sign_in::from_fn(|request: SignInRequest| async move {
        let (redirect_uri, _) = parameters(request.url());
        let page = open(&format!("{redirect_uri}?code=c&state=other"), None).await?;
        assert_eq!(page.status, 400);
        Ok::<_, io::Error>(())
    });
    let error = center
        .manager(":0")
        .sso_login()
        .prompt(foreign)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SignInFailed);
    assert!(
        error.to_string().contains("the answer of another sign-in"),
        "{error}"
    );

    // Whatever else arrives is answered, and does not end the sign-in.
    let noise = sign_in::from_fn(|request: SignInRequest| async move {
        let (redirect_uri, state) = parameters(request.url());
        assert!(
            redirect_uri.starts_with("http://127.0.0.1:"),
            "{redirect_uri}"
        );
        let root = redirect_uri.trim_end_matches("/oauth/callback");
        assert_eq!(open(root, None).await?.status, 404);
        let rebound = format!("{redirect_uri}?code=c&state={state}");
        assert_eq!(open(&rebound, Some("evil.example")).await?.status, 403);
        let mut open_for_long = TcpStream::connect(root.trim_start_matches("http://")).await?;
        open_for_long.write_all(b"GET / HT").await?;
        let decided = open(&format!("{}&decision=allow", request.url()), None).await?;
        let location = decided.location.unwrap();
        let page = open(&location, None).await?;
        assert_eq!(page.status, 200);
        assert!(page.text.contains("no-store"), "{}", page.text);
        assert!(!page.text.contains(&state), "{}", page.text);
        // A second answer finds no listener, or is refused.
        if let Ok(page) = open(&location, None).await {
            assert_ne!(page.status, 200);
        }
        Ok::<_, io::Error>(())
    });
    center
        .manager(":0")
        .sso_login()
        .prompt(noise)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_user_who_does_not_come_is_not_waited_for_and_a_dropped_sign_in_is_closed() {
    let center = Center::start();
    let address = Arc::new(Mutex::new(None));
    let shown = Arc::clone(&address);
    let never = sign_in::from_fn(move |request: SignInRequest| {
        let (redirect_uri, _) = parameters(request.url());
        *shown.lock().unwrap() = Some(redirect_uri);
        std::future::ready(Ok::<_, io::Error>(()))
    });
    let sign_in = center.manager(":0").sso_login().prompt(never);
    // Long enough for a busy machine to get to the listener.
    let error = sign_in.timeout(Duration::from_secs(3)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    let redirect_uri = address.lock().unwrap().clone().expect("it was shown");
    let error = open(&redirect_uri, None).await.err().expect("it is closed");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    // And no other caller is delayed.
    let prompts = Arc::default();
    let next = center
        .manager(":0")
        .sso_login()
        .prompt(user("allow", &prompts));
    next.await.unwrap();
}

#[tokio::test]
async fn of_many_that_sign_in_at_once_one_prompts_and_all_are_signed_in() {
    let center = Center::start();
    let prompts = Arc::new(AtomicUsize::new(0));
    let all = (0..8).map(|_| {
        let sign_in = center.manager(":0").sso_login();
        tokio::spawn(sign_in.prompt(user("allow", &prompts)).into_future())
    });
    let all: Vec<_> = all.collect();
    let mut logins = Vec::new();
    for one in all {
        logins.push(one.await.unwrap().unwrap());
    }
    assert_eq!(prompts.load(Ordering::SeqCst), 1);
    assert!(logins.iter().all(|login| *login == logins[0]));
}

/// The home directory of a child; only set there.
const CHILD: &str = "BSM_TEST_SIGN_IN_HOME";

/// Runs in the children of the test below, and does nothing elsewhere.
#[tokio::test]
async fn child() {
    use std::io::Write as _;

    let Some(home) = std::env::var_os(CHILD).map(PathBuf::from) else {
        return;
    };
    let prompts = home.join("prompts");
    let prompt = sign_in::from_fn(move |_: SignInRequest| {
        let prompted = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(&prompts);
        let written = prompted.and_then(|mut file| writeln!(file, "{}", std::process::id()));
        async move { written }
    });
    let home = home.to_str().unwrap();
    let manager = BotoSesManager::builder()
        .profile_name("admin")
        .environment([("HOME", home), ("USERPROFILE", home)])
        .build();
    let login = manager.sso_login().device_code().prompt(prompt).await;
    println!("signed in: {}", login.is_ok());
}

#[test]
fn of_many_processes_one_prompts_and_the_next_one_if_that_is_killed() {
    let center = Center::start();
    let prompts = center.home.path().join("prompts");
    let mut children: Vec<_> = (0..6)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "sign_in::child", "--nocapture"])
                .env(CHILD, center.home.path())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let prompted = |count: usize| {
        loop {
            let text = fs::read_to_string(&prompts).unwrap_or_default();
            let lines: Vec<_> = text.lines().map(|id| id.parse::<u32>().unwrap()).collect();
            assert!(lines.len() <= count, "two prompts at once: {text}");
            if lines.len() == count {
                return lines[count - 1];
            }
            std::thread::yield_now();
        }
    };
    let first = prompted(1);
    let at = children
        .iter()
        .position(|child| child.id() == first)
        .unwrap();
    let mut killed = children.swap_remove(at);
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert_ne!(prompted(2), first);
    // Also the device of the first one waits, and its process is gone.
    while children
        .iter_mut()
        .any(|child| child.try_wait().unwrap().is_none())
    {
        center.aws.decide_devices(true);
        prompted(2);
        std::thread::yield_now();
    }
    for child in children {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("signed in: true"), "{text}");
    }
}

#[tokio::test]
async fn a_damaged_file_is_replaced_by_a_new_token_only() {
    let center = Center::start();
    let path = center.aws.write_sso_token(center.home.path()).unwrap();
    fs::write(&path, "{\"startUrl\":").unwrap();
    let prompts = Arc::default();
    let denied = center
        .manager(":0")
        .sso_login()
        .prompt(user("deny", &prompts));
    denied.await.unwrap_err();
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"startUrl\":");
    let allowed = center
        .manager(":0")
        .sso_login()
        .prompt(user("allow", &prompts));
    allowed.await.unwrap();
    assert!(
        request(&center.manager(""))
            .await
            .contains("AWSReservedSSO_Admin_")
    );
}

#[tokio::test]
async fn a_login_is_listed_gives_its_roles_and_ends() {
    let center = Center::start();
    let bsm = center.manager("");
    let logins = bsm.sso_sessions().await.unwrap();
    assert_eq!(logins.len(), 1);
    assert_eq!(logins[0].expiration(), None);
    assert!(
        bsm.sso_roles()
            .collect()
            .await
            .unwrap_err()
            .is_sign_in_required()
    );
    assert!(!bsm.sso_logout().await.unwrap());

    let path = center.aws.write_sso_token(center.home.path()).unwrap();
    assert!(bsm.sso_sessions().await.unwrap()[0].expiration().is_some());
    let roles = bsm.sso_roles().collect().await.unwrap();
    let names: Vec<_> = roles
        .iter()
        .map(|role| (&*role.account_id, &*role.role_name))
        .collect();
    assert_eq!(
        names,
        [
            (ACCOUNT, "Admin"),
            (ACCOUNT, "Reader"),
            ("222222222222", "Admin")
        ]
    );

    let cli_cache = center.home.path().join(".aws/cli/cache");
    fs::create_dir_all(&cli_cache).unwrap();
    let entry = |name: &str, provider: &str| {
        let path = cli_cache.join(name);
        fs::write(&path, format!("{{\"ProviderType\": \"{provider}\"}}")).unwrap();
        path
    };
    let (sso, role) = (entry("a.json", "sso"), entry("b.json", "assume-role"));
    let down = center
        .aws
        .faults()
        .add(Fault::unavailable().operation("Logout"));
    bsm.sso_logout().await.unwrap_err();
    assert!(path.exists(), "it can be tried again");
    center.aws.faults().remove(down);
    assert!(bsm.sso_logout().await.unwrap());
    assert!(!path.exists() && !sso.exists() && role.exists());
    let error = center.manager("").credentials().await.unwrap_err();
    assert!(error.is_sign_in_required(), "{error}");
}

#[tokio::test]
async fn what_has_no_login_is_an_error_that_says_so() {
    let center = Center::start();
    let none = BotoSesManager::builder()
        .environment([("HOME", center.home.path().to_str().unwrap())])
        .build();
    let error = none.sso_login().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
    let error = none.sso_login().sso_session("other").await.unwrap_err();
    assert!(error.to_string().contains("[sso-session other]"), "{error}");
    let prompts = Arc::default();
    let named = none.sso_login().sso_session("corp").device_code();
    drop(named.prompt(user("allow", &prompts)));
    let error = BotoSesManager::none().sso_login().await.unwrap_err();
    assert!(error.is_no_session(), "{error}");
}

//! Errors of signing in, and of requests about accounts, whatever the service responds with.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::net::TcpStream;

use aws_config::retry::RetryConfig;
use bsm_core::fleet::Fleet;
use bsm_core::sign_in::{self, SignInPrompt, SignInRequest};

use crate::answers::{
    AUTHORIZATION_CODE, CLIENT_SECRET, KEY, Login, assert_shows_no_secret, raw_responses,
};
use crate::seen::Seen;
use crate::stub::Stub;

const REGISTER: &str = "/client/register";

/// A person whose browser returns an authorization code.
fn person() -> impl SignInPrompt {
    sign_in::from_fn(|request: SignInRequest| async move {
        let url = request.url().replace("%3A", ":").replace("%2F", "/");
        let value = |name: &str| {
            let after = url.split_once(name).map_or("", |(_, after)| after);
            after.split('&').next().unwrap_or_default().to_owned()
        };
        let (redirect_uri, state) = (value("redirect_uri="), value("state="));
        let address = redirect_uri.trim_start_matches("http://");
        let (host, path) = address.split_once('/').unwrap_or((address, ""));
        let mut stream = TcpStream::connect(host)?;
        write!(
            stream,
            "GET /{path}?code={AUTHORIZATION_CODE}&state={state} HTTP/1.1\r\nhost: {host}\r\n\r\n"
        )?;
        Ok::<_, io::Error>(())
    })
}

#[tokio::test]
async fn no_response_to_a_sign_in_makes_an_error_show_a_secret() {
    let seen = Seen::default();
    let _log = seen.log_everything();
    let stub = Stub::start();
    let registered = format!(
        "{{\"clientId\": \"client\", \"clientSecret\": \"{CLIENT_SECRET}\", \
         \"clientSecretExpiresAt\": 4070908800}}"
    );
    let mut failed = BTreeMap::<_, u32>::new();
    for response in raw_responses() {
        stub.respond_raw(response);
        // A home of its own, because a registration is kept there.
        let login = Login::new();
        let manager = || login.of(stub.builder().retry_config(RetryConfig::disabled()));
        stub.reset_at(REGISTER);
        login.token("2099-01-01T00:00:00Z");
        let registration = manager().sso_login().prompt(person()).await.map(drop);
        let roles = manager().sso_roles().collect().await.map(drop);
        let logout = manager().sso_logout().await.map(drop);
        stub.respond_at(REGISTER, &registered);
        let device = manager().sso_login().device_code();
        let device = device.prompt(person()).await.map(drop);
        let code = manager().sso_login().prompt(person()).await.map(drop);
        for (step, outcome) in [
            ("could not register a client", registration),
            ("could not list the accounts", roles),
            ("could not sign out", logout),
            ("could not start the sign-in", device),
            ("could not get the token", code),
        ] {
            if let Err(error) = outcome {
                seen.error(&error);
                *failed.entry(step).or_default() += u32::from(error.to_string().contains(step));
            }
        }
    }
    let every_step = failed.len() == 5 && failed.values().all(|errors| *errors > 80);
    assert!(every_step, "{failed:?}");
    assert_shows_no_secret(&seen);
}

#[tokio::test]
async fn no_response_about_accounts_makes_an_error_show_a_secret() {
    let seen = Seen::default();
    let _log = seen.log_everything();
    let stub = Stub::start();
    let mut requests = 0;
    for response in raw_responses() {
        stub.respond_raw(response);
        let keys = stub.builder().keys("AKIASTUB", KEY);
        let keys = keys.retry_config(RetryConfig::disabled()).build();
        let accounts = Fleet::from_organization(&keys, "Audit").within(["ou-1"]);
        let fleet = Fleet::from_organization(&keys, "Audit").await.map(drop);
        for outcome in [
            keys.aws_account_alias().await.map(drop),
            fleet,
            accounts.await.map(drop),
        ] {
            if let Err(error) = outcome {
                seen.error(&error);
                requests += 1;
            }
        }
    }
    assert!(requests > 200, "{requests}");
    assert_shows_no_secret(&seen);
}

//! Access keys of a profile that are read again when its file has changed.

use std::fmt;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_types::SdkConfig;
use futures_core::future::BoxFuture;
use tokio::sync::Mutex;

use super::provider::CredentialProvider;
use crate::environment::Environment;
use crate::error::{Error, ErrorKind};
use crate::identity::CallerIdentity;
use crate::profile::{self, File, Profiles};
use crate::transport::time_limits;
use crate::validation::{self, KeySettingNames};

/// How often the file is read while the keys are in use. Nobody can delete the old key of a rotation
/// sooner than the programs that use it have noticed the new one, and a minute is little for that.
const EVERY: Duration = Duration::from_secs(60);

/// After this time, keys that have changed are read once more: by then, a program that writes a file
/// piece by piece has written both halves.
const SETTLED_AFTER: Duration = Duration::from_secs(1);

/// What reading the file may take.
const READING: Duration = Duration::from_secs(5);

/// The access keys of a profile. Keys that take their place are of the same account, or are not used.
pub(crate) struct ReloadedKeys<R = ProfileKeys> {
    profile: String,
    read: R,
    sts: SdkConfig,
    in_use: Mutex<Option<InUse>>,
}

struct InUse {
    keys: Credentials,
    account: String,
}

/// Where keys are read.
pub(crate) trait ReadKeys: Send + Sync + 'static {
    fn read(&self) -> BoxFuture<'_, Result<Credentials, Error>>;
}

/// The keys of a profile in one of the profile files. Both halves come from one read.
pub(crate) struct ProfileKeys {
    pub(crate) environment: Environment,
    pub(crate) profile: String,
    pub(crate) file: File,
}

impl ProfileKeys {
    async fn keys(&self) -> Result<Credentials, Error> {
        let profiles = Profiles::load_blocking(&self.environment).await?;
        let profile = profiles.require(&self.profile)?;
        let keys = profile::static_keys(&profile, self.file)?.ok_or_else(|| {
            let message = format!(
                "profile {:?} has no aws_access_key_id in {} any more: add it there",
                self.profile, self.file
            );
            Error::new(ErrorKind::CredentialsUnavailable, message)
        })?;
        validation::check(&keys, &KeySettingNames::of_profile(&self.profile))?;
        Ok(keys)
    }
}

impl ReadKeys for ProfileKeys {
    fn read(&self) -> BoxFuture<'_, Result<Credentials, Error>> {
        Box::pin(self.keys())
    }
}

impl<R: ReadKeys> ReloadedKeys<R> {
    /// `sts` says how STS is asked whose the keys are.
    pub(crate) fn new(profile: String, read: R, sts: SdkConfig) -> Self {
        Self {
            profile,
            read,
            sts,
            in_use: Mutex::default(),
        }
    }

    async fn current(&self) -> Result<Credentials, Error> {
        // Held during the request, so that one caller looks up the account of new keys.
        let mut in_use = self.in_use.lock().await;
        let keys = self.read.read().await?;
        if let Some(in_use) = &*in_use {
            // The account of unchanged keys is known, so a check costs no request.
            if same(&keys, &in_use.keys) {
                return Ok(keys);
            }
            // A program may write the two halves of a key one after the other: new keys count
            // once two reads agree.
            tokio::time::sleep(SETTLED_AFTER).await;
            if !same(&keys, &self.read.read().await?) {
                let message = format!(
                    "another program is changing the keys of profile {:?}: try again",
                    self.profile
                );
                return Err(Error::new(ErrorKind::CredentialsUnavailable, message));
            }
        }
        // It needs no permission, and fails for keys that AWS does not accept: the old ones then
        // stay in use.
        let account = CallerIdentity::of(&keys, &self.sts).await?;
        let account = account.account().to_owned();
        match &*in_use {
            Some(in_use) if in_use.account != account => {
                return Err(Error::new(
                    ErrorKind::AccountMismatch,
                    format!(
                        "the new keys of profile {:?} belong to account {account}, and the ones in use \
                         to account {}: nothing was sent; use another profile for another account, or \
                         call clear_cache()",
                        self.profile, in_use.account
                    ),
                ));
            }
            Some(_) => tracing::info!(
                profile = self.profile,
                access_key_id = keys.access_key_id(),
                "using the new keys of a profile"
            ),
            None => {}
        }
        *in_use = Some(InUse {
            keys: keys.clone(),
            account,
        });
        Ok(keys)
    }
}

impl<R: ReadKeys> CredentialProvider for ReloadedKeys<R> {
    fn provide(&self) -> BoxFuture<'_, Result<Credentials, Error>> {
        Box::pin(self.current())
    }

    fn step(&self) -> String {
        format!("the keys of profile {:?}", self.profile)
    }

    fn limit(&self) -> Duration {
        let look_up = time_limits::of_request(&self.sts);
        // Keys that have changed are read twice.
        look_up.saturating_add(2 * READING + SETTLED_AFTER)
    }

    fn check_every(&self) -> Option<Duration> {
        Some(EVERY)
    }
}

fn same(one: &Credentials, other: &Credentials) -> bool {
    let parts = |keys: &Credentials| {
        let token = keys.session_token().map(str::to_owned);
        (keys.access_key_id().to_owned(), token)
    };
    one.secret_access_key() == other.secret_access_key() && parts(one) == parts(other)
}

impl<R> fmt::Debug for ReloadedKeys<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReloadedKeys")
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use aws_smithy_runtime_api::client::http::{
        HttpConnectorFuture, SharedHttpConnector, http_client_fn,
    };
    use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
    use aws_smithy_types::body::SdkBody;

    use super::*;
    use crate::credentials::Refresher;
    use crate::credentials::assume_role::AssumedRole;
    use crate::credentials::role_request::RoleRequest;
    use crate::credentials::testing::Clock;
    use crate::session::sdk_config::with_required_parts;
    use crate::session::settings::Settings;
    use crate::sync::engine::Engine;

    /// What the file has at each read; the last one stays. Clones are the same file.
    #[derive(Clone, Default)]
    struct Reads {
        next: Arc<parking_lot::Mutex<VecDeque<(&'static str, &'static str)>>>,
        count: Arc<AtomicUsize>,
    }

    impl Reads {
        fn then(&self, reads: &[(&'static str, &'static str)]) {
            *self.next.lock() = reads.iter().copied().collect();
        }

        fn count(&self) -> usize {
            self.count.load(Ordering::SeqCst)
        }
    }

    impl ReadKeys for Reads {
        fn read(&self) -> BoxFuture<'_, Result<Credentials, Error>> {
            self.count.fetch_add(1, Ordering::SeqCst);
            let mut reads = self.next.lock();
            let read = match reads.len() {
                1 => reads.front().copied(),
                _ => reads.pop_front(),
            };
            Box::pin(async move {
                let (id, secret) =
                    read.ok_or_else(|| Error::new(ErrorKind::InvalidConfig, "malformed"))?;
                Ok(Credentials::new(id, secret, None, None, "test"))
            })
        }
    }

    const ROLE: &str = "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>role</AccessKeyId>\
        <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
        <Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";

    /// An STS that knows the keys `1..` and `2..` by their first letter, which is their account.
    fn sts() -> SdkConfig {
        let answer = |request: HttpRequest| {
            let signature = request.headers().get("authorization").unwrap();
            let (_, id) = signature.split_once("Credential=").unwrap();
            let sent = request.body().bytes().unwrap_or_default();
            let sent = String::from_utf8_lossy(sent);
            let (status, body) = match &id[..1] {
                "1" | "r" if sent.contains("Action=AssumeRole") => (200, ROLE.to_owned()),
                account @ ("1" | "2") => (
                    200,
                    format!(
                        "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::{account}:user/u</Arn>\
                         <UserId>U</UserId><Account>{account}</Account></GetCallerIdentityResult>\
                         </GetCallerIdentityResponse>"
                    ),
                ),
                _ => (
                    403,
                    "<ErrorResponse><Error><Code>InvalidClientTokenId</Code></Error></ErrorResponse>".to_owned(),
                ),
            };
            let response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
            HttpConnectorFuture::ready(Ok(response))
        };
        let connector = SharedHttpConnector::new(Connector(answer));
        let config = SdkConfig::builder()
            .region(aws_config::Region::from_static("us-east-1"))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build();
        with_required_parts(&config, &Settings::default()).expect("no proxy is set")
    }

    struct Connector<F>(F);

    impl<F> fmt::Debug for Connector<F> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Connector")
        }
    }

    impl<F> aws_smithy_runtime_api::client::http::HttpConnector for Connector<F>
    where
        F: Fn(HttpRequest) -> HttpConnectorFuture + Send + Sync,
    {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            (self.0)(request)
        }
    }

    struct Fixture {
        clock: Clock,
        reads: Reads,
        refresher: Refresher,
    }

    impl Fixture {
        fn new() -> Self {
            let (clock, reads) = (Clock::new(), Reads::default());
            let keys = ReloadedKeys::new("p".to_owned(), reads.clone(), sts());
            let refresher = Refresher::on(Engine::Current, Arc::new(keys), clock.shared());
            Self {
                clock,
                reads,
                refresher,
            }
        }

        async fn id(&self) -> Result<String, ErrorKind> {
            let keys = self.refresher.credentials().await;
            let keys = keys.map_err(|error| error.kind())?;
            assert_eq!(keys.expiry(), None);
            Ok(keys.access_key_id().to_owned())
        }

        /// Lets the time pass until the file is read, and returns what is used after that.
        async fn after_a_check(&self) -> Result<String, ErrorKind> {
            self.clock.advance(EVERY.as_secs() + 10);
            let _ = self.id().await;
            // Longer than the check takes, and shorter than the time to the next one: the time is paused.
            tokio::time::sleep(EVERY / 2).await;
            self.id().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn new_keys_of_the_same_account_are_used_within_a_minute() {
        let keys = Fixture::new();
        keys.reads.then(&[("1a", "s")]);
        assert_eq!(keys.id().await.unwrap(), "1a");
        keys.reads.then(&[("1b", "t")]);
        keys.clock.advance(EVERY.as_secs() - 1);
        for _ in 0..100 {
            assert_eq!(keys.id().await.unwrap(), "1a");
            // A read in the background would run here.
            tokio::task::yield_now().await;
        }
        assert_eq!(keys.reads.count(), 1);
        assert_eq!(keys.after_a_check().await.unwrap(), "1b");
        assert_eq!(keys.after_a_check().await.unwrap(), "1b");
        assert_eq!(keys.reads.count(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_back_delays_no_check() {
        let keys = Fixture::new();
        keys.reads.then(&[("1a", "s")]);
        assert_eq!(keys.id().await.unwrap(), "1a");
        keys.reads.then(&[("1b", "t")]);
        keys.clock.set_back(86_400);
        tokio::time::sleep(EVERY).await;
        assert_eq!(keys.id().await.unwrap(), "1a");
        tokio::time::sleep(EVERY / 2).await;
        assert_eq!(keys.id().await.unwrap(), "1b");
    }

    #[tokio::test(start_paused = true)]
    async fn keys_of_another_account_fail_the_manager_until_they_are_gone() {
        let keys = Fixture::new();
        keys.reads.then(&[("1a", "s")]);
        assert_eq!(keys.id().await.unwrap(), "1a");
        keys.reads.then(&[("2a", "s")]);
        assert_eq!(
            keys.after_a_check().await.unwrap_err(),
            ErrorKind::AccountMismatch
        );
        assert_eq!(
            keys.after_a_check().await.unwrap_err(),
            ErrorKind::AccountMismatch
        );
        keys.reads.then(&[("1b", "s")]);
        assert_eq!(keys.after_a_check().await.unwrap(), "1b");
    }

    /// A role that is assumed with the keys, and a role that is assumed with that one.
    #[tokio::test(start_paused = true)]
    async fn keys_of_another_account_fail_the_roles_that_are_in_use_until_they_are_gone() {
        let keys = Fixture::new();
        keys.reads.then(&[("1a", "s")]);
        let role_of = |parent: &Refresher| {
            let request = RoleRequest {
                role_arn: "arn:aws:iam::333333333333:role/R".to_owned(),
                ..RoleRequest::default()
            };
            let role = AssumedRole::new(request, parent, &sts(), None);
            Refresher::on(Engine::Current, Arc::new(role), keys.clock.shared())
        };
        let role = role_of(&keys.refresher);
        let chained = role_of(&role);
        let used = async |role: &Refresher| {
            let used = role.credentials().await.map_err(|error| error.kind());
            used.map(|used| used.access_key_id().to_owned())
        };
        // Only the role is used.
        let after_a_check = async |role: &Refresher| {
            keys.clock.advance(EVERY.as_secs() + 10);
            let _ = used(role).await;
            tokio::time::sleep(EVERY / 2).await;
            used(role).await
        };
        assert_eq!(used(&role).await.unwrap(), "role");
        assert_eq!(after_a_check(&role).await.unwrap(), "role");
        let reads = keys.reads.count();
        assert_eq!(used(&role).await.unwrap(), "role");
        assert_eq!(keys.reads.count(), reads);
        for role in [&role, &chained] {
            assert_eq!(used(role).await.unwrap(), "role");
            keys.reads.then(&[("2a", "s")]);
            for _ in 0..2 {
                let mismatch = after_a_check(role).await.unwrap_err();
                assert_eq!(mismatch, ErrorKind::AccountMismatch);
            }
            // Malformed, or in the middle of a change: still not those of the account.
            keys.reads.then(&[]);
            assert!(after_a_check(role).await.is_err());
            keys.reads.then(&[("1b", "s")]);
            assert_eq!(after_a_check(role).await.unwrap(), "role");
        }
        // Keys that cannot be read leave the role in use, as they do themselves.
        keys.reads.then(&[]);
        assert_eq!(after_a_check(&role).await.unwrap(), "role");
    }

    #[tokio::test(start_paused = true)]
    async fn half_of_a_pair_is_never_used() {
        let keys = Fixture::new();
        keys.reads.then(&[("1a", "s")]);
        assert_eq!(keys.id().await.unwrap(), "1a");
        keys.reads.then(&[("1b", "s"), ("1b", "t"), ("1a", "s")]);
        assert_eq!(keys.after_a_check().await.unwrap(), "1a");
        // The secret alone has changed.
        keys.reads.then(&[("1a", "t")]);
        assert_eq!(keys.after_a_check().await.unwrap(), "1a");
        let secret = keys.refresher.credentials().await.unwrap();
        assert_eq!(secret.secret_access_key(), "t");
    }

    #[tokio::test(start_paused = true)]
    async fn keys_that_cannot_be_read_or_that_aws_rejects_leave_the_old_ones_in_use() {
        let keys = Fixture::new();
        keys.reads.then(&[("1a", "s")]);
        assert_eq!(keys.id().await.unwrap(), "1a");
        for broken in [&[][..], &[("3a", "s")][..]] {
            keys.reads.then(broken);
            assert_eq!(keys.after_a_check().await.unwrap(), "1a");
        }
        keys.reads.then(&[("1b", "s")]);
        assert_eq!(keys.after_a_check().await.unwrap(), "1b");
    }
}

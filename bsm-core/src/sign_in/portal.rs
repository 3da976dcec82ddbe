//! What a login gives: the accounts and roles of its user. And its end.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sso::types::AccountInfo;
use serde::Deserialize;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::credentials::cli_cache::CliCache;
use crate::credentials::sso::{SsoTokenProvider, TokenFile};
use crate::error::{Error, ErrorKind};
use crate::session::Session;
use crate::session::sso::SsoAccess;
use crate::small_file;
use crate::transport;

/// The time between two requests: the portal answers 20 a second.
///
/// Source: [IAM Identity Center quotas](https://docs.aws.amazon.com/singlesignon/latest/userguide/limits.html).
const INTERVAL: Duration = Duration::from_millis(50);

/// How many entries of the AWS CLI's cache are looked at.
const MAX_ENTRIES: usize = 10_000;

/// The longest entry that is read.
const MAX_BYTES: u64 = 1024 * 1024;

/// A role that the user of a login may have.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SsoRole {
    /// The twelve digits of the account.
    pub account_id: String,
    /// The name of the account; empty if it has none.
    pub account_name: String,
    /// The name of the role, as `sso_role_name` has it.
    pub role_name: String,
}

/// The roles of a login, account after account; see
/// [`BotoSesManager::sso_roles`](crate::BotoSesManager::sso_roles).
///
/// At most 20 requests a second are sent, which is what the portal answers; a throttled one is repeated.
#[must_use = "nothing is sent before the first role is asked for"]
pub struct SsoRoles {
    session: Arc<Session>,
    sso_session: Option<String>,
    portal: Option<Portal>,
    accounts: Pages<AccountInfo>,
    roles: Pages<SsoRole>,
}

/// What is left of a list that comes in pages.
struct Pages<T> {
    read: VecDeque<T>,
    next: Next,
}

enum Next {
    First,
    Token(String),
    End,
}

/// A login at the portal.
struct Portal {
    client: aws_sdk_sso::Client,
    token: Zeroizing<String>,
    sent: Option<Instant>,
}

impl SsoRoles {
    pub(crate) fn new(session: Arc<Session>) -> Self {
        Self {
            session,
            sso_session: None,
            portal: None,
            accounts: Pages::new(Next::First),
            roles: Pages::new(Next::End),
        }
    }

    /// Reads the roles of the `sso-session` section of this name, instead of those of the manager's profile.
    pub fn sso_session(mut self, name: impl Into<String>) -> Self {
        self.sso_session = Some(name.into());
        self
    }

    /// Returns the next role, or `None` after the last one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SignInRequired`] if there is no login, or it has expired; and what the requests
    /// to the portal fail with. The next call resumes where this one failed.
    pub async fn next(&mut self) -> Result<Option<SsoRole>, Error> {
        if self.portal.is_none() {
            self.portal = Some(Portal::open(&self.session, self.sso_session.as_deref()).await?);
        }
        let portal = self.portal.as_mut().expect("it has just been opened");
        loop {
            if let Some(role) = self.roles.read.pop_front() {
                return Ok(Some(role));
            }
            match (&self.roles.next, self.accounts.read.front()) {
                (Next::End, _) => {}
                (next, Some(account)) => {
                    let page = portal.roles(account, next).await?;
                    // Set only on success, so that the next call repeats a failed request.
                    self.roles = page;
                    continue;
                }
                (_, None) => self.roles.next = Next::End,
            }
            // All roles of this account have been returned.
            self.accounts.read.pop_front();
            if self.accounts.read.is_empty() {
                if let Next::End = self.accounts.next {
                    return Ok(None);
                }
                self.accounts = portal.accounts(&self.accounts.next).await?;
            }
            if !self.accounts.read.is_empty() {
                self.roles.next = Next::First;
            }
        }
    }

    /// Reads all roles.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub async fn collect(mut self) -> Result<Vec<SsoRole>, Error> {
        let mut roles = Vec::new();
        while let Some(role) = self.next().await? {
            roles.push(role);
        }
        Ok(roles)
    }
}

impl fmt::Debug for SsoRoles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SsoRoles").finish_non_exhaustive()
    }
}

impl<T> Pages<T> {
    fn new(next: Next) -> Self {
        let read = VecDeque::new();
        Self { read, next }
    }

    /// `before` is the token that led to this page. The same one again would be a list without an end.
    fn page(read: Vec<T>, next: Option<String>, before: &Next) -> Self {
        let next = next.filter(|next| !next.is_empty());
        let next = match (next, before) {
            (Some(next), Next::Token(before)) if next == *before => Next::End,
            (Some(next), _) => Next::Token(next),
            (None, _) => Next::End,
        };
        Self {
            read: read.into(),
            next,
        }
    }
}

impl Next {
    fn token(&self) -> Option<String> {
        match self {
            Self::Token(token) => Some(token.clone()),
            Self::First | Self::End => None,
        }
    }
}

impl Portal {
    async fn open(session: &Session, sso_session: Option<&str>) -> Result<Self, Error> {
        let access = session.sso_access(sso_session).await?;
        let client = transport::client(&access.config, aws_sdk_sso::Client::new)?;
        let token = access.login()?.access_token().await?;
        Ok(Self {
            client,
            token,
            sent: None,
        })
    }

    async fn accounts(&mut self, page: &Next) -> Result<Pages<AccountInfo>, Error> {
        self.pace().await;
        let call = self.client.list_accounts();
        let call = call
            .access_token(self.token.as_str())
            .set_next_token(page.token());
        let answer = transport::unlogged(call.send()).await;
        let answer = answer.map_err(|error| {
            transport::failed("list the accounts of the login", error, &[&self.token])
        })?;
        let accounts = answer.account_list.unwrap_or_default();
        Ok(Pages::page(accounts, answer.next_token, page))
    }

    async fn roles(&mut self, account: &AccountInfo, page: &Next) -> Result<Pages<SsoRole>, Error> {
        self.pace().await;
        let account_id = account.account_id().unwrap_or_default();
        let call = self.client.list_account_roles().account_id(account_id);
        let call = call
            .access_token(self.token.as_str())
            .set_next_token(page.token());
        let answer = transport::unlogged(call.send()).await.map_err(|error| {
            let doing = format!("list the roles of the login in account {account_id}");
            transport::failed(&doing, error, &[&self.token])
        })?;
        let roles = answer.role_list.unwrap_or_default().into_iter();
        let roles = roles.filter_map(|role| {
            Some(SsoRole {
                account_id: account_id.to_owned(),
                account_name: account.account_name().unwrap_or_default().to_owned(),
                role_name: role.role_name?,
            })
        });
        Ok(Pages::page(roles.collect(), answer.next_token, page))
    }

    async fn pace(&mut self) {
        if let Some(sent) = self.sent {
            tokio::time::sleep_until(sent + INTERVAL).await;
        }
        // Before the request: the quota counts requests, however long each of them takes.
        self.sent = Some(Instant::now());
    }
}

impl SsoAccess {
    fn login(&self) -> Result<SsoTokenProvider, Error> {
        SsoTokenProvider::new(
            self.session.clone(),
            self.profile.clone(),
            Some(self.home.clone()),
            self.config.clone(),
        )
    }
}

/// Ends a login: at the portal, and then in the files. Returns `false` if there was none.
pub(crate) async fn sign_out(session: &Session) -> Result<bool, Error> {
    let access = session.sso_access(None).await?;
    let file = TokenFile::in_home(&access.home, &access.session);
    // A file without a readable token is removed all the same.
    if let Ok(token) = file.read().await {
        let client = transport::client(&access.config, aws_sdk_sso::Client::new)?;
        let call = client.logout().access_token(token.access_token.as_str());
        match transport::unlogged(call.send()).await {
            Ok(_) => {}
            // It has expired, or was ended elsewhere.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_unauthorized_exception()) => {}
            // The files stay, so that it can be tried again.
            Err(error) => {
                let secrets = [token.access_token.as_str()];
                return Err(transport::failed("sign out", error, &secrets));
            }
        }
    }
    let removed = file.remove().await.map_err(|error| {
        let path = file.path().display();
        let message =
            format!("the login is over, but its file {path} cannot be removed: delete it");
        Error::new(ErrorKind::File, message).with_source(error)
    })?;
    // After the token, without which no program can fill the cache again.
    let of_the_cli = CliCache::new().open_store(Some(access.home.clone()));
    let caches = of_the_cli.into_iter().chain(session.settings.cli_cache());
    let caches: BTreeSet<_> = caches.map(|cache| cache.directory().to_owned()).collect();
    small_file::blocking(move || caches.iter().for_each(|cache| remove_roles(cache))).await?;
    Ok(removed)
}

/// Removes the credentials of SSO roles from the AWS CLI's cache, as `aws sso logout` does: an entry does not
/// say which login it is of.
fn remove_roles(cache: &Path) {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Entry {
        provider_type: String,
    }
    let is_of_sso = |path: &PathBuf| {
        let text = small_file::read(path, MAX_BYTES).ok()?;
        let entry: Entry = serde_json::from_str(&text).ok()?;
        Some(entry.provider_type == "sso")
    };
    let entries = std::fs::read_dir(cache).into_iter().flatten();
    let paths = entries
        .take(MAX_ENTRIES)
        .flatten()
        .map(|entry| entry.path());
    let paths = paths.filter(|path| path.extension().is_some_and(|it| it == "json"));
    for path in paths.filter(|path| is_of_sso(path) == Some(true)) {
        if let Err(error) = std::fs::remove_file(&path) {
            tracing::debug!(%error, path = %path.display(), "a cached SSO role could not be removed");
        }
    }
}

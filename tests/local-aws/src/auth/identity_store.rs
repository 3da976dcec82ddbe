//! The identities of a server: access keys, both static and temporary, and roles.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::{Mutex, RwLock};

use crate::error::Error;
use crate::ids;
use crate::layout::{Account, MfaDevice, MfaUse, Role, User, denies};
use crate::secret::Secret;
use crate::session::Session;

/// The identities of the configured accounts, and the temporary credentials issued since.
#[derive(Debug)]
pub(crate) struct IdentityStore {
    aliases: HashMap<String, Option<String>>,
    roles: HashMap<String, RoleEntry>,
    keys: RwLock<HashMap<String, Arc<AccessKey>>>,
    sessions: RwLock<Vec<Session>>,
    used_codes: Mutex<HashSet<(String, MfaUse)>>,
}

/// A role and its account.
#[derive(Debug)]
pub(crate) struct RoleEntry {
    pub(crate) account: String,
    pub(crate) arn: String,
    pub(crate) unique_id: String,
    pub(crate) role: Role,
}

/// An access key and the principal it belongs to.
#[derive(Debug)]
pub(crate) struct AccessKey {
    pub(crate) secret: Secret,
    /// Only for temporary credentials.
    pub(crate) session: Option<SessionCredentials>,
    pub(crate) identity: Identity,
}

/// The session token and the expiry of temporary credentials.
#[derive(Debug)]
pub(crate) struct SessionCredentials {
    pub(crate) token: Secret,
    pub(crate) expiration: SystemTime,
}

/// The principal behind an access key.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) account: String,
    pub(crate) arn: String,
    pub(crate) unique_id: String,
    pub(crate) access_key_id: String,
    pub(crate) mfa_device: Option<MfaDevice>,
    /// The session of temporary credentials.
    pub(crate) session: Option<Session>,
    deny: Vec<String>,
}

impl AccessKey {
    /// Returns the session token that requests must contain, if any.
    pub(crate) fn token(&self) -> Option<&str> {
        Some(self.session.as_ref()?.token.expose())
    }
}

impl Identity {
    /// Returns `true` if the identity-based policies deny `action`.
    pub(crate) fn is_denied(&self, action: &str) -> bool {
        denies(&self.deny, action)
    }

    /// Returns `true` if `principal` in a trust policy matches this identity.
    pub(crate) fn matches(&self, principal: &str) -> bool {
        let role_arn = self
            .session
            .as_ref()
            .and_then(|session| session.role_arn.as_deref());
        // In a trust policy an account number and its `:root` mean every principal of the account, and
        // the ARN of a role means every session of it.
        principal == "*"
            || principal == self.arn
            || principal == self.account
            || principal == format!("arn:aws:iam::{}:root", self.account)
            || role_arn == Some(principal)
    }

    /// Returns the same principal with temporary credentials.
    pub(crate) fn in_session(&self, session: Session) -> Self {
        let access_key_id = session.access_key_id.clone();
        Self {
            access_key_id,
            session: Some(session),
            ..self.clone()
        }
    }

    /// Returns `true` if the credentials were obtained with MFA.
    pub(crate) fn has_mfa(&self) -> bool {
        self.session
            .as_ref()
            .is_some_and(|session| session.mfa_authenticated)
    }
}

impl IdentityStore {
    /// Creates the store for the configured accounts.
    ///
    /// # Errors
    ///
    /// If an account id is malformed, or an account, user, role or access key occurs twice.
    pub(crate) fn new(accounts: &[Account]) -> Result<Self, Error> {
        let mut store = Self {
            aliases: HashMap::new(),
            roles: HashMap::new(),
            keys: RwLock::default(),
            sessions: RwLock::default(),
            used_codes: Mutex::default(),
        };
        for account in accounts {
            store.add_account(account)?;
        }
        Ok(store)
    }

    /// Looks up an access key.
    pub(crate) fn key(&self, access_key_id: &str) -> Option<Arc<AccessKey>> {
        self.keys.read().get(access_key_id).cloned()
    }

    /// Looks up a role by its ARN.
    pub(crate) fn role(&self, arn: &str) -> Option<&RoleEntry> {
        self.roles.get(arn)
    }

    /// Returns the alias of an account.
    pub(crate) fn alias(&self, account: &str) -> Option<&str> {
        self.aliases.get(account)?.as_deref()
    }

    /// Returns the sessions issued so far, oldest first.
    pub(crate) fn sessions(&self) -> Vec<Session> {
        self.sessions.read().clone()
    }

    /// Consumes an MFA code. Returns `true` if the code is correct and was not used before.
    pub(crate) fn consume_mfa_code(&self, device: &MfaDevice, code: &str, now: SystemTime) -> bool {
        // `insert` checks and records in one step: of two requests with one code, only one
        // succeeds.
        device.recognize(code, now).is_some_and(|mfa_use| {
            self.used_codes
                .lock()
                .insert((device.serial.clone(), mfa_use))
        })
    }

    /// Issues temporary credentials for `identity`, which must have a session.
    pub(crate) fn issue(&self, identity: Identity, minimum_token_size: usize) -> Arc<AccessKey> {
        let session = identity
            .session
            .clone()
            .expect("temporary credentials have a session");
        let key = Arc::new(AccessKey {
            secret: Secret::new(ids::secret_access_key()),
            session: Some(SessionCredentials {
                token: Secret::new(ids::session_token(minimum_token_size)),
                expiration: session.expiration,
            }),
            identity,
        });
        self.keys
            .write()
            .insert(session.access_key_id.clone(), Arc::clone(&key));
        self.sessions.write().push(session);
        key
    }

    /// Issues credentials of a role on behalf of a service of AWS, which needs no trust policy here.
    pub(crate) fn issue_role(
        &self,
        role: &RoleEntry,
        session_name: &str,
        now: SystemTime,
        lifetime: Duration,
    ) -> Arc<AccessKey> {
        let account = &role.account;
        let name = &role.role.name;
        let session = Session {
            access_key_id: ids::with_prefix("ASIA"),
            account: account.clone(),
            arn: format!("arn:aws:sts::{account}:assumed-role/{name}/{session_name}"),
            issued_to: session_name.to_owned(),
            role_arn: Some(role.arn.clone()),
            session_name: Some(session_name.to_owned()),
            issued_at: now,
            expiration: now + lifetime,
            external_id: None,
            mfa_authenticated: false,
            policy: None,
            policy_arns: Vec::new(),
            tags: BTreeMap::new(),
            transitive_tag_keys: Vec::new(),
            source_identity: None,
        };
        self.issue(role.session_identity(session), 0)
    }

    fn add_account(&mut self, account: &Account) -> Result<(), Error> {
        let id = &account.id;
        if id.len() != 12 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Error::accounts(format!(
                "account id {id:?} does not consist of twelve digits"
            )));
        }
        // Every account has an entry here, with or without an alias.
        if self
            .aliases
            .insert(id.clone(), account.alias.clone())
            .is_some()
        {
            return Err(Error::accounts(format!("account {id} occurs twice")));
        }
        let mut names = HashSet::new();
        // Users without a key are in no map, so their names are compared here.
        if let Some(user) = account.users.iter().find(|user| !names.insert(&user.name)) {
            let arn = User::arn(id, &user.name);
            return Err(Error::accounts(format!("user {arn} occurs twice")));
        }
        account
            .users
            .iter()
            .try_for_each(|user| self.add_user(id, user))?;
        account
            .roles
            .iter()
            .try_for_each(|role| self.add_role(id, role))
    }

    fn add_user(&mut self, account: &str, user: &User) -> Result<(), Error> {
        let name = &user.name;
        if let Some(problem) = user.mfa.as_ref().and_then(MfaDevice::problem) {
            let message = format!("the MFA device of user {name} in account {account}: {problem}");
            return Err(Error::accounts(message));
        }
        let (key_id, secret) = match (&user.access_key_id, &user.secret_access_key) {
            (Some(key_id), Some(secret)) => (key_id, secret),
            (None, None) => return Ok(()),
            _ => {
                let message = format!(
                    "user {name} in account {account} needs both access_key_id and secret_access_key, or \
                     neither"
                );
                return Err(Error::accounts(message));
            }
        };
        let identity = Identity {
            account: account.to_owned(),
            arn: User::arn(account, name),
            unique_id: ids::with_prefix("AIDA"),
            access_key_id: key_id.clone(),
            mfa_device: user.mfa.clone(),
            session: None,
            deny: user.deny.clone(),
        };
        let key = Arc::new(AccessKey {
            secret: secret.clone(),
            session: None,
            identity,
        });
        // Keys of all accounts share one map, because a key alone determines its account.
        match self.keys.get_mut().insert(key_id.clone(), key) {
            None => Ok(()),
            Some(_) => Err(Error::accounts(format!("access key {key_id} occurs twice"))),
        }
    }

    fn add_role(&mut self, account: &str, role: &Role) -> Result<(), Error> {
        let arn = role.arn(account);
        let entry = RoleEntry {
            account: account.to_owned(),
            arn: arn.clone(),
            unique_id: ids::with_prefix("AROA"),
            role: role.clone(),
        };
        match self.roles.insert(arn.clone(), entry) {
            None => Ok(()),
            Some(_) => Err(Error::accounts(format!("role {arn} occurs twice"))),
        }
    }
}

impl RoleEntry {
    /// Returns the principal of a session of this role.
    pub(crate) fn session_identity(&self, session: Session) -> Identity {
        let name = session.session_name.as_deref().unwrap_or_default();
        Identity {
            account: self.account.clone(),
            arn: session.arn.clone(),
            // AWS shows it as the user id of GetCallerIdentity, and CloudTrail as the principal id.
            unique_id: format!("{}:{name}", self.unique_id),
            access_key_id: session.access_key_id.clone(),
            mfa_device: None,
            deny: self.role.deny.clone(),
            session: Some(session),
        }
    }
}

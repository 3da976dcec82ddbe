//! Who exists: every access key, static or temporary, and every role, by the name requests use.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::{Mutex, RwLock};

use crate::accounts::{Account, Role, User, denies};
use crate::error::Error;
use crate::ids;
use crate::mfa::{MfaDevice, MfaUse};
use crate::secret::Secret;
use crate::session::Session;

/// The accounts a server was started with, and the credentials it has issued since.
#[derive(Debug)]
pub(crate) struct Directory {
    aliases: HashMap<String, Option<String>>,
    roles: HashMap<String, RoleEntry>,
    keys: RwLock<HashMap<String, Arc<Key>>>,
    sessions: RwLock<Vec<Session>>,
    used_codes: Mutex<HashSet<(String, MfaUse)>>,
}

/// A role and where it lives.
#[derive(Debug)]
pub(crate) struct RoleEntry {
    pub(crate) account: String,
    pub(crate) arn: String,
    pub(crate) unique_id: String,
    pub(crate) role: Role,
}

/// An access key, and whose it is.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) secret: Secret,
    /// What only temporary credentials have.
    pub(crate) temporary: Option<Temporary>,
    pub(crate) identity: Identity,
}

/// The session token of temporary credentials, and their end.
#[derive(Debug)]
pub(crate) struct Temporary {
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
    /// The session that issued the key, for temporary credentials.
    pub(crate) session: Option<Session>,
    deny: Vec<String>,
}

impl Key {
    /// Returns the session token that requests must carry, if any.
    pub(crate) fn token(&self) -> Option<&str> {
        Some(self.temporary.as_ref()?.token.reveal())
    }
}

impl Identity {
    /// Tells whether an identity policy denies `action`.
    pub(crate) fn is_denied(&self, action: &str) -> bool {
        denies(&self.deny, action)
    }

    /// Tells whether this is `principal` as a trust policy would write it.
    pub(crate) fn matches(&self, principal: &str) -> bool {
        let role_arn = self
            .session
            .as_ref()
            .and_then(|session| session.role_arn.as_deref());
        principal == "*"
            || principal == self.arn
            || principal == self.account
            || principal == format!("arn:aws:iam::{}:root", self.account)
            || role_arn == Some(principal)
    }

    /// Returns the same principal with temporary credentials of its own.
    pub(crate) fn in_session(&self, session: Session) -> Self {
        let access_key_id = session.access_key_id.clone();
        Self {
            access_key_id,
            session: Some(session),
            ..self.clone()
        }
    }

    /// Tells whether MFA was used to get these credentials.
    pub(crate) fn has_mfa(&self) -> bool {
        self.session
            .as_ref()
            .is_some_and(|session| session.mfa_authenticated)
    }
}

impl Directory {
    /// Builds the directory.
    ///
    /// # Errors
    ///
    /// If an account number is malformed, or two things have the same name.
    pub(crate) fn new(accounts: &[Account]) -> Result<Self, Error> {
        let mut directory = Self {
            aliases: HashMap::new(),
            roles: HashMap::new(),
            keys: RwLock::default(),
            sessions: RwLock::default(),
            used_codes: Mutex::default(),
        };
        for account in accounts {
            directory.add_account(account)?;
        }
        Ok(directory)
    }

    /// Looks an access key up.
    pub(crate) fn key(&self, access_key_id: &str) -> Option<Arc<Key>> {
        self.keys.read().get(access_key_id).cloned()
    }

    /// Looks a role up by its ARN.
    pub(crate) fn role(&self, arn: &str) -> Option<&RoleEntry> {
        self.roles.get(arn)
    }

    /// Returns an account's alias.
    pub(crate) fn alias(&self, account: &str) -> Option<&str> {
        self.aliases.get(account)?.as_deref()
    }

    /// Returns every session issued so far, oldest first.
    pub(crate) fn sessions(&self) -> Vec<Session> {
        self.sessions.read().clone()
    }

    /// Uses up an MFA code, and tells whether it was right and new.
    pub(crate) fn accept_mfa(&self, device: &MfaDevice, code: &str, now: SystemTime) -> bool {
        device.recognize(code, now).is_some_and(|mfa_use| {
            self.used_codes
                .lock()
                .insert((device.serial.clone(), mfa_use))
        })
    }

    /// Issues temporary credentials for `identity`, valid for `session.duration` from
    /// `session.issued_at`.
    pub(crate) fn issue(&self, identity: Identity, minimum_token_size: usize) -> Arc<Key> {
        let session = identity
            .session
            .clone()
            .expect("temporary credentials have a session");
        let key = Arc::new(Key {
            secret: Secret::new(ids::secret_access_key()),
            temporary: Some(Temporary {
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

    fn add_account(&mut self, account: &Account) -> Result<(), Error> {
        let id = &account.id;
        if id.len() != 12 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Error::accounts(format!(
                "account id {id:?} is not twelve digits"
            )));
        }
        if self
            .aliases
            .insert(id.clone(), account.alias.clone())
            .is_some()
        {
            return Err(Error::accounts(format!("account {id} is described twice")));
        }
        let mut names = HashSet::new();
        if let Some(user) = account.users.iter().find(|user| !names.insert(&user.name)) {
            let arn = user_arn(id, &user.name);
            return Err(Error::accounts(format!("user {arn} is described twice")));
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
                let message = format!("user {name} in account {account} has half an access key");
                return Err(Error::accounts(message));
            }
        };
        let identity = Identity {
            account: account.to_owned(),
            arn: user_arn(account, name),
            unique_id: ids::unique("AIDA"),
            access_key_id: key_id.clone(),
            mfa_device: user.mfa.clone(),
            session: None,
            deny: user.deny.clone(),
        };
        let key = Arc::new(Key {
            secret: secret.clone(),
            temporary: None,
            identity,
        });
        match self.keys.get_mut().insert(key_id.clone(), key) {
            None => Ok(()),
            Some(_) => Err(Error::accounts(format!(
                "access key {key_id} is used twice"
            ))),
        }
    }

    fn add_role(&mut self, account: &str, role: &Role) -> Result<(), Error> {
        let arn = role.arn(account);
        let entry = RoleEntry {
            account: account.to_owned(),
            arn: arn.clone(),
            unique_id: ids::unique("AROA"),
            role: role.clone(),
        };
        match self.roles.insert(arn.clone(), entry) {
            None => Ok(()),
            Some(_) => Err(Error::accounts(format!("role {arn} is described twice"))),
        }
    }
}

impl RoleEntry {
    /// Describes the principal that a session of this role is.
    pub(crate) fn session_identity(&self, session: Session) -> Identity {
        let name = session.session_name.as_deref().unwrap_or_default();
        Identity {
            account: self.account.clone(),
            arn: session.arn.clone(),
            unique_id: format!("{}:{name}", self.unique_id),
            access_key_id: session.access_key_id.clone(),
            mfa_device: None,
            deny: self.role.deny.clone(),
            session: Some(session),
        }
    }
}

/// Returns the ARN of a user.
pub(crate) fn user_arn(account: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:user/{name}")
}

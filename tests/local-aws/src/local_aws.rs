//! The handle to a running local AWS, and its builder.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::{fmt, fs};

use serde_json::Value;
use sha1::{Digest as _, Sha1};

use crate::auth::IdentityStore;
use crate::call_log::{Call, CallLog};
use crate::clock::Clock;
use crate::dynamodb::Databases;
use crate::error::{Error, ErrorKind};
use crate::faults::Faults;
use crate::federation::SigninTokens;
use crate::layout::{Account, IdentityCenter, Layout, Organization, Profile, ROLE_PATH, Role};
use crate::metadata::{ContainerRole, Machine};
use crate::organizations::Organizations;
use crate::profile_files;
use crate::secret::Secret;
use crate::server::{Server, ServerState};
use crate::session::Session;
use crate::sso::{Sso, SsoToken};
use crate::standard;
use crate::temporary::TemporaryFolder;

/// A running local AWS. Dropping it stops the server and discards all data.
///
/// The server has its own thread and runtime. It can be started in one `#[tokio::test]` and used
/// from another, or from code that is not async.
///
/// # Examples
///
/// ```
/// use bsm_local_aws::{LocalAws, standard};
///
/// let aws = LocalAws::standard().start_blocking()?;
/// assert!(aws.endpoint_url().starts_with("http://127.0.0.1:"));
/// assert!(aws.tables(standard::DEFAULT_ACCOUNT, standard::REGION).is_empty());
/// assert_eq!(aws.call_count("sts", "AssumeRole"), 0);
/// # Ok::<_, bsm_local_aws::Error>(())
/// ```
pub struct LocalAws {
    state: Arc<ServerState>,
    profiles: Vec<Profile>,
    accounts: Vec<Account>,
    endpoint_url: String,
    profile_dir: OnceLock<TemporaryFolder>,
    _server: Server,
}

/// Configures a local AWS before it is started.
///
/// # Examples
///
/// ```
/// use bsm_local_aws::{Account, LocalAws, Role, Trust, User};
///
/// let dev = "arn:aws:iam::111111111111:user/dev";
/// let user = User::new("dev").access_key("AKIALOCALEXAMPLE0001", "not-a-secret");
/// let aws = LocalAws::builder()
///     .account(Account::new("111111111111").user(user))
///     .account(Account::new("222222222222").role(Role::new("App").trust(Trust::principal(dev))))
///     .start_blocking()?;
/// # Ok::<_, bsm_local_aws::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct LocalAwsBuilder {
    accounts: Vec<Account>,
    profiles: Vec<Profile>,
    identity_center: Option<IdentityCenter>,
    organization: Option<Organization>,
    instance_role: Option<String>,
    instance_region: Option<String>,
    container: Option<ContainerRole>,
    session_name: Option<String>,
    clock: Clock,
    port: u16,
}

impl LocalAws {
    /// Starts a local AWS with the [`standard`] layout: three accounts, a user in the first, and a
    /// role in each of the others that the user may assume.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Server`] if the server cannot listen.
    pub async fn start() -> Result<Self, Error> {
        Self::standard().start().await
    }

    /// Returns a builder with the [`standard`] layout.
    pub fn standard() -> LocalAwsBuilder {
        Self::builder().layout(standard::layout())
    }

    /// Returns a builder without accounts.
    pub fn builder() -> LocalAwsBuilder {
        LocalAwsBuilder::default()
    }

    /// Returns the endpoint of all services, `http://127.0.0.1:PORT`.
    pub fn endpoint_url(&self) -> &str {
        &self.endpoint_url
    }

    /// Returns the server's clock. Moving it moves the server's time.
    pub fn clock(&self) -> Clock {
        self.state.clock.clone()
    }

    /// Returns the last 200,000 calls that reached the server, oldest first.
    pub fn calls(&self) -> Vec<Call> {
        self.state.calls.calls()
    }

    /// Returns how many calls of an operation reached the server, including failed ones:
    /// `aws.call_count("sts", "AssumeRole")`.
    pub fn call_count(&self, service: &str, operation: &str) -> usize {
        self.state.calls.count(service, operation)
    }

    /// Removes all calls from the log.
    pub fn clear_calls(&self) {
        self.state.calls.clear();
    }

    /// Returns the sessions that STS issued, oldest first.
    pub fn sessions(&self) -> Vec<Session> {
        self.state.identities.sessions()
    }

    /// Returns the active faults, to add or remove some.
    pub fn faults(&self) -> &Faults {
        &self.state.faults
    }

    /// Returns the stored items of a table, in no particular order and in DynamoDB's JSON
    /// (`{"id": {"S": "1"}}`). Returns `None` if the table does not exist.
    pub fn table_items(&self, account: &str, region: &str, table: &str) -> Option<Vec<Value>> {
        self.state.databases.items(account, region, table)
    }

    /// Returns the names of the tables in an account and region, sorted.
    pub fn tables(&self, account: &str, region: &str) -> Vec<String> {
        self.state.databases.tables(account, region)
    }

    /// Returns the keys of the objects in a bucket that begin with `prefix`, sorted. Returns an empty
    /// list if the bucket does not exist.
    #[cfg(feature = "s3")]
    pub fn object_keys(&self, bucket: &str, prefix: &str) -> Vec<String> {
        self.state.s3.keys(bucket, prefix)
    }

    /// Returns an object of S3, or `None` if it does not exist.
    #[cfg(feature = "s3")]
    pub fn object(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        self.state.s3.read(bucket, key).ok()
    }

    /// Deletes the items whose time to live has passed and returns their number.
    ///
    /// AWS deletes expired items within a few days. The local AWS deletes them only when this method
    /// is called.
    pub fn sweep_expired_items(&self) -> usize {
        self.state.databases.sweep_expired_items()
    }

    /// Writes the files `config` and `credentials`, as in `~/.aws`, into a directory, which is
    /// created if it does not exist.
    ///
    /// Every profile contains the endpoint of the server, so clients need no other setting.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::File`] if a file cannot be written, or exists and was
    ///   not written by this method.
    /// - [`ErrorKind::Accounts`] if a profile refers to a user that has
    ///   no access key.
    pub fn write_profiles(&self, directory: impl AsRef<Path>) -> Result<(), Error> {
        profile_files::write(
            directory.as_ref(),
            &self.profiles,
            &self.accounts,
            &self.endpoint_url,
            self.state.sso.center(),
        )
    }

    /// Returns a temporary directory with the profile files `config` and `credentials`; see
    /// [`write_profiles`](Self::write_profiles). It is removed with the server.
    ///
    /// With bsm-core, the server is all that a test has to keep:
    ///
    /// ```ignore
    /// let aws = LocalAws::start().await?;
    /// let staging = BotoSesManager::builder()
    ///     .profile_dir(aws.profile_dir()?)
    ///     .environment([]) // not that of the machine; requires the feature test-util
    ///     .time_source(aws.clock())
    ///     .profile_name("staging")
    ///     .build();
    /// ```
    ///
    /// # Errors
    ///
    /// As [`write_profiles`](Self::write_profiles).
    pub fn profile_dir(&self) -> Result<&Path, Error> {
        if let Some(directory) = self.profile_dir.get() {
            return Ok(directory.path());
        }
        let directory = TemporaryFolder::new().map_err(|error| {
            let message = "cannot create a temporary folder for the profile files";
            Error::new(ErrorKind::File, message).because(error)
        })?;
        self.write_profiles(directory.path())?;
        // Another thread may have been faster. Its directory has the same files.
        Ok(self.profile_dir.get_or_init(|| directory).path())
    }

    /// Signs the user of the Identity Center in, and returns the tokens. Returns `None` if there is no
    /// Identity Center.
    pub fn sso_sign_in(&self) -> Option<SsoToken> {
        self.state.sso.sign_in(&self.state.clock)
    }

    /// Signs the user of the Identity Center in, and writes the token file of the AWS CLI below a home
    /// directory. Returns its path.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Accounts`] if there is no Identity Center.
    /// - [`ErrorKind::File`] if the file cannot be written.
    pub fn write_sso_token(&self, home: impl AsRef<Path>) -> Result<PathBuf, Error> {
        let (Some(center), Some(token)) = (self.state.sso.center(), self.sso_sign_in()) else {
            return Err(Error::accounts("this server has no Identity Center"));
        };
        let directory = home.as_ref().join(".aws").join("sso").join("cache");
        // The AWS CLI names the file by the SHA-1 of the session's name.
        let digest = Sha1::digest(center.session_name.as_bytes());
        let name: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = directory.join(format!("{name}.json"));
        let written =
            fs::create_dir_all(&directory).and_then(|()| fs::write(&path, token.to_json()));
        match written {
            Ok(()) => Ok(path),
            Err(error) => {
                let message = format!("cannot write {}", path.display());
                Err(Error::new(ErrorKind::File, message).because(error))
            }
        }
    }

    /// Allows or denies the sign-ins on other devices that wait for the user. Returns their number.
    pub fn decide_devices(&self, allow: bool) -> usize {
        self.state.sso.decide(allow)
    }
}

impl fmt::Debug for LocalAws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalAws")
            .field("endpoint_url", &self.endpoint_url)
            .finish_non_exhaustive()
    }
}

impl LocalAwsBuilder {
    /// Adds an account.
    pub fn account(mut self, account: Account) -> Self {
        self.accounts.push(account);
        self
    }

    /// Adds a profile for [`LocalAws::write_profiles`].
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profiles.push(profile);
        self
    }

    /// Adds the accounts and profiles of a layout.
    pub fn layout(mut self, layout: Layout) -> Self {
        self.accounts.extend(layout.accounts);
        self.profiles.extend(layout.profiles);
        // A layout without one keeps what was set before.
        self.identity_center = layout.identity_center.or(self.identity_center);
        self.organization = layout.organization.or(self.organization);
        self
    }

    /// Sets the IAM Identity Center.
    pub fn identity_center(mut self, center: IdentityCenter) -> Self {
        self.identity_center = Some(center);
        self
    }

    /// Sets the organization. Members that are no accounts of the server are created.
    pub fn organization(mut self, organization: Organization) -> Self {
        self.organization = Some(organization);
        self
    }

    /// Sets the role of the EC2 instance that the server's metadata service speaks for, and the
    /// instance's region. The endpoint is [`LocalAws::endpoint_url`], also with a path behind it.
    pub fn instance_role(mut self, role_arn: impl Into<String>, region: impl Into<String>) -> Self {
        self.instance_role = Some(role_arn.into());
        self.instance_region = Some(region.into());
        self
    }

    /// Sets the role of the container, whose credentials are at `/v2/credentials/` and any name.
    pub fn container_role(mut self, role_arn: impl Into<String>) -> Self {
        self.container = Some(ContainerRole {
            role_arn: role_arn.into(),
            token: None,
        });
        self
    }

    /// As [`container_role`](Self::container_role), for requests with this `Authorization` only.
    pub fn container_role_with_token(
        mut self,
        role_arn: impl Into<String>,
        token: impl Into<String>,
    ) -> Self {
        self.container = Some(ContainerRole {
            role_arn: role_arn.into(),
            token: Some(Secret::new(token)),
        });
        self
    }

    /// Sets the role session name of the profiles that assume a role and don't set one themselves.
    ///
    /// The AWS CLI caches role sessions in `~/.aws/cli/cache` by role and session name, and would
    /// use a session of an earlier server. A new name for every server prevents that.
    pub fn session_name(mut self, name: impl Into<String>) -> Self {
        self.session_name = Some(name.into());
        self
    }

    /// Sets the clock. The default is a new clock, which starts at the machine's time.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the port. The default is 0, which means any free port.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Starts the server. It accepts requests as soon as this method returns.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Accounts`] if an account id is malformed, an
    ///   account, user, role or access key occurs twice, or an MFA device is invalid.
    /// - [`ErrorKind::Server`] if the server cannot listen.
    /// - [`ErrorKind::File`] if the temporary folder of S3 cannot be created
    ///   (feature `s3`).
    pub async fn start(self) -> Result<LocalAws, Error> {
        // Binding a port takes milliseconds, and the server has a runtime of its own.
        self.start_blocking()
    }

    /// Starts the server, for callers that are not async. It blocks for a few milliseconds.
    ///
    /// # Errors
    ///
    /// Those of [`start`](Self::start).
    pub fn start_blocking(mut self) -> Result<LocalAws, Error> {
        if let Some(name) = &self.session_name {
            self.profiles
                .iter_mut()
                .for_each(|profile| profile.default_session_name(name));
        }
        let mut accounts = self.accounts.clone();
        if let Some(center) = &self.identity_center {
            add_roles(center, &mut accounts)?;
        }
        if let Some(organization) = &self.organization {
            organization.add_members(&mut accounts);
        }
        let identities = IdentityStore::new(&accounts)?;
        #[cfg(feature = "s3")]
        let s3 = Arc::new(crate::s3::S3::new()?);
        let state = Arc::new(ServerState {
            identities,
            databases: Databases::new(
                self.clock.clone(),
                #[cfg(feature = "s3")]
                Arc::clone(&s3),
            ),
            clock: self.clock,
            faults: Faults::default(),
            calls: CallLog::default(),
            #[cfg(feature = "s3")]
            s3,
            signin_tokens: SigninTokens::default(),
            organizations: Organizations::new(self.organization),
            sso: Sso::new(self.identity_center),
            machine: Machine::new(self.instance_role, self.container, self.instance_region),
        });
        let server = Server::start(self.port, Arc::clone(&state))?;
        Ok(LocalAws {
            state,
            profiles: self.profiles,
            // The accounts as they were added: profile files contain keys of users, and what was
            // created above has none.
            accounts: self.accounts,
            endpoint_url: format!("http://{}", server.address()),
            profile_dir: OnceLock::new(),
            _server: server,
        })
    }
}

/// Creates the IAM roles of the assignments, as Identity Center does.
///
/// # Errors
///
/// If an account does not exist.
fn add_roles(center: &IdentityCenter, accounts: &mut [Account]) -> Result<(), Error> {
    for assignment in &center.assignments {
        let id = &assignment.account;
        let account = accounts.iter_mut().find(|account| account.id == *id);
        let Some(account) = account else {
            let message = format!("a role is assigned in account {id}, which does not exist");
            return Err(Error::accounts(message));
        };
        let role = Role::new(assignment.iam_role_name()).path(ROLE_PATH);
        account.roles.push(role);
    }
    Ok(())
}

//! Handing a session to another process: environment variables, commands, snapshots.

use std::ffi::OsStr;
use std::path::Path;

use aws_config::Region;

use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::export::{EnvVars, ExportedSession, SessionCommand, Snapshot, TempSnapshot};
use crate::manager::BotoSesManager;
use crate::small_file;

/// # Other processes
impl BotoSesManager {
    /// Returns the environment variables that give a child process this session.
    ///
    /// The credentials are a copy, and a child cannot refresh them. Before long work, ask for
    /// enough time with [`credentials_for`](Self::credentials_for).
    ///
    /// ```no_run
    /// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
    /// # let staging = bsm_core::BotoSesManager::new();
    /// let mut terraform = std::process::Command::new("terraform");
    /// terraform.arg("plan");
    /// staging.env_vars().await?.apply_to(&mut terraform);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`credentials`](Self::credentials), and [`ErrorKind::InvalidConfig`] if a value cannot
    /// be a variable's. A region is handed on if there is one.
    pub async fn env_vars(&self) -> Result<EnvVars, Error> {
        let variables = EnvVars::new(self.exported().await?)?;
        tracing::debug!(session = %self, ?variables, "created the environment of a child process");
        Ok(variables)
    }

    /// Returns a command whose process gets this session, whatever this process's environment is.
    ///
    /// It wraps tokio's command, so that waiting for the child does not hold up a thread of the
    /// runtime. [`into_std`](SessionCommand::into_std) converts it into the standard library's.
    ///
    /// ```no_run
    /// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
    /// # let staging = bsm_core::BotoSesManager::new();
    /// let who = staging
    ///     .command("aws")
    ///     .await?
    ///     .args(["sts", "get-caller-identity"])
    ///     .output()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`env_vars`](Self::env_vars).
    pub async fn command(&self, program: impl AsRef<OsStr>) -> Result<SessionCommand, Error> {
        let variables = self.env_vars().await?;
        let mut command = tokio::process::Command::new(program);
        variables.apply_to(&mut command);
        Ok(SessionCommand::new(command))
    }
}

/// # Snapshots
impl BotoSesManager {
    /// Returns the session as it is now: credentials with their expiry, region and endpoints.
    ///
    /// A snapshot cannot refresh its credentials. Before long work, ask for enough time with
    /// [`credentials_for`](Self::credentials_for).
    ///
    /// # Errors
    ///
    /// As [`credentials`](Self::credentials).
    pub async fn to_snapshot(&self) -> Result<Snapshot, Error> {
        let session = self.exported().await?;
        tracing::debug!(
            session = %self,
            access_key_id = session.credentials.access_key_id(),
            region = session.region,
            "took a snapshot"
        );
        Ok(Snapshot::new(session))
    }

    /// Makes a manager of a snapshot.
    ///
    /// It works until the snapshot's credentials expire; from then on every use fails with
    /// [`ErrorKind::SnapshotExpired`]. To expect an account, or to give another region, see
    /// [`Builder::snapshot`](crate::Builder::snapshot).
    ///
    /// ```no_run
    /// # async fn f() -> Result<(), bsm_core::Error> {
    /// use bsm_core::{BotoSesManager, Snapshot};
    ///
    /// let staging = BotoSesManager::from_snapshot(Snapshot::read("/run/user/1000/bsm-4kX9zQ.json")?);
    /// println!("{}", staging.who_am_i().await?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_snapshot(snapshot: Snapshot) -> Self {
        Self::builder().snapshot(snapshot).build()
    }

    /// Writes a snapshot to a file that is removed when the guard is dropped.
    ///
    /// `path` is a directory, in which the file gets a unique name, or the name of a file that
    /// does not exist yet. Give the other process [`TempSnapshot::path`].
    ///
    /// The file is made by this call or not at all: nothing that is there already is opened, no
    /// link is followed, and on Unix only its owner may read it (mode 0600). Elsewhere it has the
    /// permissions that its directory gives: choose one that is the user's own. A process that is
    /// killed leaves the file behind. On Unix, the next call for the same directory removes it after a
    /// minute.
    ///
    /// ```no_run
    /// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
    /// # let staging = bsm_core::BotoSesManager::new();
    /// let snapshot = staging.temp_snapshot(std::env::temp_dir()).await?;
    /// std::process::Command::new("worker").arg(snapshot.path()).status()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`credentials`](Self::credentials), and [`ErrorKind::File`] if the file cannot be made,
    /// for example because there is one.
    pub async fn temp_snapshot(&self, path: impl AsRef<Path>) -> Result<TempSnapshot, Error> {
        let (snapshot, path) = (self.to_snapshot().await?, path.as_ref().to_owned());
        small_file::blocking(move || TempSnapshot::write(&snapshot, &path)).await?
    }
}

impl BotoSesManager {
    async fn exported(&self) -> Result<ExportedSession, Error> {
        let resolved = self.resolved().await?;
        let mut credentials = resolved.credentials.credentials().await?;
        // Nothing renews keys in the environment, so this process uses them until AWS rejects them. Another process
        // gets the expiry that came with them, unless it is that of older keys.
        if credentials.expiry().is_none() {
            let now = resolved.config.time_source().unwrap_or_default().now();
            let expiry = self.session().environment().expiry_of(&credentials);
            *credentials.expiry_mut() = expiry.filter(|expiry| *expiry > now);
        }
        // Unlike for clients, no region is no error: the other process may have one of its own.
        let region = self.region_override().or_else(|| resolved.region.clone());
        Ok(ExportedSession {
            credentials,
            region: region.as_ref().map(Region::to_string),
            endpoint_url: resolved.config.endpoint_url().map(str::to_owned),
            service_endpoint_urls: resolved
                .destinations
                .service_endpoint_urls(&resolved.config),
            ignore_configured_endpoint_urls: resolved.destinations.ignore_configured,
            ca_bundle: resolved.destinations.ca_bundle.clone(),
        })
    }
}

//! Many accounts at once: one piece of work in each account of a fleet.
//!
//! A [`Fleet`] lists accounts: managers, profiles, or roles. [`Fleet::for_each`] runs a closure in each of
//! them and streams the results. Each call runs in its account's scope, so code that uses
//! [`BotoSesManager::current`] or models works as it is.
//!
//! ```no_run
//! # async fn f() -> Result<(), Box<dyn std::error::Error>> {
//! use bsm_core::BotoSesManager;
//! use bsm_core::fleet::Fleet;
//!
//! let base = BotoSesManager::from_profile("management");
//! let accounts = ["111122223333", "444455556666"];
//! let report = Fleet::from_accounts(&base, accounts, "Audit")
//!     .regions(["us-east-1", "eu-west-1"])
//!     .concurrency(64)
//!     .for_each(async |account| {
//!         let sts = account.manager().client(aws_sdk_sts::Client::new).await?;
//!         sts.get_caller_identity().send().await?;
//!         Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
//!     })
//!     .await;
//! println!("{report}");
//! # Ok(())
//! # }
//! ```
//!
//! # Isolation
//!
//! *Why each call has a thread of its own.* A call that blocks its thread, or waits for a person, must not
//! delay other accounts, and on a runtime's own threads it would. On its own thread it delays no other call, the
//! closure's future need not be `Send`, and the overrides around the fleet don't reach in. There are at most
//! `concurrency` times the number of regions such threads.
//!
//! *What ends a call.* An error and a panic end one call. A call that runs longer than the
//! [time limit](Fleet::time_limit) is dropped at its next await. If it blocks its thread instead, the fleet
//! gives up on the thread, which ends when the call does.
//!
//! # Roles
//!
//! A role is assumed when it is the account's turn, once for all regions, and its manager is dropped when
//! they are done. Memory therefore depends on the concurrency and not on the number of accounts. All fleets
//! of a process that use the same STS endpoint share one rate: it rises while STS answers, and falls for all
//! of them when STS throttles one.
//!
//! # Interrupted runs
//!
//! With [`Fleet::record`], a run appends what it starts and what it ends to a file. [`Report::read`] reads it,
//! also after the process was killed, and [`Fleet::resume`] does the rest.

mod entry;
mod journal;
mod member;
#[cfg(feature = "organizations")]
mod organization;
mod outcome;
mod pace;
mod report;
mod role_sessions;
mod run;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::manager::BotoSesManager;
use crate::manager::assume_role::AssumeRole;
use crate::manager::builder::Builder;

pub use entry::{Call, ReportEntry, Status};
use journal::Journal;
pub use member::Account;
use member::{Member, Origin, ProfileOrigin};
#[cfg(feature = "organizations")]
pub use organization::OrganizationAccounts;
pub use outcome::{Finished, Outcome};
pub use report::Report;
pub use role_sessions::RoleSessions;
pub use run::Run;

/// The accounts at a time if none are set: few enough for the descriptors of a default shell.
const CONCURRENCY: usize = 16;

/// The time limit of a call if none is set. Long enough for a person with an MFA device.
const TIME_LIMIT: Duration = Duration::from_secs(15 * 60);

/// A list of accounts, and how to work through it.
///
/// See the [module](self) for an example.
#[derive(Clone)]
#[must_use = "a fleet does nothing until `for_each` is called"]
pub struct Fleet {
    members: Vec<Member>,
    regions: Vec<Arc<str>>,
    concurrency: usize,
    time_limit: Duration,
    previous: Option<Report>,
    repeat_interrupted: bool,
    journal: Option<Journal>,
}

/// # Making a fleet
impl Fleet {
    /// Creates a fleet of managers.
    ///
    /// The name of an account is what the manager prints, such as `profile "staging"`. If several print the
    /// same, a number is added.
    pub fn new(managers: impl IntoIterator<Item = BotoSesManager>) -> Self {
        let member =
            |manager: BotoSesManager| Member::new(manager.to_string(), Origin::Manager(manager));
        Self::of(managers.into_iter().map(member))
    }

    /// Creates a fleet of the profiles whose names match a pattern, in which `*` stands for any text and `?`
    /// for one character.
    ///
    /// ```no_run
    /// # fn f() -> Result<(), bsm_core::Error> {
    /// let fleet = bsm_core::fleet::Fleet::from_profiles("prod-*")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidConfig`] if a profile file cannot be read. No match is an empty fleet.
    pub fn from_profiles(pattern: &str) -> Result<Self, Error> {
        Self::from_profiles_of(&BotoSesManager::builder(), pattern)
    }

    /// Creates a fleet of the profiles whose names match a pattern, with the other settings of a builder.
    ///
    /// # Errors
    ///
    /// As [`from_profiles`](Self::from_profiles).
    pub fn from_profiles_of(builder: &Builder, pattern: &str) -> Result<Self, Error> {
        let profiles = builder.profiles()?;
        let matching = profiles
            .iter()
            .filter(|profile| matches_pattern(pattern, profile.name()));
        Ok(Self::of(matching.map(|profile| {
            let name = profile.name();
            let origin = ProfileOrigin {
                builder: builder.clone().profile_name(name),
                kind: profile.kind(),
            };
            Member::new(name.to_owned(), Origin::Profile(Box::new(origin)))
        })))
    }

    /// Creates a fleet of roles that are assumed with a manager's credentials.
    ///
    /// The name of an account is the role's ARN. An ARN that occurs twice counts once.
    pub fn from_roles(
        base: &BotoSesManager,
        role_arns: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let member =
            |arn: String| Member::new(arn.clone(), Origin::Role(Box::new(base.assume_role(arn))));
        Self::of(role_arns.into_iter().map(|arn| member(arn.into())))
    }

    /// Creates a fleet of the role with this name in each account, in the partition `aws`.
    pub fn from_accounts(
        base: &BotoSesManager,
        account_ids: impl IntoIterator<Item = impl AsRef<str>>,
        role_name: &str,
    ) -> Self {
        let arn = |id: &str| format!("arn:aws:iam::{id}:role/{role_name}");
        Self::from_roles(base, account_ids.into_iter().map(|id| arn(id.as_ref())))
    }

    /// Creates a fleet of the role with this name in the accounts of the manager's organization.
    ///
    /// In the manager's own account, the manager itself is used. Each role is guarded by
    /// [`AssumeRole::expect_account`](crate::AssumeRole::expect_account).
    ///
    /// ```no_run
    /// # async fn f() -> Result<(), bsm_core::Error> {
    /// use bsm_core::BotoSesManager;
    /// use bsm_core::fleet::Fleet;
    ///
    /// let management = BotoSesManager::from_profile("management");
    /// let fleet = Fleet::from_organization(&management, "Audit")
    ///     .within(["ou-abcd-11111111"])
    ///     .without(["222233334444"])
    ///     .tag("environment", "production")
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "organizations")]
    #[cfg_attr(docsrs, doc(cfg(feature = "organizations")))]
    pub fn from_organization(
        base: &BotoSesManager,
        role_name: impl Into<String>,
    ) -> OrganizationAccounts {
        OrganizationAccounts::new(base.clone(), role_name.into())
    }

    fn of(members: impl Iterator<Item = Member>) -> Self {
        Self {
            members: member::with_unique_names(members),
            regions: Vec::new(),
            concurrency: CONCURRENCY,
            time_limit: TIME_LIMIT,
            previous: None,
            repeat_interrupted: false,
            journal: None,
        }
    }
}

/// # Settings
impl Fleet {
    /// Adds the accounts of another fleet, with the settings of this one.
    pub fn and(mut self, other: Self) -> Self {
        self.members = member::with_unique_names(self.members.into_iter().chain(other.members));
        self
    }

    /// Changes how roles are assumed: an external id, a session name, a duration.
    ///
    /// ```no_run
    /// # let base = bsm_core::BotoSesManager::new();
    /// # let arns = [""];
    /// use bsm_core::fleet::Fleet;
    ///
    /// let fleet = Fleet::from_roles(&base, arns)
    ///     .assume_with(|role| role.role_session_name("nightly-audit").external_id("4711"));
    /// ```
    pub fn assume_with(mut self, configure: impl Fn(AssumeRole) -> AssumeRole) -> Self {
        for member in &mut self.members {
            if let Origin::Role(role) = &mut member.origin {
                **role = configure(AssumeRole::clone(role));
            }
        }
        self
    }

    /// Calls the closure once for each account and region. Default: once for each account, in the region of
    /// its manager.
    pub fn regions(mut self, regions: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.regions.clear();
        for region in regions.into_iter().map(|region| Arc::from(region.into())) {
            // A call is an account in a region: a second one would be the same call.
            if !self.regions.contains(&region) {
                self.regions.push(region);
            }
        }
        self
    }

    /// Sets the number of accounts at a time, at least 1. Default: 16. The regions of an account run at the
    /// same time.
    pub fn concurrency(mut self, accounts: usize) -> Self {
        // The channel of the results panics for 0 and beyond the most permits, and a semaphore without
        // permits starts no call.
        self.concurrency = accounts.clamp(1, Semaphore::MAX_PERMITS);
        self
    }

    /// Sets the time limit of one call, including its account's credentials. Default: 15 minutes.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Skips the calls that an earlier run has done.
    ///
    /// Calls that failed, that got no session, or that were not started run again. Those that were
    /// [interrupted](Status::is_interrupted) do so only with
    /// [`repeat_interrupted`](Self::repeat_interrupted), because part of their work may be done.
    pub fn resume(mut self, report: Report) -> Self {
        self.previous = Some(report);
        self
    }

    /// Sets whether a resumed run repeats interrupted calls. Default: `false`.
    pub fn repeat_interrupted(mut self, repeat: bool) -> Self {
        self.repeat_interrupted = repeat;
        self
    }

    /// Appends what is started and what has ended to a file, for [`Report::read`].
    ///
    /// The file is created if it does not exist, readable by its owner only. A start is written before the
    /// closure is called. It survives a killed process, but not a machine that loses power.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::File`] if the file cannot be opened, or holds something else.
    pub fn record(mut self, path: impl AsRef<Path>) -> Result<Self, Error> {
        self.journal = Some(Journal::open(path.as_ref())?);
        Ok(self)
    }

    /// Returns the calls that a run would make, without making them.
    pub fn plan(&self) -> Vec<Call> {
        let members = self.members.iter();
        members.flat_map(|member| self.calls_of(member)).collect()
    }

    /// Returns the calls of an account that are left to do.
    fn calls_of(&self, member: &Member) -> Vec<Call> {
        let regions = match self.regions.as_slice() {
            [] => vec![None],
            regions => regions.iter().cloned().map(Some).collect(),
        };
        let call = |region| member.call(region);
        let calls = regions.into_iter().map(call);
        calls.filter(|call| self.is_left(call)).collect()
    }

    fn is_left(&self, call: &Call) -> bool {
        let previous = self
            .previous
            .as_ref()
            .and_then(|report| report.status(call));
        match previous {
            Some(Status::Done) => false,
            // A part of the work may be done, and only the caller knows whether it can be repeated.
            Some(status) if status.is_interrupted() => self.repeat_interrupted,
            // `Failed` is the closure's own result. The other statuses mean that it was not called.
            _ => true,
        }
    }
}

/// # Running
impl Fleet {
    /// Calls a closure in every account and region, each in the scope of its account.
    ///
    /// The run starts at once. It is a stream of the results in the order in which they arrive, and
    /// awaiting it returns the [`Report`]. Unread results hold the run up, so memory stays
    /// bounded. Dropping the run cancels it.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime. The runtime must have its timer enabled.
    pub fn for_each<F, T, E>(self, work: F) -> Run<T, E>
    where
        F: AsyncFn(Account) -> Result<T, E> + Send + Sync + 'static,
        T: Send + 'static,
        E: fmt::Display + Send + 'static,
    {
        Run::start(self, Arc::new(work))
    }
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet")
            .field("accounts", &self.members.len())
            .field("regions", &self.regions)
            .field("concurrency", &self.concurrency)
            .field("time_limit", &self.time_limit)
            .finish_non_exhaustive()
    }
}

/// Matches a name with a pattern of `*` and `?`, in time linear in both for one star.
fn matches_pattern(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where to resume if the text after the last star does not match: at that star, one character further.
    let mut retry = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                // Replaces an earlier star: the last one can take any text that an earlier one
                // could. One retry position is enough, and many stars don't take exponential time.
                retry = Some((p + 1, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match retry {
                Some((behind, from)) => {
                    retry = Some((behind, from + 1));
                    (p, n) = (behind, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_names() {
        for (pattern, name, expected) in [
            ("prod-*", "prod-eu", true),
            ("prod-*", "prod-", true),
            ("prod-*", "staging-prod-eu", false),
            ("*-eu", "prod-eu-eu", true),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("p?", "pé", true),
            ("p?", "p", false),
            ("", "", true),
            ("", "a", false),
            ("**", "", true),
        ] {
            assert_eq!(matches_pattern(pattern, name), expected, "{pattern} {name}");
        }
        // Without the single retry this takes longer than the universe has left.
        let stars = "*a".repeat(30) + "b";
        assert!(!matches_pattern(&stars, &"a".repeat(1_000)));
    }
}

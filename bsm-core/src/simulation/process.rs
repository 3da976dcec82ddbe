//! A process: its sessions, the callers that use them, and its end.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::{self, ProvideCredentials, future};
use fastrand::Rng;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep, timeout};

use super::aws::Network;
use super::world::{Weather, World};
use crate::credentials::cli_cache::CliCache;
use crate::error::ErrorKind;
use crate::manager::BotoSesManager;
use crate::sync::engine::simulated::{self, Tasks};

/// How long a call for credentials may take: AssumeRole of a chain of two roles with three attempts of ten
/// seconds each, and 40 seconds for the lock of each; twice, for a caller that comes as one call ends.
const MAX_WAIT: Duration = Duration::from_secs(300);

/// How much before their expiry credentials may be given up.
const SLACK: Duration = Duration::from_secs(5);

/// The account of the provider of the user.
const USERS_ACCOUNT: &str = "444444444444";

/// How long a session may repeat the error of a shut-down: longer than the cooldown after a failure.
const REMEMBERED: Duration = Duration::from_secs(60);

const USERS_PROVIDER_TIMEOUT: Duration = Duration::from_secs(60);

/// A session, and the account that it must be of.
#[derive(Clone, Debug)]
pub(super) struct Member {
    manager: BotoSesManager,
    pub(super) account: &'static str,
    /// How often any session of the process was cleared, which clears the roles that are assumed from it.
    clears: Arc<AtomicU64>,
    /// When the engine of the process was last shut down.
    shut_down: Arc<Mutex<Option<Instant>>>,
    /// When the credentials expire that it returned last, and after how many clears it was asked for them.
    returned: Arc<Mutex<Option<(u64, Instant)>>>,
}

pub(super) struct Process {
    world: World,
    rng: Mutex<Rng>,
    running: Mutex<Running>,
}

struct Running {
    members: Vec<Member>,
    /// The callers on each of the process's runtimes.
    runtimes: [Arc<Tasks>; 2],
    tasks: Arc<Tasks>,
}

impl Process {
    pub(super) fn start(world: &World, mut rng: Rng) -> Self {
        let running = Running::start(world, &mut rng);
        Self {
            world: world.clone(),
            rng: Mutex::new(rng),
            running: Mutex::new(running),
        }
    }

    pub(super) fn members(&self) -> Vec<Member> {
        self.running.lock().members.clone()
    }

    /// Ends all its tasks where they are, as a kill between two operations would.
    pub(super) fn kill(&self) {
        self.running.lock().tasks.end();
    }

    /// Ends the work of its sessions, as [`shutdown`](crate::shutdown) does; its callers continue.
    pub(super) fn shut_down(&self) {
        let running = self.running.lock();
        *running.members[0].shut_down.lock() = Some(Instant::now());
        running.tasks.shut_down();
    }

    /// Kills the process before one of its next operations on files.
    pub(super) fn kill_at_step(&self, step: u32) {
        self.running.lock().tasks.kill_at_step(step);
    }

    /// Returns `true` if an operation on files has killed the process.
    pub(super) fn is_dead(&self) -> bool {
        self.running.lock().tasks.is_dead()
    }

    /// Undoes [`kill_at_step`](Self::kill_at_step).
    pub(super) fn let_live(&self) {
        self.running.lock().tasks.let_live();
    }

    /// Shuts one of the runtimes down, whose callers vanish. Then its callers come back.
    pub(super) fn replace_runtime(&self) {
        let mut rng = self.rng.lock();
        let running = self.running.lock();
        let runtime = &running.runtimes[rng.usize(0..running.runtimes.len())];
        runtime.end();
        if !running.tasks.is_dead() {
            running.start_callers(&self.world, runtime, &mut rng);
        }
    }

    pub(super) fn stop_callers(&self) {
        for runtime in &self.running.lock().runtimes {
            runtime.end();
        }
    }

    pub(super) fn start_again(&self) {
        let running = Running::start(&self.world, &mut self.rng.lock());
        *self.running.lock() = running;
    }
}

impl Running {
    fn start(world: &World, rng: &mut Rng) -> Self {
        let members = members(world, rng);
        let running = Self {
            members,
            runtimes: Default::default(),
            tasks: Arc::default(),
        };
        for runtime in &running.runtimes {
            running.start_callers(world, runtime, rng);
        }
        running
    }

    fn start_callers(&self, world: &World, runtime: &Tasks, rng: &mut Rng) {
        for _ in 0..2 {
            let call = call_now_and_then(world.clone(), self.members.clone(), rng.fork());
            runtime.spawn_in(&self.tasks, call);
        }
    }
}

/// Builds the sessions of a process: keys, two roles, a role of a role, and a provider of the user.
fn members(world: &World, rng: &mut Rng) -> Vec<Member> {
    let process = rng.u64(..);
    let mut builder = || {
        BotoSesManager::builder()
            .environment([])
            .region("us-east-1")
            .endpoint_url("http://sts.simulated.invalid")
            .http_client(Network::new(world, process, rng.fork()))
            .time_source(world.clone())
            .cli_cache(CliCache::new().directory(world.cache()))
            .credentials_provider_timeout(USERS_PROVIDER_TIMEOUT)
    };
    let secret = world.add_key("AKIASIMULATED0000000", "000000000000");
    let keys = builder().keys("AKIASIMULATED0000000", secret).build();
    let role = |parent: &BotoSesManager, account: &str| {
        parent
            .assume_role(format!("arn:aws:iam::{account}:role/Role"))
            .role_session_name("simulated")
    };
    let first = role(&keys, "111111111111").build();
    let second = role(&keys, "222222222222")
        .duration(Duration::from_secs(900))
        .expect_account("222222222222")
        .build();
    let chained = role(&first, "333333333333").build();
    let users = UsersProvider {
        world: world.clone(),
        rng: Mutex::new(Rng::with_seed(0)),
    };
    let users = builder().credentials_provider(users).build();
    let clears = Arc::new(AtomicU64::new(0));
    let shut_down = Arc::default();
    let member = |manager, account| Member {
        manager,
        account,
        clears: Arc::clone(&clears),
        shut_down: Arc::clone(&shut_down),
        returned: Arc::default(),
    };
    vec![
        member(keys, "000000000000"),
        member(first, "111111111111"),
        member(second, "222222222222"),
        member(chained, "333333333333"),
        member(users, USERS_ACCOUNT),
    ]
}

async fn call_now_and_then(world: World, members: Vec<Member>, mut rng: Rng) {
    loop {
        sleep(Duration::from_millis(rng.u64(0..120_000))).await;
        let member = &members[rng.usize(0..members.len())];
        match rng.u8(0..100) {
            // Failures are part of the weather.
            0..60 => drop(call(&world, member).await),
            60..65 => {
                // A caller that retries at once.
                for _ in 0..300 {
                    if credentials(&world, member).await.is_ok() {
                        break;
                    }
                    sleep(Duration::from_millis(100)).await;
                }
            }
            65..75 => {
                let patience = Duration::from_millis(rng.u64(0..15_000));
                drop(timeout(patience, call(&world, member)).await);
            }
            75..90 => {
                let calls = (0..20).map(|_| credentials(&world, member));
                drop(futures_util::future::join_all(calls).await);
            }
            90..92 => {
                // The work that the call starts is in flight when the engine is shut down.
                member.clears.fetch_add(1, Ordering::SeqCst);
                member.manager.clear_cache();
                let shut_down = async {
                    *member.shut_down.lock() = Some(Instant::now());
                    if let Some(process) = simulated::current() {
                        process.shut_down();
                    }
                };
                drop(tokio::join!(credentials(&world, member), shut_down));
            }
            92..95 => {
                let at_least = Duration::from_secs(rng.u64(60..3_000));
                drop(member.manager.credentials_for(at_least).await);
            }
            _ => {
                member.clears.fetch_add(1, Ordering::SeqCst);
                member.manager.clear_cache();
            }
        }
    }
}

/// Gets the credentials of a session, and uses them.
pub(super) async fn call(world: &World, member: &Member) -> Result<(), crate::Error> {
    credentials(world, member).await?;
    let sts = member.manager.client(aws_sdk_sts::Client::new).await?;
    // Without a time-out, the SDK waits for a lost answer as long as its caller does.
    let asked = timeout(Duration::from_secs(60), sts.get_caller_identity().send());
    // The SDK takes an answer that was cut for one without an account.
    if let Ok(Ok(answer)) = asked.await
        && let Some(account) = answer.account()
        && account != member.account
    {
        world.violation(format!("{} was answered as {account}", member.account));
    }
    Ok(())
}

async fn credentials(world: &World, member: &Member) -> Result<(), crate::Error> {
    let account = member.account;
    let before = Instant::now();
    let clears = member.clears.load(Ordering::SeqCst);
    let Ok(credentials) = timeout(MAX_WAIT, member.manager.credentials()).await else {
        world.violation(format!(
            "credentials of {account} took more than {MAX_WAIT:?}"
        ));
        return Ok(());
    };
    match credentials {
        Ok(credentials) => {
            let id = credentials.access_key_id();
            world.check_key(id, account, "credentials");
            let expires = world.key(id).and_then(|key| key.expires);
            *member.returned.lock() = expires.map(|expires| (clears, expires));
            Ok(())
        }
        Err(error) => {
            // A call that was under way when the session was cleared ends with what it had begun.
            let was_cleared = member.clears.load(Ordering::SeqCst) != clears;
            let returned = member.returned.lock().filter(|(then, _)| *then == clears);
            let left = returned.map(|(_, until)| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left > SLACK) && !was_cleared && world.has_right_clock() {
                world.violation(format!("{account} had credentials for {left:?}: {error:?}"));
            }
            // With a clock that is ahead, a provider that does not say AWS's time seems to give dead keys.
            // With one that is behind, a dead entry of the cache seems to be valid until it is used.
            let is_misled =
                account == USERS_ACCOUNT && !world.has_right_clock() || world.was_clock_behind();
            // Only callers of a session that is shut down get that error.
            let was_shut_down =
                error.kind() == ErrorKind::Runtime && error.to_string().contains("shutdown");
            let last = *member.shut_down.lock();
            if was_shut_down && last.is_none_or(|last| last + REMEMBERED < before) {
                world.violation(format!("{account} is still shut down: {error:?}"));
            }
            if world.is_settled() && !is_misled && !was_shut_down {
                world.violation(format!("{account} could have been served: {error:?}"));
            }
            Err(error)
        }
    }
}

/// A provider that does what providers of users do.
struct UsersProvider {
    world: World,
    rng: Mutex<Rng>,
}

impl UsersProvider {
    async fn provide(&self) -> provider::Result {
        let what = self.rng.lock().u8(0..8);
        match (self.world.weather(), what) {
            (Weather::Foul | Weather::Outage, 0) => {
                // As a panic, without its message.
                std::panic::resume_unwind(Box::new("the provider of the user is broken"))
            }
            (Weather::Foul | Weather::Outage, 1) => std::future::pending().await,
            (Weather::Outage, _) => Err(provider::error::CredentialsError::provider_error(
                "the vault is closed",
            )),
            _ => {
                let keys = self.world.issue(USERS_ACCOUNT, Duration::from_secs(1_200));
                let token = Some(keys.token);
                Ok(Credentials::new(
                    keys.id,
                    keys.secret,
                    token,
                    Some(keys.expires),
                    "user",
                ))
            }
        }
    }
}

impl ProvideCredentials for UsersProvider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.provide())
    }
}

impl fmt::Debug for UsersProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UsersProvider").finish_non_exhaustive()
    }
}

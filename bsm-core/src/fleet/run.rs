//! A run: a thread for each call, and the stream of results.

use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use futures_core::Stream;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, timeout};

use crate::error::{Error, ErrorKind};
use crate::fleet::Fleet;
use crate::fleet::entry::{Call, ReportEntry, Status};
use crate::fleet::journal::Journal;
use crate::fleet::member::{Account, Member, Origin};
use crate::fleet::outcome::{Finished, Outcome};
use crate::fleet::pace::{Pace, is_throttled};
use crate::fleet::report::Report;
use crate::manager::BotoSesManager;
use crate::profile::ProfileKind;
use crate::session::destinations::sts_endpoint;

/// How long a call may take to drop its future at its time limit before the fleet abandons its thread.
const GRACE: Duration = Duration::from_secs(2);

/// A run of a fleet: a stream of the calls that have ended, and a future of the report.
///
/// [`Fleet::for_each`] starts it, and dropping it cancels it: no further call starts, and those that run are
/// dropped at their next await.
///
/// # Examples
///
/// ```no_run
/// # async fn f(fleet: bsm_core::fleet::Fleet) -> Result<(), Box<dyn std::error::Error>> {
/// use futures_util::StreamExt as _;
///
/// let mut run = fleet.for_each(async |account| account.manager().aws_account_id().await);
/// while let Some(finished) = run.next().await {
///     println!("{}: {:?}", finished.call(), finished.outcome());
/// }
/// println!("{}", run.report());
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping a run cancels it: await it, or read its results"]
pub struct Run<T, E> {
    results: mpsc::Receiver<Finished<T, E>>,
    report: Arc<Mutex<Report>>,
    driver: JoinHandle<()>,
    /// Calls end when it is dropped.
    _running: watch::Sender<()>,
}

/// What the calls of a run share.
///
/// A blocked thread keeps this alive, and the results must end without it, so the sender of the results is
/// not part of it.
struct Shared<F> {
    work: Arc<F>,
    report: Arc<Mutex<Report>>,
    journal: Option<Journal>,
    time_limit: Duration,
    running: watch::Receiver<()>,
    runtime: Handle,
}

/// An account whose turn it is, and its manager once a call has needed it.
struct Active {
    member: Member,
    session: OnceCell<Result<BotoSesManager, Error>>,
}

impl<T: Send + 'static, E: fmt::Display + Send + 'static> Run<T, E> {
    pub(super) fn start<F>(mut fleet: Fleet, work: Arc<F>) -> Self
    where
        F: AsyncFn(Account) -> Result<T, E> + Send + Sync + 'static,
    {
        let runtime = Handle::current();
        let (sender, results) = mpsc::channel(fleet.concurrency);
        // Nothing is ever sent. The receivers only notice that the sender is dropped.
        let (_running, running) = watch::channel(());
        let mut report = fleet.previous.clone().unwrap_or_default();
        let mut accounts = Vec::new();
        for member in mem::take(&mut fleet.members) {
            let calls = fleet.calls_of(&member);
            // Without regions, an account has one call.
            for _ in calls.len()..fleet.regions.len().max(1) {
                report.skip();
            }
            for call in &calls {
                report.add(ReportEntry::open(call.clone(), Status::NotStarted));
            }
            if !calls.is_empty() {
                accounts.push((member, calls));
            }
        }
        // All calls are in the report before the first one starts: the report of a cancelled run
        // also lists those that were never started.
        let report = Arc::new(Mutex::new(report));
        let shared = Arc::new(Shared {
            work,
            report: Arc::clone(&report),
            journal: fleet.journal,
            time_limit: fleet.time_limit,
            running,
            runtime: runtime.clone(),
        });
        Self {
            results,
            report,
            driver: runtime.spawn(drive(accounts, fleet.concurrency, shared, sender)),
            _running,
        }
    }
}

impl<T, E> Run<T, E> {
    /// Returns the report as it is now.
    pub fn report(&self) -> Report {
        self.report.lock().clone()
    }

    /// Cancels the run, and returns the report of what was done, started and not started.
    pub fn cancel(self) -> Report {
        self.report()
    }
}

impl<T, E> Drop for Run<T, E> {
    fn drop(&mut self) {
        // Ends the tasks, which are in the driver's `JoinSet`. The threads of running calls can't
        // be aborted: they end when `_running` is dropped.
        self.driver.abort();
    }
}

impl<T, E> Stream for Run<T, E> {
    type Item = Finished<T, E>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.results.poll_recv(cx)
    }
}

/// Drops the results, and returns the report when the last call has ended.
impl<T: Send + 'static, E: Send + 'static> IntoFuture for Run<T, E> {
    type Output = Report;
    type IntoFuture = Pin<Box<dyn Future<Output = Report> + Send>>;

    fn into_future(mut self) -> Self::IntoFuture {
        Box::pin(async move {
            while self.results.recv().await.is_some() {}
            self.report()
        })
    }
}

impl<T, E> fmt::Debug for Run<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("report", &format_args!("{}", self.report.lock()))
            .finish_non_exhaustive()
    }
}

/// Starts the accounts, at most `concurrency` at a time, and waits for them.
async fn drive<F, T, E>(
    accounts: Vec<(Member, Vec<Call>)>,
    concurrency: usize,
    shared: Arc<Shared<F>>,
    results: mpsc::Sender<Finished<T, E>>,
) where
    F: AsyncFn(Account) -> Result<T, E> + Send + Sync + 'static,
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
    // Aborts what is running when the run is dropped.
    let mut running = JoinSet::new();
    let permits = Arc::new(Semaphore::new(concurrency));
    for (member, calls) in accounts {
        let permit = Arc::clone(&permits).acquire_owned().await;
        // One permit for all calls of the account: each holds a share of it.
        let permit = Arc::new(permit.expect("the semaphore is never closed"));
        let active = Arc::new(Active {
            member,
            session: OnceCell::new(),
        });
        // Frees the tasks that have ended, which would otherwise grow with the number of accounts.
        while running.try_join_next().is_some() {}
        for call in calls {
            let finished = Arc::clone(&shared).call(call, Arc::clone(&active), Arc::clone(&permit));
            let (results, permit) = (results.clone(), Arc::clone(&permit));
            running.spawn(async move {
                if let Some(finished) = finished.await {
                    // It waits while the channel is full, and the next account with it: results that
                    // are not read hold up the run, and memory stays bounded.
                    let _ = results.send(finished).await;
                }
                drop(permit);
            });
        }
    }
    drop(results);
    while running.join_next().await.is_some() {}
}

impl<F: Send + Sync + 'static> Shared<F> {
    /// Runs one call on a thread of its own, and returns how it ended; `None` if the run was cancelled.
    async fn call<T, E>(
        self: Arc<Self>,
        call: Call,
        active: Arc<Active>,
        permit: Arc<OwnedSemaphorePermit>,
    ) -> Option<Finished<T, E>>
    where
        F: AsyncFn(Account) -> Result<T, E>,
        T: Send + 'static,
        E: fmt::Display + Send + 'static,
    {
        let began = Instant::now();
        let (sender, ended) = oneshot::channel();
        let abandoned = Arc::<AtomicBool>::default();
        let body = {
            let (shared, call) = (Arc::clone(&self), call.clone());
            let (active, abandoned) = (Arc::clone(&active), Arc::clone(&abandoned));
            // A new thread has only the global subscriber, and the caller's may be a scoped one.
            let dispatch = tracing::dispatcher::get_default(Clone::clone);
            let span = tracing::debug_span!(
                "fleet call",
                account = call.account(),
                region = call.region()
            );
            move || {
                let outcome = tracing::dispatcher::with_default(&dispatch, || {
                    span.in_scope(|| shared.on_thread(&call, &active, &abandoned))
                });
                // Without a receiver, the fleet has given up on this call, or was dropped.
                let _ = sender.send(outcome);
            }
        };
        let spawned = thread::Builder::new()
            .name("bsm-fleet".to_owned())
            .spawn(body);
        // The thread is detached: joining one that is blocked would block this task's thread.
        let outcome = match spawned {
            Err(error) => Outcome::NoSession(no_thread(error)),
            Ok(_) => match timeout(self.time_limit.saturating_add(GRACE), ended).await {
                Ok(Ok(Some(outcome))) => outcome,
                Ok(Ok(None)) => return None,
                // The thread has dropped the sender without a result: it panicked.
                Ok(Err(_)) => Outcome::Panicked,
                Err(_) => {
                    // Before the end is recorded: a late thread must not call the closure.
                    abandoned.store(true, Ordering::SeqCst);
                    Outcome::TimedOut
                }
            },
        };
        let finished = Finished {
            call,
            outcome,
            elapsed: began.elapsed(),
        };
        self.record_end(finished.entry()).await;
        drop((active, permit));
        Some(finished)
    }

    /// Runs one call to its end; `None` if the run was cancelled.
    fn on_thread<T, E>(
        &self,
        call: &Call,
        active: &Active,
        abandoned: &AtomicBool,
    ) -> Option<Outcome<T, E>>
    where
        F: AsyncFn(Account) -> Result<T, E>,
        E: fmt::Display,
    {
        let work = async {
            let session = active
                .session
                // A failure is cached as well: the other regions don't try the same role again.
                .get_or_init(|| active.member.origin.session());
            let manager = match session.await {
                Ok(manager) => manager,
                Err(error) => return Outcome::NoSession(error.clone()),
            };
            // A provider that blocked the thread may have taken longer than the call has.
            if abandoned.load(Ordering::SeqCst) {
                return Outcome::TimedOut;
            }
            // May block on the file, because this thread serves no other call.
            if let Err(error) = self.record_start(call) {
                return Outcome::NoSession(error);
            }
            // The file may have blocked for just as long.
            if abandoned.load(Ordering::SeqCst) {
                return Outcome::TimedOut;
            }
            let account = Account::new(&active.member, call.region(), manager);
            let manager = account.manager().clone();
            // The block puts the call of the closure inside the scope, not only its future.
            match manager.scope(async { (self.work)(account).await }).await {
                Ok(value) => Outcome::Done(value),
                Err(error) => Outcome::Failed(error),
            }
        };
        self.runtime.block_on(async {
            let limited = async {
                let ended = timeout(self.time_limit, work).await;
                ended.unwrap_or(Outcome::TimedOut)
            };
            unless_dropped(self.running.clone(), limited).await
        })
    }

    /// Records that the closure is about to be called.
    fn record_start(&self, call: &Call) -> Result<(), Error> {
        let entry = ReportEntry::open(call.clone(), Status::Started);
        // The file first: a start that is missing in it makes a resumed run repeat the call.
        if let Some(journal) = &self.journal {
            journal.write(&entry).map_err(|error| {
                let message = "the call was skipped, because its start could not be recorded";
                Error::new(ErrorKind::File, message).with_source(error)
            })?;
        }
        self.report.lock().add(entry);
        Ok(())
    }

    async fn record_end(&self, entry: ReportEntry) {
        self.report.lock().add(entry.clone());
        let Some(journal) = self.journal.clone() else {
            return;
        };
        // Unlike a start, this runs on a thread of the caller's runtime, which must not block.
        let write = tokio::task::spawn_blocking(move || journal.write(&entry));
        if let Ok(Err(error)) = write.await {
            // Logged only: the result still arrives, and the file says `Started`, so a resumed run
            // does not repeat the call by default.
            tracing::error!(%error, "the end of a call could not be recorded");
        }
    }
}

impl Origin {
    /// Returns the manager, with credentials.
    async fn session(&self) -> Result<BotoSesManager, Error> {
        if let Self::Manager(manager) = self {
            // Resolved here, so that missing credentials are `NoSession`, not a failed closure.
            manager.credentials().await?;
            return Ok(manager.clone());
        }
        let pace = self.pace().await?;
        // No limit on the attempts: the time limit of the call ends the loop.
        loop {
            let permit = match &pace {
                Some(pace) => Some(pace.acquire().await),
                None => None,
            };
            // A new manager each time: one that was throttled is in its cooldown.
            let manager = self.manager();
            match (manager.credentials().await, &pace, permit) {
                (Ok(_), pace, _) => {
                    pace.iter().for_each(|pace| pace.succeeded());
                    return Ok(manager);
                }
                (Err(error), Some(pace), Some(permit)) if is_throttled(&error) => {
                    pace.throttled(permit);
                }
                (Err(error), _, _) => return Err(error),
            }
        }
    }

    /// Returns the pace of the endpoint that issues the credentials; `None` if none does.
    async fn pace(&self) -> Result<Option<Arc<Pace>>, Error> {
        let (manager, service) = match self {
            // AssumeRole goes to the parent's STS.
            Self::Role(role) => (role.parent().clone(), "sts"),
            Self::Profile(profile) => match profile.kind {
                ProfileKind::Role | ProfileKind::WebIdentity => (self.manager(), "sts"),
                // The portal has a limit of its own. Its endpoint follows from that of STS.
                ProfileKind::Sso => (self.manager(), "sso"),
                _ => return Ok(None),
            },
            Self::Manager(_) => return Ok(None),
        };
        let region = manager.region_override();
        let resolved = manager.session().resolved_in(region.as_ref()).await?;
        let endpoint = sts_endpoint(&resolved.sts());
        Ok(Some(Pace::of(&format!("{service} {endpoint}"))))
    }
}

/// Returns what `work` returns, or `None` if the run is dropped first.
async fn unless_dropped<T>(
    mut running: watch::Receiver<()>,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut work = pin!(work);
    let mut dropped = pin!(async move { while running.changed().await.is_ok() {} });
    // The end of the run first: work that has just become ready must not begin its next step, such as to
    // start a program.
    poll_fn(|cx| match dropped.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => work.as_mut().poll(cx).map(Some),
    })
    .await
}

fn no_thread(error: std::io::Error) -> Error {
    let message = "no thread could be started for the call: lower the concurrency";
    Error::new(ErrorKind::Runtime, message).with_source(error)
}

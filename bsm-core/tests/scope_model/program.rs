//! Programs: the code of a case, one chosen step after the other.

use std::future::poll_fn;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bsm_core::{InCurrentScope as _, adapter, in_current_scope_fn};
use futures_util::{FutureExt as _, Stream, StreamExt as _};

use crate::model::{Covers, Frame};
use crate::world::{Boxed, Detached, Held, Probe, World, manager};

/// One step of a program.
#[derive(Clone, Copy, Debug)]
enum Step {
    Finish,
    /// Makes a guard.
    Enter,
    /// Drops one of the program's guards, not always the innermost.
    Leave,
    /// Stores a guard, to be dropped later, or forgets it.
    StashGuard,
    Panic,
    DropStashed,
    /// Binds a model, or unbinds it.
    Bind,
    /// Fixes a model, or releases it.
    Fix,
    /// Polls something that was created elsewhere.
    RunDetached,
    Scope,
    /// Runs a program that carries its overrides.
    Carry,
    Spawn,
    SpawnCarried,
    Join,
    Select,
    CatchPanic,
    DetachScope,
    DetachFuture,
    DetachStream,
    DetachClosure,
    SyncScope,
}

/// The steps, the likely ones twice. Only the first eleven can follow in a deeply enclosed program.
const STEPS: [Step; 25] = [
    Step::Finish,
    Step::Enter,
    Step::Enter,
    Step::Leave,
    Step::Leave,
    Step::StashGuard,
    Step::Panic,
    Step::DropStashed,
    Step::Bind,
    Step::Fix,
    Step::RunDetached,
    Step::Scope,
    Step::Scope,
    Step::Carry,
    Step::Spawn,
    Step::SpawnCarried,
    Step::Join,
    Step::Join,
    Step::Select,
    Step::CatchPanic,
    Step::DetachScope,
    Step::DetachFuture,
    Step::DetachStream,
    Step::DetachClosure,
    Step::SyncScope,
];

/// A program that has not started. As an `IntoFuture` it checks where it is converted.
pub(crate) struct Program {
    pub(crate) world: Rc<World>,
    pub(crate) frame: Rc<Frame>,
    /// How many programs enclose it.
    pub(crate) depth: u8,
    /// Whether a panic would be caught.
    pub(crate) caught: bool,
}

impl IntoFuture for Program {
    type Output = ();
    type IntoFuture = Running;

    fn into_future(self) -> Running {
        self.world.check(&self.frame, "into_future");
        Running {
            _probe: Probe::new(&self.world, &self.frame),
            steps: Box::pin(self.run()),
        }
    }
}

/// A running program. It checks once more when it is dropped after its completion.
pub(crate) struct Running {
    steps: Boxed,
    _probe: Probe,
}

impl Future for Running {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.steps.as_mut().poll(cx)
    }
}

impl Program {
    /// Returns a program in the same stretch of code, such as a branch of a `join!`.
    fn inner(&self) -> Self {
        self.inner_in(self.frame.clone())
    }

    fn inner_in(&self, frame: Rc<Frame>) -> Self {
        Self {
            world: self.world.clone(),
            frame,
            depth: self.depth + 1,
            caught: self.caught,
        }
    }

    /// Returns a program that runs elsewhere.
    fn spawned(&self, frame: Rc<Frame>) -> Self {
        Self {
            caught: false,
            ..self.inner_in(frame)
        }
    }

    async fn run(self) {
        let Self { world, frame, .. } = &self;
        let mut guards: Vec<Held> = Vec::new();
        let _probe = Probe::new(world, frame);
        world.check(frame, "begin");
        loop {
            // Enclosed programs choose among fewer kinds of steps, so that cases end.
            let steps = if self.depth < 4 {
                &STEPS[..]
            } else {
                &STEPS[..11]
            };
            let step = steps[world.choose(steps.len())];
            world.note(|| format!("depth {} step {step:?}", self.depth));
            match step {
                Step::Finish => break,
                Step::Enter => guards.push(world.enter(frame)),
                Step::Leave if !guards.is_empty() => {
                    drop(guards.remove(world.choose(guards.len())));
                }
                Step::StashGuard if !guards.is_empty() => {
                    let guard = guards.remove(world.choose(guards.len()));
                    match world.choose(4) {
                        // Elsewhere it would last as long as the thread, and meet other cases.
                        0 if frame.ends() => guard.forget(),
                        _ => world.stash.borrow_mut().push(guard),
                    }
                }
                Step::Panic if self.caught => resume_unwind(Box::new(())),
                Step::DropStashed => {
                    let guard = world.stash.borrow_mut().pop();
                    drop(guard);
                }
                Step::Bind => world.bind(
                    world.choose(2),
                    world.flip().then(|| world.choose_override().0),
                ),
                Step::Fix => world.fix(
                    world.choose(2),
                    world.flip().then(|| world.choose_override().0),
                ),
                Step::RunDetached => self.run_detached().await,
                Step::Scope => self.scoped(self.caught).0.await,
                Step::Carry => self.inner_in(frame.carried()).in_current_scope().await,
                Step::Spawn => {
                    let task = self.spawned(world.task());
                    world.spawned.borrow_mut().push(Box::pin(task.run()));
                }
                Step::SpawnCarried => {
                    let task = self.spawned(frame.carried());
                    let task = Box::pin(task.in_current_scope());
                    world.spawned.borrow_mut().push(task);
                }
                Step::Join => self.both(true).await,
                Step::Select => self.both(false).await,
                Step::CatchPanic => {
                    let mut inner = self.inner();
                    inner.caught = true;
                    Caught(inner.into_future()).await;
                }
                Step::DetachScope => {
                    let (future, frame) = self.scoped(false);
                    world.put(Detached {
                        future,
                        frame,
                        carried: false,
                    });
                }
                Step::DetachFuture => {
                    let frame = frame.carried();
                    let program = self.spawned(frame.clone()).in_current_scope();
                    world.put(Detached::carried(frame, Box::pin(program)));
                }
                Step::DetachStream => {
                    let frame = frame.carried();
                    let items = Items::new(world, &frame).in_current_scope();
                    world.put(Detached::carried(frame, Box::pin(Drain(items))));
                }
                Step::DetachClosure => {
                    let frame = frame.carried();
                    let call = call(world, &frame);
                    world.put(Detached::carried(frame, call));
                }
                Step::SyncScope => self.sync_scope(),
                // There is no guard to drop, or no caller that catches the panic.
                Step::Leave | Step::StashGuard | Step::Panic => once_pending().await,
            }
            world.check(frame, "after the step");
        }
    }
}

impl Program {
    /// Returns the first program of a task.
    pub(crate) fn first(world: &Rc<World>) -> Boxed {
        let first = Self {
            world: world.clone(),
            frame: world.task(),
            depth: 0,
            caught: false,
        };
        Box::pin(first.run())
    }

    /// Returns a scope, and the stretch of code that it stands for.
    fn scoped(&self, caught: bool) -> (Boxed, Rc<Frame>) {
        let (number, covers) = self.world.choose_override();
        let frame = Frame::scope(number, covers, &self.frame);
        let mut program = self.inner_in(frame.clone());
        program.caught = caught;
        let scoped = match covers {
            Covers::Everything => manager(number).scope(program),
            Covers::Models { first, second } => {
                adapter::scope_for(manager(number), &self.world.ids(first, second), program)
            }
        };
        (Box::pin(scoped), frame)
    }

    /// Runs two branches of this task: until both have completed, or until one has and the other is
    /// dropped.
    async fn both(&self, join: bool) {
        let mut branches = [0, 1].map(|_| Some(self.inner().into_future()));
        poll_fn(|cx| {
            let first = self.world.choose(2);
            for index in [first, 1 - first] {
                let branch = &mut branches[index];
                if branch
                    .as_mut()
                    .is_some_and(|branch| branch.poll_unpin(cx).is_ready())
                {
                    *branch = None;
                    if !join {
                        return Poll::Ready(());
                    }
                }
            }
            if branches.iter().any(Option::is_some) {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
    }

    /// Polls something that was created elsewhere, and puts it back or drops it.
    async fn run_detached(&self) {
        let world = &self.world;
        let Some(mut detached) = world.take_detached(&self.frame) else {
            return;
        };
        for _ in 0..world.choose(3) {
            if poll_fn(|cx| Poll::Ready(detached.poll(cx))).await {
                return;
            }
            world.check(&self.frame, "between polls");
            if world.flip() {
                once_pending().await;
                world.check(&self.frame, "between polls, later");
            }
        }
        if world.flip() {
            world.put(detached);
        }
    }

    fn sync_scope(&self) {
        let Self { world, frame, .. } = self;
        let number = world.choose_override().0;
        let id = frame.enter(number, Covers::Everything);
        manager(number).sync_scope(|| {
            world.check(frame, "in sync_scope");
            let guard = world.enter(frame);
            if let Some(mut detached) = world.take_detached(frame) {
                let done = detached.poll(&mut Context::from_waker(Waker::noop()));
                world.check(frame, "in sync_scope, after a poll");
                if !done {
                    world.put(detached);
                }
            }
            if world.flip() {
                world.stash.borrow_mut().push(guard);
            }
        });
        frame.leave(id);
    }
}

async fn once_pending() {
    let mut pending = true;
    poll_fn(|_| {
        if mem::take(&mut pending) {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
}

/// A future whose panics are caught.
struct Caught(Running);

impl Future for Caught {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let poll = AssertUnwindSafe(|| self.0.poll_unpin(cx));
        catch_unwind(poll).unwrap_or(Poll::Ready(()))
    }
}

/// A stream that checks at every item, and can hold a guard from one item to the next.
struct Items {
    probe: Probe,
    guard: Option<Held>,
}

impl Items {
    fn new(world: &Rc<World>, frame: &Rc<Frame>) -> Self {
        Self {
            probe: Probe::new(world, frame),
            guard: None,
        }
    }
}

impl Stream for Items {
    type Item = ();

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<()>> {
        let Probe { world, frame } = &self.probe;
        world.check(frame, "in a stream");
        match world.choose(4) {
            0 => return Poll::Ready(None),
            1 => return Poll::Pending,
            2 => {
                let guard = world.enter(frame);
                self.guard = Some(guard);
            }
            _ => self.guard = None,
        }
        Poll::Ready(Some(()))
    }
}

/// Polls for one item at a time.
struct Drain<S>(S);

impl<S: Stream + Unpin> Future for Drain<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.0.poll_next_unpin(cx) {
            Poll::Ready(None) => Poll::Ready(()),
            Poll::Ready(Some(_)) | Poll::Pending => Poll::Pending,
        }
    }
}

/// A closure that is called where the future is polled, or dropped uncalled.
fn call(world: &Rc<World>, frame: &Rc<Frame>) -> Boxed {
    let probe = Probe::new(world, frame);
    let f = in_current_scope_fn(move || {
        let Probe { world, frame } = &probe;
        world.check(frame, "in a closure");
        let guard = world.enter(frame);
        world.check(frame, "in a closure, with a guard");
        drop(guard);
    });
    Box::pin(async move { f() })
}

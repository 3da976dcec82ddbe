//! What the code of a case does, one chosen step after the other.

use std::future::poll_fn;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bsm_core::{InCurrentScope as _, in_current_scope_fn};
use futures_util::{FutureExt as _, Stream, StreamExt as _};

use crate::model::{Covers, Frame};
use crate::world::{Boxed, Held, Pooled, Probe, World, manager};

/// A strand that has not begun. As an `IntoFuture` it tells where it is converted.
pub(crate) struct Strand {
    pub(crate) world: Rc<World>,
    pub(crate) frame: Rc<Frame>,
    /// How many strands enclose it.
    pub(crate) depth: u8,
    /// Whether a panic would be caught.
    pub(crate) caught: bool,
}

impl IntoFuture for Strand {
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

/// A strand that looks around once more when it is dropped after its completion.
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

impl Strand {
    /// A strand in the same stretch of code, such as a branch of a `join!`.
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

    /// A strand that somebody else will run.
    fn apart(&self, frame: Rc<Frame>) -> Self {
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
            // Enclosed strands take fewer kinds of steps, so that cases end.
            let step = world.choose(if self.depth < 4 { 24 } else { 10 });
            world.note(|| format!("depth {} step {step}", self.depth));
            match step {
                0 => break,
                1 | 2 => guards.push(world.enter(frame)),
                3 | 4 if !guards.is_empty() => {
                    drop(guards.remove(world.choose(guards.len())));
                }
                5 if !guards.is_empty() => {
                    let guard = guards.remove(world.choose(guards.len()));
                    match world.choose(4) {
                        // Elsewhere it would last as long as the thread, and meet other cases.
                        0 if frame.ends() => guard.forget(),
                        _ => world.stash.borrow_mut().push(guard),
                    }
                }
                6 if self.caught => resume_unwind(Box::new(())),
                7 => {
                    let guard = world.stash.borrow_mut().pop();
                    drop(guard);
                }
                8 => world.pin(
                    world.choose(2),
                    world.flip().then(|| world.choose_override().0),
                ),
                9 => self.run_pooled().await,
                10 | 11 => self.scoped(self.caught).0.await,
                12 => self.inner_in(frame.carried()).in_current_scope().await,
                13 => {
                    let task = self.apart(world.task());
                    world.spawned.borrow_mut().push(Box::pin(task.run()));
                }
                14 => {
                    let task = self.apart(frame.carried());
                    let task = Box::pin(task.in_current_scope());
                    world.spawned.borrow_mut().push(task);
                }
                15 | 16 => self.both(true).await,
                17 => self.both(false).await,
                18 => {
                    let mut inner = self.inner();
                    inner.caught = true;
                    Caught(inner.into_future()).await;
                }
                19 => {
                    let (future, frame) = self.scoped(false);
                    world.put(Pooled {
                        future,
                        frame,
                        carried: false,
                    });
                }
                20..23 => {
                    let frame = frame.carried();
                    let future: Boxed = match step {
                        20 => Box::pin(self.apart(frame.clone()).in_current_scope()),
                        21 => Box::pin(Drain(Items::new(world, &frame).in_current_scope())),
                        _ => call(world, &frame),
                    };
                    world.put(Pooled {
                        future,
                        frame,
                        carried: true,
                    });
                }
                23 => self.sync_scope(),
                _ => once_pending().await,
            }
            world.check(frame, "after the step");
        }
    }
}

impl Strand {
    /// The first strand of a task.
    pub(crate) fn first(world: &Rc<World>) -> Boxed {
        let first = Self {
            world: world.clone(),
            frame: world.task(),
            depth: 0,
            caught: false,
        };
        Box::pin(first.run())
    }

    /// A scope, and the stretch of code it is.
    fn scoped(&self, caught: bool) -> (Boxed, Rc<Frame>) {
        let (number, covers) = self.world.choose_override();
        let frame = Frame::scope(number, covers, &self.frame);
        let mut strand = self.inner_in(frame.clone());
        strand.caught = caught;
        let scoped = match covers {
            Covers::Everything => manager(number).scope(strand),
            Covers::Models { first, second } => {
                manager(number).scope_for(&self.world.ids(first, second), strand)
            }
        };
        (Box::pin(scoped), frame)
    }

    /// Two branches of this task: until both are done, or until one is and the other is dropped.
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

    /// Runs a bit of something that was made elsewhere, and puts it back or drops it.
    async fn run_pooled(&self) {
        let world = &self.world;
        let Some(mut pooled) = world.take_pooled(&self.frame) else {
            return;
        };
        for _ in 0..world.choose(3) {
            if poll_fn(|cx| Poll::Ready(pooled.poll(cx))).await {
                return;
            }
            world.check(&self.frame, "between polls");
            if world.flip() {
                once_pending().await;
                world.check(&self.frame, "between polls, later");
            }
        }
        if world.flip() {
            world.put(pooled);
        }
    }

    fn sync_scope(&self) {
        let Self { world, frame, .. } = self;
        let number = world.choose_override().0;
        let id = frame.enter(number, Covers::Everything);
        manager(number).sync_scope(|| {
            world.check(frame, "in sync_scope");
            let guard = world.enter(frame);
            if let Some(mut pooled) = world.take_pooled(frame) {
                let done = pooled.poll(&mut Context::from_waker(Waker::noop()));
                world.check(frame, "in sync_scope, after a poll");
                if !done {
                    world.put(pooled);
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

/// A future whose panics end here.
struct Caught(Running);

impl Future for Caught {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let poll = AssertUnwindSafe(|| self.0.poll_unpin(cx));
        catch_unwind(poll).unwrap_or(Poll::Ready(()))
    }
}

/// A stream that looks around at every item, and may keep a guard from one to the next.
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

/// Takes one item per poll.
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

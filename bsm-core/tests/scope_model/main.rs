//! The manager that is seen at every step of every interleaving is the one a naive model tells.
//!
//! A case is a list of bytes. They decide what each strand of code does next, and which task is
//! polled next; see `strand.rs` for the steps and `model.rs` for what ought to be seen.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod model;
mod strand;
mod world;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::thread;

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use tokio::runtime;
use tokio::task::{JoinHandle, LocalSet, spawn_local};

use crate::model::{Covers, Frame};
use crate::strand::Strand;
use crate::world::{Boxed, Models, World, manager};

struct First<const TEST: usize>;
struct Second<const TEST: usize>;

/// Without task ids all tasks of a thread share the guards that are made outside of a scope.
#[test]
fn tasks_of_another_executor_see_what_the_model_tells() {
    let models = Models::new::<First<0>, Second<0>>();
    hold(100_000, |bytes, trace| {
        let thread = Frame::root();
        let world = World::new(bytes, models, Some(thread.clone()), trace);
        let guard = world.flip().then(|| world.enter(&thread));
        run_own_executor(&world, &thread);
        drop(guard);
        world.end(&thread)
    });
}

/// Tokio's tasks are told apart, whatever runs them.
#[test]
fn tokio_tasks_see_what_the_model_tells() {
    let models = Models::new::<First<1>, Second<1>>();
    let runtime = runtime::Builder::new_current_thread().build().unwrap();
    hold(100_000, |bytes, trace| {
        let thread = Frame::root();
        let world = World::new(bytes, models, None, trace);
        let guard = world.flip().then(|| world.enter(&thread));
        let local = LocalSet::new();
        if world.flip() {
            // The tasks run inside of a scope that is not theirs.
            let (number, covers) = world.choose_override();
            let frame = Frame::scope(number, covers, &thread);
            let tasks = local.run_until(run_tokio_tasks(&world, &frame));
            runtime.block_on(match covers {
                Covers::Everything => manager(number).scope(tasks),
                Covers::Models { first, second } => {
                    manager(number).scope_for(&world.ids(first, second), tasks)
                }
            });
        } else {
            runtime.block_on(local.run_until(run_tokio_tasks(&world, &thread)));
        }
        drop(local);
        drop(guard);
        world.end(&thread)
    });
}

/// Runs many cases. The message of a failure is the shortest case that fails, step by step.
fn hold(cases: u32, run: impl Fn(Vec<u8>, bool) -> Option<String> + Sync) {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    // A failing case may leave overrides behind, for the cases that it is shrunk to to find.
    let apart = |bytes, trace| thread::scope(|scope| scope.spawn(|| run(bytes, trace)).join());
    let failed = Cell::new(false);
    let result = TestRunner::new(config).run(&vec(any::<u8>(), 0..80), |bytes| {
        let failure = if failed.get() {
            apart(bytes, false).unwrap()
        } else {
            run(bytes, false)
        };
        failed.set(failed.get() || failure.is_some());
        failure.map_or(Ok(()), |failure| Err(TestCaseError::fail(failure)))
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, bytes)) => {
            let failure = apart(bytes.clone(), true).unwrap();
            panic!("{bytes:?}\n{}", failure.unwrap_or(reason.to_string()));
        }
        Err(error) => panic!("{error}"),
    }
}

fn run_own_executor(world: &Rc<World>, thread: &Rc<Frame>) {
    let mut tasks: Vec<Boxed> = (0..=world.choose(3))
        .map(|_| Strand::first(world))
        .collect();
    while !tasks.is_empty() {
        let index = world.choose(tasks.len());
        let mut cx = Context::from_waker(Waker::noop());
        let aborted = world.choose(16) == 15;
        if aborted || tasks[index].as_mut().poll(&mut cx).is_ready() {
            drop(tasks.swap_remove(index));
        }
        world.check(thread, "between tasks");
        tasks.append(&mut world.spawned.take());
    }
}

async fn run_tokio_tasks(world: &Rc<World>, frame: &Rc<Frame>) {
    let first = (0..=world.choose(3)).map(|_| Strand::first(world));
    let mut tasks: Vec<Task> = first.map(Task::spawn).collect();
    let mut guard = None;
    while !tasks.is_empty() {
        let task = &tasks[world.choose(tasks.len())];
        match world.choose(16) {
            15 => task.handle.abort(),
            14 => guard = Some(world.enter(frame)),
            13 => guard = None,
            _ => task.take_turn().await,
        }
        world.check(frame, "between tasks");
        let (done, left): (Vec<_>, _) = tasks.drain(..).partition(|task| task.handle.is_finished());
        tasks = left;
        for task in done {
            let panicked = task.handle.await.err().filter(|error| error.is_panic());
            assert!(panicked.is_none(), "{panicked:?}");
        }
        tasks.extend(world.spawned.take().into_iter().map(Task::spawn));
    }
    drop(guard);
}

/// A tokio task that goes on only when it is its turn.
struct Task {
    turn: Rc<Turn>,
    handle: JoinHandle<()>,
}

#[derive(Default)]
struct Turn {
    granted: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Task {
    fn spawn(future: Boxed) -> Self {
        let turn = Rc::<Turn>::default();
        Self {
            handle: spawn_local(InTurn {
                turn: turn.clone(),
                future,
            }),
            turn,
        }
    }

    async fn take_turn(&self) {
        self.turn.granted.set(true);
        self.turn.waker.take().inspect(Waker::wake_by_ref);
        poll_fn(|cx| {
            if self.handle.is_finished() || !self.turn.granted.get() {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

struct InTurn {
    turn: Rc<Turn>,
    future: Boxed,
}

impl Future for InTurn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        *self.turn.waker.borrow_mut() = Some(cx.waker().clone());
        if self.turn.granted.take() {
            return self.future.as_mut().poll(cx);
        }
        Poll::Pending
    }
}

//! A property test: at every step of every interleaving, the current manager is the one that a
//! naive model predicts.
//!
//! A case is a list of bytes. They choose the next step of each program, and the task that is
//! polled next; see `program.rs` for the steps and `model.rs` for the predictions.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod model;
mod program;

mod world;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::thread;

use bsm_core::adapter;
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use tokio::runtime;
use tokio::task::{JoinHandle, LocalSet, spawn_local};

use crate::model::{Covers, Frame};
use crate::program::Program;

use crate::world::{Boxed, Models, World, manager};

struct First<const TEST: usize>;
struct Second<const TEST: usize>;

/// Without task ids, all tasks of a thread share the guards that are made outside a scope.
#[test]
fn tasks_of_another_executor_see_what_the_model_predicts() {
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

/// Tokio's tasks are distinguished, whatever runs them.
#[test]
fn tokio_tasks_see_what_the_model_predicts() {
    let models = Models::new::<First<1>, Second<1>>();
    let runtime = runtime::Builder::new_current_thread().build().unwrap();
    hold(100_000, |bytes, trace| {
        let thread = Frame::root();
        let world = World::new(bytes, models, None, trace);
        let guard = world.flip().then(|| world.enter(&thread));
        let local = LocalSet::new();
        if world.flip() {
            // The tasks run inside a scope that is not theirs.
            let (number, covers) = world.choose_override();
            let frame = Frame::scope(number, covers, &thread);
            let tasks = local.run_until(run_tokio_tasks(&world, &frame));
            runtime.block_on(match covers {
                Covers::Everything => manager(number).scope(tasks),
                Covers::Models { first, second } => {
                    adapter::scope_for(manager(number), &world.ids(first, second), tasks)
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

/// Runs many cases. A failure shows the shortest case that fails, step by step.
fn hold(cases: u32, run: impl Fn(Vec<u8>, bool) -> Option<String> + Sync) {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    // Each shrunk case runs on a thread of its own, because a failing case can leave overrides on
    // its thread.
    let isolated = |bytes, trace| thread::scope(|scope| scope.spawn(|| run(bytes, trace)).join());
    let failed = Cell::new(false);
    let result = TestRunner::new(config).run(&vec(any::<u8>(), 0..80), |bytes| {
        let failure = if failed.get() {
            isolated(bytes, false).unwrap()
        } else {
            run(bytes, false)
        };
        failed.set(failed.get() || failure.is_some());
        failure.map_or(Ok(()), |failure| Err(TestCaseError::fail(failure)))
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, bytes)) => {
            let failure = isolated(bytes.clone(), true).unwrap();
            panic!("{bytes:?}\n{}", failure.unwrap_or(reason.to_string()));
        }
        Err(error) => panic!("{error}"),
    }
}

fn run_own_executor(world: &Rc<World>, thread: &Rc<Frame>) {
    let mut tasks: Vec<Boxed> = (0..=world.choose(3))
        .map(|_| Program::first(world))
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
    let first = (0..=world.choose(3)).map(|_| Program::first(world));
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

/// A tokio task that is polled only when it is its turn.
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

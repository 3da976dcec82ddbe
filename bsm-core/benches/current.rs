//! Asking for the active manager, and changing it, beside OpenTelemetry's context and tracing's
//! dispatcher.

use std::hint::black_box;

use bsm_core::{BotoSesManager, adapter};
use criterion::{Criterion, criterion_group, criterion_main};
use opentelemetry::Context;
use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, dispatcher};

fn look_up(c: &mut Criterion, name: &str) {
    let mut group = c.benchmark_group(name);
    group.bench_function("BotoSesManager::current", |b| {
        b.iter(BotoSesManager::current);
    });
    group.bench_function("opentelemetry::Context::current", |b| {
        b.iter(Context::current);
    });
    group.bench_function("tracing get_default(Dispatch::clone)", |b| {
        b.iter(|| dispatcher::get_default(Dispatch::clone));
    });
    group.finish();
}

fn current(c: &mut Criterion) {
    look_up(c, "current, nothing overridden");
    let _env = BotoSesManager::from_profile("staging").awsenv();
    let _context = Context::current_with_value(1_u8).attach();
    let _dispatcher = dispatcher::set_default(&Dispatch::new(NoSubscriber::new()));
    look_up(c, "current, overridden");
}

fn models(c: &mut Criterion) {
    struct User;

    let mut group = c.benchmark_group("current_for a model");
    group.bench_function("nothing overridden", |b| {
        b.iter(BotoSesManager::current_for::<User>);
    });
    let staging = BotoSesManager::from_profile("staging");
    let _env = adapter::awsenv_for(&staging, &[std::any::TypeId::of::<User>()]);
    group.bench_function("overridden", |b| {
        b.iter(BotoSesManager::current_for::<User>);
    });
    let production = BotoSesManager::from_profile("production");
    let _envs: Vec<_> = (0..8).map(|_| production.awsenv()).collect();
    group.bench_function("overridden, below 8 general overrides", |b| {
        b.iter(BotoSesManager::current_for::<User>);
    });
    group.finish();
}

fn enter_and_leave(c: &mut Criterion) {
    let mut group = c.benchmark_group("enter and leave");
    let staging = BotoSesManager::from_profile("staging");
    group.bench_function("BotoSesManager::awsenv", |b| {
        b.iter(|| drop(black_box(staging.awsenv())));
    });
    group.bench_function("BotoSesManager::sync_scope", |b| {
        b.iter(|| staging.sync_scope(|| black_box(())));
    });
    let context = Context::current_with_value(1_u8);
    group.bench_function("opentelemetry::Context::attach", |b| {
        b.iter(|| drop(black_box(context.clone().attach())));
    });
    let dispatch = Dispatch::new(NoSubscriber::new());
    group.bench_function("tracing set_default", |b| {
        b.iter(|| drop(black_box(dispatcher::set_default(&dispatch))));
    });
    group.finish();
}

criterion_group!(benches, current, models, enter_and_leave);
criterion_main!(benches);

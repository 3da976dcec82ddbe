//! The first use of a manager and all that follow, beside what is loaded and made by hand.

use std::fs;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_sdk_sts::Client;
use bsm_core::{BotoSesManager, Builder};
use criterion::{Criterion, criterion_group, criterion_main};
use tempfile::TempDir;
use tokio::runtime::{self, Runtime};

/// A folder with the usual two files.
fn profiles() -> TempDir {
    let folder = tempfile::tempdir().expect("there is room for profile files");
    let write = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).expect("profile files can be written");
    };
    write(
        "config",
        "[default]\nregion = us-east-1\n\n[profile staging]\nregion = us-east-1\n\
         role_arn = arn:aws:iam::222222222222:role/Staging\nsource_profile = default\n",
    );
    write(
        "credentials",
        "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n\
         aws_secret_access_key = not-a-secret\n",
    );
    folder
}

fn builder(folder: &TempDir) -> Builder {
    BotoSesManager::builder()
        .config_file(folder.path().join("config"))
        .shared_credentials_file(folder.path().join("credentials"))
}

fn one_thread() -> Runtime {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be made")
}

fn first_use(c: &mut Criterion) {
    let (runtime, folder) = (one_thread(), profiles());
    let mut group = c.benchmark_group("first use");
    group.bench_function("BotoSesManager: new to client", |b| {
        b.to_async(&runtime).iter(async || {
            let manager = builder(&folder).profile_name("staging").build();
            manager.client(Client::new).await
        });
    });
    group.bench_function("aws_config: load, Client::new", |b| {
        b.to_async(&runtime).iter(async || {
            let files = EnvConfigFiles::builder()
                .with_file(EnvConfigFileKind::Config, folder.path().join("config"))
                .with_file(
                    EnvConfigFileKind::Credentials,
                    folder.path().join("credentials"),
                )
                .build();
            let config = aws_config::defaults(BehaviorVersion::v2026_01_12())
                .profile_files(files)
                .profile_name("staging")
                // Not those of the environment: it panics on some.
                .retry_config(RetryConfig::standard())
                .load()
                .await;
            Client::new(&config)
        });
    });
    group.finish();
}

fn every_use(c: &mut Criterion) {
    let (runtime, folder) = (one_thread(), profiles());
    let manager = builder(&folder).profile_name("default").build();
    let client = runtime.block_on(manager.client(Client::new));
    let client = client.expect("the profile is there");
    let mut group = c.benchmark_group("every use");
    group.bench_function("BotoSesManager::client", |b| {
        b.to_async(&runtime).iter(|| manager.client(Client::new));
    });
    group.bench_function("Client::clone", |b| {
        b.to_async(&runtime).iter(async || client.clone());
    });
    group.bench_function("BotoSesManager::credentials", |b| {
        b.to_async(&runtime).iter(|| manager.credentials());
    });
    group.finish();
}

criterion_group!(benches, first_use, every_use);
criterion_main!(benches);

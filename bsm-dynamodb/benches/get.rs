//! One get of a model, and one switch of it, beside the SDK and serde_dynamo by hand.

use aws_sdk_dynamodb::Client;
use bsm_core::BotoSesManager;
use bsm_dynamodb::{Model, use_boto_session, with_boto_session};
use bsm_tests::Playground;
use bsm_tests::measured::{User, by_hand, http_without_a_network, manager};
use criterion::{Criterion, criterion_group, criterion_main};
use tokio::runtime::{Builder, Runtime};

fn one_thread() -> Runtime {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be made")
}

async fn get() -> User {
    User::get(User::ID).await.expect("the user is there")
}

fn compare(c: &mut Criterion, name: &str, managers: &[BotoSesManager; 2], client: &Client) {
    let runtime = one_thread();
    let mut group = c.benchmark_group(name);
    group.bench_function("model", |b| {
        let _env = managers[0].awsenv();
        b.to_async(&runtime).iter(get);
    });
    group.bench_function("model, switched each time", |b| {
        let mut switches = managers.iter().cycle();
        b.to_async(&runtime).iter(|| {
            let manager = switches.next();
            async move {
                let _session = use_boto_session::<User>(manager);
                get().await
            }
        });
    });
    group.bench_function("by hand", |b| {
        b.to_async(&runtime).iter(async || {
            let user = User::get_by_hand(client, User::ID).await;
            user.expect("the user is there")
        });
    });
    group.finish();
}

fn answered_at_once(c: &mut Criterion) {
    let manager = || manager(http_without_a_network());
    let config = by_hand().http_client(http_without_a_network()).load();
    let client = Client::new(&one_thread().block_on(config));
    compare(c, "get, answered at once", &[manager(), manager()], &client);
}

fn from_the_local_aws(c: &mut Criterion) {
    let runtime = one_thread();
    let playground = runtime.block_on(Playground::start());
    let manager = || playground.profile("default");
    let managers = [manager(), manager()];
    let client = runtime.block_on(async {
        let put = async {
            User::create_table().wait().await?;
            User::example().save().await
        };
        let put = with_boto_session::<User, _>(&managers[0], put).await;
        put.expect("the user can be saved");
        let config = managers[0].sdk_config().await;
        let http_client = config.expect("the profile is there").http_client();
        let http_client = http_client.expect("a manager has an HTTP client");
        let config = by_hand().http_client(http_client);
        let config = config.endpoint_url(playground.aws.endpoint_url());
        Client::new(&config.load().await)
    });
    compare(c, "get, from the local AWS", &managers, &client);
}

criterion_group!(benches, answered_at_once, from_the_local_aws);
criterion_main!(benches);

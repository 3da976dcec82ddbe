use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use bsm_core::{BotoSesManager, CliCache};
use bsm_local_aws::Fault;

use crate::support::{ADMIN, Playground, READER, assume_role_calls, builder, playground, request};

fn cache(playground: &Playground) -> (CliCache, PathBuf) {
    let directory = playground
        .dir()
        .join("home")
        .join(".aws")
        .join("cli")
        .join("cache");
    (CliCache::new().directory(&directory), directory)
}

fn admin(playground: &Playground) -> BotoSesManager {
    let cache = cache(playground).0;
    playground
        .builder()
        .profile_name("admin")
        .cli_cache(cache)
        .build()
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(directory)
        .unwrap()
        .map(|file| file.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .collect()
}

async fn key(bsm: &BotoSesManager) -> String {
    bsm.credentials().await.unwrap().access_key_id().to_owned()
}

#[tokio::test]
async fn a_second_manager_finds_what_the_first_one_left() {
    let playground = playground();
    let first = key(&admin(&playground)).await;
    assert_eq!(key(&admin(&playground)).await, first);
    assert_eq!(assume_role_calls(&playground), 1);

    let directory = cache(&playground).1;
    let [entry] = &entries(&directory)[..] else {
        panic!("one entry was expected");
    };
    assert_eq!(
        fs::metadata(entry).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let leftovers = fs::read_dir(&directory).unwrap().filter(|file| {
        file.as_ref()
            .unwrap()
            .path()
            .extension()
            .is_some_and(|extension| extension == "tmp")
    });
    assert_eq!(leftovers.count(), 0);
}

#[tokio::test]
async fn the_cache_is_in_the_home_directory_by_default() {
    let playground = playground();
    let home = playground.dir().join("somebody");
    let variables = [
        ("HOME", home.to_str().unwrap()),
        ("USERPROFILE", home.to_str().unwrap()),
    ];
    let builder = playground
        .builder()
        .environment(variables)
        .profile_name("admin");
    key(&builder.cli_cache(CliCache::new()).build()).await;
    assert_eq!(
        entries(&home.join(".aws").join("cli").join("cache")).len(),
        1
    );
}

#[tokio::test]
async fn the_role_is_assumed_again_when_the_entry_gets_old() {
    let playground = playground();
    let bsm = admin(&playground);
    let first = key(&bsm).await;
    playground.aws.clock().advance(Duration::from_secs(3_550));
    let second = key(&bsm).await;
    assert_ne!(first, second);
    assert_eq!(key(&admin(&playground)).await, second);
    assert_eq!(assume_role_calls(&playground), 2);
}

#[tokio::test]
async fn a_demand_for_more_time_than_the_entry_has_assumes_the_role_again() {
    let playground = playground();
    key(&admin(&playground)).await;
    playground.aws.clock().advance(Duration::from_secs(1_800));
    let hour = Duration::from_secs(3_500);
    admin(&playground).credentials_for(hour).await.unwrap();
    assert_eq!(assume_role_calls(&playground), 2);
}

#[tokio::test]
async fn a_damaged_or_foreign_entry_is_replaced() {
    let playground = playground();
    key(&admin(&playground)).await;
    let entry = entries(&cache(&playground).1).remove(0);
    let good = fs::read_to_string(&entry).unwrap();
    let foreign = good.replace("assumed-role/Admin", "assumed-role/Reader");
    for bad in ["", "{", "[]", "\0\u{1}", &good[..good.len() / 2], &foreign] {
        fs::write(&entry, bad).unwrap();
        playground.aws.clear_calls();
        let healed = key(&admin(&playground)).await;
        assert_eq!(assume_role_calls(&playground), 1, "{bad}");
        assert_eq!(key(&admin(&playground)).await, healed);
        assert_eq!(assume_role_calls(&playground), 1, "{bad}");
    }
    fs::write(&entry, [0xff, 0xfe, 0x00]).unwrap();
    key(&admin(&playground)).await;
}

#[tokio::test]
async fn a_cache_that_cannot_be_used_is_no_error() {
    let playground = playground();
    let file = playground.dir().join("file");
    fs::write(&file, "").unwrap();
    for directory in [file.join("cache"), PathBuf::from("/proc/no/such/place")] {
        let cache = CliCache::new().directory(directory);
        key(&playground
            .builder()
            .profile_name("admin")
            .cli_cache(cache)
            .build())
        .await;
    }
}

#[tokio::test]
async fn an_entry_of_another_source_is_used_by_default() {
    let playground = playground();
    let (cache, directory) = cache(&playground);
    let dev = |cache: CliCache| {
        playground
            .builder()
            .profile_name("dev")
            .cli_cache(cache)
            .build()
    };
    let through_admin = |cache: CliCache| {
        dev(cache)
            .assume_role(ADMIN)
            .build()
            .assume_role(READER)
            .external_id("the-id")
    };
    let straight = |cache: CliCache| dev(cache).assume_role(READER).external_id("the-id");

    let first = key(&straight(cache.clone()).build()).await;
    assert_eq!(key(&through_admin(cache.clone()).build()).await, first);

    let strict = cache.same_source_only();
    let own = key(&through_admin(strict.clone()).build()).await;
    assert_ne!(own, first);
    assert_eq!(key(&through_admin(strict.clone()).build()).await, own);
    assert_ne!(key(&straight(strict).build()).await, own);
    assert_eq!(entries(&directory).len(), 2);
}

#[tokio::test]
async fn a_process_that_waits_goes_on_as_soon_as_the_other_gives_up_its_turn() {
    let playground = playground();
    key(&admin(&playground)).await;
    let directory = cache(&playground).1;
    let entry = entries(&directory).remove(0);
    let lock = fs::File::open(entry.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    fs::remove_file(&entry).unwrap();
    let bsm = admin(&playground);
    let (waiting, ()) = tokio::join!(
        tokio::time::timeout(Duration::from_secs(5), key(&bsm)),
        async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            assert_eq!(assume_role_calls(&playground), 1);
            drop(lock);
        }
    );
    waiting.unwrap();
    assert_eq!(assume_role_calls(&playground), 2);
}

const CHILD: &str = "BSM_CLI_CACHE_CHILD";

/// Run by [`eight_processes_on_a_cold_cache_make_one_call`], in processes of its own.
#[tokio::test]
async fn child() {
    let Some(directory) = env::var_os(CHILD).map(PathBuf::from) else {
        return;
    };
    let cache = CliCache::new().directory(directory.join("cache"));
    let bsm = builder(&directory)
        .profile_name("admin")
        .cli_cache(cache)
        .build();
    println!("key={}", key(&bsm).await);
    request(&bsm).await;
}

#[tokio::test]
async fn eight_processes_on_a_cold_cache_make_one_call() {
    let playground = playground();
    let slow = Fault::latency(Duration::from_millis(300)).operation("AssumeRole");
    playground.aws.faults().add(slow);
    let children: Vec<_> = (0..8)
        .map(|_| {
            Command::new(env::current_exe().unwrap())
                .args(["--exact", "cli_cache::child", "--nocapture"])
                .env(CHILD, playground.dir())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let keys: Vec<_> = children
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success());
            let text = String::from_utf8(output.stdout).unwrap();
            let key = text.split("key=").nth(1).unwrap();
            key.split_whitespace().next().unwrap().to_owned()
        })
        .collect();
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert_eq!(assume_role_calls(&playground), 1);
}

/// By hand: `cargo test -p bsm-core --all-features --test credentials boto3 -- --ignored`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs python3 with boto3"]
async fn boto3_and_this_crate_read_each_others_entries() {
    let playground = playground();
    let directory = cache(&playground).1;
    let boto3 = |profile: &str| {
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../tests/peers/cli_cache_boto3.py"
        );
        let output = Command::new("python3")
            .args([script.as_ref(), directory.as_os_str(), profile.as_ref()])
            .env("AWS_CONFIG_FILE", playground.dir().join("config"))
            .env(
                "AWS_SHARED_CREDENTIALS_FILE",
                playground.dir().join("credentials"),
            )
            .env("AWS_ENDPOINT_URL", playground.aws.endpoint_url())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let printed = String::from_utf8(output.stdout).unwrap();
        printed.split(' ').next().unwrap().to_owned()
    };
    // Ours first, and then theirs.
    let ours = key(&admin(&playground)).await;
    assert_eq!(boto3("admin"), ours);
    assert_eq!(assume_role_calls(&playground), 1);
    fs::remove_file(entries(&directory).remove(0)).unwrap();
    let theirs = boto3("admin");
    assert_eq!(key(&admin(&playground)).await, theirs);
    assert_eq!(assume_role_calls(&playground), 2);
}

/// By hand, as above.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the AWS CLI"]
async fn the_aws_cli_and_this_crate_read_each_others_entries() {
    let playground = playground();
    let home = playground.dir().join("home");
    let cli = || {
        let output = Command::new("aws")
            .args(["sts", "get-caller-identity", "--profile", "admin"])
            .env("HOME", &home)
            .env("AWS_CONFIG_FILE", playground.dir().join("config"))
            .env(
                "AWS_SHARED_CREDENTIALS_FILE",
                playground.dir().join("credentials"),
            )
            .env("AWS_ENDPOINT_URL", playground.aws.endpoint_url())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let calls = playground.aws.calls();
        calls.last().unwrap().access_key_id.clone().unwrap()
    };
    let directory = cache(&playground).1;
    let ours = key(&admin(&playground)).await;
    assert_eq!(cli(), ours);
    fs::remove_file(entries(&directory).remove(0)).unwrap();
    let theirs = cli();
    assert_eq!(key(&admin(&playground)).await, theirs);
    assert_eq!(assume_role_calls(&playground), 2);
}

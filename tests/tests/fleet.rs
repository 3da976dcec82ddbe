//! Fleets on the local AWS: isolation, pacing, reports and resumed runs.

use std::collections::BTreeMap;
use std::future::pending;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bsm_core::fleet::{Call, Fleet, Outcome, Report, Status};
use bsm_core::{BotoSesManager, Error, ErrorKind};
use bsm_local_aws::{Account, Fault, LocalAws, Role, Trust, User};
use futures_util::StreamExt as _;

const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "ap-southeast-2"];

/// A local AWS with a user and a number of accounts whose role the user may assume.
struct Organization {
    aws: LocalAws,
    base: BotoSesManager,
    ids: Vec<String>,
}

impl Organization {
    /// Every `denied`-th account does not trust the user; 0 for none.
    async fn start(accounts: usize, denied: usize) -> Self {
        let user = "arn:aws:iam::999999999999:user/admin";
        let admin = User::new("admin").access_key("AKIAADMIN", "hush");
        let mut builder = LocalAws::builder().account(Account::new("999999999999").user(admin));
        let ids: Vec<_> = (1..=accounts)
            .map(|number| format!("{number:012}"))
            .collect();
        for (number, id) in ids.iter().enumerate() {
            let mut role = Role::new("Work");
            if denied == 0 || number % denied != 0 {
                role = role.trust(Trust::principal(user));
            }
            builder = builder.account(Account::new(id).role(role));
        }
        let aws = builder.start().await.expect("a local AWS starts");
        let base = BotoSesManager::builder()
            .keys("AKIAADMIN", "hush")
            .environment([])
            .region("us-east-1")
            .endpoint_url(aws.endpoint_url())
            .time_source(aws.clock())
            .build();
        Self { aws, base, ids }
    }

    fn fleet(&self) -> Fleet {
        Fleet::from_accounts(&self.base, &self.ids, "Work")
    }

    fn assumed(&self) -> usize {
        let calls = self.aws.calls();
        let assumed = calls
            .iter()
            .filter(|call| call.operation == "AssumeRole" && call.error_code.is_none());
        assumed.count()
    }
}

fn arn(id: &str) -> String {
    format!("arn:aws:iam::{id}:role/Work")
}

/// Returns the account that the code's own current manager reaches.
async fn current_account() -> Result<String, Error> {
    BotoSesManager::current().aws_account_id().await
}

#[tokio::test]
async fn each_account_and_region_runs_in_its_own_scope_with_one_role_session() {
    let organization = Organization::start(20, 0).await;
    let other = BotoSesManager::from_profile("other");
    let run = || {
        organization
            .fleet()
            .regions(REGIONS)
            .concurrency(5)
            .for_each(async |account| {
                let region = BotoSesManager::current().aws_region().await?;
                assert_eq!(account.region(), Some(&*region));
                Ok::<_, Error>((
                    account.id().map(str::to_owned),
                    current_account().await?,
                    region,
                ))
            })
    };
    // The override around the fleet does not reach in.
    let run = other.sync_scope(run);
    let found: Vec<_> = run.collect().await;
    assert_eq!(found.len(), 60);
    let mut seen = BTreeMap::new();
    for finished in found {
        let call = finished.call().clone();
        let Some((id, account, region)) = finished.into_outcome().value() else {
            panic!("{call} is done");
        };
        assert_eq!(id.as_deref(), Some(&*account));
        assert_eq!(call.account(), arn(&account));
        seen.entry(account).or_insert_with(Vec::new).push(region);
    }
    assert_eq!(seen.len(), 20);
    assert!(seen.values().all(|regions| regions.len() == 3));
    assert_eq!(organization.assumed(), 20);
}

#[tokio::test]
async fn no_account_fails_or_delays_another() {
    let organization = Organization::start(30, 0).await;
    organization.aws.faults().add(
        Fault::throttling()
            .operation("AssumeRole")
            .after(10)
            .times(5),
    );
    let fleet = organization
        .fleet()
        .and(Fleet::from_accounts(
            &organization.base,
            ["777777777777"],
            "Missing",
        ))
        .concurrency(8)
        .time_limit(Duration::from_secs(8));
    let began = Instant::now();
    let mut run = fleet.for_each(async |account| match account.id() {
        Some("000000000001") => pending().await,
        Some("000000000002") => resume_unwind(Box::new("caught by the fleet")),
        Some("000000000003") => Err("not today"),
        Some("000000000004") => {
            // It blocks its thread for longer than the test takes.
            std::thread::sleep(Duration::from_secs(600));
            Ok(())
        }
        _ => Ok(()),
    });
    let mut by_status = BTreeMap::new();
    let mut done_before_a_time_out = 0;
    while let Some(finished) = run.next().await {
        let status = finished.outcome().status();
        by_status
            .entry(status)
            .or_insert_with(Vec::new)
            .push(finished.call().account().to_owned());
        if status == Status::Done && !by_status.contains_key(&Status::TimedOut) {
            done_before_a_time_out += 1;
        }
        if let Outcome::NoSession(error) = finished.outcome() {
            assert_eq!(error.kind(), ErrorKind::AccessDenied, "{error}");
        }
    }
    let mut of = |status| {
        let mut found = by_status.remove(&status).unwrap_or_default();
        found.sort();
        found
    };
    assert_eq!(
        of(Status::TimedOut),
        [arn("000000000001"), arn("000000000004")]
    );
    assert_eq!(of(Status::Panicked), [arn("000000000002")]);
    assert_eq!(of(Status::Failed), [arn("000000000003")]);
    assert_eq!(
        of(Status::NoSession),
        ["arn:aws:iam::777777777777:role/Missing"]
    );
    assert_eq!(of(Status::Done).len(), 26);
    assert_eq!(done_before_a_time_out, 26, "the others don't wait");
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "a blocked thread holds nobody up"
    );
    let report = run.report();
    assert_eq!(
        report.to_string(),
        "26 done, 1 failed, 1 without a session, 1 panicked, 2 timed out"
    );
    let failed = report
        .entries()
        .find(|entry| entry.status() == Status::Failed);
    assert_eq!(failed.unwrap().error(), Some("not today"));
}

#[tokio::test]
async fn roles_are_assumed_just_in_time_and_results_hold_the_run_up() {
    let organization = Organization::start(40, 0).await;
    let mut run = organization
        .fleet()
        .concurrency(4)
        .for_each(async |_| Ok::<_, Error>(()));
    run.next().await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    // 1 read, 4 in the channel, 4 that wait to send, and as many in the accounts that follow.
    let assumed = organization.assumed();
    assert!(assumed <= 13, "{assumed}");
    let report = run.await;
    assert!(report.is_complete());
    assert_eq!(organization.assumed(), 40);
}

#[tokio::test]
async fn profiles_and_managers_make_fleets_with_names_of_their_own() {
    let dir = tempfile::TempDir::new().unwrap();
    let file = dir.path().join("config");
    let profile =
        |name| format!("[profile {name}]\naws_access_key_id = {name}\naws_secret_access_key = s\n");
    std::fs::write(
        &file,
        ["prod-eu", "staging", "prod-us"].map(profile).concat(),
    )
    .unwrap();
    let builder = BotoSesManager::builder()
        .config_file(&file)
        .shared_credentials_file(dir.path().join("none"))
        .environment([]);
    let key = async |_| {
        let credentials = BotoSesManager::current().credentials().await?;
        Ok::<_, Error>(credentials.access_key_id().to_owned())
    };
    let fleet = Fleet::from_profiles_of(&builder, "prod-*").unwrap();
    let names: Vec<_> = fleet.plan().iter().map(Call::to_string).collect();
    assert_eq!(names, ["prod-eu", "prod-us"]);
    let mut keys: Vec<_> = fleet
        .for_each(key)
        .map(|finished| finished.into_outcome().value().unwrap())
        .collect()
        .await;
    keys.sort();
    assert_eq!(keys, ["prod-eu", "prod-us"]);

    let staging = || builder.clone().profile_name("staging").build();
    let fleet = Fleet::new([staging(), staging()]).regions(["eu-west-1"]);
    let names: Vec<_> = fleet.plan().iter().map(Call::to_string).collect();
    assert_eq!(
        names,
        [
            "profile \"staging\" in eu-west-1",
            "profile \"staging\" (2) in eu-west-1"
        ]
    );
    let twice = [arn("000000000001"), arn("000000000001")];
    assert_eq!(Fleet::from_roles(&staging(), twice).plan().len(), 1);
}

#[tokio::test]
async fn roles_of_profiles_are_paced_like_those_of_a_base_session() {
    let organization = Organization::start(80, 0).await;
    let dir = tempfile::TempDir::new().unwrap();
    let url = organization.aws.endpoint_url();
    let mut config =
        "[profile base]\naws_access_key_id = AKIAADMIN\naws_secret_access_key = hush\n".to_owned();
    for id in &organization.ids {
        config += &format!(
            "[profile work-{id}]\nrole_arn = {}\nsource_profile = base\nregion = us-east-1\nendpoint_url = {url}\n",
            arn(id)
        );
    }
    std::fs::write(dir.path().join("config"), config).unwrap();
    // A session tries three times within two seconds: without a pace, most accounts would fail.
    let rate = Fault::throttling()
        .operation("AssumeRole")
        .above(20.0, 20.0);
    organization.aws.faults().add(rate);
    let builder = BotoSesManager::builder()
        .config_file(dir.path().join("config"))
        .shared_credentials_file(dir.path().join("none"))
        .environment([])
        .time_source(organization.aws.clock());
    let run = Fleet::from_profiles_of(&builder, "work-*")
        .unwrap()
        .concurrency(80)
        .for_each(async |_| current_account().await.map(drop));
    let report = run.await;
    assert!(report.is_complete(), "{report}");
    assert_eq!(organization.assumed(), 80);
}

/// Runs a fleet that is cancelled half-way, and returns its report.
async fn cancelled(
    organization: &Organization,
    path: &Path,
    made: &Arc<Mutex<Vec<String>>>,
) -> Report {
    let made = Arc::clone(made);
    let mut run = organization
        .fleet()
        .concurrency(2)
        .record(path)
        .expect("the report can be written")
        .for_each(async move |account| {
            made.lock()
                .expect("no thread panics")
                .push(account.name().to_owned());
            match account.id() {
                Some("000000000003") => pending().await,
                Some("000000000005") => Err("this one fails"),
                _ => Ok(()),
            }
        });
    for _ in 0..8 {
        run.next().await.expect("a call ends");
    }
    run.cancel()
}

#[tokio::test]
async fn a_cancelled_run_is_resumed_without_doing_anything_twice() {
    let organization = Organization::start(20, 0).await;
    let dir = tempfile::TempDir::new().unwrap();
    let path = dir.path().join("report.jsonl");
    let made = Arc::<Mutex<Vec<String>>>::default();
    let report = cancelled(&organization, &path, &made).await;
    assert!(report.count(Status::Started) >= 1, "{report}");
    assert!(report.count(Status::NotStarted) >= 8, "{report}");

    // A killed process leaves half a line.
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push_str("{\"account\":\"arn:aws:ia");
    std::fs::write(&path, text).unwrap();

    let resume = |repeat: bool| {
        let made = Arc::clone(&made);
        organization
            .fleet()
            .resume(Report::read(&path).unwrap())
            .repeat_interrupted(repeat)
            .record(&path)
            .unwrap()
            .for_each(async move |account| {
                made.lock()
                    .expect("no thread panics")
                    .push(account.name().to_owned());
                Ok::<_, Error>(())
            })
    };
    let report = resume(false).await;
    assert_eq!(report.count(Status::NotStarted), 0, "{report}");
    let interrupted = report.count(Status::Started);
    assert!(interrupted >= 1, "{report}");
    assert_eq!(report.count(Status::Done), 20 - interrupted, "{report}");
    let times = |name: &str| {
        made.lock()
            .unwrap()
            .iter()
            .filter(|made| *made == name)
            .count()
    };
    for id in &organization.ids {
        let expected = if id == "000000000005" { 2 } else { 1 };
        assert_eq!(times(&arn(id)), expected, "{id}");
    }
    assert!(report.skipped() >= interrupted);

    let report = resume(true).await;
    assert!(report.is_complete(), "{report}");
    assert_eq!(times(&arn("000000000003")), 2);
    assert_eq!(Report::read(&path).unwrap().to_string(), "20 done");
    let nothing = organization.fleet().resume(report).plan();
    assert!(nothing.is_empty());
}

#[test]
fn a_report_is_read_from_nothing_else() {
    let dir = tempfile::TempDir::new().unwrap();
    let other = dir.path().join("other");
    for text in [
        "",
        "{}\n",
        "some notes\n",
        "{\"format\":\"bsm-fleet-report\",\"version\":9}\n",
    ] {
        std::fs::write(&other, text).unwrap();
        let error = Report::read(&other).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::File, "{text:?}");
        if !text.is_empty() {
            let fleet = Fleet::new([]).record(&other);
            assert_eq!(fleet.unwrap_err().kind(), ErrorKind::File, "{text:?}");
            assert_eq!(std::fs::read_to_string(&other).unwrap(), text);
        }
    }
    assert_eq!(
        Report::read(dir.path()).unwrap_err().kind(),
        ErrorKind::File
    );
}

#[tokio::test]
async fn any_concurrency_runs_every_account() {
    for concurrency in [0, 1, usize::MAX] {
        let organization = Organization::start(3, 0).await;
        let fleet = organization.fleet().concurrency(concurrency);
        let report = fleet.for_each(async |_| current_account().await).await;
        assert_eq!(report.count(Status::Done), 3, "{concurrency}: {report}");
    }
}

/// 5,000 accounts in three regions, with a bounded rate of STS, denied roles, a hang and a panic.
///
/// `cargo test --release -p bsm-tests --test fleet -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
async fn five_thousand_accounts() {
    for accounts in [500, 5_000] {
        let organization = Organization::start(accounts, 50).await;
        let rate = Fault::throttling()
            .operation("AssumeRole")
            .above(100.0, 100.0);
        let throttled = organization.aws.faults().add(rate);
        let began = Instant::now();
        let mut run = organization
            .fleet()
            .regions(REGIONS)
            .concurrency(64)
            .time_limit(Duration::from_secs(60))
            .for_each(async |account| {
                match (account.id(), account.region()) {
                    (Some("000000000002"), _) => pending().await,
                    (Some("000000000003"), Some("eu-west-1")) => {
                        resume_unwind(Box::new("caught by the fleet"))
                    }
                    _ => {}
                }
                current_account().await.map(drop)
            });
        let mut slowest = Duration::ZERO;
        while let Some(finished) = run.next().await {
            if finished.outcome().status() == Status::Done {
                slowest = slowest.max(finished.elapsed());
            }
        }
        let report = run.report();
        println!(
            "{accounts} accounts x 3 regions: {report}; {:.1} s; slowest call {:.1} s; {} AssumeRole, {} \
             throttled; peak memory {}",
            began.elapsed().as_secs_f64(),
            slowest.as_secs_f64(),
            organization.assumed(),
            organization.aws.faults().hits(throttled),
            peak_memory(),
        );
        let denied = accounts / 50;
        assert_eq!(report.count(Status::NoSession), 3 * denied);
        assert_eq!(report.count(Status::TimedOut), 3);
        assert_eq!(report.count(Status::Panicked), 1);
        assert_eq!(report.count(Status::Done), 3 * (accounts - denied) - 4);
        assert_eq!(organization.assumed(), accounts - denied);
    }
}

/// Returns the peak memory of this process, which includes the local AWS.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.unwrap_or("unknown").trim().to_owned()
}

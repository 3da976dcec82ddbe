//! Roles behind an MFA device whose codes are generated.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bsm_core::mfa;
use bsm_local_aws::{Account, Clock, LocalAws, MfaDevice, Profile, Role, Trust, User};
use bsm_tests::Playground;

const USER: &str = "arn:aws:iam::111111111111:user/dev";
const SERIAL: &str = "arn:aws:iam::111111111111:mfa/dev";
const DEVICE_SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const ROLES: [&str; 2] = [
    "arn:aws:iam::222222222222:role/WithMfa",
    "arn:aws:iam::222222222222:role/AuditWithMfa",
];

/// One second before the device shows its next code.
fn late() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000 + 29)
}

async fn playground() -> Playground {
    let dev = User::new("dev")
        .access_key("AKIALOCALTOTP0000001", "hush")
        .mfa(MfaDevice::totp(SERIAL, DEVICE_SECRET));
    let guarded = |name: &str| Role::new(name).trust(Trust::principal(USER).require_mfa());
    let aws = LocalAws::builder()
        .clock(Clock::frozen_at(late()))
        .account(Account::new("111111111111").user(dev))
        .account(
            Account::new("222222222222")
                .role(guarded("WithMfa"))
                .role(guarded("AuditWithMfa")),
        )
        .profile(Profile::new("dev").region("us-east-1").user(USER))
        .profile(
            Profile::new("mfa")
                .region("us-east-1")
                .role(ROLES[0], "dev")
                .set("mfa_serial", SERIAL),
        );
    Playground::with(aws).await
}

#[tokio::test]
async fn two_roles_of_one_device_get_a_code_each() {
    let playground = playground().await;
    let totp = mfa::Totp::new(DEVICE_SECRET).unwrap();
    let dev = playground.builder().profile_name("dev");
    let dev = dev.mfa_token_provider(totp).build();
    let assume = |role: &str| dev.assume_role(role).mfa_serial(SERIAL).load();
    let (one, other) = tokio::join!(assume(ROLES[0]), assume(ROLES[1]));
    one.unwrap();
    other.unwrap();
    assert_eq!(playground.aws.call_count("sts", "AssumeRole"), 2);
}

#[tokio::test]
async fn a_role_is_refreshed_in_the_background_when_nobody_need_be_asked() {
    let playground = playground().await;
    let totp = mfa::Totp::new(DEVICE_SECRET).unwrap();
    is_refreshed_in_the_background(&playground, totp).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_program_that_needs_no_person_gives_the_code_of_a_background_refresh() {
    let playground = playground().await;
    let device = MfaDevice::totp(SERIAL, DEVICE_SECRET);
    let code = |after: u64| device.code_at(late() + Duration::from_secs(after));
    let script = format!(
        "cd '{}'; test -e asked && echo {} || {{ touch asked; echo {}; }}",
        playground.dir().display(),
        code(REFRESH_AFTER).unwrap(),
        code(0).unwrap(),
    );
    let program = mfa::TokenCommand::new("sh").args(["-c", &script]);
    is_refreshed_in_the_background(&playground, program.unattended()).await;
}

/// When the credentials are refreshed, which are valid for an hour.
const REFRESH_AFTER: u64 = 2_800;

async fn is_refreshed_in_the_background(
    playground: &Playground,
    provider: impl mfa::MfaTokenProvider,
) {
    let bsm = playground.builder().profile_name("mfa");
    let bsm = bsm.mfa_token_provider(provider).build();
    bsm.credentials().await.expect("the role is assumed");
    let clock = playground.aws.clock();
    clock.advance(Duration::from_secs(REFRESH_AFTER));
    bsm.credentials().await.expect("the role is assumed");
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        if playground.aws.call_count("sts", "AssumeRole") == 2 {
            return;
        }
    }
    panic!("there was no refresh in the background");
}

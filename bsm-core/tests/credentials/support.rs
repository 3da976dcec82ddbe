use bsm_core::BotoSesManager;
use bsm_local_aws::{Account, LocalAws, MfaDevice, Profile, Role, Trust, User};

pub(crate) use crate::playground::{Playground, builder};

pub(crate) const USER: &str = "arn:aws:iam::111111111111:user/dev";
pub(crate) const ADMIN: &str = "arn:aws:iam::222222222222:role/team/Admin";
pub(crate) const READER: &str = "arn:aws:iam::333333333333:role/Reader";
pub(crate) const WITH_MFA: &str = "arn:aws:iam::222222222222:role/WithMfa";
pub(crate) const AUDIT: &str = "arn:aws:iam::333333333333:role/AuditWithMfa";
pub(crate) const SERIAL: &str = "arn:aws:iam::111111111111:mfa/dev";
pub(crate) const ACCESS_KEY_ID: &str = "AKIALOCALDEVUSER0001";
pub(crate) const SECRET: &str = "not/a+secret/of/the/user/dev/at/all";

/// The access key of another user of the same account.
pub(crate) const OTHER_KEY: (&str, &str) =
    ("AKIALOCALOTHERUSER01", "not/a+secret/of/the/user/other/at");

/// A user with an MFA device, a role it may assume, one that this one may assume, and two for MFA.
pub(crate) fn playground() -> Playground {
    let codes = ["135790", "246802", "975310"];
    let dev = User::new("dev")
        .access_key(ACCESS_KEY_ID, SECRET)
        .mfa(MfaDevice::fixed(SERIAL, codes));
    let other = User::new("other").access_key(OTHER_KEY.0, OTHER_KEY.1);
    let hours = |hours: u64| std::time::Duration::from_secs(hours * 3_600);
    let admin = Role::new("Admin")
        .path("/team/")
        .max_session_duration(hours(12))
        .trust(Trust::principal(USER));
    let reader = Role::new("Reader")
        .max_session_duration(hours(12))
        .trust(Trust::principal(ADMIN))
        .trust(Trust::principal(USER).external_id("the-id"))
        .trust(Trust::principal(WITH_MFA));
    let mfa = |name: &str| Role::new(name).trust(Trust::principal(USER).require_mfa());
    let aws = LocalAws::builder()
        .account(Account::new("111111111111").user(dev).user(other))
        .account(
            Account::new("222222222222")
                .role(admin)
                .role(mfa("WithMfa")),
        )
        .account(
            Account::new("333333333333")
                .role(reader)
                .role(mfa("AuditWithMfa")),
        )
        .profile(Profile::new("dev").region("us-east-1").user(USER))
        .profile(Profile::new("admin").region("us-east-1").role(ADMIN, "dev"))
        .profile(
            Profile::new("reader")
                .region("us-east-1")
                .role(READER, "admin"),
        )
        .profile(
            Profile::new("mfa")
                .region("us-east-1")
                .role(WITH_MFA, "dev")
                .set("mfa_serial", SERIAL),
        )
        .start_blocking()
        .unwrap();
    Playground::of(aws)
}

/// The number of calls of AssumeRole.
pub(crate) fn assume_role_calls(playground: &Playground) -> usize {
    playground.aws.call_count("sts", "AssumeRole")
}

/// Sends a request with the manager's credentials, and says who sent it.
pub(crate) async fn request(bsm: &BotoSesManager) -> String {
    let sts = bsm.client(aws_sdk_sts::Client::new).await.unwrap();
    let answer = sts.get_caller_identity().send().await.unwrap();
    answer.arn.unwrap()
}

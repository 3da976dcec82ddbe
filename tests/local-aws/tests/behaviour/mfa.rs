//! MFA: required, wrong, valid and reused codes.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_sts::config::http::HttpResponse;
use aws_sdk_sts::error::SdkError;
use aws_sdk_sts::operation::assume_role::{AssumeRoleError, AssumeRoleOutput};
use bsm_local_aws::{Account, LocalAws, MfaDevice, Role, Trust, User, standard};

use crate::support::*;

const SERIAL: &str = "arn:aws:iam::111111111111:mfa/dev";
const ROLE: &str = "arn:aws:iam::222222222222:role/Guarded";

async fn with_device(device: MfaDevice) -> LocalAws {
    let user = User::new("dev").access_key(standard::ACCESS_KEY_ID, standard::SECRET_ACCESS_KEY);
    let trust = Trust::principal(standard::USER_ARN).require_mfa();
    LocalAws::builder()
        .account(Account::new("111111111111").user(user.mfa(device)))
        .account(Account::new("222222222222").role(Role::new("Guarded").trust(trust)))
        .start()
        .await
        .unwrap()
}

fn totp() -> MfaDevice {
    MfaDevice::totp(SERIAL, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
}

async fn assume_with(
    aws: &LocalAws,
    credentials: Credentials,
    mfa: Option<(&str, &str)>,
) -> Result<AssumeRoleOutput, SdkError<AssumeRoleError, HttpResponse>> {
    let (serial, code) = mfa
        .map(|(serial, code)| (serial.into(), code.into()))
        .unzip();
    sts(aws, credentials)
        .assume_role()
        .role_arn(ROLE)
        .role_session_name("test")
        .set_serial_number(serial)
        .set_token_code(code)
        .send()
        .await
}

#[tokio::test]
async fn a_role_that_requires_mfa_rejects_a_caller_without_it() {
    let aws = with_device(totp()).await;
    let error = error_response(assume_with(&aws, dev(), None).await);
    assert_eq!((error.status, error.code.as_str()), (403, "AccessDenied"));
    assert!(
        error
            .message
            .contains("is not authorized to perform: sts:AssumeRole")
    );
}

#[tokio::test]
async fn a_totp_code_is_accepted_once() {
    let device = totp();
    let aws = with_device(device.clone()).await;
    let code = device.code_at(aws.clock().now()).unwrap();
    assume_with(&aws, dev(), Some((SERIAL, &code)))
        .await
        .unwrap();
    assert!(aws.sessions()[0].mfa_authenticated);

    let error = error_response(assume_with(&aws, dev(), Some((SERIAL, &code))).await);
    assert_eq!(error.code, "AccessDenied");
    assert!(
        error
            .message
            .contains("failed with invalid MFA one time pass code"),
        "{error:?}"
    );

    aws.clock().advance(Duration::from_secs(30));
    let next = device.code_at(aws.clock().now()).unwrap();
    assume_with(&aws, dev(), Some((SERIAL, &next)))
        .await
        .unwrap();
}

#[tokio::test]
async fn an_old_totp_code_is_rejected() {
    let device = totp();
    let aws = with_device(device.clone()).await;
    let code = device.code_at(aws.clock().now()).unwrap();
    aws.clock().advance(Duration::from_secs(90));
    let error = error_response(assume_with(&aws, dev(), Some((SERIAL, &code))).await);
    assert!(
        error.message.contains("invalid MFA one time pass code"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_fixed_code_is_accepted_once() {
    let aws = with_device(MfaDevice::fixed(SERIAL, ["123456", "654321"])).await;
    assume_with(&aws, dev(), Some((SERIAL, "123456")))
        .await
        .unwrap();
    error_response(assume_with(&aws, dev(), Some((SERIAL, "123456"))).await);
    assume_with(&aws, dev(), Some((SERIAL, "654321")))
        .await
        .unwrap();
}

#[tokio::test]
async fn an_unknown_device_is_rejected() {
    let aws = with_device(totp()).await;
    let other = "arn:aws:iam::111111111111:mfa/other";
    let error = error_response(assume_with(&aws, dev(), Some((other, "123456"))).await);
    assert!(
        error.message.contains("unable to validate MFA code"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_serial_without_a_code_and_a_code_without_a_serial_are_rejected() {
    let aws = with_device(totp()).await;
    let request = sts(&aws, dev())
        .assume_role()
        .role_arn(ROLE)
        .role_session_name("test");
    let error = error_response(request.token_code("123456").send().await);
    assert!(
        error
            .message
            .contains("must provide both MFA serial number and"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_session_with_mfa_may_assume_the_role_without_another_code() {
    let device = totp();
    let aws = with_device(device.clone()).await;
    let code = device.code_at(aws.clock().now()).unwrap();
    let request = sts(&aws, dev())
        .get_session_token()
        .serial_number(SERIAL)
        .token_code(code);
    let token = session(request.send().await.unwrap().credentials.unwrap());
    let caller = sts(&aws, token.clone())
        .get_caller_identity()
        .send()
        .await
        .unwrap();
    assert_eq!(caller.arn(), Some(standard::USER_ARN));
    assume_with(&aws, token.clone(), None).await.unwrap();

    let error = error_response(sts(&aws, token).get_session_token().send().await);
    assert_eq!(
        error.message,
        "Cannot call GetSessionToken with session credentials"
    );
}

#[tokio::test]
async fn a_session_without_mfa_may_not_assume_the_role() {
    let aws = with_device(totp()).await;
    let answer = sts(&aws, dev()).get_session_token().send().await.unwrap();
    let token = session(answer.credentials.unwrap());
    assert_eq!(aws.sessions()[0].duration(), Duration::from_secs(43_200));
    assert_eq!(
        error_response(assume_with(&aws, token, None).await).code,
        "AccessDenied"
    );
}

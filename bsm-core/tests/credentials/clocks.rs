//! Managers whose clock is wrong.

use std::time::{Duration, SystemTime};

use aws_smithy_async::time::TimeSource;
use bsm_core::BotoSesManager;
use bsm_local_aws::Clock;

use crate::sso::Center;
use crate::support::{ADMIN, playground, request};

/// A clock that is so many seconds ahead of AWS's.
#[derive(Clone, Debug)]
struct Wrong(Clock, i64);

impl TimeSource for Wrong {
    fn now(&self) -> SystemTime {
        let off = Duration::from_secs(self.1.unsigned_abs());
        match self.1 {
            0.. => self.0.now() + off,
            _ => self.0.now() - off,
        }
    }
}

const HOUR: i64 = 3_600;

/// How many seconds a clock is ahead: right, in another time zone, and with a wrong date.
const AHEAD: [i64; 4] = [0, HOUR, -3 * HOUR, 20 * HOUR];

async fn key(bsm: &BotoSesManager) -> String {
    bsm.credentials().await.unwrap().access_key_id().to_owned()
}

#[tokio::test]
async fn a_wrong_clock_neither_expires_fresh_credentials_nor_keeps_dead_ones() {
    for ahead in AHEAD {
        let playground = playground();
        let clock = playground.aws.clock();
        let time = Wrong(clock.clone(), ahead);
        let dev = playground
            .builder()
            .profile_name("dev")
            .time_source(time)
            .build();
        let role = dev
            .assume_role(ADMIN)
            .duration(Duration::from_secs(900))
            .build();
        let first = key(&role).await;
        assert!(!role.is_expired(Duration::from_secs(800)), "{ahead} s");
        assert_eq!(key(&role).await, first, "{ahead} s");
        // The expiry is AWS's, by AWS's clock.
        let expiration = SystemTime::from(role.expiration().unwrap());
        let left = expiration.duration_since(clock.now()).unwrap();
        assert!(left <= Duration::from_secs(900), "{ahead} s: {left:?}");

        clock.advance(Duration::from_secs(901));
        assert!(role.is_expired(Duration::ZERO), "{ahead} s");
        assert!(
            request(&role).await.contains("assumed-role/Admin/"),
            "{ahead} s"
        );
        assert_ne!(key(&role).await, first, "{ahead} s");
    }
}

#[tokio::test]
async fn a_wrong_clock_neither_expires_a_fresh_role_of_a_login_nor_keeps_a_dead_one() {
    for ahead in AHEAD {
        let center = Center::start();
        // Whatever the clock, the token itself is valid.
        center.token(100 * HOUR);
        let clock = center.aws.clock();
        let time = Wrong(clock.clone(), ahead);
        let admin = center.builder().time_source(time).build();
        let first = key(&admin).await;
        assert_eq!(key(&admin).await, first, "{ahead} s");
        let expiration = SystemTime::from(admin.expiration().unwrap());
        let left = expiration.duration_since(clock.now()).unwrap();
        assert!(!admin.is_expired(left / 2), "{ahead} s");

        clock.advance(left + Duration::from_secs(1));
        // The portal's login has ended with it.
        center.token(100 * HOUR);
        assert!(admin.is_expired(Duration::ZERO), "{ahead} s");
        let arn = request(&admin).await;
        assert!(
            arn.contains(":assumed-role/AWSReservedSSO_Admin_"),
            "{ahead} s: {arn}"
        );
        assert_ne!(key(&admin).await, first, "{ahead} s");
    }
}

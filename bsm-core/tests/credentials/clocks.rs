//! Managers whose clock is wrong.

use std::time::{Duration, SystemTime};

use aws_smithy_async::time::TimeSource;
use bsm_core::BotoSesManager;
use bsm_local_aws::Clock;

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

async fn key(bsm: &BotoSesManager) -> String {
    bsm.credentials().await.unwrap().access_key_id().to_owned()
}

#[tokio::test]
async fn a_wrong_clock_neither_expires_fresh_credentials_nor_keeps_dead_ones() {
    const HOUR: i64 = 3_600;
    for ahead in [0, HOUR, -3 * HOUR, 20 * HOUR] {
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

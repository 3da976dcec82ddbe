//! The clock of AWS, as the responses to requests of our own show it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;
use parking_lot::Mutex;

use crate::time::Moment;

/// The longest request whose response says what time it is. A response that took longer, because the
/// machine was suspended meanwhile for example, says what time it was.
const MAX_ROUND_TRIP: Duration = Duration::from_secs(5);

/// The largest difference that is believed: a wrong date or time zone. AWS would accept no signature
/// with a larger one.
const MAX_SKEW_MILLIS: i64 = 24 * 3_600_000;

/// The smallest difference that counts. A `Date` header has whole seconds.
const MIN_SKEW_MILLIS: i64 = 5_000;

/// How far the clock of AWS was ahead of the manager's when a response was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClockSkew {
    millis: i64,
    received: Moment,
}

impl ClockSkew {
    /// Returns how long it is until a time of AWS's clock: the shorter of the times by the manager's two clocks.
    ///
    /// If the wall clock was set since the response, the skew is no longer right, but the monotonic clock still
    /// counts from the time that was. If the machine was suspended, it may be the other way round.
    pub(crate) fn until(self, time: SystemTime, now: Moment) -> Duration {
        let local = self.to_local(time);
        let left_at = |wall| local.duration_since(wall).unwrap_or_default();
        let passed = now
            .monotonic
            .saturating_duration_since(self.received.monotonic);
        let by_monotonic = left_at(self.received.wall).saturating_sub(passed);
        left_at(now.wall).min(by_monotonic)
    }

    /// Converts a time of AWS's clock to one of the manager's.
    fn to_local(self, time: SystemTime) -> SystemTime {
        let skew = Duration::from_millis(self.millis.unsigned_abs());
        let local = match self.millis {
            0.. => time.checked_sub(skew),
            _ => time.checked_add(skew),
        };
        local.unwrap_or(time)
    }
}

/// An interceptor of one request, which measures the skew.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServerClock(Arc<Mutex<Measurement>>);

#[derive(Debug, Default)]
struct Measurement {
    sent: Option<Moment>,
    skew: Option<ClockSkew>,
}

fn moment(components: &RuntimeComponents) -> Moment {
    Moment::now(&components.time_source().unwrap_or_default())
}

impl ServerClock {
    /// Returns the skew that the last attempt showed, if it showed any.
    pub(crate) fn skew(&self) -> Option<ClockSkew> {
        self.0.lock().skew
    }
}

impl Intercept for ServerClock {
    fn name(&self) -> &'static str {
        "ServerClock"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        components: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // A retry is measured anew: the response of the last attempt has the credentials.
        *self.0.lock() = Measurement {
            sent: Some(moment(components)),
            skew: None,
        };
        Ok(())
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        components: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.response().headers();
        let mut measurement = self.0.lock();
        // A proxy that answers from a cache sends the `Date` of long ago, and an `Age`.
        if let (Some(sent), Some(date), None) =
            (measurement.sent, headers.get("date"), headers.get("age"))
        {
            measurement.skew = measured(sent, moment(components), date);
        }
        Ok(())
    }
}

fn measured(sent: Moment, received: Moment, date: &str) -> Option<ClockSkew> {
    let monotonic = received.monotonic.duration_since(sent.monotonic);
    // An error is a clock that was set back meanwhile.
    let wall = received.wall.duration_since(sent.wall).ok()?;
    if monotonic.max(wall) > MAX_ROUND_TRIP {
        return None;
    }
    let date = DateTime::from_str(date, Format::HttpDate).ok()?;
    // The date is the time cut off to seconds, at about half of the round trip.
    let server = date.to_millis().ok()?.checked_add(500)?;
    let local = DateTime::from(sent.wall + wall / 2).to_millis().ok()?;
    let skew = server.checked_sub(local)?;
    let millis = match skew.abs() {
        ..MIN_SKEW_MILLIS => 0,
        MIN_SKEW_MILLIS..=MAX_SKEW_MILLIS => skew,
        _ => return None,
    };
    Some(ClockSkew { millis, received })
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use aws_config::{Region, SdkConfig};
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use aws_smithy_async::time::StaticTimeSource;
    use aws_smithy_runtime_api::client::http::{
        HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
    };
    use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
    use aws_smithy_types::body::SdkBody;
    use tokio::time::Instant;

    use super::*;
    use crate::session::sdk_config::with_required_parts;
    use crate::session::settings::Settings;

    #[test]
    fn the_skew_is_measured_only_if_the_response_says_what_time_it_is() {
        // The date is 784111777 s after the epoch.
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let start = Instant::now();
        let moment = |wall: f64, monotonic: f64| Moment {
            wall: UNIX_EPOCH + Duration::from_secs_f64(wall),
            monotonic: start + Duration::from_secs_f64(monotonic),
        };
        let at = 784_111_777.0;
        let hour = 3_600.0;
        for (sent, received, date, expected) in [
            (moment(at, 0.0), moment(at + 1.0, 1.0), date, Some(0)),
            (moment(at + 4.0, 0.0), moment(at + 4.0, 0.0), date, Some(0)),
            // A clock that is an hour ahead, and one that is three behind.
            (
                moment(at + hour, 0.0),
                moment(at + hour, 0.0),
                date,
                Some(-3_599_500),
            ),
            (
                moment(at - 3.0 * hour, 0.0),
                moment(at - 3.0 * hour + 2.0, 2.0),
                date,
                Some(10_799_500),
            ),
            // A clock of another year.
            (
                moment(at - 48.0 * hour, 0.0),
                moment(at - 48.0 * hour, 0.0),
                date,
                None,
            ),
            // Too slow by either clock; on a suspended machine only one of them runs.
            (moment(at, 0.0), moment(at + 6.0, 6.0), date, None),
            (moment(at, 0.0), moment(at + 600.0, 0.1), date, None),
            (moment(at, 0.0), moment(at - 60.0, 0.1), date, None),
            (moment(at, 0.0), moment(at, 0.0), "yesterday", None),
        ] {
            let skew = measured(sent, received, date).map(|skew| skew.millis);
            assert_eq!(skew, expected, "{sent:?} {received:?} {date}");
        }
    }

    /// A response that a cache repeats, as far as its headers say, and one that comes from AWS.
    #[tokio::test]
    async fn a_response_with_an_age_says_nothing_about_the_time() {
        let ahead = UNIX_EPOCH + Duration::from_secs(784_111_777 + 3_600);
        let skew = async |age: Option<&'static str>| {
            let connector = SharedHttpConnector::new(Dated { age });
            let config = SdkConfig::builder()
                .region(Region::from_static("us-east-1"))
                .time_source(StaticTimeSource::new(ahead))
                .http_client(http_client_fn(move |_, _| connector.clone()))
                .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                    "AKIA", "secret", None, None, "test",
                )))
                .build();
            let config = with_required_parts(&config, &Settings::default()).unwrap();
            let clock = ServerClock::default();
            let call = aws_sdk_sts::Client::new(&config).get_caller_identity();
            let sent = call.customize().interceptor(clock.clone()).send().await;
            sent.unwrap();
            clock.skew().map(|skew| skew.millis)
        };
        assert_eq!(skew(None).await, Some(-3_599_500));
        assert_eq!(skew(Some("0")).await, None);
    }

    #[derive(Debug)]
    struct Dated {
        age: Option<&'static str>,
    }

    impl HttpConnector for Dated {
        fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
            let body =
                "<GetCallerIdentityResponse><GetCallerIdentityResult/></GetCallerIdentityResponse>";
            let mut response = HttpResponse::new(200.try_into().unwrap(), SdkBody::from(body));
            let headers = response.headers_mut();
            headers.insert("date", "Sun, 06 Nov 1994 08:49:37 GMT");
            if let Some(age) = self.age {
                headers.insert("age", age);
            }
            HttpConnectorFuture::ready(Ok(response))
        }
    }

    #[test]
    fn the_time_that_is_left_is_never_longer_than_aws_gives() {
        let wall = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let monotonic = Instant::now();
        let seconds = Duration::from_secs;
        for skew in [-10_000, 0, 10_000] {
            let received = Moment { wall, monotonic };
            let clock = ClockSkew {
                millis: skew * 1_000,
                received,
            };
            // By the clock of AWS, 900 seconds after the response.
            let expiry = match u64::try_from(skew) {
                Ok(ahead) => wall + seconds(ahead) + seconds(900),
                Err(_) => wall - seconds(skew.unsigned_abs()) + seconds(900),
            };
            let now = |wall, passed| Moment {
                wall,
                monotonic: monotonic + seconds(passed),
            };
            for (now, left) in [
                (now(wall, 0), 900),
                (now(wall + seconds(6), 6), 894),
                // The clock was set back, and forward.
                (now(wall - seconds(5_000), 6), 894),
                (now(wall + seconds(600), 6), 300),
                // The machine was suspended.
                (now(wall + seconds(5_000), 6), 0),
                (now(wall, 1_000), 0),
            ] {
                assert_eq!(clock.until(expiry, now), seconds(left), "{skew} {now:?}");
            }
        }
    }
}

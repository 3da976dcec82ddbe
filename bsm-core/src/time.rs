//! Points in time by two clocks, and as dates: RFC 3339 in both directions, and what else botocore reads.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_smithy_async::time::SharedTimeSource;
use chrono::{DateTime, FixedOffset, NaiveDateTime, SecondsFormat, Utc};
use tokio::time::Instant;

/// The time by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// By the manager's clock, which can be set.
    pub(crate) wall: SystemTime,
    /// By a clock that never goes back, and may stand still while the machine is suspended.
    pub(crate) monotonic: Instant,
}

impl Moment {
    pub(crate) fn now(wall: &SharedTimeSource) -> Self {
        Self {
            wall: wall.now(),
            monotonic: Instant::now(),
        }
    }
}

/// Converts a time to a date; `None` for years that chrono cannot represent.
///
/// chrono's own conversion panics on those, and an expiry can come from any program's output.
pub(crate) fn to_utc(time: SystemTime) -> Option<DateTime<Utc>> {
    let (seconds, nanos) = match time.duration_since(UNIX_EPOCH) {
        Ok(since) => (i64::try_from(since.as_secs()).ok()?, since.subsec_nanos()),
        Err(before) => {
            let before = before.duration();
            let seconds = -i64::try_from(before.as_secs()).ok()?;
            match before.subsec_nanos() {
                0 => (seconds, 0),
                // chrono counts nanoseconds forward, also before 1970.
                nanos => (seconds - 1, 1_000_000_000 - nanos),
            }
        }
    };
    DateTime::from_timestamp(seconds, nanos)
}

/// Formats a time as `2026-11-22T14:47:40Z`; `None` if [`to_utc`] has no date for it.
pub(crate) fn format_rfc3339(time: SystemTime) -> Option<String> {
    Some(to_utc(time)?.to_rfc3339_opts(SecondsFormat::Secs, true))
}

/// Formats a time as the AWS CLI does in its cache: `2026-11-22T14:47:40UTC`.
pub(crate) fn format_rfc3339_utc(time: SystemTime) -> Option<String> {
    // botocore formats with `%Z`, which is the zone's name and not RFC 3339.
    Some(to_utc(time)?.format("%Y-%m-%dT%H:%M:%SUTC").to_string())
}

/// Parses RFC 3339.
pub(crate) fn parse_rfc3339(text: &str) -> Option<SystemTime> {
    from_utc(DateTime::parse_from_rfc3339(text.trim()).ok()?.to_utc())
}

/// Converts a date to a time; `None` if the platform has no such time.
///
/// chrono's own conversion panics then, as on Windows before 1601.
fn from_utc(date: DateTime<Utc>) -> Option<SystemTime> {
    let nanos = Duration::from_nanos(u64::from(date.timestamp_subsec_nanos()));
    let seconds = Duration::from_secs(date.timestamp().unsigned_abs());
    let time = match date.timestamp() {
        0.. => UNIX_EPOCH.checked_add(seconds)?,
        _ => UNIX_EPOCH.checked_sub(seconds)?,
    };
    time.checked_add(nanos)
}

/// Dates without their zone: RFC 3339 with and without seconds, ISO 8601 in its basic form, RFC 2822.
const FORMATS: [&str; 8] = [
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M",
    "%Y%m%dT%H%M%S%.f",
    "%Y%m%dT%H%M",
    "%d %b %Y %H:%M:%S",
    "%d %b %Y %H:%M",
];

/// Parses a time in each form in which tools write an expiry, as botocore's `dateutil` does.
///
/// A time without a zone is none: botocore cannot compare it with the clock and fails.
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    // "Sun, " tells nothing that the date does not.
    let text = match text.split_once(',') {
        Some((day, rest)) if day.trim().len() == 3 => rest.trim(),
        _ => text.trim(),
    };
    let (date, zone) = split_zone(text)?;
    // RFC 3339 allows a small `t`. Names of months are parsed in any case.
    let date = date.trim_end().replacen(['t'], "T", 1);
    let mut formats = FORMATS.iter();
    let date = formats.find_map(|format| NaiveDateTime::parse_from_str(&date, format).ok())?;
    from_utc(date.and_local_timezone(zone).single()?.to_utc())
}

/// Splits a zone off the end: `Z`, `UTC`, `GMT`, `+00:00`, `+0000` or `+00`.
fn split_zone(text: &str) -> Option<(&str, FixedOffset)> {
    for name in ["UTC", "GMT", "Z"] {
        let at = text.len().checked_sub(name.len());
        if let Some((date, zone)) = at.and_then(|at| text.split_at_checked(at))
            && zone.eq_ignore_ascii_case(name)
        {
            return Some((date, FixedOffset::east_opt(0)?));
        }
    }
    // A date alone ends in what looks like a zone, but no format fits what is left of it.
    let at = text.rfind(['+', '-'])?;
    let (date, zone) = text.split_at(at);
    let digits = zone[1..].replacen(':', "", 1);
    if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let hours: i32 = digits[..2].parse().ok()?;
    // A zone of two digits has no minutes.
    let minutes: i32 = digits[2..].parse().unwrap_or(0);
    let seconds = hours * 3_600 + minutes * 60;
    let east = if zone.starts_with('-') {
        -seconds
    } else {
        seconds
    };
    Some((date, FixedOffset::east_opt(east)?))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,40}|[0-9TZ:+., a-zA-Z-]{0,40}") {
            _ = parse(&text);
        }
    }

    #[test]
    fn a_time_is_parsed_in_each_form_that_botocore_accepts() {
        let time = UNIX_EPOCH + Duration::from_secs(1_795_358_860);
        for text in [
            "2026-11-22T14:47:40Z",
            "2026-11-22T14:47:40+00:00",
            "2026-11-22T15:47:40+01:00",
            "2026-11-22T14:47:40.000Z",
            "2026-11-22T14:47:40UTC",
            " 2026-11-22T14:47:40 UTC\n",
            "2026-11-22T14:47:40.000000+0000",
            "2026-11-22T14:47:40+00",
            "2026-11-22t14:47:40z",
            "2026-11-22 14:47:40-0000",
            "2026-11-22 09:17:40 -05:30",
            "20261122T144740Z",
            "20261122T154740+0100",
            "Sun, 22 Nov 2026 14:47:40 GMT",
            "Sun, 22 Nov 2026 14:47:40 +0000",
            "22 Nov 2026 15:47:40 +0100",
        ] {
            assert_eq!(parse(text), Some(time), "{text:?}");
        }
        let minute = time - Duration::from_secs(40);
        for text in [
            "2026-11-22T14:47Z",
            "2026-11-22 14:47 UTC",
            "20261122T1447Z",
            "Sun, 22 Nov 2026 14:47 GMT",
        ] {
            assert_eq!(parse(text), Some(minute), "{text:?}");
        }
        let before_1970 = UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(parse("1969-12-31T23:59:59Z"), Some(before_1970));
        for text in [
            "",
            "UTC",
            "soon",
            "2026-11-22",
            "2026-11-22T14:47:40",
            "2026-11-22T14:47:40 EST",
            "2026-11-22T14:47:40+1",
            "2026-11-22T14:47:40+99:00",
            "2026-13-22T14:47:40Z",
            "1795358860",
            "+",
            "é+00",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
        assert_eq!(parse_rfc3339("2026-11-22T14:47:40Z"), Some(time));
        assert_eq!(parse_rfc3339("2026-11-22T14:47:40+0000"), None);
        assert_eq!(format_rfc3339(time).unwrap(), "2026-11-22T14:47:40Z");
        assert_eq!(format_rfc3339_utc(time).unwrap(), "2026-11-22T14:47:40UTC");
    }

    #[test]
    fn a_date_before_1970_is_a_time_where_the_platform_has_one() {
        let second = Duration::from_secs(1);
        for (text, before) in [
            ("1969-12-31T23:59:59Z", second),
            ("1969-12-31T23:59:58.5Z", second + second / 2),
        ] {
            assert_eq!(parse_rfc3339(text), UNIX_EPOCH.checked_sub(before));
            assert_eq!(parse(text), UNIX_EPOCH.checked_sub(before));
        }
        // What Go prints for no time at all, and what Windows has no time for.
        let zero = UNIX_EPOCH.checked_sub(Duration::from_secs(62_135_596_800));
        assert_eq!(parse("0001-01-01T00:00:00Z"), zero);
    }

    #[test]
    fn a_time_beyond_the_calendar_has_no_date() {
        let before_1970 = UNIX_EPOCH - Duration::from_millis(1_500);
        assert_eq!(format_rfc3339(before_1970).unwrap(), "1969-12-31T23:59:58Z");
        assert_eq!(to_utc(before_1970).unwrap().timestamp_subsec_millis(), 500);
        let far = UNIX_EPOCH.checked_add(Duration::from_secs(1 << 55));
        assert_eq!(far.and_then(to_utc), None);
    }
}

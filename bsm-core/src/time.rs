//! Points in time as dates, and RFC 3339 in both directions.

use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, Utc};

/// Converts a time to a date; `None` before 1970 and for years that chrono cannot represent.
///
/// chrono's own conversion panics on those, and an expiry can come from any program's output.
pub(crate) fn to_utc(time: SystemTime) -> Option<DateTime<Utc>> {
    let since_epoch = time.duration_since(UNIX_EPOCH).ok()?;
    let seconds = i64::try_from(since_epoch.as_secs()).ok()?;
    DateTime::from_timestamp(seconds, since_epoch.subsec_nanos())
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

/// Parses RFC 3339, and the same with `UTC` as its zone, as the AWS CLI writes it.
pub(crate) fn parse_rfc3339(text: &str) -> Option<SystemTime> {
    let text = text.trim();
    let parsed = match text.strip_suffix("UTC") {
        Some(text) => DateTime::parse_from_rfc3339(&format!("{}Z", text.trim_end())),
        None => DateTime::parse_from_rfc3339(text),
    };
    Some(parsed.ok()?.into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

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
        ] {
            assert_eq!(parse_rfc3339(text), Some(time), "{text:?}");
        }
        for text in ["", "UTC", "soon", "2026-11-22", "1795358860"] {
            assert_eq!(parse_rfc3339(text), None, "{text:?}");
        }
        assert_eq!(format_rfc3339(time).unwrap(), "2026-11-22T14:47:40Z");
        assert_eq!(format_rfc3339_utc(time).unwrap(), "2026-11-22T14:47:40UTC");
    }

    #[test]
    fn a_time_beyond_the_calendar_has_no_date() {
        assert_eq!(to_utc(UNIX_EPOCH - Duration::from_secs(1)), None);
        let far = UNIX_EPOCH.checked_add(Duration::from_secs(1 << 55));
        assert_eq!(far.and_then(to_utc), None);
    }
}

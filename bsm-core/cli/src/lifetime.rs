//! Lifetimes of credentials: how they are written on the command line, and how they are shown.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;

/// How long credentials must at least be valid, for commands whose reader cannot refresh them.
#[derive(Args)]
pub(crate) struct MinLifetime {
    /// Fetch new credentials if the cached ones expire sooner: 45m, 2h, 900s
    #[arg(long, value_name = "TIME", value_parser = parse)]
    pub(crate) min_lifetime: Option<Duration>,
}

/// Parses `900`, `900s`, `45m` and `2h`.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let (digits, unit) = match text.char_indices().last() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 3600),
        _ => (text, 1),
    };
    // 32 bits, so that the product with a unit cannot overflow.
    let number: u32 = digits
        .parse()
        .map_err(|_| "write a number and a unit: 900s, 45m, 2h".to_owned())?;
    Ok(Duration::from_secs(u64::from(number) * unit))
}

/// Converts a time to a date; `None` before 1970, and for years that chrono cannot represent.
pub(crate) fn to_utc(time: SystemTime) -> Option<DateTime<Utc>> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    DateTime::from_timestamp(since.as_secs().try_into().ok()?, since.subsec_nanos())
}

/// Formats a time as `2026-11-22T14:47:40Z`.
pub(crate) fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Describes how long a time is away: `in 59 min`, `expired`.
pub(crate) fn remaining(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let minutes = (time - now).num_minutes();
    match minutes {
        _ if time <= now => "expired".to_owned(),
        0 => "in less than a minute".to_owned(),
        1..120 => format!("in {minutes} min"),
        120..2880 => format!("in {} h", minutes / 60),
        _ => format!("in {} days", minutes / 1440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_number_and_a_unit() {
        for (text, seconds) in [("900", 900), ("900s", 900), ("45m", 2700), ("2h", 7200)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "h", "1.5h", "-1s", "1 h", "ten", "99999999999s", "5µ"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_remaining_time_is_shown_in_its_largest_sensible_unit() {
        let now = DateTime::UNIX_EPOCH;
        for (seconds, text) in [
            (-1, "expired"),
            (0, "expired"),
            (30, "in less than a minute"),
            (3599, "in 59 min"),
            (7200, "in 2 h"),
            (200_000, "in 2 days"),
        ] {
            let time = now + chrono::TimeDelta::seconds(seconds);
            assert_eq!(remaining(time, now), text);
        }
    }
}

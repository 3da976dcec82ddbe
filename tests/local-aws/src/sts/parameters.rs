//! Parameters of STS operations and their constraints.
//!
//! Like AWS, one error reports all violated constraints.

use std::fmt::Display;

use crate::request::Form;
use crate::response::ErrorResponse;

/// The minimum session duration, in seconds, as the API documents.
const MIN_SECONDS: u64 = 900;

/// The constraints of a text parameter, from the STS API reference.
#[derive(Debug)]
pub(super) struct Constraint {
    pub(super) length: std::ops::RangeInclusive<usize>,
    /// The pattern as AWS's error messages contain it.
    pub(super) pattern: &'static str,
    pub(super) allows: fn(char) -> bool,
}

pub(super) const ARN: Constraint = Constraint {
    length: 20..=2048,
    pattern: r"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+",
    allows: |c| !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\u{85}'),
};
pub(super) const SESSION_NAME: Constraint = Constraint {
    length: 2..=64,
    pattern: r"[\w+=,.@-]*",
    allows: |c| is_word_char(c, "+=,.@-"),
};
pub(super) const SOURCE_IDENTITY: Constraint = SESSION_NAME;
pub(super) const EXTERNAL_ID: Constraint = Constraint {
    length: 2..=1224,
    pattern: r"[\w+=,.@:\/-]*",
    allows: |c| is_word_char(c, "+=,.@:/-"),
};
pub(super) const SERIAL_NUMBER: Constraint = Constraint {
    length: 9..=256,
    pattern: r"[\w+=/:,.@-]*",
    allows: |c| is_word_char(c, "+=/:,.@-"),
};
pub(super) const TOKEN_CODE: Constraint = Constraint {
    length: 6..=6,
    pattern: r"[\d]*",
    allows: |c| c.is_ascii_digit(),
};
pub(super) const POLICY: Constraint = Constraint {
    // The packed size limits it; see `AssumeRole::check_policies`.
    length: 1..=usize::MAX,
    pattern: r"[\u0009\u000A\u000D\u0020-\u00FF]+",
    allows: |c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{ff}'),
};
pub(super) const TAG_KEY: Constraint = Constraint {
    length: 1..=128,
    pattern: r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+",
    allows: is_tag_char,
};
pub(super) const TAG_VALUE: Constraint = Constraint {
    length: 0..=256,
    pattern: r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*",
    allows: is_tag_char,
};

/// Reads parameters and collects violations of their constraints.
#[derive(Debug)]
pub(super) struct Parameters<'a> {
    form: &'a Form,
    violations: Vec<String>,
}

impl<'a> Parameters<'a> {
    pub(super) fn new(form: &'a Form) -> Self {
        Self {
            form,
            violations: Vec::new(),
        }
    }

    /// Reads an optional text parameter.
    pub(super) fn text(&mut self, name: &str, constraint: &Constraint) -> Option<&'a str> {
        let value = self.form.get(name)?;
        self.check(&lower_first(name), value, constraint);
        Some(value)
    }

    /// Reads a required text parameter. If it is missing, [`finish`](Self::finish) fails, so the empty
    /// text that this method returns is never used.
    pub(super) fn required(&mut self, name: &str, constraint: &Constraint) -> &'a str {
        self.text(name, constraint).unwrap_or_else(|| {
            self.violations.push(format!(
                "Value null at '{}' failed to satisfy constraint: Member must not be null",
                lower_first(name)
            ));
            ""
        })
    }

    /// Reads an optional session duration, in seconds.
    pub(super) fn seconds(&mut self, name: &str, maximum: u64) -> Option<u64> {
        let seconds = self.read_number(name)?;
        if seconds < MIN_SECONDS {
            let bound = format!("Member must have value greater than or equal to {MIN_SECONDS}");
            self.violation(&lower_first(name), seconds, &bound);
        } else if seconds > maximum {
            let bound = format!("Member must have value less than or equal to {maximum}");
            self.violation(&lower_first(name), seconds, &bound);
        }
        Some(seconds)
    }

    /// Reads an optional non-negative number.
    pub(super) fn read_number(&mut self, name: &str) -> Option<u64> {
        let value = self.form.get(name)?;
        let number = value.parse().ok();
        if number.is_none() {
            self.violation(&lower_first(name), value, "Member must be a whole number");
        }
        number
    }

    /// Reads a list of text parameters.
    pub(super) fn list(
        &mut self,
        name: &str,
        suffix: &str,
        constraint: &Constraint,
    ) -> Vec<&'a str> {
        let values = self.form.list(name, suffix);
        for (index, value) in values.iter().enumerate() {
            // Members count from 1, as in the names of the parameters.
            let member = format!("{}.{}.member{}", lower_first(name), index + 1, {
                suffix.to_lowercase()
            });
            self.check(&member, value, constraint);
        }
        values
    }

    /// Adds a violation.
    pub(super) fn violation(&mut self, member: &str, value: impl Display, constraint: &str) {
        self.violations.push(format!(
            "Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
        ));
    }

    /// Returns an error that contains all violations, if there are any.
    pub(super) fn finish(self) -> Result<(), ErrorResponse> {
        let count = match self.violations.as_slice() {
            [] => return Ok(()),
            [_] => "1 validation error".to_owned(),
            more => format!("{} validation errors", more.len()),
        };
        Err(validation_error(format!(
            "{count} detected: {}",
            self.violations.join("; ")
        )))
    }

    fn check(&mut self, member: &str, value: &str, constraint: &Constraint) {
        if !value.chars().all(constraint.allows) {
            let pattern = constraint.pattern;
            let rule = format!("Member must satisfy regular expression pattern: {pattern}");
            self.violation(member, value, &rule);
        }
        let (minimum, maximum) = (constraint.length.start(), constraint.length.end());
        // AWS counts characters, not bytes.
        let length = value.chars().count();
        if length < *minimum {
            let rule = format!("Member must have length greater than or equal to {minimum}");
            self.violation(member, value, &rule);
        } else if length > *maximum {
            let rule = format!("Member must have length less than or equal to {maximum}");
            self.violation(member, value, &rule);
        }
    }
}

/// Creates the error for an invalid parameter.
pub(super) fn validation_error(message: impl Into<String>) -> ErrorResponse {
    ErrorResponse::new(400, "ValidationError", message)
}

/// Returns a name with its first letter in lower case, as members appear in AWS's messages.
fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(letters).collect()
    })
}

fn is_word_char(c: char, others: &str) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || others.contains(c)
}

fn is_tag_char(c: char) -> bool {
    c.is_alphanumeric() || c.is_whitespace() && !c.is_control() || "_.:/=+-@".contains(c)
}

//! The parameters of STS operations, held against the constraints of the STS API.
//!
//! All that is wrong is reported together, in AWS's words.

use std::fmt::Display;

use crate::answer::Refusal;
use crate::request::Form;

/// The shortest session STS gives, in seconds.
const MINIMUM_SECONDS: u64 = 900;

/// What a text parameter must be.
#[derive(Debug)]
pub(super) struct Constraint {
    pub(super) length: std::ops::RangeInclusive<usize>,
    /// The pattern as AWS prints it.
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
    allows: |c| is_word(c, "+=,.@-"),
};
pub(super) const SOURCE_IDENTITY: Constraint = SESSION_NAME;
pub(super) const EXTERNAL_ID: Constraint = Constraint {
    length: 2..=1224,
    pattern: r"[\w+=,.@:\/-]*",
    allows: |c| is_word(c, "+=,.@:/-"),
};
pub(super) const SERIAL_NUMBER: Constraint = Constraint {
    length: 9..=256,
    pattern: r"[\w+=/:,.@-]*",
    allows: |c| is_word(c, "+=/:,.@-"),
};
pub(super) const TOKEN_CODE: Constraint = Constraint {
    length: 6..=6,
    pattern: r"[\d]*",
    allows: |c| c.is_ascii_digit(),
};
pub(super) const POLICY: Constraint = Constraint {
    length: 1..=usize::MAX,
    pattern: r"[\u0009\u000A\u000D\u0020-\u00FF]+",
    allows: |c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{ff}'),
};
pub(super) const TAG_KEY: Constraint = Constraint {
    length: 1..=128,
    pattern: r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+",
    allows: is_tag,
};
pub(super) const TAG_VALUE: Constraint = Constraint {
    length: 0..=256,
    pattern: r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*",
    allows: is_tag,
};

/// Reads parameters and collects what is wrong with them.
#[derive(Debug)]
pub(super) struct Parameters<'a> {
    form: &'a Form,
    problems: Vec<String>,
}

impl<'a> Parameters<'a> {
    pub(super) fn new(form: &'a Form) -> Self {
        Self {
            form,
            problems: Vec::new(),
        }
    }

    /// Reads an optional text.
    pub(super) fn text(&mut self, name: &str, constraint: &Constraint) -> Option<&'a str> {
        let value = self.form.get(name)?;
        self.check(&lower_first(name), value, constraint);
        Some(value)
    }

    /// Reads a text that must be there; what is returned without it is not used.
    pub(super) fn required(&mut self, name: &str, constraint: &Constraint) -> &'a str {
        self.text(name, constraint).unwrap_or_else(|| {
            self.problems.push(format!(
                "Value null at '{}' failed to satisfy constraint: Member must not be null",
                lower_first(name)
            ));
            ""
        })
    }

    /// Reads an optional session duration.
    pub(super) fn seconds(&mut self, name: &str, maximum: u64) -> Option<u64> {
        let seconds = self.number(name)?;
        if seconds < MINIMUM_SECONDS {
            let bound =
                format!("Member must have value greater than or equal to {MINIMUM_SECONDS}");
            self.problem(&lower_first(name), seconds, &bound);
        } else if seconds > maximum {
            let bound = format!("Member must have value less than or equal to {maximum}");
            self.problem(&lower_first(name), seconds, &bound);
        }
        Some(seconds)
    }

    /// Reads an optional number.
    pub(super) fn number(&mut self, name: &str) -> Option<u64> {
        let value = self.form.get(name)?;
        let number = value.parse().ok();
        if number.is_none() {
            self.problem(&lower_first(name), value, "Member must be a whole number");
        }
        number
    }

    /// Reads a list of texts.
    pub(super) fn list(
        &mut self,
        name: &str,
        suffix: &str,
        constraint: &Constraint,
    ) -> Vec<&'a str> {
        let values = self.form.list(name, suffix);
        for (index, value) in values.iter().enumerate() {
            let member = format!("{}.{}.member{}", lower_first(name), index + 1, {
                suffix.to_lowercase()
            });
            self.check(&member, value, constraint);
        }
        values
    }

    /// Adds a problem of the caller's finding.
    pub(super) fn problem(&mut self, member: &str, value: impl Display, constraint: &str) {
        self.problems.push(format!(
            "Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
        ));
    }

    /// Refuses the request if anything was wrong.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        let problems = match self.problems.as_slice() {
            [] => return Ok(()),
            [_] => "1 validation error".to_owned(),
            more => format!("{} validation errors", more.len()),
        };
        Err(validation_error(format!(
            "{problems} detected: {}",
            self.problems.join("; ")
        )))
    }

    fn check(&mut self, member: &str, value: &str, constraint: &Constraint) {
        if !value.chars().all(constraint.allows) {
            let pattern = constraint.pattern;
            let wanted = format!("Member must satisfy regular expression pattern: {pattern}");
            self.problem(member, value, &wanted);
        }
        let (minimum, maximum) = (constraint.length.start(), constraint.length.end());
        let length = value.chars().count();
        if length < *minimum {
            let wanted = format!("Member must have length greater than or equal to {minimum}");
            self.problem(member, value, &wanted);
        } else if length > *maximum {
            let wanted = format!("Member must have length less than or equal to {maximum}");
            self.problem(member, value, &wanted);
        }
    }
}

/// The error for a parameter that is wrong.
pub(super) fn validation_error(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "ValidationError", message)
}

/// AWS names members in messages with a small first letter.
fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(letters).collect()
    })
}

fn is_word(c: char, others: &str) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || others.contains(c)
}

fn is_tag(c: char) -> bool {
    c.is_alphanumeric() || c.is_whitespace() && !c.is_control() || "_.:/=+-@".contains(c)
}

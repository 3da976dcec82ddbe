//! Numbers as DynamoDB has them.

use std::cmp::Ordering;
use std::error::Error as StdError;
use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::codec::{Decimal, NUMBER, NotANumber, ValueFree};

/// A decimal number with up to 38 digits, as DynamoDB stores it: nothing is rounded.
///
/// It is made from an integer or from text, and given back as text; `parse` it into the decimal
/// type of your choice. Two are equal if their values are: `1`, `1.0` and `1e0` are the same.
///
/// With another format than a table's item, JSON for instance, it is a string. In a field that is
/// flattened, or in an enum without a tag, serde reads numbers by way of `f64`, and one with more
/// than 15 digits may come back rounded.
///
/// Source: [Number](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html#HowItWorks.DataTypes.Number)
/// in the Developer Guide.
///
/// # Examples
///
/// ```
/// use bsm_dynamodb::{Model, Number};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Model)]
/// #[model(table = "accounts")]
/// struct Account {
///     #[model(hash_key)]
///     id: String,
///     balance: Number,
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let balance: Number = "12345678901234567890.123456789012345678".parse()?;
/// assert_eq!(balance.to_string(), "12345678901234567890.123456789012345678");
/// assert!(balance > Number::from(7));
/// assert!("1e200".parse::<Number>().is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Number {
    negative: bool,
    /// Without zeros at either end; none if the number is 0.
    digits: String,
    /// The number is `digits` times 10 to the power of this; 0 if the number is 0.
    exponent: i32,
}

impl Number {
    /// DynamoDB's precision. It rejects a number with more digits; it never rounds.
    const MAX_DIGITS: usize = 38;
    /// The powers of ten of the first digit: from 1E-130 to 9.99…E+125.
    const MAGNITUDES: std::ops::RangeInclusive<i64> = -130..=125;

    /// The power of ten of the first digit.
    fn magnitude(&self) -> i64 {
        self.digits.len() as i64 + i64::from(self.exponent) - 1
    }
}

impl FromStr for Number {
    type Err = ParseNumberError;

    fn from_str(text: &str) -> Result<Self, ParseNumberError> {
        let decimal: Decimal = text.parse()?;
        // Zero has no first digit, so the range below doesn't apply to it.
        if decimal.digits.is_empty() {
            return Ok(Self::default());
        }
        if decimal.digits.len() > Self::MAX_DIGITS {
            return Err(ParseNumberError::TooManyDigits);
        }
        match i32::try_from(decimal.exponent) {
            Ok(exponent) if Self::MAGNITUDES.contains(&decimal.magnitude()) => Ok(Self {
                negative: decimal.negative,
                digits: decimal.digits,
                exponent,
            }),
            _ => Err(ParseNumberError::OutOfRange),
        }
    }
}

/// Why text is not a [`Number`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseNumberError {
    /// It is not a decimal number.
    NotANumber,
    /// It has more than 38 digits.
    TooManyDigits,
    /// It is closer to 0 than 1E-130, or farther from it than 9.99…E+125.
    OutOfRange,
}

impl fmt::Display for ParseNumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotANumber => "not a number",
            Self::TooManyDigits => "a number has at most 38 digits",
            Self::OutOfRange => "not a number between 1E-130 and 9.99E+125",
        })
    }
}

impl StdError for ParseNumberError {}

impl From<NotANumber> for ParseNumberError {
    fn from(NotANumber: NotANumber) -> Self {
        Self::NotANumber
    }
}

macro_rules! from_integers {
    ($($integer:ty),*) => {$(
        impl From<$integer> for Number {
            fn from(integer: $integer) -> Self {
                let text = integer.to_string();
                text.parse().expect("an integer of 64 bits is a number of at most 20 digits")
            }
        }
    )*};
}

// No 128 bits: such an integer may have 39 digits, one more than DynamoDB stores.
from_integers!(i8, i16, i32, i64, u8, u16, u32, u64);

/// Writes plain digits, unless the number is very large or very small.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            negative,
            digits,
            exponent,
        } = self;
        if digits.is_empty() {
            return f.write_str("0");
        }
        let sign = if *negative { "-" } else { "" };
        // The exponent is at least -167, for 38 digits down to 1E-130, so its negation doesn't overflow.
        let fraction = usize::try_from(-exponent).unwrap_or_default();
        match usize::try_from(*exponent) {
            // Up to 40 places are written out, which covers every integer of 38 digits.
            Ok(zeros) if zeros + digits.len() <= 40 => write!(f, "{sign}{digits}{:0<zeros$}", ""),
            Err(_) if fraction < digits.len() => {
                let (whole, fraction) = digits.split_at(digits.len() - fraction);
                write!(f, "{sign}{whole}.{fraction}")
            }
            Err(_) if fraction <= 40 => write!(f, "{sign}0.{digits:0>fraction$}"),
            _ => write!(f, "{sign}{digits}E{exponent}"),
        }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Number({self})")
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| match (number.digits.is_empty(), number.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        // Digits have no zeros at either end, so they compare like text once they are aligned.
        let size = |one: &Self, two: &Self| {
            let magnitudes = one.magnitude().cmp(&two.magnitude());
            magnitudes.then_with(|| one.digits.cmp(&two.digits))
        };
        sign(self).cmp(&sign(other)).then_with(|| match sign(self) {
            0 => Ordering::Equal,
            1 => size(self, other),
            _ => size(other, self),
        })
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The name tells our codec that the text is a number. Other formats ignore it and write a string.
        serializer.serialize_newtype_struct(NUMBER, &self.to_string())
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(NUMBER, NumberVisitor)
    }
}

struct NumberVisitor;

impl<'de> Visitor<'de> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Number, E> {
        // `ParseNumberError` doesn't repeat the text, so its message may be shown.
        text.parse().map_err(|error| E::custom(ValueFree(error)))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Number, E> {
        Ok(number.into())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Number, E> {
        Ok(number.into())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Number, E> {
        // The shortest text that is read as this float. NaN and infinity fail to parse.
        self.visit_str(&number.to_string())
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Number, D::Error> {
        // A format that ignores the name has either text or a number inside.
        inner.deserialize_any(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        text.parse().unwrap()
    }

    #[test]
    fn a_number_is_written_in_full() {
        for (text, written) in [
            ("0", "0"),
            ("-0.00", "0"),
            ("007", "7"),
            ("1.50", "1.5"),
            ("-12e3", "-12000"),
            ("0.001", "0.001"),
            ("12.34e-3", "0.01234"),
            ("1E125", "1E125"),
            ("-3e-130", "-3E-130"),
            (
                "99999999999999999999999999999999999999",
                "99999999999999999999999999999999999999",
            ),
        ] {
            assert_eq!(number(text).to_string(), written, "{text}");
            assert_eq!(number(written), number(text));
        }
    }

    #[test]
    fn numbers_are_ordered_by_value() {
        let ordered = [
            "-1e10", "-7.5", "-7", "-0.1", "0", "1e-130", "0.09", "0.1", "0.11", "1", "2", "10",
            "10.5", "1e125",
        ];
        for (rank, one) in ordered.iter().enumerate() {
            for (other_rank, other) in ordered.iter().enumerate() {
                let expected = rank.cmp(&other_rank);
                assert_eq!(number(one).cmp(&number(other)), expected, "{one} {other}");
            }
        }
    }

    #[test]
    fn what_dynamodb_cannot_store_is_refused() {
        let digits = "123456789012345678901234567890123456789";
        for (text, error) in [
            (digits, ParseNumberError::TooManyDigits),
            ("1e126", ParseNumberError::OutOfRange),
            ("9e-131", ParseNumberError::OutOfRange),
            ("", ParseNumberError::NotANumber),
            ("NaN", ParseNumberError::NotANumber),
            ("1e", ParseNumberError::NotANumber),
            ("--1", ParseNumberError::NotANumber),
        ] {
            assert_eq!(text.parse::<Number>(), Err(error), "{text}");
        }
    }

    #[test]
    fn json_has_it_as_a_string_and_reads_numbers_too() {
        let json = serde_json::to_string(&number("1.50")).unwrap();
        assert_eq!(json, r#""1.5""#);
        for text in [r#""1.5""#, "1.5"] {
            assert_eq!(serde_json::from_str::<Number>(text).unwrap(), number("1.5"));
        }
    }
}

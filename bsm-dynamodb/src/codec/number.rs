//! The grammar of DynamoDB's numbers.

use std::fmt;
use std::str::FromStr;

/// A decimal number of any size, taken apart.
///
/// It is equal to another one exactly if DynamoDB takes them for the same number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    pub(crate) negative: bool,
    /// Without zeros at either end; empty if the number is 0.
    pub(crate) digits: String,
    /// The number is `digits` times ten to the power of this; 0 if the number is 0.
    pub(crate) exponent: i64,
}

impl Decimal {
    /// The power of ten of the first digit.
    pub(crate) fn magnitude(&self) -> i64 {
        let length = i64::try_from(self.digits.len()).unwrap_or(i64::MAX);
        self.exponent.saturating_add(length - 1)
    }

    /// Returns the number as an integer, if it is one that fits.
    pub(crate) fn to_integer<T: FromStr>(&self) -> Option<T> {
        // The longest integer of Rust, a u128, has 39 digits.
        const LONGEST: i64 = 39;
        // `digits` has no zeros at its end, so a negative exponent is a fraction.
        let zeros = usize::try_from(self.exponent).ok()?;
        // Before the zeros are written: those of `1e999999999` would fill a gigabyte.
        if self.magnitude() >= LONGEST {
            return None;
        }
        let sign = if self.negative { "-" } else { "" };
        let digits = match self.digits.as_str() {
            "" => "0",
            digits => digits,
        };
        format!("{sign}{digits}{:0<zeros$}", "").parse().ok()
    }
}

/// The text is not a decimal number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotANumber;

impl FromStr for Decimal {
    type Err = NotANumber;

    fn from_str(text: &str) -> Result<Self, NotANumber> {
        let (negative, magnitude) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = magnitude.split_once(['e', 'E']).unwrap_or((magnitude, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        // This also refuses `1e`, whose exponent is empty.
        let exponent: i64 = exponent.parse().map_err(|_| NotANumber)?;
        let digits = format!("{whole}{fraction}");
        // Digits may be missing on one side of the point, as in `.5`, but not on both.
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotANumber);
        }
        let significant = digits.trim_end_matches('0');
        let trailing = digits.len() - significant.len();
        let significant = significant.trim_start_matches('0');
        // Zero has no sign, so that `-0` equals `0`.
        if significant.is_empty() {
            return Ok(Self {
                negative: false,
                digits: String::new(),
                exponent: 0,
            });
        }
        Ok(Self {
            negative,
            digits: significant.to_owned(),
            exponent: exponent.saturating_add(trailing as i64 - fraction.len() as i64),
        })
    }
}

/// Writes significant digits and an exponent, so that equal numbers are equal text.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.digits.is_empty() {
            return f.write_str("0");
        }
        let sign = if self.negative { "-" } else { "" };
        write!(f, "{sign}{}e{}", self.digits, self.exponent)
    }
}

/// Writes a number such that equal numbers are equal text.
///
/// Text that is not a number stays as it is; DynamoDB refuses it.
pub(crate) fn normalized(number: &str) -> String {
    match number.parse::<Decimal>() {
        Ok(decimal) => decimal.to_string(),
        Err(NotANumber) => number.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_an_integer_if_it_has_no_fraction_and_fits() {
        let integer = |text: &str| text.parse::<Decimal>().unwrap().to_integer::<u8>();
        assert_eq!(integer("2.50e2"), Some(250));
        assert_eq!(integer("0.0"), Some(0));
        assert_eq!(integer("256"), None);
        assert_eq!(integer("2.5"), None);
        assert_eq!(integer("1e999999999"), None);
        let widest = u128::MAX.to_string();
        assert_eq!(
            widest.parse::<Decimal>().unwrap().to_integer(),
            Some(u128::MAX)
        );
    }
}

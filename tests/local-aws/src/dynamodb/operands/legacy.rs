//! The operands of `Expected`, `QueryFilter`, `ScanFilter` and `KeyConditions`.

use std::cmp::Ordering;

use serde_json::Value;

use super::{Constant, ORDERED};

/// Checks the values that a comparison operator gets. The engine checks how many there are.
pub(super) fn check(operator: &str, values: &[Value]) -> Result<(), String> {
    let values: Vec<_> = values.iter().filter_map(Constant::of).collect();
    let allowed: &[&str] = match operator {
        "LT" | "LE" | "GT" | "GE" | "BETWEEN" | "IN" | "CONTAINS" | "NOT_CONTAINS" => &ORDERED,
        "BEGINS_WITH" => &["S", "B"],
        _ => return Ok(()),
    };
    let refused = |reason: String| {
        Err(format!(
            "One or more parameter values were invalid: {reason}"
        ))
    };
    if let Some(value) = values.iter().find(|value| !allowed.contains(&value.kind)) {
        return refused(format!(
            "ComparisonOperator {operator} is not valid for {} AttributeValue type",
            value.kind
        ));
    }
    if matches!(operator, "BETWEEN" | "IN")
        && let Some(first) = values.first()
        && values.iter().any(|value| value.kind != first.kind)
    {
        return refused(
            "AttributeValues inside AttributeValueList must be of same type".to_owned(),
        );
    }
    match (operator, values.as_slice()) {
        ("BETWEEN", [low, high]) if low.order(high) == Some(Ordering::Greater) => Err(
            "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"
                .to_owned(),
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_of_a_type_that_the_operator_has_a_use_for() {
        let (s, t, n, m) = (
            json!({ "S": "a" }),
            json!({ "S": "b" }),
            json!({ "N": "1" }),
            json!({ "M": {} }),
        );
        for (operator, values, is_right) in [
            ("EQ", vec![&m], true),
            ("LE", vec![&s], true),
            ("LE", vec![&m], false),
            ("CONTAINS", vec![&n], true),
            ("NOT_CONTAINS", vec![&m], false),
            ("BEGINS_WITH", vec![&n], false),
            ("BETWEEN", vec![&s, &t], true),
            ("BETWEEN", vec![&t, &s], false),
            ("BETWEEN", vec![&s, &n], false),
            ("IN", vec![&s, &t, &s], true),
            ("IN", vec![&s, &n], false),
            ("NOT_NULL", vec![], true),
        ] {
            let values: Vec<_> = values.into_iter().cloned().collect();
            let checked = check(operator, &values);
            assert_eq!(checked.is_ok(), is_right, "{operator} {values:?}");
        }
    }
}

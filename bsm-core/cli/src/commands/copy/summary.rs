//! What a copy has done.

use bsm_dynamodb::{CopySummary, ReportedKeys, Verification};
use serde_json::json;

use crate::failure::Failure;
use crate::output;

/// Prints the summary for a person.
pub(super) fn print(summary: &CopySummary) -> Result<(), Failure> {
    let statistics = summary.statistics();
    let mut facts = vec![
        ("items read", statistics.scanned().to_string()),
        ("items written", statistics.written().to_string()),
    ];
    // A copy that was not resumed has no earlier runs.
    if statistics.total_written() > statistics.written() {
        let total = statistics.total_written().to_string();
        facts.push(("with those of earlier runs", total));
    }
    facts.extend([
        ("items skipped", statistics.skipped().to_string()),
        ("requests retried", statistics.retried().to_string()),
        (
            "read capacity",
            format!("{:.1}", statistics.read_capacity()),
        ),
        (
            "write capacity",
            format!("{:.1}", statistics.write_capacity()),
        ),
        (
            "time",
            format!("{:.1} s", statistics.elapsed().as_secs_f64()),
        ),
    ]);
    if let Some(found) = summary.verification() {
        let [missing, different, extra] = counts(found);
        facts.extend([
            ("missing in the target", missing.to_string()),
            ("different", different.to_string()),
            ("in the target only", extra.to_string()),
        ]);
        let verdict = match found.is_identical() {
            true => "the tables are the same",
            false => "the tables differ",
        };
        facts.push(("verified", verdict.to_owned()));
    }
    output::print_facts(&facts)
}

pub(super) fn print_json(summary: &CopySummary) -> Result<(), Failure> {
    let statistics = summary.statistics();
    let verification = summary.verification().map(|found| {
        let [missing, different, extra] = counts(found);
        json!({
            "identical": found.is_identical(),
            "missing": missing, "different": different, "extra": extra,
        })
    });
    output::print_json(&json!({
        "scanned": statistics.scanned(),
        "written": statistics.written(),
        "total_written": statistics.total_written(),
        "skipped": statistics.skipped(),
        "retried": statistics.retried(),
        "read_capacity": statistics.read_capacity(),
        "write_capacity": statistics.write_capacity(),
        "seconds": statistics.elapsed().as_secs_f64(),
        "verification": verification,
    }))
}

fn counts(found: &Verification) -> [u64; 3] {
    let extra = found.extra().map_or(0, ReportedKeys::count);
    [found.missing().count(), found.different().count(), extra]
}

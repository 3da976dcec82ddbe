//! What the commands of a migration print.

use bsm_dynamodb::{AbortedMigration, MigrationPhase, MigrationPlan, MigrationSummary};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::global::Global;
use crate::output::{print, print_facts, print_json};

/// Prints a plan, with the policies to paste.
pub(super) fn print_plan(plan: &MigrationPlan, global: &Global) -> Result<(), Failure> {
    let policies = [
        ("bucket_policy", plan.bucket_policy()),
        ("source_policy", Some(plan.source_policy())),
        ("target_policy", Some(plan.target_policy())),
    ];
    if global.json {
        let mut fields = json!({
            "plan": plan.to_string(),
            "resumes": plan.resumes().map(|phase| phase.to_string()),
            "expected_items": plan.expected_items(),
            "expected_bytes": plan.expected_bytes(),
        });
        for (name, policy) in policies {
            let policy = policy.map(|policy| serde_json::from_str::<Value>(&policy));
            // The plan has written the policy as JSON itself, so parsing it does not fail.
            fields[name] = policy.transpose().unwrap_or_default().unwrap_or_default();
        }
        return print_json(&fields);
    }
    let mut text = format!("{plan}\n");
    let titles = [
        "Bucket policy, which the bucket needs:",
        "IAM policy, which the identity of the source needs:",
        "IAM policy, which the identity of the target needs:",
    ];
    for (title, (_, policy)) in titles.into_iter().zip(policies) {
        if let Some(policy) = policy {
            text.push_str(&format!("\n{title}\n{policy}\n"));
        }
    }
    print(&text)
}

pub(super) fn print_summary(summary: &MigrationSummary, global: &Global) -> Result<(), Failure> {
    let statistics = summary.statistics();
    let pause = summary.pause().map(|pause| pause.as_secs_f64());
    if global.json {
        return print_json(&json!({
            "exported": statistics.exported(),
            "loaded": statistics.loaded(),
            "caught_up": statistics.caught_up(),
            "streamed": statistics.streamed(),
            "compared": statistics.compared(),
            "pause_seconds": pause,
            "verified": summary.is_verified(),
        }));
    }
    let pause = pause.map(|seconds| format!("{seconds:.1} s"));
    let verified = match summary.is_verified() {
        true => "the tables are the same",
        false => "not compared",
    };
    print_facts(&[
        ("items loaded", statistics.loaded().to_string()),
        ("writes by exports", statistics.caught_up().to_string()),
        ("writes by the stream", statistics.streamed().to_string()),
        (
            "pause of the writers",
            pause.unwrap_or_else(|| "-".to_owned()),
        ),
        ("verified", verified.to_owned()),
    ])
}

pub(super) fn print_status(phase: Option<MigrationPhase>, global: &Global) -> Result<(), Failure> {
    match (global.json, phase) {
        (true, phase) => {
            let phase = phase.map(|phase| phase.to_string());
            print_json(&json!({ "phase": phase }))
        }
        (false, Some(phase)) => print(&format!("{phase}\n")),
        (false, None) => print("no migration in progress\n"),
    }
}

pub(super) fn print_aborted(aborted: &AbortedMigration, global: &Global) -> Result<(), Failure> {
    let AbortedMigration {
        deleted_target,
        bucket,
        prefix,
        ..
    } = aborted;
    if global.json {
        return print_json(&json!({
            "deleted_target": deleted_target,
            "bucket": bucket,
            "prefix": prefix,
        }));
    }
    let target = match deleted_target {
        true => "deleted",
        false => "stays as it is",
    };
    print_facts(&[
        ("target", target.to_owned()),
        ("exported files", format!("s3://{bucket}/{prefix}")),
    ])
}

//! The numbers in the guide are those in the sources.
//!
//! Most tests use a limit by the name of its constant, so that a change of the constant alone would pass.

use std::fs;
use std::path::Path;

/// A page, what it says, and the source that makes it true.
const NUMBERS: [(&str, &str, &str, &str); 43] = [
    // Refresh
    (
        "refresh",
        "wait up to 5 seconds",
        "bsm-core/src/credentials/refresh.rs",
        "MAX_WAIT: Duration = Duration::from_secs(5);",
    ),
    (
        "refresh",
        "up to 1,000 events wait for it",
        "bsm-core/src/credentials/refresh/event.rs",
        "MAX_WAITING: usize = 1_000;",
    ),
    (
        "refresh",
        "less than five seconds",
        "bsm-core/src/transport/server_clock.rs",
        "MAX_ROUND_TRIP: Duration = Duration::from_secs(5);",
    ),
    (
        "refresh",
        "at most a day",
        "bsm-core/src/transport/server_clock.rs",
        "MAX_SKEW_MILLIS: i64 = 24 * 3_600_000;",
    ),
    (
        "refresh",
        "another 10 to 15 minutes",
        "bsm-core/src/credentials/imds.rs",
        "EXTENSION: std::ops::Range<u64> = 600..900;",
    ),
    (
        "refresh",
        "10 seconds per attempt",
        "bsm-core/src/transport/time_limits.rs",
        "ATTEMPT: Duration = Duration::from_secs(10);",
    ),
    (
        "refresh",
        "for six attempts",
        "bsm-core/src/credentials/sso.rs",
        "ATTEMPTS: u32 = 6;",
    ),
    (
        "refresh",
        "15 seconds for the name of the role",
        "bsm-core/src/credentials/imds.rs",
        "OPERATION_TIMEOUT: Duration = Duration::from_secs(15);",
    ),
    (
        "refresh",
        "| `credential_process` | 60 seconds |",
        "bsm-core/src/session/settings.rs",
        "TIMEOUT: Duration = Duration::from_secs(60);",
    ),
    (
        "refresh",
        "| a credentials provider of your own | 60 seconds |",
        "bsm-core/src/session/settings.rs",
        "TIMEOUT: Duration = Duration::from_secs(60);",
    ),
    (
        "refresh",
        "| an MFA code | 5 minutes",
        "bsm-core/src/credentials/mfa/codes.rs",
        "LIMIT: Duration = Duration::from_secs(300);",
    ),
    (
        "refresh",
        "60 seconds for the program of an `mfa::TokenCommand`",
        "bsm-core/src/credentials/mfa/command.rs",
        "TIMEOUT: Duration = Duration::from_secs(60);",
    ),
    (
        "refresh",
        "| reading or writing a file | 30 seconds |",
        "bsm-core/src/small_file.rs",
        "LIMIT: Duration = Duration::from_secs(30);",
    ),
    (
        "refresh",
        "valid for at least 15 minutes",
        "bsm-core/src/credentials/cli_cache/entry.rs",
        "MIN_LEFT: Duration = Duration::from_secs(900);",
    ),
    (
        "refresh",
        "wait up to 40 seconds for its entry",
        "bsm-core/src/credentials/cli_cache/store.rs",
        "MAX_WAIT: Duration = Duration::from_secs(40);",
    ),
    // Security, Assuming a role, Limitations
    (
        "security",
        "in memory for five minutes",
        "bsm-core/src/credentials/mfa/codes.rs",
        "CODE_MEMORY: Duration = Duration::from_secs(300);",
    ),
    (
        "assume-role",
        "given up after five minutes",
        "bsm-core/src/credentials/mfa/codes.rs",
        "LIMIT: Duration = Duration::from_secs(300);",
    ),
    (
        "limitations",
        "does nothing for three seconds",
        "bsm-core/src/sync/user_code.rs",
        "STANDSTILL: Duration = Duration::from_secs(3);",
    ),
    (
        "limitations",
        "25 writes and 16 MB per request",
        "bsm-dynamodb/src/batch/write.rs",
        "MAX_WRITES: usize = 25;",
    ),
    (
        "limitations",
        "25 writes and 16 MB per request",
        "bsm-dynamodb/src/batch/write.rs",
        "MAX_BYTES: usize = 16 * 1024 * 1024;",
    ),
    (
        "limitations",
        "100 actions, 4 MB",
        "bsm-dynamodb/src/transact.rs",
        "MAX_ACTIONS: usize = 100;",
    ),
    (
        "limitations",
        "100 actions, 4 MB",
        "bsm-dynamodb/src/transact/write.rs",
        "MAX_BYTES: usize = 4 * 1024 * 1024;",
    ),
    // Profiles
    (
        "profiles",
        "the sections of the 16 files that it used last",
        "bsm-core/src/profile/parsed.rs",
        "MAX_CACHED: usize = 16;",
    ),
    (
        "profiles",
        "a file of more than 64 MiB",
        "bsm-core/src/profile/parsed.rs",
        "MAX_BYTES: u64 = 64 * 1024 * 1024;",
    ),
    (
        "profiles",
        "at most once a minute",
        "bsm-core/src/credentials/reloaded_keys.rs",
        "EVERY: Duration = Duration::from_secs(60);",
    ),
    (
        "profiles",
        "and at most 60 s",
        "bsm-core/src/credentials/imds.rs",
        "MAX_TIMEOUT: Duration = Duration::from_secs(60);",
    ),
    // Signing in
    (
        "signing-in",
        "valid for 15 minutes or more",
        "bsm-core/src/credentials/sso/token_provider.rs",
        "ADVISORY: Duration = Duration::from_secs(15 * 60);",
    ),
    (
        "signing-in",
        "tries again after a minute",
        "bsm-core/src/credentials/sso/token_provider.rs",
        "RETRY_WHILE_VALID: Duration = Duration::from_secs(60);",
    ),
    (
        "signing-in",
        "waits for at most ten minutes",
        "bsm-core/src/sign_in.rs",
        "TIMEOUT: Duration = Duration::from_secs(600);",
    ),
    (
        "signing-in",
        "at most 20 requests a second",
        "bsm-core/src/sign_in/portal.rs",
        "INTERVAL: Duration = Duration::from_millis(50);",
    ),
    // The command, Many accounts, Child processes
    (
        "command",
        "default: 15 minutes",
        "bsm-core/cli/src/commands/each.rs",
        "default_value = \"15m\"",
    ),
    (
        "command",
        "waits up to 5 seconds for them to end",
        "bsm-core/cli/src/commands/each.rs",
        "GRACE: Duration = Duration::from_secs(5);",
    ),
    (
        "command",
        "removed 15 seconds after the browser was started",
        "bsm-core/cli/src/commands/console/browser.rs",
        "LIFETIME: Duration = Duration::from_secs(15);",
    ),
    (
        "many-accounts",
        "(default 15 minutes)",
        "bsm-core/src/fleet.rs",
        "TIME_LIMIT: Duration = Duration::from_secs(15 * 60);",
    ),
    (
        "many-accounts",
        "two seconds later",
        "bsm-core/src/fleet/run.rs",
        "GRACE: Duration = Duration::from_secs(2);",
    ),
    (
        "child-processes",
        "deletes it after a minute",
        "bsm-core/src/export/snapshot_file.rs",
        "ABANDONED: Duration = Duration::from_secs(60);",
    ),
    // Batches, Migrating
    (
        "batches",
        "10 attempts in a row without progress",
        "bsm-dynamodb/src/batch/get.rs",
        "max_attempts: 10,",
    ),
    (
        "batches",
        "10 attempts in a row without progress",
        "bsm-dynamodb/src/batch/write.rs",
        "max_attempts: 10,",
    ),
    (
        "migrating",
        "more than 50,000 files",
        "bsm-dynamodb/src/migrate/load_method.rs",
        "MAX_IMPORTED_FILES: usize = 50_000;",
    ),
    (
        "migrating",
        "more than 12 hours behind",
        "bsm-dynamodb/src/migrate/run/windows.rs",
        "STREAM_LAG: i64 = 12 * 3600;",
    ),
    (
        "migrating",
        "in windows of up to 24 hours",
        "bsm-dynamodb/src/migrate/run/windows.rs",
        "MAX_WINDOW: i64 = 24 * 3600;",
    ),
    (
        "migrating",
        "quiet for 3 seconds",
        "bsm-dynamodb/src/migrate/options.rs",
        "quiet_period: Duration::from_secs(3),",
    ),
    (
        "migrating",
        "differs for five seconds",
        "bsm-dynamodb/src/migrate/run/cutover.rs",
        "MAX_DIFFERENCE: Duration = Duration::from_secs(5);",
    ),
];

/// Reads a text, with one blank in place of each line break and its indentation.
fn words(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    let text = fs::read_to_string(&path);
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_number_on_a_page_is_the_one_in_the_sources() {
    let wrong = NUMBERS.iter().filter(|(page, says, source, constant)| {
        let page = words(&format!("docs/src/{page}.md"));
        !page.contains(says) || !words(source).contains(constant)
    });
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

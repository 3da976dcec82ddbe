//! The progress of a migration.

use std::time::Duration;

use bsm_dynamodb::{MigrateTable, MigrationPhase, MigrationProgress};
use indicatif::{ProgressBar, ProgressStyle};

use crate::terminal;

/// Shows the progress: on one line of a terminal, and else as a line for each phase.
pub(super) fn shown(migration: MigrateTable) -> (MigrateTable, ProgressBar) {
    let style = ProgressStyle::with_template("{spinner} {elapsed_precise}  {msg}");
    let bar = ProgressBar::new_spinner().with_style(style.expect("the template is valid"));
    // An export takes minutes without any progress to report, and the spinner moves meanwhile.
    bar.enable_steady_tick(Duration::from_millis(200));
    let shown = bar.clone();
    let mut last = None;
    let migration = migration.on_progress(move |progress| {
        shown.set_message(line(progress));
        let phase = Some(progress.phase());
        if shown.is_hidden() && last != phase {
            terminal::say(progress.phase());
        }
        last = phase;
    });
    (migration, bar)
}

fn line(progress: &MigrationProgress) -> String {
    let phase = progress.phase();
    let count = match phase {
        MigrationPhase::Loading if progress.loaded() > 0 => {
            format!("  {} of {} items", progress.loaded(), progress.exported())
        }
        MigrationPhase::CatchingUp => format!("  {} writes", progress.caught_up()),
        MigrationPhase::Streaming | MigrationPhase::Draining => format!(
            "  {} writes, {} items compared",
            progress.streamed(),
            progress.compared()
        ),
        _ => String::new(),
    };
    let lag = progress.lag();
    let lag = lag.map(|lag| format!("  {} s behind", lag.as_secs()));
    format!("{phase}{count}{}", lag.unwrap_or_default())
}

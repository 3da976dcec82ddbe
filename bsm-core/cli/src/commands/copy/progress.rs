//! The progress of a copy.

use bsm_dynamodb::{CopyPhase, CopyProgress, CopyTable};
use indicatif::{ProgressBar, ProgressStyle};

/// Adds a progress bar, which is shown on a terminal only.
pub(super) fn with_bar(copy: CopyTable) -> (CopyTable, ProgressBar) {
    let style = "{msg:>9} {wide_bar} {human_pos}/{human_len}  {per_sec}  {eta}";
    let style = ProgressStyle::with_template(style).expect("the template is valid");
    let bar = ProgressBar::no_length().with_style(style);
    let shown = bar.clone();
    let copy = copy.on_progress(move |progress: &CopyProgress| {
        shown.set_message(match progress.phase() {
            CopyPhase::Verifying => "comparing",
            _ => "copying",
        });
        // DynamoDB counts the items of a table every six hours, so there may be more.
        let expected = progress.expected_items().unwrap_or_default();
        shown.set_length(expected.max(progress.position()));
        shown.set_position(progress.position());
    });
    (copy, bar)
}

//! Waiting with a limit.

use std::time::Duration;

use tokio::time::{self, Instant};

use crate::connection::slot::Call;
use crate::error::{Error, ErrorKind};
use crate::model::Model;

/// The pauses between polls: 0.1 s, and twice as long each time up to 5 s, until a limit.
pub(super) struct Wait {
    limit: Duration,
    deadline: Instant,
    pause: Duration,
}

impl Wait {
    const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(5);

    pub(super) fn new(limit: Duration) -> Self {
        Self {
            limit,
            deadline: Instant::now() + limit,
            pause: Self::FIRST,
        }
    }

    pub(super) async fn pause<M: Model>(
        &mut self,
        call: &Call<M>,
        fact: &str,
    ) -> Result<(), Error> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let message = format!(
                "{fact} within {:?}: wait longer with wait_at_most(), or look at it with \
                 describe_table()",
                self.limit
            );
            return Err(call.error(ErrorKind::WaitTimedOut, message));
        }
        time::sleep(self.pause.min(left)).await;
        self.pause = (self.pause * 2).min(Self::LONGEST);
        Ok(())
    }
}

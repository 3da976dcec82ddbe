//! The active manager, beside the active context of OpenTelemetry and the dispatcher of tracing.

use std::hint::black_box;

use bsm_core::BotoSesManager;
use opentelemetry::Context;
use tracing::Dispatch;
use tracing::dispatcher;
use tracing::subscriber::NoSubscriber;

use super::one_thread;
use crate::Result;
use crate::measure::{Effort, time};
use crate::row::{Row, Target, Unit};

pub(crate) fn measure(effort: Effort, report: &mut dyn FnMut(Row)) -> Result {
    let runtime = one_thread()?;
    // In a task, as in a service.
    let task = runtime.spawn(async move { [without(effort), overridden(effort)] });
    for rows in runtime.block_on(task)? {
        rows.into_iter().for_each(&mut *report);
    }
    Ok(())
}

fn without(effort: Effort) -> [Row; 2] {
    rows("current(), nothing overridden", effort)
}

fn overridden(effort: Effort) -> [Row; 2] {
    let _env = BotoSesManager::from_profile("staging").awsenv();
    let _context = Context::current_with_value(1_u8).attach();
    let _dispatcher = dispatcher::set_default(&Dispatch::new(NoSubscriber::new()));
    rows("current(), overridden", effort)
}

fn rows(what: &str, effort: Effort) -> [Row; 2] {
    let [ours, context, dispatch] = time(
        effort,
        [
            &mut |calls| {
                for _ in 0..calls {
                    black_box(BotoSesManager::current());
                }
            },
            &mut |calls| {
                for _ in 0..calls {
                    black_box(Context::current());
                }
            },
            // A handle to keep, as the two others give.
            &mut |calls| {
                for _ in 0..calls {
                    black_box(dispatcher::get_default(Dispatch::clone));
                }
            },
        ],
    );
    [
        ("OpenTelemetry's Context::current()", context),
        ("tracing's get_default(Dispatch::clone)", dispatch),
    ]
    .map(|(peer, theirs)| {
        let name = format!("{what}; {peer}");
        Row::new(name, Unit::Seconds, ours, theirs, Target::Ratio(1.0))
    })
}

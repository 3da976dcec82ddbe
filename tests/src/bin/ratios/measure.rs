//! Measurement of time, with both sides taking turns.

use std::fs;
use std::time::{Duration, Instant};

use crate::Result;

/// How thoroughly to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Until the figures are stable.
    Steady,
    /// Once, as a test of the program.
    Once,
}

impl Effort {
    /// Returns the number of repetitions: `steady`, or at most two for [`Once`](Self::Once).
    pub(crate) fn times(self, steady: usize) -> usize {
        match self {
            Self::Steady => steady,
            Self::Once => steady.min(2),
        }
    }
}

/// The operation of one side: performs it the given number of times.
pub(crate) type Workload<'a> = &'a mut dyn FnMut(usize);

/// Returns the median time of one call of each side, in seconds.
///
/// The sides take turns in rounds of a few milliseconds, so that other load on the machine affects all
/// of them.
pub(crate) fn time<const N: usize>(effort: Effort, mut sides: [Workload<'_>; N]) -> [f64; N] {
    const ROUND: Duration = Duration::from_millis(10);
    let clock = || {
        let began = Instant::now();
        move || began.elapsed()
    };
    let calls = sides.each_mut().map(|side| calls_in(effort, ROUND, side));
    medians(effort.times(41), sides, calls, clock)
}

/// Returns the median CPU time of one call of each side, in seconds, without the time spent waiting.
///
/// The kernel counts CPU time in steps of milliseconds, so the rounds are long and few.
pub(crate) fn cpu_time<const N: usize>(
    effort: Effort,
    mut sides: [Workload<'_>; N],
) -> Result<[f64; N]> {
    const ROUND: Duration = Duration::from_millis(200);
    on_cpu()?;
    let clock = || {
        let began = on_cpu().unwrap_or_default();
        move || on_cpu().unwrap_or_default().saturating_sub(began)
    };
    let calls = sides.each_mut().map(|side| calls_in(effort, ROUND, side));
    Ok(medians(effort.times(9), sides, calls, clock))
}

fn medians<const N: usize, C: FnOnce() -> Duration>(
    rounds: usize,
    sides: [Workload<'_>; N],
    calls: [usize; N],
    clock: impl Fn() -> C,
) -> [f64; N] {
    let mut taken = [const { Vec::new() }; N];
    for round in 0..rounds {
        for turn in 0..N {
            // Alternate the order, so that no side always runs after the same other side.
            let index = if round % 2 == 0 { turn } else { N - 1 - turn };
            let elapsed = clock();
            sides[index](calls[index]);
            taken[index].push(elapsed().as_secs_f64() / calls[index] as f64);
        }
    }
    taken.map(|mut taken| median(&mut taken))
}

/// Warms up a side and returns how often it can be called in about this time.
fn calls_in(effort: Effort, time: Duration, side: &mut dyn FnMut(usize)) -> usize {
    if effort == Effort::Once {
        return 1;
    }
    let mut calls = 1;
    loop {
        let began = Instant::now();
        side(calls);
        if began.elapsed() >= time {
            return calls;
        }
        calls *= 2;
    }
}

pub(crate) fn median(figures: &mut [f64]) -> f64 {
    percentile(figures, 0.5)
}

/// Returns a percentile; `share` is between 0 and 1.
pub(crate) fn percentile(figures: &mut [f64], share: f64) -> f64 {
    figures.sort_by(f64::total_cmp);
    let last = figures.len().saturating_sub(1);
    let place = (last as f64 * share).round() as usize;
    figures.get(place).copied().unwrap_or_default()
}

/// Returns the CPU time of this thread, from Linux's `/proc`.
pub(crate) fn on_cpu() -> Result<Duration> {
    let statistics = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = statistics.split(' ').next().unwrap_or_default();
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

/// Returns the CPU time of the child processes that have ended, from Linux's `/proc`.
///
/// It counts in hundredths of a second, so measure many processes.
pub(crate) fn children_on_cpu() -> Result<Duration> {
    const TICK: Duration = Duration::from_millis(10);
    let statistics = fs::read_to_string("/proc/self/stat")?;
    // Behind the name of the program, which may contain anything, is the third field.
    let (_, fields) = statistics.rsplit_once(')').ok_or("no statistics")?;
    // cutime and cstime.
    let ticks = fields.split_whitespace().skip(13).take(2);
    let ticks = ticks
        .map(str::parse::<u32>)
        .sum::<std::result::Result<u32, _>>()?;
    Ok(TICK * ticks)
}

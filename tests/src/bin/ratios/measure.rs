//! Time, taken in turn.

use std::fs;
use std::time::{Duration, Instant};

use crate::Result;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// As much as steady figures take.
    Steady,
    /// Once, to see that it works.
    Once,
}

impl Effort {
    /// Returns a number that is for steady figures, or a small one.
    pub(crate) fn times(self, steady: usize) -> usize {
        match self {
            Self::Steady => steady,
            Self::Once => steady.min(2),
        }
    }
}

/// What a side does: the same thing, so many times.
pub(crate) type Side<'a> = &'a mut dyn FnMut(usize);

/// Returns the median time of one call, in seconds, for each side.
///
/// The sides take turns, in rounds of a few milliseconds, so that whatever else the machine does
/// meanwhile happens to all of them.
pub(crate) fn time<const N: usize>(effort: Effort, mut sides: [Side<'_>; N]) -> [f64; N] {
    const ROUND: Duration = Duration::from_millis(10);
    let clock = || {
        let began = Instant::now();
        move || began.elapsed()
    };
    let calls = sides.each_mut().map(|side| calls_in(effort, ROUND, side));
    medians(effort.times(41), sides, calls, clock)
}

/// As [`time`], but what the thread was running, not what it waited for.
///
/// The system counts that in steps of milliseconds, so the rounds are long, and few.
pub(crate) fn cpu_time<const N: usize>(
    effort: Effort,
    mut sides: [Side<'_>; N],
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
    sides: [Side<'_>; N],
    calls: [usize; N],
    clock: impl Fn() -> C,
) -> [f64; N] {
    let mut taken = [const { Vec::new() }; N];
    for round in 0..rounds {
        for turn in 0..N {
            // Forth and back, so that nobody is always the one who comes after somebody.
            let place = if round % 2 == 0 { turn } else { N - 1 - turn };
            let elapsed = clock();
            sides[place](calls[place]);
            taken[place].push(elapsed().as_secs_f64() / calls[place] as f64);
        }
    }
    taken.map(|mut taken| median(&mut taken))
}

/// Finds out how often a side can be called in about this time, and warms it up.
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

/// Returns the figure below which this share of them lies.
pub(crate) fn percentile(figures: &mut [f64], share: f64) -> f64 {
    figures.sort_by(f64::total_cmp);
    let last = figures.len().saturating_sub(1);
    let place = (last as f64 * share).round() as usize;
    figures.get(place).copied().unwrap_or_default()
}

/// Returns how long this thread has been running; Linux tells.
fn on_cpu() -> Result<Duration> {
    let statistics = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = statistics.split(' ').next().unwrap_or_default();
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

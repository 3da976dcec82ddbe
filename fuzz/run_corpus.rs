//! Runs the corpus of a fuzz target on the stable compiler.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a target gets random input: long enough for some thousand inputs, and short enough for
/// every run of the tests. `BSM_FUZZ_SECONDS` sets another time.
const DEFAULT_TIME: Duration = Duration::from_millis(300);

/// Calls a target with every file of its corpus, and with random changes of them.
pub(crate) fn run_corpus(target: &str, call: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let files = fs::read_dir(folder.join(target)).expect("the target has a corpus");
    let corpus: Vec<_> = files
        .map(|file| fs::read(file.unwrap().path()).unwrap())
        .collect();
    assert!(!corpus.is_empty(), "the corpus of {target} is empty");
    for input in &corpus {
        call(input);
    }

    let seconds = std::env::var("BSM_FUZZ_SECONDS").ok();
    let seconds = seconds.and_then(|seconds| seconds.parse().ok());
    let time = seconds.map_or(DEFAULT_TIME, Duration::from_secs);
    // The seed is fixed, so that a failure happens again.
    let mut random = fastrand::Rng::with_seed(7);
    let end = Instant::now() + time;
    while Instant::now() < end {
        call(&changed(&corpus, &mut random));
    }
}

/// Returns a file of the corpus with some random changes.
fn changed(corpus: &[Vec<u8>], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut input = random.choice(corpus).cloned().unwrap_or_default();
    for _ in 0..random.usize(1..8) {
        let at = random.usize(..=input.len());
        let end = (at + random.usize(..8)).min(input.len());
        match random.u8(..4) {
            0 => drop(input.drain(at..end)),
            1 => input.insert(at, random.u8(..)),
            2 => input.insert(at, *random.choice(b"\"'\\{}[]:,=#;%\n 0-").unwrap()),
            // A part of another file.
            _ => {
                let other = random.choice(corpus).map_or(&[][..], Vec::as_slice);
                let from = random.usize(..=other.len());
                let to = (from + random.usize(..40)).min(other.len());
                input.splice(at..end, other[from..to].iter().copied());
            }
        }
    }
    input
}

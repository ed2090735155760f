//! Properties with a time budget: each case has a seed that is printed and can be replayed.
//!
//! `DMSLAKE_SEED=<seed>` runs only that case; `DMSLAKE_PROPERTY_SECONDS` sets another budget.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use dmslake::clock::{Clock, SystemClock};
use futures::FutureExt;
use rand::SeedableRng;
use rand::rngs::StdRng;

/// Runs `case` with fresh seeds until `seconds` are spent, at least `least` times.
///
/// # Panics
/// If a case does, after printing its seed.
pub(crate) async fn check<F>(name: &str, seconds: u64, least: u32, case: impl Fn(StdRng) -> F)
where
    F: Future<Output = ()>,
{
    if let Ok(seed) = std::env::var("DMSLAKE_SEED") {
        let seed = seed.parse().expect("DMSLAKE_SEED is a number");
        return Box::pin(case(StdRng::seed_from_u64(seed))).await;
    }
    let budget = std::env::var("DMSLAKE_PROPERTY_SECONDS").ok();
    let budget = budget.map_or(seconds, |text| text.parse().expect("a number of seconds"));
    let clock = SystemClock;
    let start = clock.instant();
    let first = u64::from(clock.now().timestamp_subsec_nanos());
    let mut cases = 0;
    while cases < least || start.elapsed() < Duration::from_secs(budget) {
        let seed = first + u64::from(cases);
        let outcome =
            AssertUnwindSafe(Box::pin(case(StdRng::seed_from_u64(seed)))).catch_unwind().await;
        if let Err(panic) = outcome {
            eprintln!("{name} failed; replay with DMSLAKE_SEED={seed} cargo test {name}");
            std::panic::resume_unwind(panic);
        }
        cases += 1;
    }
    eprintln!("{name}: {cases} cases from seed {first}");
}

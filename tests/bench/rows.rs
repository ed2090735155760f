//! The rows that are staged: a full load, and a backlog of changes to it. The same in every run.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

const STATES: [&str; 5] = ["new", "paid", "packed", "shipped", "returned"];
/// 2026-01-01 in microseconds of Unix time.
const BEGIN: i64 = 1_767_225_600_000_000;
const YEAR: i64 = 365 * 24 * 3600 * 1_000_000;
/// Of a hundred changes so many insert a row and so many delete one; the rest update one.
const INSERTS: u64 = 10;
const DELETES: u64 = 10;

/// A row of `shop.orders`.
pub(crate) struct Row {
    /// `I`, `U` or `D`; none in a full load.
    pub(crate) op: Option<&'static str>,
    pub(crate) id: i64,
    pub(crate) customer: i32,
    pub(crate) state: &'static str,
    /// In hundredths.
    pub(crate) amount: i64,
    pub(crate) quantity: i32,
    /// Microseconds of Unix time.
    pub(crate) ordered_at: i64,
    pub(crate) note: Option<String>,
}

impl Row {
    fn random(op: Option<&'static str>, id: i64, rng: &mut StdRng) -> Self {
        let note = match rng.random_range(0..20) {
            0 => None,
            // A delimiter, which CSV has to quote.
            1 => Some(format!("leave it at door {}, please", rng.random_range(1..500))),
            _ => Some(format!("order {id} of week {}", rng.random_range(1..53))),
        };
        Self {
            op,
            id,
            customer: rng.random_range(1..200_000),
            state: STATES.choose(rng).expect("a state"),
            amount: rng.random_range(100..10_000_000),
            quantity: rng.random_range(1..100),
            ordered_at: BEGIN + rng.random_range(0..YEAR),
            note,
        }
    }
}

/// The rows `first..first + count` of the full load, in key order.
pub(crate) fn loaded(first: u64, count: u64) -> Vec<Row> {
    let mut rng = StdRng::seed_from_u64(first);
    (first..first + count).map(|id| Row::random(None, key(id), &mut rng)).collect()
}

/// The changes of one object of the backlog: updates and deletes of random rows among
/// `existing`, and inserts of keys above them that no other object uses.
pub(crate) fn changes(object: u64, count: u64, existing: u64) -> Vec<Row> {
    let mut rng = StdRng::seed_from_u64(u64::MAX - object);
    let mut fresh = existing + object * count;
    (0..count)
        .map(|_| {
            let dice = rng.random_range(0..100);
            if dice < INSERTS {
                fresh += 1;
                return Row::random(Some("I"), key(fresh - 1), &mut rng);
            }
            let op = if dice < INSERTS + DELETES { "D" } else { "U" };
            let id = key(rng.random_range(0..existing));
            Row::random(Some(op), id, &mut rng)
        })
        .collect()
}

fn key(number: u64) -> i64 {
    i64::try_from(number).expect("few rows")
}

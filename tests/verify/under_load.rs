//! A source that goes on changing while it is compared: its commits are staged after a while, in
//! their order, and applied by somebody else.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dmslake::clock::{Clock as _, SystemClock};
use dmslake::inspect::verify::{Kind, MySqlRequest, Verdict};
use mysql_async::prelude::Queryable as _;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::sync::Mutex;

use super::source::Site;
use super::{listed, of_mysql};

const ROWS: u32 = 3000;
/// Rows from here on are left alone.
const COLD: u32 = 10_000;
/// From a commit until it is staged.
const LAG: Duration = Duration::from_millis(700);

const STATEMENTS: &str = "\
CREATE TABLE shop.hot (id INT PRIMARY KEY, n INT, note VARCHAR(40));
";

fn tables(dms: &str) -> String {
    format!(
        "{dms}\n[[table]]\nsource = \"shop.hot\"\nkeys = [\"id\"]\ncolumns = [\n  \
         {{ name = \"id\", type = \"int\" }}, {{ name = \"n\", type = \"int\" }},\n  \
         {{ name = \"note\", type = \"varchar(40)\" }}, {{ name = \"BI_id\", type = \"int\" }},\n]\n"
    )
}

/// A site under load.
struct Busy {
    site: Arc<Site>,
    has_times: bool,
    over: Arc<AtomicBool>,
    /// Held by whoever commits to the table.
    turn: Arc<Mutex<()>>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Busy {
    async fn start(has_times: bool) -> Option<Self> {
        let dms = if has_times { "[dms]\ntimestamp_column_name = \"at\"" } else { "" };
        let site = Arc::new(Site::start(STATEMENTS, &tables(dms))?);
        let (mut csv, mut values) = (String::new(), Vec::new());
        for id in (0..ROWS).chain(COLD..COLD + 100) {
            if has_times {
                write!(csv, "{},", time()).unwrap();
            }
            writeln!(csv, "{id},{id},note {id},").unwrap();
            values.push(format!("({id}, {id}, 'note {id}')"));
        }
        site.stage("hot", "LOAD00000001.csv", &csv);
        site.execute(&format!("INSERT INTO shop.hot VALUES {}", values.join(", "))).await;
        site.apply("hot").await;
        let over = Arc::new(AtomicBool::new(false));
        let mut busy = Self { site, has_times, over, turn: Arc::default(), tasks: Vec::new() };
        busy.go();
        // Until changes arrive.
        tokio::time::sleep(3 * LAG).await;
        Some(busy)
    }

    /// Starts whoever commits, stages and applies.
    fn go(&mut self) {
        let committed: Arc<Mutex<VecDeque<(Instant, String)>>> = Arc::default();
        let (site, over, has_times) =
            (Arc::clone(&self.site), Arc::clone(&self.over), self.has_times);
        let lines = Arc::clone(&committed);
        self.tasks.push(tokio::spawn(async move {
            let mut rng = StdRng::seed_from_u64(7);
            let mut connection = site.connect().await;
            let mut present: Vec<u32> = (0..ROWS).collect();
            let mut next = ROWS;
            while !over.load(Ordering::Relaxed) {
                let at = rng.random_range(0..present.len());
                let (id, n) = (present[at], rng.random_range(0..1000));
                let (statement, change) = match rng.random_range(0..10) {
                    0 => {
                        next += 1;
                        present.push(next);
                        let (id, statement) =
                            (next, format!("INSERT INTO shop.hot VALUES ({next}, {n}, NULL)"));
                        (statement, ("I", format!("{id},{n},NULL,")))
                    }
                    1 => {
                        present.swap_remove(at);
                        let statement = format!("DELETE FROM shop.hot WHERE id = {id}");
                        (statement, ("D", format!("{id},NULL,NULL,")))
                    }
                    2 => {
                        next += 1;
                        present[at] = next;
                        let set = format!("id = {next}, n = {n}, note = ''");
                        let statement = format!("UPDATE shop.hot SET {set} WHERE id = {id}");
                        (statement, ("U", format!("{next},{n},,{id}")))
                    }
                    _ => {
                        let statement =
                            format!("UPDATE shop.hot SET n = {n}, note = 'x' WHERE id = {id}");
                        (statement, ("U", format!("{id},{n},x,{id}")))
                    }
                };
                let (op, image) = change;
                let begun = time();
                connection.query_drop(&statement).await.unwrap();
                let stamp = if has_times { format!("{begun},") } else { String::new() };
                let line = format!("{op},{stamp}{image}\n");
                lines.lock().await.push_back((SystemClock.instant(), line));
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }));
        let (site, over) = (Arc::clone(&self.site), Arc::clone(&self.over));
        self.tasks.push(tokio::spawn(async move {
            let mut object = 0;
            loop {
                let is_over = over.load(Ordering::Relaxed);
                let mut due = String::new();
                let mut lines = committed.lock().await;
                while lines.front().is_some_and(|(at, _)| is_over || at.elapsed() >= LAG) {
                    due += &lines.pop_front().unwrap().1;
                }
                drop(lines);
                if !due.is_empty() {
                    object += 1;
                    site.stage("hot", &format!("20260101-{object:09}.csv"), &due);
                }
                if is_over {
                    return;
                }
                tokio::time::sleep(LAG / 3).await;
            }
        }));
        let (site, over, turn) =
            (Arc::clone(&self.site), Arc::clone(&self.over), Arc::clone(&self.turn));
        self.tasks.push(tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                let held = turn.lock().await;
                site.apply("hot").await;
                drop(held);
                tokio::time::sleep(LAG / 4).await;
            }
        }));
    }

    async fn end(self) -> Arc<Site> {
        self.over.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.expect("it ends well");
        }
        self.site
    }
}

/// Now, as DMS writes it.
fn time() -> String {
    SystemClock.now().format("%Y-%m-%d %H:%M:%S.000000").to_string()
}

fn within(wait: Duration, site: &Site) -> MySqlRequest {
    MySqlRequest { wait, ..of_mysql(&site.url()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_its_way_is_no_difference_and_what_is_wrong_is() {
    for has_times in [false, true] {
        let Some(busy) = Busy::start(has_times).await else { return };
        // With commit times it is known sooner, and not by waiting.
        let wait = Duration::from_secs(if has_times { 90 } else { 4 });
        let mut settled = 0;
        for _ in 0..2 {
            let found = busy.site.verify_as("hot", within(wait, &busy.site)).await;
            assert_eq!(found.verdict, Verdict::Equal, "{found:?}");
            settled += found.settled;
        }
        assert!(settled > 0, "nothing was on its way");

        let held = busy.turn.lock().await;
        let table = busy.site.delta("hot").await;
        let (table, _) = table.delete().with_predicate(format!("id = {COLD}")).await.unwrap();
        let update = table.update().with_predicate(format!("id = {}", COLD + 1));
        let (table, _) = update.with_update("note", "NULL").await.unwrap();
        let rows = super::faults::rows_where(&table, &format!("id = {}", COLD + 2)).await;
        let _ = table.write([rows]).await.unwrap();
        drop(held);
        let begun = SystemClock.instant();
        let found = busy.site.verify_as("hot", within(wait, &busy.site)).await;
        assert_eq!(found.verdict, Verdict::Different, "{found:?}");
        let keys = [COLD, COLD + 1, COLD + 2].map(|id| id.to_string());
        let expected = [
            (vec![keys[0].as_str()], Kind::Missing, vec![]),
            (vec![keys[1].as_str()], Kind::OtherValues, vec!["note"]),
            (vec![keys[2].as_str()], Kind::Repeated, vec![]),
        ];
        assert_eq!(listed(&found), expected);
        assert_eq!(found.undecided, 0, "{found:?}");
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(40), "{took:?}");

        let site = busy.end().await;
        site.apply("hot").await;
        let found = site.verify("hot").await;
        assert_eq!(listed(&found), expected, "and nothing else, now that all has come");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pending_is_undecided_until_it_is_applied() {
    let Some(site) = Site::start(STATEMENTS, &tables("")) else { return };
    site.execute("INSERT INTO shop.hot VALUES (1, 1, 'one'), (2, 2, 'two')").await;
    site.stage("hot", "LOAD00000001.csv", "1,1,one,\n2,2,two,\n");
    site.apply("hot").await;
    site.execute("UPDATE shop.hot SET n = 3 WHERE id = 1").await;
    site.stage("hot", "20260101-000000001.csv", "U,1,3,one,1\n");

    let wait = Duration::from_millis(500);
    let found = site.verify_as("hot", within(wait, &site)).await;
    assert_eq!((found.verdict, found.undecided), (Verdict::Undecided, 1), "{found:?}");
    let said = &found.undecided_because[0];
    assert!(said.starts_with("what was staged meanwhile is not applied yet"), "{said}");

    let found = site.verify_as("hot", MySqlRequest { applies: true, ..within(wait, &site) }).await;
    assert_eq!((found.verdict, found.settled), (Verdict::Equal, 1), "{found:?}");
    assert!(found.checked_until > found.version);

    // A difference that nothing pending can explain, while something else is pending for ever.
    site.execute("UPDATE shop.hot SET n = 4 WHERE id = 2").await;
    site.stage("hot", "20260101-000000002.csv", "U,1,bad,one,1\n");
    let found = site.verify_as("hot", MySqlRequest { applies: true, ..within(wait, &site) }).await;
    assert_eq!((found.verdict, found.undecided), (Verdict::Undecided, 1), "{found:?}");
    let said = &found.undecided_because[0];
    assert!(said.starts_with("what is pending is not applied: "), "{said}");
    site.stage("hot", "20260101-000000002.csv", "U,1,3,one,1\n");
    let found = site.verify_as("hot", MySqlRequest { applies: true, ..within(wait, &site) }).await;
    assert_eq!(found.verdict, Verdict::Different, "{found:?}");
    assert_eq!(listed(&found), [(vec!["2"], Kind::OtherValues, vec!["n"])]);
}

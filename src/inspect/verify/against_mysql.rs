//! A table against its MySQL source.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arrow::util::display::array_value_to_string;

use crate::error::{Error, ErrorKind, Result};
use crate::inspect::verify::Verifier;
use crate::inspect::verify::compare::Differs;
use crate::inspect::verify::counting::{CountEnd, count};
use crate::inspect::verify::declared::{Columns, Declared};
use crate::inspect::verify::encode::{Encoder, Key};
use crate::inspect::verify::lake;
use crate::inspect::verify::narrowing::{DifferingParts, Sides, differing_keys};
use crate::inspect::verify::observer::Step;
use crate::inspect::verify::pages::{Pace, Pages};
use crate::inspect::verify::rechecks::{Outcome, Rechecks, Since};
use crate::inspect::verify::saved::{Counted, StateFile};
use crate::inspect::verify::source::{Reader, Source};
use crate::inspect::verify::verification::{
    Against, Differing, DifferingKey, NotCompared, Verdict, Verification, speed,
};
use crate::table::LakeTable;

/// Groups of keys have about so many rows, and there are at most so many.
const ROWS_OF_GROUP: u64 = 1000;
const MOST_GROUPS: u64 = 1 << 16;

/// How to compare with MySQL.
#[derive(Clone, Debug)]
pub struct MySqlRequest {
    /// `mysql://user:password@host:3306`
    pub url: String,
    /// At most so many rows are read from the source in a second.
    pub rows_per_second: Option<NonZeroU64>,
    /// So long a change may take from its commit until it is staged.
    pub wait: Duration,
    /// Whether what is pending is applied here, instead of waiting for others.
    pub applies: bool,
    /// Where it is kept how far the source was counted.
    pub resume: Option<PathBuf>,
}

impl Verifier<'_> {
    /// Compares the table with the source.
    pub(super) async fn against_mysql(
        &self,
        table: LakeTable,
        request: &MySqlRequest,
    ) -> Result<Verification> {
        if self.spec.append_only {
            return Err(Error::new(
                ErrorKind::TableRefused,
                "a table without keys cannot be compared with MySQL: no row of it can be looked up",
            )
            .with("table", &self.spec.source)
            .with_remedy("verify it against staging, without --mysql"));
        }
        let (mut source, declared) = Source::connect(&request.url, self.spec).await?;
        let columns = Columns::of(self.spec, &table, &declared)?;
        let verified = self.compare(&table, &mut source, &declared, &columns, request).await;
        source.disconnect().await;
        verified
    }

    async fn compare(
        &self,
        table: &LakeTable,
        source: &mut Source,
        declared: &Declared,
        columns: &Columns,
        request: &MySqlRequest,
    ) -> Result<Verification> {
        let clock = self.pipeline.clock().as_ref();
        let (mut file, mut counted) = self.beginning(table, declared, columns, request)?;
        let resumed = counted.rows;
        let encoder = encoder_of(columns, counted.seed)?;
        self.observer.step(Step::Expected { rows: declared.rows.max(resumed) });
        self.observer.step(Step::Source { rows: resumed });

        let since = Since { source: source.begin_snapshot().await?, here: clock.now() };
        let mut reader = source.reader(columns);
        let pace = Pace::of(request.rows_per_second, clock);
        let mut pages = Pages::of(&mut reader, pace, self.observer);
        let begun = clock.instant();
        let stop = &self.limits.stop;
        let end = count(&mut pages, &encoder, &mut counted, file.as_mut(), stop, clock).await;
        if let Some(file) = &mut file {
            // Also where the connection was lost.
            file.write(&counted, clock)?;
        }
        let end = end?;
        let source_seconds = (clock.instant() - begun).as_secs_f64();
        let mut verification = self.blank(table, Against::MySql, columns);
        verification.source_rows_per_second = speed(counted.rows - resumed, source_seconds);
        note_resumed(&mut verification, resumed);
        if end == CountEnd::Stopped {
            verification.undecided_because.push(stopped(counted.rows, request));
            return Ok(verification.judged());
        }
        verification.source_rows = Some(counted.rows);

        let begun = clock.instant();
        let parts = Arc::new(counted.parts());
        let tallies = lake::tallies(table, &encoder, &parts, self.observer).await?;
        let lake_seconds = (clock.instant() - begun).as_secs_f64();
        verification.lake_rows_per_second = speed(table.rows(), lake_seconds);
        let differing = DifferingParts::of(&counted.tallies, &tallies);
        verification.parts = parts.len() as u64;
        verification.parts_differing = differing.narrowed.len() as u64 + differing.beyond;
        verification.parts_not_narrowed = differing.beyond;

        let narrowed = &differing.narrowed;
        let (observer, counted) = (self.observer, &counted);
        let keys =
            differing_keys(&mut pages, table, &encoder, counted, narrowed, observer, stop).await?;
        note_unreadable(&mut verification, pages.reader());
        let outcome =
            self.outcome((table, source), columns, &encoder, request, keys, since).await?;
        self.take_in(&mut verification, &encoder, outcome)?;
        if let Some(file) = file.take() {
            file.remove();
        }
        Ok(verification.judged())
    }

    async fn outcome(
        &self,
        (table, source): (&LakeTable, &mut Source),
        columns: &Columns,
        encoder: &Encoder,
        request: &MySqlRequest,
        keys: Vec<(Key, Sides)>,
        since: Since,
    ) -> Result<Outcome> {
        let Self { pipeline, spec, limits, observer, .. } = *self;
        let MySqlRequest { wait, applies, rows_per_second, .. } = *request;
        let rechecks = Rechecks {
            pipeline,
            spec,
            columns,
            encoder,
            limits,
            observer,
            wait,
            applies,
            rows_per_second,
        };
        if self.is_pinned() {
            rechecks.once(source, table, keys).await
        } else {
            rechecks.until_decided(source, keys, since).await
        }
    }

    /// Nothing, or what an interrupted verification had counted.
    fn beginning(
        &self,
        table: &LakeTable,
        declared: &Declared,
        columns: &Columns,
        request: &MySqlRequest,
    ) -> Result<(Option<StateFile>, Counted)> {
        let clock = self.pipeline.clock().as_ref();
        let seed = *blake3::hash(clock.attempt_id().as_bytes()).as_bytes();
        let has_ranges = encoder_of(columns, seed)?.keys_agree_in_order();
        let rows = declared.rows.max(table.rows());
        let groups = (rows / ROWS_OF_GROUP).clamp(1, MOST_GROUPS);
        let groups = (!has_ranges).then(|| usize::try_from(groups).unwrap_or(1));
        let fields = columns.schema.fields().iter();
        let names = fields.map(|field| format!("{}: {}", field.name(), field.data_type()));
        let nothing = Counted::nothing(self.spec.source.to_string(), names.collect(), seed, groups);
        match &request.resume {
            None => Ok((None, nothing)),
            Some(path) => {
                let (file, counted) = StateFile::open(path, nothing, clock)?;
                Ok((Some(file), counted))
            }
        }
    }

    /// A verification that has found nothing yet.
    fn blank(&self, table: &LakeTable, source: Against, columns: &Columns) -> Verification {
        let names = columns.schema.fields().iter().map(|field| field.name().clone()).collect();
        self.nothing_found(table, source, names, columns.not_compared.clone())
    }

    fn take_in(
        &self,
        verification: &mut Verification,
        encoder: &Encoder,
        outcome: Outcome,
    ) -> Result<()> {
        let Outcome { differing, settled, undecided, because, version } = outcome;
        verification.settled = settled;
        verification.undecided = undecided;
        verification.undecided_because.extend(because);
        verification.checked_until = version.unwrap_or(verification.version);
        self.take_in_keys(verification, encoder, differing)
    }

    /// Counts keys that differ, and lists the first of them.
    pub(super) fn take_in_keys(
        &self,
        verification: &mut Verification,
        encoder: &Encoder,
        differing: BTreeMap<Key, Differs>,
    ) -> Result<()> {
        let mut counts = Differing::default();
        for differs in differing.values() {
            counts.add(differs.kind);
        }
        verification.differing = counts;
        let listed: Vec<(Key, Differs)> = differing.into_iter().take(self.request.limit).collect();
        let keys = encoder.keys_of(listed.iter().map(|(key, _)| key))?;
        for (row, (_, Differs { kind, columns })) in listed.into_iter().enumerate() {
            let values = keys.columns().iter().map(|column| array_value_to_string(column, row));
            let key = values.collect::<Result<_, _>>()?;
            verification.keys.push(DifferingKey { key, difference: kind, columns });
        }
        Ok(())
    }

    /// A verification of a table that has found nothing yet.
    pub(super) fn nothing_found(
        &self,
        table: &LakeTable,
        source: Against,
        compared: Vec<String>,
        not_compared: Vec<NotCompared>,
    ) -> Verification {
        Verification {
            schema: "verify/1",
            table: self.spec.source.to_string(),
            version: table.version(),
            checked_until: table.version(),
            source,
            verdict: Verdict::Undecided,
            lake_rows: table.rows(),
            source_rows: None,
            parts: 0,
            parts_differing: 0,
            parts_not_narrowed: 0,
            settled: 0,
            differing: Differing::default(),
            undecided: 0,
            undecided_because: Vec::new(),
            keys: Vec::new(),
            compared,
            not_compared,
            notes: Vec::new(),
            seconds: 0.0,
            source_rows_per_second: None,
            lake_rows_per_second: None,
        }
    }
}

fn encoder_of(columns: &Columns, seed: [u8; 32]) -> Result<Arc<Encoder>> {
    let schema = Arc::clone(&columns.schema);
    Ok(Arc::new(Encoder::new(schema, columns.keys, columns.singles(), seed)?))
}

fn note_resumed(verification: &mut Verification, rows: u64) {
    if rows > 0 {
        verification.notes.push(format!(
            "{rows} rows of the source were counted before, in earlier snapshots; what differs there \
             now was looked at in a new one"
        ));
    }
}

fn stopped(rows: u64, request: &MySqlRequest) -> String {
    let way_on = match &request.resume {
        Some(path) => format!("the same command goes on there, by {}", path.display()),
        None => "with --resume FILE it could go on there".to_owned(),
    };
    format!("it was stopped after {rows} rows of the source: {way_on}")
}

fn note_unreadable(verification: &mut Verification, reader: &Reader<'_>) {
    for (column, because) in reader.unreadable() {
        let why = format!(
            "column {column} of the source has values that no change could bring into the lake, and \
             that were compared as NULL: {because}"
        );
        verification.undecided_because.push(why);
    }
}

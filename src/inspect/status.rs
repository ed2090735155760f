//! How one table stands.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::config::TableSpec;
use crate::disposition::remedy_for;
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::state::{State, command_in};
use crate::inspect::writer::writer_of;
use crate::maintenance::{self, Action, DueAction};
use crate::pipeline::{Hold, Look, Pipeline, Scope, Standing};
use crate::progress::{Lag, Ledger, SeenObject};
use crate::table::{self, ForeignCommit, LakeTable, TableState};

/// How one table stands. Times are UTC, spans are whole seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TableStatus {
    /// The name and the version of this schema: `status/1`.
    pub schema: &'static str,
    /// `schema.table`
    pub table: String,
    /// How it stands.
    pub state: State,
    /// The kind of the error that keeps it from being applied or seen.
    pub kind: Option<ErrorKind>,
    /// Why it stands so, unless all is well.
    pub reason: Option<String>,
    /// Since when.
    pub since: Option<DateTime<Utc>>,
    /// What a person does about it.
    pub remedy: Option<String>,
    /// The command to type next, if there is one.
    pub next: Option<String>,
    /// Its version; none if there is no table.
    pub version: Option<u64>,
    /// Its rows.
    pub rows: u64,
    /// Its data files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Rows in them that deletion vectors mask.
    pub masked_rows: u64,
    /// The last object that was applied.
    pub last_object: Option<String>,
    /// The newest commit of its log.
    pub last_commit: Option<LastCommit>,
    /// How late it is.
    pub lag: Lag,
    /// What waits to be applied.
    pub pending: PendingObjects,
    /// Objects below the table's progress that were never applied.
    pub late: Vec<String>,
    /// Objects that were seen before and have vanished without having been applied.
    pub vanished: Vec<String>,
    /// Rows that wait in quarantine.
    pub quarantined: u64,
    /// Commits of other writers that changed its rows since our newest one.
    pub foreign_commits: Vec<ForeignCommit>,
    /// What it asks of those who read and write it.
    pub protocol: Option<ProtocolStatus>,
    /// What maintenance would do now.
    pub maintenance: Vec<DueAction>,
    /// Bytes of files that vacuum would delete.
    pub vacuum_bytes: u64,
}

/// What waits to be applied.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PendingObjects {
    /// Objects.
    pub objects: u64,
    /// Their rows, about: as many to a byte as in the objects applied last. None if there are none.
    pub rows: Option<u64>,
    /// Their bytes as staged.
    pub bytes: u64,
    /// When the oldest object was staged that is not applied, late and vanished ones included.
    pub oldest: Option<DateTime<Utc>>,
    /// When staging deletes that because of its age, if the configuration tells.
    pub expires: Option<DateTime<Utc>>,
}

/// The newest commit of a log.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LastCommit {
    /// Its version.
    pub version: u64,
    /// When it was written, by its writer's clock.
    pub at: Option<DateTime<Utc>>,
    /// Who wrote it.
    pub writer: String,
    /// What it did.
    pub operation: Option<String>,
}

/// What a table asks of those who read and write it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProtocolStatus {
    /// The least version of readers.
    pub reader: i32,
    /// The least version of writers.
    pub writer: i32,
    /// The table features, sorted.
    pub features: Vec<String>,
}

/// Looks at one table. What keeps it from being seen is part of its status.
pub async fn status(pipeline: &Pipeline, spec: &TableSpec) -> TableStatus {
    let looked = pipeline.look(spec, &Scope::Everything).await;
    Box::pin(status_of(pipeline, spec, looked)).await
}

/// How a table stands that was looked at.
pub(super) async fn status_of(
    pipeline: &Pipeline,
    spec: &TableSpec,
    looked: Result<Look>,
) -> TableStatus {
    let mut status = TableStatus::of(spec);
    let looked = match looked {
        Ok(look) => Box::pin(status.take_in(pipeline, spec, look)).await,
        Err(error) => Err(error),
    };
    if let Err(error) = looked {
        status.ended_by(&error);
    }
    status
}

impl TableStatus {
    fn of(spec: &TableSpec) -> Self {
        Self {
            schema: "status/1",
            table: spec.source.to_string(),
            state: State::Absent,
            kind: None,
            reason: None,
            since: None,
            remedy: None,
            next: None,
            version: None,
            rows: 0,
            files: 0,
            bytes: 0,
            masked_rows: 0,
            last_object: None,
            last_commit: None,
            lag: Lag::default(),
            pending: PendingObjects::default(),
            late: Vec::new(),
            vanished: Vec::new(),
            quarantined: 0,
            foreign_commits: Vec::new(),
            protocol: None,
            maintenance: Vec::new(),
            vacuum_bytes: 0,
        }
    }

    async fn take_in(&mut self, pipeline: &Pipeline, spec: &TableSpec, look: Look) -> Result<()> {
        let Look { table, listing, state, rebuilding, standing, .. } = look;
        let waits = waiting(&standing);
        self.takes_in_pending(pipeline, &waits, table.as_ref());
        let is_absent = table.is_none() && listing.objects.is_empty();
        match standing {
            Standing::Held(hold) => self.held(&hold, state.as_ref()),
            Standing::CaughtUp if is_absent => self.state = State::Absent,
            Standing::CaughtUp if rebuilding.is_none() => self.state = State::Ok,
            Standing::Reload(reload) => {
                self.state = State::Reloading;
                self.since = Some(reload.begins);
                self.says("DMS has loaded the table again; it is to be rebuilt from the new load");
            }
            _ if rebuilding.is_some() => {
                self.state = State::Reloading;
                self.since = rebuilding.map(|it| it.rebuild.since);
                self.says(
                    "the table is being rebuilt; readers see the one before until it is done",
                );
            }
            standing => {
                self.state = State::Behind;
                self.since = self.pending.oldest;
                self.says(&behind(&standing, &self.pending, spec));
            }
        }
        match table {
            Some(table) => self.takes_in_table(pipeline, spec, &table).await,
            None => Ok(()),
        }
    }

    /// Why the table is as it is, where the next application does something about it.
    fn says(&mut self, reason: &str) {
        self.reason = Some(reason.to_owned());
        self.next = Some(format!("dmslake apply --table {}", self.table));
    }

    fn held(&mut self, hold: &Hold, state: Option<&TableState>) {
        self.ended_by(&hold.cause);
        let names = |objects: &[SeenObject]| objects.iter().map(|it| it.object.clone()).collect();
        self.late = names(&hold.late);
        self.vanished = names(&hold.vanished);
        let kind = hold.cause.kind();
        let met = state.and_then(|state| match kind {
            ErrorKind::Paused => state.paused.as_ref().map(|paused| paused.since),
            ErrorKind::HandedOver | ErrorKind::JobFailed => {
                state.hand_over.as_ref().map(|it| it.since)
            }
            _ => {
                let known = state.held.as_ref().filter(|known| known.kind == kind.as_str());
                known.map(|known| known.since)
            }
        });
        self.since = met.or(hold.since);
    }

    fn ended_by(&mut self, error: &Error) {
        self.state = State::after(error.kind());
        self.kind = Some(error.kind());
        self.reason = Some(error.chain());
        let remedy = remedy_for(error, &self.table);
        self.next = match self.state {
            State::Reloading => None,
            State::Held => command_in(&remedy)
                .or_else(|| Some(format!("dmslake apply --table {}", self.table))),
            _ => command_in(&remedy),
        };
        self.remedy = Some(remedy);
    }

    fn takes_in_pending(
        &mut self,
        pipeline: &Pipeline,
        waits: &Waiting,
        table: Option<&LakeTable>,
    ) {
        let bytes = waits.objects.iter().map(|seen| seen.size).sum();
        let latest = table.and_then(|table| table.ledger().latest.as_ref());
        let all = waits.objects.iter().chain(&waits.astray);
        let oldest = all.map(SeenObject::staged_at).min();
        let days = pipeline.settings().staging_expiry_days;
        let life = days.map(|days| TimeDelta::days(days.into()));
        self.pending = PendingObjects {
            objects: waits.objects.len() as u64,
            rows: if bytes == 0 { Some(0) } else { latest.and_then(|it| it.rows_in(bytes)) },
            bytes,
            oldest,
            expires: oldest.zip(life).and_then(|(oldest, life)| oldest.checked_add_signed(life)),
        };
        if let Some(table) = table {
            self.lag = Lag::of(table.ledger()).with_waiting(oldest, pipeline.clock().now());
        }
    }

    async fn takes_in_table(
        &mut self,
        pipeline: &Pipeline,
        spec: &TableSpec,
        table: &LakeTable,
    ) -> Result<()> {
        let (snapshot, ledger) = (table.delta().snapshot()?, table.ledger());
        let files = snapshot.log_data();
        self.version = Some(table.version());
        self.rows = table.rows();
        for file in files.iter() {
            self.files += 1;
            self.bytes += u64::try_from(file.size()).unwrap_or_default();
            let vector = file.deletion_vector_descriptor();
            let masked = vector.map_or(0, |vector| vector.cardinality);
            self.masked_rows += u64::try_from(masked).unwrap_or_default();
        }
        self.quarantined = ledger.quarantined;
        self.foreign_commits = table.foreign().to_vec();
        self.last_object = last_object(ledger);
        self.protocol = Some(protocol(snapshot.protocol())?);
        let keys = table.columns_among(spec.lake_keys());
        let log_store = table.delta().log_store();
        let (due, newest) = tokio::try_join!(
            maintenance::due(table, &keys, spec, pipeline.clock()),
            table::commit(&log_store, table.version()),
        )?;
        self.last_commit = newest.map(|commit| LastCommit {
            version: commit.version,
            at: commit.timestamp,
            writer: writer_of(&commit),
            operation: commit.operation,
        });
        let freed = due.iter().filter(|due| due.action == Action::Vacuum);
        self.vacuum_bytes = freed.map(|due| due.bytes).sum();
        self.maintenance = due;
        Ok(())
    }
}

/// Objects that are not applied.
#[derive(Default)]
struct Waiting {
    /// Those that are applied next, in order.
    objects: Vec<SeenObject>,
    /// Those that hold the table.
    astray: Vec<SeenObject>,
}

fn waiting(standing: &Standing) -> Waiting {
    let only = |objects: &[SeenObject]| Waiting { objects: objects.to_vec(), astray: Vec::new() };
    match standing {
        Standing::CaughtUp | Standing::Replace => Waiting::default(),
        Standing::Apply(work) => only(&work.seen),
        Standing::Reshape(reshaping) => only(&reshaping.seen),
        Standing::Reload(reload) => only(&reload.objects),
        Standing::Truncated(seen) => only(seen),
        Standing::Held(hold) => Waiting {
            objects: [&*hold.waiting, &*hold.reload].concat(),
            astray: [&*hold.late, &*hold.vanished].concat(),
        },
    }
}

fn behind(standing: &Standing, pending: &PendingObjects, spec: &TableSpec) -> String {
    let what = match standing {
        Standing::Reshape(_) => {
            ", for which columns of the table are to be changed first".to_owned()
        }
        Standing::Truncated(_) => ", before which the table is to be emptied".to_owned(),
        _ if spec.freshness.is_zero() => String::new(),
        _ => format!(
            ", which doorbells leave until they are as old as the table's freshness, {}",
            humantime::format_duration(spec.freshness)
        ),
    };
    let ending = if pending.objects == 1 { " waits" } else { "s wait" };
    format!("{} object{ending} to be applied{what}", pending.objects)
}

fn last_object(ledger: &Ledger) -> Option<String> {
    let latest = ledger.latest.as_ref().map(|latest| latest.object.clone());
    latest.or_else(|| ledger.cdc.watermark.as_ref().map(|position| position.object.clone()))
}

fn protocol(protocol: &deltalake::kernel::Protocol) -> Result<ProtocolStatus> {
    let json = serde_json::to_value(protocol).map_err(|error| {
        Error::new(ErrorKind::Internal, "the table's protocol has no JSON form").because(error)
    })?;
    let lists = ["readerFeatures", "writerFeatures"];
    let named = lists.iter().filter_map(|list| json[list].as_array()).flatten();
    let mut features: Vec<String> =
        named.filter_map(|name| name.as_str().map(ToOwned::to_owned)).collect();
    features.sort_unstable();
    features.dedup();
    Ok(ProtocolStatus {
        reader: protocol.min_reader_version(),
        writer: protocol.min_writer_version(),
        features,
    })
}

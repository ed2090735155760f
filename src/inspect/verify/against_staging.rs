//! A table against a replay of what is staged.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use futures::TryStreamExt as _;

use crate::config::OnColumnGone;
use crate::decode::{DecodeContext, open};
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::verify::Verifier;
use crate::inspect::verify::compare::{ByKey, Differs, ValuedRow, by_key, differs};
use crate::inspect::verify::encode::{Encoder, Key};
use crate::inspect::verify::lake;
use crate::inspect::verify::observer::Step;
use crate::inspect::verify::replay::{Replay, ReplayedTable};
use crate::inspect::verify::verification::{Against, Kind, NotCompared, Verification, speed};
use crate::progress::{Missing, TakenIn, missing, taken_in};
use crate::schema::Column;
use crate::staging::{Identify, list_everything};
use crate::storage::Location;
use crate::table::LakeTable;

impl Verifier<'_> {
    /// Compares the table with a replay of what its ledger counts as applied.
    pub(super) async fn against_staging(&self, table: LakeTable) -> Result<Verification> {
        let clock = self.pipeline.clock();
        let staging = self.pipeline.staging_folder(&self.spec.source)?;
        let undecided = |because: Vec<String>| {
            let blank = self.nothing_found(&table, Against::Staging, Vec::new(), Vec::new());
            Ok(Verification { undecided_because: because, ..blank }.judged())
        };
        let objects = match self.objects(&table, &staging).await? {
            Ok(objects) => objects,
            Err(because) => return undecided(because),
        };
        let dropped = match self.dropped(&table, &staging, &objects).await {
            Ok(dropped) => dropped,
            Err(error) if is_of_an_object(&error) => return undecided(vec![unread(&error)]),
            Err(error) => return Err(error),
        };
        let encoder = self.encoder_of_all(&table, &dropped)?;
        let fields = encoder.schema().fields().iter();
        let compared = fields.map(|field| field.name().clone()).collect();
        let not_compared = dropped.into_iter().map(|column| NotCompared {
            column,
            because: "it went away with its values, and came back".to_owned(),
        });
        let not_compared = not_compared.collect();
        let mut verification = self.nothing_found(&table, Against::Staging, compared, not_compared);

        let begun = clock.instant();
        let replay = self.replay(&table, &staging, &encoder);
        let stop = &self.limits.stop;
        let stopped = || "it was stopped before all was replayed".to_owned();
        let mut replayed = match replay.run(&objects, stop).await {
            Ok(Some(replayed)) => replayed,
            Ok(None) => {
                verification.undecided_because.push(stopped());
                return Ok(verification.judged());
            }
            Err(error) if is_of_an_object(&error) => {
                verification.undecided_because.push(unread(&error));
                return Ok(verification.judged());
            }
            Err(error) => return Err(error),
        };
        verification.source_rows = Some(replayed.rows.values().map(|it| u64::from(it.count)).sum());
        verification.source_rows_per_second =
            speed(replayed.changes, (clock.instant() - begun).as_secs_f64());
        if replayed.bad_rows > 0 {
            let note = format!("{} rows that cannot be decoded were left out", replayed.bad_rows);
            verification.notes.push(note);
        }

        let begun = clock.instant();
        let mut found = self.compare_with(&mut replayed, &table, &encoder).await?;
        verification.lake_rows_per_second =
            speed(table.rows(), (clock.instant() - begun).as_secs_f64());
        let listed: Vec<Key> = found
            .iter()
            .filter(|(_, differs)| differs.kind == Kind::OtherValues)
            .map(|(key, _)| key.clone())
            .take(self.request.limit)
            .collect();
        let named = self.columns_of(&listed, &objects, &table, &staging, &encoder, replayed);
        for (key, columns) in named.await? {
            if let Some(differs) = found.get_mut(&key) {
                differs.columns = columns;
            }
        }
        self.take_in_keys(&mut verification, &encoder, found)?;
        verification.parts = 1;
        Ok(verification.judged())
    }

    /// The objects to replay, or why a replay cannot tell what the table should hold.
    async fn objects(
        &self,
        table: &LakeTable,
        staging: &Location,
    ) -> Result<Result<Vec<TakenIn>, Vec<String>>> {
        let ledger = table.ledger();
        let listing = list_everything(staging, ledger.load.open).await?;
        let identify = Identify::at(staging);
        let state = self.pipeline.state_object(&self.spec.source)?.read().await?;
        let mut because: Vec<String> = Vec::new();
        if ledger.emptied {
            because.push("all rows were removed since its full load".to_owned());
        }
        because.extend(state.and_then(|it| it.why_untold()).map(ToOwned::to_owned));
        because.extend(what_is_missing(&missing(ledger, &listing, &identify).await?));
        match taken_in(ledger, &listing, &identify).await? {
            Some(objects) if because.is_empty() => Ok(Ok(objects)),
            Some(_) => Ok(Err(because)),
            None => {
                because.push(
                    "DMS has loaded the table again, and what it was made from is no longer staged"
                        .to_owned(),
                );
                Ok(Err(because))
            }
        }
    }

    /// Columns that objects lack although earlier ones had them, where that removes their values:
    /// when it did so, objects do not tell.
    async fn dropped(
        &self,
        table: &LakeTable,
        staging: &Location,
        objects: &[TakenIn],
    ) -> Result<BTreeSet<String>> {
        let mut dropped = BTreeSet::new();
        if self.spec.on_column_gone != OnColumnGone::Drop {
            return Ok(dropped);
        }
        let context = self.context(table, staging);
        let mut seen: BTreeSet<String> = BTreeSet::new();
        for TakenIn { object, .. } in objects {
            let reader = open(&context, object, 0).await?;
            let names: BTreeSet<String> =
                reader.columns().iter().map(|column| column.name.clone()).collect();
            if !names.is_empty() {
                dropped.extend(seen.difference(&names).cloned());
                seen.extend(names);
            }
        }
        dropped.retain(|name| table.schema().column(name).is_some());
        Ok(dropped)
    }

    fn context<'b>(&'b self, table: &'b LakeTable, staging: &'b Location) -> DecodeContext<'b> {
        let (dms, memory) =
            (&self.pipeline.settings().dms, self.pipeline.memory_budget(self.limits));
        DecodeContext::one_by_one(self.spec, dms, staging, table.schema(), memory)
    }

    fn replay<'b>(
        &'b self,
        table: &'b LakeTable,
        staging: &'b Location,
        encoder: &'b Encoder,
    ) -> Replay<'b> {
        Replay {
            context: self.context(table, staging),
            encoder,
            is_append_only: self.spec.append_only,
            is_guarded: self.spec.is_guarded(),
            // Only then are values of one object needed for a later one.
            keeps_values: self.pipeline.settings().dms.csv_no_sup_value.is_some(),
            only: None,
            observer: self.observer,
        }
    }

    /// All columns of the table but these, those of its key first. A table without keys is compared by whole
    /// rows.
    fn encoder_of_all(&self, table: &LakeTable, without: &BTreeSet<String>) -> Result<Encoder> {
        let keys = self.spec.lake_keys();
        let columns = table.schema().columns();
        let mut ordered: Vec<&Column> = Vec::new();
        for key in &keys {
            let found = columns.iter().find(|column| column.name == *key);
            ordered.push(found.ok_or_else(|| {
                Error::new(ErrorKind::TableRefused, "the table has no such key column")
                    .with("table", &self.spec.source)
                    .with("column", key)
            })?);
        }
        let is_value =
            |column: &&Column| !keys.contains(&column.name) && !without.contains(&column.name);
        ordered.extend(columns.iter().filter(is_value));
        let field = |column: &&Column| Field::new(&column.name, column.column_type.arrow(), true);
        let schema = Schema::new(ordered.iter().map(field).collect::<Vec<_>>());
        let key_columns = if keys.is_empty() { ordered.len() } else { keys.len() };
        let seed = self.pipeline.clock().attempt_id();
        let seed = *blake3::hash(seed.as_bytes()).as_bytes();
        Encoder::new(Arc::new(schema), key_columns, Vec::new(), seed)
    }

    /// Takes each row of the lake out of the replay; what differs remains.
    async fn compare_with(
        &self,
        replayed: &mut ReplayedTable,
        table: &LakeTable,
        encoder: &Encoder,
    ) -> Result<BTreeMap<Key, Differs>> {
        let mut met: HashMap<Key, u32> = HashMap::new();
        let mut found: BTreeMap<Key, Differs> = BTreeMap::new();
        let of_kind = |kind| Differs { kind, columns: Vec::new() };
        let mut batches = pin!(lake::rows(table, encoder.schema())?);
        while let Some(batch) = batches.try_next().await? {
            let in_bytes = encoder.encode(&batch)?;
            self.observer.step(Step::Lake { rows: in_bytes.len() as u64 });
            for row in 0..in_bytes.len() {
                let key = Key::from(in_bytes.key(row));
                let times = met.entry(key.clone()).or_default();
                *times += 1;
                let times = *times;
                match replayed.rows.get(&key) {
                    None => drop(found.insert(key, of_kind(Kind::Extra))),
                    Some(replayed) if times > replayed.count => {
                        found.insert(key, of_kind(Kind::Repeated));
                    }
                    Some(replayed) if replayed.row.digest != in_bytes.digest(row, encoder) => {
                        found.entry(key).or_insert_with(|| of_kind(Kind::OtherValues));
                    }
                    Some(_) => {}
                }
            }
        }
        for (key, replayed) in &replayed.rows {
            if met.get(key).copied().unwrap_or(0) < replayed.count {
                found.insert(key.clone(), of_kind(Kind::Missing));
            }
        }
        Ok(found)
    }

    /// The columns in which the rows of these keys differ.
    async fn columns_of(
        &self,
        keys: &[Key],
        objects: &[TakenIn],
        table: &LakeTable,
        staging: &Location,
        encoder: &Encoder,
        replayed: ReplayedTable,
    ) -> Result<Vec<(Key, Vec<String>)>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut replay = self.replay(table, staging, encoder);
        let wanted: HashSet<Key> = keys.iter().cloned().collect();
        let with_values = if replay.keeps_values {
            replayed
        } else {
            drop(replayed);
            replay.keeps_values = true;
            replay.only = Some(&wanted);
            replay.run(objects, &self.limits.stop).await?.unwrap_or_default()
        };
        let asked = encoder.keys_of(keys.iter())?;
        let rows = lake::by_keys(table, encoder, &asked).await?;
        let in_lake: ByKey = by_key(encoder, keys, &rows)?;
        let named = keys.iter().filter_map(|key| {
            let source: Option<&ValuedRow> = with_values.rows.get(key).map(|it| &it.row);
            let lake = in_lake.get(key)?;
            Some((key.clone(), differs(encoder, source, lake)?.columns))
        });
        Ok(named.collect())
    }
}

/// Why an object that was applied cannot be replayed.
fn unread(error: &Error) -> String {
    format!("an object cannot be read any more: {error}")
}

/// Whether an error is about a staged object, which was read when it was applied.
fn is_of_an_object(error: &Error) -> bool {
    use ErrorKind::{Conflict, MalformedObject, SchemaRefused};
    matches!(error.kind(), Conflict | MalformedObject | SchemaRefused)
}

/// What of the table's past is no longer staged, a sentence each.
fn what_is_missing(missing: &Missing) -> Vec<String> {
    let Missing { loads, changes, is_unknown, are_others } = *missing;
    let mut sentences = Vec::new();
    if let Some((gone, all)) = loads {
        sentences
            .push(format!("{gone} of the {all} objects of its full load are no longer staged"));
    }
    if changes > 0 {
        sentences.push(format!("{changes} change objects that it took in are no longer staged"));
    }
    if is_unknown && changes == 0 && loads.is_none() {
        sentences.push(
            "it began before the number of its change objects was recorded, so that some may be gone"
                .to_owned(),
        );
    }
    if are_others {
        sentences.push("other change objects are staged than it took in".to_owned());
    }
    sentences
}

//! Reads objects ahead of their turn: several are fetched and decoded at once, each in its own
//! task, and handed out in order.
//!
//! How an object is decoded depends on the table's columns after the objects before it. So a task
//! uses the columns known when it starts, and is started again if an earlier object adds columns.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use datafusion::common::runtime::SpawnedTask;

use crate::config::TableSpec;
use crate::decode::bounds::Bounds;
use crate::decode::evolution::{Asked, asked};
use crate::decode::open::open_content;
use crate::decode::{DecodeContext, DecodedBatch, ObjectReader};
use crate::dms::S3Settings;
use crate::error::Result;
use crate::memory::memory_size;
use crate::schema::evolve::extended;
use crate::schema::{Column, ColumnChange, TableSchema};
use crate::staging::object_context::ObjectContext;
use crate::staging::{Identify, Identity, StagedObject};
use crate::storage::Location;

/// Rows of one decoded batch: room for a row group of DMS, which has 10,024 rows.
pub(super) const BATCH_ROWS: usize = 16 * 1024;
/// The most bytes of one decoded batch, and its share of the memory budget.
pub(super) const BATCH_BYTES: usize = 16 << 20;
const BATCH_SHARE: usize = 8;
/// The share of the memory budget for all objects that are read ahead.
const AHEAD_SHARE: usize = 4;
/// Objects read ahead at once: enough to keep all cores busy and to hide a store's latency.
const AHEAD_OBJECTS: usize = 16;
/// What an object is charged before it is decoded: this multiple of its staged bytes, and at least
/// [`LEAST_CHARGE`]. That much of it is read ahead of its turn.
const EXPANSION: usize = 8;
const LEAST_CHARGE: usize = 64 << 10;

/// How the objects of one table are read.
#[derive(Clone, Debug)]
pub struct ReadSettings {
    /// The table's settings.
    pub table: TableSpec,
    /// The endpoint's settings.
    pub dms: S3Settings,
    /// Where the objects are.
    pub staging: Location,
    /// How the table's columns will have changed when the objects are applied.
    pub changes: Vec<ColumnChange>,
    /// Bytes of decoded rows that may be in memory at once.
    pub memory_budget: usize,
}

/// What comes next when objects are read in order.
#[derive(Debug)]
pub enum Next {
    /// An object. From now on the table has its columns too.
    Object(Box<OpenObject>),
    /// An object that the table can take in only after these changes of its columns. It is not
    /// handed out, nor is anything behind it.
    Reshape(Vec<ColumnChange>),
    /// There are no more.
    End,
}

/// Opens pending objects in order and reads ahead within a share of the memory budget. With a
/// small budget it reads one object at a time.
#[derive(Debug)]
pub struct ReadAhead {
    settings: Arc<ReadSettings>,
    /// The table's columns after all objects handed out so far.
    schema: Arc<TableSchema>,
    /// Columns of the table that objects handed out so far lack.
    gone: BTreeSet<String>,
    queue: VecDeque<Turn>,
    /// The objects before those in the queue.
    started: VecDeque<Started>,
}

/// An object that waits for its turn, and how many of its first rows are skipped.
#[derive(Clone, Debug)]
struct Turn {
    object: StagedObject,
    skip_rows: u64,
}

#[derive(Debug)]
struct Started {
    turn: Turn,
    charge: usize,
    task: SpawnedTask<Result<OpenObject>>,
}

impl ReadAhead {
    /// Reads `objects` in this order and skips the first `skip_rows` rows of the first one.
    #[must_use]
    pub fn new(
        settings: ReadSettings,
        objects: Vec<StagedObject>,
        skip_rows: u64,
        schema: TableSchema,
    ) -> Self {
        let mut queue: VecDeque<Turn> =
            objects.into_iter().map(|object| Turn { object, skip_rows: 0 }).collect();
        if let Some(first) = queue.front_mut() {
            first.skip_rows = skip_rows;
        }
        let (settings, schema) = (Arc::new(settings), Arc::new(schema));
        let gone = BTreeSet::new();
        Self { settings, schema, gone, queue, started: VecDeque::new() }
    }

    /// The table's columns after all objects handed out so far.
    #[must_use]
    pub fn schema(&self) -> &TableSchema {
        &self.schema
    }

    /// The names of the table's columns that an object handed out so far lacks.
    #[must_use]
    pub fn gone(&self) -> &BTreeSet<String> {
        &self.gone
    }

    /// Bytes that the objects read ahead may currently take.
    #[must_use]
    pub fn charged(&self) -> usize {
        self.started.iter().map(|started| started.charge).sum()
    }

    /// The next object, or what the table needs before it.
    ///
    /// # Errors
    /// Those of [`crate::decode::open()`], each in the turn of its object; `SchemaRefused` if the
    /// configuration holds a table whose columns come or go.
    pub async fn next(&mut self) -> Result<Next> {
        self.read_ahead();
        let opened = if let Some(started) = self.started.pop_front() {
            match started.task.join_unwind().await? {
                Ok(opened) => opened,
                // Bounds are tighter for objects read ahead. Any other error shows up again here.
                Err(_) => self.read_in_turn(started.turn).await?,
            }
        } else {
            let Some(turn) = self.queue.pop_front() else { return Ok(Next::End) };
            self.read_in_turn(turn).await?
        };
        let Asked { changes, gone } = self.asked(&opened)?;
        if !changes.is_empty() {
            self.started.clear();
            self.queue.clear();
            return Ok(Next::Reshape(changes));
        }
        self.gone.extend(gone);
        if let Some(wider) = extended(&self.schema, &opened.columns) {
            self.schema = Arc::new(wider);
            for started in self.started.drain(..).rev() {
                self.queue.push_front(started.turn);
            }
        }
        self.read_ahead();
        Ok(Next::Object(Box::new(opened)))
    }

    fn asked(&self, opened: &OpenObject) -> Result<Asked> {
        let ReadSettings { table, staging, .. } = self.settings.as_ref();
        let shown = staging.kind().shown(&opened.object.location);
        let context = ObjectContext::new(table.source.to_string(), &opened.object, shown);
        asked(&opened.columns, &self.schema, table, &context)
    }

    async fn read_in_turn(&self, turn: Turn) -> Result<OpenObject> {
        turn.read(Arc::clone(&self.settings), Arc::clone(&self.schema), 0).await
    }

    /// Starts as many of the next objects as may be read ahead. While the table has no columns it
    /// starts none: the next object brings them.
    fn read_ahead(&mut self) {
        let room = self.settings.memory_budget / AHEAD_SHARE;
        let mut charged = self.charged();
        while !self.schema.columns().is_empty() && self.started.len() < AHEAD_OBJECTS {
            let Some(turn) = self.queue.front() else { return };
            let size = usize::try_from(turn.object.size).unwrap_or(usize::MAX);
            let charge = size.saturating_mul(EXPANSION).max(LEAST_CHARGE);
            if charge > room.saturating_sub(charged) {
                return;
            }
            charged += charge;
            let turn = self.queue.pop_front().expect("the queue has a front");
            let read =
                turn.clone().read(Arc::clone(&self.settings), Arc::clone(&self.schema), charge);
            self.started.push_back(Started { turn, charge, task: SpawnedTask::spawn(read) });
        }
    }
}

impl Turn {
    /// Opens the object and decodes about `ahead` bytes of it.
    async fn read(
        self,
        settings: Arc<ReadSettings>,
        schema: Arc<TableSchema>,
        ahead: usize,
    ) -> Result<OpenObject> {
        let Self { object, skip_rows } = self;
        let identified = Identify::at(&settings.staging).identity_and_content(&object).await?;
        let (identity, whole) = identified;
        let context = DecodeContext {
            table: &settings.table,
            dms: &settings.dms,
            lake: (!schema.columns().is_empty()).then_some(&schema),
            changes: &settings.changes,
            store: settings.staging.store(),
            kind: settings.staging.kind(),
            batch_rows: BATCH_ROWS,
            batch_bytes: (settings.memory_budget / BATCH_SHARE).min(BATCH_BYTES),
            memory_budget: settings.memory_budget,
        };
        let bounds = match ahead {
            0 => Bounds::of_budget(settings.memory_budget),
            charge => Bounds::ahead(charge),
        };
        let reader = open_content(&context, &object, skip_rows, whole, bounds).await?;
        let columns = reader.columns().to_vec();
        let (decoded, rest) = (VecDeque::new(), Rest::Unread(reader));
        let mut opened = OpenObject { object, identity, skip_rows, columns, decoded, rest };
        let mut bytes = 0;
        while bytes < ahead
            && let Rest::Unread(reader) = &mut opened.rest
        {
            if let Some(batch) = reader.next().await? {
                bytes += memory_size(&batch.changes);
                opened.decoded.push_back(batch);
            } else {
                opened.rest = Rest::End;
            }
        }
        Ok(opened)
    }
}

/// An object in its turn: the part that is decoded already, and the reader of the rest.
#[derive(Debug)]
pub struct OpenObject {
    /// The object.
    pub object: StagedObject,
    /// What identifies its content.
    pub identity: Identity,
    /// How many rows were skipped.
    pub skip_rows: u64,
    columns: Vec<Column>,
    decoded: VecDeque<DecodedBatch>,
    rest: Rest,
}

#[derive(Debug)]
enum Rest {
    Unread(ObjectReader),
    End,
}

impl OpenObject {
    /// The next rows, bad ones included; `None` at the end of the object.
    ///
    /// # Errors
    /// Those of [`ObjectReader::next`], after the rows before the error.
    pub async fn next(&mut self) -> Result<Option<DecodedBatch>> {
        if let Some(batch) = self.decoded.pop_front() {
            return Ok(Some(batch));
        }
        match std::mem::replace(&mut self.rest, Rest::End) {
            Rest::Unread(mut reader) => {
                let batch = reader.next().await?;
                self.rest = Rest::Unread(reader);
                Ok(batch)
            }
            Rest::End => Ok(None),
        }
    }
}

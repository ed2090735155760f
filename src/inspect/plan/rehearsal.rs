//! A pipeline whose writes go to a temporary folder.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use object_store::ObjectStore;

use crate::config::{CatalogSettings, OWN, QUARANTINE, Settings, TableSpec};
use crate::error::Result;
use crate::inspect::plan::PlanAsked;
use crate::inspect::scratch::{Scratch, unwritable};
use crate::pipeline::{Pipeline, memory_budget_of};
use crate::storage::{Location, Overlay, Redirect, Shows};

/// The lake's folder in the temporary one.
const LAKE: &str = "lake";

/// A pipeline over the same staging and lake, of which it only reads.
pub(super) struct Rehearsal {
    pipeline: Pipeline,
    /// What it writes; goes away with this.
    _scratch: Scratch,
}

impl Rehearsal {
    /// One for a table, with nothing written yet. It tells nothing to catalogues and starts no jobs.
    ///
    /// # Errors
    /// `Unavailable` if the temporary folder cannot be written.
    pub(super) async fn begin(
        pipeline: &Pipeline,
        spec: &TableSpec,
        asked: &PlanAsked,
    ) -> Result<Self> {
        let scratch = Scratch::create(pipeline.clock().as_ref())?;
        let lake = match pipeline.lake().url().scheme() {
            "file" => over_disk(pipeline, spec, &scratch).await?,
            _ => over_bucket(pipeline.lake(), &scratch)?,
        };
        let budget = memory_budget_of(u64::from(asked.function_megabytes) << 20);
        let memory_budget = pipeline.settings().memory_budget;
        let settings = Settings {
            catalog: CatalogSettings::default(),
            memory_budget: memory_budget.or((!asked.applies_here).then_some(budget)),
            ..pipeline.settings().clone()
        };
        let (staging, clock) = (pipeline.staging().clone(), Arc::clone(pipeline.clock()));
        let pipeline = Pipeline::new(Arc::new(settings), staging, lake, clock);
        Ok(Self { pipeline, _scratch: scratch })
    }

    /// The pipeline.
    pub(super) fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }
}

fn everything() -> Shows {
    Arc::new(|_| true)
}

fn over_bucket(lake: &Location, scratch: &Scratch) -> Result<Location> {
    let above = scratch.store(LAKE)?;
    Ok(lake.clone().map_store(|below| Arc::new(Overlay::new(below, above, everything()))))
}

/// The Delta library wants the folder of a table to be on the disk, so the lake is shown where the
/// writes go.
async fn over_disk(pipeline: &Pipeline, spec: &TableSpec, scratch: &Scratch) -> Result<Location> {
    let (lake, table) = (pipeline.lake(), pipeline.lake_folder(&spec.source)?);
    let here = Location::open(&scratch.folder(LAKE)).await?;
    let (there, new) = (lake.on_disk(), here.on_disk());
    let tables = [table, pipeline.quarantine_folder(&spec.source)?];
    for folder in tables.iter().map(Location::on_disk).filter(|folder| folder.is_dir()) {
        let below = folder.strip_prefix(&there).unwrap_or(&folder);
        fs::create_dir_all(new.join(below)).map_err(unwritable)?;
    }
    for own in [OWN, QUARANTINE].map(Path::new) {
        copy_folders(&there.join(own), &new.join(own)).map_err(unwritable)?;
    }
    let (shown, real) = (here.prefix().clone(), lake.prefix().clone());
    let below: Arc<dyn ObjectStore> =
        Arc::new(Redirect::new(Arc::clone(lake.store()), shown, real));
    let over = |above| Arc::new(Overlay::new(below, above, everything())) as Arc<dyn ObjectStore>;
    Ok(here.map_store(over).shown_as(lake))
}

/// Creates the folders below one folder, without their files.
fn copy_folders(from: &Path, to: &Path) -> io::Result<()> {
    let folders = match fs::read_dir(from) {
        Ok(folders) => folders,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in folders {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            let new = to.join(entry.file_name());
            fs::create_dir_all(&new)?;
            copy_folders(&entry.path(), &new)?;
        }
    }
    Ok(())
}

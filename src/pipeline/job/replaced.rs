//! What becomes of the data files that net changes meet, group by group.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::pipeline::job::files::twice;
use crate::pipeline::job::format::{FilesOutcome, FilesTask, InsertRange, InsertTask, Marks};
use crate::pipeline::job::plan::{FileGroup, MetFile, groups, met_files};
use crate::pipeline::job::reduced::Reduced;
use crate::pipeline::job::stages::Stages;
use crate::pipeline::job::workers::{Job, JobSizes};
use crate::table::LakeTable;

/// Data files that are replaced or masked, group by group.
#[derive(Default)]
pub(super) struct Files {
    pub(super) done: Vec<(FileGroup, FilesOutcome)>,
}

impl Files {
    /// Replaces what meets the changes in this snapshot; groups of which every file is as it was stay.
    pub(super) async fn bring_up_to(
        &mut self,
        job: &Job<'_>,
        stages: &Stages<'_>,
        table: &LakeTable,
        reduced: &Reduced,
    ) -> Result<()> {
        let keys = stages.round.table.lake_keys();
        let met = met_files(table, &keys, &reduced.ranges)?;
        let mut left: BTreeMap<String, MetFile> =
            met.into_iter().map(|file| (file.path.clone(), file)).collect();
        self.done.retain(|(group, _)| {
            let stays = group.files.iter().all(|file| left.get(&file.path) == Some(file));
            if stays {
                group.files.iter().for_each(|file| drop(left.remove(&file.path)));
            }
            stays
        });
        let mut left: Vec<MetFile> = left.into_values().collect();
        left.sort_by(MetFile::in_key_order);
        let groups = groups(left, &job.sizes, job.workers.slots());
        let task = |group: &FileGroup| FilesTask {
            files: group.files.iter().map(|file| file.path.clone()).collect(),
            ranges: group.ranges.iter().map(|at| reduced.ranges[*at as usize].clone()).collect(),
        };
        let outcomes = stages.files(groups.iter().map(task).collect()).await?;
        self.done.extend(groups.into_iter().zip(outcomes));
        Ok(())
    }

    /// The tasks that write what took no place, of about so many rows and bytes each.
    pub(super) fn inserts(&self, reduced: &Reduced, sizes: &JobSizes) -> Result<Vec<InsertTask>> {
        let mut marks: BTreeMap<u32, Vec<Marks>> = BTreeMap::new();
        for of_range in self.done.iter().flat_map(|(_, outcome)| &outcome.marks) {
            marks.entry(of_range.range).or_default().push(of_range.clone());
        }
        let mut tasks: Vec<InsertTask> = Vec::new();
        let (mut rows, mut bytes) = (0, 0);
        for changes in &reduced.ranges {
            let marks = marks.remove(&changes.range).unwrap_or_default();
            let placed: u64 = marks.iter().map(|marks| marks.placed_count).sum();
            let found: u64 = marks.iter().map(|marks| marks.updated + marks.deleted).sum();
            if placed > changes.upserted || found > changes.upserted + changes.removed {
                return Err(twice());
            }
            // A range without new rows is looked at too where several tasks may have found its keys.
            let own = changes.upserted - placed;
            if own == 0 && marks.len() < 2 {
                continue;
            }
            rows += own;
            bytes += changes.image_bytes;
            let fits = rows <= sizes.range_rows && bytes <= sizes.range_bytes;
            let (own, own_bytes) = (own, changes.image_bytes);
            let range = InsertRange { changes: changes.clone(), marks };
            if let Some(task) = tasks.last_mut().filter(|_| fits) {
                task.ranges.push(range);
            } else {
                tasks.push(InsertTask { ranges: vec![range] });
                (rows, bytes) = (own, own_bytes);
            }
        }
        Ok(tasks)
    }
}

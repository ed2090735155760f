//! Finds a row in data files of any version.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

use arrow::array::RecordBatch;
use deltalake::kernel::Add;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::error::{Error, ErrorKind, Result};
use crate::files::{SnapshotFiles, rows_at};
use crate::inspect::why::log::Step;
use crate::merge::KeyFinder;

/// Files that are searched at once.
const AT_ONCE: usize = 16;

/// A row in a data file.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) add: Add,
    pub(super) image: RecordBatch,
}

/// The search for one row. A file is searched once, however many entries it has.
pub(super) struct Search<'a> {
    files: &'a SnapshotFiles,
    finder: &'a KeyFinder,
    /// Where the key is in a file, masked or not, by the file's path.
    found: HashMap<String, Vec<u64>>,
    gaps: Vec<String>,
}

impl<'a> Search<'a> {
    pub(super) fn of(files: &'a SnapshotFiles, finder: &'a KeyFinder) -> Self {
        Self { files, finder, found: HashMap::new(), gaps: Vec::new() }
    }

    /// What could not be told.
    pub(super) fn gaps(&self) -> Vec<String> {
        self.gaps.clone()
    }

    /// Notes what cannot be told.
    pub(super) fn gap(&mut self, gap: String) {
        if !self.gaps.contains(&gap) {
            self.gaps.push(gap);
        }
    }

    /// Data files that were searched.
    pub(super) fn files_read(&self) -> u64 {
        self.found.len() as u64
    }

    /// The row in the files of one version, if one of them has it and does not mask it.
    ///
    /// # Errors
    /// `Unavailable` if a file cannot be read.
    pub(super) async fn row_in(&mut self, adds: &[Add]) -> Result<Option<Place>> {
        self.look_into(adds.iter()).await?;
        for add in adds {
            if let Some(position) = self.position(add).await? {
                return self.place(add, position).await;
            }
        }
        Ok(None)
    }

    /// The last of these steps that ended a file in which the row stood, and the row. Files that ended
    /// later are searched first, and of each only so many masks are read as tell when the row went.
    ///
    /// # Errors
    /// As [`Self::row_in`].
    pub(super) async fn last_in(&mut self, steps: &[Step]) -> Result<Option<(usize, Place)>> {
        let files = FileEnds::of(steps);
        let mut last: Option<(usize, &Add, u64)> = None;
        let (mut files, mut at_once) = (&files[..], AT_ONCE);
        while !files.is_empty() {
            let (some, others) = files.split_at(at_once.min(files.len()));
            (files, at_once) = (others, 2 * at_once);
            // Files come by when they ended: behind the first one that ended too early all did.
            let known = last.map(|(at, ..)| at);
            let some = &some[..some.partition_point(|file| Some(file.last()) > known)];
            self.look_into(some.iter().map(|file| file.ends[0].1)).await?;
            for file in some {
                let known = last.map(|(at, ..)| at);
                if Some(file.last()) > known
                    && let Some(found) = self.last_of(file, steps).await?
                    && Some(found.0) > known
                {
                    last = Some(found);
                }
            }
        }
        let Some((at, add, position)) = last else { return Ok(None) };
        Ok(self.place(add, position).await?.map(|place| (at, place)))
    }

    /// The last step that ended an entry of a file in which the row stood, and where.
    async fn last_of<'s>(
        &mut self,
        file: &FileEnds<'s>,
        steps: &[Step],
    ) -> Result<Option<(usize, &'s Add, u64)>> {
        let mut ends = &file.ends[..];
        while let Some((at, add)) = ends.first() {
            if let Some(position) = self.position(add).await? {
                return Ok(Some((*at, add, position)));
            }
            // The row is masked, and was not before one of the merges that masked more, or was
            // before them all.
            let is_merge = |(at, add): &&(usize, &Add)| steps[*at].masks_more(&add.path);
            let merges = ends[1..].iter().take_while(is_merge).count();
            let (mut masked, mut end) = (0, merges + 1);
            let mut found = None;
            while masked + 1 < end {
                let middle = usize::midpoint(masked, end);
                match self.position(ends[middle].1).await? {
                    Some(position) => {
                        found = Some((ends[middle].0, ends[middle].1, position));
                        end = middle;
                    }
                    None => masked = middle,
                }
            }
            if found.is_some() {
                return Ok(found);
            }
            ends = &ends[merges + 1..];
        }
        Ok(None)
    }

    /// Searches the files that were not searched yet.
    async fn look_into<'s>(&mut self, adds: impl Iterator<Item = &'s Add>) -> Result<()> {
        let mut new = HashSet::new();
        let adds: Vec<&Add> = adds
            .filter(|add| !self.found.contains_key(&add.path) && new.insert(&add.path))
            .collect();
        let finder = self.finder;
        let searches =
            adds.into_iter().map(|add| async move { (add, finder.positions(add).await) });
        let mut searches = stream::iter(searches).buffered(AT_ONCE);
        while let Some((add, found)) = searches.next().await {
            let positions = self.unless_gone(add, found)?;
            self.found.insert(add.path.clone(), positions.unwrap_or_default());
        }
        Ok(())
    }

    /// Where the row stands in a file that was searched; none if it is masked, or not there.
    async fn position(&mut self, add: &Add) -> Result<Option<u64>> {
        let positions = self.found.get(&add.path).cloned().unwrap_or_default();
        if positions.is_empty() {
            return Ok(None);
        }
        let masked = self.files.masked(add).await;
        let masked = self.unless_gone(add, masked)?;
        let is_live =
            |row: &u64| masked.as_ref().is_some_and(|masked| masked.binary_search(row).is_err());
        Ok(positions.into_iter().find(is_live))
    }

    async fn place(&mut self, add: &Add, position: u64) -> Result<Option<Place>> {
        let image = self.image(add, position).await;
        let image = self.unless_gone(add, image)?;
        Ok(image.map(|image| Place { add: add.clone(), image }))
    }

    async fn image(&self, add: &Add, position: u64) -> Result<RecordBatch> {
        let mut rows = rows_at(self.files, add, vec![position]).await?;
        let image = rows.try_next().await?.filter(|image| image.num_rows() == 1);
        image.ok_or_else(|| {
            Error::new(ErrorKind::TableCorrupt, "a data file lacks a row that it had")
                .with("file", &add.path)
        })
    }

    /// What was read of a file; none, which is noted, if vacuum has deleted it with every right.
    fn unless_gone<T>(&mut self, add: &Add, read: Result<T>) -> Result<Option<T>> {
        match read {
            Ok(read) => Ok(Some(read)),
            Err(error) if error.kind() == ErrorKind::TableCorrupt => {
                tracing::debug!("{}", error.chain());
                self.gap(format!("a data file that may have held the row is gone: {}", add.path));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// The entries of one file that ended, with the steps that ended them, the last one first.
struct FileEnds<'s> {
    ends: Vec<(usize, &'s Add)>,
}

impl<'s> FileEnds<'s> {
    /// Of all files whose entries these steps ended; the file that ended last comes first.
    fn of(steps: &'s [Step]) -> Vec<Self> {
        let mut by_path: BTreeMap<&str, Vec<(usize, &Add)>> = BTreeMap::new();
        for (at, step) in steps.iter().enumerate().rev() {
            for add in &step.ended {
                by_path.entry(&add.path).or_default().push((at, add));
            }
        }
        let mut files: Vec<Self> = by_path.into_values().map(|ends| Self { ends }).collect();
        files.sort_by_key(|file| Reverse(file.last()));
        files
    }

    /// The last step that ended an entry of it.
    fn last(&self) -> usize {
        self.ends[0].0
    }
}

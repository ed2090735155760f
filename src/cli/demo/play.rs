//! A day of the shop, cut into objects and staged.

use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::dms;
use super::folder::{SCHEMA, format};
use super::shop::{Shop, Table};
use super::source::Values;
use crate::error::Result;
use crate::storage::Location;

/// The number of full-load objects, by table.
const LOADS: [usize; 3] = [2, 2, 3];
const ROUNDS: u64 = 12;
/// After this round, orders have one more column.
const COUPONS_AFTER_ROUND: u64 = 5;
/// The number of events between two objects of a table.
const EVENTS_A_ROUND: usize = 60;

/// The number of objects staged in total. Each round stages one object per table.
pub(super) const OBJECTS: u64 = 2 + 2 + 3 + ROUNDS * 3;

/// The shop, and where its changes are staged.
#[derive(Debug)]
pub(super) struct Play {
    shop: Shop,
    staging: Location,
    round: u64,
    /// The tables whose object of this round is still to be staged.
    to_cut: Vec<Table>,
}

impl Play {
    /// The day before its first object.
    pub(super) fn new(shop: Shop, staging: Location) -> Self {
        Self { shop, staging, round: 0, to_cut: Vec::new() }
    }

    /// Stages the full load. Returns the keys in the order of staging.
    ///
    /// # Errors
    /// `Unavailable` if an object cannot be written.
    pub(super) async fn full_load(&mut self) -> Result<Vec<Path>> {
        let mut keys = Vec::new();
        for (table, objects) in Table::ALL.into_iter().zip(LOADS) {
            // Changes from before the full load are in no change object.
            self.shop.table_mut(table).take_log();
            let moved_from = self.shop.tick();
            let source = self.shop.table(table);
            let rows: Vec<&Values> = source.rows().values().collect();
            for (index, part) in rows.chunks(rows.len().div_ceil(objects)).enumerate() {
                let body = dms::full_load(source, format(table), part, moved_from)?;
                let name = dms::load_name(index + 1, format(table));
                keys.push(put(&self.staging, source.name(), &name, body).await?);
            }
        }
        Ok(keys)
    }

    /// Lets the shop trade, and stages the next change object. Returns none when the day is over.
    ///
    /// # Errors
    /// `Unavailable` if the object cannot be written.
    pub(super) async fn next_round(&mut self) -> Result<Option<Path>> {
        if self.to_cut.is_empty() {
            if self.round == ROUNDS {
                return Ok(None);
            }
            self.round += 1;
            self.to_cut = Table::ALL.to_vec();
        }
        // Some of the round's events happen before each object, so that objects of different
        // tables overlap in time, as they do with DMS. The last objects must leave nothing behind.
        let events = match (self.round, self.to_cut.len()) {
            (ROUNDS, 3) => EVENTS_A_ROUND,
            (ROUNDS, _) => 0,
            _ => EVENTS_A_ROUND / Table::ALL.len(),
        };
        (0..events).for_each(|_| self.shop.trade());
        let table = self.to_cut.remove(0);
        let time = self.shop.tick();
        let log = self.shop.table_mut(table).take_log();
        let source = self.shop.table(table);
        let body = dms::changes(source, format(table), &log)?;
        let name = dms::change_name(time, format(table));
        let key = put(&self.staging, source.name(), &name, body).await?;
        if table == Table::Orders && self.round == COUPONS_AFTER_ROUND {
            self.shop.introduce_coupons();
        }
        Ok(Some(key))
    }

    /// The source as it is in the end.
    pub(super) fn into_shop(self) -> Shop {
        self.shop
    }
}

async fn put(staging: &Location, table: &str, name: &str, body: Vec<u8>) -> Result<Path> {
    let folder = staging.folder(&[SCHEMA, table])?;
    let key = folder.prefix().clone().join(name);
    staging.store().put(&key, body.into()).await?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dms::{Classified, classify};

    async fn staged(folder: &std::path::Path) -> Vec<(Path, Vec<u8>)> {
        let staging = Location::open(&folder.to_string_lossy()).await.expect("a folder");
        let mut play = Play::new(Shop::open(), staging.clone());
        let mut keys = play.full_load().await.expect("writable");
        while let Some(key) = play.next_round().await.expect("writable") {
            keys.push(key);
        }
        let mut objects = Vec::new();
        for key in keys {
            let body = staging.store().get(&key).await.expect("staged").bytes().await;
            let relative = key.prefix_match(staging.prefix()).expect("below staging").collect();
            objects.push((relative, body.expect("readable").to_vec()));
        }
        objects
    }

    #[tokio::test]
    async fn every_day_is_the_same_and_its_objects_have_dms_names() {
        let folders = [tempfile::tempdir(), tempfile::tempdir()].map(|it| it.expect("a folder"));
        let objects = staged(folders[0].path()).await;
        assert_eq!(objects.len() as u64, OBJECTS);
        for (key, body) in &objects {
            let relative = key.as_ref().splitn(3, '/').nth(2).expect("schema, table, object");
            assert!(matches!(classify(relative), Classified::Changes(_)), "{relative}");
            assert!(!body.is_empty());
        }
        assert_eq!(objects, staged(folders[1].path()).await);
    }
}

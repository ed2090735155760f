//! The fields of rows in quarantine, whichever of them cannot be decoded.

use std::collections::HashMap;

use chrono::DateTime;
use object_store::path::Path;

use crate::config::TableSpec;
use crate::decode::{SourceRow, csv_field_names, open};
use crate::dms::{Classified, Format, classify};
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::Pipeline;
use crate::pipeline::release::reading::is_of_others;
use crate::pipeline::release::staged::Staged;
use crate::quarantine::QuarantinedRow;
use crate::staging::StagedObject;
use crate::table::LakeTable;

impl Pipeline {
    /// The fields of rows that are or were in quarantine, in the same order; none of a row that
    /// cannot be cut into fields, or whose fields have no names any more.
    ///
    /// # Errors
    /// `Unavailable` if staging cannot be read.
    pub(crate) async fn source_rows(
        &self,
        spec: &TableSpec,
        table: &LakeTable,
        rows: &[QuarantinedRow],
    ) -> Result<Vec<Option<SourceRow>>> {
        let staged = Staged::list(self, spec).await?;
        let context = staged.context(table.schema());
        let mut names: HashMap<String, Option<Vec<String>>> = HashMap::new();
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let listed = staged.listing.objects.iter().find(|it| it.relative == row.object);
            let object = listed.cloned().or_else(|| as_it_was(&row.object));
            let Some(object) = object else {
                found.push(None);
                continue;
            };
            if object.name.format == Format::Parquet {
                found.push(SourceRow::of_json(&row.content));
                continue;
            }
            if !names.contains_key(&row.object) {
                let told = match listed {
                    Some(listed) => {
                        open(&context, listed, 0).await.map(|it| it.field_names().to_vec())
                    }
                    None => csv_field_names(&context, &object, &row.content).await,
                };
                names.insert(row.object.clone(), known(told)?);
            }
            let cut = |names: &Vec<String>| {
                SourceRow::of_csv(&row.content, names, &self.settings().dms).ok()
            };
            found.push(names.get(&row.object).and_then(Option::as_ref).and_then(cut));
        }
        Ok(found)
    }
}

/// The names of fields, unless the object does not tell them.
fn known(told: Result<Vec<String>>) -> Result<Option<Vec<String>>> {
    match told {
        Ok(names) => Ok(Some(names)),
        Err(error) if is_of_others(&error) && error.kind() != ErrorKind::Internal => Err(error),
        Err(error) => {
            let error: Error = error;
            tracing::debug!("the fields of an object are not known: {}", error.chain());
            Ok(None)
        }
    }
}

/// An object that is no longer staged, as far as its name tells.
fn as_it_was(relative: &str) -> Option<StagedObject> {
    let Classified::Changes(name) = classify(relative) else { return None };
    Some(StagedObject {
        location: Path::from(relative),
        relative: relative.to_owned(),
        name,
        size: 0,
        e_tag: None,
        last_modified: DateTime::UNIX_EPOCH,
    })
}

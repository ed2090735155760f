//! The names by which an object's fields are known: MySQL tells no two names apart by letter case,
//! and a column may have got another name since.

use std::collections::{HashMap, HashSet};

use crate::decode::columns::{Expected, Fields};
use crate::error::{Error, Result};
use crate::staging::object_context::ObjectContext;

/// The fields under their newest names, spelled as in the configuration, else as in the table.
///
/// # Errors
/// `SchemaRefused` if the object has a column under its old and its new name.
pub(super) fn known_fields(
    fields: &Fields,
    expected: &Expected<'_>,
    context: &ObjectContext,
) -> Result<Fields> {
    let spellings = Spellings::of(expected);
    let own: HashSet<&str> = fields.names.iter().map(String::as_str).collect();
    let prefix = expected.dms.before_image_prefix.as_deref();
    let mut names = fields.names.clone();
    for (field, name) in fields.names.iter().enumerate() {
        if Some(field) == fields.operation {
            continue;
        }
        let described = prefix.and_then(|prefix| Some((prefix, name.strip_prefix(prefix)?)));
        let described = described.filter(|(_, described)| own.contains(described));
        let (prefix, plain) = described.unwrap_or(("", name));
        let spelled = spellings.of_name(plain).filter(|known| !own.contains(known));
        let spelled = spelled.unwrap_or(plain);
        let latest = expected.table.latest_name(spelled);
        if prefix.is_empty() && latest != spelled && own.contains(latest) {
            return Err(refused_both(spelled, latest, context));
        }
        names[field] = format!("{prefix}{latest}");
    }
    Ok(Fields { names, ..fields.clone() })
}

fn refused_both(old: &str, new: &str, context: &ObjectContext) -> Error {
    context
        .refused(format!(
            "the object has both `{old}` and `{new}`, but `renamed` says that they are one column"
        ))
        .with_remedy(format!(
            "if they are two columns, remove {old:?} from `renamed`; then dmslake rebuild TABLE, \
             while everything since the load is staged, if the table lacks one of them"
        ))
}

/// How known names are spelled, by their lower case: the first of them is preferred.
struct Spellings<'a>(HashMap<String, Vec<&'a str>>);

impl<'a> Spellings<'a> {
    fn of(expected: &'a Expected<'_>) -> Self {
        let (table, dms) = (expected.table, expected.dms);
        let layouts = table.layouts.iter();
        let in_force = expected.layout.iter().map(|column| &column.name).chain(expected.keys);
        let columns = layouts.clone().flat_map(|layout| &layout.columns).chain(&table.columns);
        let keys = layouts.flat_map(|layout| layout.keys.iter().flatten()).chain(&table.keys);
        let configured = in_force
            .chain(columns.map(|column| &column.name))
            .chain(keys)
            .chain(table.rename.keys())
            .chain(table.renamed.iter().flat_map(|(old, new)| [old, new]))
            .chain(&table.store)
            .chain(&dms.timestamp_column_name)
            .chain(&dms.change_seq_column);
        // A column that has another name in the lake is not known at the source by that.
        let lake = expected.lake.map_or(&[][..], |schema| schema.columns());
        let is_own = |name: &&String| !table.rename.values().any(|renamed| renamed == *name);
        let lake = lake.iter().map(|column| &column.name).filter(is_own);
        let mut spellings: HashMap<String, Vec<&str>> = HashMap::new();
        for name in configured.chain(lake) {
            spellings.entry(name.to_lowercase()).or_default().push(name);
        }
        Self(spellings)
    }

    /// How a name is known, if not as it is.
    fn of_name(&self, name: &str) -> Option<&'a str> {
        let known = self.0.get(&name.to_lowercase())?;
        if known.contains(&name) { None } else { known.first().copied() }
    }
}

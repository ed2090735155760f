//! `dmslake diff`: what two versions of a table differ in.

use arrow::array::{ArrayRef, AsArray, RecordBatch, StructArray};
use arrow::json::LineDelimitedWriter;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::TryStreamExt as _;

use super::args::DiffArguments;
use super::chosen::{Chosen, Places, TableEnd};
use super::exit::Exit;
use super::output::{Palette, Screen, bytes, plural};
use crate::error::Result;
use crate::inspect::{self, Change, Diff};

/// Prints the keys that differ, then how many there are.
///
/// # Errors
/// `Config` for a configuration, table, version or condition that cannot be used, `StoreRefused` if
/// the lake cannot be used, `Unavailable` if it does not answer or the result cannot be written.
pub(super) async fn run(arguments: &DiffArguments, screen: &Screen) -> Result<Exit> {
    let chosen = Chosen::open(&arguments.table.chosen(), Places::Lake, screen).await?;
    let shown = chosen.each(async |table| {
        let DiffArguments { from, to, condition, .. } = arguments;
        let found = inspect::diff(&chosen.pipeline, table, *from, *to, condition.as_deref());
        let Some(diff) = Box::pin(found).await? else {
            return Ok(TableEnd::without_table(&table.source, screen));
        };
        print(diff, arguments, screen).await?;
        Ok(TableEnd::Done)
    });
    Ok(shown.await?.exit())
}

async fn print(mut diff: Diff, arguments: &DiffArguments, screen: &Screen) -> Result<()> {
    let mut counts = [Change::Inserted, Change::Updated, Change::Deleted].map(|kind| (kind, 0_u64));
    let mut left = if arguments.limit == 0 { usize::MAX } else { arguments.limit };
    while let Some(batch) = diff.changes.try_next().await? {
        for kind in batch["change"].as_string::<i32>().iter().flatten() {
            let counted = counts.iter_mut().find(|(change, _)| change.as_str() == kind);
            if let Some((_, count)) = counted {
                *count += 1;
            }
        }
        let shown = batch.slice(0, batch.num_rows().min(left));
        left -= shown.num_rows();
        let lines =
            if arguments.json { as_json(&shown)? } else { for_people(&shown, screen.palette())? };
        lines.iter().try_for_each(|line| screen.line(line))?;
    }
    if arguments.json {
        return Ok(());
    }
    let all: u64 = counts.iter().map(|(_, count)| count).sum();
    let kinds = counts.iter().filter(|(_, count)| *count > 0);
    let kinds: Vec<String> =
        kinds.map(|(kind, count)| format!("{count} {}", kind.as_str())).collect();
    let kinds = if all == 0 { String::new() } else { format!(": {}", kinds.join(", ")) };
    let (from, to) = (diff.from, diff.to);
    let read = bytes(diff.bytes);
    screen.line(screen.palette().faint(format_args!(
        "{} from version {from} to {to}{kinds} (data files of {read} compared)",
        plural(all, "key"),
    )))
}

fn as_json(changes: &RecordBatch) -> Result<Vec<String>> {
    let mut writer = LineDelimitedWriter::new(Vec::new());
    writer.write(changes)?;
    writer.finish()?;
    let text = String::from_utf8_lossy(&writer.into_inner()).into_owned();
    Ok(text.lines().map(ToOwned::to_owned).collect())
}

/// A line for each key: `updated id=5  status: new -> paid`.
fn for_people(changes: &RecordBatch, palette: Palette) -> Result<Vec<String>> {
    let kinds = changes["change"].as_string::<i32>();
    let (keys, columns) = (Cells::of(&changes["key"])?, changes["columns"].as_list::<i32>());
    let (before, after) = (Cells::of(&changes["before"])?, Cells::of(&changes["after"])?);
    let line = |row: usize| {
        let key = keys.named().map(|(name, cell)| format!("{name}={}", cell.value(row)));
        let key: Vec<String> = key.collect();
        let kind = kinds.value(row);
        let names = columns.value(row);
        let names: Vec<&str> = names.as_string::<i32>().iter().flatten().collect();
        let values = match kind {
            "updated" => names
                .iter()
                .filter_map(|name| {
                    let (before, after) = (before.cell(name)?, after.cell(name)?);
                    Some(format!("{name}: {} -> {}", before.value(row), after.value(row)))
                })
                .collect(),
            "deleted" => before.others(&keys, row),
            _ => after.others(&keys, row),
        };
        let shown = if kind == "deleted" { palette.bad(kind) } else { palette.strong(kind) };
        format!("{shown} {}  {}", key.join(", "), values.join(", ")).trim_end().to_owned()
    };
    Ok((0..changes.num_rows()).map(line).collect())
}

/// The members of structs, as texts.
struct Cells<'a>(Vec<(&'a str, ArrayFormatter<'a>)>);

impl<'a> Cells<'a> {
    fn of(structs: &'a ArrayRef) -> Result<Self> {
        static OPTIONS: std::sync::LazyLock<FormatOptions<'static>> =
            std::sync::LazyLock::new(|| FormatOptions::default().with_null("NULL"));
        let structs: &StructArray = structs.as_struct();
        let names = structs.fields().iter().map(|field| field.name().as_str());
        let cells = names.zip(structs.columns()).map(|(name, column)| {
            Ok::<_, arrow::error::ArrowError>((name, ArrayFormatter::try_new(column, &OPTIONS)?))
        });
        Ok(Self(cells.collect::<Result<_, _>>()?))
    }

    fn named(&self) -> impl Iterator<Item = (&str, &ArrayFormatter<'a>)> {
        self.0.iter().map(|(name, cell)| (*name, cell))
    }

    fn cell(&self, name: &str) -> Option<&ArrayFormatter<'a>> {
        self.0.iter().find(|(it, _)| *it == name).map(|(_, cell)| cell)
    }

    /// The values of a row that are not of its key.
    fn others(&self, keys: &Cells<'_>, row: usize) -> Vec<String> {
        let others = self.named().filter(|(name, _)| keys.cell(name).is_none());
        others.map(|(name, cell)| format!("{name}={}", cell.value(row))).collect()
    }
}

//! Writes a pattern for each schema, which stands for the tables of the lock file.

use std::collections::BTreeMap;

use super::table::source;
use super::{add, one_line};
use crate::cli::init::named;
use crate::cli::init::proposal::Proposal;
use crate::cli::output::plural;
use crate::config::TableName;

/// Writes the patterns, and what a person should check of tables that are not written themselves.
pub(super) fn patterns(text: &mut String, proposals: &[Proposal]) {
    let mut schemas: BTreeMap<&str, u64> = BTreeMap::new();
    let mut remarks: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for proposal in proposals {
        *schemas.entry(&proposal.name.schema).or_default() += 1;
        if proposal.gaps().is_empty() {
            for remark in &proposal.remarks {
                remarks.entry(remark).or_default().push(proposal.name.to_string());
            }
        }
    }
    for (schema, tables) in schemas {
        let tables = plural(tables, "table");
        let all = TableName { schema: schema.to_owned(), table: "*".to_owned() };
        add(
            text,
            format_args!(
                "\n# {tables}; the lock file names them. `dmslake discover` adds new ones.\n\
                 [[table]]\nsource = {}\n# except = []\n",
                source(&all)
            ),
        );
    }
    for (remark, tables) in remarks {
        for tables in named(&tables) {
            add(text, format_args!("# CHECK: {}: {}\n", one_line(&tables), one_line(remark)));
        }
    }
}

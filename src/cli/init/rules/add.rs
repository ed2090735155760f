//! Columns that rules add: the change sequence, before images, and others.

use super::{Added, Ruled};
use crate::cli::init::proposal::Column;
use crate::dms::table_mappings::{
    Action, AddedColumn, BeforeImages, DataType, Rule, is_large_object,
};

/// The type of `AR_H_CHANGE_SEQ`.
const SEQUENCE_TYPE: &str = "varchar(35)";

impl Ruled<'_> {
    /// Adds the columns of a rule.
    pub(super) fn add(&mut self, rule: &Rule) {
        match &rule.action {
            Action::AddColumn(added) => self.add_column(rule, added),
            Action::AddBeforeImages(images) => self.add_before_images(rule, images),
            _ => {}
        }
    }

    fn add_column(&mut self, rule: &Rule, added: &AddedColumn) {
        let name = &added.name;
        if added.is_change_sequence() {
            let configured = self.mappings.change_seq_column();
            let is_set_apart = configured == Some(name);
            if let Some(configured) = configured.filter(|_| !is_set_apart) {
                self.remark(
                    rule,
                    format_args!(
                        "names the change sequence {name}, another rule {configured}: dmslake \
                         takes one name, so {name} is stored like data"
                    ),
                );
            }
            let what = "the change sequence";
            self.push(rule, column(name, SEQUENCE_TYPE.to_owned(), rule, what, is_set_apart));
            return;
        }
        if added.expression.contains("operation_indicator") {
            self.remark(rule, "flags rows: check that deletes still arrive as D");
        }
        let known = added.data_type.as_ref().and_then(DataType::mysql_type);
        if known.is_none() && !self.sight.is_shown {
            self.remark(rule, format!("gives {name} no known type: text is assumed"));
        }
        let mysql_type = known.unwrap_or_else(|| "text".to_owned());
        let what = if added.expression.is_empty() { "empty" } else { &added.expression };
        self.push(rule, column(name, mysql_type, rule, what, false));
    }

    fn add_before_images(&mut self, rule: &Rule, images: &BeforeImages) {
        let (prefix, suffix) = (&images.prefix, &images.suffix);
        let configured = self.mappings.before_image_prefix();
        let is_set_apart = suffix.is_empty() && configured == Some(prefix);
        if !is_set_apart {
            self.remark(
                rule,
                format_args!(
                    "names before images {prefix}…{suffix}, but dmslake supports a single prefix: \
                     they are stored like data, and an update of a key leaves the old row"
                ),
            );
        }
        if !self.sight.is_declared {
            if !self.sight.is_shown {
                self.remark(
                    rule,
                    format_args!(
                        "adds before images: name them {prefix}<column>{suffix}, after the columns \
                         of the table"
                    ),
                );
            }
            self.added.push(Added::BeforeImages);
            return;
        }
        let mut columns = Vec::new();
        let mut renamed = None;
        for own in &self.own {
            let mysql_type = own.column.mysql_type.clone().unwrap_or_default();
            let is_meant = own.is_key || !images.keys_only;
            if !is_meant || is_large_object(&mysql_type) {
                continue;
            }
            if own.source_name != own.column.name {
                renamed = Some(own.source_name.clone());
            }
            let name = format!("{prefix}{}{suffix}", own.column.name);
            columns.push(column(&name, mysql_type, rule, "a before image", is_set_apart));
        }
        if let Some(old) = renamed {
            self.remark(
                rule,
                format_args!(
                    "adds a before image of {old}, which another rule renames: check that it has \
                     the new name"
                ),
            );
        }
        for added in columns {
            self.push(rule, added);
        }
    }

    fn push(&mut self, rule: &Rule, column: Column) {
        let own = self.own.iter().map(|own| &own.column);
        let mut others = own.chain(self.added.iter().filter_map(Added::column));
        if others.any(|other| other.name == column.name) {
            self.remark(
                rule,
                format!("adds {}, which exists already: it is listed once", column.name),
            );
            return;
        }
        self.added.push(Added::Column(column));
    }
}

fn column(name: &str, mysql_type: String, rule: &Rule, what: &str, is_set_apart: bool) -> Column {
    Column {
        name: name.to_owned(),
        mysql_type: Some(mysql_type),
        remark: Some(format!("rule {} adds it: {what}", rule.id)),
        is_set_apart,
    }
}

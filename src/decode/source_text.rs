//! Values as MySQL itself spells them, decoded into what the same values become in the lake.

use arrow::array::ArrayRef;

use crate::config::ColumnSpec;
use crate::decode::values::appender::Appender;
use crate::decode::values::reading::{Reading, Refusal};
use crate::schema::ColumnType;

/// Builds one column of the lake from texts that MySQL returned.
pub(crate) struct SourceText {
    appender: Appender,
    label: String,
}

impl SourceText {
    /// For values of a source column that the lake keeps as `lake`.
    ///
    /// # Errors
    /// The lake's type of the source column, where `lake` cannot hold its values.
    pub(crate) fn new(
        spec: &ColumnSpec,
        lake: ColumnType,
        rows: usize,
    ) -> Result<Self, ColumnType> {
        let unfit = spec.column_type();
        let reading =
            Reading::resolve(Some(spec), Some(lake), None, false).map_err(
                |refusal| match refusal {
                    Refusal::Unfit { .. } | Refusal::Untyped => unfit,
                },
            )?;
        if reading.target != lake {
            return Err(unfit);
        }
        Ok(Self { appender: Appender::new(&reading, rows), label: reading.label })
    }

    /// Appends a value, or NULL.
    ///
    /// # Errors
    /// Why decoding refuses the text, without the value. NULL is appended then.
    pub(crate) fn append(&mut self, text: Option<&[u8]>) -> Result<(), String> {
        let Some(text) = text else {
            self.appender.append_null();
            return Ok(());
        };
        match self.appender.append(text) {
            Ok(_) => Ok(()),
            Err(fault) => {
                self.appender.append_null();
                Err(fault.reason(&self.label))
            }
        }
    }

    /// The column so far. It is empty afterwards.
    pub(crate) fn finish(&mut self) -> ArrayRef {
        self.appender.finish()
    }
}

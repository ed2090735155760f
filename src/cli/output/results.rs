//! Results, printed one by one: as a line of JSON each, or as lines for people.

use serde::Serialize;

use super::{Palette, Screen};
use crate::error::{Error, ErrorKind, Result};

/// Where a command prints its results, and in which form.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Results<'a> {
    screen: &'a Screen,
    is_json: bool,
}

impl<'a> Results<'a> {
    /// Results on that screen; `is_json` is the command's `--json`.
    pub(in crate::cli) fn new(screen: &'a Screen, is_json: bool) -> Self {
        Self { screen, is_json }
    }

    /// Prints one result: its JSON form, or the lines that people read.
    ///
    /// # Errors
    /// `Unavailable` if standard output cannot be written, `Internal` if there is no JSON form.
    pub(in crate::cli) fn print<T: Serialize>(
        &self,
        result: &T,
        lines: impl FnOnce(&T, Palette) -> Vec<String>,
    ) -> Result<()> {
        if self.is_json {
            let text = serde_json::to_string(result).map_err(|error| {
                Error::new(ErrorKind::Internal, "a report has no JSON form").because(error)
            })?;
            return self.screen.line(text);
        }
        lines(result, self.screen.palette()).iter().try_for_each(|line| self.screen.line(line))
    }

    /// Prints lines that only people need.
    ///
    /// # Errors
    /// `Unavailable` if standard output cannot be written.
    pub(in crate::cli) fn print_for_people(
        &self,
        lines: impl FnOnce(Palette) -> Vec<String>,
    ) -> Result<()> {
        if self.is_json {
            return Ok(());
        }
        lines(self.screen.palette()).iter().try_for_each(|line| self.screen.line(line))
    }
}

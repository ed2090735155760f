//! From the text of `dmslake.toml` to [`Settings`].

use crate::config::Settings;
use crate::error::Result;

/// Reads a configuration.
///
/// # Errors
/// `Config`, naming field, value and what is allowed, for all violations at once.
pub fn parse(_text: &str) -> Result<Settings> {
    todo!()
}

//! How much of staging an application looks at.

/// Which staged objects an application looks at. What is applied, and in what order, follows
/// from the table's progress alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Lists everything: the CLI, and the scheduled sweep.
    Everything,
    /// Lists the look-back window, the full load while it is open, and looks at these objects,
    /// named by their full keys in the staging bucket.
    Named(Vec<String>),
}

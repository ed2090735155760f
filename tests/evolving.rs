//! Columns of the source change: they get wider types, other names, come and go. The table
//! follows, or it is held as the configuration says.

mod crashes;
mod names;
mod site;
mod widened;

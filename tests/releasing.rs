//! Rows come back from quarantine: the table equals what the changes come to with the released rows
//! in their places, and the counts of those that wait are right.

mod cases;
mod crashes;
mod random;
mod site;

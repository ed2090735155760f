//! What is told of tables, compared with what the model, the staged objects and other readers know.
//! Nothing that is told is taken from the code that tells it.

mod foreign;
mod lives;
mod plans;
mod random;
mod states;
mod upkeep;
mod wide;

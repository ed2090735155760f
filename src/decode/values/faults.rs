//! Collects the faulty values of a column.

use arrow::array::Array;

use crate::decode::values::text::Fault;

/// The position of each faulty value in its array, and what is wrong with it.
pub(in crate::decode) type Faults = Vec<(usize, Fault)>;

/// Notes every value that is not `good` as out of range.
pub(in crate::decode) fn flag<T>(
    values: impl Iterator<Item = Option<T>>,
    good: impl Fn(T) -> bool,
    faults: &mut Faults,
) {
    flag_as(Fault::OutOfRange, values, good, faults);
}

/// Notes every value that is not `good` with the given fault.
pub(in crate::decode) fn flag_as<T>(
    fault: Fault,
    values: impl Iterator<Item = Option<T>>,
    good: impl Fn(T) -> bool,
    faults: &mut Faults,
) {
    for (position, value) in values.enumerate() {
        if value.is_some_and(|value| !good(value)) {
            faults.push((position, fault));
        }
    }
}

/// Notes every value that a cast turned into NULL as out of range.
pub(in crate::decode) fn flag_lost(before: &dyn Array, after: &dyn Array, faults: &mut Faults) {
    if before.null_count() == after.null_count() {
        return;
    }
    for position in 0..before.len() {
        if after.is_null(position) && !before.is_null(position) {
            faults.push((position, Fault::OutOfRange));
        }
    }
}

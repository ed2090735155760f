//! Values of a column that are not what they should be.

use arrow::array::Array;

use crate::decode::values::text::Fault;

/// Where faults go: position in the array, and what is wrong.
pub(in crate::decode) type Faults = Vec<(usize, Fault)>;

/// Notes every value that is not `good` as out of range.
pub(in crate::decode) fn flag<T>(
    values: impl Iterator<Item = Option<T>>,
    good: impl Fn(T) -> bool,
    faults: &mut Faults,
) {
    flag_as(Fault::OutOfRange, values, good, faults);
}

/// Notes every value that is not `good` as that fault.
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

/// Notes every value that a cast could not tell as out of range.
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

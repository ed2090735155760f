//! The last change of each key if the key is one integer and the keys are close together, as with
//! MySQL's `AUTO_INCREMENT`: one bit per key is enough, and no plan is needed.

use arrow::array::AsArray;
use arrow::buffer::{BooleanBuffer, MutableBuffer};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow::util::bit_util::{ceil, get_bit, set_bit};

use super::changes::Changes;

/// How many bits may be spent per change, as many as a hash table needs for the key alone.
const BITS_PER_CHANGE: u64 = 64;

/// By position, whether a change is the last of its key; `None` if the keys are not integers or are
/// too far apart.
pub(super) fn last_changes(changes: &Changes) -> Option<BooleanBuffer> {
    let [key] = changes.keys() else { return None };
    match changes.table().field(*key).data_type() {
        DataType::Int8 => last_of::<Int8Type>(changes, *key),
        DataType::Int16 => last_of::<Int16Type>(changes, *key),
        DataType::Int32 => last_of::<Int32Type>(changes, *key),
        DataType::Int64 => last_of::<Int64Type>(changes, *key),
        _ => None,
    }
}

fn last_of<T>(changes: &Changes, key: usize) -> Option<BooleanBuffer>
where
    T: ArrowPrimitiveType,
    T::Native: Into<i64>,
{
    let keys: Vec<&[T::Native]> = changes
        .batches()
        .iter()
        .map(|batch| &**batch.image.column(key).as_primitive::<T>().values())
        .collect();
    let all = || keys.iter().flat_map(|keys| keys.iter().map(|key| (*key).into()));
    let (first, last) = (all().min()?, all().max()?);
    let span = last.abs_diff(first);
    if span / BITS_PER_CHANGE >= changes.len() {
        return None;
    }
    let mut seen = MutableBuffer::from_len_zeroed(usize::try_from(span).ok()? / 8 + 1);
    let count = usize::try_from(changes.len()).ok()?;
    let mut mask = MutableBuffer::from_len_zeroed(ceil(count, 8));
    let mut position = count;
    for key in keys.iter().rev().flat_map(|keys| keys.iter().rev()) {
        position -= 1;
        let place = usize::try_from((*key).into().abs_diff(first)).ok()?;
        if !get_bit(&seen, place) {
            set_bit(&mut seen, place);
            set_bit(&mut mask, position);
        }
    }
    Some(BooleanBuffer::new(mask.into(), 0, count))
}

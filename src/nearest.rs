//! Finds the existing name that a user probably meant.

/// The most characters in which two names may differ to be near.
const NEAR: usize = 2;
/// So many names are told at once.
const MOST_TOLD: usize = 20;

/// All names: the near ones first, nearest before others, then the rest in alphabetical order.
pub(crate) fn nearest_first<T: AsRef<str> + Ord>(
    wanted: &str,
    names: impl IntoIterator<Item = T>,
) -> Vec<T> {
    let mut names: Vec<T> = names.into_iter().collect();
    names.sort_unstable();
    // A stable sort keeps equally near names in alphabetical order.
    names.sort_by_cached_key(|name| distance(wanted, name.as_ref()).min(NEAR + 1));
    names
}

/// The names that are to be told where one is wrong: of many only the first, which are the nearest
/// if they come from [`nearest_first`].
pub(crate) fn listed<T: AsRef<str>>(names: &[T]) -> String {
    let told: Vec<&str> = names.iter().take(MOST_TOLD).map(AsRef::as_ref).collect();
    let rest = names.len() - told.len();
    let rest = if rest > 0 { format!(", and {rest} more") } else { String::new() };
    format!("{}{rest}", told.join(", "))
}

/// Whether one of two names is probably the other one, misspelled.
pub(crate) fn is_near(wanted: &str, name: &str) -> bool {
    distance(wanted, name) <= NEAR
}

/// The name that is probably meant by a misspelled one.
pub(crate) fn nearest<'a, T: AsRef<str> + Ord>(wanted: &str, names: &'a [T]) -> Option<&'a T> {
    nearest_first(wanted, names).into_iter().find(|name| is_near(wanted, name.as_ref()))
}

/// The number of characters to insert, remove or replace to turn one text into the other, ignoring
/// case.
fn distance(left: &str, right: &str) -> usize {
    let (left, right) = (left.to_lowercase(), right.to_lowercase());
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (position, character) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = position + 1;
        for (column, other) in right.chars().enumerate() {
            let replaced = diagonal + usize::from(character != other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.chars().count()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_stands_first_and_none_is_left_out() {
        let names = ["columns", "append_only", "keys", "source"];
        assert_eq!(nearest_first("key", names), ["keys", "append_only", "columns", "source"]);
        assert!(is_near("key", "keys") && is_near("KEYS", "keys") && !is_near("key", "source"));
    }
}

//! Neighbours that share a part.

/// Items as parts of neighbours, each of at most so much weight; a heavier item is a part by itself.
pub(crate) fn packed<T>(
    items: impl IntoIterator<Item = T>,
    most: u64,
    weight: impl Fn(&T) -> u64,
) -> Vec<Vec<T>> {
    let mut parts: Vec<Vec<T>> = Vec::new();
    let mut sum = 0;
    for item in items {
        let own = weight(&item);
        sum += own;
        match parts.last_mut() {
            Some(part) if sum <= most => part.push(item),
            _ => {
                sum = own;
                parts.push(vec![item]);
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_share_a_part_as_far_as_it_goes() {
        let parts = packed([2, 3, 1, 9, 1, 4, 1], 5, |weight| *weight);
        assert_eq!(parts, [vec![2, 3], vec![1], vec![9], vec![1, 4], vec![1]]);
        assert_eq!(packed([], 5, |weight| *weight), Vec::<Vec<u64>>::new());
    }
}

//! Stores lists compactly in a commit record: as columns, without the parts that their entries
//! share.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::progress::{Fingerprint, Mark};

/// The number of letters of a fingerprint.
const FINGERPRINT: usize = 11;

/// The length of the prefix that all names share, in bytes.
pub(super) fn shared_start<'a>(names: impl IntoIterator<Item = &'a str>) -> usize {
    let mut names = names.into_iter();
    let Some(first) = names.next() else { return 0 };
    names.fold(first.len(), |shared, name| common_start(&first[..shared], name))
}

/// The length of the prefix that two texts share, in bytes.
pub(super) fn common_start(one: &str, other: &str) -> usize {
    let pairs = one.char_indices().zip(other.chars());
    let differs = pairs.into_iter().find(|((_, one), other)| one != other);
    differs.map_or(one.len().min(other.len()), |((at, _), _)| at)
}

/// The length of the suffix that two texts share, in bytes.
pub(super) fn common_end(one: &str, other: &str) -> usize {
    let pairs = one.char_indices().rev().zip(other.chars().rev());
    let alike = pairs.take_while(|((_, one), other)| one == other);
    alike.last().map_or(0, |((at, _), _)| one.len() - at)
}

/// Encodes bytes as letters, digits, `-` and `_`.
pub(super) fn letters(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes what [`letters`] wrote.
pub(super) fn from_letters<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
    (length == N).then_some(bytes)
}

/// Marks as two texts of their fingerprints: identities and listings. The second is empty unless
/// every mark has a listing fingerprint.
pub(super) fn pack_marks<'a>(
    marks: impl IntoIterator<Item = &'a Mark> + Clone,
) -> (String, String) {
    let text = |fingerprint: Fingerprint| letters(&fingerprint.to_bytes());
    let identities = marks.clone().into_iter().map(|mark| text(mark.identity)).collect();
    let listings: Option<String> = marks.into_iter().map(|mark| mark.listing.map(text)).collect();
    (identities, listings.unwrap_or_default())
}

/// Decodes what [`pack_marks`] wrote; none if the texts do not contain that many marks.
pub(super) fn unpack_marks(count: usize, identities: &str, listings: &str) -> Option<Vec<Mark>> {
    let identities = fingerprints(identities)?;
    let listings = fingerprints(listings)?;
    let is_whole = identities.len() == count && [0, count].contains(&listings.len());
    let mark = |(at, identity)| Mark { identity, listing: listings.get(at).copied() };
    is_whole.then(|| identities.into_iter().enumerate().map(mark).collect())
}

fn fingerprints(text: &str) -> Option<Vec<Fingerprint>> {
    let each = text.as_bytes().chunks(FINGERPRINT).map(|chunk| {
        let bytes = from_letters(std::str::from_utf8(chunk).ok()?)?;
        Some(Fingerprint::from_bytes(bytes))
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_ends_between_letters() {
        assert_eq!(common_start("aé1", "aé2"), 3);
        assert_eq!(common_start("aé", "aè"), 1);
        assert_eq!(common_start("a", "ab"), 1);
        assert_eq!(common_end("1éa", "2éa"), 3);
        assert_eq!(common_end("éa", "èa"), 1);
        assert_eq!(common_end("ba", "a"), 1);
        assert_eq!(shared_start(["2024/a", "2024/b", "202"]), 3);
        assert_eq!(shared_start([]), 0);
    }
}

//! Short marks by which the ledger recognizes objects.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::dms::Phase;
use crate::error::Result;
use crate::progress::packed::{from_letters, letters};
use crate::staging::{Identify, Identity, StagedObject};
use crate::storage::StoreKind;

/// The first 64 bits of a BLAKE3 hash of what identifies an object. Displayed as 16 hexadecimal
/// digits, stored as 11 letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(u64);

impl Fingerprint {
    fn of(parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            // Lengths distinguish ("a", "bc") from ("ab", "c").
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let mut first = [0; 8];
        first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        Self(u64::from_le_bytes(first))
    }

    pub(super) fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    pub(super) fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(u64::from_be_bytes(bytes))
    }

    /// Adds a fingerprint to the sum over a set, which does not depend on order.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    /// Removes a fingerprint from such a sum.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self(self.0.wrapping_sub(other.0))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&letters(&self.to_bytes()))
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // Format 1 of the commit record has them in hexadecimal digits.
        let of_digits = || u64::from_str_radix(&text, 16).ok().filter(|_| text.len() == 16);
        let fingerprint =
            from_letters(&text).map(Self::from_bytes).or_else(|| of_digits().map(Self));
        fingerprint.ok_or_else(|| serde::de::Error::custom("a fingerprint is not 11 letters"))
    }
}

/// How the ledger recognizes an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Fingerprint of its identity.
    #[serde(rename = "i")]
    pub identity: Fingerprint,
    /// On a file system, the fingerprint of what a listing shows. While it is unchanged, the
    /// content need not be hashed again. On S3 a listing shows the identity itself.
    #[serde(rename = "l", skip_serializing_if = "Option::is_none", default)]
    pub listing: Option<Fingerprint>,
}

impl Mark {
    /// The mark of an object whose identity is known.
    ///
    /// On S3 the last-modified time is part of a full-load object's identity, because a reload of
    /// the same bytes has the same `ETag`.
    #[must_use]
    pub fn of(object: &StagedObject, identity: &Identity) -> Self {
        let key = object.relative.as_bytes();
        let size = object.size.to_le_bytes();
        match identity {
            Identity::ETag(tag) => {
                let modified = match object.name.phase {
                    // Some servers return milliseconds in listings and seconds for HEAD.
                    Phase::FullLoad { .. } => object.last_modified.timestamp().to_le_bytes(),
                    Phase::Cdc { .. } => [0; 8],
                };
                let identity = Fingerprint::of(&[key, tag.as_bytes(), &size, &modified]);
                Self { identity, listing: None }
            }
            Identity::Content(hash) => Self {
                identity: Fingerprint::of(&[key, hash.as_bytes(), &size]),
                listing: Some(Self::of_listing(object)),
            },
        }
    }

    fn of_listing(object: &StagedObject) -> Fingerprint {
        let modified = object.last_modified.timestamp_nanos_opt().unwrap_or_default().to_le_bytes();
        Fingerprint::of(&[object.relative.as_bytes(), &object.size.to_le_bytes(), &modified])
    }

    /// The mark of an object that is identified for it.
    pub(crate) async fn identified(object: &StagedObject, identify: &Identify) -> Result<Self> {
        Ok(Self::of(object, &identify.identity(object).await?))
    }

    /// Whether a listing alone shows that `object` is the marked one.
    #[must_use]
    pub fn is_listed(&self, object: &StagedObject, kind: StoreKind) -> bool {
        Self::listed_as(object, kind).is_some_and(|listed| self.is_listed_as(listed, kind))
    }

    /// Whether this is the mark of an object of which a listing shows `listed`.
    pub(super) fn is_listed_as(&self, listed: Fingerprint, kind: StoreKind) -> bool {
        match kind {
            StoreKind::S3 => self.identity == listed,
            StoreKind::File => self.listing == Some(listed),
        }
    }

    /// What a listing shows of an object: on S3 its identity, if it has an `ETag`.
    pub(super) fn listed_as(object: &StagedObject, kind: StoreKind) -> Option<Fingerprint> {
        match kind {
            StoreKind::S3 => {
                let tag = object.e_tag.clone()?;
                Some(Self::of(object, &Identity::ETag(tag)).identity)
            }
            StoreKind::File => Some(Self::of_listing(object)),
        }
    }
}

//! Where data files and deletion vectors are, below a table's root.

use deltalake::kernel::{Add, StorageType};
use object_store::path::Path;

use crate::files::bytes::path_of;

/// A data file and the deletion vector that belongs to it.
pub(crate) fn paths_of(add: &Add) -> impl Iterator<Item = Path> + use<> {
    let vector = add.deletion_vector.as_ref();
    let vector = vector.filter(|vector| vector.storage_type == StorageType::UuidRelativePath);
    let vector = vector.and_then(|vector| vector_path(&vector.path_or_inline_dv));
    std::iter::once(path_of(add)).chain(vector)
}

/// Where a vector of the table is: the file's id is the last 20 characters in base 85, perhaps
/// behind a folder.
pub(crate) fn vector_path(place: &str) -> Option<Path> {
    let (folder, id) = place.split_at_checked(place.len().checked_sub(20)?)?;
    let id = uuid::Uuid::from_slice(&z85::decode(id).ok()?).ok()?;
    let name = format!("deletion_vector_{id}.bin");
    Some(if folder.is_empty() { Path::from(name) } else { Path::from(format!("{folder}/{name}")) })
}

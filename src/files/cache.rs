//! A cache for parts of data files, which never change.

use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use lru::LruCache;

/// Values by key within a byte limit. The least recently used are evicted first.
#[derive(Debug)]
pub(super) struct BoundedCache<K: Hash + Eq, V> {
    most_bytes: usize,
    values: Mutex<Values<K, V>>,
}

#[derive(Debug)]
struct Values<K: Hash + Eq, V> {
    /// Each value with its size.
    by_key: LruCache<K, (V, usize)>,
    bytes: usize,
}

impl<K: Hash + Eq, V: Clone> BoundedCache<K, V> {
    pub(super) fn within(most_bytes: usize) -> Self {
        let values = Values { by_key: LruCache::unbounded(), bytes: 0 };
        Self { most_bytes, values: Mutex::new(values) }
    }

    pub(super) fn get(&self, key: &K) -> Option<V> {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values.by_key.get(key).map(|(value, _)| value.clone())
    }

    pub(super) fn put(&self, key: K, value: V, bytes: usize) {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values.bytes += bytes;
        if let Some((_, before)) = values.by_key.put(key, (value, bytes)) {
            values.bytes -= before;
        }
        while values.bytes > self.most_bytes {
            let Some((_, (_, least))) = values.by_key.pop_lru() else { break };
            values.bytes -= least;
        }
    }
}

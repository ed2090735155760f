//! What the tests share: the model, the DMS writer, faults.

//! The kind of a change.

/// What happened to a row at the source, as given by the `Op` column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Operation {
    /// `I`: inserted, or carried over by the full load.
    Insert = 0,
    /// `U`: updated; the row holds the after image.
    Update = 1,
    /// `D`: deleted; the row holds the before image, or only the key.
    Delete = 2,
}

impl Operation {
    /// Reads the value of an `Op` column; `None` if it is not `I`, `U` or `D`.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        match text {
            b"I" => Some(Self::Insert),
            b"U" => Some(Self::Update),
            b"D" => Some(Self::Delete),
            _ => None,
        }
    }

    /// The operation of a decoded row.
    #[cfg(feature = "cli")]
    pub(crate) fn of_code(code: u8) -> Option<Self> {
        [Self::Insert, Self::Update, Self::Delete].into_iter().find(|it| it.code() == code)
    }

    /// The number of the operation in decoded batches.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

//! Walks over Thrift's compact protocol without allocating, to know what Parquet's reader would
//! allocate before it does.
//!
//! What no Parquet writer writes (sets, maps, lists of booleans) is refused rather than skipped, so
//! that this walk and the reader cannot understand the same bytes differently.

/// The bytes do not follow the protocol, or end too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

type Result<T> = std::result::Result<T, Unreadable>;

/// The deepest nesting of structures; Parquet's own nest five deep.
const DEEPEST: usize = 16;

/// The type of a field or of a list's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A boolean. In a field, its type code is its value.
    Bool(bool),
    Byte,
    /// An integer of 16, 32 or 64 bits.
    Integer,
    Double,
    /// Bytes or text.
    Binary,
    List,
    Struct,
}

impl Kind {
    fn of(code: u8) -> Result<Self> {
        match code {
            1 | 2 => Ok(Self::Bool(code == 1)),
            3 => Ok(Self::Byte),
            4..=6 => Ok(Self::Integer),
            7 => Ok(Self::Double),
            8 => Ok(Self::Binary),
            9 => Ok(Self::List),
            12 => Ok(Self::Struct),
            _ => Err(Unreadable),
        }
    }

    fn is(self, shape: Shape) -> bool {
        matches!(
            (self, shape),
            (Self::Bool(_), Shape::Bool)
                | (Self::Byte, Shape::Byte)
                | (Self::Integer, Shape::Integer)
                | (Self::Double, Shape::Double)
                | (Self::Binary, Shape::Binary)
                | (Self::List, Shape::List(_))
                | (Self::Struct, Shape::Struct(_))
        )
    }
}

/// The type that a value must have.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    Bool,
    Byte,
    Integer,
    Double,
    Binary,
    /// A list with elements of this shape.
    List(&'static Shape),
    /// A structure with these fields, by number. Other fields may have any shape.
    Struct(&'static [(i16, Shape)]),
}

/// The head of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct List {
    pub(super) length: usize,
    pub(super) of: Kind,
}

/// A position in the bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk<'a> {
    bytes: &'a [u8],
}

impl<'a> Walk<'a> {
    pub(super) fn over(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The number of bytes left.
    pub(super) fn left(&self) -> usize {
        self.bytes.len()
    }

    /// Walks over the fields of a structure. `field` gets each one by its number and returns whether
    /// it consumed it; if not, the field is skipped.
    pub(super) fn fields<E: From<Unreadable>>(
        &mut self,
        mut field: impl FnMut(&mut Self, i16, Kind) -> std::result::Result<bool, E>,
    ) -> std::result::Result<(), E> {
        let mut number = 0;
        while let Some((next, kind)) = self.field(number)? {
            number = next;
            if !field(self, number, kind)? {
                self.skip(kind, DEEPEST)?;
            }
        }
        Ok(())
    }

    /// The head of the next field; `None` at the end of the structure.
    fn field(&mut self, before: i16) -> Result<Option<(i16, Kind)>> {
        let head = self.byte()?;
        let (step, kind) = (head >> 4, head & 0x0f);
        if kind == 0 {
            return Ok(None);
        }
        let kind = Kind::of(kind)?;
        let number = match step {
            0 => i16::try_from(self.integer()?).map_err(|_| Unreadable)?,
            step => before.checked_add(i16::from(step)).ok_or(Unreadable)?,
        };
        Ok(Some((number, kind)))
    }

    /// The head of a list: its declared length and element type.
    pub(super) fn list(&mut self) -> Result<List> {
        let head = self.byte()?;
        if head == 0 {
            return Ok(List { length: 0, of: Kind::Byte });
        }
        let of = Kind::of(head & 0x0f)?;
        let length = match head >> 4 {
            15 => usize::try_from(self.varint()?).map_err(|_| Unreadable)?,
            length => usize::from(length),
        };
        Ok(List { length, of })
    }

    /// A signed integer of any width.
    pub(super) fn integer(&mut self) -> Result<i64> {
        let value = self.varint()?;
        #[expect(clippy::cast_possible_wrap, reason = "the zig-zag form has the sign elsewhere")]
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// An unsigned integer of any width.
    pub(super) fn varint(&mut self) -> Result<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Unreadable)
    }

    /// Bytes that are preceded by their length.
    pub(super) fn binary(&mut self) -> Result<&'a [u8]> {
        let length = usize::try_from(self.varint()?).map_err(|_| Unreadable)?;
        self.take(length)
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    /// The next `length` bytes.
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or(Unreadable)?;
        self.bytes = rest;
        Ok(taken)
    }

    /// Skips a value, all of which must have this shape.
    pub(super) fn conform(&mut self, shape: Shape) -> Result<()> {
        match shape {
            Shape::Bool => {}
            Shape::Byte => drop(self.byte()?),
            Shape::Integer => drop(self.varint()?),
            Shape::Double => drop(self.take(8)?),
            Shape::Binary => drop(self.binary()?),
            Shape::List(element) => {
                let List { length, of } = self.list()?;
                if length > 0 && !of.is(*element) {
                    return Err(Unreadable);
                }
                for _ in 0..length {
                    self.conform(*element)?;
                }
            }
            Shape::Struct(fields) => self.fields(|walk, number, kind| {
                match fields.iter().find(|(known, _)| *known == number) {
                    Some((_, shape)) if kind.is(*shape) => walk.conform(*shape).map(|()| true),
                    Some(_) => Err(Unreadable),
                    None => Ok(false),
                }
            })?,
        }
        Ok(())
    }

    /// Skips a value.
    pub(super) fn skip_value(&mut self, kind: Kind) -> Result<()> {
        self.skip(kind, DEEPEST)
    }

    fn skip(&mut self, kind: Kind, deepest: usize) -> Result<()> {
        let deepest = deepest.checked_sub(1).ok_or(Unreadable)?;
        match kind {
            Kind::Bool(_) => {}
            Kind::Byte => drop(self.byte()?),
            Kind::Integer => drop(self.varint()?),
            Kind::Double => drop(self.take(8)?),
            Kind::Binary => drop(self.binary()?),
            Kind::List => {
                let List { length, of } = self.list()?;
                // Each element takes at least one byte, so a false length ends with the bytes.
                if matches!(of, Kind::Bool(_)) && length > 0 {
                    return Err(Unreadable);
                }
                for _ in 0..length {
                    self.skip(of, deepest)?;
                }
            }
            Kind::Struct => {
                let mut number = 0;
                while let Some((next, kind)) = self.field(number)? {
                    number = next;
                    self.skip(kind, deepest)?;
                }
            }
        }
        Ok(())
    }
}

//! Parquet objects written byte by byte, with any declared lengths and counts.

/// The thrift compact protocol's types.
pub(super) const INTEGER: u8 = 5;
pub(super) const LONG: u8 = 6;
pub(super) const BINARY: u8 = 8;
pub(super) const LIST: u8 = 9;
pub(super) const STRUCT: u8 = 12;

/// Physical types, codecs, pages and encodings as `parquet.thrift` numbers them.
pub(super) const INT64: i64 = 2;
pub(super) const BYTE_ARRAY: i64 = 6;
pub(super) const FIXED: i64 = 7;
pub(super) const PLAIN_CODEC: i64 = 0;
pub(super) const SNAPPY: i64 = 1;
pub(super) const GZIP: i64 = 2;
pub(super) const PLAIN: i64 = 0;
pub(super) const RLE_DICTIONARY: i64 = 8;
pub(super) const DELTA_BYTE_ARRAY: i64 = 7;

/// Writes Thrift.
#[derive(Clone, Debug, Default)]
pub(super) struct Thrift(pub(super) Vec<u8>);

impl Thrift {
    pub(super) fn varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn zigzag(&mut self, value: i64) {
        self.varint(((value << 1) ^ (value >> 63)) as u64);
    }

    /// The head of a field.
    pub(super) fn field(&mut self, number: i16, kind: u8) {
        self.0.push(kind);
        self.zigzag(number.into());
    }

    pub(super) fn integer(&mut self, number: i16, value: i64) {
        self.field(number, LONG);
        self.zigzag(value);
    }

    pub(super) fn text(&mut self, number: i16, value: &str) {
        self.field(number, BINARY);
        self.varint(value.len() as u64);
        self.0.extend(value.as_bytes());
    }

    /// The head of a list that declares this many elements.
    pub(super) fn list(&mut self, number: i16, of: u8, length: u64) {
        self.field(number, LIST);
        self.0.push(0xf0 | of);
        self.varint(length);
    }

    /// The end of a structure.
    pub(super) fn end(&mut self) {
        self.0.push(0);
    }
}

/// A column and its one chunk.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) physical: i64,
    /// Bytes of a value of fixed length.
    pub(super) length: Option<i64>,
    pub(super) codec: i64,
    pub(super) pages: Vec<u8>,
    /// Bytes that the footer says the chunk has.
    pub(super) declared: Option<i64>,
}

impl Column {
    pub(super) fn new(name: &'static str, physical: i64, codec: i64, pages: Vec<u8>) -> Self {
        Self { name, physical, length: None, codec, pages, declared: None }
    }

    /// `id`, counted from 1.
    pub(super) fn ids(rows: u32) -> Self {
        let values: Vec<u8> = (1..=i64::from(rows)).flat_map(i64::to_le_bytes).collect();
        let page = data_page(rows.into(), PLAIN, values.len() as i64, &values);
        Self::new("id", INT64, PLAIN_CODEC, page)
    }
}

/// A page of version 1 that declares this many values and unpacked bytes.
pub(super) fn data_page(values: i64, encoding: i64, unpacked: i64, packed: &[u8]) -> Vec<u8> {
    let mut head = page_head(0, unpacked, packed.len());
    head.field(5, STRUCT);
    for (number, value) in [(1, values), (2, encoding), (3, 3), (4, 3)] {
        head.integer(number, value);
    }
    head.end();
    head.end();
    [&head.0, packed].concat()
}

/// A dictionary page that declares this many values and unpacked bytes.
pub(super) fn dictionary_page(values: i64, unpacked: i64, packed: &[u8]) -> Vec<u8> {
    let mut head = page_head(2, unpacked, packed.len());
    head.field(7, STRUCT);
    head.integer(1, values);
    head.integer(2, PLAIN);
    head.end();
    head.end();
    [&head.0, packed].concat()
}

fn page_head(page: i64, unpacked: i64, packed: usize) -> Thrift {
    let mut head = Thrift::default();
    head.integer(1, page);
    head.integer(2, unpacked);
    head.integer(3, packed as i64);
    head
}

/// A value in the PLAIN encoding.
pub(super) fn plain_text(value: &[u8]) -> Vec<u8> {
    [&(value.len() as u32).to_le_bytes()[..], value].concat()
}

/// A schema's element for a column.
pub(super) fn element(footer: &mut Thrift, column: &Column) {
    footer.integer(1, column.physical);
    if let Some(length) = column.length {
        footer.integer(2, length);
    }
    footer.integer(3, 0);
    footer.text(4, column.name);
    footer.end();
}

/// The schema's root.
pub(super) fn root(footer: &mut Thrift, children: i64) {
    footer.text(4, "root");
    footer.integer(5, children);
    footer.end();
}

/// An object of one row group.
pub(super) fn object(columns: &[Column], rows: i64) -> Vec<u8> {
    let mut object = b"PAR1".to_vec();
    let mut footer = Thrift::default();
    footer.integer(1, 1);
    footer.list(2, STRUCT, columns.len() as u64 + 1);
    root(&mut footer, columns.len() as i64);
    for column in columns {
        element(&mut footer, column);
    }
    footer.integer(3, rows);
    footer.list(4, STRUCT, 1);
    footer.list(1, STRUCT, columns.len() as u64);
    for column in columns {
        let start = object.len() as i64;
        object.extend(&column.pages);
        footer.integer(2, 0);
        footer.field(3, STRUCT);
        footer.integer(1, column.physical);
        footer.list(2, INTEGER, 0);
        footer.list(3, BINARY, 1);
        footer.varint(column.name.len() as u64);
        footer.0.extend(column.name.as_bytes());
        footer.integer(4, column.codec);
        footer.integer(5, rows);
        footer.integer(6, column.pages.len() as i64);
        footer.integer(7, column.declared.unwrap_or(column.pages.len() as i64));
        footer.integer(9, start);
        footer.end();
        footer.end();
    }
    footer.integer(2, 0);
    footer.integer(3, rows);
    footer.end();
    footer.end();
    object.extend(tail(&footer.0, footer.0.len() as u32));
    object
}

/// A footer with the length that it declares.
pub(super) fn tail(footer: &[u8], length: u32) -> Vec<u8> {
    [footer, &length.to_le_bytes(), b"PAR1"].concat()
}

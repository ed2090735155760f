//! The names of MySQL's column types.

use super::MySqlType;

/// Every type name. If several match the start of a text, the longest wins.
pub(super) const NAMES: &[(&str, Family)] = &[
    ("tinyint", Family::Integer(Width::Tiny)),
    ("int1", Family::Integer(Width::Tiny)),
    ("smallint", Family::Integer(Width::Small)),
    ("int2", Family::Integer(Width::Small)),
    ("mediumint", Family::Integer(Width::Medium)),
    ("middleint", Family::Integer(Width::Medium)),
    ("int3", Family::Integer(Width::Medium)),
    ("int", Family::Integer(Width::Int)),
    ("integer", Family::Integer(Width::Int)),
    ("int4", Family::Integer(Width::Int)),
    ("bigint", Family::Integer(Width::Big)),
    ("int8", Family::Integer(Width::Big)),
    ("serial", Family::Serial),
    ("bool", Family::Bool),
    ("boolean", Family::Bool),
    ("decimal", Family::Decimal),
    ("numeric", Family::Decimal),
    ("dec", Family::Decimal),
    ("fixed", Family::Decimal),
    ("float", Family::Float),
    ("float4", Family::Float),
    ("float8", Family::Double),
    ("double precision", Family::Double),
    ("double", Family::Double),
    ("real", Family::Double),
    ("bit", Family::Bit),
    ("date", Family::Date),
    ("datetime", Family::Fraction(MySqlType::DateTime)),
    ("timestamp", Family::Fraction(MySqlType::Timestamp)),
    ("time", Family::Fraction(MySqlType::Time)),
    ("year", Family::Year),
    ("char byte", Family::Bytes),
    ("char varying", Family::Text),
    ("char", Family::Text),
    ("character varying", Family::Text),
    ("character", Family::Text),
    ("nchar varchar", Family::Text),
    ("nchar varying", Family::Text),
    ("nchar", Family::Text),
    ("national varchar", Family::Text),
    ("national varcharacter", Family::Text),
    ("national char varying", Family::Text),
    ("national char", Family::Text),
    ("national character varying", Family::Text),
    ("national character", Family::Text),
    ("varchar", Family::Text),
    ("varcharacter", Family::Text),
    ("nvarchar", Family::Text),
    ("tinytext", Family::Text),
    ("text", Family::Text),
    ("mediumtext", Family::Text),
    ("longtext", Family::Text),
    ("long varbinary", Family::Bytes),
    ("long varchar", Family::Text),
    ("long char varying", Family::Text),
    ("long", Family::Text),
    ("json", Family::Json),
    ("enum", Family::Labels),
    ("set", Family::Labels),
    ("binary", Family::Bytes),
    ("varbinary", Family::Bytes),
    ("tinyblob", Family::Bytes),
    ("blob", Family::Bytes),
    ("mediumblob", Family::Bytes),
    ("longblob", Family::Bytes),
    ("geometry", Family::Spatial),
    ("point", Family::Spatial),
    ("linestring", Family::Spatial),
    ("polygon", Family::Spatial),
    ("multipoint", Family::Spatial),
    ("multilinestring", Family::Spatial),
    ("multipolygon", Family::Spatial),
    ("geometrycollection", Family::Spatial),
    ("geomcollection", Family::Spatial),
];

/// The types that a refusal lists. Synonyms are read too.
pub(super) const ALLOWED: &str = "tinyint, smallint, mediumint, int, bigint (each also unsigned), \
    decimal(p,s), float, double, bit(n), bool, date, datetime(n), timestamp(n), time(n), year, \
    char, varchar, tinytext, text, mediumtext, longtext, json, enum, set, binary, varbinary, \
    tinyblob, blob, mediumblob, longblob, geometry and the other spatial types";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    Tiny,
    Small,
    Medium,
    Int,
    Big,
}

/// Types that take the same arguments and attributes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Integer(Width),
    Serial,
    Bool,
    Decimal,
    Float,
    Double,
    Bit,
    Date,
    /// Takes a number of fraction digits.
    Fraction(MySqlType),
    Year,
    Text,
    Json,
    Labels,
    Bytes,
    Spatial,
}

//! Reads MySQL's column types: names, synonyms, arguments and attributes.

use std::fmt::Write as _;

use super::MySqlType;
use super::names::{ALLOWED, Family, NAMES, Width};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Number(u32),
    Label,
    Open,
    Close,
    Comma,
}

/// Reads a column type; see [`MySqlType::parse`].
pub(super) fn parse(text: &str) -> Result<MySqlType, String> {
    let Some(tokens) = tokenize(text) else { return Err(unknown(text)) };
    let Some((family, rest)) = family(&tokens) else { return Err(unknown(text)) };
    let Some((arguments, attributes)) = arguments(rest) else { return Err(unknown(text)) };
    let unsigned = read_attributes(family, attributes).map_err(|why| refused(text, &why))?;
    build(family, arguments, unsigned).map_err(|why| refused(text, &why))
}

fn unknown(text: &str) -> String {
    refused(text, &format!("allowed: {ALLOWED}"))
}

fn refused(text: &str, why: &str) -> String {
    // The labels of an enum may be very long.
    let shown: String = text.chars().take(60).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    format!("\"{shown}{more}\" is not a MySQL column type that can be read; {why}")
}

/// Splits into tokens, ignoring letter case and comments; `None` if something is not a token.
fn tokenize(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '(' => (Some(Token::Open), 1),
            ')' => (Some(Token::Close), 1),
            ',' => (Some(Token::Comma), 1),
            '\'' | '"' => (Some(Token::Label), label_length(rest, first)?),
            '/' if rest.starts_with("/*") => (None, rest.find("*/")? + 2),
            '0'..='9' => {
                let length = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                (Some(Token::Number(rest[..length].parse().ok()?)), length)
            }
            'a'..='z' | 'A'..='Z' | '_' => {
                let is_inner = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
                let length = rest.find(|c: char| !is_inner(c)).unwrap_or(rest.len());
                (Some(Token::Word(rest[..length].to_ascii_lowercase())), length)
            }
            _ => return None,
        };
        tokens.extend(token);
        rest = rest[length..].trim_start();
    }
    Some(tokens)
}

/// The length in bytes of the quoted label that `text` starts with. A doubled quote, or one after a
/// backslash, belongs to the label.
fn label_length(text: &str, quote: char) -> Option<usize> {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((position, character)) = characters.next() {
        if character == '\\' {
            characters.next();
        } else if character == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            return Some(position + 1);
        }
    }
    None
}

/// The longest type name that the words begin with, and what follows it.
fn family(tokens: &[Token]) -> Option<(Family, &[Token])> {
    let begins = |name: &str| {
        let mut words = name.split(' ').zip(tokens.iter().map(Some).chain(std::iter::repeat(None)));
        words.all(|(word, token)| matches!(token, Some(Token::Word(text)) if text == word))
    };
    let found = NAMES.iter().filter(|(name, _)| begins(name));
    let (name, family) = found.max_by_key(|(name, _)| name.split(' ').count())?;
    Some((*family, &tokens[name.split(' ').count()..]))
}

/// Splits `(a, b) words…` into arguments and words.
fn arguments(tokens: &[Token]) -> Option<(Vec<&Token>, &[Token])> {
    let Some((Token::Open, inner)) = tokens.split_first() else {
        return Some((Vec::new(), tokens));
    };
    let close = inner.iter().position(|token| *token == Token::Close)?;
    let mut found = Vec::new();
    for argument in inner[..close].split(|token| *token == Token::Comma) {
        let [token @ (Token::Number(_) | Token::Label)] = argument else { return None };
        found.push(token);
    }
    Some((found, &inner[close + 1..]))
}

/// Reads what follows name and arguments; returns true if the type is unsigned.
fn read_attributes(family: Family, attributes: &[Token]) -> Result<bool, String> {
    let is_number = matches!(
        family,
        Family::Integer(_) | Family::Decimal | Family::Float | Family::Double | Family::Serial
    );
    let is_text = matches!(family, Family::Text | Family::Labels | Family::Json);
    let mut unsigned = family == Family::Serial;
    let mut rest = attributes;
    while let Some((token, after)) = rest.split_first() {
        let Token::Word(word) = token else {
            return Err("what follows the type is not an attribute of it".into());
        };
        rest = match (word.as_str(), after) {
            ("unsigned" | "zerofill", _) if is_number => {
                unsigned = true;
                after
            }
            ("signed", _) if is_number => after,
            ("charset" | "collate", [Token::Word(_) | Token::Label, more @ ..]) if is_text => more,
            (
                "character" | "char",
                [Token::Word(set), Token::Word(_) | Token::Label, more @ ..],
            ) if is_text && set == "set" => more,
            ("binary" | "ascii" | "unicode", _) if is_text => after,
            ("srid", [Token::Number(_), more @ ..]) if family == Family::Spatial => more,
            (
                "not" | "null" | "default" | "auto_increment" | "primary" | "unique" | "comment",
                _,
            ) => {
                return Err(format!(
                    "only the type is allowed here, not `{word}` and what follows it (for a \
                     required column set nullable = false)"
                ));
            }
            _ => return Err(format!("`{word}` is not an attribute of this type")),
        };
    }
    Ok(unsigned)
}

fn build(family: Family, arguments: Vec<&Token>, unsigned: bool) -> Result<MySqlType, String> {
    if family == Family::Labels {
        let labels_only = arguments.iter().all(|token| **token == Token::Label);
        return if labels_only {
            Ok(MySqlType::Text)
        } else {
            Err("its labels must be quoted".into())
        };
    }
    let mut numbers = Vec::new();
    for argument in arguments {
        let Token::Number(number) = argument else { return Err("it takes numbers only".into()) };
        numbers.push(*number);
    }
    let most = match family {
        Family::Decimal | Family::Float | Family::Double => 2,
        Family::Serial | Family::Bool | Family::Date | Family::Json | Family::Spatial => 0,
        _ => 1,
    };
    if numbers.len() > most {
        return Err(format!("it takes at most {most} numbers in parentheses"));
    }
    let first = numbers.first().copied();
    Ok(match family {
        Family::Integer(Width::Tiny) => MySqlType::TinyInt { unsigned },
        Family::Integer(Width::Small) => MySqlType::SmallInt { unsigned },
        Family::Integer(Width::Medium) => MySqlType::MediumInt { unsigned },
        Family::Integer(Width::Int) => MySqlType::Int { unsigned },
        Family::Integer(Width::Big) | Family::Serial => MySqlType::BigInt { unsigned },
        Family::Bool => MySqlType::TinyInt { unsigned: false },
        Family::Decimal => {
            // MySQL itself reads decimal(0) as decimal(10).
            let precision = bounded("precision", first.filter(|p| *p > 0), 10, 1, 65)?;
            let scale = bounded("scale", numbers.get(1).copied(), 0, 0, 30.min(precision))?;
            MySqlType::Decimal { precision, scale }
        }
        Family::Float => match (first, numbers.len()) {
            // One number is a precision in bits.
            (Some(bits), 1) if bounded("precision", Some(bits), 0, 0, 53)? > 24 => {
                MySqlType::Double
            }
            _ => MySqlType::Float,
        },
        Family::Double => MySqlType::Double,
        Family::Bit => MySqlType::Bit { width: bounded("width", first, 1, 1, 64)? },
        Family::Date => MySqlType::Date,
        Family::Fraction(mysql_type) => {
            bounded("number of fraction digits", first, 0, 0, 6)?;
            mysql_type
        }
        Family::Year => MySqlType::Year,
        Family::Text | Family::Json | Family::Labels => MySqlType::Text,
        Family::Bytes | Family::Spatial => MySqlType::Bytes,
    })
}

fn bounded(what: &str, given: Option<u32>, default: u8, least: u8, most: u8) -> Result<u8, String> {
    let number = given.map_or(Ok(default), u8::try_from).ok();
    number.filter(|number| (least..=most).contains(number)).ok_or_else(|| {
        let mut allowed = format!("its {what} is {least} to {most}");
        if what == "scale" && most < 30 {
            let _ = write!(allowed, ", the precision");
        }
        allowed
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(unsigned: bool) -> MySqlType {
        MySqlType::Int { unsigned }
    }

    #[test]
    fn every_spelling_of_mysql_is_understood() {
        let big = |unsigned| MySqlType::BigInt { unsigned };
        let decimal = |precision, scale| MySqlType::Decimal { precision, scale };
        let cases = [
            ("bigint unsigned", big(true)),
            ("BIGINT(20) UNSIGNED", big(true)),
            ("serial", big(true)),
            ("bigint", big(false)),
            ("int(11) unsigned zerofill", int(true)),
            ("int(10) zerofill", int(true)),
            ("  Integer ( 11 ) signed ", int(false)),
            ("int4", int(false)),
            ("tinyint(1)", MySqlType::TinyInt { unsigned: false }),
            ("bool", MySqlType::TinyInt { unsigned: false }),
            ("boolean", MySqlType::TinyInt { unsigned: false }),
            ("tinyint unsigned", MySqlType::TinyInt { unsigned: true }),
            ("smallint(5) unsigned", MySqlType::SmallInt { unsigned: true }),
            ("mediumint", MySqlType::MediumInt { unsigned: false }),
            ("decimal(20,4)", decimal(20, 4)),
            ("decimal(65,30) unsigned", decimal(65, 30)),
            ("numeric", decimal(10, 0)),
            ("dec(5)", decimal(5, 0)),
            ("fixed(5, 5)", decimal(5, 5)),
            ("float", MySqlType::Float),
            ("float(7,4)", MySqlType::Float),
            ("float(25)", MySqlType::Double),
            ("float unsigned", MySqlType::Float),
            ("double precision", MySqlType::Double),
            ("double(10,2)", MySqlType::Double),
            ("real", MySqlType::Double),
            ("bit", MySqlType::Bit { width: 1 }),
            ("bit(64)", MySqlType::Bit { width: 64 }),
            ("date", MySqlType::Date),
            ("datetime(6)", MySqlType::DateTime),
            ("datetime /* mariadb-5.3 */", MySqlType::DateTime),
            ("timestamp", MySqlType::Timestamp),
            ("time(3)", MySqlType::Time),
            ("year(4)", MySqlType::Year),
            ("varchar(20) character set utf8mb4 collate utf8mb4_0900_ai_ci", MySqlType::Text),
            ("char(3) charset latin1", MySqlType::Text),
            ("char(3) binary", MySqlType::Text),
            ("character varying(20)", MySqlType::Text),
            ("national varchar(20)", MySqlType::Text),
            ("national character varying(20)", MySqlType::Text),
            ("nchar(5)", MySqlType::Text),
            ("tinytext", MySqlType::Text),
            ("text(100)", MySqlType::Text),
            ("longtext", MySqlType::Text),
            ("json", MySqlType::Text),
            ("enum('a','b')", MySqlType::Text),
            (r"enum('it''s', 'a,b)', '\'', '')", MySqlType::Text),
            ("set('x','y') collate utf8_bin", MySqlType::Text),
            ("binary(16)", MySqlType::Bytes),
            ("varbinary(255)", MySqlType::Bytes),
            ("char byte", MySqlType::Bytes),
            ("mediumblob", MySqlType::Bytes),
            ("point srid 4326", MySqlType::Bytes),
            ("geometrycollection", MySqlType::Bytes),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_what_can() {
        let cases = [
            ("vector(3)", "allowed: tinyint, smallint"),
            ("", "allowed: tinyint"),
            ("string", "allowed: tinyint"),
            ("int(11", "allowed: tinyint"),
            ("enum('a", "allowed: tinyint"),
            ("int; drop table x", "allowed: tinyint"),
            ("decimal(70,2)", "its precision is 1 to 65"),
            ("decimal(4294967296)", "allowed: tinyint"),
            ("decimal(65,31)", "its scale is 0 to 30"),
            ("decimal(4,5)", "its scale is 0 to 4, the precision"),
            ("decimal(1,1,1)", "at most 2 numbers"),
            ("bit(65)", "its width is 1 to 64"),
            ("bit(0)", "its width is 1 to 64"),
            ("datetime(7)", "0 to 6"),
            ("float(54)", "0 to 53"),
            ("varchar(20) unsigned", "`unsigned` is not an attribute"),
            ("date(3)", "at most 0 numbers"),
            ("enum(1,2)", "quoted"),
            ("int not null", "nullable = false"),
            ("bigint auto_increment", "only the type"),
        ];
        for (text, expected) in cases {
            let sentence = parse(text).expect_err(text);
            assert!(sentence.contains(expected), "{text}: {sentence}");
            assert!(sentence.starts_with(&format!("\"{text}\" is not")), "{text}: {sentence}");
        }
    }
}

//! Earlier versions of tables in SQL: `orders@v12`, `orders VERSION AS OF 12`, `orders FOR TIMESTAMP
//! AS OF '2026-03-01T12:00:00Z'`.
//!
//! DataFusion knows no `AS OF`. It becomes part of the table's name before the query is planned,
//! token by token, so that texts and comments stay as they are.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer, Word};

use crate::error::{Error, ErrorKind, Result};
use crate::table::AsOf;

/// Behind the name of a table: a version, or a time in microseconds.
const VERSION: &str = "@v";
const TIME: &str = "@t";

/// A table's name in a query, and the version that it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named<'a> {
    pub(super) table: &'a str,
    pub(super) as_of: Option<AsOf>,
}

impl<'a> Named<'a> {
    /// Reads a name such as `orders@v12`.
    ///
    /// # Errors
    /// `Config` if something else follows an `@`.
    pub(super) fn parse(name: &'a str) -> Result<Self> {
        let Some((table, behind)) = name.rsplit_once('@') else {
            return Ok(Self { table: name, as_of: None });
        };
        let version = behind.strip_prefix('v').and_then(|digits| digits.parse().ok());
        let micros = behind.strip_prefix('t').and_then(|digits| digits.parse().ok());
        let time = micros.and_then(DateTime::from_timestamp_micros).map(AsOf::Time);
        let as_of = version.map(AsOf::Version).or(time).ok_or_else(|| {
            refused("behind @ stands no version")
                .with("name", name)
                .with_remedy("write it as orders@v12, or orders TIMESTAMP AS OF '…'")
        })?;
        Ok(Self { table, as_of: Some(as_of) })
    }
}

/// A query in which each `AS OF` is part of the name before it.
///
/// # Errors
/// `Config` if the text has no tokens of SQL, or a version or time cannot be read.
pub(super) fn as_names(sql: &str) -> Result<String> {
    let dialect = GenericDialect {};
    let tokens = Tokenizer::new(&dialect, sql).tokenize();
    let tokens = tokens.map_err(|error| refused("the query is not SQL").because(error))?;
    let mut written: Vec<Token> = Vec::with_capacity(tokens.len());
    let mut rest = &tokens[..];
    while let Some((next, behind)) = rest.split_first() {
        match clause(rest)? {
            Some((suffix, after)) if append(&mut written, &suffix) => rest = after,
            _ => {
                written.push(next.clone());
                rest = behind;
            }
        }
    }
    Ok(written.iter().map(ToString::to_string).collect())
}

/// The clause that begins here as a suffix of the table's name, and what follows it.
fn clause(tokens: &[Token]) -> Result<Option<(String, &[Token])>> {
    let tokens = after_word(tokens, &["FOR"]).unwrap_or(tokens);
    let is_version = after_word(tokens, &["VERSION", "SYSTEM_VERSION"]);
    let is_time = after_word(tokens, &["TIMESTAMP", "SYSTEM_TIME"]);
    let Some(tokens) = is_version.or(is_time) else { return Ok(None) };
    let of = after_word(tokens, &["AS"]).and_then(|tokens| after_word(tokens, &["OF"]));
    let Some(tokens) = of else { return Ok(None) };
    let tokens = after_word(tokens, &["TIMESTAMP"]).unwrap_or(tokens);
    let Some((value, behind)) = significant(tokens) else { return Ok(None) };
    let text = match value {
        Token::Number(text, _) | Token::SingleQuotedString(text) => text,
        other => {
            return Err(refused("AS OF takes a number or a text").with("found", other));
        }
    };
    let suffix = if is_version.is_some() {
        let version: u64 = text.parse().map_err(|_| refused("AS OF names no version"))?;
        format!("{VERSION}{version}")
    } else {
        format!("{TIME}{}", time(text)?.timestamp_micros())
    };
    Ok(Some((suffix, behind)))
}

/// Appends to the name that was written last; false if that is none.
fn append(written: &mut Vec<Token>, suffix: &str) -> bool {
    let is_space = |token: &Token| matches!(token, Token::Whitespace(_));
    let Some(at) = written.iter().rposition(|token| !is_space(token)) else { return false };
    let Token::Word(Word { value, .. }) = &written[at] else { return false };
    let name = format!("{value}{suffix}");
    written.truncate(at);
    written.push(Token::make_word(&name, Some('"')));
    written.push(Token::make_word(" ", None));
    true
}

/// What follows one of these words, if one comes next.
fn after_word<'a>(tokens: &'a [Token], words: &[&str]) -> Option<&'a [Token]> {
    let (next, behind) = significant(tokens)?;
    let Token::Word(word) = next else { return None };
    let is_meant = words.iter().any(|it| word.value.eq_ignore_ascii_case(it));
    (is_meant && word.quote_style.is_none()).then_some(behind)
}

/// The next token that is no white space, and what follows it.
fn significant(tokens: &[Token]) -> Option<(&Token, &[Token])> {
    let at = tokens.iter().position(|token| !matches!(token, Token::Whitespace(_)))?;
    tokens[at..].split_first()
}

/// A time as people write it; without a zone it is UTC.
fn time(text: &str) -> Result<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    let naive = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M"];
    let naive = naive.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0);
    naive.or_else(day).map(|time| time.and_utc()).ok_or_else(|| {
        refused("AS OF names no time")
            .with("found", text)
            .with_remedy("write it as '2026-03-01T12:00:00Z' or '2026-03-01 12:00:00', in UTC")
    })
}

fn refused(message: &str) -> Error {
    Error::new(ErrorKind::Config, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_of_becomes_part_of_the_name_and_all_else_stays() {
        let cases = [
            ("SELECT 1", "SELECT 1"),
            ("SELECT * FROM orders@v12 o", "SELECT * FROM orders@v12 o"),
            (
                "SELECT * FROM shop.orders VERSION AS OF 12 WHERE a",
                "SELECT * FROM shop.\"orders@v12\"  WHERE a",
            ),
            ("FROM \"Orders\" FOR SYSTEM_VERSION AS OF 3, x", "FROM \"Orders@v3\" , x"),
            ("FROM o TIMESTAMP AS OF '1970-01-01 00:00:01' o2", "FROM \"o@t1000000\"  o2"),
            ("FROM o FOR TIMESTAMP AS OF TIMESTAMP '1970-01-01T00:00:02Z'", "FROM \"o@t2000000\" "),
            (
                "SELECT ' VERSION AS OF 3' -- FOR VERSION AS OF 3\n",
                "SELECT ' VERSION AS OF 3' -- FOR VERSION AS OF 3\n",
            ),
        ];
        for (sql, expected) in cases {
            assert_eq!(as_names(sql).expect("a query"), expected, "{sql}");
        }
        for sql in
            ["FROM o VERSION AS OF 'x'", "FROM o TIMESTAMP AS OF 'soon'", "FROM o VERSION AS OF x"]
        {
            assert!(as_names(sql).is_err(), "{sql}");
        }
    }

    #[test]
    fn a_name_tells_its_version() {
        let parsed = |name| Named::parse(name).map(|named| (named.table.to_owned(), named.as_of));
        assert_eq!(parsed("orders").expect("a name"), ("orders".to_owned(), None));
        let version = Some(AsOf::Version(12));
        assert_eq!(parsed("orders@v12").expect("a name"), ("orders".to_owned(), version));
        let time = DateTime::from_timestamp_micros(5).map(AsOf::Time);
        assert_eq!(parsed("a@b@t5").expect("a name"), ("a@b".to_owned(), time));
        assert!(parsed("orders@12").is_err());
    }
}

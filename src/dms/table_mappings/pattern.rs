//! Which schemas, tables and columns a rule applies to: names with DMS's wildcards.

/// A name with wildcards: `%` for any text, `_` for any character, `[ab]` and `[a-d]` for one of
/// several, so `[_]` for an underscore. Letter case matters.
///
/// ```
/// use dmslake::dms::table_mappings::Pattern;
///
/// assert!(Pattern::parse("order%").matches("order_items"));
/// assert!(Pattern::parse("archive_202[0-5]").matches("archive_2024"));
/// assert!(!Pattern::parse("Order%").matches("orders"));
/// assert!(!Pattern::exact("order%").matches("orders"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// Any text, including the empty one.
    Text,
    /// One character within any of these ranges.
    Ranges(Vec<(char, char)>),
}

impl Pattern {
    /// Reads a name with wildcards.
    #[must_use]
    pub fn parse(spelled: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = spelled;
        while let Some(character) = rest.chars().next() {
            rest = &rest[character.len_utf8()..];
            parts.push(match character {
                '%' => Part::Text,
                '_' => Part::Ranges(vec![(char::MIN, char::MAX)]),
                // A bracket without its other half is a plain character.
                '[' => match rest.split_once(']') {
                    Some((inside, after)) if !inside.is_empty() => {
                        rest = after;
                        Part::Ranges(ranges(inside))
                    }
                    _ => Part::only(character),
                },
                _ => Part::only(character),
            });
        }
        Self(parts)
    }

    /// Reads a name in which each `*` stands for any text, and nothing else for anything but itself.
    #[must_use]
    pub fn with_stars(spelled: &str) -> Self {
        let part = |sign| if sign == '*' { Part::Text } else { Part::only(sign) };
        Self(spelled.chars().map(part).collect())
    }

    /// Matches exactly this name, whatever characters it contains.
    #[must_use]
    pub fn exact(name: &str) -> Self {
        Self(name.chars().map(Part::only).collect())
    }

    /// Matches every name.
    #[must_use]
    pub fn any() -> Self {
        Self(vec![Part::Text])
    }

    /// The only name that matches, if there is just one.
    #[must_use]
    pub fn only_name(&self) -> Option<String> {
        let only = |part: &Part| match part {
            Part::Ranges(ranges) => match ranges.as_slice() {
                [(first, last)] if first == last => Some(*first),
                _ => None,
            },
            Part::Text => None,
        };
        self.0.iter().map(only).collect()
    }

    /// Whether a name matches.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        let (mut part, mut position) = (0, 0);
        // The part after the last `%`, and where its text would end with one more character.
        let mut retry: Option<(usize, usize)> = None;
        while position < name.len() {
            match self.0.get(part) {
                Some(Part::Text) => {
                    part += 1;
                    retry = Some((part, position + 1));
                    continue;
                }
                Some(Part::Ranges(ranges)) if holds(ranges, name[position]) => {
                    (part, position) = (part + 1, position + 1);
                    continue;
                }
                _ => {}
            }
            let Some((after, longer)) = retry else { return false };
            (part, position) = (after, longer);
            retry = Some((after, longer + 1));
        }
        self.0[part..].iter().all(|left| *left == Part::Text)
    }
}

impl Part {
    fn only(character: char) -> Self {
        Self::Ranges(vec![(character, character)])
    }
}

/// `ab` → a, b; `a-d` → a to d
fn ranges(inside: &str) -> Vec<(char, char)> {
    let characters: Vec<char> = inside.chars().collect();
    let mut ranges = Vec::new();
    let mut rest = characters.as_slice();
    while let [first, others @ ..] = rest {
        if let ['-', last, after @ ..] = others {
            ranges.push((*first, *last));
            rest = after;
        } else {
            ranges.push((*first, *first));
            rest = others;
        }
    }
    ranges
}

fn holds(ranges: &[(char, char)], character: char) -> bool {
    ranges.iter().any(|(first, last)| (first..=last).contains(&&character))
}

/// What a rule applies to. A name that the rule does not give matches any name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locator {
    /// `schema-name`
    pub schema: Pattern,
    /// `table-name`
    pub table: Pattern,
    /// `column-name`
    pub column: Pattern,
    /// Whether `table-type` includes tables, not only views.
    pub takes_tables: bool,
}

impl Locator {
    /// Matches every table and column.
    #[must_use]
    pub fn any() -> Self {
        let any = Pattern::any;
        Self { schema: any(), table: any(), column: any(), takes_tables: true }
    }

    /// Whether the rule applies to a table of the source, or to its columns.
    #[must_use]
    pub fn has_table(&self, schema: &str, table: &str) -> bool {
        self.takes_tables && self.schema.matches(schema) && self.table.matches(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_those_of_dms() {
        let cases = [
            ("%", "", true),
            ("%", "orders", true),
            ("", "", true),
            ("", "a", false),
            ("a%b%c", "a-b-b-c", true),
            ("a%b%c", "a-c-b", false),
            ("%_log", "a_log", true),
            ("_", "é", true),
            ("_", "", false),
            ("a[_]b", "a_b", true),
            ("a[_]b", "axb", false),
            ("[ab]", "b", true),
            ("[a-d]x", "cx", true),
            ("[a-d]x", "ex", false),
            ("[a-]", "-", true),
            ("a[", "a[", true),
            ("[]", "[]", true),
            ("%%a%%", "xax", true),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(Pattern::parse(pattern).matches(name), expected, "{pattern} on {name}");
        }
        assert_eq!(Pattern::parse("a[_]b").only_name().as_deref(), Some("a_b"));
        assert_eq!(Pattern::exact("a%").only_name().as_deref(), Some("a%"));
        for several in ["a_b", "a%", "[ab]"] {
            assert_eq!(Pattern::parse(several).only_name(), None, "{several}");
        }
    }
}

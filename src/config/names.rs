//! Which names columns may have in the lake.

/// What Spark refuses in the column names of a Delta table without column mapping.
const REFUSED: &[(char, &str)] = &[
    (' ', "a space"),
    (',', "a comma"),
    (';', "a semicolon"),
    ('{', "a brace"),
    ('}', "a brace"),
    ('(', "a parenthesis"),
    (')', "a parenthesis"),
    ('\n', "a newline"),
    ('\t', "a tab"),
    ('=', "an equals sign"),
];

/// Why a column cannot have a name in the lake, with the remedy; `None` if it can.
///
/// ```
/// use dmslake::config::refused_column_name;
///
/// assert_eq!(refused_column_name("unit_price"), None);
/// let sentence = refused_column_name("unit price").expect("a space is refused");
/// assert!(sentence.ends_with("rename = { \"unit price\" = \"unit_price\" }"));
/// ```
#[must_use]
pub fn refused_column_name(name: &str) -> Option<String> {
    refused_beside(name, |_| false)
}

/// [`refused_column_name`] for a column among others: the remedy proposes a name that is not taken.
pub(super) fn refused_beside(name: &str, is_taken: impl Fn(&str) -> bool) -> Option<String> {
    if name.is_empty() {
        return Some("a column of the lake needs a name".to_owned());
    }
    let (_, refused) = REFUSED.iter().find(|(character, _)| name.contains(*character))?;
    let is_refused = |character| REFUSED.iter().any(|(refused, _)| *refused == character);
    let proposed = name.trim_matches(is_refused).replace(is_refused, "_");
    let mut proposed = if proposed.is_empty() { "another_name".to_owned() } else { proposed };
    while is_taken(&proposed) {
        proposed.push('_');
    }
    // Rust and TOML escape a tab, a newline and a quote alike.
    Some(format!(
        "{name:?} contains {refused}, which Spark refuses in column names; give the column another \
         name in the lake: rename = {{ {name:?} = {proposed:?} }}"
    ))
}

//! Which names a column may have in the lake.

/// What Spark refuses in a column name of a Delta table without column mapping.
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

/// Why a column cannot have that name in the lake, with the remedy; none if it can.
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

/// The same beside other columns: the name that the remedy gives is none of those taken.
pub(super) fn refused_beside(name: &str, is_taken: impl Fn(&str) -> bool) -> Option<String> {
    if name.is_empty() {
        return Some("a column without a name cannot stand in the lake".to_owned());
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
        "{name:?} holds {refused}, which Spark refuses in a column of the lake; give it another \
         name there: rename = {{ {name:?} = {proposed:?} }}"
    ))
}

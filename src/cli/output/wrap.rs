//! Sentences within the width of a screen.

/// The words of a text as lines of at most `width` letters, each behind an indent; a longer word has
/// a line by itself.
pub(in crate::cli) fn wrapped(text: &str, indent: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("{indent}{word}")),
        }
    }
    lines
}

/// Facts with their labels in a column of their own, each on as many lines as it takes.
pub(in crate::cli) fn labelled(facts: &[(&str, String)], width: usize) -> Vec<String> {
    let label = facts.iter().map(|(label, _)| label.len()).max().unwrap_or_default();
    let behind = " ".repeat(label + 4);
    let mut lines = Vec::new();
    for (name, fact) in facts {
        let mut wrapped = wrapped(fact, &behind, width);
        if let Some(first) = wrapped.first_mut() {
            first.replace_range(..behind.len(), &format!("  {name:<label$}  "));
        }
        lines.extend(wrapped);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_the_screen_but_for_a_long_word() {
        let lines = wrapped("one two  three s3://bucket/very/long four", "  ", 12);
        assert_eq!(lines, ["  one two", "  three", "  s3://bucket/very/long", "  four"]);
    }
}

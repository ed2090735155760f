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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_the_screen_but_for_a_long_word() {
        let lines = wrapped("one two  three s3://bucket/very/long four", "  ", 12);
        assert_eq!(lines, ["  one two", "  three", "  s3://bucket/very/long", "  four"]);
    }
}

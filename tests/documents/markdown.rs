//! As much of Markdown as the documents use.

use std::path::{Path, PathBuf};

/// A document of the repository.
#[derive(Debug)]
pub(super) struct Document {
    /// Its path from the root of the repository.
    pub(super) path: PathBuf,
    /// Its text.
    pub(super) text: String,
}

/// A fenced block.
#[derive(Debug)]
pub(super) struct Block {
    /// The word behind the opening fence.
    pub(super) language: String,
    /// The lines between the fences.
    pub(super) text: String,
}

/// A link, by its text and its target.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) text: String,
    pub(super) target: String,
}

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Document {
    pub(super) fn open(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        let text = std::fs::read_to_string(root().join(&path))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { path, text }
    }

    /// Every Markdown file of these folders, in order of their names.
    pub(super) fn all_in(folders: &[&str]) -> Vec<Self> {
        let mut paths = Vec::new();
        for folder in folders {
            let Ok(entries) = std::fs::read_dir(root().join(folder)) else { continue };
            let names = entries.map(|entry| entry.expect("readable").file_name());
            let names = names.filter(|name| Path::new(name).extension() == Some("md".as_ref()));
            paths.extend(names.map(|name| Path::new(folder).join(name)));
        }
        paths.sort();
        paths.iter().map(Self::open).collect()
    }

    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// The fenced blocks.
    pub(super) fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        for line in self.text.lines() {
            match (line.trim_start().strip_prefix("```"), open.take()) {
                (Some(language), None) => {
                    let language = language.trim().to_owned();
                    open = Some(Block { language, text: String::new() });
                }
                (Some(_), Some(block)) => blocks.push(block),
                (None, Some(mut block)) => {
                    block.text += line;
                    block.text.push('\n');
                    open = Some(block);
                }
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{}: a block is not closed", self.name());
        blocks
    }

    /// The lines outside of blocks.
    pub(super) fn prose(&self) -> Vec<&str> {
        let mut is_block = false;
        let mut lines = Vec::new();
        for line in self.text.lines() {
            if line.trim_start().starts_with("```") {
                is_block = !is_block;
            } else if !is_block {
                lines.push(line);
            }
        }
        lines
    }

    /// The links, definitions included.
    pub(super) fn links(&self) -> Vec<Link> {
        let mut links = Vec::new();
        for line in self.prose() {
            let definition = line.strip_prefix('[').and_then(|rest| rest.split_once("]: "));
            if let Some((text, target)) = definition {
                links.push(Link { text: text.to_owned(), target: target.trim().to_owned() });
                continue;
            }
            for (position, _) in line.match_indices("](") {
                let (before, behind) = (&line[..position], &line[position + 2..]);
                let text = before.rsplit_once('[').map_or("", |(_, text)| text);
                let target = behind.split_once(')').map_or("", |(target, _)| target);
                links.push(Link { text: text.to_owned(), target: target.to_owned() });
            }
        }
        links
    }

    /// What stands between backticks in a line.
    pub(super) fn code(&self) -> Vec<String> {
        let lines = self.prose().into_iter();
        lines.flat_map(|line| line.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
    }

    /// The anchors of the headings, as GitHub makes them.
    pub(super) fn anchors(&self) -> Vec<String> {
        let mut anchors: Vec<String> = Vec::new();
        for line in self.prose() {
            let heading = line.trim_start_matches('#');
            if heading.len() == line.len() || !heading.starts_with(' ') {
                continue;
            }
            let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            let anchor: String =
                kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect();
            let again = anchors.iter().filter(|other| **other == anchor).count();
            anchors.push(if again == 0 { anchor } else { format!("{anchor}-{again}") });
        }
        anchors
    }
}

/// The commands of a shell block, as words. In a `console` block they follow a `$`.
pub(super) fn commands(block: &Block) -> Vec<Vec<String>> {
    let is_console = block.language == "console";
    let mut commands = Vec::new();
    let mut whole = String::new();
    for line in block.text.lines() {
        let is_continued = !whole.is_empty();
        let line = match line.strip_prefix("$ ") {
            Some(command) if is_console => command,
            _ if is_console && !is_continued => continue,
            _ => line,
        };
        if let Some(begun) = line.strip_suffix('\\') {
            whole.push_str(begun);
            continue;
        }
        whole.push_str(line);
        commands.extend(words(&std::mem::take(&mut whole)));
    }
    commands
}

/// Splits a line into its commands and these into words; quotes keep spaces, `#` begins a comment.
fn words(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word = String::new();
    let mut quote = None;
    for character in format!("{line} ").chars() {
        match (character, quote) {
            ('"' | '\'', None) => quote = Some(character),
            (_, Some(open)) if character == open => quote = None,
            ('#', None) if word.is_empty() => break,
            (' ', None) if ["|", "&&", ";"].contains(&word.as_str()) => {
                word.clear();
                commands.push(Vec::new());
            }
            (' ', None) if word.is_empty() => {}
            (' ', None) => {
                let last = commands.last_mut().expect("one at least");
                last.push(std::mem::take(&mut word));
            }
            _ => word.push(character),
        }
    }
    commands.retain(|command| !command.is_empty());
    commands
}

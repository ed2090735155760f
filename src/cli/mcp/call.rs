//! A call: a command of this program in a process of its own.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

/// An answer is cut here: a model has no room for more.
const MOST_BYTES: usize = 100_000;

/// What a command said.
pub(super) struct Answer {
    pub(super) text: String,
    /// Whether it could not be done. A table that is held is an answer.
    pub(super) is_error: bool,
}

/// Runs a command, and ends it where the client no longer waits.
///
/// # Errors
/// That the program cannot be started.
pub(super) async fn call(program: &Path, arguments: Vec<OsString>) -> io::Result<Answer> {
    let output = Command::new(program)
        .args(arguments)
        .env("DMSLAKE_AGENT", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    let said = String::from_utf8_lossy(&output.stdout);
    let remarks = String::from_utf8_lossy(&output.stderr);
    // 1 also says that a table needs attention; then it is told which.
    let is_error = match output.status.code() {
        Some(0) => false,
        Some(1) => said.trim().is_empty(),
        _ => true,
    };
    let parts = [said.trim_end(), remarks.trim_end()];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    Ok(Answer { text: cut(parts.join("\n\n")), is_error })
}

fn cut(mut text: String) -> String {
    if text.len() <= MOST_BYTES {
        return text;
    }
    let whole = text.len();
    text.truncate(text.floor_char_boundary(MOST_BYTES));
    text.push_str(&format!("\n\n(cut: {whole} bytes in all; ask for less)"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_answer_is_cut_between_letters() {
        let text = "ä".repeat(MOST_BYTES);
        let cut = cut(text);
        assert!(cut.len() < MOST_BYTES + 100, "{}", cut.len());
        assert!(cut.ends_with("ask for less)"), "{}", &cut[cut.len() - 60..]);
    }
}

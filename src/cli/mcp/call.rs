//! A call: a command of this program in a process of its own.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

/// An answer is cut here: a model has no room for more.
const MOST_BYTES: u64 = 100_000;
const CUT: &str = "(cut after 100,000 bytes; ask for less)";

/// What a command said.
pub(super) struct Answer {
    pub(super) text: String,
    /// Whether it could not be done. A table that is held is an answer.
    pub(super) is_error: bool,
}

/// Runs a command. Where the call is dropped, or the answer is too long, the command is ended.
///
/// # Errors
/// That the program cannot be started, or its output not be read.
pub(super) async fn call(program: &Path, arguments: Vec<OsString>) -> io::Result<Answer> {
    let mut command = Command::new(program)
        .args(arguments)
        .env("DMSLAKE_AGENT", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let (said, remarks) = (command.stdout.take(), command.stderr.take());
    let ((said, is_cut), (remarks, _)) = tokio::try_join!(read(said), read(remarks))?;
    let is_error = if is_cut {
        command.kill().await?;
        false
    } else {
        match command.wait().await?.code() {
            Some(0) => false,
            // It also says that a table needs attention; then it is told which.
            Some(1) => said.trim().is_empty(),
            _ => true,
        }
    };
    let parts = [said.trim_end(), if is_cut { CUT } else { "" }, remarks.trim_end()];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    Ok(Answer { text: parts.join("\n\n"), is_error })
}

/// What comes through a pipe, and whether there is more than an answer has room for.
async fn read(pipe: Option<impl AsyncRead + Unpin>) -> io::Result<(String, bool)> {
    let Some(pipe) = pipe else { return Ok((String::new(), false)) };
    let mut bytes = Vec::new();
    pipe.take(MOST_BYTES + 1).read_to_end(&mut bytes).await?;
    let is_cut = bytes.len() as u64 > MOST_BYTES;
    if is_cut {
        bytes.pop();
    }
    Ok((String::from_utf8_lossy(&bytes).into_owned(), is_cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_long_answer_is_cut_and_a_short_one_is_whole() {
        let endless = tokio::io::repeat(b'x');
        let (text, is_cut) = read(Some(endless)).await.expect("read");
        assert_eq!((text.len() as u64, is_cut), (MOST_BYTES, true));
        let whole = vec![b'x'; text.len()];
        let (text, is_cut) = read(Some(&whole[..])).await.expect("read");
        assert_eq!((text.len() as u64, is_cut), (MOST_BYTES, false));
    }
}

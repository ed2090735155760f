//! `dmslake pause` and `dmslake resume`: tables wait, and go on.

use super::args::{PauseArguments, ResumeArguments};
use super::chosen::{Chosen, Places, TableEnd};
use super::exit::Exit;
use super::output::{Screen, plural};
use crate::disposition::told_of;
use crate::error::Result;
use crate::pipeline::{Losses, Scope, Standing};

/// Pauses the named tables.
///
/// # Errors
/// `Config` for a configuration or a table name that cannot be used, `StoreRefused` if the lake
/// cannot be used, `Unavailable` if it does not answer.
pub(super) async fn pause(arguments: &PauseArguments, screen: &Screen) -> Result<Exit> {
    let chosen = Chosen::open(&arguments.named.chosen(), Places::Lake, screen).await?;
    let reason = arguments.reason.as_deref();
    let paused = chosen.each(async |table| {
        let is_new = chosen.pipeline.pause(table, reason).await?;
        let what = if is_new { "paused" } else { "paused already" };
        screen.line(format_args!("{}: {what}", table.source))?;
        Ok(TableEnd::Done)
    });
    Ok(paused.await?.exit())
}

/// Lets the named tables go on, and says what then follows for each.
///
/// # Errors
/// As [`pause`]; also where a table cannot be looked at.
pub(super) async fn resume(arguments: &ResumeArguments, screen: &Screen) -> Result<Exit> {
    let chosen = Chosen::open(&arguments.named.chosen(), Places::LakeAndStaging, screen).await?;
    let losses = if arguments.accept_loss { Losses::Accepted } else { Losses::Refused };
    let resumed = chosen.each(async |table| {
        let source = &table.source;
        let resumed = chosen.pipeline.resume(table, losses).await?;
        if !resumed.given_up.is_empty() {
            let objects = plural(resumed.given_up.len() as u64, "object");
            let names = resumed.given_up.join(", ");
            screen
                .line(format_args!("{source}: the changes of {objects} are given up: {names}"))?;
        }
        if !resumed.let_pass.is_empty() {
            let objects = plural(resumed.let_pass.len() as u64, "object");
            let names = resumed.let_pass.join(", ");
            screen.line(format_args!("{source}: {objects} may pass once: {names}"))?;
        }
        let what = if resumed.was_paused { "resumed" } else { "not paused" };
        let (follows, end) = match chosen.pipeline.look(table, &Scope::Everything).await?.standing {
            Standing::CaughtUp => ("caught up".to_owned(), TableEnd::Done),
            Standing::Truncated(_) => ("to be emptied".to_owned(), TableEnd::Done),
            Standing::Reload(_) => ("to be rebuilt from a new load".to_owned(), TableEnd::Done),
            Standing::Replace => ("being rebuilt".to_owned(), TableEnd::Done),
            Standing::Reshape(_) => ("its columns are to be changed".to_owned(), TableEnd::Done),
            Standing::Apply(work) => {
                let objects = plural(work.objects.len() as u64, "object");
                (format!("{objects} to be applied"), TableEnd::Done)
            }
            Standing::Held(hold) => {
                (format!("held: {}", told_of(&hold.cause, source)), TableEnd::Attention)
            }
        };
        screen.line(format_args!("{source}: {what}; {follows}"))?;
        Ok(end)
    });
    Ok(resumed.await?.exit())
}

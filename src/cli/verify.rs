//! `dmslake verify`: whether a table equals its source.

mod progress;
mod report;

use std::time::Duration;

use super::args::VerifyArguments;
use super::chosen::{Chosen, Places, TableEnd};
use super::exit::Exit;
use super::output::{Results, Screen};
use crate::disposition::told_of;
use crate::error::{ErrorKind, Result};
use crate::inspect::verify::{MySqlRequest, Request, verify};
use progress::VerifyProgress;

/// Verifies the chosen table.
///
/// # Errors
/// `Config` for a configuration, a table name or an argument that cannot be used, `StoreRefused` if
/// staging or the lake cannot be used, `Unavailable` if a store or the source does not answer.
pub(super) async fn run(arguments: &VerifyArguments, screen: &Screen) -> Result<Exit> {
    let places = if arguments.mysql.is_some() && arguments.at_object.is_some() {
        Places::Lake
    } else {
        Places::LakeAndStaging
    };
    let chosen = Chosen::open(&arguments.table.chosen(), places, screen).await?;
    let results = Results::new(screen, arguments.json);
    let request = request(arguments);
    let verified = chosen.each(async |spec| {
        let progress = VerifyProgress::begin(screen, &spec.source.to_string());
        let (pipeline, limits) = (&chosen.pipeline, &chosen.limits);
        let verified = Box::pin(verify(pipeline, spec, &request, limits, &progress)).await;
        drop(progress);
        match verified {
            Ok(verification) => {
                let width = screen.width();
                results.print(&verification, |it, palette| report::lines(it, width, palette))?;
                Ok(TableEnd::of(verification.is_equal(), None))
            }
            Err(error) if error.kind() == ErrorKind::TableRefused => {
                screen.note(format_args!("{}: {}", spec.source, told_of(&error, &spec.source)));
                Ok(TableEnd::Attention)
            }
            Err(error) => Err(error),
        }
    });
    Ok(verified.await?.exit())
}

fn request(arguments: &VerifyArguments) -> Request {
    let VerifyArguments { rows_per_second, wait, apply, .. } = *arguments;
    let mysql = arguments.mysql.as_ref().map(|url| MySqlRequest {
        url: url.clone(),
        rows_per_second,
        wait: Duration::from_secs(wait),
        applies: apply,
        resume: arguments.resume.clone(),
    });
    Request { at_object: arguments.at_object.clone(), limit: arguments.limit, mysql }
}

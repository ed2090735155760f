//! `dmslake demo`: a small shop, staged as DMS would, applied as the function would, and compared
//! with the source.

mod dms;
mod doorbell;
mod folder;
mod play;
mod proof;
mod schedule;
mod shop;
mod show;
mod source;
mod tally;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use indicatif::ProgressBar;

use super::args::DemoArguments;
use super::exit::Exit;
use super::output::Screen;
use super::{configuration, progress_bar};
use crate::clock::{Clock, SystemClock};
use crate::error::Result;
use crate::pipeline::Pipeline;
use folder::Folder;
use play::Play;
use schedule::Doorbells;
use shop::Shop;
use tally::Tally;

const BAR: &str = "  {spinner} {wide_bar} {pos}/{len} doorbells  {msg}";

/// The outcome, for the screen.
struct Outcome {
    folder: PathBuf,
    tally: Tally,
    doorbells: Doorbells,
    elapsed: Duration,
    shop: Shop,
}

/// Creates the folder, plays a day of the shop into it, and compares the lake with the source.
///
/// # Errors
/// `Config` if the folder is in use, `Unavailable` if it cannot be written, or any error of
/// reading the lake back.
pub(super) async fn run(arguments: &DemoArguments, screen: &Screen) -> Result<Exit> {
    let folder = Folder::create(&arguments.dir, arguments.force)?;
    let clock = Arc::new(SystemClock);
    let began = clock.instant();
    let settings = configuration::read(&folder.configuration())?;
    let pipeline = Pipeline::open(settings, clock.clone()).await?;

    show::beginning(screen, &folder)?;
    let bar = progress_bar::begin(screen, BAR);
    let played = play(&pipeline, clock.as_ref(), &bar).await;
    bar.finish_and_clear();
    let (shop, tally, doorbells) = played?;
    let elapsed = clock.instant().duration_since(began);
    let outcome = Outcome { folder: folder.path().to_owned(), tally, doorbells, elapsed, shop };

    show::what_happened(screen, &outcome)?;
    show::time_travel(screen, &pipeline, &outcome).await?;
    show::log(screen, &pipeline).await?;
    let is_equal = show::proof(screen, &pipeline, &outcome.shop).await?;
    show::next_steps(screen, &outcome, &folder)?;
    Ok(if is_equal { Exit::Done } else { Exit::Attention })
}

/// Stages object by object, and sends the doorbell of each when it is due.
async fn play(
    pipeline: &Pipeline,
    clock: &dyn Clock,
    bar: &ProgressBar,
) -> Result<(Shop, Tally, Doorbells)> {
    let mut play = Play::new(Shop::open(), pipeline.staging().clone());
    let mut doorbells = Doorbells::default();
    let mut tally = Tally::new(bar);
    bar.set_length(play::OBJECTS);

    let loads = play.full_load().await?;
    for key in doorbells.of_full_load(&loads) {
        tally.apply(pipeline, clock, &key).await?;
    }
    tally.full_load_is_done();
    while let Some(staged) = play.next_round().await? {
        for key in doorbells.of_changes(staged) {
            bar.set_length(play::OBJECTS + doorbells.twice());
            tally.apply(pipeline, clock, &key).await?;
        }
    }
    for key in doorbells.left_over() {
        tally.apply(pipeline, clock, &key).await?;
    }
    Ok((play.into_shop(), tally, doorbells))
}

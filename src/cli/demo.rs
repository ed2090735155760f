//! `dmslake demo`: a small shop, staged as DMS would, applied as the function would, and proved.

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
use schedule::Rings;
use shop::Shop;
use tally::Tally;

const BAR: &str = "  {spinner} {wide_bar} {pos}/{len} doorbells  {msg}";

/// What came of it, for the screen.
struct Outcome {
    folder: PathBuf,
    tally: Tally,
    rings: Rings,
    elapsed: Duration,
    shop: Shop,
}

/// Makes the folder, plays a day of the shop into it, and proves the lake equal to the source.
///
/// # Errors
/// `Config` if the folder is not free, `Unavailable` if it cannot be written, otherwise what the
/// lake answers when it is read back.
pub(super) async fn run(arguments: &DemoArguments, screen: &Screen) -> Result<Exit> {
    let folder = Folder::make(&arguments.dir, arguments.force)?;
    let clock = Arc::new(SystemClock);
    let began = clock.instant();
    let settings = configuration::read(&folder.configuration())?;
    let pipeline = Pipeline::open(settings, clock.clone()).await?;

    show::beginning(screen, &folder)?;
    let bar = progress_bar::begin(screen, BAR);
    let played = play(&pipeline, clock.as_ref(), &bar).await;
    bar.finish_and_clear();
    let (shop, tally, rings) = played?;
    let elapsed = clock.instant().duration_since(began);
    let outcome = Outcome { folder: folder.path().to_owned(), tally, rings, elapsed, shop };

    show::what_happened(screen, &outcome)?;
    show::time_travel(screen, &pipeline, &outcome).await?;
    show::log(screen, &pipeline).await?;
    let is_proved = show::proof(screen, &pipeline, &outcome.shop).await?;
    show::how_to_go_on(screen, &outcome, &folder)?;
    Ok(if is_proved { Exit::Done } else { Exit::Attention })
}

/// Stages object by object, and rings for each when its time has come.
async fn play(
    pipeline: &Pipeline,
    clock: &dyn Clock,
    bar: &ProgressBar,
) -> Result<(Shop, Tally, Rings)> {
    let mut play = Play::new(Shop::open(), pipeline.staging().clone());
    let mut rings = Rings::default();
    let mut tally = Tally::new(bar);
    bar.set_length(play::OBJECTS);

    let loads = play.full_load().await?;
    for key in rings.of_full_load(&loads) {
        tally.ring(pipeline, clock, &key).await?;
    }
    tally.full_load_is_done();
    while let Some(staged) = play.next_round().await? {
        for key in rings.of_changes(staged) {
            bar.set_length(play::OBJECTS + rings.twice());
            tally.ring(pipeline, clock, &key).await?;
        }
    }
    for key in rings.left_over() {
        tally.ring(pipeline, clock, &key).await?;
    }
    Ok((play.into_shop(), tally, rings))
}

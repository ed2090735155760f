//! `dmslake forget`: rows of keys go from every version of a table.

use super::args::ForgetArguments;
use super::chosen::{Chosen, Places, TableEnd};
use super::exit::Exit;
use super::output::{Palette, Results, Screen, bytes, count, plural, wrapped};
use super::progress_bar::{LOOKING, begin};
use crate::error::Result;
use crate::forget::{Done, Forgotten, Proof, forget, plan_forget};

/// Shows what the chosen table holds of the keys, and forgets them.
///
/// # Errors
/// `Config` for a configuration, a table or a key that cannot be used, `StoreRefused` if staging or
/// the lake cannot be used, `Unavailable` if one of them does not answer or the result cannot be
/// written.
pub(super) async fn run(arguments: &ForgetArguments, screen: &Screen) -> Result<Exit> {
    let chosen = Chosen::open(&arguments.table.chosen(), Places::LakeAndStaging, screen).await?;
    let results = Results::new(screen, arguments.json);
    let pipeline = &chosen.pipeline;
    let forgotten = chosen.each(async |spec| {
        let source = &spec.source;
        let bar = begin(screen, LOOKING);
        bar.set_prefix(source.to_string());
        let tell = |what: &str| bar.set_message(what.to_owned());
        let planned = Box::pin(plan_forget(pipeline, spec, &arguments.keys, &tell)).await?;
        let Some(plan) = planned else {
            bar.finish_and_clear();
            return Ok(TableEnd::without_table(source, screen));
        };
        // Whoever asks for no plan asks for the proof.
        if arguments.dry_run || !(plan.has_found() || arguments.yes) {
            bar.finish_and_clear();
            results.print(&plan, |it, palette| plan_lines(it, screen.width(), palette))?;
            return Ok(TableEnd::Done);
        }
        if plan.has_found() {
            results.print_for_people(|palette| plan_lines(&plan, screen.width(), palette))?;
        }
        if !screen.is_agreed(arguments.yes, source, "forget them") {
            bar.finish_and_clear();
            return Ok(TableEnd::Attention);
        }
        let done = Box::pin(forget(pipeline, spec, &arguments.keys, &tell)).await;
        bar.finish_and_clear();
        match done {
            Ok(Some(done)) => {
                results.print(&done, |it, palette| done_lines(it, screen.width(), palette))?;
                Ok(TableEnd::of(done.is_proven(), None))
            }
            Ok(None) => Ok(TableEnd::without_table(source, screen)),
            Err(error) => {
                screen.note(format_args!(
                    "{source}: not forgotten everywhere; run it again with the same keys"
                ));
                Ok(TableEnd::refused_by(&error, source, screen))
            }
        }
    });
    Ok(forgotten.await?.exit())
}

/// What is found, and what is out of reach.
fn plan_lines(plan: &Forgotten, width: usize, palette: Palette) -> Vec<String> {
    let keys = plural(plan.keys, "key");
    let table = palette.strong(&plan.table);
    if !plan.has_found() {
        let mut lines = vec![format!("{table}: no file of any version holds a row of {keys}")];
        lines.extend(beyond_lines(plan, width, palette));
        return lines;
    }
    let found = &plan.found;
    let mut lines = vec![format!(
        "{table}: {} of {keys} in version {}; {} show such rows",
        plural(found.rows, "row"),
        plan.version,
        plural(found.versions, "version"),
    )];
    lines.extend(numbers(&[
        ("files of the newest version", found.current_files),
        ("files of older versions", found.older_files),
        ("files of the change data feed", found.change_files),
        ("files that no version names", found.unnamed_files),
        ("deleted files of which the log tells", found.gone_files),
        ("conditions in descriptions of commits", found.conditions),
        ("rows in quarantine and its versions", found.quarantined_rows),
        ("objects that jobs and crashes have left", found.left_objects),
    ]));
    lines.push(format!("  {:<40}{:>10}", "bytes of these files", bytes(found.bytes)));
    lines.extend(beyond_lines(plan, width, palette));
    lines
}

/// What was done, and the proof.
fn done_lines(report: &Forgotten, width: usize, palette: Palette) -> Vec<String> {
    let (Some(done), Some(proof)) = (&report.done, &report.proof) else { return Vec::new() };
    let Done { version, .. } = done;
    let state = match (report.is_proven(), version) {
        (true, _) if !report.has_found() => palette.good("nothing was there to forget"),
        (true, Some(version)) => palette.good(format_args!("forgotten as version {version}")),
        (true, None) => palette.good("forgotten"),
        (false, _) => palette.bad("not forgotten everywhere"),
    };
    let mut lines =
        vec![format!("{}: {}: {state}", palette.strong(&report.table), plural(report.keys, "key"))];
    lines.extend(numbers(&[
        ("rows of the newest version deleted", done.rows_deleted),
        ("files written in the place of others", done.files_written),
        ("commits amended", done.commits_amended),
        ("checkpoints amended", done.checkpoints_amended),
        ("files deleted", done.files_deleted),
        ("rows in quarantine and its versions", done.quarantined_rows),
    ]));
    let Proof { files_searched, files_found, .. } = proof;
    let verdict = match files_found {
        0 => "none holds a row of the keys".to_owned(),
        found => format!("{} still hold rows of the keys", count(*found)),
    };
    let proof = format!("opened and searched: {}, {verdict}", plural(*files_searched, "file"));
    lines.extend(wrapped(&proof, "  ", width));
    lines.extend(beyond_lines(report, width, palette));
    lines
}

/// Those of the numbers that are not 0.
fn numbers(named: &[(&str, u64)]) -> Vec<String> {
    let some = named.iter().filter(|(_, number)| *number > 0);
    some.map(|(name, number)| format!("  {name:<40}{:>10}", count(*number))).collect()
}

fn beyond_lines(report: &Forgotten, width: usize, palette: Palette) -> Vec<String> {
    let mut lines = vec![palette.strong("out of reach:")];
    for beyond in &report.beyond {
        let mut told = wrapped(&beyond.what, "    ", width);
        if let Some(first) = told.first_mut() {
            first.replace_range(2..3, "-");
        }
        lines.extend(told);
        let remedy = wrapped(&beyond.remedy, "      ", width);
        lines.extend(remedy.into_iter().map(|line| palette.faint(line)));
    }
    lines
}

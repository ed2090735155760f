//! Two DMS tasks that write one table's folder.

use dmslake::pipeline::Losses;
use dmslake::storage::StoreKind;

use super::site::Site;

fn row(id: u32, sequence: u32) -> String {
    format!("U,{id},v,{sequence:035}")
}

#[tokio::test]
async fn objects_of_two_tasks_that_take_turns_are_held_and_those_of_one_go_on() {
    let site = Site::on(StoreKind::S3);
    site.stage("LOAD00000001.csv", &["1,a"]).await;
    let mut second_task = Vec::new();
    for minute in 0..10 {
        for task in 0..2 {
            let name = site.change(60 * minute + 20 * task);
            let first = u32::try_from(100 * minute + 7 * task + 1).unwrap();
            let rows = [row(1, first), row(1, first + 99)];
            site.stage(&name, &[&rows[0], &rows[1]]).await;
            if task == 1 {
                second_task.push(name);
            }
        }
    }
    let held = site.expect_held(&["interleave", "two DMS tasks", "stop one of the tasks"]).await;
    assert!(held.objects < 20 && held.pending > 0, "{held:?}");
    // The second task's objects that are not applied yet are moved away.
    let pending: Vec<String> = {
        let applied = usize::try_from(held.objects).unwrap().saturating_sub(1);
        second_task.into_iter().filter(|name| position(&site, name) >= applied).collect()
    };
    for name in pending {
        site.expire(&name).await;
    }
    site.resume(Losses::Accepted).await;
    site.expect_ok(&["1=v"]).await;
}

/// The position of a change object among all of them.
fn position(site: &Site, name: &str) -> usize {
    let all = (0..10).flat_map(|minute| [site.change(60 * minute), site.change(60 * minute + 20)]);
    all.into_iter().position(|other| other == name).unwrap()
}

#[tokio::test]
async fn a_task_that_resumes_twice_is_one_task() {
    let site = Site::on(StoreKind::S3);
    site.stage("LOAD00000001.csv", &["1,a"]).await;
    for (at, (first, last)) in
        [(1, 9), (10, 19), (5, 12), (13, 30), (21, 40), (41, 50)].into_iter().enumerate()
    {
        let name = site.change(60 * i64::try_from(at).unwrap());
        site.stage(&name, &[&row(1, first), &row(1, last)]).await;
    }
    let report = site.expect_ok(&["1=v"]).await;
    assert_eq!(report.replayed, 3, "{report:?}");
}

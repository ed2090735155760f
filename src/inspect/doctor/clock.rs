//! Whether this machine and the store agree on the time.

use chrono::{DateTime, TimeDelta, Utc};

use crate::inspect::doctor::account::Account;
use crate::inspect::doctor::{Check, Finding, Severity};
use crate::pipeline::Pipeline;

/// From here on it is worth setting right: DMS's stamps, the ages of objects and the end of a reload
/// are compared with this clock.
const WARNS: TimeDelta = TimeDelta::minutes(1);
/// From here on S3 refuses requests, which are signed with the time.
const REFUSES: TimeDelta = TimeDelta::minutes(15);

/// Compares the clocks.
pub(super) async fn compare(pipeline: &Pipeline, account: Option<&Account>) -> Finding {
    let bucket = pipeline.lake().bucket().or_else(|| pipeline.staging().bucket());
    let (Some(bucket), Some(account)) = (bucket, account) else {
        let what = "staging and lake are folders of this machine";
        return Finding::new(Severity::Skipped, Check::Clock, what);
    };
    let asked = pipeline.clock().now();
    let told = account.time_of(bucket).await;
    let answered = pipeline.clock().now();
    match told {
        Some(store) => judge(asked, store, answered),
        None => Finding::new(
            Severity::Unknown,
            Check::Clock,
            format!("the store of s3://{bucket} does not tell its time"),
        )
        .with_advice("look whether it answers at all")
        .then(format!("aws s3api head-bucket --bucket {bucket}")),
    }
}

/// What follows if the store told a whole second between two times of this machine.
fn judge(asked: DateTime<Utc>, store: DateTime<Utc>, answered: DateTime<Utc>) -> Finding {
    let ahead = asked - (store + TimeDelta::seconds(1));
    let behind = store - answered;
    let apart = ahead.max(behind).max(TimeDelta::zero());
    let way = if ahead > behind { "ahead of" } else { "behind" };
    let what = format!("this machine's clock is {} s {way} the store's", apart.num_seconds());
    let severity = match apart {
        apart if apart >= REFUSES => Severity::Problem,
        apart if apart >= WARNS => Severity::Warning,
        _ => {
            let what = "this machine and the store tell the same time, to a minute";
            return Finding::new(Severity::Ok, Check::Clock, what);
        }
    };
    Finding::new(severity, Check::Clock, what)
        .with_advice(
            "let NTP set it: requests are signed with it (S3 refuses 15 minutes), and vacuum, \
             expiry and the end of a reload compare it with the times of objects",
        )
        .then("timedatectl set-ntp true")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(asked: i64, store: i64, answered: i64) -> (Severity, String) {
        let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        let finding = judge(at(asked), at(store), at(answered));
        (finding.severity, finding.what)
    }

    #[test]
    fn what_the_request_took_is_not_counted_as_a_difference() {
        assert_eq!(judged(1_000, 1_000, 1_000).0, Severity::Ok);
        // 59 s behind, and 60 s; 60 s ahead, of which one may be the rounded second.
        assert_eq!(judged(1_000, 1_060, 1_001).0, Severity::Ok);
        let (severity, what) = judged(1_000, 1_061, 1_001);
        assert_eq!(severity, Severity::Warning);
        assert_eq!(what, "this machine's clock is 60 s behind the store's");
        assert_eq!(judged(1_060, 1_000, 1_090).0, Severity::Ok);
        let (severity, what) = judged(1_061, 1_000, 1_090);
        assert_eq!(severity, Severity::Warning);
        assert_eq!(what, "this machine's clock is 60 s ahead of the store's");
        assert_eq!(judged(1_000, 1_900, 1_000).0, Severity::Problem);
    }
}

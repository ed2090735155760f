//! Whether objects are deleted by age: staged ones before they are applied, the lake's at all.

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::types::{
    ExpirationStatus, LifecycleExpiration, LifecycleRule, TransitionStorageClass,
};
use chrono::{DateTime, TimeDelta, Utc};

use crate::clock::{seconds_between, shown};
use crate::config::{OWN, TableName};
use crate::inspect::TableStatus;
use crate::inspect::doctor::account::{Account, told};
use crate::inspect::doctor::{Check, Finding, Severity};
use crate::pipeline::Pipeline;
use crate::storage::Location;

/// Less than this until an object expires is a problem; less than a quarter of its life, a warning.
const SOON: TimeDelta = TimeDelta::days(1);
/// What may expire in the lake: what jobs that crashed have left.
const SCRATCH: &str = "scratch/";

/// A rule of a bucket that deletes or moves what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    name: String,
    prefix: String,
    /// Objects are deleted after so many days.
    days: Option<u32>,
    /// Objects go where they cannot be read at once.
    archives: bool,
}

impl Rule {
    fn of(rule: &LifecycleRule) -> Option<Self> {
        if *rule.status() != ExpirationStatus::Enabled {
            return None;
        }
        let filter = rule.filter();
        let and = filter.and_then(|filter| filter.and());
        // DMS and dmslake give objects no tags, so a rule about tags is about others.
        if filter.is_some_and(|it| it.tag().is_some())
            || and.is_some_and(|it| !it.tags().is_empty())
        {
            return None;
        }
        #[expect(deprecated, reason = "old rules have their prefix there")]
        let prefix = rule.prefix();
        let prefix =
            prefix.or(filter.and_then(|it| it.prefix())).or(and.and_then(|it| it.prefix()));
        let days = rule.expiration().and_then(LifecycleExpiration::days);
        let days = days.and_then(|days| u32::try_from(days).ok()).filter(|days| *days > 0);
        let classes = rule.transitions().iter().filter_map(|it| it.storage_class());
        let mut classes = classes.map(TransitionStorageClass::as_str);
        let archives = classes.any(|class| ["GLACIER", "DEEP_ARCHIVE"].contains(&class));
        let rule = Self {
            name: rule.id().unwrap_or("without an ID").to_owned(),
            prefix: prefix.unwrap_or_default().to_owned(),
            days,
            archives,
        };
        (rule.days.is_some() || rule.archives).then_some(rule)
    }

    /// Whether it is about objects below a folder, whose key ends with a slash or is empty.
    fn touches(&self, folder: &str) -> bool {
        folder.starts_with(&self.prefix) || self.prefix.starts_with(folder)
    }
}

/// Compares the buckets' rules with the configuration, and returns after how many days staged
/// objects are deleted, as far as that is known.
pub(super) async fn rules(
    pipeline: &Pipeline,
    account: Option<&Account>,
) -> (Option<u32>, Vec<Finding>) {
    let configured = pipeline.settings().staging_expiry_days;
    let mut findings = Vec::new();
    let mut days = configured;
    if let Some((account, bucket)) = account.zip(pipeline.staging().bucket()) {
        match read(account, bucket).await {
            Ok(rules) => {
                let folder = key_of(pipeline.staging());
                let about: Vec<&Rule> = rules.iter().filter(|it| it.touches(&folder)).collect();
                // A rule about a part of staging says nothing of the rest.
                let (all, parts): (Vec<&Rule>, Vec<&Rule>) =
                    about.into_iter().partition(|rule| folder.starts_with(&rule.prefix));
                let real = all.iter().filter_map(|rule| rule.days).min();
                findings.extend(of_staging(bucket, &all, configured, real));
                findings.extend(parts.iter().filter_map(|rule| of_part(bucket, rule)));
                days = configured.into_iter().chain(real).min();
            }
            Err(finding) => findings.push(finding),
        }
    }
    if let Some((account, bucket)) = account.zip(pipeline.lake().bucket()) {
        match read(account, bucket).await {
            Ok(rules) => findings.extend(of_lake(bucket, &rules, &key_of(pipeline.lake()))),
            Err(finding) => findings.push(finding),
        }
    }
    if findings.is_empty() && days.is_none() {
        let what = "nothing tells that staged objects are deleted by age";
        findings.push(Finding::new(Severity::Skipped, Check::Expiry, what));
    }
    findings.dedup();
    (days, findings)
}

/// A folder as keys begin with it.
fn key_of(place: &Location) -> String {
    let prefix = place.prefix().as_ref();
    if prefix.is_empty() { String::new() } else { format!("{prefix}/") }
}

async fn read(account: &Account, bucket: &str) -> Result<Vec<Rule>, Finding> {
    let asked = account.s3().get_bucket_lifecycle_configuration().bucket(bucket);
    match Box::pin(asked.send()).await {
        Ok(found) => Ok(found.rules().iter().filter_map(Rule::of).collect()),
        Err(error) if error.code() == Some("NoSuchLifecycleConfiguration") => Ok(Vec::new()),
        Err(error) => {
            let what = format!("the rules of s3://{bucket} cannot be read: {}", told(&error));
            Err(Finding::new(Severity::Unknown, Check::Expiry, what)
                .with_advice(
                    "grant s3:GetLifecycleConfiguration on the bucket to whoever runs this",
                )
                .then(shows(bucket)))
        }
    }
}

fn shows(bucket: &str) -> String {
    format!("aws s3api get-bucket-lifecycle-configuration --bucket {bucket}")
}

fn of_part(bucket: &str, rule: &Rule) -> Option<Finding> {
    let days = rule.days?;
    let what = format!(
        "the rule {} deletes objects below s3://{bucket}/{} after {days} days, and no others of staging",
        rule.name, rule.prefix
    );
    Some(
        Finding::new(Severity::Warning, Check::Expiry, what)
            .with_advice("let staged objects of all tables expire at the same age")
            .then(shows(bucket)),
    )
}

fn of_staging(
    bucket: &str,
    about: &[&Rule],
    configured: Option<u32>,
    real: Option<u32>,
) -> Vec<Finding> {
    let finding = |severity, what: String| Finding::new(severity, Check::Expiry, what);
    let mut findings = Vec::new();
    for rule in about.iter().filter(|rule| rule.archives) {
        let what = format!(
            "the rule {} of s3://{bucket} moves staged objects where they cannot be read at once",
            rule.name
        );
        findings.push(
            finding(Severity::Warning, what)
                .with_advice("take staging out of it; to save, let staged objects expire")
                .then(shows(bucket)),
        );
    }
    match (real, configured) {
        (Some(real), None) => findings.push(
            finding(
                Severity::Warning,
                format!(
                    "s3://{bucket} deletes staged objects after {real} days, and the configuration \
                     does not say so"
                ),
            )
            .with_advice(format!(
                "set staging_expiry_days = {real}: objects that vanish by age are then told from \
                 those that DMS deleted, and status warns"
            ))
            .then("dmslake help configuration"),
        ),
        (Some(real), Some(said)) if real != said => findings.push(
            finding(
                Severity::Warning,
                format!(
                    "s3://{bucket} deletes staged objects after {real} days, and \
                     staging_expiry_days is {said}"
                ),
            )
            .with_advice(format!("set staging_expiry_days = {real}, or change the rule"))
            .then(shows(bucket)),
        ),
        (None, Some(said)) => findings.push(
            finding(
                Severity::Note,
                format!(
                    "staging_expiry_days is {said}, and no rule of s3://{bucket} deletes staged \
                     objects by age"
                ),
            )
            .with_advice("remove it, if nothing else deletes them")
            .then(shows(bucket)),
        ),
        (Some(days), Some(_)) => findings.push(finding(
            Severity::Ok,
            format!("staged objects are deleted after {days} days, as configured"),
        )),
        (None, None) => findings.push(finding(
            Severity::Ok,
            format!("no rule of s3://{bucket} deletes staged objects by age"),
        )),
    }
    findings
}

fn of_lake(bucket: &str, rules: &[Rule], lake: &str) -> Vec<Finding> {
    let scratch = format!("{lake}{OWN}/{SCRATCH}");
    let harms = |rule: &&Rule| rule.touches(lake) && !rule.prefix.starts_with(&scratch);
    let finding = |rule: &Rule| {
        let does = if rule.days.is_some() { "deletes" } else { "archives" };
        let what = format!(
            "the rule {} of s3://{bucket} {does} objects of the lake by age: tables lose rows",
            rule.name
        );
        Finding::new(Severity::Problem, Check::Expiry, what)
            .with_advice(
                "take the lake out of its filter at once, and restore what is gone from older \
                 versions of its objects; dmslake maintain deletes what no version needs",
            )
            .then(shows(bucket))
    };
    rules.iter().filter(harms).map(finding).collect()
}

/// Whether the oldest object of a table that is not applied expires soon.
pub(super) fn of_pending(
    table: &TableName,
    status: &TableStatus,
    days: Option<u32>,
    now: DateTime<Utc>,
) -> Option<Finding> {
    let life = TimeDelta::days(days?.into());
    let expires = status.pending.oldest?.checked_add_signed(life)?;
    let left = expires - now;
    let severity = match left {
        left if left < SOON => Severity::Problem,
        left if left < life / 4 => Severity::Warning,
        _ => return None,
    };
    let hours = seconds_between(now, expires) / 3600;
    let what = if left <= TimeDelta::zero() {
        format!("its oldest object that is not applied may be deleted since {}", shown(expires))
    } else {
        format!(
            "its oldest object that is not applied is deleted at {}, in {hours} h",
            shown(expires)
        )
    };
    let apply = format!("dmslake apply --table {table}");
    Some(
        Finding::new(severity, Check::Expiry, what)
            .of(table)
            .with_advice("apply it before, or let staged objects live longer")
            .then(status.next.clone().unwrap_or(apply)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str, prefix: &str, days: u32) -> Rule {
        Rule { name: name.into(), prefix: prefix.into(), days: Some(days), archives: false }
    }

    #[test]
    fn a_rule_harms_the_lake_unless_it_is_about_scratch_or_others() {
        let rules = [
            rule("all", "", 30),
            rule("above", "tab", 30),
            rule("one", "tables/shop/", 30),
            rule("state", "tables/_dmslake/state/", 30),
            rule("scratch", "tables/_dmslake/scratch/", 7),
            rule("results", "athena/", 7),
        ];
        let harmful: Vec<String> =
            of_lake("b", &rules, "tables/").into_iter().map(|it| it.what).collect();
        assert_eq!(harmful.len(), 4, "{harmful:?}");
        for (what, name) in harmful.iter().zip(["all", "above", "one", "state"]) {
            assert!(what.contains(&format!("the rule {name} of")), "{what}");
        }
    }

    #[test]
    fn what_the_bucket_does_is_compared_with_what_is_configured() {
        let told = |configured, real| {
            let found = of_staging("b", &[], configured, real);
            (found.len(), found[0].severity)
        };
        assert_eq!(told(None, None), (1, Severity::Ok));
        assert_eq!(told(Some(30), Some(30)), (1, Severity::Ok));
        assert_eq!(told(None, Some(30)), (1, Severity::Warning));
        assert_eq!(told(Some(60), Some(30)), (1, Severity::Warning));
        assert_eq!(told(Some(30), None), (1, Severity::Note));
    }
}

//! On moto: buckets, their rules and notifications, queues, and entries in Glue.

use aws_config::SdkConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, Event, ExpirationStatus, FilterRule, FilterRuleName,
    LifecycleExpiration, LifecycleRule, LifecycleRuleFilter, NotificationConfiguration,
    NotificationConfigurationFilter, QueueConfiguration, S3KeyFilter,
};
use aws_sdk_sqs::types::QueueAttributeName;

use super::{Moto, Patient, TABLE, next};
use crate::support::glue::Glue;
use crate::support::moto::BUCKET;

/// Staging and lake in one bucket, with what AWS says of it.
struct Bucket {
    moto: Moto,
    chain: SdkConfig,
    patient: Patient,
}

const POLICY: &str = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\
    \"Principal\":{\"Service\":\"s3.amazonaws.com\"},\"Action\":\"sqs:SendMessage\",\
    \"Resource\":\"*\"}]}";

impl Bucket {
    async fn start(settings: &str) -> Option<Self> {
        let moto = Moto::start()?;
        let chain = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(moto.endpoint())
            .credentials_provider(Credentials::new("test", "test", None, None, "tests"));
        let mut patient = Patient::with("");
        patient.environment = moto.environment().to_vec();
        let bucket = Self { chain: chain.load().await, moto, patient };
        bucket.configure(settings);
        let folder = "dms/shop/items";
        bucket.moto.put(&format!("{folder}/LOAD00000001.csv"), "1,one\n2,two\n").await;
        bucket.moto.put(&format!("{folder}/20260301-080000000.csv"), "U,2,deux\n").await;
        bucket.patient.must("dmslake apply");
        Some(bucket)
    }

    fn configure(&self, settings: &str) {
        let text = format!(
            "staging = \"s3://{BUCKET}/dms\"\nlake = \"s3://{BUCKET}/tables\"\n{settings}\n{TABLE}"
        );
        std::fs::write(self.patient.path().join("dmslake.toml"), text).unwrap();
    }

    fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.chain).force_path_style(true);
        aws_sdk_s3::Client::from_conf(config.build())
    }

    fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.chain)
    }

    /// Makes a queue and returns its URL and its ARN.
    async fn queue(
        &self,
        name: &str,
        attributes: &[(QueueAttributeName, String)],
    ) -> (String, String) {
        let sqs = self.sqs();
        let attributes = attributes.iter().cloned().collect();
        let made = sqs.create_queue().queue_name(name).set_attributes(Some(attributes));
        let url = made.send().await.unwrap().queue_url.unwrap();
        let asked = sqs.get_queue_attributes().queue_url(&url);
        let found = asked.attribute_names(QueueAttributeName::QueueArn).send().await.unwrap();
        let arn = found.attributes.unwrap()[&QueueAttributeName::QueueArn].clone();
        (url, arn)
    }

    /// A queue as infra has it: S3 may send, and what failed goes to another one, whose URL is second.
    async fn doorbell(&self) -> (String, String, String) {
        let (dead_url, dead) = self.queue("doorbell-dead", &[]).await;
        let redrive = format!("{{\"deadLetterTargetArn\":\"{dead}\",\"maxReceiveCount\":\"5\"}}");
        let attributes = [
            (QueueAttributeName::Policy, POLICY.to_owned()),
            (QueueAttributeName::RedrivePolicy, redrive),
        ];
        let (url, arn) = self.queue("doorbell", &attributes).await;
        (url, dead_url, arn)
    }

    async fn notify(&self, arn: &str, event: &str, prefix: &str, suffix: &str) {
        let rules = [(FilterRuleName::Prefix, prefix), (FilterRuleName::Suffix, suffix)];
        let rules = rules.into_iter().filter(|(_, value)| !value.is_empty());
        let rules =
            rules.map(|(name, value)| FilterRule::builder().name(name).value(value).build());
        let key = S3KeyFilter::builder().set_filter_rules(Some(rules.collect())).build();
        let queue = QueueConfiguration::builder()
            .queue_arn(arn)
            .events(Event::from(event))
            .filter(NotificationConfigurationFilter::builder().key(key).build())
            .build()
            .unwrap();
        let configuration =
            NotificationConfiguration::builder().queue_configurations(queue).build();
        let put = self.s3().put_bucket_notification_configuration().bucket(BUCKET);
        put.notification_configuration(configuration).send().await.unwrap();
    }

    /// Lets objects with these prefixes expire after so many days.
    async fn expire(&self, rules: &[(&str, i32)]) {
        let rule = |(prefix, days): &(&str, i32)| {
            LifecycleRule::builder()
                .id(format!("expire {prefix}"))
                .status(ExpirationStatus::Enabled)
                .filter(LifecycleRuleFilter::builder().prefix(*prefix).build())
                .expiration(LifecycleExpiration::builder().days(*days).build())
                .build()
                .unwrap()
        };
        let rules = rules.iter().map(rule).collect();
        let configuration =
            BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build().unwrap();
        let put = self.s3().put_bucket_lifecycle_configuration().bucket(BUCKET);
        put.lifecycle_configuration(configuration).send().await.unwrap();
    }
}

#[tokio::test]
async fn an_account_as_infra_makes_it_is_healthy() {
    let Some(bucket) = Bucket::start("staging_expiry_days = 30").await else { return };
    let (_, _, arn) = bucket.doorbell().await;
    bucket.notify(&arn, "s3:ObjectCreated:*", "dms/", ".csv").await;
    bucket.expire(&[("dms/", 30), ("tables/_dmslake/scratch/", 7), ("athena/", 7)]).await;
    let found = bucket.patient.examined("--write-probe --yes");
    found.is_healthy();
    for check in ["credentials", "clock", "staging", "lake", "conditional-put", "notification"] {
        assert_eq!(found.severities(check), ["ok"], "{check}: {found:#?}");
    }
    assert_eq!(found.severities("queue"), ["ok", "ok"], "{found:#?}");
    assert_eq!(found.severities("expiry"), ["ok"], "{found:#?}");
    let identity = found.findings.iter().find(|it| it["check"] == "credentials").unwrap();
    let what = identity["what"].as_str().unwrap();
    assert!(what.starts_with("arn:aws:") && what.ends_with("in us-east-1"), "{what}");
    // The probe is gone.
    let listed = bucket.s3().list_objects_v2().bucket(BUCKET).prefix("tables/_dmslake/doctor/");
    assert_eq!(listed.send().await.unwrap().key_count, Some(0));
}

#[tokio::test]
async fn a_bucket_that_tells_nobody_or_of_others_is_told() {
    let Some(bucket) = Bucket::start("").await else { return };
    let (_, _, arn) = bucket.doorbell().await;
    let cases = [
        ("s3:ObjectCreated:*", "other/", ".csv", "about its objects"),
        ("s3:ObjectCreated:*", "dms/", ".parquet", "about its objects"),
        ("s3:ObjectRemoved:*", "dms/", ".csv", "tells nobody"),
        ("s3:ObjectCreated:Put", "dms/", ".csv", "large ones in parts"),
    ];
    for (event, prefix, suffix, words) in cases {
        bucket.notify(&arn, event, prefix, suffix).await;
        let found = bucket.patient.examined("");
        let severity = if words == "tells nobody" { "note" } else { "warning" };
        found.only("notification", severity, &[words]);
    }
    // One schema alone is what that table needs.
    bucket.notify(&arn, "s3:ObjectCreated:*", "dms/shop/", "").await;
    assert!(bucket.patient.examined("").of("notification").is_empty());
}

#[tokio::test]
async fn a_queue_that_s3_may_not_reach_or_where_messages_failed_is_told_with_their_number() {
    let Some(bucket) = Bucket::start("").await else { return };
    let (url, dead, arn) = bucket.doorbell().await;
    bucket.notify(&arn, "s3:ObjectCreated:*", "dms/", "").await;
    let sqs = bucket.sqs();
    for (queue, messages) in [(&url, 2), (&dead, 3)] {
        for _ in 0..messages {
            sqs.send_message().queue_url(queue).message_body("{}").send().await.unwrap();
        }
    }
    // S3's own test event, which it sends when notifications are set, waits there too.
    let asked = sqs.get_queue_attributes().queue_url(&url);
    let asked = asked.attribute_names(QueueAttributeName::ApproximateNumberOfMessages);
    let waiting = asked.send().await.unwrap().attributes.unwrap();
    let waiting = &waiting[&QueueAttributeName::ApproximateNumberOfMessages];
    assert!(waiting.parse::<u32>().unwrap() >= 2, "{waiting}");
    let found = bucket.patient.examined("");
    let only = found.only("queue", "warning", &["doorbell-dead: 3"]);
    assert!(next(only).starts_with("aws sqs start-message-move-task --source-arn arn:"), "{only}");
    let wait = format!("messages that wait: {waiting}, under way: 0");
    let is_told = |it: &serde_json::Value| it["what"].as_str().unwrap().ends_with(&wait);
    assert!(found.findings.iter().any(is_told), "{wait}: {found:#?}");

    let (_, plain) = bucket.queue("plain", &[]).await;
    bucket.notify(&plain, "s3:ObjectCreated:*", "dms/", "").await;
    let found = bucket.patient.examined("");
    let told = found.of("queue");
    let severities: Vec<&str> = told.iter().map(|it| it.0).collect();
    assert_eq!(severities, ["problem", "note"], "{told:#?}");
    assert!(told[0].2.contains("does not let S3 send"), "{told:#?}");
    assert!(told[1].2.contains("keeps no messages that failed"), "{told:#?}");
}

#[tokio::test]
async fn rules_that_delete_by_age_are_compared_with_the_configuration_and_kept_from_the_lake() {
    let Some(bucket) = Bucket::start("").await else { return };
    bucket.expire(&[("dms/", 9)]).await;
    let found = bucket.patient.examined("");
    let only = found.only("expiry", "warning", &["after 9 days", "does not say so"]);
    assert!(only["remedy"].as_str().unwrap().starts_with("set staging_expiry_days = 9"), "{only}");
    bucket.configure("staging_expiry_days = 9");
    bucket.patient.examined("").is_healthy();
    bucket.expire(&[("dms/", 9), ("dms/shop/", 5)]).await;
    bucket.patient.examined("").only("expiry", "warning", &["dms/shop/ after 5 days"]);
    bucket.expire(&[("", 9)]).await;
    let found = bucket.patient.examined("");
    found.only("expiry", "problem", &["deletes objects of the lake by age"]);
}

#[tokio::test]
async fn an_entry_in_glue_is_compared_and_brought_in_step_by_the_command() {
    let Some(bucket) = Bucket::start("").await else { return };
    let glue = Glue::at(&bucket.moto).await;
    glue.make_database("shop").await;
    bucket.configure("[catalog]\nglue = true");
    let found = bucket.patient.examined("");
    let only = found.only("catalog", "warning", &["Glue has no entry shop.items"]);
    bucket.patient.must(next(only));
    assert_eq!(bucket.patient.examined("").severities("catalog"), ["ok"]);
    // The table gets a column, while nobody tells Glue.
    bucket.configure("");
    let wider = std::fs::read_to_string(bucket.patient.path().join("dmslake.toml")).unwrap();
    let wider = wider.replace("\"text\" },", "\"text\" },\n  { name = \"more\", type = \"int\" },");
    std::fs::write(bucket.patient.path().join("dmslake.toml"), &wider).unwrap();
    bucket.moto.put("dms/shop/items/20260301-090000000.csv", "I,3,three,3\n").await;
    bucket.patient.must("dmslake apply");
    let told = wider.replace("[[table]]", "[catalog]\nglue = true\n[[table]]");
    std::fs::write(bucket.patient.path().join("dmslake.toml"), told).unwrap();
    let found = bucket.patient.examined("");
    let only = found.only("catalog", "warning", &["shop.items in Glue has other columns"]);
    bucket.patient.must(next(only));
    let entry = glue.entry("shop", "items").await;
    assert_eq!(entry.columns, ["id int", "name string", "more int"]);
    assert_eq!(bucket.patient.examined("").severities("catalog"), ["ok"]);
}

#[tokio::test]
async fn a_protocol_that_a_needed_reader_does_not_know_is_a_problem_until_it_is_lowered() {
    let settings = "[defaults]\nmerge = \"deletion-vectors\"";
    let Some(bucket) = Bucket::start(settings).await else { return };
    let patient = &bucket.patient;
    let athena = ["it is not known", "deletionVectors", "Athena"];
    patient.examined("").only("readers", "note", &athena);
    patient.examined("--readers spark,trino,duckdb,snowflake").is_healthy();
    patient.examined("--readers athena").only("readers", "unknown", &athena);
    let found = patient.examined("--readers redshift");
    let refused: Vec<_> = found.of("readers").into_iter().filter(|it| it.0 == "problem").collect();
    let [(_, "shop.items", what)] = refused[..] else { panic!("{found:#?}") };
    assert!(what.ends_with("Redshift"), "{what}");
    // As it says.
    bucket.configure("[defaults]\nmerge = \"copy-on-write\"");
    let maintain = found.findings.iter().find(|it| it["check"] == "readers").unwrap();
    patient.must(next(maintain));
    patient.examined("--readers athena").is_healthy();
    let found = patient.examined("--readers redshift");
    let only = found.only("readers", "problem", &["it has no manifest"]);
    bucket.configure("[defaults]\nredshift_manifest = true");
    patient.must(next(only));
    let found = patient.examined("--readers redshift,athena");
    found.is_healthy();
    assert_eq!(found.severities("catalog"), ["ok"]);
    // Somebody else has edited the manifest.
    let manifest = "tables/shop/items/_symlink_format_manifest/manifest";
    bucket.moto.put(manifest, "s3://elsewhere/file.parquet\n").await;
    let found = patient.examined("");
    let only = found.only("catalog", "warning", &["the manifest lists other files"]);
    patient.must(next(only));
    assert_eq!(patient.examined("").severities("catalog"), ["ok"]);
}

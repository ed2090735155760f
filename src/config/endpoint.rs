//! Makes a `[dms]` section from the output of `aws dms describe-endpoints`.

mod attributes;

use serde_json::{Map, Value as Json};
use toml::{Table, Value};

use crate::config::dms;
use crate::config::fields::{Fields, Place, Violations};
use crate::dms::S3Settings;
use crate::error::{Error, ErrorKind, Result};
use attributes::Attributes;

/// The settings of a DMS S3 target endpoint, as AWS prints them.
#[derive(Clone, Debug, PartialEq)]
pub struct EndpointSettings {
    /// Its ARN; none if only its settings are given.
    pub arn: Option<String>,
    /// Those that change the bytes or names of objects.
    pub settings: S3Settings,
    /// These settings as a `[dms]` section: what differs from DMS's own defaults, and those defaults
    /// that settle how an object is read.
    pub section: Table,
    /// All settings that this program knows of, spelled as in Terraform, bucket and folder included.
    pub members: Table,
    /// Members of the S3Settings and extra connection attributes that this program does not know,
    /// as AWS spells them. A person must find out whether they change bytes.
    pub unknown: Vec<String>,
    /// What else a person should check, in sentences.
    pub doubts: Vec<String>,
}

impl EndpointSettings {
    /// Reads the JSON of `aws dms describe-endpoints`, of one endpoint, or of its S3Settings.
    ///
    /// ```
    /// use dmslake::config::EndpointSettings;
    ///
    /// let json = r#"{ "Endpoints": [ { "EndpointType": "TARGET", "S3Settings": {
    ///     "CsvRowDelimiter": "\\n", "CsvDelimiter": "|", "BucketName": "shop-dms-staging"
    /// } } ] }"#;
    /// let endpoint = EndpointSettings::parse(json)?;
    /// assert_eq!(endpoint.settings.csv_delimiter, "|");
    /// // A default that is set explicitly may settle how an object is read.
    /// assert_eq!(
    ///     endpoint.section.to_string(),
    ///     "csv_delimiter = \"|\"\ncsv_row_delimiter = '\\n'\n"
    /// );
    /// # Ok::<(), dmslake::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Config` if it is not such JSON, if it does not hold exactly one S3 target endpoint, or if
    /// members have values that DMS does not allow: all of them, one per line.
    pub fn parse(json: &str) -> Result<Self> {
        let root: Json = serde_json::from_str(json).map_err(|error| {
            Error::new(ErrorKind::Config, "the endpoint settings are not valid JSON").because(error)
        })?;
        let Endpoint { arn, members, attributes } = s3_settings(&root)?;
        let (known, unknown) = split(members);
        let attributes = attributes::read(attributes.unwrap_or_default());
        let mut endpoint = Self {
            arn: arn.map(str::to_owned),
            settings: S3Settings::default(),
            section: known,
            members: Table::new(),
            unknown,
            doubts: Vec::new(),
        };
        endpoint.merge(attributes)?;
        endpoint.settings = read(endpoint.section.clone())?;
        endpoint.members = endpoint.section.clone();
        endpoint.section = without_defaults(endpoint.section, &endpoint.settings);
        Ok(endpoint)
    }

    /// The bucket folder into which DMS writes, as a URI; none if the bucket is not given.
    #[must_use]
    pub fn staging(&self) -> Option<String> {
        let member = |name| self.members.get(name).and_then(Value::as_str);
        let folder = member("bucket_folder").unwrap_or_default().trim_matches('/');
        let bucket = format!("s3://{}", member("bucket_name")?);
        Some(if folder.is_empty() { bucket } else { format!("{bucket}/{folder}") })
    }

    /// Merges the attributes. AWS prints every setting that has a default, whether it is set or not.
    /// So an attribute overrides a default; if it contradicts any other value, that is a doubt.
    fn merge(&mut self, attributes: Attributes) -> Result<()> {
        let set = without_defaults(self.section.clone(), &read(self.section.clone())?);
        for (name, value) in attributes.known {
            match set.get(&name) {
                Some(other) if spelled(other) != spelled(&value) => self.doubts.push(format!(
                    "{name} is {other} in the S3Settings and {value} in ExtraConnectionAttributes: \
                     which one is right?"
                )),
                _ => {
                    self.section.insert(name, value);
                }
            }
        }
        self.unknown.extend(attributes.unknown);
        self.doubts.extend(attributes.doubts);
        Ok(())
    }
}

/// A value, spelled as in attributes.
fn spelled(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The only S3Settings object in the JSON, and what stands next to it.
struct Endpoint<'a> {
    arn: Option<&'a str>,
    members: &'a Map<String, Json>,
    /// Extra connection attributes.
    attributes: Option<&'a str>,
}

fn s3_settings(root: &Json) -> Result<Endpoint<'_>> {
    let refused = |sentence: String| Error::new(ErrorKind::Config, sentence);
    let Some(object) = root.get("Endpoint").unwrap_or(root).as_object() else {
        return Err(refused("the endpoint settings are not a JSON object".to_owned()));
    };
    if let Some(endpoints) = object.get("Endpoints").and_then(Json::as_array) {
        let targets: Vec<_> = endpoints.iter().filter(|endpoint| is_s3_target(endpoint)).collect();
        if let [target] = targets.as_slice() {
            return s3_settings(target);
        }
        let identifiers =
            targets.iter().filter_map(|target| target.get("EndpointIdentifier")?.as_str());
        let identifiers = identifiers.collect::<Vec<_>>().join(", ");
        return Err(refused(match targets.len() {
            0 => "the endpoint settings hold no S3 target endpoint".to_owned(),
            _ => format!(
                "the endpoint settings hold several S3 target endpoints ({identifiers}); choose \
                 one with --filters Name=endpoint-id,Values=…"
            ),
        }));
    }
    match object.get("S3Settings") {
        Some(settings) => {
            let text = |name| object.get(name).and_then(Json::as_str);
            let (arn, attributes) = (text("EndpointArn"), text("ExtraConnectionAttributes"));
            let members = settings.as_object();
            let members =
                members.ok_or_else(|| refused("S3Settings is not a JSON object".to_owned()))?;
            Ok(Endpoint { arn, members, attributes })
        }
        None if object.contains_key("EndpointType") || object.contains_key("EngineName") => {
            Err(refused("the endpoint has no S3Settings, so it is not an S3 endpoint".to_owned()))
        }
        None => Ok(Endpoint { arn: None, members: object, attributes: None }),
    }
}

fn is_s3_target(endpoint: &Json) -> bool {
    let is_target = endpoint
        .get("EndpointType")
        .and_then(Json::as_str)
        .is_none_or(|kind| kind.eq_ignore_ascii_case("target"));
    is_target && endpoint.get("S3Settings").is_some()
}

/// Known members under Terraform's names, and the names of the others.
fn split(members: &Map<String, Json>) -> (Table, Vec<String>) {
    let mut known = Table::new();
    let mut unknown = Vec::new();
    for (name, value) in members {
        let Some(terraform_name) = dms::member_names().find(|known| pascal_case(known) == *name)
        else {
            unknown.push(name.clone());
            continue;
        };
        // A null member is not set.
        if let Some(value) = toml_value(value) {
            known.insert(terraform_name.to_owned(), value);
        }
    }
    (known, unknown)
}

/// `csv_no_sup_value` → `CsvNoSupValue`
fn pascal_case(snake_case: &str) -> String {
    let mut name = String::new();
    for word in snake_case.split('_') {
        let (first, rest) = word.split_at(usize::from(!word.is_empty()));
        name.push_str(&first.to_ascii_uppercase());
        name.push_str(rest);
    }
    name
}

/// The value as TOML; `None` for null.
fn toml_value(json: &Json) -> Option<Value> {
    match json {
        Json::Null => None,
        Json::Bool(flag) => Some(Value::from(*flag)),
        Json::String(text) => Some(Value::from(text.as_str())),
        Json::Number(number) => Some(match number.as_i64() {
            Some(integer) => Value::from(integer),
            None => Value::from(number.to_string()),
        }),
        Json::Array(items) => Some(Value::Array(items.iter().filter_map(toml_value).collect())),
        Json::Object(members) => {
            let members =
                members.iter().filter_map(|(name, value)| Some((name.clone(), toml_value(value)?)));
            Some(Value::Table(members.collect()))
        }
    }
}

fn read(section: Table) -> Result<S3Settings> {
    let violations = Violations::default();
    let place = Place::top().below("dms");
    let settings = dms::read(Fields::new(place, section, &violations));
    match violations.into_error() {
        Some(error) => Err(error),
        None => Ok(settings),
    }
}

/// Removes every member that does not change the settings.
fn without_defaults(mut section: Table, settings: &S3Settings) -> Table {
    let names: Vec<_> = section.keys().cloned().collect();
    for name in names {
        let mut shorter = section.clone();
        shorter.remove(&name);
        if read(shorter.clone()).is_ok_and(|same| same == *settings) {
            section = shorter;
        }
    }
    section
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_aws_prints_becomes_a_section_without_defaults() {
        let json = r#"{ "Endpoints": [
            { "EndpointIdentifier": "mysql", "EndpointType": "SOURCE", "EngineName": "mysql" },
            { "EndpointIdentifier": "lake", "EndpointType": "TARGET", "EngineName": "s3",
              "S3Settings": {
                "ServiceAccessRoleArn": "arn:aws:iam::123456789012:role/dms",
                "CsvRowDelimiter": "\\n", "CsvDelimiter": "\\t", "BucketFolder": "dms",
                "BucketName": "shop-dms-staging", "CompressionType": "GZIP",
                "EnableStatistics": true, "IncludeOpForFullLoad": true, "CdcInsertsOnly": false,
                "TimestampColumnName": "dms_ts", "DatePartitionEnabled": true,
                "DatePartitionSequence": "YYYYMMDD", "Rfc4180": true, "CsvNullValue": "\\N",
                "UseCsvNoSupValue": true, "CsvNoSupValue": "?", "CdcMaxBatchInterval": 60,
                "ExpectedBucketOwner": null, "NewSwitch": 3
            } } ] }"#;
        let endpoint = EndpointSettings::parse(json).expect("one S3 target");
        let section = "csv_delimiter = \"\\\\t\"\ncsv_no_sup_value = \"?\"\ncsv_null_value = \
                       '\\N'\ncsv_row_delimiter = '\\n'\ndate_partition_enabled = true\n\
                       include_op_for_full_load = true\ntimestamp_column_name = \"dms_ts\"\n\
                       use_csv_no_sup_value = true\n";
        let expected: Table = section.parse().expect("valid TOML");
        assert_eq!(endpoint.section, expected);
        assert_eq!(endpoint.staging().as_deref(), Some("s3://shop-dms-staging/dms"));
        assert_eq!(endpoint.members["compression_type"].as_str(), Some("GZIP"));
        assert_eq!(endpoint.unknown, ["NewSwitch"]);
        assert_eq!(endpoint.settings.csv_delimiter, "\t");
        assert_eq!(endpoint.settings.csv_null_value, "\\N");
        assert_eq!(read(endpoint.section).expect("as written"), endpoint.settings);
    }

    #[test]
    fn extra_connection_attributes_stand_above_defaults_and_beside_other_settings() {
        let attributes = "csvDelimiter=|;addColumnName=TRUE; timestampColumnName=dms_ts;\
                          rfc4180=false;cdcInsertsOnly=true;csvNullValue=;newSwitch=3";
        let json = r#"{ "Endpoint": { "EndpointType": "TARGET",
            "ExtraConnectionAttributes": "ATTRIBUTES",
            "S3Settings": { "CsvDelimiter": ",", "Rfc4180": true, "TimestampColumnName": "ts",
                "CdcInsertsOnly": false, "EnableStatistics": true } } }"#;
        let endpoint = EndpointSettings::parse(&json.replace("ATTRIBUTES", attributes));
        let endpoint = endpoint.expect("a target");
        let settings = &endpoint.settings;
        assert_eq!((settings.csv_delimiter.as_str(), settings.rfc_4180), ("|", false));
        assert!(settings.add_column_name && settings.cdc_inserts_only);
        assert_eq!(settings.timestamp_column_name.as_deref(), Some("ts"), "both are set");
        assert_eq!(endpoint.unknown, ["newSwitch"]);
        let [name, value] = endpoint.doubts.as_slice() else { panic!("two in {endpoint:?}") };
        assert!(name.starts_with("timestamp_column_name is \"ts\""), "{name}");
        assert!(value.starts_with("the attribute csvNullValue has no value"), "{value}");
        assert_eq!(read(endpoint.section.clone()).expect("as written"), endpoint.settings);
    }

    #[test]
    fn one_endpoint_or_its_settings_alone_are_read_too() {
        for json in [
            r#"{ "Endpoint": { "EndpointType": "target", "S3Settings": { "AddColumnName": true } } }"#,
            r#"{ "EndpointType": "target", "S3Settings": { "AddColumnName": true } }"#,
            r#"{ "S3Settings": { "AddColumnName": true } }"#,
            r#"{ "AddColumnName": true }"#,
        ] {
            let endpoint = EndpointSettings::parse(json).expect(json);
            assert!(endpoint.settings.add_column_name, "{json}");
        }
    }

    #[test]
    fn what_is_not_one_s3_target_is_refused() {
        let target = r#"{ "EndpointIdentifier": "a", "S3Settings": {} }"#;
        let cases = [
            ("{".to_owned(), "not valid JSON"),
            ("[]".to_owned(), "not a JSON object"),
            (r#"{ "Endpoints": [] }"#.to_owned(), "no S3 target endpoint"),
            (format!(r#"{{ "Endpoints": [{target}, {target}] }}"#), "(a, a)"),
            (r#"{ "EngineName": "mysql" }"#.to_owned(), "not an S3 endpoint"),
            (
                r#"{ "S3Settings": {}, "ExtraConnectionAttributes": "rfc4180=maybe" }"#.to_owned(),
                "dms.rfc_4180: \"maybe\" is not allowed",
            ),
            (r#"{ "CsvDelimiter": "" }"#.to_owned(), "dms.csv_delimiter: \"\" is not allowed"),
        ];
        for (json, sentence) in cases {
            let error = EndpointSettings::parse(&json).expect_err(&json);
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.message().contains(sentence), "{json}: {error}");
        }
    }

    #[test]
    fn every_member_of_the_api_is_known() {
        let members = "AddColumnName AddTrailingPaddingCharacter BucketFolder BucketName \
            CannedAclForObjects CdcInsertsAndUpdates CdcInsertsOnly CdcMaxBatchInterval \
            CdcMinFileSize CdcPath CompressionType CsvDelimiter CsvNoSupValue CsvNullValue \
            CsvRowDelimiter DataFormat DataPageSize DatePartitionDelimiter DatePartitionEnabled \
            DatePartitionSequence DatePartitionTimezone DictPageSizeLimit EnableStatistics \
            EncodingType EncryptionMode ExpectedBucketOwner ExternalTableDefinition \
            GlueCatalogGeneration IgnoreHeaderRows IncludeOpForFullLoad MaxFileSize \
            ParquetTimestampInMillisecond ParquetVersion PreserveTransactions Rfc4180 \
            RowGroupLength ServerSideEncryptionKmsKeyId ServiceAccessRoleArn \
            TimestampColumnName UseCsvNoSupValue UseTaskStartTimeForFullLoadTimestamp";
        let nulls: Map<_, _> =
            members.split_whitespace().map(|name| (name.to_owned(), Json::Null)).collect();
        assert_eq!(split(&nulls), (Table::new(), Vec::new()));
    }
}

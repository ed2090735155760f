//! `[metrics]`: what is told of each run, and to whom.

use url::Url;

use crate::config::fields::Fields;

/// The path of metrics below the address of a collector.
const PATH: &str = "/v1/metrics";

/// What the function tells CloudWatch, in the embedded metric format of its log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emf {
    /// Nothing.
    Off,
    /// Of all tables together, what alarms look at. The rest is in the log line all the same.
    Alarms,
    /// All tables of an invocation together.
    #[default]
    Total,
    /// Each table too, in a dimension of its own.
    PerTable,
}

/// What is told of each run, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsSettings {
    /// What the function tells CloudWatch.
    pub emf: Emf,
    /// The namespace there.
    pub namespace: String,
    /// Where a collector takes metrics by OTLP over HTTP, the path included.
    pub otlp: Option<Url>,
}

impl Default for MetricsSettings {
    fn default() -> Self {
        Self { emf: Emf::default(), namespace: "dmslake".to_owned(), otlp: None }
    }
}

pub(super) fn read(mut fields: Fields<'_>) -> MetricsSettings {
    let default = MetricsSettings::default();
    let emf = fields.read("emf", "\"total\", \"per-table\", \"alarms\" or \"off\"", |value| {
        Some(match value.as_str()? {
            "off" => Emf::Off,
            "alarms" => Emf::Alarms,
            "total" => Emf::Total,
            "per-table" => Emf::PerTable,
            _ => return None,
        })
    });
    let allowed = "1 to 255 letters, digits, spaces and any of .-_/#: that do not begin with AWS/";
    let namespace = fields.read("namespace", allowed, |value| {
        value.as_str().filter(|name| is_namespace(name)).map(str::to_owned)
    });
    let allowed = "an http:// or https:// address of a collector without a user, ? or #, such as \
                   \"http://localhost:4318\"";
    let otlp = fields.read("otlp", allowed, |value| collector(value.as_str()?));
    fields.finish();
    MetricsSettings {
        emf: emf.unwrap_or(default.emf),
        namespace: namespace.unwrap_or(default.namespace),
        otlp,
    }
}

/// As CloudWatch accepts it.
fn is_namespace(name: &str) -> bool {
    let is_allowed = |sign: char| sign.is_ascii_alphanumeric() || " .-_/#:".contains(sign);
    let is_filled = name.trim() == name && (1..=255).contains(&name.len());
    is_filled && name.chars().all(is_allowed) && !name.starts_with("AWS/") && !name.starts_with(':')
}

/// The address with the path of metrics. What is secret goes into headers, not into an address that
/// messages show.
fn collector(text: &str) -> Option<Url> {
    let mut url = Url::parse(text).ok()?;
    let is_http = matches!(url.scheme(), "http" | "https") && url.has_host();
    let is_plain = url.username().is_empty() && url.password().is_none();
    if !is_http || !is_plain || url.query().is_some() || url.fragment().is_some() {
        return None;
    }
    let base = url.path().trim_end_matches('/');
    let path = if base.ends_with(PATH) { base.to_owned() } else { format!("{base}{PATH}") };
    url.set_path(&path);
    Some(url)
}

//! `[hand_over]`: what is left to a job, and to which.

use std::time::Duration;

use crate::config::fields::Fields;

/// To whom the function leaves what is too much for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HandOverTo {
    /// Nobody: it goes on slice by slice.
    #[default]
    Nobody,
    /// Nobody, but its reports say so.
    Report,
    /// The job of this name in AWS Glue.
    Glue(String),
}

/// What is left to a job, and to which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandOverSettings {
    /// To whom.
    pub to: HandOverTo,
    /// The job in AWS Glue that a person may start.
    pub job: Option<String>,
    /// What would take the function longer than that, in as many invocations as it needs.
    pub after_minutes: u32,
    /// So many jobs may fail in a row before the table is held.
    pub attempts: u32,
}

impl HandOverSettings {
    /// What would take the function longer is too much.
    #[must_use]
    pub fn after(&self) -> Duration {
        Duration::from_secs(u64::from(self.after_minutes) * 60)
    }
}

impl Default for HandOverSettings {
    fn default() -> Self {
        Self { to: HandOverTo::Nobody, job: None, after_minutes: 30, attempts: 3 }
    }
}

pub(super) fn read(mut fields: Fields<'_>) -> HandOverSettings {
    let default = HandOverSettings::default();
    let to = fields.read("to", "\"off\", \"glue\" or \"report\"", |value| {
        let text = value.as_str()?;
        ["off", "glue", "report"].contains(&text).then(|| text.to_owned())
    });
    let job = fields.read("job", "the name of a job in Glue", |value| {
        value.as_str().filter(|name| !name.trim().is_empty()).map(str::to_owned)
    });
    let after_minutes = fields.number("after_minutes", "1 to 10080, a week", 1..=10_080);
    let attempts = fields.number("attempts", "1 to 20", 1..=20);
    let to = match (to.as_deref(), &job) {
        (Some("glue"), Some(job)) => HandOverTo::Glue(job.clone()),
        (Some("glue"), None) => {
            if !fields.violations().has("hand_over.job") {
                fields.refuse("job", "is missing; allowed with to = \"glue\": the name of a job");
            }
            HandOverTo::Nobody
        }
        (Some("report"), _) => HandOverTo::Report,
        _ => HandOverTo::Nobody,
    };
    fields.finish();
    HandOverSettings {
        to,
        job,
        after_minutes: after_minutes.unwrap_or(default.after_minutes),
        attempts: attempts.unwrap_or(default.attempts),
    }
}

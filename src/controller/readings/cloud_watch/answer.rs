//! The answers of GetMetricData
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

use super::minutes::Window;
use crate::controller::readings::failure::{Failure, Value};

/// How many characters of the messages of CloudWatch are logged.
const SHOWN: usize = 1000;

pub(super) const REFUSED: &str = "it answers with an error";
const NOT_YET: &str = "it has no data for the minute";
const NOT_A_NUMBER: &str = "the value is no finite number";

/// One page of an answer.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Page {
    #[serde(default)]
    metric_data_results: Vec<Found>,
    #[serde(default)]
    pub(super) next_token: Option<String>,
    #[serde(default)]
    messages: Vec<Message>,
}

/// What it has of one query.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Found {
    #[serde(default)]
    id: String,
    /// Seconds since 1970.
    #[serde(default)]
    timestamps: Vec<Json>,
    /// Infinite numbers are texts.
    #[serde(default)]
    values: Vec<Json>,
    #[serde(default)]
    status_code: String,
    #[serde(default)]
    messages: Vec<Message>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Message {
    #[serde(default)]
    code: String,
    #[serde(default)]
    value: String,
}

/// The values of one metric.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::controller::readings) struct Minute {
    /// That of the minute that is measured.
    pub(in crate::controller::readings) newest: Value,
    /// Those of minutes before it: by how many, and the value.
    pub(in crate::controller::readings) late: Vec<(usize, f64)>,
}

impl Minute {
    /// Returns a minute that is known at once or never.
    pub(in crate::controller::readings) const fn of(newest: Value) -> Self {
        Self {
            newest,
            late: Vec::new(),
        }
    }

    /// Returns what there is of a metric that could not be asked for.
    pub(in crate::controller::readings) const fn failed(failure: Failure) -> Self {
        Self::of(Err(failure))
    }
}

/// What the pages so far have of each query, by its ID.
#[derive(Default)]
pub(super) struct Pages {
    found: BTreeMap<String, Of>,
    messages: String,
}

#[derive(Default)]
struct Of {
    /// The values by minute; `None` for one that is no finite number.
    values: BTreeMap<i64, Option<f64>>,
    status: String,
    messages: String,
}

impl Pages {
    /// Adds a page: the values of a metric may be on several.
    pub(super) fn add(&mut self, page: Page) {
        note(&mut self.messages, &page.messages);
        for found in page.metric_data_results {
            let of = self.found.entry(found.id).or_default();
            let values = found.timestamps.iter().zip(&found.values);
            for (time, value) in values {
                if let Some(minute) = minute(time) {
                    let value = value.as_f64().filter(|value| value.is_finite());
                    of.values.insert(minute, value);
                }
            }
            of.status = found.status_code;
            note(&mut of.messages, &found.messages);
        }
    }

    /// Returns what they have of a query. `failure` is why there are no more pages, if there should be some.
    pub(super) fn of(&self, id: &str, window: Window, failure: Option<&Failure>) -> Minute {
        let Some(of) = self.found.get(id) else {
            let none =
                || Failure::new(REFUSED, format!("no answer for a metric {}", self.messages));
            return Minute::failed(failure.cloned().unwrap_or_else(none));
        };
        let newest = match of.values.get(&window.newest) {
            Some(value) => value.ok_or(Failure::empty(NOT_A_NUMBER)),
            None => Err(of.missing(failure)),
        };
        let before = of.values.range(window.first..window.newest);
        let late = before.filter_map(|(minute, value)| {
            let age = usize::try_from(window.newest - minute).ok()?;
            Some((age, (*value)?))
        });
        Minute {
            newest,
            late: late.collect(),
        }
    }
}

impl Of {
    fn missing(&self, failure: Option<&Failure>) -> Failure {
        match (self.status.as_str(), failure) {
            ("Complete", _) => Failure::empty(NOT_YET),
            (_, Some(failure)) => failure.clone(),
            (status, None) => {
                let detail = format!("StatusCode {status:?} {}", self.messages);
                Failure::new(REFUSED, detail)
            }
        }
    }
}

fn note(known: &mut String, messages: &[Message]) {
    for Message { code, value } in messages {
        let room = SHOWN.saturating_sub(known.len());
        known.extend(format!("{code}: {value} ").chars().take(room));
    }
}

/// Returns the minute of a time in seconds since 1970.
fn minute(time: &Json) -> Option<i64> {
    let seconds = time.as_f64().filter(|seconds| seconds.is_finite())?;
    #[allow(
        clippy::cast_possible_truncation,
        reason = "a time that is too large is no minute that anybody asked for"
    )]
    let minute = (seconds / 60.0).floor() as i64;
    Some(minute)
}

//! Metrics that CloudWatch has
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>).

mod answer;
mod minutes;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures::{StreamExt as _, stream};
use http::StatusCode;
use serde_json::{Value as Json, json, value::RawValue};
use tokio::time::{Instant, timeout};

use self::answer::{Page, Pages, REFUSED};
pub(super) use self::{
    answer::Minute,
    minutes::{Minutes, Window},
};
use super::failure::Failure;
use crate::{
    controller::aws::{AwsApi, AwsFailure, AwsOptions, AwsService},
    validate::CloudWatchMetric,
};

/// Where CloudWatch is: a region alone measures nothing, because the settings list which metrics are read.
pub type CloudWatchOptions = AwsOptions;

/// CloudWatch among the services of AWS. 500 metrics with the minutes of a window have less than a megabyte.
const SERVICE: AwsService = AwsService {
    name: "monitoring",
    host: "monitoring",
    target: "GraniteServiceVersion20100801",
    json: "1.0",
    largest: 4 * 1024 * 1024,
};
/// How long the answer to a request may take.
const LONGEST: Duration = Duration::from_secs(5);
/// For how long requests are sent in a minute. The last answers come before the next measurement of what tasks use.
const ASKING: Duration = Duration::from_secs(9);
/// How many requests are sent at a time.
const CONCURRENT: usize = 4;
/// How many metrics a request may have.
const MOST: usize = 500;
/// How many pages an answer may have: a request is for less than one.
const PAGES: usize = 10;
/// How many requests of a minute may be repeated in two halves, to find a metric that CloudWatch refuses.
const SPLITS: usize = 60;
/// After how many minutes a metric is asked for again that CloudWatch has refused.
const AGAIN: u32 = 60;
/// For how many seconds a point stands.
const PERIOD: i64 = 60;

const INVALID: &str = "it refuses the metric";
const NO_CREDENTIALS: &str = "the operator has no credentials for it";
const UNREACHABLE: &str = "it cannot be reached";

/// CloudWatch in one region.
pub(in crate::controller) struct CloudWatch {
    api: AwsApi,
}

/// What is known about queries from the minutes before. CloudWatch refuses a request as a whole if it refuses one metric of
/// it, so metrics that are new do not share a request with those that it has taken.
#[derive(Default)]
pub(super) struct Known {
    taken: BTreeSet<String>,
    /// For how many more minutes they are not asked for.
    refused: BTreeMap<String, u32>,
}

impl Known {
    /// Begins a minute. Forgets queries that nobody has any more.
    pub(super) fn begin(&mut self, is_asked: impl Fn(&str) -> bool) {
        self.taken.retain(|query| is_asked(query));
        self.refused.retain(|query, left| {
            *left = left.saturating_sub(1);
            *left > 0 && is_asked(query)
        });
    }

    /// Returns queries as requests have them, those that CloudWatch has taken first.
    fn batches<'q>(&self, queries: &[&'q str]) -> Vec<Vec<&'q str>> {
        let queries = queries.iter().copied();
        let asked = queries.filter(|query| !self.refused.contains_key(*query));
        let (taken, new): (Vec<_>, Vec<_>) = asked.partition(|query| self.taken.contains(*query));
        let batches = taken.chunks(MOST).chain(new.chunks(MOST));
        batches.map(<[&str]>::to_vec).collect()
    }

    /// Remembers what CloudWatch thinks of queries. If it takes none, or refuses one that it has taken before, that may be
    /// because of something else than the metric, and the metric is asked for again.
    fn learn(&mut self, answers: &[Answered<'_>]) {
        let takes_any = answers.iter().any(|it| it.fate == Fate::Taken);
        for answered in answers {
            match answered.fate {
                Fate::Taken => {
                    self.taken.insert(answered.query.to_owned());
                }
                Fate::Refused => {
                    let was_taken = self.taken.remove(answered.query);
                    if takes_any && !was_taken {
                        self.refused.insert(answered.query.to_owned(), AGAIN);
                    }
                }
                Fate::Unknown => {}
            }
        }
    }
}

/// What CloudWatch thinks of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Taken,
    Refused,
    Unknown,
}

/// What has become of a query.
struct Answered<'q> {
    query: &'q str,
    minute: Minute,
    is_asked: bool,
    fate: Fate,
}

/// Returns the query for a metric: equal ones for equal metrics.
pub(super) fn query(metric: &CloudWatchMetric) -> String {
    let mut dimensions: Vec<_> = metric.dimensions.iter().collect();
    dimensions.sort();
    let dimensions = dimensions.into_iter();
    let dimensions = dimensions.map(|(name, value)| json!({"Name": name, "Value": value}));
    let mut query = json!({
        "Metric": {
            "Namespace": metric.namespace,
            "MetricName": metric.name,
            "Dimensions": dimensions.collect::<Json>(),
        },
        "Period": PERIOD,
        "Stat": metric.statistic,
    });
    if let (Some(unit), Some(members)) = (&metric.unit, query.as_object_mut()) {
        members.insert("Unit".to_owned(), json!(unit));
    }
    query.to_string()
}

impl CloudWatch {
    /// Returns a CloudWatch, which need not be there yet.
    #[must_use]
    pub(in crate::controller) fn new(options: CloudWatchOptions) -> Self {
        Self {
            api: AwsApi::new(SERVICE, options),
        }
    }

    /// Returns the values of queries, and which of them were asked. There was no time for the others.
    pub(super) async fn values<'q>(
        &self,
        queries: &[&'q str],
        window: Window,
        known: &mut Known,
    ) -> (Vec<(&'q str, Minute)>, Vec<&'q str>) {
        let end = Instant::now() + ASKING;
        let splits = AtomicUsize::new(SPLITS);
        let batches = known.batches(queries);
        let answers = stream::iter(batches)
            .map(async |batch| self.batch(batch, window, end, &splits).await)
            .buffer_unordered(CONCURRENT)
            .collect::<Vec<_>>();
        let answers: Vec<Answered<'q>> = answers.await.into_iter().flatten().collect();
        known.learn(&answers);
        let asked = answers.iter().filter(|it| it.is_asked);
        let mut asked: Vec<&str> = asked.map(|it| it.query).collect();
        let answers = answers.into_iter().map(|it| (it.query, it.minute));
        let mut values: Vec<_> = answers.collect();
        // A metric that was refused is so until its owner changes it, and is seldom asked for again.
        let refused = queries.iter().filter(|it| known.refused.contains_key(**it));
        for query in refused.copied() {
            if !asked.contains(&query) {
                asked.push(query);
                values.push((query, Minute::failed(Failure::unasked(INVALID))));
            }
        }
        (values, asked)
    }

    /// Asks for queries of one request, or of more if CloudWatch refuses one of them.
    async fn batch<'q>(
        &self,
        batch: Vec<&'q str>,
        window: Window,
        end: Instant,
        splits: &AtomicUsize,
    ) -> Vec<Answered<'q>> {
        let mut answers = Vec::new();
        let mut waiting = vec![batch];
        while let Some(batch) = waiting.pop() {
            let mut fail = |failure: &Failure, is_asked, fate| {
                answers.extend(batch.iter().map(|query| Answered {
                    query,
                    minute: Minute::failed(failure.clone()),
                    is_asked,
                    fate,
                }));
            };
            if Instant::now() >= end {
                fail(&Failure::late(), false, Fate::Unknown);
                continue;
            }
            match self.pages(&batch, window, end).await {
                Ok((pages, failure)) => {
                    answers.extend(batch.iter().enumerate().map(|(index, query)| Answered {
                        query,
                        minute: pages.of(&id(index), window, failure.as_ref()),
                        is_asked: true,
                        fate: Fate::Taken,
                    }));
                }
                Err(AwsFailure::Refused {
                    status,
                    code,
                    detail,
                }) if is_invalid(status, &code) => {
                    let failure = Failure::new(INVALID, detail);
                    if batch.len() == 1 {
                        fail(&failure, true, Fate::Refused);
                    } else if take(splits) {
                        let (left, right) = batch.split_at(batch.len() / 2);
                        waiting.extend([right.to_vec(), left.to_vec()]);
                    } else {
                        fail(&failure, false, Fate::Unknown);
                    }
                }
                Err(failure) => fail(&shown(failure), true, Fate::Unknown),
            }
        }
        answers
    }

    /// Returns the pages of an answer, and why there are no more if there should be some.
    ///
    /// # Errors
    ///
    /// Why there are none.
    async fn pages(
        &self,
        batch: &[&str],
        window: Window,
        end: Instant,
    ) -> Result<(Pages, Option<Failure>), AwsFailure> {
        let mut pages = Pages::default();
        let mut token = None;
        for number in 0..PAGES {
            if number > 0 && Instant::now() >= end {
                return Ok((pages, Some(Failure::late())));
            }
            let page = self.page(batch, window, token.as_deref()).await;
            let page = match page {
                Ok(page) => page,
                Err(failure) if number == 0 => return Err(failure),
                Err(failure) => return Ok((pages, Some(shown(failure)))),
            };
            token.clone_from(&page.next_token);
            pages.add(page);
            if token.is_none() {
                return Ok((pages, None));
            }
        }
        let failure = Failure::new(REFUSED, format!("more than {PAGES} pages"));
        Ok((pages, Some(failure)))
    }

    async fn page(
        &self,
        batch: &[&str],
        window: Window,
        token: Option<&str>,
    ) -> Result<Page, AwsFailure> {
        let queries = batch.iter().enumerate().map(|(index, query)| {
            let query: &RawValue = serde_json::from_str(query)?;
            Ok(json!({"Id": id(index), "MetricStat": query, "ReturnData": true}))
        });
        let queries: Result<Json, serde_json::Error> = queries.collect();
        let queries = queries.map_err(|error| AwsFailure::Answer(error.to_string()))?;
        let mut request = json!({
            "StartTime": window.first * PERIOD,
            "EndTime": (window.newest + 1) * PERIOD,
            "ScanBy": "TimestampDescending",
            "MetricDataQueries": queries,
        });
        if let (Some(token), Some(members)) = (token, request.as_object_mut()) {
            members.insert("NextToken".to_owned(), json!(token));
        }
        let body = request.to_string().into_bytes();
        let answer = timeout(LONGEST, self.api.call("GetMetricData", body)).await;
        let answer = answer.map_err(|_elapsed| AwsFailure::Late)??;
        let read = serde_json::from_slice(&answer);
        read.map_err(|error| AwsFailure::Answer(format!("no answer of CloudWatch: {error}")))
    }
}

fn id(index: usize) -> String {
    format!("m{index}")
}

/// Takes one of a number that several share, if there is one left.
fn take(left: &AtomicUsize) -> bool {
    let less = |left: usize| left.checked_sub(1);
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)
        .is_ok()
}

/// The errors of a request that is refused because of a metric in it, and not because of who sends it or how often.
const OF_A_METRIC: [&str; 5] = [
    "InvalidParameter",
    "MissingParameter",
    "MissingRequiredParameter",
    "SerializationException",
    "Validation",
];

fn is_invalid(status: StatusCode, code: &str) -> bool {
    let is_it = |name: &&str| code.starts_with(*name);
    status == StatusCode::BAD_REQUEST && OF_A_METRIC.iter().any(is_it)
}

/// Returns what the owner and the administrator are told.
fn shown(failure: AwsFailure) -> Failure {
    match failure {
        AwsFailure::Credentials(detail) => Failure::new(NO_CREDENTIALS, detail),
        AwsFailure::Unreachable(detail) => Failure::new(UNREACHABLE, detail),
        AwsFailure::Late => Failure::late(),
        AwsFailure::Refused { detail, .. } | AwsFailure::Answer(detail) => {
            Failure::new(REFUSED, detail)
        }
    }
}

#[cfg(test)]
mod tests;

//! Where the values of CloudWatch metrics come from: Prometheus, external metrics of the cluster, and CloudWatch itself.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;

use super::{
    Place, asked,
    cloud_watch::{self, CloudWatch, Known, Minute, Minutes},
    external,
    failure::{Failure, Gap, Value, result},
    prometheus::Prometheus,
    turns::Turns,
};
use crate::{
    controller::{
        caches::owner::Owner, context::Context, permitted::metric_permitted, service::running_tasks,
    },
    settings::{Settings, WantedFor},
    validate::CloudWatchMetric,
};

/// What is remembered from one minute to the next.
#[derive(Default)]
pub(super) struct Sources {
    prometheus: Turns,
    external: Turns,
    cloud_watch: OfCloudWatch,
}

#[derive(Default)]
struct OfCloudWatch {
    turns: Turns,
    minutes: Minutes,
    known: Known,
}

impl Sources {
    /// Asks for the metrics of all services.
    pub(super) async fn ask(&mut self, cx: &Context) {
        let of_prometheus = async {
            if let Some(prometheus) = &cx.prometheus {
                ask_prometheus(cx, prometheus, &mut self.prometheus).await;
            }
        };
        let of_cluster = ask_cluster(cx, &mut self.external);
        let of_cloud_watch = async {
            if let Some(cloud_watch) = &cx.cloud_watch {
                self.cloud_watch.ask(cx, cloud_watch).await;
            }
        };
        // A source that is slow does not hold up the others.
        futures::join!(of_prometheus, of_cluster, of_cloud_watch);
    }
}

async fn ask_prometheus(cx: &Context, prometheus: &Prometheus, turns: &mut Turns) {
    let places = queries(cx, |settings, metric, service| {
        let queries = &settings.metric_sources.queries;
        queries.query(metric.wanted(), service)
    });
    let ask = |query| prometheus.value(query);
    ask_each(cx, &PROMETHEUS, turns, &places, ask).await;
}

async fn ask_cluster(cx: &Context, turns: &mut Turns) {
    let places = queries(cx, |settings, metric, service| {
        let external = &settings.metric_sources.external;
        external.query(metric.wanted(), service)
    });
    let ask = |query| external::value(&cx.client, query);
    ask_each(cx, &EXTERNAL, turns, &places, ask).await;
}

/// Asks a source for one value after another, and records what it answers.
async fn ask_each<'q, F: Future<Output = Value>>(
    cx: &Context,
    source: &Source,
    turns: &mut Turns,
    places: &'q BTreeMap<String, Vec<Place>>,
    ask: impl Fn(&'q str) -> F,
) {
    let queries = turns.order(places);
    let (values, asked) = asked::values(&queries, ask).await;
    turns.end(places, queries.get(..asked).unwrap_or(&queries));
    let minutes = values
        .into_iter()
        .map(|(query, value)| (query, Minute::of(value)));
    record(cx, source, places, minutes);
}

impl OfCloudWatch {
    async fn ask(&mut self, cx: &Context, cloud_watch: &CloudWatch) {
        // It counts the minutes, also those in which nothing is asked for.
        let window = self.minutes.next(Timestamp::now().as_second());
        let places = queries(cx, |settings, metric, _| {
            let is_listed = settings.metric_sources.listed.read(metric.wanted());
            is_listed.then(|| cloud_watch::query(metric))
        });
        let places = permitted(cx, places);
        let queries = self.turns.order(&places);
        self.known.begin(|query| places.contains_key(query));
        let (values, asked) = match window {
            Some(window) => {
                let known = &mut self.known;
                cloud_watch.values(&queries, window, known).await
            }
            None => without_window(&queries),
        };
        self.turns.end(&places, &asked);
        record(cx, &CLOUD_WATCH, &places, values);
    }
}

/// Returns that nothing is known while the clock is before what has been read.
fn without_window<'q>(queries: &[&'q str]) -> (Vec<(&'q str, Minute)>, Vec<&'q str>) {
    let failure = Failure::unasked("the clock of the operator has gone back");
    let queries = queries.iter();
    let values = queries.map(|query| (*query, Minute::failed(failure.clone())));
    (values.collect(), Vec::new())
}

/// The names of a source: in messages, and in the counter.
struct Source {
    name: &'static str,
    label: &'static str,
}

const PROMETHEUS: Source = Source {
    name: "Prometheus",
    label: "prometheus",
};
const EXTERNAL: Source = Source {
    name: "external.metrics.k8s.io",
    label: "external",
};
const CLOUD_WATCH: Source = Source {
    name: "CloudWatch",
    label: "cloudwatch",
};

/// Records what a source has answered, for the services and in the log.
fn record<'q>(
    cx: &Context,
    source: &Source,
    places: &BTreeMap<String, Vec<Place>>,
    values: impl IntoIterator<Item = (&'q str, Minute)>,
) {
    let Source { name, label } = source;
    let mut errors = Vec::new();
    for (query, Minute { newest, late }) in values {
        cx.metrics.queried(label, result(&newest));
        let newest = newest.map_err(|failure| {
            errors.extend(failure.detail.map(|detail| (query, detail)));
            Gap {
                why: format!("{name} does not report a metric: {}", failure.why),
                is_empty: failure.is_empty,
            }
        });
        for place in places.get(query).into_iter().flatten() {
            cx.readings.value(place, newest.as_ref());
            for (age, value) in &late {
                cx.readings.late(place, *age, *value);
            }
        }
    }
    if let Some((query, error)) = errors.first() {
        let count = errors.len();
        tracing::warn!(error, query, count, "cannot read metrics from {name}");
    }
}

/// Returns the queries for the metrics of all services, and what each is for.
fn queries(
    cx: &Context,
    query: impl Fn(&Settings, &CloudWatchMetric, WantedFor<'_>) -> Option<String>,
) -> BTreeMap<String, Vec<Place>> {
    let settings = cx.settings("");
    cx.readings.queries(|owner, metric| {
        let Owner::Service(namespace, service) = owner else {
            return None;
        };
        let service = WantedFor {
            namespace,
            service,
            tasks: running_tasks(cx, owner)?,
        };
        query(&settings, metric, service)
    })
}

/// Returns the queries for the services whose namespaces may read the metric. The others are told.
fn permitted(cx: &Context, queries: BTreeMap<String, Vec<Place>>) -> BTreeMap<String, Vec<Place>> {
    let mut judged: BTreeMap<(String, String), Result<(), Gap>> = BTreeMap::new();
    let mut permitted: BTreeMap<String, Vec<Place>> = BTreeMap::new();
    for (query, places) in queries {
        for place in places {
            let (owner, metric) = &place;
            let (namespace, of_metric) = (owner.namespace(), &metric.namespace);
            let judgment = judged
                .entry((namespace.to_owned(), of_metric.clone()))
                .or_insert_with(|| {
                    let permitted = metric_permitted(cx, namespace, of_metric);
                    permitted.map_err(|why| Gap {
                        why,
                        is_empty: false,
                    })
                });
            match judgment {
                Ok(()) => permitted.entry(query.clone()).or_default().push(place),
                Err(why) => cx.readings.value(&place, Err(why)),
            }
        }
    }
    permitted
}

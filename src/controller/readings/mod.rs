//! What the operator measures of the services whose policies it runs: points of their metrics, minute by minute. They are
//! in memory alone. After a restart they fill again, and until then nothing is scaled by what is not known.

mod asked;
mod cloud_watch;
mod external;
mod failure;
mod measure;
mod measured;
mod pod_metrics;
mod prometheus;
mod reading;
mod sources;
mod turns;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard},
};

#[cfg(test)]
pub(super) use self::measure::end_minute;
pub(super) use self::{
    cloud_watch::CloudWatch, measure::measure_services, prometheus::Prometheus, reading::Health,
};
pub use self::{cloud_watch::CloudWatchOptions, prometheus::PrometheusOptions};
use self::{failure::Gap, reading::Reading};
use super::{caches::owner::Owner, context::lock};
use crate::{
    crd::AutoScalingStatus,
    decide::scaling::{
        engine::Service,
        usage::{Reserved, Used},
    },
    settings::Settings,
    validate::{AutoScaling, CloudWatchMetric},
};

/// A service, and a metric of its policies.
type Place = (Owner, CloudWatchMetric);

/// The readings of all services whose policies the operator runs.
#[derive(Default)]
pub(super) struct Readings {
    of: Mutex<HashMap<Owner, Reading>>,
}

impl Readings {
    fn of(&self) -> MutexGuard<'_, HashMap<Owner, Reading>> {
        lock(&self.of)
    }

    /// Records the policies of a service that the operator runs, or that it runs none. What has been measured stays.
    /// `is_lost` says whether the status has been lost while tasks ran.
    pub(super) fn wants(
        &self,
        owner: &Owner,
        scaling: Option<&AutoScaling>,
        settings: &Settings,
        status: &AutoScalingStatus,
        is_lost: impl FnOnce() -> bool,
    ) {
        let mut of = self.of();
        let Some(scaling) = scaling else {
            of.remove(owner);
            return;
        };
        match of.get_mut(owner) {
            Some(reading) => reading.follow(scaling, settings, status),
            None => {
                of.insert(
                    owner.clone(),
                    Reading::new(scaling, settings, status, is_lost()),
                );
            }
        }
    }

    /// Forgets a service that is gone.
    pub(super) fn forget(&self, owner: &Owner) {
        self.of().remove(owner);
    }

    /// Returns the services with policies on what their tasks use, by namespace.
    fn of_pods(&self) -> Vec<(String, Vec<String>)> {
        let of = self.of();
        let mut namespaces: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (owner, _) in of.iter().filter(|(_, reading)| reading.is_of_pods()) {
            let (Owner::Service(namespace, name) | Owner::Task(namespace, name)) = owner;
            let services = namespaces.entry(namespace.clone()).or_default();
            services.push(name.clone());
        }
        namespaces.into_iter().collect()
    }

    /// Records what the tasks of a service reserve and use at a moment, as far as it is known.
    pub(super) fn sample(&self, owner: &Owner, tasks: &[(Reserved, Used)]) {
        if let Some(reading) = self.of().get_mut(owner) {
            reading.sample(tasks);
        }
    }

    /// Returns the queries for the metrics of all services, and the services and metrics that each is for.
    fn queries(
        &self,
        query: impl Fn(&Owner, &CloudWatchMetric) -> Option<String>,
    ) -> BTreeMap<String, Vec<Place>> {
        let of = self.of();
        let mut queries: BTreeMap<String, Vec<Place>> = BTreeMap::new();
        let metrics = of.iter().flat_map(|(owner, reading)| {
            let of_it = reading.cloud_watch();
            of_it.map(move |metric| (owner, metric))
        });
        for (owner, metric) in metrics {
            if let Some(query) = query(owner, metric) {
                let places = queries.entry(query).or_default();
                places.push((owner.clone(), metric.clone()));
            }
        }
        queries
    }

    /// Records the value of the metric of a policy in this minute, or why it is not known.
    fn value(&self, (owner, metric): &Place, value: Result<&f64, &Gap>) {
        if let Some(reading) = self.of().get_mut(owner) {
            reading.value(metric, value);
        }
    }

    /// Records the value of a metric for a minute that ended without one: so many minutes ago.
    fn late(&self, (owner, metric): &Place, age: usize, value: f64) {
        if let Some(reading) = self.of().get_mut(owner) {
            reading.late(metric, age, value);
        }
    }

    /// Records why the tasks of a namespace cannot be measured.
    fn failed(&self, namespace: &str, why: &str) {
        let mut of = self.of();
        let of_namespace = of.iter_mut().filter(|(it, _)| it.namespace() == namespace);
        for (_, reading) in of_namespace {
            reading.failed(why);
        }
    }

    /// Ends a minute, given how many tasks of each service run; `None` for one that is gone. Returns the services.
    pub(super) fn end_minute(&self, running: impl Fn(&Owner) -> Option<i64>) -> Vec<Owner> {
        let mut of = self.of();
        of.retain(|owner, reading| {
            let running = running(owner);
            if let Some(running) = running {
                reading.end_minute(running);
            }
            running.is_some()
        });
        of.keys().cloned().collect()
    }

    /// Returns the state that the policies of a service lead to; `None` if the operator does not run them, or nothing has
    /// been measured since the last call of [`Self::decided`].
    pub(super) fn outcome(
        &self,
        owner: &Owner,
        before: &AutoScalingStatus,
        service: impl FnOnce(&AutoScaling) -> Option<Service>,
    ) -> Option<AutoScalingStatus> {
        self.of().get(owner)?.outcome(before, service)
    }

    /// Records that the outcome of this minute is on record.
    pub(super) fn decided(&self, owner: &Owner) {
        if let Some(reading) = self.of().get_mut(owner) {
            reading.decided();
        }
    }

    /// Records that the API server does not keep what is recorded, so that nothing may follow from it.
    pub(super) fn give_up(&self, owner: &Owner) {
        if let Some(reading) = self.of().get_mut(owner) {
            reading.give_up();
        }
    }

    /// Whether all metrics of a service have been known in some minute.
    pub(super) fn were_known(&self, owner: &Owner) -> bool {
        let of = self.of();
        of.get(owner).is_some_and(Reading::was_known)
    }

    /// Returns whether the metrics of a service are known; `None` if the operator does not run its policies, or it is too
    /// early to say.
    pub(super) fn health(&self, owner: &Owner) -> Option<Health> {
        self.of().get(owner)?.health()
    }

    /// Whether the operator runs the policies of a service.
    pub(super) fn has(&self, owner: &Owner) -> bool {
        self.of().contains_key(owner)
    }
}

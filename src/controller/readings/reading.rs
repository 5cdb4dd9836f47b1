//! What is measured of one service.

use k8s_openapi::jiff::Timestamp;

use super::{
    failure::Gap,
    measured::{OfPolicy, Part},
};
use crate::{
    controller::status::whole_seconds,
    crd::AutoScalingStatus,
    decide::scaling::{
        engine::Service,
        evaluation::{Alarms, minutes},
        minute::Minute,
        outcome::{Seen, outcome, restored},
        target::Point,
        usage::{Reserved, Used, utilization},
    },
    settings::Settings,
    validate::{AutoScaling, CloudWatchMetric, Series},
};

/// Why nothing follows from what is measured.
const OLDER: &str = "the CustomResourceDefinitions are those of an older version of the operator, and do not keep what it has decided";

/// For how many minutes it is known how many tasks ran.
const REMEMBERED: usize = 16;

/// The reading of one service.
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a fact of the reading, and all combinations occur"
)]
pub(super) struct Reading {
    scaling: AutoScaling,
    of_policies: Vec<OfPolicy>,
    alarms: Alarms,
    /// How many tasks ran in the last minutes, the newest last.
    ran: Vec<i64>,
    /// How many minutes have been measured.
    minutes: usize,
    /// Whether a minute has ended whose outcome is not on record.
    is_due: bool,
    /// Whether the API server drops what is recorded.
    gave_up: bool,
    /// Whether the status was lost before, while tasks ran.
    is_lost: bool,
}

/// Whether the metrics of a service are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::controller) enum Health {
    /// All are.
    Known,
    /// Some have not been for some minutes, for this reason.
    Unknown(String),
}

impl Reading {
    pub(super) fn new(
        scaling: &AutoScaling,
        settings: &Settings,
        status: &AutoScalingStatus,
        is_lost: bool,
    ) -> Self {
        let mut reading = Self {
            scaling: AutoScaling::default(),
            of_policies: Vec::new(),
            alarms: Alarms::default(),
            ran: Vec::new(),
            minutes: 0,
            is_due: false,
            gave_up: false,
            is_lost,
        };
        reading.follow(scaling, settings, status);
        reading
    }

    /// Follows other policies. What has been measured for the same metric stays.
    pub(super) fn follow(
        &mut self,
        scaling: &AutoScaling,
        settings: &Settings,
        status: &AutoScalingStatus,
    ) {
        if self.scaling == *scaling {
            return;
        }
        let before = std::mem::take(&mut self.of_policies);
        self.of_policies = scaling
            .series()
            .map(|(index, series)| {
                let before = before.iter().find(|before| before.series == series);
                let before = before.cloned();
                let mut before = before.unwrap_or_else(|| OfPolicy::new(series.clone()));
                for part in &mut before.parts {
                    part.is_delayed = part.series.is_delayed(settings);
                }
                let mut targets = scaling.policies.iter();
                OfPolicy {
                    index,
                    is_measured: series.is_measured(settings),
                    is_acted_on: scaling.acts_on(index),
                    is_tracked: targets.any(|policy| policy.index == index),
                    ..before
                }
            })
            .collect();
        self.alarms = restored(scaling, status);
        self.scaling = scaling.clone();
        self.look();
    }

    /// Whether it is measured at its pods.
    pub(super) fn is_of_pods(&self) -> bool {
        let mut parts = self.of_policies.iter().flat_map(|it| &it.parts);
        parts.any(|part| part.series.is_use())
    }

    /// Returns the CloudWatch metrics that are read, each once.
    pub(super) fn cloud_watch(&self) -> impl Iterator<Item = &CloudWatchMetric> {
        let measured = self.of_policies.iter().filter(|it| it.is_measured);
        let parts = measured.flat_map(|it| &it.parts);
        let metrics = parts.filter_map(|part| match &part.series {
            Series::CloudWatch(metric) => Some(metric),
            _ => None,
        });
        let mut once: Vec<&CloudWatchMetric> = Vec::new();
        for metric in metrics {
            if !once.contains(&metric) {
                once.push(metric);
            }
        }
        once.into_iter()
    }

    /// Records the value of a metric in this minute, or why it is not known, for all policies that look at it: they may be
    /// others than when it was asked for.
    pub(super) fn value(&mut self, metric: &CloudWatchMetric, value: Result<&f64, &Gap>) {
        let is_it = |series: &Series| matches!(series, Series::CloudWatch(it) if it == metric);
        for part in self.parts().filter(|part| is_it(&part.series)) {
            part.failure = value.err().map(|gap| gap.why.clone());
            part.is_empty = value.is_err_and(|gap| gap.is_empty);
            part.samples.extend(value.ok());
        }
    }

    /// Records the value of a metric for a minute that ended without one, so many minutes ago.
    pub(super) fn late(&mut self, metric: &CloudWatchMetric, age: usize, value: f64) {
        for of_policy in &mut self.of_policies {
            of_policy.late(metric, (age, value), &self.ran);
        }
    }

    pub(super) fn sample(&mut self, tasks: &[(Reserved, Used)]) {
        for part in self.of_use() {
            part.failure = None;
            let sample = utilization(&part.series, tasks);
            part.samples.extend(sample);
        }
    }

    /// Records why what its tasks use cannot be measured.
    pub(super) fn failed(&mut self, why: &str) {
        for part in self.of_use() {
            part.failure = Some(why.to_owned());
        }
    }

    fn of_use(&mut self) -> impl Iterator<Item = &mut Part> {
        self.parts().filter(|part| part.series.is_use())
    }

    fn parts(&mut self) -> impl Iterator<Item = &mut Part> {
        self.of_policies.iter_mut().flat_map(|it| &mut it.parts)
    }

    /// Turns what was measured in a minute into its points.
    pub(super) fn end_minute(&mut self, running: i64) {
        let kept = minutes(&self.scaling);
        self.ran.push(running);
        let old = self.ran.len().saturating_sub(REMEMBERED);
        self.ran.drain(..old);
        for of_policy in &mut self.of_policies {
            of_policy.end_minute(&self.ran, kept);
        }
        self.minutes += 1;
        self.is_due = true;
        self.look();
    }

    /// Has the alarms look at the points.
    fn look(&mut self) {
        let of_policies = &self.of_policies;
        self.alarms
            .look(&self.scaling, |index| points(of_policies, index));
    }

    pub(super) fn outcome(
        &self,
        before: &AutoScalingStatus,
        service: impl FnOnce(&AutoScaling) -> Option<Service>,
    ) -> Option<AutoScalingStatus> {
        if !self.is_due || self.gave_up {
            return None;
        }
        let seen = Seen {
            scaling: &self.scaling,
            alarms: &self.alarms,
            points: &|index| points(&self.of_policies, index),
            is_complete: self.minutes >= minutes(&self.scaling),
            is_lost: self.is_lost,
        };
        let service = service(&self.scaling)?;
        let now = whole_seconds(Timestamp::now());
        Some(outcome(before, &service, seen, now))
    }

    pub(super) const fn decided(&mut self) {
        self.is_due = false;
    }

    pub(super) const fn give_up(&mut self) {
        self.gave_up = true;
    }

    /// Whether each metric has been known and is not in trouble, so that the operator can take over from an autoscaler.
    pub(super) fn was_known(&self) -> bool {
        let is_known = |it: &OfPolicy| it.was_known() && !it.is_in_trouble();
        self.minutes > 0 && !self.gave_up && self.of_policies.iter().all(is_known)
    }

    pub(super) fn health(&self) -> Option<Health> {
        if self.gave_up {
            return Some(Health::Unknown(OLDER.to_owned()));
        }
        if self.minutes == 0 {
            return None;
        }
        let mut troubled = self.of_policies.iter().filter(|it| it.is_in_trouble());
        let waits = self.of_policies.iter().any(OfPolicy::waits_for_first_value);
        match troubled.next() {
            Some(troubled) => Some(Health::Unknown(troubled.why())),
            None if waits => None,
            None => Some(Health::Known),
        }
    }
}

/// Returns the points of a policy by its position.
fn points(of_policies: &[OfPolicy], index: usize) -> &[Minute<Point>] {
    let mut of_policies = of_policies.iter();
    let found = of_policies.find(|it| it.index == index);
    found.map_or(&[], |it| &it.points)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::MetricSources;
    use crate::validate::{
        Adjustment, Alarm, AlarmRule, Comparison, Metric, Missing, Statistic, StepPolicy,
        StepScaling, TargetTracking, Trigger,
    };

    fn scaling(max: i64) -> AutoScaling {
        AutoScaling {
            min_capacity: 1,
            max_capacity: max,
            policies: vec![TargetTracking {
                index: 0,
                name: "cpu".to_owned(),
                metric: Metric::Cpu,
                target_value: 50.0,
                scale_out_cooldown: None,
                scale_in_cooldown: None,
                disable_scale_in: false,
                replaced_steps: None,
            }],
            by_operator: true,
            ..AutoScaling::default()
        }
    }

    /// Returns that a metric could not be read.
    fn unread(why: &str) -> Gap {
        Gap {
            why: why.to_owned(),
            is_empty: false,
        }
    }

    fn with_sources(sources: MetricSources) -> Settings {
        Settings {
            metric_sources: sources,
            ..Settings::default()
        }
    }

    /// Returns settings with which these metrics are read from CloudWatch.
    fn listing(metrics: &str) -> Settings {
        let listed = metrics.parse().expect("it is a metric or a namespace");
        with_sources(MetricSources {
            listed: [listed].into_iter().collect(),
            ..MetricSources::default()
        })
    }

    /// Returns settings with which a metric is read from Prometheus.
    fn querying(query: &str) -> Settings {
        let query = query.parse().expect("it is a query");
        with_sources(MetricSources {
            queries: [query].into_iter().collect(),
            ..MetricSources::default()
        })
    }

    fn reading_of(scaling: &AutoScaling, settings: &Settings) -> Reading {
        Reading::new(scaling, settings, &AutoScalingStatus::default(), false)
    }

    fn reading() -> Reading {
        reading_of(&scaling(9), &Settings::default())
    }

    fn use_cpu(reading: &mut Reading, percent: f64) {
        let reserved = Reserved {
            millicores: 1000,
            bytes: 0,
        };
        let used = Used {
            cores: percent / 100.0,
            bytes: 0.0,
        };
        reading.sample(&[(reserved, used)]);
    }

    /// Returns what is known of each minute for the policy at a position.
    fn found(reading: &Reading, index: usize) -> Vec<Option<Point>> {
        let points = points(&reading.of_policies, index).iter();
        points.map(|point| point.value()).collect()
    }

    #[test]
    fn the_mean_of_a_minute_is_its_point() {
        let mut reading = reading();
        for percent in [40.0, 60.0, 80.0, 60.0] {
            use_cpu(&mut reading, percent);
        }
        reading.end_minute(3);
        reading.end_minute(3);
        let points = found(&reading, 0);
        let expected = Point {
            metric: 60.0,
            tasks: 3,
        };
        assert_eq!(points, [Some(expected), None]);
        // Tasks that have ended since are no load of a service without tasks.
        use_cpu(&mut reading, 80.0);
        reading.end_minute(0);
        assert_eq!(reading.of_policies[0].points.last(), Some(&Minute::Empty));
        for _ in 0..50 {
            reading.end_minute(3);
        }
        assert_eq!(reading.of_policies[0].points.len(), minutes(&scaling(9)));
    }

    #[test]
    fn metrics_that_are_missing_for_some_minutes_are_trouble() {
        let mut reading = reading();
        assert_eq!(reading.health(), None);
        for _ in 0..2 {
            reading.end_minute(2);
            assert_eq!((reading.health(), reading.was_known()), (None, false));
        }
        reading.failed("it does not answer");
        reading.end_minute(2);
        let trouble = Health::Unknown("it does not answer".to_owned());
        assert_eq!(reading.health(), Some(trouble));
        // Without tasks, there is nothing to measure.
        reading.end_minute(0);
        assert_eq!(reading.health(), Some(Health::Known));
        assert!(!reading.was_known());
        use_cpu(&mut reading, 60.0);
        reading.end_minute(2);
        assert_eq!(reading.health(), Some(Health::Known));
        assert!(reading.was_known());
        reading.give_up();
        assert!(matches!(reading.health(), Some(Health::Unknown(_))));
        assert!(!reading.was_known());
    }

    #[test]
    fn what_has_been_measured_stays_when_the_range_changes() {
        let mut reading = reading();
        for _ in 0..3 {
            use_cpu(&mut reading, 90.0);
            reading.end_minute(2);
        }
        use_cpu(&mut reading, 90.0);
        let before = reading.alarms.clone();
        reading.follow(
            &scaling(5),
            &Settings::default(),
            &AutoScalingStatus::default(),
        );
        assert_eq!(reading.alarms, before);
        assert_eq!(reading.of_policies[0].parts[0].samples, [90.0]);
        assert_eq!(reading.of_policies[0].points.len(), 3);
    }

    /// Returns settings with a query for the length of a queue, and a service that follows it and its CPU.
    fn with_queue() -> (AutoScaling, Settings) {
        let settings = querying("Shop/Backlog=backlog");
        let mut scaling = scaling(9);
        scaling.policies.push(TargetTracking {
            index: 1,
            name: "queue".to_owned(),
            metric: Metric::CloudWatch(CloudWatchMetric {
                namespace: "Shop".to_owned(),
                name: "Backlog".to_owned(),
                dimensions: Vec::new(),
                statistic: "Average".to_owned(),
                unit: None,
            }),
            ..scaling.policies[0].clone()
        });
        (scaling, settings)
    }

    #[test]
    fn a_metric_that_is_missing_does_not_take_others_along() {
        let (scaling, settings) = with_queue();
        let mut reading = reading_of(&scaling, &settings);
        let metrics: Vec<CloudWatchMetric> = reading.cloud_watch().cloned().collect();
        let [queue] = metrics.as_slice() else {
            panic!("there is one: {metrics:?}");
        };
        for _ in 0..3 {
            use_cpu(&mut reading, 60.0);
            reading.value(queue, Err(&unread("the queue is unknown")));
            // What the tasks use comes later.
            use_cpu(&mut reading, 60.0);
            reading.end_minute(2);
        }
        let trouble = Health::Unknown("the queue is unknown".to_owned());
        assert_eq!(reading.health(), Some(trouble));
        assert!(!reading.was_known());
        assert!(found(&reading, 0).iter().all(Option::is_some));
        assert_eq!(points(&reading.of_policies, 1), [Minute::Unknown; 3]);
        // And the other way round: the queue is known, and the CPU is not.
        for _ in 0..3 {
            reading.failed("no metrics-server");
            reading.value(queue, Ok(&7.0));
            reading.end_minute(2);
        }
        let trouble = Health::Unknown("no metrics-server".to_owned());
        assert_eq!(reading.health(), Some(trouble));
        let last = Some(Point {
            metric: 7.0,
            tasks: 2,
        });
        assert_eq!(found(&reading, 1)[3..], [last; 3]);
    }

    #[test]
    fn nothing_waits_for_an_alarm_whose_actions_are_disabled() {
        let (mut scaling, settings) = with_queue();
        let queue = scaling.policies.pop().expect("it follows the queue");
        let mut trigger = Trigger::inside("out", 1);
        trigger.enabled = false;
        scaling.step_policies.push(StepPolicy {
            index: 1,
            name: "out".to_owned(),
            scaling: StepScaling {
                adjustment: Adjustment::Change,
                steps: Vec::new(),
            },
            cooldown: 300,
            aggregation: Statistic::Average,
            alarm: Alarm {
                series: Series::tracked(&queue.metric),
                period: 60,
                rule: AlarmRule {
                    comparison: Comparison::Greater,
                    threshold: 70.0,
                    periods: 1,
                    to_alarm: 1,
                    missing: Missing::Missing,
                },
            },
            trigger,
        });
        let known = |scaling: &AutoScaling| {
            let mut reading = reading_of(scaling, &settings);
            use_cpu(&mut reading, 60.0);
            reading.end_minute(2);
            reading.was_known()
        };
        assert!(known(&scaling));
        scaling.step_policies[0].trigger.enabled = true;
        assert!(!known(&scaling));
    }

    #[test]
    fn a_value_is_that_of_its_metric_wherever_its_policy_stands_by_now() {
        let (mut scaling, settings) = with_queue();
        let mut reading = reading_of(&scaling, &settings);
        let queue = reading.cloud_watch().next().cloned();
        let queue = queue.expect("there is one");
        let policies = scaling.policies.iter_mut().rev().enumerate();
        for (index, policy) in policies {
            policy.index = index;
        }
        scaling.policies.reverse();
        reading.follow(&scaling, &settings, &AutoScalingStatus::default());
        reading.value(&queue, Ok(&4000.0));
        let samples = reading
            .of_policies
            .iter()
            .map(|it| it.parts[0].samples.clone());
        assert_eq!(samples.collect::<Vec<_>>(), [vec![4000.0], vec![]]);
    }

    #[test]
    fn a_queue_is_known_without_tasks() {
        let (scaling, settings) = with_queue();
        let mut reading = reading_of(&scaling, &settings);
        let queue = reading.cloud_watch().next().cloned();
        let queue = queue.expect("there is one");
        reading.value(&queue, Ok(&7.0));
        reading.end_minute(0);
        let point = Point {
            metric: 7.0,
            tasks: 0,
        };
        assert_eq!(found(&reading, 1), [Some(point)]);
        assert_eq!(reading.health(), Some(Health::Known));
        for _ in 0..3 {
            reading.value(&queue, Err(&unread("it is gone")));
            reading.end_minute(0);
        }
        assert_eq!(
            reading.health(),
            Some(Health::Unknown("it is gone".to_owned()))
        );
    }

    #[test]
    fn a_late_value_is_that_of_its_minute_with_the_tasks_of_then() {
        let (scaling, _) = with_queue();
        let settings = listing("Shop/*");
        let mut reading = reading_of(&scaling, &settings);
        let queue = reading.cloud_watch().next().cloned();
        let queue = queue.expect("there is one");
        let none = unread("no data");
        for running in [1, 2, 3, 4, 5] {
            match running {
                3 | 5 => reading.value(&queue, Err(&none)),
                _ => reading.value(&queue, Ok(&10.0)),
            }
            use_cpu(&mut reading, 60.0);
            reading.end_minute(running);
        }
        let point = |metric, tasks| Some(Point { metric, tasks });
        let of_queue = |reading: &Reading| found(reading, 1);
        let known = point(10.0, 1);
        let second = point(10.0, 2);
        assert_eq!(of_queue(&reading), [known, known, None, second, None]);
        assert_eq!(found(&reading, 0)[4], point(60.0, 5));
        // A point that is there stays, and what is before all points is left out.
        for age in [1, 2, 3, 4, 9] {
            reading.late(&queue, age, 20.0);
        }
        let filled = [known, known, point(20.0, 1), second, point(20.0, 3)];
        assert_eq!(of_queue(&reading), filled);
        // A metric that is always late is no trouble.
        for _ in 0..5 {
            reading.late(&queue, 1, 30.0);
            reading.value(&queue, Err(&none));
            use_cpu(&mut reading, 60.0);
            reading.end_minute(5);
        }
        assert_eq!(reading.health(), Some(Health::Known));
        assert_eq!(of_queue(&reading)[8], point(30.0, 5));
    }

    #[test]
    fn a_metric_of_every_five_minutes_is_known_as_long_as_it_comes() {
        let (scaling, _) = with_queue();
        let settings = listing("Shop/*");
        let mut reading = reading_of(&scaling, &settings);
        let queue = reading.cloud_watch().next().cloned();
        let queue = queue.expect("there is one");
        let empty = Gap {
            is_empty: true,
            ..unread("no data")
        };
        let mut minute = |value: Result<&f64, &Gap>| {
            reading.value(&queue, value);
            use_cpu(&mut reading, 60.0);
            reading.end_minute(2);
            (reading.health(), reading.was_known())
        };
        let known = Some(Health::Known);
        for round in 0..3 {
            for _ in 0..4 {
                let (health, _) = minute(Err(&empty));
                assert_eq!(health.is_some(), round > 0, "there has been no value yet");
                assert!(health.is_none_or(|health| Some(health) == known));
            }
            assert_eq!(minute(Ok(&7.0)), (known.clone(), true));
        }
        // It has ended, or its source has.
        let trouble = Some(Health::Unknown("no data".to_owned()));
        let ended: Vec<_> = (0..12).map(|_| minute(Err(&empty)).0).collect();
        assert_eq!((&ended[10], &ended[11]), (&known, &trouble));
        minute(Ok(&7.0));
        let gone: Vec<_> = (0..3).map(|_| minute(Err(&unread("no data"))).0).collect();
        assert_eq!(gone, [known.clone(), known, trouble]);
    }

    #[test]
    fn what_no_query_reads_is_not_asked_for_and_no_trouble() {
        let (scaling, _) = with_queue();
        let mut reading = reading_of(&scaling, &Settings::default());
        assert_eq!(reading.cloud_watch().count(), 0);
        use_cpu(&mut reading, 60.0);
        reading.end_minute(2);
        assert!(reading.was_known());
    }

    /// Returns the scaling of a service that keeps its backlog per task at 100.
    fn with_backlog() -> AutoScaling {
        with_math("m1 / m2")
    }

    /// Returns the scaling of a service by metric math of a queue, `m1`, and its running tasks, `m2`.
    fn with_math(expression: &str) -> AutoScaling {
        let metric = |namespace: &str, name: &str, dimension: &str, value: &str| serde_json::json!({"Namespace": namespace, "MetricName": name, "Dimensions": [{"Name": dimension, "Value": value}]});
        let raw = serde_json::json!({
            "scalableTarget": {"MinCapacity": 0, "MaxCapacity": 20},
            "scalingPolicies": [{
                "PolicyName": "backlog", "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 100, "CustomizedMetricSpecification": {"Metrics": [
                    {"Id": "m1", "ReturnData": false, "MetricStat": {"Stat": "Sum",
                        "Metric": metric("AWS/SQS", "Visible", "QueueName", "orders")}},
                    {"Id": "m2", "ReturnData": false, "MetricStat": {"Stat": "Average",
                        "Metric": metric("ECS/ContainerInsights", "RunningTaskCount", "ServiceName", "worker")}},
                    {"Id": "e1", "Expression": expression},
                ]}},
            }],
        });
        let raw = serde_json::from_value(raw).expect("it is the scaling of a service");
        let service = crate::validate::ScaledService {
            name: "worker",
            cluster: None,
        };
        crate::validate::readable_scaling(&raw, service).expect("it is valid")
    }

    #[test]
    fn a_backlog_is_shared_by_the_running_tasks_and_the_first_one_has_all_of_it() {
        let scaling = with_backlog();
        let settings = querying("AWS/SQS/Visible=up");
        let mut reading = reading_of(&scaling, &settings);
        let metrics: Vec<CloudWatchMetric> = reading.cloud_watch().cloned().collect();
        let [queue] = metrics.as_slice() else {
            panic!("{metrics:?}");
        };
        for (running, visible, expected) in [
            (10, Some(1500.0), Some(150.0)),
            (3, None, None),
            (0, Some(1500.0), Some(1500.0)),
            (0, Some(0.0), Some(0.0)),
        ] {
            if let Some(visible) = visible {
                reading.value(queue, Ok(&visible));
            }
            reading.end_minute(running);
            let newest = found(&reading, 0).last().copied().flatten();
            assert_eq!(
                newest.map(|point| point.metric),
                expected,
                "{running} {visible:?}"
            );
            assert!(newest.is_none_or(|point| point.tasks == running));
        }
        assert!(reading.was_known());
        reading.value(queue, Err(&unread("it does not answer")));
        for _ in 0..3 {
            reading.end_minute(3);
        }
        let trouble = Health::Unknown("it does not answer".to_owned());
        assert_eq!(reading.health(), Some(trouble));
    }

    #[test]
    fn metric_math_is_of_one_minute_also_if_a_metric_comes_later() {
        let scaling = with_backlog();
        let settings = listing("AWS/SQS/*");
        let mut reading = reading_of(&scaling, &settings);
        let queue = reading.cloud_watch().next().cloned();
        let queue = queue.expect("there is one");
        // The value of each minute comes two minutes later.
        for (running, visible) in [
            (1, None),
            (2, None),
            (3, Some(100.0)),
            (4, None),
            (5, Some(900.0)),
        ] {
            if let Some(visible) = visible {
                reading.value(&queue, Ok(&visible));
            }
            reading.end_minute(running);
        }
        let point = |metric, tasks| Some(Point { metric, tasks });
        let known = [None, None, point(100.0, 1), None, point(300.0, 3)];
        assert_eq!(found(&reading, 0), known);
        reading.late(&queue, 2, 600.0);
        assert_eq!(found(&reading, 0)[3], point(300.0, 2));
    }

    #[test]
    fn what_is_known_to_be_missing_is_filled_and_what_could_not_be_read_is_not() {
        let scaling = with_math("FILL(m1, 0) / m2");
        let settings = listing("AWS/SQS/*");
        let mut reading = reading_of(&scaling, &settings);
        let queue = reading.cloud_watch().next().cloned();
        let queue = queue.expect("there is one");
        let empty = Gap {
            is_empty: true,
            ..unread("no data")
        };
        for answer in [
            None,
            None,
            Some(Ok(&8.0)),
            Some(Err(&empty)),
            Some(Err(&unread("it does not answer"))),
            // It was not asked, and what it has said before is not of this minute.
            None,
            Some(Err(&empty)),
        ] {
            if let Some(answer) = answer {
                reading.value(&queue, answer);
            }
            reading.end_minute(2);
        }
        let found = |reading: &Reading| -> Vec<Option<f64>> {
            let points = found(reading, 0).into_iter();
            points.map(|point| point.map(|it| it.metric)).collect()
        };
        let known = [None, None, Some(4.0), Some(0.0), None, None, Some(0.0)];
        assert_eq!(found(&reading), known);
        // What comes later replaces what was filled.
        reading.late(&queue, 1, 6.0);
        reading.late(&queue, 3, 2.0);
        reading.late(&queue, 5, 100.0);
        let known = [None, None, Some(4.0), Some(0.0), Some(1.0), None, Some(3.0)];
        assert_eq!(found(&reading), known);
    }

    #[test]
    fn metric_math_that_cannot_be_measured_asks_for_nothing() {
        let scaling = with_backlog();
        let mut reading = reading_of(&scaling, &Settings::default());
        assert_eq!(reading.cloud_watch().count(), 0);
        reading.end_minute(3);
        assert_eq!(found(&reading, 0), [None]);
    }
}

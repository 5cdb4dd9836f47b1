//! The alarms of a service that stand beside its policies, as `PutMetricAlarm` takes them.

use std::collections::BTreeSet;

use super::{
    Scope,
    action::{AlarmAction, ScaledService},
    alarm::{Alarm, Members, Value, Watched},
    math,
    target_tracking::{high_alarm, low_alarm},
};
use crate::{
    crd,
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
    settings::Mode,
};

/// An alarm beside the policies.
pub(super) struct Listed {
    pub(super) name: String,
    /// Whether its metric is in `Metrics`.
    pub(super) in_query: bool,
    /// Whether it triggers anything.
    pub(super) enabled: bool,
    /// `None` if something of it is missing or wrong.
    pub(super) alarm: Option<Alarm>,
    /// The positions of the step scaling policies that it triggers.
    pub(super) policies: Vec<usize>,
}

/// What an alarm does not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlarmNote {
    /// It does something else than scaling.
    OtherAction {
        /// The position of the alarm.
        alarm: usize,
        /// The list of actions.
        list: &'static str,
        /// The position in it.
        index: usize,
        /// The action.
        action: String,
    },
    /// Its actions are switched off.
    Disabled {
        /// The position of the alarm.
        alarm: usize,
    },
    /// It triggers no policy.
    WithoutPolicy {
        /// The position of the alarm.
        alarm: usize,
        /// Its name.
        name: String,
        /// Why it triggers none.
        why: String,
    },
    /// It is one of those that AWS makes for target tracking.
    OfTargetTracking {
        /// The position of the alarm.
        alarm: usize,
        /// The position of the action that names the policy.
        index: usize,
        /// The name of the policy.
        name: String,
    },
}

/// Validates the alarms. Without the operator nothing evaluates them, and each policy says so.
pub(super) fn validate(
    raw: &crd::AutoScaling,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> (Vec<Listed>, Vec<AlarmNote>) {
    let mut names = names_of_policies(&raw.scaling_policies);
    let mut alarms = Vec::new();
    let mut notes = Vec::new();
    for (index, alarm) in raw.alarms.iter().enumerate() {
        let path = path.index(index);
        let name = alarm.alarm_name.as_deref();
        if let Some(name) = name.filter(|name| !names.insert((*name).to_owned())) {
            let value = name.to_owned();
            sink.report(path.field("AlarmName"), Message::DuplicateAlarm { value });
        }
        let found = Actions::of(alarm, index, raw, scope.service);
        notes.extend(found.notes);
        // What triggers nothing of this service is not judged.
        let is_used = scope.settings.mode == Mode::Controller && !found.policies.is_empty();
        alarms.push(Listed {
            name: name.unwrap_or_default().to_owned(),
            in_query: !alarm.metrics.is_empty(),
            enabled: alarm.actions_enabled != Some(false),
            alarm: is_used.then(|| one(alarm, scope, &path, sink)).flatten(),
            policies: found.policies,
        });
    }
    (alarms, notes)
}

/// Returns the names of the alarms that policies have by themselves: the one inside, which has no other name, and those of
/// target tracking.
fn names_of_policies(policies: &[ecs::ScalingPolicy]) -> BTreeSet<String> {
    let names = policies.iter().filter_map(|policy| {
        let name = policy.policy_name.as_deref()?;
        let inside = policy.alarm.as_ref().map(|_| name.to_owned());
        let of_target = is_tracking(policy).then(|| [high_alarm(name), low_alarm(name)]);
        Some(inside.into_iter().chain(of_target.into_iter().flatten()))
    });
    names.flatten().collect()
}

/// Returns the positions of the step scaling policies that an alarm of a service triggers.
#[must_use]
pub fn triggered_policies(
    alarm: &ecs::MetricAlarm,
    policies: &[ecs::ScalingPolicy],
    service: ScaledService<'_>,
) -> Vec<usize> {
    let actions = alarm.alarm_actions.iter();
    let named: Vec<_> = actions
        .filter_map(|action| match AlarmAction::of(action) {
            AlarmAction::Policy(policy) if policy.is_of(service) => Some(policy.name),
            AlarmAction::Policy(_) | AlarmAction::Other => None,
        })
        .collect();
    let is_triggered = |policy: &ecs::ScalingPolicy| {
        let name = policy.policy_name.as_deref();
        let mut own = policy.alarms.iter();
        is_step(policy)
            && (name.is_some_and(|name| named.contains(&name))
                || own.any(|own| own.alarm_name.is_some() && own.alarm_name == alarm.alarm_name))
    };
    let policies = policies.iter().enumerate();
    let triggered = policies.filter(|(_, policy)| is_triggered(policy));
    triggered.map(|(index, _)| index).collect()
}

fn is_step(policy: &ecs::ScalingPolicy) -> bool {
    policy.policy_type.as_deref() == Some("StepScaling")
}

fn is_tracking(policy: &ecs::ScalingPolicy) -> bool {
    policy.policy_type.as_deref() == Some("TargetTrackingScaling")
}

/// What the actions of an alarm lead to.
struct Actions {
    policies: Vec<usize>,
    notes: Vec<AlarmNote>,
}

impl Actions {
    fn of(
        raw: &ecs::MetricAlarm,
        alarm: usize,
        scaling: &crd::AutoScaling,
        service: ScaledService<'_>,
    ) -> Self {
        let policies = triggered_policies(raw, &scaling.scaling_policies, service);
        let mut notes = Vec::new();
        for (list, actions) in [
            ("OKActions", &raw.ok_actions),
            ("InsufficientDataActions", &raw.insufficient_data_actions),
        ] {
            for (index, action) in actions.iter().enumerate() {
                notes.push(AlarmNote::OtherAction {
                    alarm,
                    list,
                    index,
                    action: action.clone(),
                });
            }
        }
        let mut of_tracking = false;
        let mut unknown = None;
        for (index, action) in raw.alarm_actions.iter().enumerate() {
            match AlarmAction::of(action) {
                AlarmAction::Other => notes.push(AlarmNote::OtherAction {
                    alarm,
                    list: "AlarmActions",
                    index,
                    action: action.clone(),
                }),
                AlarmAction::Policy(policy) => {
                    let mut all = scaling.scaling_policies.iter();
                    let found = all.find(|it| it.policy_name.as_deref() == Some(policy.name));
                    match found.filter(|_| policy.is_of(service)) {
                        Some(found) if is_step(found) => {}
                        Some(found) if is_tracking(found) => {
                            of_tracking = true;
                            notes.push(AlarmNote::OfTargetTracking {
                                alarm,
                                index,
                                name: policy.name.to_owned(),
                            });
                        }
                        _ => unknown = unknown.or(Some(policy)),
                    }
                }
            }
        }
        if policies.is_empty() && !of_tracking {
            let why = match unknown {
                Some(policy) if policy.is_of(service) => {
                    format!("the service has no step scaling policy {}", policy.name)
                }
                Some(policy) => format!("policy {} is one of another service", policy.name),
                None => "its AlarmActions name no scaling policy".to_owned(),
            };
            notes.push(AlarmNote::WithoutPolicy {
                alarm,
                name: raw.alarm_name.clone().unwrap_or_default(),
                why,
            });
        } else if !policies.is_empty() && raw.actions_enabled == Some(false) {
            notes.push(AlarmNote::Disabled { alarm });
        }
        Self { policies, notes }
    }
}

/// Returns what one alarm watches, and when it goes off.
fn one(
    raw: &ecs::MetricAlarm,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<Alarm> {
    let watched = if raw.metrics.is_empty() {
        of_metric(raw, path, sink).map(Value::Metric)
    } else {
        of_queries(raw, scope, path, sink)
    };
    let members = Members {
        watched: watched?,
        evaluation_periods: raw.evaluation_periods,
        datapoints_to_alarm: raw.datapoints_to_alarm,
        threshold: raw.threshold,
        comparison_operator: raw.comparison_operator.as_deref(),
        treat_missing_data: raw.treat_missing_data.as_deref(),
    };
    members.validate(scope, path, sink)
}

/// Returns the metric that the alarm itself names.
fn of_metric<'r>(
    raw: &'r ecs::MetricAlarm,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<Watched<'r>> {
    let (statistic, at) = match (&raw.statistic, &raw.extended_statistic) {
        (Some(_), Some(_)) => {
            conflict(path, "ExtendedStatistic", "Statistic", sink);
            return None;
        }
        (None, Some(extended)) => {
            let at = path.field("ExtendedStatistic");
            if !is_extended(extended) {
                invalid_statistic(extended, at, sink);
                return None;
            }
            (Some(extended), at)
        }
        (statistic, None) => (statistic.as_ref(), path.field("Statistic")),
    };
    Some(Watched {
        namespace: raw.namespace.as_deref(),
        name: raw.metric_name.as_deref(),
        dimensions: pairs(&raw.dimensions),
        statistic: statistic.map(String::as_str),
        unit: raw.unit.as_deref(),
        period: raw.period,
        metric_at: path.clone(),
        statistic_at: at,
        period_at: path.field("Period"),
    })
}

/// Returns the metric of the only entry of `Metrics`, or what is calculated from several.
fn of_queries<'r>(
    raw: &'r ecs::MetricAlarm,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<Value<'r>> {
    for (member, is_given) in [
        ("MetricName", raw.metric_name.is_some()),
        ("Namespace", raw.namespace.is_some()),
        ("Statistic", raw.statistic.is_some()),
        ("ExtendedStatistic", raw.extended_statistic.is_some()),
        ("Dimensions", !raw.dimensions.is_empty()),
        ("Period", raw.period.is_some()),
        ("Unit", raw.unit.is_some()),
    ] {
        if is_given {
            conflict(path, member, "Metrics", sink);
            return None;
        }
    }
    let path = path.field("Metrics");
    let queries = raw.metrics.iter().enumerate();
    let queries = queries.map(|(index, raw)| query(raw, path.index(index), sink));
    let queries: Vec<_> = queries.collect::<Option<_>>()?;
    match <[math::Query<'r>; 1]>::try_from(queries) {
        Ok([only]) if only.expression.is_none() && only.returns && only.watched.is_some() => {
            only.watched.map(Value::Metric)
        }
        Ok(only) => math::math(&only, scope, &path, sink).map(Value::Math),
        Err(queries) => math::math(&queries, scope, &path, sink).map(Value::Math),
    }
}

/// Returns an entry of `Metrics`; `None` if something of it is wrong.
fn query<'r>(
    raw: &'r ecs::MetricDataQuery,
    path: FieldPath,
    sink: &mut Diagnostics,
) -> Option<math::Query<'r>> {
    if let Some(account) = &raw.account_id {
        let message = Message::InvalidValue {
            value: account.clone(),
            allowed: "must be absent: the operator reads no metric of another account".to_owned(),
        };
        sink.report(path.field("AccountId"), message);
        return None;
    }
    let at = path.field("MetricStat");
    let stat = raw.metric_stat.as_ref();
    if let Some(statistic) = stat.and_then(|stat| stat.stat.as_deref())
        && super::Statistic::named(statistic).is_none()
        && !is_extended(statistic)
    {
        invalid_statistic(statistic, at.field("Stat"), sink);
        return None;
    }
    let watched = stat.and_then(|stat| {
        let metric = stat.metric.as_ref()?;
        Some(Watched {
            namespace: metric.namespace.as_deref(),
            name: metric.metric_name.as_deref(),
            dimensions: pairs(&metric.dimensions),
            statistic: stat.stat.as_deref(),
            unit: stat.unit.as_deref(),
            period: stat.period,
            metric_at: at.field("Metric"),
            statistic_at: at.field("Stat"),
            period_at: at.field("Period"),
        })
    });
    Some(math::Query {
        id: raw.id.as_deref(),
        expression: raw.expression.as_deref(),
        watched,
        period: raw.period,
        returns: raw.return_data != Some(false),
        at: path,
    })
}

fn pairs(dimensions: &[ecs::Dimension]) -> Vec<[Option<&str>; 2]> {
    let pairs = dimensions.iter();
    let pairs = pairs.map(|it| [it.name.as_deref(), it.value.as_deref()]);
    pairs.collect()
}

fn conflict(path: &FieldPath, member: &str, other: &str, sink: &mut Diagnostics) {
    let message = Message::AlarmMetricConflict {
        member: member.to_owned(),
        other: other.to_owned(),
    };
    sink.report(path.field(member.to_owned()), message);
}

fn invalid_statistic(value: &str, at: FieldPath, sink: &mut Diagnostics) {
    let message = Message::InvalidValue {
        value: value.to_owned(),
        allowed:
            "must be a percentile such as p90, or a trimmed statistic such as tm90 or TM(10%:90%)"
                .to_owned(),
    };
    sink.report(at, message);
}

/// Whether CloudWatch has this statistic beside the plain ones
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html>).
fn is_extended(text: &str) -> bool {
    if text == "IQM" {
        return true;
    }
    let letters = text.find(|c: char| !c.is_ascii_alphabetic());
    let Some((name, rest)) = letters.and_then(|at| text.split_at_checked(at)) else {
        return false;
    };
    let number = |text: &str| text.parse::<f64>().ok().filter(|it| it.is_finite());
    match name {
        "p" | "tm" | "tc" | "ts" | "wm" => {
            number(rest).is_some_and(|it| (0.0..=100.0).contains(&it))
        }
        "PR" | "TM" | "TC" | "TS" | "WM" => {
            let range = rest.strip_prefix('(').and_then(|it| it.strip_suffix(')'));
            let bounds = range.and_then(|range| range.split_once(':'));
            bounds.is_some_and(|(lower, upper)| {
                let is_bound = |text: &str| {
                    text.is_empty() || number(text.strip_suffix('%').unwrap_or(text)).is_some()
                };
                is_bound(lower) && is_bound(upper) && !(lower.is_empty() && upper.is_empty())
            })
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alarms_of_policies_have_names_already() {
        let policies = serde_json::json!([
            {"PolicyName": "cpu", "PolicyType": "TargetTrackingScaling"},
            {"PolicyName": "out", "PolicyType": "StepScaling"},
            {"PolicyName": "in", "PolicyType": "StepScaling", "Alarm": {}},
        ]);
        let policies: Vec<ecs::ScalingPolicy> = serde_json::from_value(policies).unwrap();
        let names: Vec<_> = names_of_policies(&policies).into_iter().collect();
        assert_eq!(names, ["cpu/AlarmHigh", "cpu/AlarmLow", "in"]);
    }

    #[test]
    fn extended_statistics_are_those_of_cloudwatch() {
        for good in [
            "p90",
            "p99.9",
            "p0",
            "tm95",
            "IQM",
            "TM(10%:90%)",
            "PR(:300)",
            "WM(5%:)",
        ] {
            assert!(is_extended(good), "{good}");
        }
        for bad in [
            "", "p", "p101", "p-1", "pinf", "Average", "x90", "TM10%", "TM(:)", "TM(a:b)", "90",
        ] {
            assert!(!is_extended(bad), "{bad}");
        }
    }
}

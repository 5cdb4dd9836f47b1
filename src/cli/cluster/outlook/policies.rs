//! What the policies that the operator runs look at, and what they would do.

use super::words::{number, result, since};
use crate::{
    crd::AlarmStatus,
    decide::scaling::{
        engine::Decision,
        prospect::{Outlook, Situation},
        target::{HIGH_PERIODS, LOW_PERIODS, LOW_SHARE},
    },
    validate::{
        AutoScaling, Comparison, Series, StepPolicy, TargetTracking, high_alarm, low_alarm,
    },
};

/// The shares of a target that serve as examples of a metric above and below it.
const ABOVE: [f64; 2] = [1.2, 2.0];
const BELOW: [f64; 2] = [0.8, 0.5];

/// Returns the lines about each policy; those with a margin belong to the one above.
pub(super) fn lines(
    scaling: &AutoScaling,
    alarms: &[AlarmStatus],
    situation: &Situation<'_>,
) -> Vec<String> {
    let removing = scaling.policies.iter().filter(|it| !it.disable_scale_in);
    let are_several = removing.count() > 1;
    let tracked = scaling.policies.iter();
    let tracked = tracked.flat_map(|policy| tracked_by(policy, are_several, alarms, situation));
    let stepped = scaling.step_policies.iter();
    let stepped = stepped.flat_map(|policy| stepped_by(policy, alarms, situation));
    tracked.chain(stepped).collect()
}

fn tracked_by(
    policy: &TargetTracking,
    are_several: bool,
    alarms: &[AlarmStatus],
    situation: &Situation<'_>,
) -> Vec<String> {
    let series = Series::tracked(&policy.metric);
    let (metric, target, name) = (series.metric_name(), policy.target_value, &policy.name);
    let below = number(target * LOW_SHARE);
    let at = number(target);
    let mut lines = vec![
        format!("Policy {name}: keeps {metric} at {at} (target tracking)."),
        format!(
            "  It adds tasks when {metric} was above {at} in each of the last {HIGH_PERIODS} minutes."
        ),
        format!("    {}", known(&high_alarm(name), target, alarms)),
    ];
    lines.extend(examples(policy, ABOVE, situation));
    if policy.disable_scale_in {
        lines.push("  It never removes tasks (DisableScaleIn).".to_owned());
        return lines;
    }
    let others = if are_several {
        ", and each other target tracking policy that may remove tasks agrees"
    } else {
        ""
    };
    lines.push(format!(
        "  It removes tasks when {metric} was below {below} in each of the last {LOW_PERIODS} minutes{others}."
    ));
    let threshold = target * LOW_SHARE;
    lines.push(format!(
        "    {}",
        known(&low_alarm(name), threshold, alarms)
    ));
    lines.extend(examples(policy, BELOW, situation));
    lines
}

/// Says what some values of the metric would lead to.
fn examples(
    policy: &TargetTracking,
    shares: [f64; 2],
    situation: &Situation<'_>,
) -> impl Iterator<Item = String> {
    shares.into_iter().map(move |share| {
        let metric = policy.target_value * share;
        let decision = situation.tracked(policy, metric);
        format!("    At {}: {}.", number(metric), then(&decision, situation))
    })
}

fn stepped_by(
    policy: &StepPolicy,
    alarms: &[AlarmStatus],
    situation: &Situation<'_>,
) -> Vec<String> {
    let (alarm, trigger, name) = (&policy.alarm, &policy.trigger, &policy.name);
    let (metric, rule) = (alarm.series.metric_name(), &alarm.rule);
    let threshold = number(rule.threshold);
    let minutes = match alarm.minutes() {
        1 => "minutes".to_owned(),
        minutes => format!("periods of {minutes} minutes"),
    };
    let compared = match rule.comparison {
        Comparison::Greater => "above",
        Comparison::GreaterOrEqual => "at or above",
        Comparison::Less => "below",
        Comparison::LessOrEqual => "at or below",
    };
    let (periods, needed) = (rule.periods, rule.to_alarm);
    let mut lines = vec![
        format!(
            "Policy {name}: takes a step while the alarm {} is in ALARM.",
            trigger.name
        ),
        format!(
            "  It goes into ALARM when {metric} was {compared} {threshold} in {needed} of the last {periods} {minutes}."
        ),
        format!("    {}", known(&trigger.name, rule.threshold, alarms)),
    ];
    if !trigger.enabled {
        let off = "    Its actions are disabled (ActionsEnabled): it triggers nothing.";
        lines.push(off.to_owned());
        return lines;
    }
    lines.extend(situation.stepped(policy).iter().map(|outlook| {
        let then = then(&outlook.decision, situation);
        format!("    {}: {then}.", values(outlook))
    }));
    lines
}

/// Returns the values of a metric for which a step applies.
fn values(outlook: &Outlook) -> String {
    match (outlook.from, outlook.to) {
        (Some(from), Some(to)) => format!("From {} to {}", number(from), number(to)),
        (Some(from), None) => format!("From {} on", number(from)),
        (None, Some(to)) => format!("Up to {}", number(to)),
        (None, None) => "At any value".to_owned(),
    }
}

fn then(decision: &Decision, situation: &Situation<'_>) -> String {
    result(decision, situation.service.desired, situation.memory)
}

/// Says what the status has of an alarm.
fn known(name: &str, threshold: f64, alarms: &[AlarmStatus]) -> String {
    let is_it = |alarm: &&AlarmStatus| {
        // JSON may change the last digit.
        let is_its = |known: f64| (known - threshold).abs() < 1e-6;
        alarm.alarm_name == name && alarm.threshold.is_some_and(is_its)
    };
    let Some(alarm) = alarms.iter().find(is_it) else {
        return format!(
            "Alarm {name}: the operator has not evaluated it, and may have no way to measure its metric."
        );
    };
    let value = alarm.value.map_or_else(
        || "without a value then".to_owned(),
        |value| format!("when the value was {}", number(value)),
    );
    format!(
        "Alarm {name}: {} since {}, {value}; later values are not recorded.",
        alarm.state_value,
        since(alarm.state_updated_timestamp.as_ref())
    )
}

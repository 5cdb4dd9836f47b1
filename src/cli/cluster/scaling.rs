//! What scales a service, and has scaled it, as lines of a page.

use anstyle::Style;
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};

use super::{
    headline::{BAD, GOOD, Headline, UNDER_WAY},
    standing::condition,
    view::age,
};
use crate::{
    crd::{AutoScalingStatus, SCALING_ACTIVE, ServiceStatus},
    decide::scaling::Range,
};

/// Returns the lines about the scaling of a service; none if nothing scales it but people.
pub(super) fn lines(status: &ServiceStatus, now: Timestamp) -> Vec<Headline> {
    let scaling = &status.auto_scaling;
    let said = inactive(&status.conditions).into_iter();
    let said = said.chain(scheduled(scaling));
    let said = said.chain(activity(scaling, now));
    said.chain(alarms(scaling, now)).collect()
}

/// Says why what scales a service cannot do its work.
fn inactive(conditions: &[Condition]) -> Option<Headline> {
    let scaling = condition(conditions, SCALING_ACTIVE)?;
    let says = format!(": {}", scaling.message);
    (scaling.status == "False").then(|| Headline::new(UNDER_WAY, &scaling.reason, &says))
}

/// Says which range a scheduled action has set, and which action is next.
fn scheduled(scaling: &AutoScalingStatus) -> Option<Headline> {
    let mut parts = Vec::new();
    if let Some(Range { min, max }) = Range::of(&scaling.range) {
        parts.push(format!("a scheduled action has set {min} to {max} tasks"));
    }
    let actions = scaling.scheduled_actions.iter();
    let next = actions.filter_map(|action| Some((action.next_firing.as_ref()?.0, &action.name)));
    if let Some((at, name)) = next.min() {
        parts.push(format!("{name} is due at {at}"));
    }
    let text = format!(": {}", parts.join("; "));
    (!parts.is_empty()).then(|| Headline::new(Style::new(), "scheduled", &text))
}

/// Says what the policies that the operator runs have done last, and why they do nothing now.
fn activity(scaling: &AutoScalingStatus, now: Timestamp) -> Option<Headline> {
    let newest = scaling.activities.first();
    let mut parts: Vec<String> = newest
        .map(|newest| {
            let since = newest.end_time.as_ref().or(newest.start_time.as_ref());
            let since = age(since.map(|Time(time)| *time), now);
            let (what, why, code) = (&newest.description, &newest.cause, &newest.status_code);
            format!("{} ({why}), {code} {since} ago", what.trim_end_matches('.'))
        })
        .into_iter()
        .collect();
    let why = scaling.not_scaled_reason.as_ref();
    parts.extend(why.map(|why| format!("not scaled now: {why}")));
    let counts = scaling.activities.iter().rev();
    let counts: Vec<String> = counts
        .filter_map(|it| it.to.map(|to| to.to_string()))
        .collect();
    if counts.len() > 1 {
        parts.push(format!("counts so far: {}", counts.join(", ")));
    }
    let text = format!(": {}", parts.join("; "));
    (!parts.is_empty()).then(|| Headline::new(Style::new(), "scaling", &text))
}

/// Says in which states the alarms of the policies are that the operator runs.
fn alarms(scaling: &AutoScalingStatus, now: Timestamp) -> impl Iterator<Item = Headline> {
    scaling.alarms.iter().map(move |alarm| {
        let style = match alarm.state_value.as_str() {
            "OK" => GOOD,
            "ALARM" => BAD,
            _ => UNDER_WAY,
        };
        let number =
            |number: Option<f64>| number.map_or_else(|| "-".to_owned(), |it| it.to_string());
        let since = alarm.state_updated_timestamp.as_ref();
        let text = format!(
            " {}: {} was {} (threshold {}) {} ago{}",
            alarm.alarm_name,
            alarm.metric_name,
            number(alarm.value),
            number(alarm.threshold),
            age(since.map(|Time(time)| *time), now),
            plot(&alarm.recent_values, alarm.threshold),
        );
        Headline::new(style, &alarm.state_value, &text)
    })
}

/// Draws the values of the minutes before an alarm got into its state, on a scale that has the threshold too.
fn plot(values: &[f64], threshold: Option<f64>) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let all = || values.iter().copied().chain(threshold);
    let (least, most) = (
        all().fold(f64::INFINITY, f64::min),
        all().fold(f64::NEG_INFINITY, f64::max),
    );
    if values.len() < 2 || most <= least {
        return String::new();
    }
    let bar = |value: f64| {
        let share = (value - least) / (most - least);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is the position of a bar"
        )]
        let place = (share * 7.0).round() as usize;
        BARS.get(place).copied().unwrap_or(' ')
    };
    let bars: String = values.iter().map(|value| bar(*value)).collect();
    let limit = threshold.map_or(String::new(), |threshold| {
        format!(", where the threshold is {}", bar(threshold))
    });
    format!(", after {bars}{limit}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_says_what_scales_a_service_and_has_scaled_it() {
        let status: ServiceStatus = serde_json::from_value(json!({"autoScaling": {
            "range": {"minCapacity": 3, "maxCapacity": 8},
            "scaler": "operator",
            "alarms": [
                {"alarmName": "out", "metricName": "CPUUtilization", "threshold": 70.0, "value": 96.77, "stateValue": "ALARM", "stateUpdatedTimestamp": "1970-01-01T00:01:00Z",
                    "recentValues": [10.0, 24.5, 60.0, 96.77]},
                {"alarmName": "in", "metricName": "CPUUtilization", "threshold": 20.0, "stateValue": "INSUFFICIENT_DATA"},
            ],
            "notScaledReason": "InCooldown",
            "activities": [{
                "description": "Setting desired count to 4.",
                "cause": "monitor alarm out in state ALARM triggered policy out",
                "to": 4,
                "startTime": "1970-01-01T00:01:00Z",
                "endTime": "1970-01-01T00:01:30Z",
                "statusCode": "Successful",
            }, {"description": "Setting desired count to 3.", "to": 3}],
        }}))
        .expect("it is a status");
        let now = Timestamp::from_second(120).expect("it is in range");
        let lines = lines(&status, now);
        let lines = lines.iter().flat_map(|line| line.lines(usize::MAX));
        let lines: Vec<String> = lines
            .map(|line| anstream::adapter::strip_str(&line).to_string())
            .collect();
        assert_eq!(
            lines,
            [
                "scheduled: a scheduled action has set 3 to 8 tasks",
                "scaling: Setting desired count to 4 (monitor alarm out in state ALARM triggered policy out), Successful 30s ago; not scaled now: InCooldown; counts so far: 3, 4",
                "ALARM out: CPUUtilization was 96.77 (threshold 70) 60s ago, after ▁▂▅█, where the threshold is ▆",
                "INSUFFICIENT_DATA in: CPUUtilization was - (threshold 20) - ago",
            ]
        );
    }
}

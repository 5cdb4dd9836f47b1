//! The scaling of a service in sentences.

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

use super::{
    super::{standing::condition, terminal::harmless},
    Autoscalers, autoscaler, policies, schedule,
    words::{count, since},
};
use crate::{
    crd::{ACCEPTED, AutoScalingStatus, EcsService, SCALING_ACTIVE, Spec},
    decide::{
        deployment::{Deployments, IN_PROGRESS},
        scaling::{Range, activity, engine::Service, outcome::OPERATOR, prospect::Situation},
    },
    source::read_service,
    validate::{AutoScaling, ScaledService, readable_scaling},
};

/// Returns the text about a service.
pub(super) fn text(service: &EcsService, autoscalers: &Autoscalers, now: Timestamp) -> String {
    let mut lines = facts(service);
    match scaling_of(service) {
        Ok(None) => lines.push(
            "Nobody scales it: its spec has no autoScaling. Whoever sets desiredCount, also with kubectl scale, sets the \
             count."
                .to_owned(),
        ),
        Err(why) => lines.push(why),
        Ok(Some(scaling)) => lines.extend(of_scaling(service, &scaling, autoscalers, now)),
    }
    let lines = lines.iter().map(|line| harmless(line) + "\n");
    lines.collect()
}

/// Says how many tasks there are, and what is in the way of everything else.
fn facts(service: &EcsService) -> Vec<String> {
    let status = &service.status;
    let (desired, running) = (desired(service), status.running_count.unwrap_or(0));
    let mut lines = vec![format!(
        "{}: {} desired, {running} running.",
        service.name_any(),
        count(desired, "task")
    )];
    if status.observed_generation != service.metadata.generation {
        lines.push(
            "The operator has not processed the newest spec yet. What follows is of this spec."
                .to_owned(),
        );
    }
    if let Some(accepted) = condition(&status.conditions, ACCEPTED)
        && accepted.status == "False"
    {
        lines.push(format!(
            "The newest spec is rejected ({}): the policies of the one before run. What follows is of the newest spec.",
            accepted.reason
        ));
    }
    if let Some(active) = condition(&status.conditions, SCALING_ACTIVE)
        && active.status == "False"
    {
        lines.push(format!("{}: {}", active.reason, active.message));
    }
    lines
}

/// Returns how many tasks are desired. The operator sets the count in the spec; an autoscaler of a workload does not, and
/// what the spec says then has no effect.
fn desired(service: &EcsService) -> i64 {
    let spec: Option<serde_json::Value> = service.spec.parse().ok();
    let given = spec
        .as_ref()
        .and_then(|it| it.get("desiredCount")?.as_i64());
    let (status, scaling) = (&service.status, &service.status.auto_scaling);
    let desired = if scaling.scaler.as_deref() == Some(OPERATOR) {
        given.or(status.desired_count)
    } else {
        status.desired_count.or(given)
    };
    desired.unwrap_or(0)
}

/// Returns the scaling of a spec; `None` if it has none.
fn scaling_of(service: &EcsService) -> Result<Option<AutoScaling>, String> {
    let name = service.name_any();
    let (request, extensions, findings) = read_service(&name, Spec::text(&service.spec));
    if findings.has_errors() {
        return Err("Its spec cannot be read; the condition Accepted says why.".to_owned());
    }
    let Some(raw) = extensions.auto_scaling else {
        return Ok(None);
    };
    let service = ScaledService {
        name: &name,
        cluster: request.cluster.as_deref(),
    };
    let scaling = readable_scaling(&raw, service);
    let scaling =
        scaling.ok_or("Its scalableTarget cannot be read; the condition Accepted says why.")?;
    Ok(Some(scaling))
}

fn of_scaling(
    service: &EcsService,
    scaling: &AutoScaling,
    autoscalers: &Autoscalers,
    now: Timestamp,
) -> Vec<String> {
    let status = &service.status.auto_scaling;
    let mut lines = vec![writer(scaling, status, autoscalers)];
    lines.extend(
        autoscalers
            .unread
            .iter()
            .map(|why| format!("Whether there is an autoscaler is not known: {why}")),
    );
    let own = Range::of(&status.range);
    let range = own.unwrap_or_else(|| Range::specified(scaling));
    lines.push(format!(
        "Its range is {} to {}, {}.",
        range.min,
        range.max,
        own.map_or_else(|| "from scalableTarget".to_owned(), |_| origin(status))
    ));
    lines.extend(suspended(scaling));
    lines.extend(last(status));
    let memory = activity::memory(&status.activities, now);
    let situation = Situation {
        service: Service {
            range,
            running: service.status.running_count.unwrap_or(0),
            desired: desired(service),
            deploying: Deployments::of(&service.status).is(IN_PROGRESS),
            out_suspended: scaling.scale_out_suspended,
            in_suspended: scaling.scale_in_suspended,
        },
        memory: &memory,
        now,
    };
    let mut sections = Vec::new();
    if let Some(autoscaler) = &autoscalers.horizontal {
        sections.push(autoscaler::lines(autoscaler));
    }
    if status.scaler.as_deref() == Some(OPERATOR) {
        sections.push(policies::lines(scaling, &status.alarms, &situation));
    }
    let actions = &status.scheduled_actions;
    let mut due = schedule::lines(scaling, actions, (range, situation.service.desired));
    if !due.is_empty() {
        due = due.iter().map(|line| format!("  {line}")).collect();
        due.insert(0, "Scheduled actions:".to_owned());
    }
    sections.push(due);
    for section in sections.into_iter().filter(|it| !it.is_empty()) {
        lines.push(String::new());
        lines.extend(section);
    }
    lines
}

/// Says who sets the number of tasks, and why.
fn writer(scaling: &AutoScaling, status: &AutoScalingStatus, autoscalers: &Autoscalers) -> String {
    let autoscaler = match (&autoscalers.scaled_object, &autoscalers.horizontal) {
        (Some(name), _) => Some((
            format!("ScaledObject {name} of KEDA"),
            "a target tracking policy has a metric that KEDA reads from CloudWatch",
        )),
        (None, Some(object)) => Some((
            format!("HorizontalPodAutoscaler {}", object.name_any()),
            "target tracking on CPU or memory is translated to it",
        )),
        (None, None) => None,
    };
    let by_operator = status.scaler.as_deref() == Some(OPERATOR);
    match autoscaler {
        Some((who, _)) if by_operator => format!(
            "{who} sets the count, until the operator has known all metrics. Then it runs the policies."
        ),
        Some((who, why)) => format!("{who} sets the count: {why}."),
        None if by_operator && scaling.step_policies.is_empty() => {
            "The operator sets the count: autoScaling.scaler says so.".to_owned()
        }
        None if by_operator => {
            "The operator sets the count: an autoscaler has no steps, which a policy has.".to_owned()
        }
        None if scaling.max_capacity == 0 => {
            "Nobody scales it: the maximum in the spec is 0.".to_owned()
        }
        None if scaling.policies.is_empty() && scaling.step_policies.is_empty() => {
            let actions = if scaling.scheduled_actions.is_empty() {
                ""
            } else {
                " Scheduled actions move the count into their range."
            };
            format!("No policy scales it: whoever sets desiredCount sets the count.{actions}")
        }
        None if autoscalers.unread.is_empty() => {
            "Nobody scales it now: there is no autoscaler, and the operator does not run the policies. The conditions and \
             warnings of ecs-operator status say why."
                .to_owned()
        }
        None => "The operator does not run the policies.".to_owned(),
    }
}

/// Says which scheduled action has set the range.
fn origin(status: &AutoScalingStatus) -> String {
    let fired = status.scheduled_actions.iter();
    let fired = fired.filter_map(|action| Some((action.last_firing.as_ref()?, action)));
    match fired.max_by_key(|(at, _)| at.0) {
        Some((at, action)) => format!(
            "set by a scheduled action; the last one due was {}, at {}",
            action.name,
            since(Some(at))
        ),
        None => "widened to the tasks that ran when the status was lost".to_owned(),
    }
}

/// Says what is suspended.
fn suspended(scaling: &AutoScaling) -> Vec<String> {
    let states = [
        (
            scaling.scale_out_suspended,
            "add tasks",
            "DynamicScalingOutSuspended",
        ),
        (
            scaling.scale_in_suspended,
            "remove tasks",
            "DynamicScalingInSuspended",
        ),
    ];
    let states = states.into_iter().filter(|(is_so, ..)| *is_so);
    let states = states.map(|(_, what, why)| format!("Policies may not {what} ({why})."));
    states.collect()
}

/// Says what was the last change, and why none follows.
fn last(status: &AutoScalingStatus) -> Vec<String> {
    let newest = status.activities.first().map(|newest| {
        format!(
            "Last activity at {}: {} {}: {}.",
            since(newest.start_time.as_ref()),
            newest.description,
            newest.status_code,
            newest.cause
        )
    });
    let why = status.not_scaled_reason.as_ref();
    let why = why.map(|why| format!("A policy wants another count now, and it stays: {why}."));
    newest.into_iter().chain(why).collect()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
    use serde_json::{Value, json};

    use super::*;

    /// Returns the text about a service with this scaling and this status of it, at 01:00.
    fn explained(scaling: &Value, status: &Value, autoscalers: &Autoscalers) -> String {
        // Only one of the counts matters: that of the spec if the operator scales, or else that of the status.
        let (given, reported) = if status["scaler"] == "operator" {
            (4, 7)
        } else {
            (7, 4)
        };
        let mut spec = json!({"taskDefinition": "web", "desiredCount": given});
        if !scaling.is_null() {
            spec["autoScaling"] = scaling.clone();
        }
        let service: EcsService = serde_json::from_value(json!({
            "metadata": {"name": "web", "generation": 3},
            "spec": spec,
            "status": {"observedGeneration": 3, "desiredCount": reported, "runningCount": 4, "autoScaling": status},
        }))
        .expect("it is a service");
        let now = "2026-01-01T01:00:00Z".parse().expect("it is a time");
        text(&service, autoscalers, now)
    }

    fn tracking() -> Value {
        json!({
            "PolicyName": "cpu",
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": {
                "TargetValue": 50,
                "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
            },
        })
    }

    fn scaling(policies: &[Value]) -> Value {
        json!({"scalableTarget": {"MinCapacity": 2, "MaxCapacity": 10}, "scalingPolicies": policies})
    }

    #[test]
    fn policies_of_the_operator_say_what_the_next_change_needs() {
        let mut scaling = scaling(&[tracking()]);
        scaling["scaler"] = json!("operator");
        let status = json!({
            "scaler": "operator",
            "alarms": [
                {"alarmName": "cpu/AlarmHigh", "metricName": "CPUUtilization", "threshold": 50.0, "stateValue": "OK", "value": 48.2, "stateUpdatedTimestamp": "2026-01-01T00:40:00Z"},
                {"alarmName": "cpu/AlarmLow", "metricName": "CPUUtilization", "threshold": 45.0, "stateValue": "ALARM", "value": 31.0, "stateUpdatedTimestamp": "2026-01-01T00:59:00Z"},
            ],
            "notScaledReason": "InCooldown",
            "activities": [{
                "description": "Setting desired count to 4.",
                "cause": "monitor alarm cpu/AlarmLow in state ALARM triggered policy cpu",
                "policyName": "cpu", "base": 6, "from": 6, "to": 4,
                "startTime": "2026-01-01T00:58:00Z",
                "endTime": "2026-01-01T00:58:30Z",
                "cooldownUntil": "2026-01-01T01:03:00Z",
                "statusCode": "Successful",
            }],
        });
        let expected = "\
web: 4 tasks desired, 4 running.
The operator sets the count: autoScaling.scaler says so.
Its range is 2 to 10, from scalableTarget.
Last activity at 2026-01-01T00:58:00Z: Setting desired count to 4. Successful: monitor alarm cpu/AlarmLow in state ALARM triggered policy cpu.
A policy wants another count now, and it stays: InCooldown.

Policy cpu: keeps CPUUtilization at 50 (target tracking).
  It adds tasks when CPUUtilization was above 50 in each of the last 3 minutes.
    Alarm cpu/AlarmHigh: OK since 2026-01-01T00:40:00Z, when the value was 48.2; later values are not recorded.
    At 60: to 5 tasks.
    At 100: to 8 tasks.
  It removes tasks when CPUUtilization was below 45 in each of the last 15 minutes.
    Alarm cpu/AlarmLow: ALARM since 2026-01-01T00:59:00Z, when the value was 31; later values are not recorded.
    At 40: stays at 4 tasks, in a cooldown until 2026-01-01T01:03:00Z (InCooldown).
    At 25: stays at 4 tasks, in a cooldown until 2026-01-01T01:03:00Z (InCooldown).
";
        assert_eq!(
            explained(&scaling, &status, &Autoscalers::default()),
            expected
        );
    }

    #[test]
    fn steps_say_for_which_values_they_apply() {
        let step = json!({
            "PolicyName": "out",
            "PolicyType": "StepScaling",
            "StepScalingPolicyConfiguration": {
                "AdjustmentType": "ChangeInCapacity",
                "StepAdjustments": [
                    {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 20, "ScalingAdjustment": 1},
                    {"MetricIntervalLowerBound": 20, "ScalingAdjustment": 9},
                ],
            },
            "Alarm": {
                "Namespace": "AWS/ECS", "MetricName": "CPUUtilization",
                "Dimensions": [{"Name": "ServiceName", "Value": "web"}],
                "Statistic": "Average", "Period": 120, "EvaluationPeriods": 3, "DatapointsToAlarm": 2,
                "Threshold": 60, "ComparisonOperator": "GreaterThanThreshold",
            },
        });
        let mut scaling = scaling(&[step]);
        scaling["scalableTarget"]["SuspendedState"] = json!({"DynamicScalingInSuspended": true});
        let status = json!({"scaler": "operator"});
        let expected = "\
web: 4 tasks desired, 4 running.
The operator sets the count: an autoscaler has no steps, which a policy has.
Its range is 2 to 10, from scalableTarget.
Policies may not remove tasks (DynamicScalingInSuspended).

Policy out: takes a step while the alarm out is in ALARM.
  It goes into ALARM when CPUUtilization was above 60 in 2 of the last 3 periods of 2 minutes.
    Alarm out: the operator has not evaluated it, and may have no way to measure its metric.
    From 60 to 80: to 5 tasks.
    From 80 on: to 10 tasks.
";
        assert_eq!(
            explained(&scaling, &status, &Autoscalers::default()),
            expected
        );
    }

    #[test]
    fn an_autoscaler_speaks_for_itself() {
        let horizontal: HorizontalPodAutoscaler = serde_json::from_value(json!({
            "metadata": {"name": "web"},
            "spec": {
                "scaleTargetRef": {"kind": "Deployment", "name": "web"},
                "minReplicas": 2, "maxReplicas": 10,
                "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}],
                "behavior": {
                    "scaleUp": {"stabilizationWindowSeconds": 180, "tolerance": "0"},
                    "scaleDown": {"selectPolicy": "Disabled"},
                },
            },
            "status": {
                "currentReplicas": 4, "desiredReplicas": 5,
                "currentMetrics": [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 61, "averageValue": "61m"}}}],
                "conditions": [{"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound", "message": "the HPA was able to calculate", "lastTransitionTime": "2026-01-01T00:30:00Z"}],
            },
        }))
        .expect("it is an autoscaler");
        let autoscalers = Autoscalers {
            horizontal: Some(horizontal),
            ..Autoscalers::default()
        };
        let expected = "\
web: 4 tasks desired, 4 running.
HorizontalPodAutoscaler web sets the count: target tracking on CPU or memory is translated to it.
Its range is 2 to 10, from scalableTarget.

HorizontalPodAutoscaler web, 2 to 10: 4 tasks now, it wants 5.
  cpu: 61 %, target 50 %
  It adds tasks when a metric is above its target for 180 s.
  It removes no tasks: DisableScaleIn, scaling in is suspended, or a deployment is in progress.
  ScalingActive is True since 2026-01-01T00:30:00Z: ValidMetricFound: the HPA was able to calculate
";
        assert_eq!(
            explained(&scaling(&[tracking()]), &json!({}), &autoscalers),
            expected
        );
    }

    #[test]
    fn scheduled_actions_say_which_range_and_count_they_lead_to() {
        let mut scaling = scaling(&[]);
        scaling["scheduledActions"] = json!([
            {"ScheduledActionName": "day", "Schedule": "cron(0 6 * * ? *)", "ScalableTargetAction": {"MinCapacity": 3}},
            {"ScheduledActionName": "night", "Schedule": "cron(0 22 * * ? *)", "ScalableTargetAction": {"MinCapacity": 0, "MaxCapacity": 1}},
            {"ScheduledActionName": "new", "Schedule": "rate(1 hour)", "ScalableTargetAction": {"MinCapacity": 0}},
        ]);
        let definitions = scaling_of_actions(&scaling);
        let status = json!({
            "range": {"minCapacity": 2, "maxCapacity": 6},
            "scheduledActions": [
                {"name": "day", "schedule": definitions[0], "nextFiring": "2026-01-01T06:00:00Z"},
                {"name": "night", "schedule": definitions[1], "lastFiring": "2025-12-31T22:00:00Z", "nextFiring": "2026-01-01T22:00:00Z"},
            ],
        });
        let expected = "\
web: 4 tasks desired, 4 running.
No policy scales it: whoever sets desiredCount sets the count. Scheduled actions move the count into their range.
Its range is 2 to 6, set by a scheduled action; the last one due was night, at 2025-12-31T22:00:00Z.

Scheduled actions:
  day: at 2026-01-01T06:00:00Z the range becomes 3 to 6: 4 tasks then, if nothing else changes the count until then
  night: at 2026-01-01T22:00:00Z the range becomes 0 to 1: 1 task then, if nothing else changes the count until then
  new: the operator has not seen it with this schedule yet
";
        assert_eq!(
            explained(&scaling, &status, &Autoscalers::default()),
            expected
        );
    }

    /// Returns what the status remembers as the schedules of the actions.
    fn scaling_of_actions(scaling: &Value) -> Vec<String> {
        let raw = serde_json::from_value(scaling.clone()).expect("it is a scaling");
        let service = ScaledService {
            name: "web",
            cluster: None,
        };
        let scaling = readable_scaling(&raw, service).expect("it is valid");
        let actions = scaling.scheduled_actions.into_iter();
        actions.map(|action| action.definition).collect()
    }

    #[test]
    fn a_service_that_nobody_scales_says_so() {
        let unread = Autoscalers {
            unread: vec!["forbidden".to_owned()],
            ..Autoscalers::default()
        };
        let nothing = Autoscalers::default();
        let zero = json!({"scalableTarget": {"MinCapacity": 0, "MaxCapacity": 0}, "scalingPolicies": [tracking()]});
        for (scaling, autoscalers, expected) in [
            (Value::Null, &nothing, "its spec has no autoScaling"),
            (
                json!({"scalingPolicies": []}),
                &nothing,
                "Its scalableTarget cannot be read",
            ),
            (zero, &nothing, "the maximum in the spec is 0"),
            (scaling(&[]), &nothing, "No policy scales it"),
            (
                scaling(&[tracking()]),
                &nothing,
                "Nobody scales it now: there is no autoscaler",
            ),
            (
                scaling(&[tracking()]),
                &unread,
                "Whether there is an autoscaler is not known: forbidden",
            ),
        ] {
            let text = explained(&scaling, &json!({}), autoscalers);
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }
}

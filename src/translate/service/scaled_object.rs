//! Converts target tracking on CloudWatch metrics to a KEDA ScaledObject.

use serde_json::{Value, json};

use super::autoscaling::{behavior, least, percent, policy_path, scale_in_seconds, scale_target};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    settings::WorkloadTarget,
    translate::{Context, CustomObject, Object, Workload},
    validate::{AutoScaling, CloudWatchMetric, Metric, Region, TargetTracking},
};

const fn cloud_watch(policy: &TargetTracking) -> Option<&CloudWatchMetric> {
    match &policy.metric {
        Metric::CloudWatch(metric) => Some(metric),
        Metric::Cpu | Metric::Memory | Metric::Math(_) => None,
    }
}

/// Whether KEDA is needed, which reads CloudWatch.
pub(super) fn is_needed(scaling: &AutoScaling) -> bool {
    scaling
        .policies
        .iter()
        .any(|policy| cloud_watch(policy).is_some())
}

/// Whether KEDA's admission webhook demands a request of each container for a policy on this metric. It checks the
/// Deployment that a ScaledObject scales, and no other kind, and KEDA before 2.21 does not accept the requests of the
/// pod instead (<https://github.com/kedacore/keda/blob/main/apis/keda/v1alpha1/scaledobject_webhook.go>).
pub(crate) fn demands_requests(cx: &Context<'_>, metric: &Metric) -> bool {
    let Workload::Service(service) = cx.workload else {
        return false;
    };
    cx.settings.workload_target == WorkloadTarget::Deployment
        && super::autoscaling::scaling_of(service).is_some_and(|scaling| {
            let mut policies = scaling.policies.iter();
            is_needed(scaling) && policies.any(|policy| policy.metric == *metric)
        })
}

/// Returns the ScaledObject, and reports what KEDA needs and does differently.
pub(super) fn scaled_object(
    cx: &Context<'_>,
    scaling: &AutoScaling,
    notes: &mut Diagnostics,
) -> Object {
    let min = least(scaling, scales_to_zero(scaling));
    if min != scaling.min_capacity {
        report_minimum(scaling, notes);
    }
    report_reading(cx, scaling, notes);
    let triggers: Vec<_> = scaling
        .policies
        .iter()
        .map(|policy| trigger(cx, policy))
        .collect();
    let mut spec = json!({
        "scaleTargetRef": scale_target(cx),
        "minReplicaCount": min,
        "maxReplicaCount": scaling.max_capacity,
        "pollingInterval": 60,
        "triggers": triggers,
        "advanced": {"horizontalPodAutoscalerConfig": {"behavior": behavior(cx, scaling)}},
    });
    if min == 0
        && let Some(members) = spec.as_object_mut()
    {
        // KEDA itself scales to none, without the behavior of the autoscaler.
        let seconds = json!(scale_in_seconds(scaling));
        members.insert("cooldownPeriod".to_owned(), seconds);
    }
    Object::Custom(CustomObject {
        api_version: "keda.sh/v1alpha1",
        kind: "ScaledObject",
        metadata: cx.metadata(cx.name()),
        spec,
    })
}

/// Whether the ScaledObject may have a minimum of 0. Only CloudWatch metrics exist without a running pod. And KEDA
/// itself scales from any count to 0 and from 0 to 1, whatever `behavior` disables
/// (<https://keda.sh/docs/latest/reference/scaledobject-spec/#cooldownperiod>), so both directions must be allowed.
pub(super) fn scales_to_zero(scaling: &AutoScaling) -> bool {
    only_cloud_watch(scaling) && !scaling.never_scales_in() && !scaling.scale_out_suspended
}

fn only_cloud_watch(scaling: &AutoScaling) -> bool {
    let mut policies = scaling.policies.iter();
    policies.all(|policy| cloud_watch(policy).is_some())
}

/// Reports that a minimum of 0 becomes 1.
fn report_minimum(scaling: &AutoScaling, notes: &mut Diagnostics) {
    let path = FieldPath::root(Subject::AutoScaling)
        .field("scalableTarget")
        .field("MinCapacity");
    let message = if only_cloud_watch(scaling) {
        Message::MinCapacityZero {
            cause: "KEDA goes to 0 tasks and back even where scaling in or out is switched off"
                .to_owned(),
            advice: "allow both directions if the service must scale to 0".to_owned(),
        }
    } else {
        Message::MinCapacityZero {
            cause: "CPU and memory cannot be measured without a task".to_owned(),
            advice:
                "use only policies on CloudWatch metrics, with KEDA, if the service must scale to 0"
                    .to_owned(),
        }
    };
    notes.report(path, message);
}

/// Reports once what reading CloudWatch needs, and that the region of metrics is assumed from the task definition.
fn report_reading(cx: &Context<'_>, scaling: &AutoScaling, notes: &mut Diagnostics) {
    let mut policies = scaling.policies.iter();
    let Some(policy) = policies.find(|policy| cloud_watch(policy).is_some()) else {
        return;
    };
    notes.report(policy_path(policy), Message::KedaReadsCloudWatch);
    if let Some(doubt) = region(cx).doubt() {
        notes.report(policy_path(policy), doubt);
    }
}

/// Returns the region of metrics. The validation rejects one that is not known, except offline.
fn region(cx: &Context<'_>) -> Region {
    let known = cx.task_definition.region.clone();
    known.unwrap_or_else(Region::unknown)
}

fn trigger(cx: &Context<'_>, policy: &TargetTracking) -> Value {
    let Some(metric) = cloud_watch(policy) else {
        return json!({
            "type": if policy.metric == Metric::Cpu { "cpu" } else { "memory" },
            "metricType": "Utilization",
            "metadata": {"value": percent(policy).to_string()},
        });
    };
    let joined = |part: fn(&(String, String)) -> &str| {
        metric
            .dimensions
            .iter()
            .map(part)
            .collect::<Vec<_>>()
            .join(";")
    };
    let mut trigger = json!({
        "type": "aws-cloudwatch",
        "name": policy.name,
        // The metric is already an average over the targets; with KEDA's default it would be divided again.
        "metricType": "Value",
        "metadata": {
            "awsRegion": region(cx).name,
            // KEDA reads CloudWatch with its own role; by default it would use a role of the scaled pods, which have
            // none for this.
            "identityOwner": "operator",
            "namespace": metric.namespace,
            "metricName": metric.name,
            "dimensionName": joined(|dimension| dimension.0.as_str()),
            "dimensionValue": joined(|dimension| dimension.1.as_str()),
            "metricStat": metric.statistic,
            "metricStatPeriod": "60",
            "metricCollectionTime": "180",
            "metricEndTimeOffset": "0",
            // Required, and unused beside the next member.
            "minMetricValue": "0",
            // KEDA's default takes a metric without points for 0, and would remove tasks. An alarm of AWS has
            // insufficient data then, and the count stays; so it does when a trigger fails.
            "ignoreNullValues": "false",
            "targetMetricValue": policy.target_value.to_string(),
        },
    });
    if let (Some(unit), Some(metadata)) = (&metric.unit, trigger.get_mut("metadata")) {
        metadata["metricUnit"] = json!(unit);
    }
    trigger
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::{
        diagnostic::Reason,
        settings::WorkloadTarget,
        translate::testing::{Outcome, Scenario, yaml},
    };

    const CPU: &str = r#""PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}"#;
    const MEMORY: &str = r#""PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageMemoryUtilization"}"#;
    const QUEUE: &str = r#""CustomizedMetricSpecification": {
        "Namespace": "AWS/SQS", "MetricName": "ApproximateNumberOfMessagesVisible", "Statistic": "Average",
        "Dimensions": [{"Name": "QueueName", "Value": "jobs"}]}"#;
    const ON: &str = r#""DisableScaleIn": false"#;
    const OFF: &str = r#""DisableScaleIn": true"#;

    /// Returns a converted service with this definition, these members of its scalable target, and a policy for each
    /// metric.
    fn scaled(definition: &str, target: &str, policies: &[(&str, &str)]) -> Scenario {
        let policies: Vec<String> = policies
            .iter()
            .enumerate()
            .map(|(n, (metric, more))| {
                format!(
                    r#"{{"PolicyName": "{n}", "PolicyType": "TargetTrackingScaling",
                        "TargetTrackingScalingPolicyConfiguration": {{"TargetValue": 50, {metric}, {more}}}}}"#
                )
            })
            .collect();
        Scenario::service(definition)
            .extensions(format!(
                r#"{{"autoScaling": {{"scalableTarget": {{"MaxCapacity": 9, {target}}}, "scalingPolicies": [{}]}}}}"#,
                policies.join(",")
            ))
            .settings(|settings| settings.aws_region = Some("eu-west-1".to_owned()))
            .convert()
    }

    /// Returns a Fargate task of this size with containers of these members.
    fn sized(containers: &[&str]) -> String {
        let containers: Vec<String> = containers
            .iter()
            .enumerate()
            .map(|(n, members)| format!(r#"{{"name": "c{n}", "image": "busybox"{members}}}"#))
            .collect();
        format!(
            r#"{{"family": "w", "networkMode": "awsvpc", "cpu": "256", "memory": "512", "containerDefinitions": [{}]}}"#,
            containers.join(",")
        )
    }

    fn requests(outcome: &Outcome, name: &str) -> Value {
        outcome.container(name)["resources"]["requests"].clone()
    }

    #[test]
    fn containers_have_the_requests_that_the_admission_webhook_demands() {
        let min = r#""MinCapacity": 1"#;
        let both = scaled(
            &sized(&["", r#", "cpu": 128, "memoryReservation": 64"#]),
            min,
            &[(QUEUE, ON), (CPU, ON), (MEMORY, ON)],
        );
        let outcome = both.run();
        assert_eq!(requests(&outcome, "c0"), yaml("{cpu: 1m, memory: 1Mi}"));
        assert_eq!(requests(&outcome, "c1"), yaml("{cpu: 125m, memory: 64Mi}"));
        let pod = outcome.pod_spec()["resources"]["requests"].clone();
        assert_eq!(pod, yaml("{cpu: 250m, memory: 512Mi}"));

        let full = r#", "cpu": 256, "memoryReservation": 512"#;
        let outcome = scaled(&sized(&["", full]), min, &[(QUEUE, ON), (CPU, ON)]).run();
        assert_eq!(requests(&outcome, "c0"), yaml("{cpu: 1m}"));
        assert_eq!(requests(&outcome, "c1"), yaml("{cpu: 248m, memory: 512Mi}"));
        let outcome = scaled(&sized(&["", full]), min, &[(MEMORY, ON), (QUEUE, ON)]).run();
        assert_eq!(requests(&outcome, "c0"), yaml("{memory: 1Mi}"));
        assert_eq!(requests(&outcome, "c1"), yaml("{cpu: 250m, memory: 511Mi}"));
    }

    #[test]
    fn only_a_deployment_that_keda_checks_gets_these_requests() {
        let min = r#""MinCapacity": 1"#;
        for scenario in [
            scaled(&sized(&[""]), min, &[(CPU, ON)]),
            scaled(&sized(&[""]), min, &[(QUEUE, ON)]),
            scaled(&sized(&[""]), min, &[(QUEUE, ON), (CPU, ON)])
                .settings(|settings| settings.workload_target = WorkloadTarget::EcsService),
        ] {
            assert_eq!(requests(&scenario.run(), "c0"), Value::Null);
        }
    }

    #[test]
    fn a_metric_without_points_keeps_the_count() {
        let outcome = scaled(&sized(&[""]), r#""MinCapacity": 1"#, &[(QUEUE, ON)]).run();
        let trigger = &outcome.object("ScaledObject", "w")["spec"]["triggers"][0];
        assert_eq!(trigger["metadata"]["ignoreNullValues"], "false");
        let read = outcome.notes_of(&[Reason::KedaReadsCloudWatch]);
        assert_eq!(
            read,
            ["scalingPolicies[0].TargetTrackingScalingPolicyConfiguration: KedaReadsCloudWatch"]
        );
    }

    #[test]
    fn keda_goes_to_zero_only_where_scaling_is_allowed_in_both_directions() {
        let zero = r#""MinCapacity": 0"#.to_owned();
        let suspended = |member: &str| format!(r#"{zero}, "SuspendedState": {{"{member}": true}}"#);
        for (target, policies, min) in [
            (zero.clone(), vec![(QUEUE, ON)], 0),
            (zero.clone(), vec![(QUEUE, ON), (QUEUE, OFF)], 0),
            (zero.clone(), vec![(QUEUE, OFF)], 1),
            (zero.clone(), vec![(QUEUE, ON), (CPU, ON)], 1),
            (suspended("DynamicScalingInSuspended"), vec![(QUEUE, ON)], 1),
            (
                suspended("DynamicScalingOutSuspended"),
                vec![(QUEUE, ON)],
                1,
            ),
            (suspended("ScheduledScalingSuspended"), vec![(QUEUE, ON)], 0),
        ] {
            let outcome = scaled(&sized(&[""]), &target, &policies).run();
            let spec = &outcome.object("ScaledObject", "w")["spec"];
            assert_eq!(spec["minReplicaCount"], min, "{target} {policies:?}");
            assert_eq!(spec["cooldownPeriod"].is_null(), min == 1, "{target}");
            let notes = outcome.notes_of(&[Reason::MinCapacityZero]);
            assert_eq!(notes.len(), min, "{target} {policies:?}");
        }
    }
}

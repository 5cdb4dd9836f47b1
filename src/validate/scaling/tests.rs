//! Tests of scaling policies and scheduled actions.

use crate::{
    settings::{Addon, Mode, WorkloadTarget},
    translate::testing::{Scenario, yaml},
};

const DEFINITION: &str = r#"{"family": "web", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
    "cpu": "256", "memory": "512", "containerDefinitions": [{"name": "web", "image": "nginx:1.29"}]}"#;

const TARGET: &str = r#""scalableTarget": {"MinCapacity": 2, "MaxCapacity": 10}"#;

fn scaled(policies: &str) -> Scenario {
    Scenario::service(DEFINITION).extensions(format!(
        r#"{{"autoScaling": {{{TARGET}, "scalingPolicies": [{policies}]}}}}"#
    ))
}

fn policy(name: &str, configuration: &str) -> String {
    format!(
        r#"{{"PolicyName": "{name}", "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": {{{configuration}}}}}"#
    )
}

fn predefined(metric: &str) -> String {
    format!(
        r#""TargetValue": 50, "PredefinedMetricSpecification": {{"PredefinedMetricType": "{metric}"}}"#
    )
}

#[test]
fn cpu_and_memory_become_one_autoscaler() {
    let cpu = r#""TargetValue": 75.5, "ScaleOutCooldown": 60, "ScaleInCooldown": 1200,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}"#;
    let memory = r#""TargetValue": 80,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageMemoryUtilization"}"#;
    let outcome = scaled(&format!(
        "{}, {}",
        policy("cpu", cpu),
        policy("mem", memory)
    ))
    .settings(|settings| settings.workload_target = crate::settings::WorkloadTarget::EcsService)
    .run();
    let expected = yaml(
        "minReplicas: 2
maxReplicas: 10
scaleTargetRef:
  apiVersion: ecs-operator.dev/v1alpha1
  kind: EcsService
  name: web
metrics:
- type: Resource
  resource:
    name: cpu
    target:
      type: Utilization
      averageUtilization: 75
- type: Resource
  resource:
    name: memory
    target:
      type: Utilization
      averageUtilization: 80
behavior:
  scaleUp:
    stabilizationWindowSeconds: 180
    selectPolicy: Max
    tolerance: \"0\"
    policies:
    - type: Pods
      value: 10
      periodSeconds: 15
  scaleDown:
    stabilizationWindowSeconds: 1200
    selectPolicy: Max
    tolerance: 100m
    policies:
    - type: Percent
      value: 100
      periodSeconds: 60
",
    );
    assert_eq!(
        outcome.object("HorizontalPodAutoscaler", "web")["spec"],
        expected
    );
    for reason in ["TargetValueRounded", "ScaleOutCooldownApproximated"] {
        assert!(outcome.has(reason), "{reason}: {:?}", outcome.notes());
    }
}

#[test]
fn requests_per_target_are_read_by_keda() {
    let requests = r#""TargetValue": 1000, "PredefinedMetricSpecification": {
        "PredefinedMetricType": "ALBRequestCountPerTarget",
        "ResourceLabel": "app/my-alb/778d41231b141a0f/targetgroup/web/943f017f100becff"}"#;
    let outcome = scaled(&policy("requests", requests))
        .settings(|settings| {
            settings.workload_target = crate::settings::WorkloadTarget::EcsService;
            settings.aws_region = Some("us-east-1".to_owned());
        })
        .run();
    let expected = yaml(
        "scaleTargetRef:
  apiVersion: ecs-operator.dev/v1alpha1
  kind: EcsService
  name: web
minReplicaCount: 2
maxReplicaCount: 10
pollingInterval: 60
triggers:
- type: aws-cloudwatch
  name: requests
  metricType: Value
  metadata:
    awsRegion: us-east-1
    identityOwner: operator
    namespace: AWS/ApplicationELB
    metricName: RequestCountPerTarget
    dimensionName: TargetGroup
    dimensionValue: targetgroup/web/943f017f100becff
    metricStat: Sum
    metricStatPeriod: \"60\"
    metricCollectionTime: \"180\"
    metricEndTimeOffset: \"0\"
    minMetricValue: \"0\"
    ignoreNullValues: \"false\"
    targetMetricValue: \"1000\"
advanced:
  horizontalPodAutoscalerConfig:
    behavior:
      scaleUp:
        stabilizationWindowSeconds: 180
        selectPolicy: Max
        tolerance: \"0\"
        policies:
        - type: Pods
          value: 10
          periodSeconds: 15
      scaleDown:
        stabilizationWindowSeconds: 900
        selectPolicy: Max
        tolerance: 100m
        policies:
        - type: Percent
          value: 100
          periodSeconds: 60
",
    );
    assert_eq!(outcome.object("ScaledObject", "web")["spec"], expected);
    assert!(outcome.objects_of("HorizontalPodAutoscaler").is_empty());
}

#[test]
fn the_service_is_never_scaled_by_two_objects() {
    let custom = r#""TargetValue": 30, "CustomizedMetricSpecification": {"MetricName": "Backlog", "Namespace": "Shop",
        "Statistic": "Average", "Dimensions": [{"Name": "Queue", "Value": "orders"}]}"#;
    let cpu = predefined("ECSServiceAverageCPUUtilization");
    let outcome = scaled(&format!(
        "{}, {}",
        policy("backlog", custom),
        policy("cpu", &cpu)
    ))
    .settings(|settings| settings.aws_region = Some("eu-west-1".to_owned()))
    .run();
    let triggers = &outcome.object("ScaledObject", "web")["spec"]["triggers"];
    assert_eq!(
        triggers[1],
        yaml("{type: cpu, metricType: Utilization, metadata: {value: \"50\"}}")
    );
    assert!(outcome.objects_of("HorizontalPodAutoscaler").is_empty());
}

/// Runs policies in an operator with a query for the length of a queue, if it has one, and with KEDA or not.
fn in_operator(scaler: &str, policies: &str, query: bool, keda: bool) -> Scenario {
    let extensions =
        format!(r#"{{"autoScaling": {{{TARGET}{scaler}, "scalingPolicies": [{policies}]}}}}"#);
    let scenario = Scenario::service(DEFINITION).extensions(extensions);
    scenario.settings(|settings| {
        settings.mode = Mode::Controller;
        settings.workload_target = WorkloadTarget::EcsService;
        settings.aws_region = keda.then(|| "eu-west-1".to_owned());
        if !keda {
            settings.addons.remove(&Addon::Keda);
        }
        let text = "Shop/Backlog=backlog{queue=\"<<dimension.Queue>>\"}";
        let queries = query.then(|| text.parse().expect("it is a query"));
        settings.metric_sources.queries = queries.into_iter().collect();
    })
}

#[test]
fn the_operator_runs_what_it_can_measure_only_where_it_has_to() {
    let queue = r#""MetricName": "Backlog", "Namespace": "Shop", "Statistic": "Average",
        "Dimensions": [{"Name": "Queue", "Value": "orders"}]"#;
    let tracked = policy(
        "tracked",
        &format!(r#""TargetValue": 30, "CustomizedMetricSpecification": {{{queue}}}"#),
    );
    let step = format!(
        r#"{{"PolicyName": "out", "PolicyType": "StepScaling", "StepScalingPolicyConfiguration": {{
            "AdjustmentType": "ChangeInCapacity",
            "StepAdjustments": [{{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 2}}]}},
            "Alarm": {{{queue}, "Period": 60, "EvaluationPeriods": 1, "Threshold": 100,
            "ComparisonOperator": "GreaterThanThreshold"}}}}"#
    );
    let both = format!("{tracked}, {step}");
    let asked = r#", "scaler": "operator""#;
    // Whether there are a query and KEDA, and then whether KEDA scales and whether something cannot be measured.
    for (scaler, policies, query, keda, by_keda, unmeasured) in [
        // A query alone takes nothing from KEDA.
        ("", &tracked, true, true, true, false),
        ("", &tracked, false, true, true, false),
        (asked, &tracked, true, true, false, false),
        (asked, &tracked, true, false, false, false),
        (asked, &tracked, false, true, true, true),
        ("", &step, true, false, false, false),
        ("", &step, false, false, false, true),
        ("", &both, true, true, false, false),
        ("", &both, true, false, false, false),
        ("", &both, false, true, true, true),
    ] {
        let outcome = in_operator(scaler, policies, query, keda).run();
        let what = format!("{scaler} {policies} {query} {keda}: {:?}", outcome.notes());
        assert_eq!(
            !outcome.objects_of("ScaledObject").is_empty(),
            by_keda,
            "{what}"
        );
        assert_eq!(outcome.has("OperatorCannotMeasure"), unmeasured, "{what}");
        assert!(
            outcome.objects_of("HorizontalPodAutoscaler").is_empty(),
            "{what}"
        );
    }
    // Without the query that it had, the operator goes on with what it can measure.
    for policies in [&tracked, &both] {
        let scenario = in_operator(asked, policies, false, false);
        let outcome = scenario
            .settings(|settings| settings.keeps_policies = true)
            .run();
        assert!(outcome.objects_of("ScaledObject").is_empty(), "{policies}");
    }
    for (scaler, query) in [("", true), ("", false), (asked, false)] {
        let rejections = in_operator(scaler, &tracked, query, false).rejections();
        for reason in ["ExternalMetricsUnavailable", "RegionRequired"] {
            assert!(
                rejections.iter().any(|line| line.contains(reason)),
                "{reason}: {rejections:?}"
            );
        }
    }
}

#[test]
fn what_the_operator_may_have_to_run_is_told_by_the_text_of_its_spec() {
    let cpu = policy("cpu", &predefined("ECSServiceAverageCPUUtilization"));
    let math = r#""TargetValue": 30, "CustomizedMetricSpecification": {"Metrics": [
        {"Id": "m", "ReturnData": false, "MetricStat": {"Stat": "Average", "Metric": {"MetricName": "CPUUtilization",
            "Namespace": "AWS/ECS", "Dimensions": [{"Name": "ServiceName", "Value": "web"}]}}},
        {"Id": "e", "Expression": "m * 2"}]}"#;
    let step = r#"{"PolicyName": "out", "PolicyType": "StepScaling", "StepScalingPolicyConfiguration": {
        "AdjustmentType": "ChangeInCapacity",
        "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 2}]},
        "Alarm": {"MetricName": "CPUUtilization", "Namespace": "AWS/ECS", "Statistic": "Average",
        "Dimensions": [{"Name": "ServiceName", "Value": "web"}], "Period": 60, "EvaluationPeriods": 1,
        "Threshold": 100, "ComparisonOperator": "GreaterThanThreshold"}}"#;
    for (scaler, policies, by_operator) in [
        ("", cpu.clone(), false),
        (r#", "scaler": "operator""#, cpu, true),
        ("", policy("math", math), true),
        ("", step.to_owned(), true),
    ] {
        let outcome = in_operator(scaler, &policies, false, false).run();
        let has_autoscaler = !outcome.objects_of("HorizontalPodAutoscaler").is_empty();
        assert_eq!(has_autoscaler, !by_operator, "{policies}");
        let text = format!("{policies}{scaler}");
        assert_eq!(super::may_be_for_operator(&text), by_operator, "{policies}");
    }
}

#[test]
fn mistakes_have_their_reasons() {
    let cpu = predefined("ECSServiceAverageCPUUtilization");
    let label = r#""TargetValue": 50, "PredefinedMetricSpecification": {
        "PredefinedMetricType": "ECSServiceAverageCPUUtilization", "ResourceLabel": "x"}"#;
    for (policies, reason) in [
        (
            format!("{}, {}", policy("a", &cpu), policy("a", &cpu)),
            "DuplicateScalingPolicy",
        ),
        (
            policy("a", &predefined("ALBRequestCountPerTarget")),
            "ResourceLabelRequired",
        ),
        (
            policy("a", &predefined("RDSReaderAverageCPUUtilization")),
            "NotAnEcsMetric",
        ),
        (policy("a", label), "ResourceLabelMisused"),
        (r#"{"PolicyName": "a"}"#.to_owned(), "PolicyTypeRequired"),
        (
            r#"{"PolicyName": "a", "PolicyType": "StepScaling"}"#.to_owned(),
            "PolicyConfigurationMismatch",
        ),
        (
            policy(
                "a",
                r#""TargetValue": 1, "CustomizedMetricSpecification": {"Metrics": [{"Id": "e", "Expression": "m"}]}"#,
            ),
            "MetricMathUnsupported",
        ),
    ] {
        let rejections = scaled(&policies).rejections();
        assert!(
            rejections.iter().any(|line| line.contains(reason)),
            "{reason}: {rejections:?}"
        );
    }
}

#[test]
fn utilisation_needs_something_to_divide_by() {
    let definition = r#"{"family": "web", "containerDefinitions": [
        {"name": "web", "image": "nginx", "memory": 64, "cpu": 10},
        {"name": "log", "image": "log", "memory": 64}]}"#;
    let extensions = format!(
        r#"{{"autoScaling": {{{TARGET}, "scalingPolicies": [{}]}}}}"#,
        policy("cpu", &predefined("ECSServiceAverageCPUUtilization"))
    );
    let rejections = Scenario::service(definition)
        .extensions(extensions.clone())
        .rejections();
    assert!(
        rejections[0].contains("UtilizationNeedsRequests"),
        "{rejections:?}"
    );
    let sized = definition.replacen('{', r#"{"cpu": "256","#, 1);
    Scenario::service(sized.clone())
        .extensions(extensions.clone())
        .run();
    let old = Scenario::service(sized)
        .extensions(extensions.clone())
        .settings(|settings| settings.kubernetes_minor = 33)
        .rejections();
    assert!(old[0].contains("UtilizationNeedsRequests"), "{old:?}");
    // The first essential container gets the remainder of the task's size, if there is one.
    let heir = |cpu: &str| {
        let definition = format!(
            r#"{{"family": "web", "cpu": "256", "containerDefinitions": [
                {{"name": "web", "image": "nginx", "memory": 64}},
                {{"name": "log", "image": "log", "memory": 64, "cpu": {cpu}}}]}}"#
        );
        Scenario::service(definition)
            .extensions(extensions.clone())
            .settings(|settings| settings.kubernetes_minor = 33)
    };
    heir("255").run();
    let nothing_left = heir("256").rejections();
    assert!(
        nothing_left[0].contains("UtilizationNeedsRequests"),
        "{nothing_left:?}"
    );
}

#[test]
fn no_capacity_means_no_autoscaler() {
    let outcome = Scenario::service(DEFINITION)
        .extensions(format!(
            r#"{{"autoScaling": {{"scalableTarget": {{"MinCapacity": 0, "MaxCapacity": 0}}, "scalingPolicies": [{}]}}}}"#,
            policy("cpu", &predefined("ECSServiceAverageCPUUtilization"))
        ))
        .run();
    assert!(outcome.objects_of("HorizontalPodAutoscaler").is_empty());
    assert_eq!(outcome.object("Deployment", "web")["spec"]["replicas"], 0);
}

/// Reads a service's scaling with this action, and returns it if it is valid.
fn scheduled(members: &str) -> Option<super::ScheduledAction> {
    let action = format!(r#"{{"ScheduledActionName": "a", {members}}}"#);
    let text = format!(r#"{{{TARGET}, "scheduledActions": [{action}]}}"#);
    let raw = serde_json::from_str(&text).expect("it is read");
    super::scheduled_scaling(&raw)?.scheduled_actions.pop()
}

#[test]
fn limits_of_a_schedule_are_whole_seconds() {
    let rate = |start: &str| {
        let members = format!(
            r#""Schedule": "rate(1 day)", "StartTime": "{start}", "ScalableTargetAction": {{"MinCapacity": 1}}"#
        );
        scheduled(&members)?.start.map(|start| start.to_string())
    };
    let ten = Some("2026-01-15T10:00:00Z".to_owned());
    for start in [
        "2026-01-15T10:00:00Z",
        "2026-01-15T10:00:00.5Z",
        "2026-01-15T10:00:00",
        "2026-01-15T12:00:00+02:00",
        "1768471200",
    ] {
        assert_eq!(rate(start), ten, "{start}");
    }
    assert_eq!(rate("tomorrow"), None);
}

#[test]
fn the_number_of_policies_is_limited() {
    let cpu = predefined("ECSServiceAverageCPUUtilization");
    let of = |count: usize| {
        let policies: Vec<String> = (0..count)
            .map(|name| policy(&name.to_string(), &cpu))
            .collect();
        scaled(&policies.join(","))
    };
    of(100).run();
    assert_eq!(
        of(101).rejections(),
        ["scalingPolicies: InvalidValue: 101 elements: must be 100 at most"]
    );
}

#[test]
fn actions_that_aws_would_refuse_are_none() {
    let cron = r#""Schedule": "cron(0 6 * * ? *)""#;
    let of = |more: &str| scheduled(&format!("{cron}, {more}"));
    assert!(of(r#""ScalableTargetAction": {"MinCapacity": 3}"#).is_some());
    for more in [
        r#""ScalableTargetAction": {}"#,
        r#""ScalableTargetAction": {"MinCapacity": 3, "MaxCapacity": 2}"#,
        r#""ScalableTargetAction": {"MaxCapacity": 9999999999}"#,
        r#""ScalableTargetAction": {"MinCapacity": -1}"#,
        r#""ScalableTargetAction": {"MinCapacity": 3}, "Timezone": "Mars""#,
        r#""ScalableTargetAction": {"MinCapacity": 3}, "StartTime": "2026-02-01", "EndTime": "2026-01-01""#,
    ] {
        assert!(of(more).is_none(), "{more}");
    }
    let action = |name: usize| {
        format!(
            r#"{{"ScheduledActionName": "{name}", {cron}, "ScalableTargetAction": {{"MinCapacity": 3}}}}"#
        )
    };
    let of_names = |names: &mut dyn Iterator<Item = usize>| {
        let actions: Vec<String> = names.map(action).collect();
        let text = format!(
            r#"{{{TARGET}, "scheduledActions": [{}]}}"#,
            actions.join(",")
        );
        super::scheduled_scaling(&serde_json::from_str(&text).expect("it is read"))
    };
    assert!(of_names(&mut (0..200)).is_some());
    assert!(of_names(&mut (0..201)).is_none());
    assert!(of_names(&mut [1, 1].into_iter()).is_none());
}

//! Members that `CreateService` and `PutScalingPolicy` do not have: those of `UpdateService` alone, and this
//! operator's own.

use crate::{
    diagnostic::Reason,
    fields::{FIELD, Field, Kind, Limits, Outcome, RULE, Rule},
};

/// The members that only `UpdateService` has.
#[rustfmt::skip]
pub(super) const UPDATE_SERVICE: &[Field] = &[
    Field { path: "service", kind: Kind::String, outcome: Outcome::Translated, target: "the name of the workload, as `serviceName`", rule: "the name that `UpdateService` gives to `serviceName`; an ARN stands for its last part", shape: "UpdateService", ..FIELD },
    Field { path: "forceNewDeployment", kind: Kind::Boolean, default: Some("false"), outcome: Outcome::Noted, reasons: &[Reason::NeedsController], target: "annotation `ecs-operator.dev/force-deployment` of the pod template", rule: "a state cannot hold a request: `kubernetes.forceNewDeployment` of an EcsService is a text that forces a deployment whenever it changes", shape: "UpdateService", needs_controller: Some("use kubectl rollout restart"), ..FIELD },
];

/// The alarm of a step scaling policy, which AWS keeps in CloudWatch.
#[rustfmt::skip]
pub(super) const ALARM: &[Field] = &[
    Field { path: "Alarm.MetricName", kind: Kind::String, outcome: Outcome::NotYet, reasons: &[Reason::StepScalingNeedsController, Reason::StepScalingNotYet, Reason::StepScalingNeedsAlarm], rule: "the metric of the alarm, which AWS keeps in CloudWatch; a step scaling policy without it: `StepScalingNeedsAlarm`", extension: true, ..FIELD },
    Field { path: "Alarm.Namespace", kind: Kind::String, outcome: Outcome::NotYet, reasons: &[Reason::StepScalingNeedsController, Reason::StepScalingNotYet], rule: "the metric's namespace in CloudWatch", extension: true, ..FIELD },
    Field { path: "Alarm.Dimensions[].Name", kind: Kind::String, outcome: Outcome::NotYet, reasons: &[Reason::StepScalingNeedsController, Reason::StepScalingNotYet], rule: "the name of a dimension of the metric", extension: true, ..FIELD },
    Field { path: "Alarm.Dimensions[].Value", kind: Kind::String, outcome: Outcome::NotYet, reasons: &[Reason::StepScalingNeedsController, Reason::StepScalingNotYet], rule: "the value of that dimension", extension: true, ..FIELD },
    Field { path: "Alarm.Statistic", kind: Kind::String, outcome: Outcome::NotYet, reasons: &[Reason::StepScalingNeedsController, Reason::StepScalingNotYet], rule: "how the points of a period become one", extension: true, limits: Limits { values: &["Average", "Minimum", "Maximum", "SampleCount", "Sum"], ..Limits::NONE }, ..FIELD },
    Field { path: "Alarm.Period", kind: Kind::Integer, outcome: Outcome::NotYet, reasons: &[Reason::StepScalingNeedsController, Reason::StepScalingNotYet], rule: "seconds between evaluations", extension: true, limits: Limits { min: Some(1.0), ..Limits::NONE }, ..FIELD },
    Field { path: "Alarm.EvaluationPeriods", kind: Kind::Integer, outcome: Outcome::NotYet, reasons: &[Reason::StepScalingNeedsController, Reason::StepScalingNotYet], rule: "how many points are looked at", extension: true, limits: Limits { min: Some(1.0), ..Limits::NONE }, ..FIELD },
    Field { path: "Alarm.DatapointsToAlarm", kind: Kind::Integer, outcome: Outcome::NotYet, reasons: &[Reason::StepScalingNeedsController, Reason::StepScalingNotYet], rule: "how many of them must breach; all by default", extension: true, limits: Limits { min: Some(1.0), ..Limits::NONE }, ..FIELD },
    Field { path: "Alarm.Threshold", kind: Kind::Number, outcome: Outcome::NotYet, reasons: &[Reason::StepScalingNeedsController, Reason::StepScalingNotYet], rule: "the bounds of the steps count from here", extension: true, ..FIELD },
    Field { path: "Alarm.ComparisonOperator", kind: Kind::String, outcome: Outcome::NotYet, reasons: &[Reason::StepScalingNeedsController, Reason::StepScalingNotYet], rule: "which side of the threshold breaches", extension: true, limits: Limits { values: &["GreaterThanThreshold", "GreaterThanOrEqualToThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold"], ..Limits::NONE }, ..FIELD },
    Field { path: "Alarm.TreatMissingData", kind: Kind::String, outcome: Outcome::NotYet, reasons: &[Reason::StepScalingNeedsController, Reason::StepScalingNotYet], rule: "what a missing point counts as", extension: true, limits: Limits { values: &["breaching", "notBreaching", "ignore", "missing"], ..Limits::NONE }, ..FIELD },
];

/// `spec.kubernetes` of an EcsService.
#[rustfmt::skip]
pub(super) const KUBERNETES: &[Field] = &[
    Field { path: "forceNewDeployment", kind: Kind::String, target: "annotation `ecs-operator.dev/force-deployment` of the pod template", rule: "any text; whenever it changes, all tasks are replaced by a new deployment", extension: true, ..FIELD },
    Field { path: "expose.type", kind: Kind::String, target: "`alb`: Ingress; `nlb`: Service of type LoadBalancer", reasons: &[Reason::ReadinessGateNeedsLabel], rule: "a load balancer of AWS: `ReadinessGateNeedsLabel`", extension: true, limits: Limits { values: &["alb", "nlb"], ..Limits::NONE }, ..FIELD },
    Field { path: "expose.containerName", kind: Kind::String, target: "selects the port", reasons: &[Reason::UnknownContainer], rule: "no such container: `UnknownContainer`", extension: true, ..FIELD },
    Field { path: "expose.containerPort", kind: Kind::Integer, target: "the port of the Service", reasons: &[Reason::LoadBalancerPortNotMapped], rule: "not in the container's `portMappings`: `LoadBalancerPortNotMapped`", extension: true, limits: Limits { min: Some(1.0), max: Some(65_535.0), ..Limits::NONE }, ..FIELD },
    Field { path: "expose.path", kind: Kind::String, target: "Ingress `rules[].http.paths[].path`", rule: "`/` by default", extension: true, ..FIELD },
    Field { path: "expose.scheme", kind: Kind::String, target: "annotation `alb.ingress.kubernetes.io/scheme`", rule: "`internet-facing` by default", extension: true, limits: Limits { values: &["internet-facing", "internal"], ..Limits::NONE }, ..FIELD },
    Field { path: "expose.certificateArns[]", kind: Kind::String, target: "annotation `alb.ingress.kubernetes.io/certificate-arn`", rule: "with certificates the listener is HTTPS", extension: true, ..FIELD },
];

/// What holds for `spec.kubernetes` as a whole.
#[rustfmt::skip]
pub(super) const KUBERNETES_RULES: &[Rule] = &[
    Rule { path: "expose.type", required: true, ..RULE },
    Rule { path: "expose.containerName", required: true, ..RULE },
    Rule { path: "expose.containerPort", required: true, ..RULE },
];

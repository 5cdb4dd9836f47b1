//! The fields of `RegisterScalableTarget`.

use crate::{
    diagnostic::Reason,
    fields::{FIELD, Field, Kind, Limits, Outcome, RULE, Rule},
};

/// One row for each leaf of the request.
#[rustfmt::skip]
pub(super) const FIELDS: &[Field] = &[
    Field { path: "ServiceNamespace", kind: Kind::String, outcome: Outcome::Translated, reasons: &[Reason::NotAnEcsScalableTarget], target: "nothing: it is `ecs`", rule: "any other: `NotAnEcsScalableTarget`; may be left out beside a service", shape: "RegisterScalableTarget", ..FIELD },
    Field { path: "ResourceId", kind: Kind::String, outcome: Outcome::Translated, reasons: &[Reason::ResourceIdMismatch], target: "selects the service", rule: "not the service beside it: `ResourceIdMismatch`; may be left out there", shape: "RegisterScalableTarget", ..FIELD },
    Field { path: "ScalableDimension", kind: Kind::String, outcome: Outcome::Translated, reasons: &[Reason::NotAnEcsScalableTarget], target: "nothing: it is `ecs:service:DesiredCount`", rule: "any other: `NotAnEcsScalableTarget`; may be left out beside a service", shape: "RegisterScalableTarget", ..FIELD },
    Field { path: "MinCapacity", kind: Kind::Integer, limits: Limits { min: Some(0.0), ..Limits::NONE }, outcome: Outcome::Translated, reasons: &[Reason::MinCapacityZero, Reason::CapacityOrder, Reason::DaemonAutoScaling], target: "HPA `minReplicas`", rule: "0 becomes 1, because an autoscaler does not scale to zero: `MinCapacityZero`; with KEDA and only CloudWatch metrics it stays 0; more than `MaxCapacity`: `CapacityOrder`", shape: "RegisterScalableTarget", ..FIELD },
    Field { path: "MaxCapacity", kind: Kind::Integer, limits: Limits { min: Some(0.0), ..Limits::NONE }, outcome: Outcome::Translated, reasons: &[Reason::HpaToleranceDefault], target: "HPA `maxReplicas`", rule: "0: no autoscaler, and a desired count of 0", shape: "RegisterScalableTarget", ..FIELD },
    Field { path: "RoleARN", kind: Kind::String, outcome: Outcome::Noted, reasons: &[Reason::AutoScalingRoleUnused], shape: "RegisterScalableTarget", ..FIELD },
    Field { path: "SuspendedState.DynamicScalingInSuspended", kind: Kind::Boolean, outcome: Outcome::Translated, target: "`behavior.scaleDown.selectPolicy: Disabled`", shape: "SuspendedState", ..FIELD },
    Field { path: "SuspendedState.DynamicScalingOutSuspended", kind: Kind::Boolean, outcome: Outcome::Translated, target: "`behavior.scaleUp.selectPolicy: Disabled`", shape: "SuspendedState", ..FIELD },
    Field { path: "SuspendedState.ScheduledScalingSuspended", kind: Kind::Boolean, outcome: Outcome::Noted, rule: "scheduled actions do not run yet", shape: "SuspendedState", ..FIELD },
    Field { path: "Tags", kind: Kind::StringMap, outcome: Outcome::Noted, reasons: &[Reason::ScalableTargetTagsIgnored], shape: "RegisterScalableTarget", ..FIELD },
];

/// What holds for members as a whole.
#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    Rule { path: "RoleARN", always: Some(Reason::AutoScalingRoleUnused), ..RULE },
    Rule { path: "Tags", always: Some(Reason::ScalableTargetTagsIgnored), ..RULE },
];

//! The fields of `RegisterScalableTarget`.

use crate::{
    diagnostic::Reason,
    fields::{FIELD, Field, Kind, Limits, Outcome, RULE, Rule},
};

/// One row for each leaf of the request.
#[rustfmt::skip]
pub(super) const FIELDS: &[Field] = &[
    Field { path: "ServiceNamespace", kind: Kind::String, outcome: Outcome::Translated, reasons: &[Reason::NotAnEcsScalableTarget], rule: "other `NotAnEcsScalableTarget`; may be omitted inside an EcsService", shape: "RegisterScalableTarget", ..FIELD },
    Field { path: "ResourceId", kind: Kind::String, outcome: Outcome::Translated, reasons: &[Reason::ResourceIdMismatch], rule: "service part must equal serviceName, else `ResourceIdMismatch`; may be omitted", shape: "RegisterScalableTarget", ..FIELD },
    Field { path: "ScalableDimension", kind: Kind::String, outcome: Outcome::Translated, reasons: &[Reason::NotAnEcsScalableTarget], rule: "other `NotAnEcsScalableTarget`; may be omitted", shape: "RegisterScalableTarget", ..FIELD },
    Field { path: "MinCapacity", kind: Kind::Integer, limits: Limits { min: Some(0.0), ..Limits::NONE }, outcome: Outcome::Translated, reasons: &[Reason::MinCapacityZero, Reason::CapacityOrder], target: "HPA `minReplicas`", rule: "translated; 0 `MinCapacityZero`; 0: `minReplicas: 1` (HPAScaleToZero is alpha through 1.36); with KEDA `minReplicaCount: 0` and only CloudWatch triggers: T. > MaxCapacity `CapacityOrder`", shape: "RegisterScalableTarget", ..FIELD },
    Field { path: "MaxCapacity", kind: Kind::Integer, limits: Limits { min: Some(0.0), ..Limits::NONE }, outcome: Outcome::Translated, target: "HPA `maxReplicas`", rule: "0 with Min 0: no HPA, desiredCount forced to 0", shape: "RegisterScalableTarget", ..FIELD },
    Field { path: "RoleARN", kind: Kind::String, outcome: Outcome::Noted, reasons: &[Reason::AutoScalingRoleUnused], shape: "RegisterScalableTarget", ..FIELD },
    Field { path: "SuspendedState.DynamicScalingInSuspended", kind: Kind::Boolean, outcome: Outcome::Translated, target: "`behavior.scaleDown.selectPolicy: Disabled`", rule: "step engine also stops scale-in", shape: "SuspendedState", ..FIELD },
    Field { path: "SuspendedState.DynamicScalingOutSuspended", kind: Kind::Boolean, outcome: Outcome::Translated, target: "`behavior.scaleUp.selectPolicy: Disabled`", shape: "SuspendedState", ..FIELD },
    Field { path: "SuspendedState.ScheduledScalingSuspended", kind: Kind::Boolean, outcome: Outcome::Translated, target: "scheduler skips actions", shape: "SuspendedState", ..FIELD },
    Field { path: "Tags", kind: Kind::StringMap, outcome: Outcome::Translated, target: "annotation", shape: "RegisterScalableTarget", ..FIELD },
];

/// What holds for members as a whole.
#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    Rule { path: "RoleARN", always: Some(Reason::AutoScalingRoleUnused), ..RULE },
    Rule { path: "SuspendedState.ScheduledScalingSuspended", needs_controller: Some("there are no scheduled actions"), ..RULE },
];

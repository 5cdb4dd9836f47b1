//! The fields of `PutScheduledAction`.

use crate::{
    diagnostic::Reason,
    fields::{FIELD, Field, Kind, Limits, Outcome, RULE, Rule},
};

/// One row for each leaf of the request.
#[rustfmt::skip]
pub(super) const FIELDS: &[Field] = &[
    Field { path: "ServiceNamespace", kind: Kind::String, outcome: Outcome::Translated, rule: "as for RegisterScalableTarget; may be left out beside a service", shape: "PutScheduledAction", ..FIELD },
    Field { path: "Schedule", kind: Kind::String, outcome: Outcome::Translated, reasons: &[Reason::ScheduledActionNeedsController, Reason::InvalidScheduleExpression], target: "scheduler by the operator:", rule: "convert: `ScheduledActionNeedsController`; grammar `InvalidScheduleExpression`", shape: "PutScheduledAction", ..FIELD },
    Field { path: "Timezone", kind: Kind::String, outcome: Outcome::Translated, reasons: &[Reason::UnknownTimezone], rule: "unknown `UnknownTimezone`; ignored for rate()", shape: "PutScheduledAction", ..FIELD },
    Field { path: "ScheduledActionName", kind: Kind::String, limits: Limits { max_length: Some(256), ..Limits::NONE }, outcome: Outcome::Translated, reasons: &[Reason::DuplicateScheduledAction], target: "key", rule: "duplicate `DuplicateScheduledAction`", shape: "PutScheduledAction", ..FIELD },
    Field { path: "ResourceId", kind: Kind::String, outcome: Outcome::Translated, shape: "PutScheduledAction", ..FIELD },
    Field { path: "ScalableDimension", kind: Kind::String, outcome: Outcome::Translated, shape: "PutScheduledAction", ..FIELD },
    Field { path: "StartTime", kind: Kind::Timestamp, outcome: Outcome::Translated, target: "not before", rule: "a start time is itself a firing for recurring schedules", shape: "PutScheduledAction", ..FIELD },
    Field { path: "EndTime", kind: Kind::Timestamp, outcome: Outcome::Translated, target: "not after", rule: "no value is restored at the end", shape: "PutScheduledAction", ..FIELD },
    Field { path: "ScalableTargetAction.MinCapacity", kind: Kind::Integer, limits: Limits { min: Some(0.0), ..Limits::NONE }, outcome: Outcome::Translated, reasons: &[Reason::ScalableTargetActionEmpty], target: "new MinCapacity", rule: "neither `ScalableTargetActionEmpty`", shape: "ScalableTargetAction", ..FIELD },
    Field { path: "ScalableTargetAction.MaxCapacity", kind: Kind::Integer, limits: Limits { min: Some(0.0), ..Limits::NONE }, outcome: Outcome::Translated, target: "new MaxCapacity", rule: "resulting Min > Max: the action fails at run time, event `ScheduledActionFailed`, nothing changes", shape: "ScalableTargetAction", ..FIELD },
];

/// What holds for members as a whole.
#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    Rule { path: "ScheduledActionName", required: true, ..RULE },
];

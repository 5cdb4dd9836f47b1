//! The fields of `PutScheduledAction`.

use crate::{
    diagnostic::Reason,
    fields::{FIELD, Field, Kind, Limits, Outcome, RULE, Rule},
};

/// One row for each leaf of the request.
#[rustfmt::skip]
pub(super) const FIELDS: &[Field] = &[
    Field { path: "ServiceNamespace", kind: Kind::String, outcome: Outcome::Translated, target: "nothing: it is `ecs`", rule: "may be left out beside a service", shape: "PutScheduledAction", ..FIELD },
    Field { path: "Schedule", kind: Kind::String, outcome: Outcome::NotYet, reasons: &[Reason::ScheduledActionNeedsController, Reason::ScheduledActionNotYet, Reason::InvalidScheduleExpression], rule: "in the operator: `ScheduledActionNotYet`; without it: `ScheduledActionNeedsController`; not at(), rate() or cron(): `InvalidScheduleExpression`", shape: "PutScheduledAction", ..FIELD },
    Field { path: "Timezone", kind: Kind::String, outcome: Outcome::NotYet, reasons: &[Reason::ScheduledActionNeedsController, Reason::ScheduledActionNotYet, Reason::UnknownTimezone], rule: "no such time zone: `UnknownTimezone`; rate() has none", shape: "PutScheduledAction", ..FIELD },
    Field { path: "ScheduledActionName", kind: Kind::String, limits: Limits { max_length: Some(256), ..Limits::NONE }, outcome: Outcome::NotYet, reasons: &[Reason::ScheduledActionNeedsController, Reason::ScheduledActionNotYet, Reason::DuplicateScheduledAction], rule: "twice: `DuplicateScheduledAction`", shape: "PutScheduledAction", ..FIELD },
    Field { path: "ResourceId", kind: Kind::String, outcome: Outcome::Translated, target: "selects the service", rule: "may be left out beside a service", shape: "PutScheduledAction", ..FIELD },
    Field { path: "ScalableDimension", kind: Kind::String, outcome: Outcome::Translated, target: "nothing: it is `ecs:service:DesiredCount`", rule: "may be left out beside a service", shape: "PutScheduledAction", ..FIELD },
    Field { path: "StartTime", kind: Kind::Timestamp, outcome: Outcome::NotYet, reasons: &[Reason::ScheduledActionNeedsController, Reason::ScheduledActionNotYet], rule: "the start is itself a firing of a recurring schedule", shape: "PutScheduledAction", ..FIELD },
    Field { path: "EndTime", kind: Kind::Timestamp, outcome: Outcome::NotYet, reasons: &[Reason::ScheduledActionNeedsController, Reason::ScheduledActionNotYet], rule: "the end restores no value", shape: "PutScheduledAction", ..FIELD },
    Field { path: "ScalableTargetAction.MinCapacity", kind: Kind::Integer, limits: Limits { min: Some(0.0), ..Limits::NONE }, outcome: Outcome::NotYet, reasons: &[Reason::ScheduledActionNeedsController, Reason::ScheduledActionNotYet, Reason::ScalableTargetActionEmpty], rule: "neither a minimum nor a maximum: `ScalableTargetActionEmpty`", shape: "ScalableTargetAction", ..FIELD },
    Field { path: "ScalableTargetAction.MaxCapacity", kind: Kind::Integer, limits: Limits { min: Some(0.0), ..Limits::NONE }, outcome: Outcome::NotYet, reasons: &[Reason::ScheduledActionNeedsController, Reason::ScheduledActionNotYet], rule: "less than the minimum at that time: the action fails and changes nothing", shape: "ScalableTargetAction", ..FIELD },
];

/// What holds for members as a whole.
#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    Rule { path: "ScheduledActionName", required: true, ..RULE },
];

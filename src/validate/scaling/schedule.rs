//! Scheduled actions
//! (<https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScheduledAction.html>).

use jiff::{
    Timestamp,
    civil::DateTime,
    tz::{Offset, TimeZone},
};

use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
    schedule::{self, Recurrence, Schedule},
};

/// A scheduled action.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduledAction {
    /// The position in `scheduledActions`.
    pub index: usize,
    /// Its name, unique for the service.
    pub name: String,
    /// What says when it fires, as text: the schedule, its time zone and its limits.
    pub definition: String,
    /// When it fires.
    pub schedule: Schedule,
    /// The time zone of `at()` and `cron()`.
    pub zone: TimeZone,
    /// It does not fire before.
    pub start: Option<Timestamp>,
    /// It does not fire after.
    pub end: Option<Timestamp>,
    /// The new minimum, in tasks.
    pub min_capacity: Option<i64>,
    /// The new maximum, in tasks.
    pub max_capacity: Option<i64>,
}

impl ScheduledAction {
    /// Returns when it fires. Without a start time, a rate counts from when the action is `known`.
    #[must_use]
    pub fn recurrence(&self, known: Option<Timestamp>) -> Recurrence {
        Recurrence {
            schedule: self.schedule.clone(),
            zone: self.zone.clone(),
            anchor: self.start.or(known).unwrap_or(Timestamp::UNIX_EPOCH),
            start: self.start,
            end: self.end,
        }
    }

    /// Whether the times of its schedule do not exist.
    #[must_use]
    pub fn never_fires(&self) -> bool {
        self.recurrence(None).next_after(Timestamp::MIN).is_none()
    }
}

/// Validates a scheduled action; `None` if it cannot be run.
pub(super) fn validate(
    index: usize,
    raw: &ecs::ScheduledAction,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<ScheduledAction> {
    let required = |name: &str, sink: &mut Diagnostics| {
        let name = name.to_owned();
        sink.report(path.field(name.clone()), Message::RequiredField { name });
    };
    if raw.scheduled_action_name.is_none() {
        required("ScheduledActionName", sink);
    }
    if raw.schedule.is_none() {
        required("Schedule", sink);
    }
    let schedule = raw.schedule.as_deref().and_then(|text| {
        let invalid = |message| {
            let value = text.to_owned();
            let message = Message::InvalidScheduleExpression { value, message };
            sink.report(path.field("Schedule"), message);
        };
        Schedule::parse(text).map_err(invalid).ok()
    });
    let zone_name = raw.timezone.as_deref();
    let zone_name = zone_name.unwrap_or(ecs::ScheduledAction::DEFAULT_TIMEZONE);
    let zone = schedule::zone(zone_name);
    if zone.is_none() {
        let value = zone_name.to_owned();
        sink.report(path.field("Timezone"), Message::UnknownTimezone { value });
    }
    let start = limit("StartTime", raw.start_time.as_deref(), path, sink);
    let end = limit("EndTime", raw.end_time.as_deref(), path, sink);
    if let (Ok(Some(start)), Ok(Some(end))) = (start, end)
        && end <= start
    {
        let message = Message::InvalidValue {
            value: raw.end_time.clone().unwrap_or_default(),
            allowed: "must be after StartTime".to_owned(),
        };
        sink.report(path.field("EndTime"), message);
    }
    let (min_capacity, max_capacity) = capacities(raw, path, sink);
    let name = raw.scheduled_action_name.clone();
    Some(ScheduledAction {
        index,
        name: name?,
        definition: definition(raw),
        schedule: schedule?,
        zone: zone?,
        start: start.ok()?,
        end: end.ok()?,
        min_capacity,
        max_capacity,
    })
}

/// Returns the new range, of which one end may be absent.
fn capacities(
    raw: &ecs::ScheduledAction,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> (Option<i64>, Option<i64>) {
    let at = path.field("ScalableTargetAction");
    let action = raw.scalable_target_action.as_ref();
    let min = action.and_then(|action| action.min_capacity);
    let max = action.and_then(|action| action.max_capacity);
    for (name, value) in [("MinCapacity", min), ("MaxCapacity", max)] {
        let most = i64::from(i32::MAX);
        if let Some(value) = value.filter(|value| !(0..=most).contains(value)) {
            let message = Message::InvalidValue {
                value: value.to_string(),
                allowed: format!("must be 0 to {most}"),
            };
            sink.report(at.field(name), message);
        }
    }
    match (min, max) {
        (None, None) => sink.report(at, Message::ScalableTargetActionEmpty),
        (Some(min), Some(max)) if min > max => {
            let (min, max) = (min.to_string(), max.to_string());
            let message = Message::CapacityOrder { min, max };
            sink.report(at.field("MinCapacity"), message);
        }
        _ => {}
    }
    (min, max)
}

/// Returns the moment of a limit, in seconds since 1970 or as a time, which is UTC unless it has an offset; `None` if
/// there is none.
///
/// # Errors
///
/// When it is not a moment, which has been reported.
pub(in crate::validate) fn limit(
    name: &'static str,
    text: Option<&str>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Result<Option<Timestamp>, ()> {
    let Some(text) = text else {
        return Ok(None);
    };
    let of_epoch = || Timestamp::from_second(text.parse().ok()?).ok();
    let in_utc = || {
        let time: DateTime = text.parse().ok()?;
        Offset::UTC.to_timestamp(time).ok()
    };
    let moment: Option<Timestamp> = text.parse().ok().or_else(of_epoch).or_else(in_utc);
    if moment.is_none() {
        let message = Message::InvalidValue {
            value: text.to_owned(),
            allowed: "must be a date and time such as 2026-03-08T02:30:00Z".to_owned(),
        };
        sink.report(path.field(name), message);
    }
    // Firings are stored in whole seconds.
    let moment = moment.and_then(|moment| Timestamp::from_second(moment.as_second()).ok());
    moment.map(Some).ok_or(())
}

/// Returns what says when an action fires.
fn definition(raw: &ecs::ScheduledAction) -> String {
    let mut text = raw.schedule.clone().unwrap_or_default();
    for (before, part) in [
        (" ", &raw.timezone),
        (" from ", &raw.start_time),
        (" until ", &raw.end_time),
    ] {
        if let Some(part) = part {
            text.push_str(before);
            text.push_str(part);
        }
    }
    text
}

//! When a schedule is due.

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    ecs,
    schedule::{self, Recurrence, Schedule},
    validate::scaling,
};

/// When a schedule is due.
#[derive(Clone, Debug, PartialEq)]
pub struct Timing {
    /// What says it, as text: the expression, its time zone and its limits.
    pub definition: String,
    /// The expression.
    pub schedule: Schedule,
    /// The time zone of `at()` and `cron()`.
    pub zone: TimeZone,
    /// It is not due before.
    pub start: Option<Timestamp>,
    /// It is not due after.
    pub end: Option<Timestamp>,
}

impl Timing {
    /// Reads when a schedule is due; `None` if that is not valid, which has been reported.
    pub(super) fn of(raw: &ecs::Schedule, sink: &mut Diagnostics) -> Option<Self> {
        let root = FieldPath::root(Subject::Schedule);
        let start = scaling::limit("StartDate", raw.start_date.as_deref(), &root, sink);
        let end = scaling::limit("EndDate", raw.end_date.as_deref(), &root, sink);
        if let (Ok(Some(start)), Ok(Some(end))) = (start, end)
            && end <= start
        {
            let message = Message::InvalidValue {
                value: raw.end_date.clone().unwrap_or_default(),
                allowed: "must be after StartDate".to_owned(),
            };
            sink.report(root.field("EndDate"), message);
        }
        let zone = zone(raw, &root, sink);
        let schedule = expression(raw, &root, sink);
        Some(Self {
            definition: definition(raw),
            schedule: schedule?,
            zone: zone?,
            start: start.ok()?,
            end: end.ok()?,
        })
    }

    /// Returns when it is due. Without a start, a rate counts from `since`. AWS ignores both limits for `at()`.
    #[must_use]
    pub fn recurrence(&self, since: Timestamp) -> Recurrence {
        let has_limits = !matches!(self.schedule, Schedule::At(_));
        Recurrence {
            schedule: self.schedule.clone(),
            zone: self.zone.clone(),
            anchor: self.start.unwrap_or(since),
            start: self.start.filter(|_| has_limits),
            end: self.end.filter(|_| has_limits),
        }
    }
}

fn zone(raw: &ecs::Schedule, root: &FieldPath, sink: &mut Diagnostics) -> Option<TimeZone> {
    let given = raw.schedule_expression_timezone.as_deref();
    let given = given.unwrap_or(ecs::Schedule::DEFAULT_SCHEDULE_EXPRESSION_TIMEZONE);
    let zone = schedule::zone(given);
    if zone.is_none() {
        let path = root.field("ScheduleExpressionTimezone");
        let value = given.to_owned();
        sink.report(path, Message::UnknownTimezone { value });
    }
    zone
}

fn expression(raw: &ecs::Schedule, root: &FieldPath, sink: &mut Diagnostics) -> Option<Schedule> {
    let path = root.field("ScheduleExpression");
    let Some(text) = raw.schedule_expression.as_deref() else {
        let name = "ScheduleExpression".to_owned();
        sink.report(path, Message::RequiredField { name });
        return None;
    };
    let invalid = |message| {
        let value = text.to_owned();
        sink.report(path, Message::InvalidScheduleExpression { value, message });
    };
    Schedule::of_scheduler(text).map_err(invalid).ok()
}

/// Returns what says when a schedule is due.
fn definition(raw: &ecs::Schedule) -> String {
    let mut text = raw.schedule_expression.clone().unwrap_or_default();
    for (before, part) in [
        (" ", &raw.schedule_expression_timezone),
        (" from ", &raw.start_date),
        (" until ", &raw.end_date),
    ] {
        if let Some(part) = part {
            text.push_str(before);
            text.push_str(part);
        }
    }
    text
}

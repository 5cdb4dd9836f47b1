//! When a schedule fires.

use jiff::{
    SignedDuration, Timestamp,
    civil::DateTime,
    tz::{AmbiguousOffset, TimeZone},
};

use super::Schedule;

/// A schedule with its time zone and its limits.
#[derive(Clone, Debug, PartialEq)]
pub struct Recurrence {
    /// The expression.
    pub schedule: Schedule,
    /// The time zone of `at` and `cron`.
    pub zone: TimeZone,
    /// What a rate counts from: it fires then, and each time the interval is over.
    pub anchor: Timestamp,
    /// It does not fire before.
    pub start: Option<Timestamp>,
    /// It does not fire after.
    pub end: Option<Timestamp>,
}

impl Recurrence {
    /// Returns the first firing after this moment, at the start of a minute; for `rate`, at the second of its anchor.
    #[must_use]
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        // The start itself is no earlier firing.
        let before_start = self.start.and_then(|it| it.checked_sub(MOMENT).ok());
        let after = before_start.map_or(after, |start| start.max(after));
        let next = match &self.schedule {
            Schedule::At(time) => self.instant(to_minute(*time)).filter(|it| *it > after),
            Schedule::Rate(minutes) => next_multiple(self.anchor, *minutes, after),
            Schedule::Cron(cron) => {
                // No local time is repeated with an earlier firing: the second pass of an hour never fires.
                let local = self.zone.to_datetime(after);
                let mut times = cron.matches(to_minute(local));
                times.find_map(|it| self.instant(it).filter(|it| *it > after))
            }
        };
        next.filter(|next| self.end.is_none_or(|end| *next <= end))
    }

    /// Returns the last firing after one moment and until another one, both with the precision of a firing.
    #[must_use]
    pub fn last_between(&self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        if let Schedule::Rate(minutes) = &self.schedule {
            return self.last_of_rate(*minutes, after, until);
        }
        // Usually, nothing is due.
        self.next_after(after).filter(|next| *next <= until)?;
        // Going back in ever larger steps finds the last one without passing through all of them.
        let mut step = FIRST_STEP;
        loop {
            let from = until.checked_sub(step).unwrap_or(Timestamp::MIN).max(after);
            let mut last = None;
            let mut next = self.next_after(from);
            while let Some(firing) = next.filter(|it| *it <= until) {
                last = Some(firing);
                next = self.next_after(firing);
            }
            if last.is_some() || from <= after {
                return last;
            }
            step = step.saturating_mul(2);
        }
    }

    fn last_of_rate(&self, minutes: i64, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let until = self.end.map_or(until, |end| end.min(until));
        let interval = SignedDuration::from_mins(minutes);
        let next = next_multiple(self.anchor, minutes, until)?;
        let last = next.checked_sub(interval).ok()?;
        let start = self.start.unwrap_or(Timestamp::MIN);
        (last >= self.anchor && last >= start && last > after).then_some(last)
    }

    /// Whether it fires at a local time that clocks put back will repeat, from this moment on as far as rules of the
    /// zone are written down. What counts local times fires twice then.
    #[must_use]
    pub fn fires_in_repeated_time(&self, from: Timestamp) -> bool {
        let Schedule::Cron(cron) = &self.schedule else {
            return false;
        };
        let mut changes = self.zone.following(from).take(CHANGES);
        changes.any(|change| {
            let before = change.timestamp().checked_sub(MOMENT);
            let Ok(before) = before.map(|before| self.zone.to_offset(before)) else {
                return false;
            };
            let (begin, end) = (
                change.offset().to_datetime(change.timestamp()),
                before.to_datetime(change.timestamp()),
            );
            begin < end && cron.matches(begin).next().is_some_and(|time| time < end)
        })
    }

    /// Returns when a local time is. One that does not exist never is, and one that exists twice is at the first.
    fn instant(&self, local: DateTime) -> Option<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(local);
        match ambiguous.offset() {
            AmbiguousOffset::Gap { .. } => None,
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => {
                ambiguous.earlier().ok()
            }
        }
    }
}

/// The smallest difference between two moments that matters here.
const MOMENT: SignedDuration = SignedDuration::from_nanos(1);
/// How many changes of clocks are looked at: those of 20 years where there are two a year.
const CHANGES: usize = 40;
/// How far the search for the last firing looks back at first.
const FIRST_STEP: SignedDuration = SignedDuration::from_hours(1);

/// Returns a local time without its seconds: firings have the precision of a minute.
fn to_minute(time: DateTime) -> DateTime {
    time.date().at(time.hour(), time.minute(), 0, 0)
}

/// Returns the first of anchor, anchor + minutes, anchor + 2 * minutes, ... after a moment.
fn next_multiple(anchor: Timestamp, minutes: i64, after: Timestamp) -> Option<Timestamp> {
    if after < anchor {
        return Some(anchor);
    }
    let interval = minutes.checked_mul(60)?;
    let passed = after.duration_since(anchor).as_secs();
    let next = (passed / interval).checked_add(1)?.checked_mul(interval)?;
    anchor.checked_add(SignedDuration::from_secs(next)).ok()
}

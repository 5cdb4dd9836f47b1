//! Scheduled actions: which are due, and what range is in force after them
//! (<https://docs.aws.amazon.com/autoscaling/application/userguide/scheduled-scaling-additional-cli-commands.html>).
//!
//! What is remembered of an action is when it last fired. So none fires twice, however often the operator restarts and
//! whatever its clock does, and one that was missed fires late: of several missed firings of one action only the newest,
//! because each sets the same range.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::{SignedDuration, Timestamp},
};

use super::Range;
use crate::{
    crd::{AutoScalingStatus, CapacityRange, ScheduledActionStatus},
    validate::{AutoScaling, ScheduledAction},
};

/// What the spec of a service asks for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The range of its scalable target.
    pub range: Range,
    /// Its scheduled actions, in order.
    pub actions: &'a [ScheduledAction],
    /// Whether none of them has an effect for the time being.
    pub suspended: bool,
    /// How many tasks its workloads want, if it has any.
    pub running: Option<i64>,
}

impl<'a> Asked<'a> {
    /// Returns what a scaling asks for.
    #[must_use]
    pub fn of(scaling: &'a AutoScaling) -> Self {
        Self {
            range: Range::specified(scaling),
            actions: &scaling.scheduled_actions,
            suspended: scaling.scheduled_suspended,
            running: None,
        }
    }
}

/// A firing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firing {
    /// The name of the action.
    pub action: String,
    /// When it was due.
    pub due: Timestamp,
    /// The range in force after it, or why it failed.
    pub result: Result<Range, String>,
}

/// What is in force now.
#[derive(Clone, Debug, PartialEq)]
pub struct InForce {
    /// The state to remember before anything else happens.
    pub state: AutoScalingStatus,
    /// What has fired since the state before, in this order.
    pub fired: Vec<Firing>,
    /// The range.
    pub range: Range,
    /// When the next action fires.
    pub next: Option<Timestamp>,
}

/// Returns what is in force at a moment, after this state.
///
/// An action that was not known before, or had another schedule, counts from now: what it would have done before is not
/// made up for. The range of an action stays until the next one, or until that of the spec changes, which counts as
/// registering the scalable target once more.
///
/// If nothing is remembered, and the service has a number of tasks that the range of the spec does not allow, an action
/// has set another one before the status was lost. Then the range includes this number until the next action.
#[must_use]
pub fn in_force(before: &AutoScalingStatus, asked: Asked<'_>, now: Timestamp) -> InForce {
    let mut state = AutoScalingStatus {
        scheduled_actions: known(&before.scheduled_actions, asked.actions, now),
        ..before.clone()
    };
    let spec = asked.range.into();
    if state.registered != spec {
        let nothing = CapacityRange::default();
        let is_lost = state.registered == nothing;
        state.adjusting |= state.range != nothing;
        let running = asked.running.filter(|_| is_lost);
        let range = running.map(|running| asked.range.widened_to(running));
        let range = range.filter(|range| *range != asked.range);
        (state.registered, state.range) = (spec, range.map_or(nothing, CapacityRange::from));
    }
    if asked.actions.is_empty() && state.range != CapacityRange::default() {
        (state.range, state.adjusting) = (CapacityRange::default(), true);
    }
    let mut range = Range::of(&state.range).unwrap_or(asked.range);
    let mut fired = Vec::new();
    for (due, index) in due(&state.scheduled_actions, asked.actions, now) {
        let (Some(action), Some(known)) = (
            asked.actions.get(index),
            state.scheduled_actions.get_mut(index),
        ) else {
            continue;
        };
        known.last_firing = Some(Time(due));
        if asked.suspended {
            continue;
        }
        let result = action.applied_to(range);
        if let Ok(new) = result {
            range = new;
            (state.range, state.adjusting) = (new.into(), true);
        }
        fired.push(Firing {
            action: action.name.clone(),
            due,
            result,
        });
    }
    let mut next = None;
    for (known, action) in state.scheduled_actions.iter_mut().zip(asked.actions) {
        let after = known.last().map_or(now, |last| last.max(now));
        let firing = action.recurrence(known.since()).next_after(after);
        known.next_firing = firing.map(Time);
        next = next.into_iter().chain(firing).min();
    }
    if asked.actions.is_empty() && !state.adjusting {
        // Nothing is left to remember.
        state = without_actions(&state);
    }
    InForce {
        state,
        fired,
        range,
        next,
    }
}

/// Returns what is remembered of each action.
fn known(
    before: &[ScheduledActionStatus],
    actions: &[ScheduledAction],
    now: Timestamp,
) -> Vec<ScheduledActionStatus> {
    let of = |action: &ScheduledAction| {
        let mut before = before.iter();
        let known = before.find(|it| it.name == action.name && it.schedule == action.definition);
        let known = known.filter(|it| it.is_of_the_past(now));
        known.cloned().unwrap_or_else(|| ScheduledActionStatus {
            name: action.name.clone(),
            schedule: action.definition.clone(),
            since: Some(Time(now)),
            last_firing: None,
            next_firing: None,
        })
    };
    actions.iter().map(of).collect()
}

/// Returns the newest firing of each action that is due and the action's position, by time; those of one moment in the
/// order of the actions.
fn due(
    known: &[ScheduledActionStatus],
    actions: &[ScheduledAction],
    now: Timestamp,
) -> Vec<(Timestamp, usize)> {
    let of = |(index, (known, action)): (usize, (&ScheduledActionStatus, &ScheduledAction))| {
        let since = known.since()?;
        let after = known.last().unwrap_or(since);
        let due = action.recurrence(Some(since)).last_between(after, now)?;
        Some((due, index))
    };
    let mut due: Vec<_> = known
        .iter()
        .zip(actions)
        .enumerate()
        .filter_map(of)
        .collect();
    due.sort_unstable();
    due
}

impl Range {
    /// Returns a range that is remembered; `None` if none is.
    #[must_use]
    pub fn of(remembered: &CapacityRange) -> Option<Self> {
        Some(Self {
            min: remembered.min_capacity?,
            max: remembered.max_capacity?,
        })
    }
}

impl From<Range> for CapacityRange {
    fn from(range: Range) -> Self {
        Self {
            min_capacity: Some(range.min),
            max_capacity: Some(range.max),
        }
    }
}

/// How far a clock may have been ahead of the one of today for its firings to count.
const MOST_AHEAD: SignedDuration = SignedDuration::from_hours(24);

impl ScheduledActionStatus {
    /// Whether it was not written under a clock that was far ahead, after which nothing would fire for as long.
    fn is_of_the_past(&self, now: Timestamp) -> bool {
        let latest = self.since().max(self.last());
        latest.is_none_or(|latest| latest.duration_since(now) <= MOST_AHEAD)
    }

    fn since(&self) -> Option<Timestamp> {
        self.since.as_ref().map(|time| time.0)
    }

    fn last(&self) -> Option<Timestamp> {
        self.last_firing.as_ref().map(|time| time.0)
    }
}

/// Returns the state without what scheduled actions have set.
#[must_use]
pub fn without_actions(state: &AutoScalingStatus) -> AutoScalingStatus {
    AutoScalingStatus {
        scaler: state.scaler.clone(),
        alarms: state.alarms.clone(),
        not_scaled_reason: state.not_scaled_reason.clone(),
        activities: state.activities.clone(),
        ..AutoScalingStatus::default()
    }
}

impl ScheduledAction {
    /// Returns the range after this action, which may give only one end of it.
    ///
    /// # Errors
    ///
    /// When its minimum would be above its maximum; the action then changes nothing.
    pub fn applied_to(&self, range: Range) -> Result<Range, String> {
        let new = Range {
            min: self.min_capacity.unwrap_or(range.min),
            max: self.max_capacity.unwrap_or(range.max),
        };
        if new.min > new.max {
            return Err(format!(
                "the minimum capacity {} would be above the maximum capacity {}",
                new.min, new.max
            ));
        }
        Ok(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Schedule, zone};

    fn moment(text: &str) -> Timestamp {
        format!("2026-01-{text}Z").parse().expect("it is a moment")
    }

    fn action(name: &str, schedule: &str, range: (Option<i64>, Option<i64>)) -> ScheduledAction {
        ScheduledAction {
            index: 0,
            name: name.to_owned(),
            definition: schedule.to_owned(),
            schedule: Schedule::parse(schedule).expect("it is a schedule"),
            zone: zone("UTC").expect("it is a time zone"),
            start: None,
            end: None,
            min_capacity: range.0,
            max_capacity: range.1,
        }
    }

    fn asked(range: Range, actions: &[ScheduledAction]) -> Asked<'_> {
        Asked {
            range,
            actions,
            suspended: false,
            running: None,
        }
    }

    /// Returns what is in force when the operator first sees these actions, at noon.
    fn known_at_noon(actions: &[ScheduledAction]) -> InForce {
        let asked = asked(SPEC, actions);
        in_force(&AutoScalingStatus::default(), asked, moment("15T12:00:00"))
    }

    fn names(in_force: &InForce) -> Vec<&str> {
        in_force.fired.iter().map(|it| it.action.as_str()).collect()
    }

    const SPEC: Range = Range { min: 2, max: 10 };
    const NIGHT: Range = Range { min: 0, max: 0 };

    /// The service is scaled to nothing at 22:00, and back at 06:00.
    fn nightly() -> [ScheduledAction; 2] {
        [
            action("night", "cron(0 22 * * ? *)", (Some(0), Some(0))),
            action("day", "cron(0 6 * * ? *)", (Some(2), Some(10))),
        ]
    }

    #[test]
    fn actions_set_the_range_and_move_the_count_into_it() {
        let at = "at(2026-01-15T10:00:00)";
        for (range, count, actions, expected, moved) in [
            ((1, 10), 3, vec![(Some(5), None)], Some((5, 10)), 5),
            ((1, 10), 8, vec![(None, Some(4))], Some((1, 4)), 4),
            ((2, 10), 6, vec![(Some(0), Some(0))], Some((0, 0)), 0),
            ((0, 0), 0, vec![(Some(2), Some(10))], Some((2, 10)), 2),
            ((5, 10), 7, vec![(None, Some(3))], None, 7),
            (
                (1, 10),
                3,
                vec![(Some(2), None), (None, Some(2))],
                Some((2, 2)),
                2,
            ),
            ((1, 10), 12, vec![(None, Some(10))], Some((1, 10)), 10),
        ] {
            let spec = Range {
                min: range.0,
                max: range.1,
            };
            let actions: Vec<_> = actions
                .into_iter()
                .enumerate()
                .map(|(number, range)| action(&number.to_string(), at, range))
                .collect();
            let asked = asked(spec, &actions);
            let before = in_force(&AutoScalingStatus::default(), asked, moment("15T09:00:00"));
            assert_eq!((before.range, names(&before)), (spec, vec![]));
            let after = in_force(&before.state, asked, moment("15T10:00:00"));
            let last = after.fired.last().expect("it has fired");
            let expected = expected.map(|(min, max)| Range { min, max });
            assert_eq!(last.result.clone().ok(), expected, "{range:?}");
            assert_eq!(after.state.adjusting, expected.is_some(), "{range:?}");
            let now = if after.state.adjusting {
                after.range.nearest(count)
            } else {
                count
            };
            assert_eq!(now, moved, "{range:?}");
            // It is over.
            assert_eq!(after.next, None);
            let later = in_force(&after.state, asked, moment("16T10:00:00"));
            assert_eq!((later.range, names(&later)), (after.range, vec![]));
        }
    }

    #[test]
    fn a_firing_happens_once_however_often_it_is_looked_at() {
        let actions = nightly();
        let asked = asked(SPEC, &actions);
        let mut state = AutoScalingStatus::default();
        let mut fired = Vec::new();
        // The clock goes back and forth.
        for now in [
            "15T12:00:00",
            "15T21:59:59",
            "15T22:00:00",
            "15T22:00:00",
            "15T21:00:00",
            "15T22:00:01",
            "15T05:00:00",
            "16T06:00:00",
            "16T05:59:59",
            "16T06:01:00",
            "16T21:00:00",
        ] {
            let after = in_force(&state, asked, moment(now));
            fired.extend(after.fired.iter().map(|it| (it.action.clone(), it.due)));
            state = after.state;
        }
        let expected = [
            ("night".to_owned(), moment("15T22:00:00")),
            ("day".to_owned(), moment("16T06:00:00")),
        ];
        assert_eq!(fired, expected);
    }

    #[test]
    fn of_missed_firings_the_newest_of_each_action_happens_in_order() {
        let actions = nightly();
        let asked = asked(SPEC, &actions);
        let known = known_at_noon(&actions);
        for (now, expected, range) in [
            ("15T23:00:00", &["night"][..], NIGHT),
            ("16T07:00:00", &["night", "day"], SPEC),
            ("20T23:30:00", &["day", "night"], NIGHT),
        ] {
            let after = in_force(&known.state, asked, moment(now));
            assert_eq!(
                (names(&after), after.range),
                (expected.to_vec(), range),
                "{now}"
            );
            assert!(after.next.is_some_and(|next| next > moment(now)), "{now}");
        }
    }

    #[test]
    fn what_is_new_or_has_another_schedule_counts_from_now() {
        let mut actions = nightly();
        let first = in_force(
            &AutoScalingStatus::default(),
            asked(SPEC, &actions),
            moment("15T23:00:00"),
        );
        assert_eq!((names(&first), first.range), (vec![], SPEC));
        actions[0] = action("night", "cron(0 21 * * ? *)", (Some(0), Some(0)));
        let changed = in_force(&first.state, asked(SPEC, &actions), moment("15T23:30:00"));
        assert_eq!(names(&changed), [""; 0]);
        // Another range is no other schedule.
        actions[0].max_capacity = Some(1);
        let next = in_force(&changed.state, asked(SPEC, &actions), moment("16T21:00:00"));
        assert_eq!(next.range, Range { min: 0, max: 1 });
    }

    #[test]
    fn another_range_in_the_spec_is_in_force_at_once() {
        let actions = nightly();
        let known = known_at_noon(&actions);
        let night = in_force(&known.state, asked(SPEC, &actions), moment("15T22:00:00"));
        let mut settled = night.state;
        settled.adjusting = false;
        let other = Range { min: 3, max: 5 };
        let after = in_force(&settled, asked(other, &actions), moment("15T23:00:00"));
        assert_eq!((after.range, after.state.adjusting), (other, true));
        let later = in_force(&after.state, asked(other, &actions), moment("15T23:01:00"));
        assert_eq!(later.range, other);
    }

    #[test]
    fn without_actions_the_range_of_the_spec_is_in_force_and_nothing_is_remembered() {
        let actions = nightly();
        let known = known_at_noon(&actions);
        let night = in_force(&known.state, asked(SPEC, &actions), moment("15T22:00:00"));
        let mut state = night.state;
        state.adjusting = false;
        let removed = in_force(&state, asked(SPEC, &[]), moment("15T23:00:00"));
        assert_eq!((removed.range, removed.state.adjusting), (SPEC, true));
        let mut state = removed.state;
        state.adjusting = false;
        let later = in_force(&state, asked(SPEC, &[]), moment("15T23:00:01"));
        assert_eq!(later.state, AutoScalingStatus::default());
    }

    #[test]
    fn a_clock_that_was_years_ahead_silences_nothing() {
        let actions = nightly();
        let far: Timestamp = "2030-01-01T23:00:00Z".parse().expect("it is a moment");
        let ahead = in_force(&AutoScalingStatus::default(), asked(SPEC, &actions), far);
        let corrected = in_force(&ahead.state, asked(SPEC, &actions), moment("15T12:00:00"));
        let night = in_force(
            &corrected.state,
            asked(SPEC, &actions),
            moment("15T22:00:00"),
        );
        assert_eq!((names(&night), night.range), (vec!["night"], NIGHT));
    }

    #[test]
    fn without_a_memory_what_runs_stays_until_the_next_action() {
        let actions = nightly();
        for (running, expected) in [
            (None, SPEC),
            (Some(2), SPEC),
            (Some(15), Range { min: 2, max: 15 }),
            (Some(0), Range { min: 0, max: 10 }),
        ] {
            let asked = Asked {
                running,
                ..asked(SPEC, &actions)
            };
            let lost = in_force(&AutoScalingStatus::default(), asked, moment("15T23:00:00"));
            assert_eq!(
                (lost.range, lost.state.adjusting),
                (expected, false),
                "{running:?}"
            );
            let later = in_force(&lost.state, asked, moment("16T05:00:00"));
            assert_eq!((later.range, later.state), (expected, lost.state.clone()));
            let day = in_force(&lost.state, asked, moment("16T06:00:00"));
            assert_eq!(day.range, SPEC, "{running:?}");
        }
    }

    #[test]
    fn what_falls_due_while_suspended_is_not_made_up_for() {
        let actions = nightly();
        let known = known_at_noon(&actions);
        let suspended = Asked {
            suspended: true,
            ..asked(SPEC, &actions)
        };
        let during = in_force(&known.state, suspended, moment("15T22:00:00"));
        assert_eq!((names(&during), during.range), (vec![], SPEC));
        let resumed = in_force(&during.state, asked(SPEC, &actions), moment("15T23:00:00"));
        assert_eq!((names(&resumed), resumed.range), (vec![], SPEC));
    }

    #[test]
    fn nothing_is_remembered_anew_while_nothing_fires() {
        let mut actions = nightly().to_vec();
        actions.push(action("often", "rate(7 hours)", (Some(1), None)));
        let known = known_at_noon(&actions);
        for now in ["15T12:00:01", "15T14:30:00", "15T18:59:59"] {
            let after = in_force(&known.state, asked(SPEC, &actions), moment(now));
            assert_eq!(after.state, known.state, "{now}");
        }
    }
}

//! When a schedule starts its tasks: what is due, what was missed, and when to look again.
//!
//! What is remembered is when it last was due. So it starts no tasks twice, however often the operator restarts and
//! whatever its clock does. EventBridge Scheduler never misses a time; of those that passed while no operator ran, only
//! the newest starts: a schedule of a minute would otherwise start hundreds of tasks after a few hours.

use std::hash::BuildHasher as _;

use foldhash::quality::FixedState;
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::{SignedDuration, Timestamp},
};

use crate::{
    crd::{CatchUp, ScheduleStatus},
    schedule::Recurrence,
    validate::Firings,
};

/// The `state` of a schedule that starts tasks.
pub const ENABLED: &str = "ENABLED";
/// The `state` of a schedule that starts none.
pub const DISABLED: &str = "DISABLED";

/// How late tasks may start and still count as started in time: another replica takes over within seconds.
const ON_TIME: SignedDuration = SignedDuration::from_secs(60);
/// How far a clock may have been ahead of the one of today for what it wrote to count.
const MOST_AHEAD: SignedDuration = SignedDuration::from_hours(24);
/// The smallest difference between two moments that matters here.
const MOMENT: SignedDuration = SignedDuration::from_nanos(1);
/// How many missed times are counted.
const MOST_COUNTED: usize = 1000;

/// A schedule, and what tells it from others.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What it asks for.
    pub firings: &'a Firings,
    /// When it was created.
    pub created: Timestamp,
    /// What spreads the starts of different schedules over their windows.
    pub uid: &'a str,
}

/// What is to be done now.
#[derive(Clone, Debug, PartialEq)]
pub struct Outlook {
    /// What to remember, before anything is started.
    pub status: ScheduleStatus,
    /// The time whose tasks start now.
    pub due: Option<Timestamp>,
    /// How many times before it were missed, at most 1000.
    pub missed: usize,
    /// The start that was tried before and is given up, because of its age or because a newer time is due.
    pub given_up: Option<Timestamp>,
    /// When the next tasks start; `None` if never again.
    pub wake: Option<Timestamp>,
}

/// Returns what a schedule does now, after this status.
#[must_use]
pub fn outlook(before: &ScheduleStatus, asked: Asked<'_>, now: Timestamp) -> Outlook {
    let firings = asked.firings;
    let mut status = remembered(before, asked, now);
    let since = time(status.since.as_ref()).unwrap_or(asked.created);
    let recurrence = firings.timing.recurrence(since);
    let after = begin(&status, asked, since, now);
    if !firings.is_enabled {
        let given_up = status.retrying.take().and_then(|it| time(it.due.as_ref()));
        status.next_firing = None;
        return Outlook {
            status,
            due: None,
            missed: 0,
            given_up,
            wake: None,
        };
    }
    let tried = status
        .retrying
        .as_ref()
        .and_then(|it| time(it.due.as_ref()));
    let found = due(&recurrence, asked, after, tried, now);
    let given_up = tried.filter(|tried| Some(*tried) != found.due);
    if let Some(given_up) = given_up {
        status.retrying = None;
        status.last_firing = Some(Time(given_up)).max(status.last_firing);
    }
    if let Some(passed) = found.passed {
        status.last_firing = Some(Time(passed)).max(status.last_firing);
    }
    let begins = |due: &Timestamp| start(*due, asked) <= now;
    let from = found.due.unwrap_or_else(|| after.max(now));
    let next = found.due.filter(|due| !begins(due));
    let next = next.or_else(|| recurrence.next_after(from));
    status.next_firing = next.map(Time);
    let due = found.due.filter(begins);
    Outlook {
        due,
        missed: if due.or(found.passed).is_some() {
            found.missed
        } else {
            0
        },
        given_up,
        wake: next.map(|next| start(next, asked)),
        status,
    }
}

/// Returns when the tasks of a time start: at that time, or at a moment of the window after it, always the same one.
#[must_use]
pub fn start(due: Timestamp, asked: Asked<'_>) -> Timestamp {
    let window = asked.firings.window.as_secs();
    let Ok(window @ 1..) = u64::try_from(window) else {
        return due;
    };
    let digest = FixedState::with_seed(0).hash_one((asked.uid, due.as_second()));
    let seconds = i64::try_from(digest % window).unwrap_or(0);
    due.checked_add(SignedDuration::from_secs(seconds))
        .unwrap_or(due)
}

/// Returns what is remembered, for the timing and the state of today.
fn remembered(before: &ScheduleStatus, asked: Asked<'_>, now: Timestamp) -> ScheduleStatus {
    let firings = asked.firings;
    let mut status = before.clone();
    let times = [&status.since, &status.last_firing, &status.enabled_at];
    let latest = times.into_iter().filter_map(|it| time(it.as_ref())).max();
    let is_of_the_future = latest.is_some_and(|it| it.duration_since(now) > MOST_AHEAD);
    let is_new = before.timing.is_none();
    if is_of_the_future || before.timing.as_deref() != Some(&firings.timing.definition) {
        // An edit alone starts nothing: what counts from the edit on is due later.
        status.since = Some(Time(if is_new { asked.created } else { now }));
        status.timing = Some(firings.timing.definition.clone());
        if is_of_the_future {
            (status.last_firing, status.enabled_at) = (None, None);
        }
    }
    if firings.is_enabled && before.state.as_deref() == Some(DISABLED) {
        status.enabled_at = Some(Time(now));
    }
    status.state = Some(
        if firings.is_enabled {
            ENABLED
        } else {
            DISABLED
        }
        .to_owned(),
    );
    status
}

/// Returns the moment after which a time counts as not handled yet.
fn begin(status: &ScheduleStatus, asked: Asked<'_>, since: Timestamp, now: Timestamp) -> Timestamp {
    // A rate without a start is due when the schedule is created.
    let is_from_creation = since == asked.created;
    let first = since.checked_sub(MOMENT).ok().filter(|_| is_from_creation);
    let oldest = now.checked_sub(asked.firings.longest_wait()).ok();
    let handled = [&status.last_firing, &status.enabled_at];
    let handled = handled.into_iter().filter_map(|it| time(it.as_ref()));
    let first = first.unwrap_or(since);
    handled.chain(oldest).fold(first, Timestamp::max)
}

/// What was found to be due.
#[derive(Default)]
struct Found {
    /// The time whose tasks start now, or later in its window.
    due: Option<Timestamp>,
    /// How many times before it were missed.
    missed: usize,
    /// The newest time that starts nothing.
    passed: Option<Timestamp>,
}

/// Returns the time that comes first of those after a moment: of those that passed long ago, the newest.
fn due(
    recurrence: &Recurrence,
    asked: Asked<'_>,
    after: Timestamp,
    tried: Option<Timestamp>,
    now: Timestamp,
) -> Found {
    let firings = asked.firings;
    let on_time = now
        .checked_sub(firings.window)
        .and_then(|it| it.checked_sub(ON_TIME))
        .unwrap_or(after);
    let until_now = |due: &Timestamp| *due <= now;
    let first = recurrence.next_after(on_time.max(after)).filter(until_now);
    if let Some(due) = first {
        return Found {
            due: Some(due),
            missed: count(recurrence, after, due, tried),
            passed: None,
        };
    }
    let tried = tried.filter(|tried| *tried > after);
    let Some(late) = recurrence.last_between(after, on_time.min(now)) else {
        return Found {
            due: tried,
            ..Found::default()
        };
    };
    // A start that has failed is not one that was missed.
    let is_started =
        tried == Some(late) || firings.extensions.catch_up.unwrap_or_default() == CatchUp::Latest;
    Found {
        due: is_started.then_some(late),
        missed: count(recurrence, after, late, tried) + usize::from(!is_started),
        passed: Some(late).filter(|_| !is_started),
    }
}

/// Counts the times between two moments, without the one that was tried and not missed.
fn count(
    recurrence: &Recurrence,
    after: Timestamp,
    before: Timestamp,
    tried: Option<Timestamp>,
) -> usize {
    let mut next = recurrence.next_after(after);
    let mut counted = 0;
    while let Some(due) = next.filter(|due| *due < before && counted < MOST_COUNTED) {
        counted += usize::from(Some(due) != tried);
        next = recurrence.next_after(due);
    }
    counted
}

fn time(time: Option<&Time>) -> Option<Timestamp> {
    time.map(|time| time.0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::{crd::ScheduleExtensions, validate::validate_firings};

    const CREATED: &str = "2026-01-15T10:00:30Z";

    fn at(text: &str) -> Timestamp {
        text.parse().expect("it is a time")
    }

    fn firings(more: &serde_json::Value) -> Firings {
        let mut request = json!({
            "Name": "s", "ScheduleExpression": "cron(0 * * * ? *)",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {"Arn": "arn:aws:ecs:r:1:cluster/c", "EcsParameters": {"TaskDefinitionArn": "t"}},
        });
        let extensions = more.get("catchUp").map(|it| json!({"catchUp": it}));
        for (name, value) in more.as_object().expect("it is an object") {
            request[name] = value.clone();
        }
        let request = serde_json::from_value(request).expect("it is a schedule");
        let extensions = extensions.map(|it| serde_json::from_value(it).expect("they are some"));
        let extensions: ScheduleExtensions = extensions.unwrap_or_default();
        validate_firings(&request, extensions).expect("it is valid")
    }

    fn asked(firings: &Firings) -> Asked<'_> {
        Asked {
            firings,
            created: at(CREATED),
            uid: "u",
        }
    }

    /// What starts at these moments, each of which is a reconcile that succeeds.
    fn starts(
        firings: &Firings,
        status: &mut ScheduleStatus,
        moments: &[Timestamp],
    ) -> Vec<(Timestamp, Timestamp)> {
        let mut started = Vec::new();
        for now in moments {
            loop {
                let outlook = outlook(status, asked(firings), *now);
                *status = outlook.status;
                let Some(due) = outlook.due else {
                    break;
                };
                status.last_firing = Some(Time(due));
                started.push((due, *now));
            }
        }
        started
    }

    fn every(seconds: i64, from: &str, until: &str) -> Vec<Timestamp> {
        let (mut now, until) = (at(from), at(until));
        let mut moments = Vec::new();
        while now <= until {
            moments.push(now);
            now = now
                .checked_add(SignedDuration::from_secs(seconds))
                .expect("it is a time");
        }
        moments
    }

    fn dues(started: &[(Timestamp, Timestamp)]) -> Vec<String> {
        started.iter().map(|(due, _)| due.to_string()).collect()
    }

    #[test]
    fn each_time_starts_once_in_its_minute() {
        let firings = firings(&json!({}));
        let mut status = ScheduleStatus::default();
        let moments = every(7, CREATED, "2026-01-15T13:10:00Z");
        let started = starts(&firings, &mut status, &moments);
        let expected = [
            "2026-01-15T11:00:00Z",
            "2026-01-15T12:00:00Z",
            "2026-01-15T13:00:00Z",
        ];
        assert_eq!(dues(&started), expected);
        for (due, now) in &started {
            assert!(now.duration_since(*due) < SignedDuration::from_secs(60));
        }
        let next = status.next_firing.expect("there is a next one").0;
        assert_eq!(next, at("2026-01-15T14:00:00Z"));
    }

    #[test]
    fn a_rate_is_due_when_it_is_created_and_an_edit_starts_nothing() {
        let rate = firings(&json!({"ScheduleExpression": "rate(10 minutes)"}));
        let mut status = ScheduleStatus::default();
        let moments = every(30, CREATED, "2026-01-15T10:15:00Z");
        let started = starts(&rate, &mut status, &moments);
        assert_eq!(dues(&started), [CREATED, "2026-01-15T10:10:30Z"]);
        let edited = firings(&json!({"ScheduleExpression": "rate(5 minutes)"}));
        let moments = every(30, "2026-01-15T10:15:30Z", "2026-01-15T10:21:00Z");
        let started = starts(&edited, &mut status, &moments);
        assert_eq!(dues(&started), ["2026-01-15T10:20:30Z"]);
        let from = firings(&json!({
            "ScheduleExpression": "rate(10 minutes)", "StartDate": "2026-01-15T10:05:00Z",
            "EndDate": "2026-01-15T10:20:00Z",
        }));
        let moments = every(30, CREATED, "2026-01-15T10:40:00Z");
        let started = starts(&from, &mut ScheduleStatus::default(), &moments);
        assert_eq!(
            dues(&started),
            ["2026-01-15T10:05:00Z", "2026-01-15T10:15:00Z"]
        );
    }

    #[test]
    fn of_missed_times_only_the_newest_starts() {
        for (catch_up, expected) in [("Latest", &["2026-01-15T12:59:30Z"][..]), ("None", &[])] {
            let rate =
                firings(&json!({"ScheduleExpression": "rate(1 minute)", "catchUp": catch_up}));
            let mut status = ScheduleStatus::default();
            starts(&rate, &mut status, &[at(CREATED)]);
            let hourly =
                firings(&json!({"ScheduleExpression": "cron(0 * * * ? *)", "catchUp": catch_up}));
            let mut missed = ScheduleStatus::default();
            starts(&hourly, &mut missed, &[at(CREATED)]);
            let now = at("2026-01-15T13:30:00Z");
            let outlook = outlook(&missed, asked(&hourly), now);
            assert_eq!(outlook.missed, if catch_up == "Latest" { 2 } else { 3 });
            assert_eq!(outlook.due.is_some(), catch_up == "Latest");
            // A minute that has just begun starts in time, whatever was missed before.
            let started = starts(&rate, &mut status, &[at("2026-01-15T13:00:10Z")]);
            assert_eq!(dues(&started), ["2026-01-15T12:59:30Z"]);
            let after = starts(&hourly, &mut missed, &[now, now]);
            let expected: Vec<_> = expected.iter().map(|_| "2026-01-15T13:00:00Z").collect();
            assert_eq!(dues(&after), expected);
        }
    }

    #[test]
    fn nothing_older_than_the_age_starts() {
        let daily = firings(&json!({
            "ScheduleExpression": "cron(0 2 * * ? *)",
            "Target": {
                "Arn": "arn:aws:ecs:r:1:cluster/c", "EcsParameters": {"TaskDefinitionArn": "t"},
                "RetryPolicy": {"MaximumEventAgeInSeconds": 3600},
            },
        }));
        let mut status = ScheduleStatus::default();
        starts(&daily, &mut status, &[at(CREATED)]);
        let started = starts(&daily, &mut status.clone(), &[at("2026-01-16T02:59:00Z")]);
        assert_eq!(dues(&started), ["2026-01-16T02:00:00Z"]);
        let started = starts(&daily, &mut status, &[at("2026-01-16T03:01:00Z")]);
        assert!(started.is_empty());
    }

    #[test]
    fn what_is_due_while_it_is_disabled_never_starts() {
        let enabled = firings(&json!({}));
        let disabled = firings(&json!({"State": "DISABLED"}));
        let mut status = ScheduleStatus::default();
        starts(&enabled, &mut status, &[at(CREATED)]);
        let moments = every(60, "2026-01-15T10:30:00Z", "2026-01-15T12:30:00Z");
        assert!(starts(&disabled, &mut status, &moments).is_empty());
        assert_eq!(
            (status.state.as_deref(), &status.next_firing),
            (Some(DISABLED), &None)
        );
        let moments = every(60, "2026-01-15T12:31:00Z", "2026-01-15T13:10:00Z");
        let started = starts(&enabled, &mut status, &moments);
        assert_eq!(dues(&started), ["2026-01-15T13:00:00Z"]);
    }

    #[test]
    fn each_start_is_within_its_window() {
        let flexible = firings(&json!({
            "ScheduleExpression": "rate(1 minute)",
            "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15},
        }));
        let moments = every(10, CREATED, "2026-01-15T12:00:30Z");
        let started = starts(&flexible, &mut ScheduleStatus::default(), &moments);
        let distinct: BTreeSet<_> = started.iter().map(|(due, _)| *due).collect();
        assert_eq!(distinct.len(), started.len(), "none starts twice");
        assert!(started.len() >= 105, "{} of 120 minutes", started.len());
        let delays = started.iter().map(|(due, now)| now.duration_since(*due));
        let window = SignedDuration::from_secs(15 * 60 + 10);
        assert!(delays.clone().all(|it| !it.is_negative() && it <= window));
        let distinct: BTreeSet<_> = delays.collect();
        assert!(distinct.len() > 5, "they are spread");
    }

    #[test]
    fn a_window_that_is_longer_than_the_age_loses_no_time() {
        let flexible = firings(&json!({
            "ScheduleExpression": "rate(1 hour)",
            "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 60},
            "Target": {
                "Arn": "arn:aws:ecs:r:1:cluster/c", "EcsParameters": {"TaskDefinitionArn": "t"},
                "RetryPolicy": {"MaximumEventAgeInSeconds": 60},
            },
        }));
        let moments = every(30, CREATED, "2026-01-16T10:00:30Z");
        let started = starts(&flexible, &mut ScheduleStatus::default(), &moments);
        // The last two may be in their windows.
        assert!(started.len() >= 23, "{} of 25 hours", started.len());
    }

    #[test]
    fn a_start_that_fails_is_tried_until_a_newer_one_is_due_or_it_is_too_old() {
        let hourly = firings(&json!({"catchUp": "None"}));
        let mut status = ScheduleStatus::default();
        starts(&hourly, &mut status, &[at(CREATED)]);
        let retry = |due: &str| crate::crd::RetryStatus {
            due: Some(Time(at(due))),
            attempts: 1,
            message: "no".to_owned(),
        };
        let eleven = "2026-01-15T11:00:00Z";
        status.retrying = Some(retry(eleven));
        let later = outlook(&status, asked(&hourly), at("2026-01-15T11:45:00Z"));
        assert_eq!(
            (later.due, later.given_up, later.missed),
            (Some(at(eleven)), None, 0)
        );
        let next = outlook(&status, asked(&hourly), at("2026-01-15T12:00:05Z"));
        assert_eq!(next.due, Some(at("2026-01-15T12:00:00Z")));
        assert_eq!((next.given_up, next.missed), (Some(at(eleven)), 0));
        assert_eq!(next.status.retrying, None);
        let once = firings(&json!({
            "ScheduleExpression": "at(2026-01-15T11:00:00)",
            "Target": {
                "Arn": "arn:aws:ecs:r:1:cluster/c", "EcsParameters": {"TaskDefinitionArn": "t"},
                "RetryPolicy": {"MaximumEventAgeInSeconds": 60},
            },
        }));
        let mut status = ScheduleStatus::default();
        starts(&once, &mut status, &[at(CREATED)]);
        status.retrying = Some(retry(eleven));
        let old = outlook(&status, asked(&once), at("2026-01-15T11:01:30Z"));
        assert_eq!(
            (old.due, old.given_up, old.wake),
            (None, Some(at(eleven)), None)
        );
        assert_eq!(old.status.last_firing, Some(Time(at(eleven))));
    }

    #[test]
    fn a_clock_that_was_far_ahead_stops_nothing() {
        let hourly = firings(&json!({}));
        let mut status = ScheduleStatus::default();
        starts(&hourly, &mut status, &[at("2030-01-15T10:00:05Z")]);
        let moments = every(60, "2026-01-15T10:30:00Z", "2026-01-15T12:01:00Z");
        let started = starts(&hourly, &mut status, &moments);
        assert_eq!(
            dues(&started),
            ["2026-01-15T11:00:00Z", "2026-01-15T12:00:00Z"]
        );
        // Set back by an hour, a clock repeats no time.
        let moments = every(60, "2026-01-15T11:01:00Z", "2026-01-15T12:01:00Z");
        assert!(starts(&hourly, &mut status, &moments).is_empty());
    }
}

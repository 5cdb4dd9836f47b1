//! Scaling activities: what is remembered of them, and how far they are
//! (<https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-scaling-activities.html>).
//!
//! An activity is recorded before the count is set. So an operator that is killed in between sets the same count, and
//! decides nothing twice.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::{SignedDuration, Timestamp},
};

use super::engine::{Activity, Memory};
use crate::crd::ScalingActivityStatus;

/// The most activities that a status keeps.
const MOST: usize = 10;
/// How long an activity may wait for its count to be set. After that, it was decided for another situation.
const PATIENCE: SignedDuration = SignedDuration::from_mins(5);

/// The count is not set yet.
const PENDING: &str = "Pending";
/// The count is set.
const IN_PROGRESS: &str = "InProgress";
/// As many tasks run.
const SUCCESSFUL: &str = "Successful";
/// Somebody else has set another count, or another activity has.
const OVERRIDDEN: &str = "Overridden";
/// The count could not be set.
const FAILED: &str = "Failed";

/// Returns what is remembered for the next decision: the newest addition, and the newest removal since.
#[must_use]
pub fn memory(activities: &[ScalingActivityStatus], now: Timestamp) -> Memory {
    let known = |activity: &ScalingActivityStatus| {
        let began = activity.start_time.as_ref()?.0;
        let until = activity.cooldown_until.as_ref()?.0;
        // If it begins so late, the clock was wrong then.
        let is_wrong = began.duration_since(now) > until.duration_since(began);
        let (from, to) = (activity.from?, activity.to?);
        let remembered = Activity {
            policy: activity.policy_name.clone(),
            trigger: None,
            base: activity.base?,
            result: to,
            until,
        };
        let was_set = activity.status_code != FAILED;
        (was_set && !is_wrong && from != to).then_some((to > from, remembered))
    };
    let mut memory = Memory::default();
    for (is_out, activity) in activities.iter().filter_map(known) {
        if is_out {
            memory.out = Some(activity);
            // More tasks end the wait for fewer: an older removal does not count.
            break;
        }
        memory.into.get_or_insert(activity);
    }
    memory
}

/// Records an activity that is about to change the count `from` what it is.
pub fn begin(
    activities: &mut Vec<ScalingActivityStatus>,
    activity: &Activity,
    from: i64,
    cause: String,
    now: Timestamp,
) {
    for older in activities.iter_mut().filter(|it| it.end_time.is_none()) {
        end(older, OVERRIDDEN, now);
    }
    let begun = ScalingActivityStatus {
        description: format!("Setting desired count to {}.", activity.result),
        cause,
        policy_name: activity.policy.clone(),
        base: Some(activity.base),
        from: Some(from),
        to: Some(activity.result),
        start_time: Some(Time(now)),
        end_time: None,
        cooldown_until: Some(Time(activity.until)),
        status_code: PENDING.to_owned(),
    };
    activities.insert(0, begun);
    activities.truncate(MOST);
}

/// Records that nothing is known of earlier activities, so that their cooldowns may last.
pub fn hold(activities: &mut Vec<ScalingActivityStatus>, count: i64, seconds: i64, now: Timestamp) {
    let until = now.checked_add(SignedDuration::from_secs(seconds));
    let held = ScalingActivityStatus {
        description: format!("Keeping desired count at {count}."),
        cause: "the status of the service was lost, and with it when it was scaled last".to_owned(),
        base: Some(count),
        from: Some(count),
        to: Some(count),
        start_time: Some(Time(now)),
        end_time: Some(Time(now)),
        cooldown_until: until.ok().map(Time),
        status_code: SUCCESSFUL.to_owned(),
        ..ScalingActivityStatus::default()
    };
    activities.insert(0, held);
}

/// Whether cooldowns of activities that are not known may last.
#[must_use]
pub fn is_held(activities: &[ScalingActivityStatus], now: Timestamp) -> bool {
    let newest = activities.first().filter(|newest| newest.from == newest.to);
    let until = newest.and_then(|newest| newest.cooldown_until.as_ref());
    until.is_some_and(|until| now < until.0)
}

/// Returns the count that the newest activity has yet to set instead of this one.
#[must_use]
pub fn to_set(activities: &[ScalingActivityStatus], count: i64, now: Timestamp) -> Option<i64> {
    let newest = activities.first()?;
    let is_pending = newest.status_code == PENDING && newest.from == Some(count);
    newest.to.filter(|_| is_pending && !is_stale(newest, now))
}

/// Whether an activity has waited too long for its count to be set.
fn is_stale(activity: &ScalingActivityStatus, now: Timestamp) -> bool {
    let began = activity.start_time.as_ref();
    began.is_none_or(|began| now.duration_since(began.0) > PATIENCE)
}

/// Whether the newest activity has yet to set its count.
#[must_use]
pub fn is_pending(activities: &[ScalingActivityStatus]) -> bool {
    let newest = activities.first();
    newest.is_some_and(|newest| newest.status_code == PENDING)
}

/// Whether the newest activity has not ended.
#[must_use]
pub fn is_open(activities: &[ScalingActivityStatus]) -> bool {
    let newest = activities.first();
    newest.is_some_and(|newest| newest.end_time.is_none())
}

/// Records how far the newest activity is, with this count and so many running tasks.
pub fn follow(
    activities: &mut [ScalingActivityStatus],
    (count, running): (i64, i64),
    now: Timestamp,
) {
    let Some(newest) = activities.first_mut() else {
        return;
    };
    let (Some(from), Some(to)) = (newest.from, newest.to) else {
        return;
    };
    let is_there = if to > from {
        running >= to
    } else {
        running <= to
    };
    match newest.status_code.as_str() {
        PENDING if count == from && is_stale(newest, now) => end(newest, FAILED, now),
        PENDING if count == from => {}
        PENDING | IN_PROGRESS if count != to => end(newest, OVERRIDDEN, now),
        PENDING | IN_PROGRESS if is_there => end(newest, SUCCESSFUL, now),
        PENDING => IN_PROGRESS.clone_into(&mut newest.status_code),
        _ => {}
    }
}

fn end(activity: &mut ScalingActivityStatus, code: &str, now: Timestamp) {
    code.clone_into(&mut activity.status_code);
    activity.end_time = Some(Time(now));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(minute: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minute)
    }

    fn activity(base: i64, result: i64, until: i64) -> Activity {
        Activity {
            policy: "cpu".to_owned(),
            trigger: None,
            base,
            result,
            until: minute(until),
        }
    }

    /// Returns the activities after these changes of the count: from, to, and the minutes of beginning and cooldown.
    fn after(changes: &[(i64, i64, i64, i64)]) -> Vec<ScalingActivityStatus> {
        let mut activities = Vec::new();
        for (from, to, begins, until) in changes.iter().copied() {
            let change = activity(from, to, until);
            begin(
                &mut activities,
                &change,
                from,
                String::new(),
                minute(begins),
            );
        }
        activities
    }

    #[test]
    fn the_newest_addition_and_the_newest_removal_since_are_remembered() {
        let found = memory(
            &after(&[(4, 3, 0, 5), (3, 5, 1, 9), (5, 4, 2, 7)]),
            minute(3),
        );
        assert_eq!(found.out, Some(activity(3, 5, 9)));
        assert_eq!(found.into, Some(activity(5, 4, 7)));
        let found = memory(&after(&[(4, 3, 0, 50), (3, 5, 1, 9)]), minute(3));
        assert_eq!(found.into, None, "more tasks end the wait for fewer");
        assert_eq!(memory(&[], minute(0)), Memory::default());
        // A clock that was ahead does not keep a service from scaling until then.
        let ahead = after(&[(3, 5, 30, 40)]);
        assert_eq!(memory(&ahead, minute(19)), Memory::default());
        assert!(memory(&ahead, minute(20)).out.is_some());
    }

    #[test]
    fn an_activity_sets_its_count_once() {
        let mut activities = after(&[(2, 4, 0, 5)]);
        assert_eq!(to_set(&activities, 2, minute(1)), Some(4));
        assert_eq!(to_set(&activities, 4, minute(1)), None, "it is set");
        assert_eq!(
            to_set(&activities, 7, minute(1)),
            None,
            "somebody else has set another one"
        );
        for (counts, code) in [
            ((2, 2), PENDING),
            ((4, 2), IN_PROGRESS),
            ((4, 3), IN_PROGRESS),
            ((4, 4), SUCCESSFUL),
        ] {
            follow(&mut activities, counts, minute(1));
            assert_eq!(activities[0].status_code, code, "{counts:?}");
        }
        // Whoever sets the count back is not fought.
        assert_eq!(to_set(&activities, 2, minute(1)), None);
        follow(&mut activities, (2, 4), minute(2));
        assert_eq!(activities[0].end_time, Some(Time(minute(1))));
    }

    #[test]
    fn another_count_overrides_an_activity() {
        for step in [(7, 2), (3, 2)] {
            let mut activities = after(&[(2, 4, 0, 5)]);
            follow(&mut activities, step, minute(1));
            assert_eq!(activities[0].status_code, OVERRIDDEN, "{step:?}");
        }
        let mut activities = after(&[(2, 4, 0, 5)]);
        follow(&mut activities, (4, 2), minute(1));
        follow(&mut activities, (2, 2), minute(2));
        assert_eq!(activities[0].status_code, OVERRIDDEN);
        let activities = after(&[(2, 4, 0, 5), (4, 6, 1, 6)]);
        assert_eq!(activities[1].status_code, OVERRIDDEN);
    }

    #[test]
    fn a_count_that_could_not_be_set_for_long_is_not_set_any_more() {
        let mut activities = after(&[(2, 4, 0, 60)]);
        assert_eq!(to_set(&activities, 2, minute(5)), Some(4));
        assert_eq!(to_set(&activities, 2, minute(6)), None);
        follow(&mut activities, (2, 2), minute(6));
        assert_eq!(activities[0].status_code, FAILED);
        assert_eq!(memory(&activities, minute(6)), Memory::default());
    }

    #[test]
    fn only_the_newest_activities_are_kept() {
        let changes: Vec<_> = (0..30).map(|count| (count, count + 1, count, 60)).collect();
        let kept = after(&changes);
        assert_eq!(kept.len(), MOST);
        assert_eq!(kept[0].to, Some(30));
    }
}

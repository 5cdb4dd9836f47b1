//! What scheduled actions will do next.

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

use super::words::{count, moment};
use crate::{crd::ScheduledActionStatus, decide::scaling::Range, validate::AutoScaling};

/// Returns a line for each scheduled action, in the order in which they are due.
pub(super) fn lines(
    scaling: &AutoScaling,
    known: &[ScheduledActionStatus],
    (range, desired): (Range, i64),
) -> Vec<String> {
    let next = |name: &str, definition: &str| -> Option<Option<Timestamp>> {
        let mut known = known.iter();
        let known = known.find(|it| it.name == name && it.schedule == definition)?;
        Some(known.next_firing.as_ref().map(|Time(time)| *time))
    };
    let actions = scaling.scheduled_actions.iter();
    let mut due = Vec::new();
    let mut others = Vec::new();
    for action in actions {
        match next(&action.name, &action.definition) {
            Some(Some(at)) => due.push((at, action)),
            Some(None) => others.push(format!("{}: never due again", action.name)),
            None => others.push(format!(
                "{}: the operator has not seen it with this schedule yet",
                action.name
            )),
        }
    }
    // Those of one moment are in the order of the spec.
    due.sort_by_key(|(at, _)| *at);
    let (mut range, mut tasks) = (range, desired);
    let of = |(at, action): (Timestamp, &crate::validate::ScheduledAction)| {
        let at = moment(at);
        if scaling.scheduled_suspended {
            return format!(
                "{}: due at {at}, but ScheduledScalingSuspended skips it",
                action.name
            );
        }
        match action.applied_to(range) {
            Err(why) => format!("{}: due at {at}, and fails: {why}", action.name),
            Ok(new) => {
                range = new;
                tasks = new.nearest(tasks);
                let Range { min, max } = new;
                let tasks = count(tasks, "task");
                format!(
                    "{}: at {at} the range becomes {min} to {max}: {tasks} then, if nothing else changes the count until then",
                    action.name
                )
            }
        }
    };
    let mut lines: Vec<String> = due.into_iter().map(of).collect();
    lines.append(&mut others);
    lines
}

//! The words for numbers, times and decisions.

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

use crate::decide::scaling::{
    engine::{Decision, Memory, NotScaled},
    outcome::name_of,
};

/// Returns a value of a metric, with at most two decimals.
pub(super) fn number(value: f64) -> String {
    ((value * 100.0).round() / 100.0).to_string()
}

/// Returns a number of things.
pub(super) fn count(number: i64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

/// Returns a time to the second.
pub(super) fn moment(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second())
        .unwrap_or(time)
        .to_string()
}

/// Returns a time of a status.
pub(super) fn since(time: Option<&Time>) -> String {
    time.map_or_else(|| "an unknown time".to_owned(), |Time(time)| moment(*time))
}

/// Returns what a decision leads to.
pub(super) fn result(decision: &Decision, desired: i64, memory: &Memory) -> String {
    match decision {
        Decision::Scale(activity) => format!("to {}", count(activity.result, "task")),
        Decision::Stay => format!("stays at {}", count(desired, "task")),
        Decision::Not(why) => {
            let because = match why {
                NotScaled::InCooldown => cooldown(memory),
                NotScaled::AlreadyAtMaxCapacity => "at the maximum".to_owned(),
                NotScaled::AlreadyAtMinCapacity => "at the minimum".to_owned(),
                NotScaled::AlreadyAtDesiredCapacity => "as many are desired already".to_owned(),
                NotScaled::DeploymentInProgress => "a deployment is in progress".to_owned(),
                NotScaled::Suspended => "suspended by SuspendedState".to_owned(),
            };
            let (tasks, name) = (count(desired, "task"), name_of(*why));
            format!("stays at {tasks}, {because} ({name})")
        }
    }
}

/// Says until when a cooldown lasts.
fn cooldown(memory: &Memory) -> String {
    let until = memory.out.iter().chain(&memory.into).map(|it| it.until);
    until.max().map_or_else(
        || "in a cooldown".to_owned(),
        |until| format!("in a cooldown until {}", moment(until)),
    )
}

//! How many tasks of a service should run, and how they are replaced.

use serde_json::{Value, json};

use super::plan::{Newest, Plan};
use crate::{crd::Spec, decide::scaling::Range, validate};

/// How many tasks should run, and how they are replaced.
pub(super) struct Counts {
    pub(super) desired: Option<i64>,
    pub(super) rules: validate::Deployment,
    pub(super) healthy_after: i64,
}

impl Counts {
    /// Returns the counts of what is asked for, or of what runs while that is unknown.
    pub(super) fn of(newest: Option<&Newest>, current: Option<&Plan>) -> Option<Self> {
        let newest = newest.map(|newest| Self {
            desired: newest.rendering.desired,
            rules: newest.rendering.rules.clone(),
            healthy_after: newest.rendering.healthy_after,
        });
        newest.or_else(|| {
            current.map(|plan| Self {
                desired: plan.desired,
                rules: plan.rules.clone(),
                healthy_after: plan.healthy_after,
            })
        })
    }
}

/// Returns how many tasks a spec asks for; `None` for one on each node.
pub(super) fn desired_count(spec: &Spec) -> Option<i64> {
    let members: Value = spec.parse().ok()?;
    let count = members.get("desiredCount")?.as_i64()?;
    (!is_daemon(&members)).then_some(count.clamp(0, i64::from(i32::MAX)))
}

/// Whether a spec asks for one task on each node.
pub(super) fn is_daemon(members: &Value) -> bool {
    members.get("schedulingStrategy").and_then(Value::as_str) == Some("DAEMON")
}

/// Returns a spec with another number of tasks, if it is known.
pub(super) fn with_desired_count(spec: &Spec, desired: Option<i64>) -> Spec {
    match (spec.parse::<Value>(), desired) {
        (Ok(Value::Object(mut members)), Some(desired)) => {
            members.insert("desiredCount".to_owned(), json!(desired));
            Spec::from(Value::Object(members))
        }
        _ => spec.clone(),
    }
}

/// Returns the range of a spec that was accepted when its deployment began, and what has been allowed since, as the number
/// of tasks shows.
pub(super) fn range_around(spec: &Spec, running: Option<i64>) -> Option<Range> {
    let spec: Value = spec.parse().ok()?;
    let target = spec.pointer("/autoScaling/scalableTarget")?;
    let (min, max) = (
        target.get("MinCapacity")?.as_i64()?,
        target.get("MaxCapacity")?.as_i64()?,
    );
    Some(Range {
        min: running.map_or(min, |running| running.min(min)),
        max: running.map_or(max, |running| running.max(max)),
    })
}

/// Returns a spec without its scaling, whose range would bound the number of tasks.
pub(super) fn without_scaling(spec: &Spec) -> Spec {
    let Ok(Value::Object(mut members)) = spec.parse::<Value>() else {
        return spec.clone();
    };
    members.remove("autoScaling");
    Spec::from(Value::Object(members))
}

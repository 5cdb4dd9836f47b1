//! Status updates that write only what differs.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use kube::{
    Api, Resource, ResourceExt as _,
    api::{Patch, PatchParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::{controller::error::Error, diagnostic::StatusReason};

/// The longest message that the API takes in a condition
/// (<https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.36/#condition-v1-meta>).
const LONGEST_MESSAGE: usize = 32_768;

/// Writes `wanted` where it differs from the object's status, if the object still has the version that the decision was
/// based on. Returns the updated object, `None` if nothing had to be written.
///
/// # Errors
///
/// When the request fails, or the object has changed.
pub(super) async fn report<K, S>(
    api: &Api<K>,
    object: &K,
    version: Option<String>,
    reported: &S,
    wanted: &S,
) -> Result<Option<K>, Error>
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Clone + std::fmt::Debug,
    S: Serialize,
{
    let (reported, wanted) = (
        serde_json::to_value(reported)?,
        serde_json::to_value(wanted)?,
    );
    let Some(change) = merge_patch(&reported, &wanted) else {
        return Ok(None);
    };
    // If the object has been replaced, this is not its status. An absent version is null, which matches any.
    let metadata = json!({"uid": object.uid(), "resourceVersion": version});
    let patch = json!({"metadata": metadata, "status": change});
    api.patch_status(
        &object.name_any(),
        &PatchParams::default(),
        &Patch::Merge(patch),
    )
    .await
    .map(Some)
    .map_err(Error::resource("update the status of", object))
}

/// Returns the merge patch that turns `from` into `to` (<https://www.rfc-editor.org/rfc/rfc7386>); `None` if they are
/// equal.
fn merge_patch(from: &Value, to: &Value) -> Option<Value> {
    if from == to {
        return None;
    }
    let (Value::Object(from), Value::Object(to)) = (from, to) else {
        return Some(to.clone());
    };
    let gone = from.keys().filter(|name| !to.contains_key(*name));
    let mut patch: Map<String, Value> = gone.map(|name| (name.clone(), Value::Null)).collect();
    for (name, value) in to {
        let change = match from.get(name) {
            Some(before) => merge_patch(before, value),
            None => Some(value.clone()),
        };
        if let Some(change) = change {
            patch.insert(name.clone(), change);
        }
    }
    Some(Value::Object(patch))
}

/// One aspect of an object's state, to be reported as a condition.
#[derive(Clone, Debug)]
pub(super) struct Aspect {
    /// The type of the condition.
    pub type_: &'static str,
    /// Whether it holds; `None` if unknown.
    pub holds: Option<bool>,
    /// The reason.
    pub reason: StatusReason,
    /// The full message.
    pub message: String,
}

/// Returns the conditions for these aspects of a generation. The time of a condition changes only with its status.
#[must_use]
pub(super) fn conditions(
    aspects: Vec<Aspect>,
    before: &[Condition],
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    let others = before
        .iter()
        .filter(|condition| !aspects.iter().any(|aspect| aspect.type_ == condition.type_));
    let others: Vec<Condition> = others.cloned().collect();
    let condition = |aspect: Aspect| {
        let status = match aspect.holds {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        };
        let since = before
            .iter()
            .find(|condition| condition.type_ == aspect.type_ && condition.status == status)
            .map_or_else(
                || Time(whole_seconds(now)),
                |condition| condition.last_transition_time.clone(),
            );
        Condition {
            type_: aspect.type_.to_owned(),
            status: status.to_owned(),
            observed_generation: generation,
            last_transition_time: since,
            reason: aspect.reason.name().to_owned(),
            message: shortened(aspect.message),
        }
    };
    // Conditions of other controllers stay.
    aspects.into_iter().map(condition).chain(others).collect()
}

/// Sets a condition that an object does not always have, after all others, or removes it.
pub(super) fn set_condition(
    conditions_of: &mut Vec<Condition>,
    type_: &str,
    aspect: Option<Aspect>,
    generation: Option<i64>,
    now: Timestamp,
) {
    let Some(aspect) = aspect else {
        conditions_of.retain(|condition| condition.type_ != type_);
        return;
    };
    let before = std::mem::take(conditions_of);
    *conditions_of = conditions(vec![aspect], &before, generation, now);
    conditions_of.rotate_left(1);
}

/// Truncates a time to whole seconds, as the API does.
#[must_use]
pub(super) fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

fn shortened(mut message: String) -> String {
    if message.len() > LONGEST_MESSAGE {
        let mut end = LONGEST_MESSAGE - 3;
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
        message.push_str("...");
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::StateReason;

    #[test]
    fn a_patch_says_what_differs() {
        let from = json!({"a": 1, "b": {"c": 2, "d": 3}, "e": [1], "f": 0});
        let to = json!({"a": 1, "b": {"c": 2, "d": 4}, "e": [1, 2], "g": true});
        assert_eq!(
            merge_patch(&from, &to),
            Some(json!({"b": {"d": 4}, "e": [1, 2], "f": null, "g": true}))
        );
        assert_eq!(merge_patch(&to, &to), None);
    }

    #[test]
    fn the_time_of_a_condition_changes_with_its_status() {
        let aspect = |holds| Aspect {
            type_: "Ready",
            holds: Some(holds),
            reason: StatusReason::State(StateReason::SteadyState),
            message: String::new(),
        };
        let time = |second| Timestamp::from_second(second).expect("it is in range");
        let first = conditions(vec![aspect(true)], &[], Some(1), time(10));
        let same = conditions(vec![aspect(true)], &first, Some(2), time(20));
        assert_eq!(same[0].last_transition_time, Time(time(10)));
        assert_eq!(same[0].observed_generation, Some(2));
        let changed = conditions(vec![aspect(false)], &same, Some(2), time(30));
        assert_eq!(changed[0].last_transition_time, Time(time(30)));
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let message = shortened("ä".repeat(LONGEST_MESSAGE));
        assert!(message.len() <= LONGEST_MESSAGE && message.ends_with("ä..."));
    }
}

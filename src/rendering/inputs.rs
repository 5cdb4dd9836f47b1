//! The inputs that the owner of a service wrote.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::difference::compare;
use crate::crd::Spec;

/// The members of an EcsService's spec that do not concern its tasks: how many there are and how they are replaced,
/// names for the request, and members without meaning in Kubernetes.
const NOT_OF_TASKS: &[&str] = &[
    "autoScaling",
    "clientToken",
    "deploymentConfiguration",
    "deploymentController",
    "desiredCount",
    "enableECSManagedTags",
    "forceNewDeployment",
    "monitoring",
    "platformVersion",
    "role",
    "serviceName",
    // Its content counts, not its name.
    "taskDefinition",
];

/// The member with the capacity providers, whose weights are counts.
const STRATEGY: &str = "capacityProviderStrategy";

/// How many hexadecimal digits of a digest distinguish inputs.
const DIGITS: usize = 20;

/// All inputs of the tasks of a service, as its owner wrote them.
///
/// They do not depend on the operator, the cluster or their settings, so the same inputs are the same service revision,
/// whatever they are rendered to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Inputs {
    /// The spec of the service.
    #[serde(deserialize_with = "spec")]
    pub service: Spec,
    /// Its annotations that are settings.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// The family of its task definition.
    pub family: String,
    /// The revision of its task definition.
    pub revision: u64,
    /// The content of that revision.
    #[serde(deserialize_with = "spec")]
    pub task_definition: Spec,
}

/// Deserializes a stored spec, which is parsed as a whole and no longer has its original text.
fn spec<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Spec, D::Error> {
    Value::deserialize(deserializer).map(Spec::from)
}

impl Inputs {
    /// Returns the task definition, such as `web:3`.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{}:{}", self.family, self.revision)
    }

    /// Returns the inputs of tasks that differ, such as `task definition: containerDefinitions[0].image`, sorted.
    #[must_use]
    pub fn differences(&self, after: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let parsed = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
        if self.family != after.family {
            let (before, after) = (&self.family, &after.family);
            found.push(format!("task definition: {after} instead of {before}"));
        }
        let parts = [
            (
                "annotations",
                json!(self.annotations),
                json!(after.annotations),
            ),
            (
                "service",
                parsed(&of_tasks(&self.service)),
                parsed(&of_tasks(&after.service)),
            ),
            (
                "task definition",
                parsed(self.task_definition.text()),
                parsed(after.task_definition.text()),
            ),
        ];
        for (part, before, after) in parts {
            let mut fields = Vec::new();
            compare("", &before, &after, &mut fields);
            found.extend(fields.into_iter().map(|field| format!("{part}: {field}")));
        }
        found.sort_unstable();
        found
    }

    /// Returns a digest that is equal for equal tasks. It ignores the number of the task definition's revision; only
    /// its content matters.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut digest = Sha256::new();
        digest.update(of_tasks(&self.service));
        for (name, value) in &self.annotations {
            for text in [name, value] {
                digest.update(text.as_bytes());
                digest.update([0]);
            }
        }
        digest.update(self.family.as_bytes());
        digest.update([0]);
        digest.update(self.task_definition.text().as_bytes());
        hexadecimal(&digest.finalize(), DIGITS)
    }
}

/// Returns the members of a spec that concern tasks. Tags do if tasks get them.
fn of_tasks(spec: &Spec) -> String {
    let Ok(Value::Object(mut members)) = spec.parse::<Value>() else {
        return spec.text().to_owned();
    };
    let propagates = members.get("propagateTags").and_then(Value::as_str) == Some("SERVICE");
    members.retain(|name, value| {
        !value.is_null() && !NOT_OF_TASKS.contains(&name.as_str()) && (propagates || name != "tags")
    });
    if let Some(Value::Array(strategy)) = members.get(STRATEGY)
        && let Some(providers) = providers(strategy)
    {
        members.insert(STRATEGY.to_owned(), json!(providers));
    }
    Value::Object(members).to_string()
}

/// Returns the capacity providers that get tasks, in their order. How many of the tasks each gets is a count: UpdateService
/// starts no deployment for it (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html>). `None`
/// if one is named twice, or cannot be read.
fn providers(strategy: &[Value]) -> Option<Vec<&str>> {
    let is_positive = |item: &Value, name: &str| item.get(name).and_then(Value::as_i64) > Some(0);
    let takes_tasks = |item: &&Value| {
        strategy.len() == 1 || is_positive(item, "weight") || is_positive(item, "base")
    };
    let items = strategy.iter().filter(takes_tasks);
    let names = items.map(|item| item.get("capacityProvider")?.as_str());
    let names: Vec<&str> = names.collect::<Option<_>>()?;
    let different: BTreeSet<&str> = names.iter().copied().collect();
    (different.len() == names.len()).then_some(names)
}

/// Whether two specs have strategies with the same capacity providers, so that only the counts of each can differ.
pub(super) fn have_same_providers(one: &Spec, other: &Spec) -> bool {
    let [one, other] = [one, other].map(|spec| spec.parse::<Value>().unwrap_or_default());
    let of = |spec: &'_ Value| -> Option<Vec<String>> {
        let names = providers(spec.get(STRATEGY)?.as_array()?)?;
        Some(names.into_iter().map(str::to_owned).collect())
    };
    of(&one).is_some_and(|names| of(&other) == Some(names))
}

/// Returns the first `digits` of a digest.
pub(super) fn hexadecimal(digest: &[u8], digits: usize) -> String {
    let bytes = digest.iter().take(digits / 2);
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::{Api, Outcome};

    fn inputs(service: Value) -> Inputs {
        Inputs {
            service: Spec::from(service),
            annotations: BTreeMap::new(),
            family: "web".to_owned(),
            revision: 3,
            task_definition: Spec::from(json!({"cpu": "256"})),
        }
    }

    #[test]
    fn counts_and_names_are_no_inputs() {
        let web = inputs(json!({"taskDefinition": "web", "desiredCount": 2})).digest();
        for service in [
            json!({"taskDefinition": "web:3", "desiredCount": 9}),
            json!({"taskDefinition": "web", "serviceName": "web", "desiredCount": 2}),
            json!({"taskDefinition": "web", "deploymentConfiguration": {"maximumPercent": 150}}),
            json!({"taskDefinition": "web", "autoScaling": {"scalableTarget": {"MaxCapacity": 3}}}),
            json!({"taskDefinition": "web", "tags": [{"key": "a", "value": "b"}]}),
            json!({"taskDefinition": "web", "launchType": null}),
        ] {
            assert_eq!(inputs(service.clone()).digest(), web, "{service}");
        }
        let renumbered = Inputs {
            revision: 1,
            ..inputs(json!({}))
        };
        assert_eq!(renumbered.digest(), web, "the content of a revision counts");
    }

    #[test]
    fn weights_are_counts_and_providers_are_inputs() {
        let with = |strategy: &[(&str, i64, i64)]| {
            let item = |(name, weight, base): &(&str, i64, i64)| json!({"capacityProvider": name, "weight": weight, "base": base});
            let strategy: Vec<Value> = strategy.iter().map(item).collect();
            inputs(json!({"capacityProviderStrategy": strategy}))
        };
        let both = with(&[("a", 1, 0), ("b", 3, 0)]);
        for (same, other) in [
            (true, with(&[("a", 2, 0), ("b", 0, 1)])),
            (false, with(&[("b", 1, 0), ("a", 1, 0)])),
            (false, with(&[("a", 1, 0), ("b", 1, 0), ("b", 1, 0)])),
            (false, with(&[("a", 1, 0), ("b", 0, 0)])),
            (false, with(&[("a", 1, 0)])),
            (false, with(&[("a", 1, 0), ("b", 1, 0), ("c", 1, 0)])),
            (false, inputs(json!({}))),
        ] {
            assert_eq!(both.digest() == other.digest(), same, "{other:?}");
            assert_eq!(
                have_same_providers(&both.service, &other.service),
                same,
                "{other:?}"
            );
        }
        let alone = with(&[("a", 0, 0)]);
        assert_eq!(alone.digest(), with(&[("a", 1, 0)]).digest());
        assert_ne!(alone.digest(), with(&[("b", 1, 0)]).digest());
        // What cannot be read is not the same as anything else.
        let wrong = inputs(json!({"capacityProviderStrategy": [{"weight": 1}]}));
        assert_ne!(
            wrong.digest(),
            inputs(json!({"capacityProviderStrategy": [{"weight": 2}]})).digest()
        );
    }

    #[test]
    fn what_tasks_are_made_of_is() {
        let web = inputs(json!({}));
        let mut digests = vec![web.digest()];
        for service in [
            json!({"launchType": "FARGATE"}),
            json!({"kubernetes": {"forceNewDeployment": "again"}}),
            json!({"kubernetes": {"pod": {"labels": {"a": "b"}}}}),
            json!({"kubernetes": {"pod": {"patch": {"spec": {"hostNetwork": null}}}}}),
            json!({"tags": [{"key": "a", "value": "b"}], "propagateTags": "SERVICE"}),
            json!({"propagateTags": "SERVICE"}),
        ] {
            digests.push(inputs(service).digest());
        }
        let mut annotated = web.clone();
        annotated.annotations.insert("a".to_owned(), "b".to_owned());
        digests.push(annotated.digest());
        digests.push(
            Inputs {
                task_definition: Spec::from(json!({"cpu": "512"})),
                ..web.clone()
            }
            .digest(),
        );
        digests.push(
            Inputs {
                family: "api".to_owned(),
                ..web
            }
            .digest(),
        );
        let all = digests.len();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), all, "each is another one");
    }

    #[test]
    fn inputs_that_differ_are_named() {
        let before = inputs(json!({"taskDefinition": "web", "desiredCount": 2}));
        let mut after = inputs(json!({"desiredCount": 3, "launchType": "EC2"}));
        assert_eq!(before.differences(&before), [""; 0]);
        after.family = "api".to_owned();
        after.task_definition = Spec::from(json!({"cpu": "512"}));
        after.annotations.insert("a".to_owned(), "b".to_owned());
        assert_eq!(
            before.differences(&after),
            [
                "annotations: a",
                "service: launchType",
                "task definition: api instead of web",
                "task definition: cpu",
            ]
        );
    }

    #[test]
    fn what_never_means_anything_is_no_input() {
        let noted = Api::Service
            .fields()
            .filter(|field| field.outcome == Outcome::Noted && field.target.is_empty());
        for field in noted {
            let member = field.path.split(['.', '[']).next().unwrap_or_default();
            let whole = member == field.path;
            assert!(!whole || NOT_OF_TASKS.contains(&member), "{member}");
        }
    }
}

//! What pods refer to and cannot restart without.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{request::Place, store::Store};
use crate::translate::SERVICE;

/// Returns what pods of services refer to that does not exist, or not as they need it.
pub(super) fn lacking(store: &Store) -> BTreeSet<String> {
    let mut lacking = BTreeSet::new();
    for (_, pod) in store.of_kind("", "pods") {
        if needs_something(store, &pod) {
            let missing = needs(&pod).into_iter().filter(|need| !need.is_met(store));
            lacking.extend(missing.map(|need| format!("{need:?}")));
        }
    }
    lacking
}

/// Whether a pod may restart a container. The objects of a service are deleted with it, whatever its pods need.
fn needs_something(store: &Store, pod: &Value) -> bool {
    let service = pod["metadata"]["labels"][SERVICE].as_str();
    let service = service.map(|name| Place::new("ecs-operator.dev", "ecsservices", name));
    let service = service.and_then(|place| store.get(&place));
    let has_ended = matches!(
        pod["status"]["phase"].as_str(),
        Some("Succeeded" | "Failed")
    );
    !has_ended && service.is_some_and(|service| number(service) < number(pod))
}

/// Returns the position of an object in the order of creation.
fn number(object: &Value) -> Option<u64> {
    let uid = object["metadata"]["uid"].as_str()?;
    uid.strip_prefix("uid-")?.parse().ok()
}

/// An object that a pod refers to, and what it has to contain.
#[derive(Debug)]
struct Need<'a> {
    group: &'static str,
    plural: &'static str,
    name: &'a str,
    key: Option<&'a str>,
}

impl Need<'_> {
    fn is_met(&self, store: &Store) -> bool {
        let place = Place::new(self.group, self.plural, self.name);
        let Some(object) = store.get(&place) else {
            return false;
        };
        let generators = elements(&object["spec"]["dataFrom"]);
        let generators =
            generators.filter_map(|it| it["sourceRef"]["generatorRef"]["name"].as_str());
        let mut generators = generators.map(|name| {
            Place::new(
                "generators.external-secrets.io",
                "ecrauthorizationtokens",
                name,
            )
        });
        let are_made = generators.all(|place| store.get(&place).is_some());
        are_made
            && self.key.is_none_or(|key| {
                let data = object["spec"]["data"].as_array();
                data.into_iter().flatten().any(|it| it["secretKey"] == key)
            })
    }
}

fn needs(pod: &Value) -> Vec<Need<'_>> {
    let spec = &pod["spec"];
    let account = spec["serviceAccountName"].as_str();
    let accounts = account.map(|name| ("", "serviceaccounts", name, None));
    let volumes = elements(&spec["volumes"]);
    let maps = volumes.filter_map(|volume| volume["configMap"]["name"].as_str());
    let maps = maps.map(|name| ("", "configmaps", name, None));
    let variables = elements(&spec["containers"]).flat_map(|it| elements(&it["env"]));
    let secrets = variables.filter_map(|variable| {
        let reference = &variable["valueFrom"]["secretKeyRef"];
        let (name, key) = (reference["name"].as_str()?, reference["key"].as_str());
        Some(("external-secrets.io", "externalsecrets", name, key))
    });
    let pulls = elements(&spec["imagePullSecrets"]).filter_map(|secret| secret["name"].as_str());
    let pulls = pulls.map(|name| ("external-secrets.io", "externalsecrets", name, None));
    let all = accounts.into_iter().chain(maps).chain(secrets).chain(pulls);
    all.map(|(group, plural, name, key)| Need {
        group,
        plural,
        name,
        key,
    })
    .collect()
}

fn elements(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

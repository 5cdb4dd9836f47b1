//! A preview of each act of a scenario is what the act then does.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    api_server::ApiServer,
    request::{NAMESPACE, Place},
    scenario::{self, Scenario, scaling, service, shared_name, task},
    store::Store,
    trial::{in_no_time, undisturbed},
};
use crate::{
    controller::preview::{Operator, Preview, Replacement, Snapshot, preview, read_only, written},
    policy::Tenancy,
    settings::{EcrPullSecrets, RENEW_DEPLOYMENT, Settings},
    translate::SERVICE,
};

/// The group of what users write.
const OURS: &str = "ecs-operator.dev";

fn is_ours(place: &Place) -> bool {
    place.group == OURS
}

/// Returns the manifests of what users have changed, which remove what is no longer there.
fn manifests(before: &Store, after: &Store) -> Vec<Value> {
    let changed = after.objects().iter().filter(|(place, object)| {
        let old = before.get(place);
        is_ours(place) && old.is_none_or(|old| old["spec"] != object["spec"])
    });
    changed
        .map(|(place, object)| {
            let mut manifest = json!({
                "apiVersion": object["apiVersion"], "kind": object["kind"],
                "metadata": {"name": place.name}, "spec": object["spec"],
            });
            let old = before.get(place).and_then(|old| old["spec"].as_object());
            for (member, _) in old.into_iter().flatten() {
                if object["spec"].get(member).is_none() {
                    manifest["spec"][member] = Value::Null;
                }
            }
            manifest
        })
        .collect()
}

/// Returns what a preview says of these objects.
fn previewed(before: &Store, manifests: &[Value]) -> Preview {
    previewed_by(before, manifests, false)
}

/// Does the same for an operator that `renews` services by itself.
fn previewed_by(before: &Store, manifests: &[Value], renews: bool) -> Preview {
    let operator = Operator {
        settings: Settings {
            steady_seconds: 0,
            ecr_pull_secrets: EcrPullSecrets::On,
            ..Settings::default()
        },
        tenancy: Tenancy::Single,
        renews,
    };
    in_no_time(async {
        let server = ApiServer::new(before.clone());
        let client = read_only(server.client());
        let objects = before.objects().iter();
        let objects = objects.map(|(place, object)| (&*place.plural, &**object));
        let snapshot = Snapshot::of_objects(&client, NAMESPACE, objects);
        let preview = Box::pin(preview(&snapshot, &operator, manifests)).await;
        let wrote = server.take_asked().into_iter().any(|asked| asked.is_write);
        assert!(!wrote, "a preview writes nothing");
        preview.expect("no request fails")
    })
}

/// Returns the objects that the operator has created, without pods and revisions, as a person writes them.
fn created(store: &Store) -> BTreeMap<String, Value> {
    let is_it = |place: &Place| {
        !is_ours(place) && !["pods", "controllerrevisions"].contains(&&*place.plural)
    };
    let objects = store.objects().iter().filter(|(place, _)| is_it(place));
    objects
        .map(|(place, object)| {
            let kind = object["kind"].as_str().unwrap_or_default();
            (format!("{kind} {}", place.name), written(object))
        })
        .collect()
}

/// Returns the tasks of a service.
fn tasks(store: &Store, service: &str) -> BTreeSet<String> {
    let pods = store.of_kind("", "pods");
    let pods = pods
        .iter()
        .filter(|(_, pod)| pod["metadata"]["labels"][SERVICE] == service);
    pods.map(|(_, pod)| pod["metadata"]["uid"].to_string())
        .collect()
}

/// Whether no deployment is in progress.
fn is_complete(store: &Store) -> bool {
    let services = store.of_kind(OURS, "ecsservices");
    services.iter().all(|(_, service)| {
        let state = service.pointer("/status/deployments/0/rolloutState");
        state.and_then(Value::as_str) == Some("COMPLETED")
    })
}

/// Compares the preview of each act with its end. Returns the number of changes that were foreseen.
fn foreseen(scenario: &Scenario) -> usize {
    let acts: Vec<_> = scenario.before.iter().chain(&scenario.acts).collect();
    let ends = undisturbed(acts.iter().copied());
    let mut before = Store::default();
    let mut number = 0;
    for (act, end) in acts.into_iter().zip(ends) {
        let mut asked = before.clone();
        (act.act)(&mut asked);
        if before
            .objects()
            .keys()
            .any(|place| is_ours(place) && asked.get(place).is_none())
        {
            // An apply deletes nothing.
            before = end;
            continue;
        }
        let manifests = manifests(&before, &asked);
        let preview = previewed(&before, &manifests);
        let (old, new) = (created(&before), created(&end));
        let changed = |name: &&String| old.get(*name) != new.get(*name);
        let expected: BTreeSet<&String> = old.keys().chain(new.keys()).filter(changed).collect();
        let objects = preview.changes.iter().flat_map(|change| &change.objects);
        let objects = objects.filter(|object| object.kind != "Pod");
        let found: BTreeMap<String, _> = objects
            .map(|object| (format!("{} {}", object.kind, object.name), object))
            .collect();
        // A name whose services contradict each other changes when the old tasks of both are gone.
        let later = preview.changes.iter();
        let later: Vec<_> = later
            .flat_map(|it| it.later.iter().chain(&it.obstacles))
            .collect();
        let is_later = |name: &str| later.iter().any(|it| it.starts_with(name));
        let names: BTreeSet<&String> = found.keys().collect();
        // What a deployment in progress leaves goes with the next one too.
        let was_complete = is_complete(&before);
        let is_left = |name: &str| !was_complete && !new.contains_key(name);
        let missed = expected.difference(&names);
        let missed: Vec<_> = missed
            .filter(|name| !is_later(name) && !is_left(name))
            .collect();
        assert!(missed.is_empty(), "{}: {missed:?}: {preview:#?}", act.what);
        let is_complete = is_complete(&end);
        for (name, object) in &found {
            assert!(!object.anyway, "{}: {name}", act.what);
            if object.after.is_none() && !is_complete {
                // Old tasks still need it.
                assert!(old.contains_key(name), "{}: {name}", act.what);
            } else if !is_later(name) {
                assert_eq!(object.after.as_ref(), new.get(name), "{}: {name}", act.what);
            }
        }
        number += found.len();
        for change in &preview.changes {
            let (was, is) = (tasks(&before, &change.name), tasks(&end, &change.name));
            match &change.replacement {
                Some(Replacement::Yes { .. }) if is_complete => {
                    assert!(was.is_disjoint(&is), "{}: none stays", act.what);
                }
                Some(Replacement::No { .. }) => {
                    let stay = was.is_subset(&is) || is.is_subset(&was);
                    assert!(stay, "{}: all stay", act.what);
                }
                Some(_) | None => {}
            }
        }
        // What was applied once changes nothing when it is applied again.
        let again = previewed(&end, &manifests);
        let objects: usize = again.changes.iter().map(|it| it.objects.len()).sum();
        assert_eq!(objects, 0, "{} again: {again:#?}", act.what);
        before = end;
    }
    number
}

#[test]
fn a_preview_of_a_service_is_what_then_happens() {
    assert!(foreseen(&service::a_service().without_last()) > 5);
    assert!(foreseen(&scaling::a_count_of_an_autoscaler()) > 3);
    assert!(foreseen(&service::a_change_of_all_that_tasks_need()) > 3);
    assert!(foreseen(&service::a_load_balancer()) > 1);
    assert!(foreseen(&service::a_refused_spec()) > 0);
}

#[test]
fn a_preview_of_another_strategy_is_what_then_happens() {
    assert!(foreseen(&service::a_daemon()) > 0);
    assert!(foreseen(&service::a_change_of_strategy()) > 1);
}

#[test]
fn a_renewal_is_shown_as_the_replacement_that_it_is() {
    let scenario = scenario::a_cluster();
    let [with_service, with_defaults] = [2, 3].map(|number| {
        let mut ends = undisturbed(scenario.acts.iter().take(number));
        ends.pop().expect("there are acts")
    });
    let replaces = |preview: &Preview| {
        let mut changes = preview.changes.iter();
        changes.any(|change| matches!(change.replacement, Some(Replacement::Yes { .. })))
    };
    // Other defaults of the namespace, which a service keeps until its next deployment.
    let manifests = manifests(&with_service, &with_defaults);
    assert!(!replaces(&previewed(&with_service, &manifests)));
    assert!(replaces(&previewed_by(&with_service, &manifests, true)));
    let services = with_defaults.of_kind(OURS, "ecsservices");
    let service = &services.first().expect("there is one").1;
    let renewal = json!({
        "apiVersion": service["apiVersion"], "kind": service["kind"],
        "metadata": {
            "name": "web", "annotations": {RENEW_DEPLOYMENT: service["status"]["deployments"][0]["id"]},
        },
        "spec": service["spec"],
    });
    assert!(replaces(&previewed(&with_defaults, &[renewal])));
}

#[test]
fn what_becomes_of_tasks_that_were_left_is_not_claimed_to_be_known() {
    let scenario = service::a_service();
    let mut ends = undisturbed(scenario.acts.iter().take(1));
    let mut lost = ends.pop().expect("there is one act");
    let mut asked = Store::default();
    scenario
        .acts
        .iter()
        .take(1)
        .for_each(|act| (act.act)(&mut asked));
    let manifests = manifests(&Store::default(), &asked);
    let unknown = |store: &Store| {
        let preview = previewed(store, &manifests);
        preview
            .changes
            .iter()
            .any(|change| !change.unknown.is_empty())
    };
    assert!(!unknown(&lost));
    lost.lose_statuses();
    assert!(unknown(&lost));
}

#[test]
fn a_name_that_is_not_known_before_is_not_claimed_to_be() {
    let scenario = task::a_volume_that_stays();
    let mut asked = Store::default();
    for act in scenario.before.iter().chain(scenario.acts.first()) {
        (act.act)(&mut asked);
    }
    let preview = previewed(&Store::default(), &manifests(&Store::default(), &asked));
    let later: Vec<_> = preview.changes.iter().flat_map(|it| &it.later).collect();
    let says = |text: &&&String| text.ends_with("comes from the identity of the new EcsTask");
    assert!(later.iter().any(|text| says(&text)), "{preview:#?}");
}

#[test]
fn a_preview_of_shared_objects_and_defaults_is_what_then_happens() {
    assert!(foreseen(&scenario::a_cluster()) > 0);
    assert!(foreseen(&shared_name::a_name_that_two_share()) > 0);
    foreseen(&task::a_task());
}

//! Checks of what becomes of the nodes of capacity providers: taints, room, and who keeps them.

use serde_json::{Value, json};

use super::{request::Place, scenario::capacity, store::Store, trial::undisturbed};

/// Returns the only object of a kind that has no namespace.
fn only(store: &Store, group: &str, plural: &str) -> Option<Value> {
    let objects = store.of_kind(group, plural);
    objects.first().map(|(_, object)| Value::clone(object))
}

#[test]
fn nodes_get_taints_when_everything_tolerates_them() {
    let ends = undisturbed(capacity::taints_of_nodes_in_use().acts.iter());
    let seen: Vec<(Option<Value>, Value, usize)> = ends
        .iter()
        .map(|end| {
            let pool = only(end, "karpenter.sh", "nodepools").unwrap_or_default();
            let taint = pool.pointer("/spec/template/spec/taints/0/value");
            let provider = only(end, "ecs-operator.dev", "ecscapacityproviders");
            let provider = provider.unwrap_or_default();
            let ready = provider.pointer("/status/conditions/1/reason");
            let pods = end.of_kind("", "pods");
            let tolerates = |pod: &Value| pod.pointer("/spec/tolerations/0/value").is_some();
            let tolerating = pods.iter().filter(|(_, pod)| tolerates(pod)).count();
            (
                taint.cloned(),
                ready.cloned().unwrap_or_default(),
                tolerating,
            )
        })
        .collect();
    let (active, waits) = (json!("CapacityProviderActive"), json!("TaintsAwaitRenewal"));
    assert_eq!(
        seen,
        [
            (None, active.clone(), 0),
            (None, active.clone(), 0),
            (None, waits.clone(), 0),
            (None, waits.clone(), 0),
            (Some(json!("web")), active.clone(), 3),
            // The tasks do not tolerate the other taint, so nothing keeps them from further nodes.
            (None, waits, 3),
            (Some(json!("shop")), active, 0),
        ]
    );
}

#[test]
fn a_taint_that_waits_takes_no_other_one_from_the_nodes() {
    let ends = undisturbed(capacity::a_second_taint().acts.iter());
    let seen: Vec<Vec<Value>> = ends
        .iter()
        .map(|end| {
            let pool = only(end, "karpenter.sh", "nodepools").unwrap_or_default();
            let taints = pool.pointer("/spec/template/spec/taints");
            let taints = taints.and_then(Value::as_array).into_iter().flatten();
            taints.map(|taint| taint["value"].clone()).collect()
        })
        .collect();
    let (web, both) = (vec![json!("web")], vec![json!("web"), json!("gpu")]);
    assert_eq!(seen, [web.clone(), web.clone(), web, both]);
}

#[test]
fn placeholders_are_a_part_of_the_tasks() {
    let ends = undisturbed(capacity::room_on_nodes().acts.iter());
    let seen: Vec<Option<(Value, Value)>> = ends
        .iter()
        .map(|end| {
            let place = Place::new("apps", "deployments", "blue-spare");
            let spec = &end.get(&place)?["spec"];
            let pod = &spec["template"]["spec"];
            assert_eq!(pod["priorityClassName"], "ecs-operator-spare-room");
            let requests = pod["containers"][0]["resources"]["requests"].clone();
            Some((spec["replicas"].clone(), requests))
        })
        .collect();
    let requests = json!({"cpu": "250m", "memory": "256Mi"});
    let some = |count: u32| Some((json!(count), requests.clone()));
    // As much as the tasks: 20 of 64 MiB.
    assert_eq!(seen, [None, some(1), some(5), None, some(5), some(5), None]);
}

#[test]
fn a_task_keeps_the_provider_that_its_cluster_gave_it() {
    let ends = undisturbed(capacity::a_task_of_the_default_strategy().acts.iter());
    let there: Vec<bool> = ends
        .iter()
        .map(|end| only(end, "ecs-operator.dev", "ecscapacityproviders").is_some())
        .collect();
    assert_eq!(there, [true, true, true, true, false]);
    let task = only(&ends[1], "ecs-operator.dev", "ecstasks").expect("it is there");
    assert_eq!(
        task["status"]["capacityProviders"],
        json!([{"name": "blue", "toleratedTaints": ["example.com/team=web:NoSchedule"]}])
    );
    let pool = only(&ends[1], "karpenter.sh", "nodepools").expect("it is there");
    assert_eq!(
        pool["spec"]["template"]["spec"]["taints"][0]["value"],
        "web"
    );
}

//! Checks of the final state, for cases where "the same as in the undisturbed run" does not say enough.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::{Value, json};

use super::{
    api_server::ApiServer,
    request::Place,
    scenario::{capacity, service, shared_name},
    store::Store,
    trial::{Trial, undisturbed},
};
use crate::{
    controller::{
        apply::{Change, apply_to},
        caches::{child::Child, child_kind::ChildKind, children::Children},
        wanted::Wanted,
    },
    names::OFFERS,
    translate::SERVICE,
};

fn resource(name: &str) -> Place {
    Place::new("ecs-operator.dev", "ecsservices", name)
}

/// Returns the port of the shared name and the service whose tasks it leads to; no service if it leads to all that
/// offer it.
fn backend(store: &Store) -> (i64, Option<String>) {
    let place = Place::new("", "services", "backend");
    let service = store.get(&place).expect("it is there");
    let spec = &service["spec"];
    let of_one = spec["selector"][SERVICE].as_str().map(str::to_owned);
    let offered = spec["selector"].get(format!("{OFFERS}backend"));
    assert_eq!(of_one.is_none(), offered.is_some(), "{spec}");
    let port = spec["ports"][0]["port"].as_i64();
    (port.expect("it has a port"), of_one)
}

/// Returns whether a service is ready, and why.
fn ready(store: &Store, name: &str) -> Value {
    let object = store.get(&resource(name)).expect("it is there");
    let conditions = object["status"]["conditions"].as_array();
    let ready = conditions.into_iter().flatten();
    let mut ready = ready.filter(|condition| condition["type"] == "Ready");
    ready.next().expect("it is told")["reason"].clone()
}

#[test]
fn services_that_share_a_name_do_not_lock_each_other_out() {
    let acts = shared_name::a_name_that_two_share().acts;
    let [alone, together, moved, apart, left] = &undisturbed(acts.iter())[..] else {
        panic!("each act has an end");
    };
    assert_eq!(backend(alone), (80, Some("one".to_owned())));
    assert_eq!(backend(together), (80, None));
    // The service that has the name as it wants it continues as if nothing had happened.
    assert_eq!(backend(moved), (80, None));
    assert_eq!(ready(moved, "two"), "SteadyState");
    assert_eq!(ready(moved, "one"), "ObjectNotOwned");
    // No service wants the name as it is, so it follows the first one.
    assert_eq!(backend(apart), (81, None));
    assert_eq!(ready(apart, "one"), "SteadyState");
    assert_eq!(ready(apart, "two"), "ObjectNotOwned");
    assert_eq!(backend(left), (82, Some("two".to_owned())));
    assert_eq!(ready(left, "two"), "SteadyState");
}

#[test]
fn a_name_is_given_up_although_the_next_one_is_taken() {
    let scenario = shared_name::a_name_that_is_taken();
    let ends = undisturbed(scenario.before.iter().chain(&scenario.acts));
    let end = ends.last().expect("there are acts");
    assert_eq!(ready(end, "one"), "ObjectNotOwned");
    assert_eq!(ready(end, "two"), "SteadyState");
    assert_eq!(backend(end), (82, Some("two".to_owned())));
}

/// Returns what the pods of the service select, and how many pods there have been.
fn selected(store: &Store) -> (Vec<Value>, usize) {
    let mut selectors: Vec<Value> = store
        .of_kind("", "pods")
        .iter()
        .filter(|(_, pod)| pod["metadata"].get("deletionTimestamp").is_none())
        .map(|(_, pod)| pod["spec"]["nodeSelector"].clone())
        .collect();
    selectors.dedup();
    (selectors, store.made().values().sum())
}

#[test]
fn a_capacity_provider_replaces_no_task() {
    let ends = undisturbed(capacity::providers_of_a_service().acts.iter());
    let seen: Vec<_> = ends.iter().map(selected).collect();
    let label = |name: &str| vec![json!({"ecs-operator.dev/capacity-provider": name})];
    let group = |name: &str| vec![json!({"eks.amazonaws.com/nodegroup": name})];
    let [
        served,
        came,
        changed,
        refused,
        scaled,
        corrected,
        updated,
        deleted,
        left,
    ] = &seen[..]
    else {
        panic!("each act has an end");
    };
    assert_eq!(*served, (label("blue"), 2));
    for beside in [came, changed, refused] {
        assert_eq!(beside, served);
    }
    // More tasks of the deployment are like the others.
    assert_eq!(*scaled, (label("blue"), 3));
    assert_eq!(corrected, scaled);
    assert_eq!(*updated, (group("blue-3"), 6));
    assert_eq!(deleted, updated);
    assert_eq!(left.0, label("green"));
    let has_provider = |store: &Store| {
        let kind = ("ecs-operator.dev", "ecscapacityproviders");
        !store.of_kind(kind.0, kind.1).is_empty()
    };
    let there: Vec<bool> = ends.iter().map(has_provider).collect();
    let expected = [false, true, true, true, true, true, true, true, false];
    assert_eq!(there, expected, "it stays while it is in use");
}

#[test]
fn a_node_pool_ends_with_its_provider_and_not_before() {
    let ends = undisturbed(capacity::a_node_pool().acts.iter());
    let weights = |store: &Store| -> Vec<Value> {
        let pools = store.of_kind("karpenter.sh", "nodepools");
        pools
            .iter()
            .map(|(_, pool)| pool["spec"]["weight"].clone())
            .collect()
    };
    let seen: Vec<_> = ends.iter().map(weights).collect();
    let (one, two) = (vec![json!(1)], vec![json!(2)]);
    assert_eq!(seen, [one.clone(), one, two.clone(), two, vec![]]);
    // A deletion in the foreground would delete what has an owner at once.
    for end in &ends {
        for (place, pool) in end.of_kind("karpenter.sh", "nodepools") {
            let owners = pool.pointer("/metadata/ownerReferences");
            assert_eq!(owners, None, "{place:?}");
        }
    }
}

/// Returns the Service of a name, as rendered for one service alone.
fn name_of(service: &str, port: u16) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "backend",
            "namespace": "shop",
            "labels": {"app.kubernetes.io/managed-by": "ecs-operator", "app.kubernetes.io/instance": "service-connect"},
        },
        "spec": {"ports": [{"port": port}], "selector": {SERVICE: service}},
    })
}

fn owner_named(name: &str) -> OwnerReference {
    OwnerReference {
        api_version: "ecs-operator.dev/v1alpha1".to_owned(),
        kind: "EcsService".to_owned(),
        name: name.to_owned(),
        uid: format!("uid-of-{name}"),
        ..OwnerReference::default()
    }
}

#[tokio::test]
async fn a_name_that_another_service_got_first_is_decided_on_again() {
    let server = ApiServer::new(Store::default());
    let make = async |children: &Children, name: &str, port| {
        let wanted = Wanted::new(&name_of(name, port)).expect("it is known");
        // Neither service knew of the other when its wanted state was decided.
        apply_to(
            &server.client(),
            children,
            &wanted,
            None,
            &owner_named(name),
        )
        .await
    };
    let children = Children::default();
    let made = make(&children, "two", 82).await;
    assert!(made.is_ok_and(|change| change == Change::Made));
    let error = make(&children, "one", 81).await.expect_err("it is there");
    assert!(error.is_transient(), "{error}");
    assert_eq!(backend(&server.store()), (82, Some("two".to_owned())));
}

/// Applies a Service on two ports, first as one leader knows it, then as another one does that has not seen what `between`
/// does. Returns the Service at the end and whether the second leader was refused.
async fn write_of_a_former_leader(
    between: impl AsyncFnOnce(&ApiServer, &Children),
) -> (Value, bool) {
    let reference = owner_named("web");
    let server = ApiServer::new(Store::default());
    let write = async |children: &Children, port| {
        let wanted = Wanted::new(&name_of("web", port)).expect("it is known");
        let known = children.get(&wanted.key);
        apply_to(&server.client(), children, &wanted, known, &reference).await
    };
    let (former, leader) = (Children::default(), Children::default());
    write(&former, 81).await.expect("nothing is there");
    let place = Place::new("", "services", "backend");
    let live = Child::of(server.store().get(&place).expect("it is there"));
    leader.observe(ChildKind::of("v1", "Service").expect("it is known"), &live);
    between(&server, &leader).await;
    let written = write(&former, 83).await;
    let refused = written.is_err_and(|error| error.code() == Some(409));
    let live = server.store().get(&place).cloned();
    (live.expect("it is there"), refused)
}

#[tokio::test]
async fn a_former_leader_does_not_undo_what_the_next_one_wrote() {
    let (live, refused) = write_of_a_former_leader(async |server, leader| {
        let wanted = Wanted::new(&name_of("web", 82)).expect("it is known");
        let known = leader.get(&wanted.key);
        let written = apply_to(
            &server.client(),
            leader,
            &wanted,
            known,
            &owner_named("web"),
        )
        .await;
        assert!(written.is_ok_and(|change| change != Change::None));
    })
    .await;
    assert!(refused);
    assert_eq!(live["spec"]["ports"][0]["port"], 82, "{live}");
}

#[tokio::test]
async fn a_status_that_changes_meanwhile_stops_no_write() {
    let (live, refused) = write_of_a_former_leader(async |server, _| {
        let place = Place::new("", "services", "backend");
        let status = json!({"loadBalancer": {}});
        server.with(|store| store.change(&place, |live| live["status"] = status));
    })
    .await;
    assert!(!refused);
    assert_eq!(live["spec"]["ports"][0]["port"], 83, "{live}");
}

#[test]
fn a_revision_that_is_deleted_can_be_rolled_back_to() {
    let scenario = service::a_lost_revision();
    let ends = undisturbed(scenario.before.iter().chain(&scenario.acts));
    let end = ends.last().expect("there are acts");
    let status = &end.get(&resource("web")).expect("it is there")["status"];
    let primary = &status["deployments"][0];
    assert_eq!(primary["taskDefinition"], "web:1", "{status}");
    assert_eq!(primary["rolloutState"], "COMPLETED", "{status}");
}

/// Returns a service at rest as an older operator, which kept no rendering, left it, with this change by its owner.
fn left_by_an_older_operator(accepted: &str, change: impl FnOnce(&mut Value)) -> Store {
    let scenario = service::a_service();
    let store = undisturbed(scenario.acts.iter().take(1)).remove(0);
    as_left_by_an_older_operator(store, accepted, change)
}

fn as_left_by_an_older_operator(
    mut store: Store,
    accepted: &str,
    change: impl FnOnce(&mut Value),
) -> Store {
    for (place, _) in store.of_kind("apps", "controllerrevisions") {
        store.change(&place, |revision| {
            if let Value::Object(data) = &mut revision["data"] {
                data.remove("rendering");
            }
        });
    }
    store.change(&resource("web"), change);
    store.change(&resource("web"), |service| {
        service["status"]["observedGeneration"] = service["metadata"]["generation"].clone();
        let conditions = service["status"]["conditions"].as_array_mut();
        for condition in conditions.into_iter().flatten() {
            if condition["type"] == "Accepted" {
                condition["status"] = json!(accepted);
            }
        }
    });
    store
}

/// Whether the tasks are replaced once the current operator runs.
fn begins_a_deployment(store: &Store) -> bool {
    let end = Trial::of(store).run().expect("it comes to rest");
    let revision = |store: &Store| {
        let service = store.get(&resource("web")).expect("it is there");
        let primary = &service["status"]["deployments"][0];
        assert_eq!(primary["rolloutState"], "COMPLETED", "{service}");
        primary["serviceRevision"].clone()
    };
    let is_another = revision(&end.store) != revision(store);
    assert_eq!(end.store.made() != store.made(), is_another);
    is_another
}

#[test]
fn what_an_older_operator_had_refused_is_rolled_out() {
    let again = |service: &mut Value| {
        service["spec"]["kubernetes"] = json!({"forceNewDeployment": "again"});
    };
    let unchanged = |_: &mut Value| {};
    let begins = |accepted, change: fn(&mut Value)| {
        begins_a_deployment(&left_by_an_older_operator(accepted, change))
    };
    assert!(begins("False", again));
    assert!(!begins("True", again), "it had looked at that");
    // The spec that already runs is rejected because an add-on was removed.
    assert!(!begins("False", unchanged));
}

#[test]
fn a_setting_that_was_changed_while_the_operator_was_replaced_is_rolled_out() {
    let annotate = |name: &'static str, value: &'static str| {
        move |service: &mut Value| {
            service["metadata"]["annotations"][format!("ecs-operator.dev/{name}")] = json!(value);
        }
    };
    let begins = |name: &'static str, value: &'static str| {
        begins_a_deployment(&left_by_an_older_operator("True", annotate(name, value)))
    };
    assert!(begins("image-pull-policy", "if-not-present"));
    assert!(
        !begins("secret-refresh-interval", "7m"),
        "tasks are the same"
    );
    let needy = service::a_change_of_all_that_tasks_need();
    let needy = undisturbed(needy.before.iter()).pop().expect("it is there");
    let older = as_left_by_an_older_operator(needy, "True", annotate("secret-store", "cluster"));
    assert!(
        !begins_a_deployment(&older),
        "an older operator named no Secret after its store"
    );
}

/// A spec of a DAEMON service has no count.
#[test]
fn as_many_tasks_come_back_from_daemon_as_there_were() {
    let scenario = service::a_change_of_strategy_that_fails();
    let acts = scenario.before.iter().chain(&scenario.acts);
    let replicas = |store: &Store| {
        let deployment = store.get(&Place::new("apps", "deployments", "web"));
        deployment.map(|deployment| deployment["spec"]["replicas"].clone())
    };
    let seen: Vec<_> = undisturbed(acts).iter().map(replicas).collect();
    assert_eq!(seen, [2, 5, 5, 5].map(|count| Some(json!(count))));
}

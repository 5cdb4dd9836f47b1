//! What users do, one thing after the other.

pub(super) mod app_runner;
pub(super) mod capacity;
pub(super) mod scaling;
pub(super) mod schedule;
pub(super) mod service;
pub(super) mod shared_name;
pub(super) mod split;
pub(super) mod task;

use serde_json::{Value, json};

use super::{request::Place, store::Store};

/// A user's action.
pub(super) struct Act {
    /// A description for messages.
    pub(super) what: &'static str,
    pub(super) act: Box<dyn Fn(&mut Store)>,
}

/// A sequence of user actions.
pub(super) struct Scenario {
    /// The actions before, during which there is no fault.
    pub(super) before: Vec<Act>,
    pub(super) acts: Vec<Act>,
}

impl Scenario {
    fn new<const N: usize>(acts: [Act; N]) -> Self {
        Self {
            before: Vec::new(),
            acts: acts.into(),
        }
    }

    /// Returns the scenario without its last act.
    pub(super) fn without_last(mut self) -> Self {
        self.acts.pop();
        self
    }

    fn after<const N: usize>(self, before: [Act; N]) -> Self {
        Self {
            before: before.into(),
            ..self
        }
    }
}

fn act(what: &'static str, act: impl Fn(&mut Store) + 'static) -> Act {
    Act {
        what,
        act: Box::new(act),
    }
}

fn place(kind: &str, name: &str) -> Place {
    let plural = format!("{}s", kind.to_lowercase());
    let place = Place::new("ecs-operator.dev", &plural, name);
    if kind == "EcsCapacityProvider" {
        return Place {
            namespace: String::new(),
            ..place
        };
    }
    place
}

/// Gives a custom resource this spec, as `kubectl apply` does.
fn put(store: &mut Store, kind: &str, name: &str, spec: Value) {
    let place = place(kind, name);
    if store.get(&place).is_some() {
        store.change(&place, |object| object["spec"] = spec);
        return;
    }
    let object = json!({
        "apiVersion": "ecs-operator.dev/v1alpha1",
        "kind": kind,
        "metadata": {},
        "spec": spec,
    });
    store.insert(place, object);
}

fn delete(store: &mut Store, kind: &str, name: &str) {
    let deleted = store.delete(&place(kind, name), None);
    deleted.expect("it is there");
}

/// Registers a task definition with one container.
fn define(store: &mut Store, image: &str) {
    put(store, "EcsTaskDefinition", "web", definition(image));
}

fn definition(image: &str) -> Value {
    json!({
        "networkMode": "awsvpc",
        "containerDefinitions": [{
            "name": "app",
            "image": image,
            "cpu": 32,
            "memory": 64,
            "portMappings": [{"containerPort": 80}],
        }],
    })
}

/// Applies a service with this many tasks and more members in its spec.
fn serve(store: &mut Store, count: i64, more: Value) {
    let mut spec = json!({"taskDefinition": "web", "desiredCount": count});
    if let (Value::Object(spec), Value::Object(more)) = (&mut spec, more) {
        spec.extend(more);
    }
    put(store, "EcsService", "web", spec);
}

fn started() -> Act {
    act("a first deployment", |store| {
        define(store, "test/web:1");
        serve(store, 2, json!({}));
    })
}

fn updated(what: &'static str, image: &'static str) -> Act {
    act(what, move |store| define(store, image))
}

fn scaled(what: &'static str, count: i64) -> Act {
    act(what, move |store| serve(store, count, json!({})))
}

/// Task definitions: each change creates a revision, even one that restores earlier content.
pub(super) fn a_definition() -> Scenario {
    Scenario::new([
        updated("a definition", "test/web:1"),
        updated("a second revision", "test/web:2"),
        updated("a third revision", "test/web:3"),
        updated("the first one again", "test/web:1"),
        act("a definition that is refused", |store| {
            put(
                store,
                "EcsTaskDefinition",
                "web",
                json!({"networkMode": "none at all"}),
            );
        }),
        updated("one that is not", "test/web:4"),
        act("its deletion", |store| {
            delete(store, "EcsTaskDefinition", "web");
        }),
    ])
}

/// More revisions than are kept, the first of which is pinned.
pub(super) fn a_history() -> Scenario {
    let pinned = act("a pinned service", |store| {
        define(store, "test/web:1");
        serve(store, 1, json!({"taskDefinition": "web:1"}));
    });
    let revision = |number: usize| {
        let image = format!("test/web:{number}");
        act("a revision more", move |store| define(store, &image))
    };
    Scenario {
        before: std::iter::once(pinned)
            .chain((2..=11).map(revision))
            .collect(),
        acts: vec![
            revision(12),
            revision(13),
            act("another pin", |store| {
                serve(store, 1, json!({"taskDefinition": "web:12"}));
            }),
            revision(14),
        ],
    }
}

/// Defaults for a namespace.
pub(super) fn a_cluster() -> Scenario {
    let cluster = |store: &mut Store, name: &str, provider: &str| {
        let strategy = json!([{"capacityProvider": provider, "weight": 1}]);
        let spec =
            json!({"capacityProviders": [provider], "defaultCapacityProviderStrategy": strategy});
        put(store, "EcsCluster", name, spec);
    };
    Scenario::new([
        act("a cluster", move |store| cluster(store, "shop", "blue")),
        started(),
        act("other defaults", move |store| {
            cluster(store, "shop", "green");
        }),
        act("a second cluster", move |store| {
            cluster(store, "trade", "red");
        }),
        updated("an update", "test/web:2"),
        act("the end of the first one", |store| {
            delete(store, "EcsCluster", "shop");
        }),
        act("the end of the second one", |store| {
            delete(store, "EcsCluster", "trade");
        }),
    ])
}

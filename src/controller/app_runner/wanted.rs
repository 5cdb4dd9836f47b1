//! The EcsTaskDefinition and the EcsService of an App Runner service, and how those that exist differ from them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::ResourceExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::fetch::Accepted;
use crate::{
    controller::kind::Reconciled,
    crd::{
        API_VERSION, AppRunnerService, EcsService, EcsTaskDefinition, Kubernetes, Spec, extended,
    },
    settings::{CONVERTED, START_DEPLOYMENT, is_setting},
    translate::{LABEL_LENGTH, hex_digest, kname},
};

/// The count of a service, which others may set where it is scaled.
const COUNT: &str = "desiredCount";
/// The text whose change begins a deployment.
const FORCED: &str = "/kubernetes/forceNewDeployment";
/// The image of a task definition.
const IMAGE: &str = "/containerDefinitions/0/image";

/// How many digits of a digest distinguish what is converted.
const DIGITS: usize = 20;

/// What an object was converted from and to. It stays as it is until its AppRunnerService changes: other versions and
/// settings of the operator may convert the same request differently, and begin no deployment because of it.
#[derive(Deserialize, Serialize)]
pub(super) struct Converted {
    /// A digest of what the AppRunnerService asks for.
    pub(super) from: String,
    /// The spec.
    to: Value,
}

impl Converted {
    /// The image of the container, if this is a task definition.
    pub(super) fn image(&self) -> Option<&str> {
        self.to.pointer(IMAGE)?.as_str()
    }
}

/// Returns what an object was converted from and to, if that is known.
pub(super) fn converted(object: &impl Made) -> Option<Converted> {
    let text = object.annotations().get(CONVERTED)?;
    serde_json::from_str(text).ok()
}

/// What changes of something that was converted already.
#[derive(Clone, Copy)]
enum Pushed<'a> {
    Nothing,
    /// The text of a service that begins a deployment.
    Text(&'a str),
    /// The image of a task definition.
    Image(&'a str),
}

/// A kind that App Runner services make objects of.
pub(super) trait Made: Reconciled {
    /// Its spec.
    fn spec(&self) -> &Spec;
}

impl Made for EcsService {
    fn spec(&self) -> &Spec {
        &self.spec
    }
}

impl Made for EcsTaskDefinition {
    fn spec(&self) -> &Spec {
        &self.spec
    }
}

/// An object that an App Runner service makes.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// The object, without its owner.
    body: Value,
}

/// Returns the EcsTaskDefinition and the EcsService. They have the names and labels that `convert` gives them. `live` are
/// those that exist.
///
/// # Errors
///
/// When a request cannot be written as JSON, which is a defect of this program.
pub(super) fn wanted(
    service: &AppRunnerService,
    accepted: &Accepted,
    live: (Option<&EcsTaskDefinition>, Option<&EcsService>),
) -> Result<[Wanted; 2], serde_json::Error> {
    let equal = &accepted.equal;
    let definition = &equal.task_definition;
    let of_definition = extended(&definition.request, &definition.extensions)?;
    let mut extensions = equal.extensions.clone();
    if let Some(start) = &accepted.start.text {
        let kubernetes = extensions
            .kubernetes
            .get_or_insert_with(Kubernetes::default);
        kubernetes.force_new_deployment = Some(start.clone());
    }
    let of_service = extended(&equal.request, &extensions)?;
    let family = definition.request.family.as_deref().unwrap_or_default();
    let object = |kind: &str, annotations: &Map<String, Value>, spec: Value| Wanted {
        body: json!({
            "apiVersion": API_VERSION,
            "kind": kind,
            "metadata": {
                "name": service.name_any(),
                "namespace": service.namespace(),
                "annotations": annotations,
                "labels": {
                    "app.kubernetes.io/name": kname(family, LABEL_LENGTH),
                    "app.kubernetes.io/instance": service.name_any(),
                    "app.kubernetes.io/managed-by": "ecs-operator",
                },
            },
            "spec": spec,
        }),
    };
    let settings = service.annotations().iter();
    let settings = settings
        .filter(|(name, _)| is_setting(name))
        .map(|(name, value)| (name.clone(), value.clone().into()))
        .collect();
    let from = asked_for(service);
    // Nothing else changes because of a push.
    let start = &accepted.start;
    let text = start.text.as_deref().filter(|_| start.is_of_push);
    let text = text.map_or(Pushed::Nothing, Pushed::Text);
    let image = accepted.requested.image.as_deref();
    let image = image.map_or(Pushed::Nothing, Pushed::Image);
    let definition = object("EcsTaskDefinition", &Map::new(), of_definition);
    let of_ecs = object("EcsService", &settings, of_service);
    Ok([
        definition.converted_once(&from, live.0, image),
        of_ecs.converted_once(&from, live.1, text),
    ])
}

/// Returns the text of an EcsService whose change begins a deployment.
pub(super) fn forced(service: &EcsService) -> Option<String> {
    let spec: Value = service.spec.parse().ok()?;
    Some(spec.pointer(FORCED)?.as_str()?.to_owned())
}

/// Returns a digest of what an App Runner service asks for.
pub(super) fn asked_for(service: &AppRunnerService) -> String {
    let annotations = service.annotations().iter();
    let annotations: Map<String, Value> = annotations
        .filter(|(name, _)| is_setting(name) || *name == START_DEPLOYMENT)
        .map(|(name, value)| (name.clone(), value.clone().into()))
        .collect();
    let annotations = Value::Object(annotations);
    hex_digest(format!("{} {annotations}", service.spec.text()), DIGITS)
}

/// Returns a spec with what a push changes.
fn with_push(mut spec: Value, pushed: Pushed<'_>) -> Value {
    match (pushed, &mut spec) {
        (Pushed::Text(text), Value::Object(members)) => {
            let kubernetes = members
                .entry("kubernetes")
                .or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(kubernetes) = kubernetes {
                kubernetes.insert("forceNewDeployment".to_owned(), text.into());
            }
        }
        (Pushed::Image(image), spec) => {
            if let Some(of_container) = spec.pointer_mut(IMAGE) {
                *of_container = image.into();
            }
        }
        _ => {}
    }
    spec
}

impl Wanted {
    /// Returns the object with the spec that it was converted to when what it is made of has last changed, if it is `live`,
    /// but with what a push changes.
    fn converted_once(mut self, from: &str, live: Option<&impl Made>, pushed: Pushed<'_>) -> Self {
        let known = live.and_then(converted);
        let spec = match known.filter(|known| known.from == from) {
            Some(known) => with_push(known.to, pushed),
            None => self.spec().clone(),
        };
        let converted = json!(Converted {
            from: from.to_owned(),
            to: spec.clone(),
        });
        let annotations = self.body.pointer_mut("/metadata/annotations");
        if let Some(Value::Object(annotations)) = annotations {
            annotations.insert(CONVERTED.to_owned(), converted.to_string().into());
        }
        if let Value::Object(members) = &mut self.body {
            members.insert("spec".to_owned(), spec);
        }
        self
    }

    /// Returns the object as it is applied for its owner: in place of the object with this UID and version, or of none.
    pub(super) fn body(
        &self,
        owner: &OwnerReference,
        (uid, version): (Option<&str>, &str),
    ) -> Value {
        let mut body = self.body.clone();
        if let Some(metadata) = body.get_mut("metadata") {
            metadata["ownerReferences"] = json!([owner]);
            metadata["resourceVersion"] = json!(version);
            if let Some(uid) = uid {
                metadata["uid"] = json!(uid);
            }
        }
        body
    }

    /// Whether an object has to be written to be as it should: in its spec, its labels, or the annotations that are
    /// settings.
    pub(super) fn differs(&self, live: &impl Made) -> bool {
        let metadata = |path| self.body.pointer(path).and_then(Value::as_object);
        let labels = metadata("/metadata/labels").into_iter().flatten();
        let mut labels = labels.map(|(name, value)| (name, value.as_str()));
        let is_labelled =
            labels.all(|(name, value)| live.labels().get(name).map(String::as_str) == value);
        let annotations = metadata("/metadata/annotations");
        let is_known = annotations.is_none_or(|own| {
            let live = live.annotations().get(CONVERTED).map(String::as_str);
            own.get(CONVERTED).and_then(Value::as_str) == live
        });
        let settings = annotations.into_iter().flatten();
        let settings = settings.filter(|(name, _)| is_setting(name));
        let settings = settings.map(|(name, value)| (name.as_str(), value.as_str()));
        let of_live = live
            .annotations()
            .iter()
            .filter(|(name, _)| is_setting(name));
        let of_live = of_live.map(|(name, value)| (name.as_str(), Some(value.as_str())));
        // Both are sorted by name.
        !is_labelled
            || !is_known
            || !settings.eq(of_live)
            || !same(&self.counted(live), self.spec())
    }

    /// Returns the merge patch that removes what others have added; `None` if there is nothing.
    pub(super) fn without_additions(&self, live: &impl Made) -> Option<Value> {
        let spec = additions(&self.counted(live), self.spec());
        let settings = live.annotations().keys().filter(|name| is_setting(name));
        let foreign = settings.filter(|name| {
            let own = self.body.pointer("/metadata/annotations");
            own.is_none_or(|own| own.get(name.as_str()).is_none())
        });
        let foreign: Map<String, Value> = foreign.map(|name| (name.clone(), Value::Null)).collect();
        if spec.is_none() && foreign.is_empty() {
            return None;
        }
        Some(json!({
            "metadata": {
                "uid": live.meta().uid,
                "resourceVersion": live.meta().resource_version,
                "annotations": foreign,
            },
            "spec": spec.unwrap_or_else(|| json!({})),
        }))
    }

    fn spec(&self) -> &Value {
        self.body.get("spec").unwrap_or(&Value::Null)
    }

    /// Returns the spec of an object without a count that whoever scales it may set: one in its range.
    fn counted(&self, live: &impl Made) -> Value {
        let mut spec: Value = live.spec().parse().unwrap_or_default();
        let range = self.spec().pointer("/autoScaling/scalableTarget");
        let end = |name: &str| range?.get(name)?.as_i64();
        let count = spec.get(COUNT).and_then(Value::as_i64);
        if let (Some(min), Some(max), Some(count)) = (end("MinCapacity"), end("MaxCapacity"), count)
            && (min..=max).contains(&count)
            && let Value::Object(members) = &mut spec
        {
            members.remove(COUNT);
        }
        spec
    }
}

/// Whether two values are the same. The API server writes 70.0 as 70.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(name, value)| other.get(name).is_some_and(|it| same(value, it)))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Number(one), Value::Number(other)) => {
            one == other || one.as_f64().is_some() && one.as_f64() == other.as_f64()
        }
        (one, other) => one == other,
    }
}

/// Returns the merge patch that removes members which only `live` has; `None` if there are none. Lists are one value.
fn additions(live: &Value, wanted: &Value) -> Option<Value> {
    let (Value::Object(live), Value::Object(wanted)) = (live, wanted) else {
        return None;
    };
    let mut patch = Map::new();
    for (name, value) in live {
        match wanted.get(name) {
            None => {
                patch.insert(name.clone(), Value::Null);
            }
            Some(wanted) => {
                if let Some(inner) = additions(value, wanted) {
                    patch.insert(name.clone(), inner);
                }
            }
        }
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(spec: Value, annotations: Value) -> EcsService {
        serde_json::from_value(json!({
            "metadata": {
                "name": "hello", "annotations": annotations,
                "labels": {"app": "hello", "theirs": "x"},
            },
            "spec": spec,
        }))
        .expect("it is a service")
    }

    /// A service with a range and a setting.
    fn wanted() -> Wanted {
        Wanted {
            body: json!({
                "metadata": {
                    "labels": {"app": "hello"},
                    "annotations": {"ecs-operator.dev/iam": "none"},
                },
                "spec": {
                    "tags": [{"key": "a"}],
                    "autoScaling": {"scalableTarget": {"MinCapacity": 2, "MaxCapacity": 4}, "target": 70.0},
                },
            }),
        }
    }

    #[test]
    fn another_conversion_of_the_same_request_changes_nothing() {
        let converted = |target: i64| Wanted {
            body: json!({
                "metadata": {"labels": {"app": "hello"}, "annotations": {}},
                "spec": {"target": target},
            }),
        };
        let first = converted(70).converted_once("a", None::<&EcsService>, Pushed::Nothing);
        let live = |wanted: &Wanted, spec: Value| {
            let annotation = &wanted.body["metadata"]["annotations"][CONVERTED];
            made(spec, json!({CONVERTED: annotation}))
        };
        let running = live(&first, json!({"target": 70}));
        assert!(!first.differs(&running));

        let again = converted(80).converted_once("a", Some(&running), Pushed::Nothing);
        assert!(!again.differs(&running));
        // What somebody edits is put back to what it was converted to then.
        let edited = live(&first, json!({"target": 50}));
        let back = converted(80).converted_once("a", Some(&edited), Pushed::Nothing);
        assert!(back.differs(&edited));
        assert_eq!(back.spec(), &json!({"target": 70}));

        // A push changes what begins a deployment, and nothing else.
        let pushed = converted(80).converted_once("a", Some(&running), Pushed::Text("sha256:0a"));
        let expected = json!({"target": 70, "kubernetes": {"forceNewDeployment": "sha256:0a"}});
        assert_eq!(pushed.spec(), &expected);
        let again = live(&pushed, expected);
        let after = converted(80).converted_once("a", Some(&again), Pushed::Text("sha256:0a"));
        assert!(!after.differs(&again));

        let changed = converted(80).converted_once("b", Some(&running), Pushed::Nothing);
        assert!(changed.differs(&running));
        assert_eq!(changed.spec(), &json!({"target": 80}));
        // Without the annotation, it is converted as today, and gets one.
        let bare = made(json!({"target": 80}), json!({}));
        assert!(
            converted(80)
                .converted_once("b", Some(&bare), Pushed::Nothing)
                .differs(&bare)
        );
    }

    #[test]
    fn another_image_changes_nothing_else_of_a_task_definition() {
        let definition = |image: &str, cpu: &str| Wanted {
            body: json!({
                "metadata": {"labels": {}, "annotations": {}},
                "spec": {"cpu": cpu, "containerDefinitions": [{"name": "a", "image": image}]},
            }),
        };
        let first = definition("a", "256");
        let first = first.converted_once("x", None::<&EcsService>, Pushed::Image("a"));
        let annotation = &first.body["metadata"]["annotations"][CONVERTED];
        let live = made(first.spec().clone(), json!({CONVERTED: annotation}));
        assert_eq!(converted(&live).expect("it is known").image(), Some("a"));
        let second = definition("b", "512");
        let second = second.converted_once("x", Some(&live), Pushed::Image("b"));
        assert_eq!(second.spec(), definition("b", "256").spec());
        // The same one is no difference.
        let same = definition("a", "512").converted_once("x", Some(&live), Pushed::Image("a"));
        assert!(!same.differs(&live));
    }

    #[test]
    fn what_others_may_set_is_no_difference_and_the_rest_goes() {
        let spec = |more: Value| {
            let mut spec = json!({
                "tags": [{"key": "a"}],
                "autoScaling": {"scalableTarget": {"MinCapacity": 2, "MaxCapacity": 4}, "target": 70},
            });
            if let (Value::Object(spec), Value::Object(more)) = (&mut spec, more) {
                spec.extend(more);
            }
            spec
        };
        let setting = || json!({"ecs-operator.dev/iam": "none"});
        let same = [
            (spec(json!({})), setting()),
            (spec(json!({"desiredCount": 3})), setting()),
            (
                spec(json!({})),
                json!({"ecs-operator.dev/iam": "none", "ecs-operator.dev/renew-deployment": "1"}),
            ),
        ];
        for (spec, annotations) in same {
            let told = format!("{spec} {annotations}");
            let live = made(spec, annotations);
            assert!(!wanted().differs(&live), "{told}");
            assert_eq!(wanted().without_additions(&live), None, "{told}");
        }
        let differs = [
            (
                spec(json!({"desiredCount": 0})),
                setting(),
                json!({"desiredCount": null}),
            ),
            (spec(json!({"role": "a"})), setting(), json!({"role": null})),
            (
                spec(
                    json!({"autoScaling": {"scalableTarget": {"MinCapacity": 2, "MaxCapacity": 4, "more": 1}, "target": 70}}),
                ),
                setting(),
                json!({"autoScaling": {"scalableTarget": {"more": null}}}),
            ),
            // These are put back by an apply.
            (spec(json!({"tags": []})), setting(), Value::Null),
            (
                spec(json!({"tags": [{"key": "a"}, {"key": "b"}]})),
                setting(),
                Value::Null,
            ),
            (spec(json!({})), json!({}), Value::Null),
            (
                spec(json!({})),
                json!({"ecs-operator.dev/iam": "irsa"}),
                Value::Null,
            ),
        ];
        for (spec, annotations, patch) in differs {
            let told = format!("{spec} {annotations}");
            let live = made(spec, annotations);
            assert!(wanted().differs(&live), "{told}");
            let found = wanted().without_additions(&live).unwrap_or_default();
            assert_eq!(found["spec"], patch, "{told}");
        }
        let foreign = json!({"ecs-operator.dev/iam": "none", "ecs-operator.dev/user": "a=1"});
        let live = made(spec(json!({})), foreign);
        assert!(wanted().differs(&live));
        let patch = wanted().without_additions(&live).expect("there is one");
        let annotations = &patch["metadata"]["annotations"];
        assert_eq!(*annotations, json!({"ecs-operator.dev/user": null}));
    }
}

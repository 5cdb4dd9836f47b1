//! `spec.kubernetes.pod`: what the pods have beyond the fields of ECS.
//!
//! That of the task definition comes first, that of the service or task after it. In each, the patch comes last. What
//! would take away something that ECS or the operator gives is found by [`conflicts`], which validation calls, so that
//! [`apply`] has nothing to refuse.

mod affinity;
mod conflicts;
mod contradictions;
mod place;
mod report;
pub(crate) mod strategic;
mod typed;

use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::{Value, json};

pub(crate) use conflicts::conflicts;

use crate::{
    diagnostic::Diagnostics,
    translate::{Context, LABEL_LENGTH, Workload, kname},
    validate::PodOverlay,
};

impl Context<'_> {
    /// Returns what the task definition and the service or task add to the pods, in this order.
    pub(crate) fn overlays(&self) -> impl Iterator<Item = &PodOverlay> {
        let of_workload = match self.workload {
            Workload::Service(service) => &service.pod,
            Workload::Task(task) => &task.pod,
        };
        [&self.task_definition.pod, of_workload]
            .into_iter()
            .flatten()
    }
}

/// Adds everything to the template of the pods, and reports what is not as ECS gives it.
pub(crate) fn apply(cx: &Context<'_>, template: &mut PodTemplateSpec, notes: &mut Diagnostics) {
    if cx.overlays().next().is_none() {
        return;
    }
    for overlay in cx.overlays() {
        let before = template.clone();
        typed::apply(template, overlay);
        patch(template, overlay);
        report::sizes(&before, template, overlay, notes);
        report::patched(overlay, notes);
    }
    report::privileges(cx, template, notes);
}

/// Merges the patch of an overlay into the template.
fn patch(template: &mut PodTemplateSpec, overlay: &PodOverlay) {
    // Validation has rejected patches that do not give a pod template.
    if let Some(patched) = patched(template, overlay).and_then(|it| serde_json::from_value(it).ok())
    {
        *template = patched;
    }
}

/// Returns the template with the patch of an overlay, as plain data; `None` if there is no patch.
fn patched(template: &PodTemplateSpec, overlay: &PodOverlay) -> Option<Value> {
    let patch = overlay.patch.as_ref()?;
    // A pod template is plain data.
    let mut value = serde_json::to_value(template).unwrap_or_default();
    let patch = with_containers_in_place(patch, &value);
    strategic::merge(&mut value, &patch);
    Some(value)
}

/// Returns a patch that has each container in the list in which the pod has it, by its name in Kubernetes. A container
/// that the pod does not have is left out.
fn with_containers_in_place(patch: &Value, template: &Value) -> Value {
    const LISTS: [&str; 2] = ["initContainers", "containers"];
    let mut patch = patch.clone();
    let Some(Value::Object(spec)) = patch.get_mut("spec") else {
        return patch;
    };
    let mut given: Vec<Value> = Vec::new();
    for list in LISTS {
        if let Some(Value::Array(_)) = spec.get(list)
            && let Some(Value::Array(elements)) = spec.shift_remove(list)
        {
            given.extend(elements);
        }
    }
    for mut container in given {
        let Some(name) = container.get("name").and_then(Value::as_str) else {
            continue;
        };
        let name = kname(name, LABEL_LENGTH);
        let has_it = |list: &&str| {
            let containers = template.pointer(&format!("/spec/{list}"));
            let mut containers = containers.and_then(Value::as_array).into_iter().flatten();
            containers.any(|it| it.get("name").and_then(Value::as_str) == Some(&name))
        };
        if let Some(list) = LISTS.into_iter().find(has_it)
            && let Value::Object(members) = &mut container
        {
            members.insert("name".to_owned(), json!(name));
            if let Value::Array(elements) = spec.entry(list).or_insert_with(|| json!([])) {
                elements.push(container);
            }
        }
    }
    patch
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::translate::testing::Scenario;

    const DEFINITION: &str = r#"{"family": "web", "containerDefinitions": [
        {"name": "My_App", "image": "nginx", "memory": 64, "dependsOn": [{"containerName": "side", "condition": "START"}]},
        {"name": "side", "image": "envoy", "memory": 64}]}"#;

    fn pod(pod: &Value) -> String {
        json!({"kubernetes": {"pod": pod}}).to_string()
    }

    #[test]
    fn nothing_is_added_where_nothing_is_given() {
        let plain = Scenario::service(DEFINITION).run();
        for nothing in [
            json!({}),
            json!({"patch": {}}),
            json!({"patch": {"spec": {}}}),
        ] {
            let scenario = Scenario::service(DEFINITION).extensions(pod(&nothing));
            assert_eq!(scenario.run().pod_spec(), plain.pod_spec(), "{nothing}");
        }
    }

    #[test]
    fn a_container_is_found_by_its_name_in_ecs_wherever_it_is() {
        let patch = json!({"patch": {"spec": {
            "initContainers": [{"name": "My_App", "tty": true}],
            "containers": [{"name": "side", "stdin": true}],
        }}});
        let outcome = Scenario::service(DEFINITION).extensions(pod(&patch)).run();
        let spec = outcome.pod_spec();
        assert_eq!(spec["containers"][0]["tty"], true);
        assert_eq!(spec["initContainers"][0]["stdin"], true);
        assert_eq!(spec["containers"].as_array().map(Vec::len), Some(1));
        assert_eq!(spec["initContainers"].as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn the_service_comes_after_the_task_definition() {
        let outcome = Scenario::service(DEFINITION)
            .definition_extensions(pod(&json!({
                "priorityClassName": "low",
                "patch": {"spec": {"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a"]}]}},
                "volumes": [{"name": "v", "emptyDir": {}}],
            })))
            .extensions(pod(&json!({
                "priorityClassName": "high",
                "patch": {"spec": {"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["b"]}]}},
                "volumes": [{"name": "v", "configMap": {"name": "c"}}],
            })))
            .run();
        let spec = outcome.pod_spec();
        assert_eq!(spec["priorityClassName"], "high");
        assert_eq!(
            spec["hostAliases"],
            json!([{"ip": "10.0.0.1", "hostnames": ["b"]}])
        );
        assert_eq!(
            spec["volumes"],
            json!([{"name": "v", "configMap": {"name": "c"}}])
        );
    }

    #[test]
    fn what_one_of_several_capacity_providers_needs_stays() {
        let strategy = r#"{"desiredCount": 4, "capacityProviderStrategy": [
            {"capacityProvider": "FARGATE", "weight": 1}, {"capacityProvider": "FARGATE_SPOT", "weight": 1}]}"#;
        let definition = r#"{"family": "web", "networkMode": "awsvpc", "cpu": "256", "memory": "512",
            "containerDefinitions": [{"name": "web", "image": "nginx"}]}"#;
        let selector = json!({"nodeSelector": {"karpenter.sh/capacity-type": "on-demand"}});
        let found = Scenario::service(definition)
            .request(strategy)
            .extensions(pod(&selector))
            .rejections();
        let at = r#"kubernetes.pod.nodeSelector["karpenter.sh/capacity-type"]: PodMemberTaken"#;
        assert!(found.len() == 1 && found[0].starts_with(at), "{found:?}");
    }

    #[test]
    fn a_generated_volume_takes_another_name() {
        let definition = r#"{"family": "web", "containerDefinitions": [
            {"name": "web", "image": "nginx", "memory": 64, "linuxParameters": {"sharedMemorySize": 16}}]}"#;
        let names = |outcome: &crate::translate::testing::Outcome| -> Vec<String> {
            let volumes = outcome.pod_spec()["volumes"].as_array().cloned();
            let names = volumes.into_iter().flatten();
            names
                .map(|it| it["name"].as_str().unwrap_or_default().to_owned())
                .collect()
        };
        let plain = names(&Scenario::service(definition).run());
        assert_eq!(plain.len(), 1);
        let own = json!({"volumes": [{"name": plain[0], "emptyDir": {}}]});
        let both = names(&Scenario::service(definition).extensions(pod(&own)).run());
        assert!(
            both.len() == 2 && both[0] != plain[0] && both[1] == plain[0],
            "{both:?}"
        );
    }
}

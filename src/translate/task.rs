//! Translates a stand-alone task to pods that run to completion.

use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};

use super::{
    Context, Manifests, Object, WORKLOAD_LENGTH, kname,
    labels::{Labels, tags_annotation},
    names::hex_digest,
    pod,
    service::{capacity, security_groups},
};
use crate::{
    diagnostic::{Diagnostics, Message},
    settings::{Mode, Settings, is_label_value},
    validate::{CapacityProvider, Task, clamp},
};

const STARTED_BY: &str = "ecs-operator.dev/started-by";
const REFERENCE_ID: &str = "ecs-operator.dev/reference-id";

/// Returns the name of the pod with this index, of the tasks of an EcsTask with this name.
#[must_use]
pub fn pod_name(task: &str, index: i64) -> String {
    format!("{}-{index}", kname(task, WORKLOAD_LENGTH))
}

/// Translates a stand-alone task to its pods and the objects that they refer to; the notes report differences from ECS.
///
/// The result is not a Job, which would retry. Without the operator, a pod is also named after its contents: a pod that
/// runs once cannot be changed (<https://kubernetes.io/docs/concepts/workloads/pods/#pod-update-and-replacement>), so a
/// different version of the task is a different pod, and applying the same one again has no effect.
#[must_use]
pub fn translate_task(task: &Task, settings: &Settings) -> (Manifests, Diagnostics) {
    let cx = Context::of_task(task, settings);
    let mut notes = Diagnostics::new();
    report_name(&cx, &mut notes);
    capacity::report(&cx, &mut notes);
    let (mut template, mut objects) = pod::pod_template(&cx, &mut notes);
    add_metadata(task, &mut template);
    pod::overlay::apply(&cx, &mut template, &mut notes);
    security_groups::apply(&cx, &task.network_configuration, &mut objects, &mut notes);
    let digest = (settings.mode == Mode::Convert).then(|| digest(&template));
    let name = match &digest {
        Some(digest) => format!("{}-{digest}", cx.name()),
        None => cx.name(),
    };
    if digest.is_some() && task.count > 0 {
        let name = cx.name();
        notes.report(cx.root().field("count"), Message::PodRunsOnce { name });
    }
    for (index, provider) in (0..task.count).zip(providers(task)) {
        let mut template = template.clone();
        capacity::place(&cx, provider, &mut template);
        let mut spec = template.spec.unwrap_or_default();
        pod::ebs_volume::claims_of_task(&cx, index, digest.as_deref(), &mut spec, &mut objects);
        let mut metadata = cx.metadata(format!("{name}-{index}"));
        if let Some(of_pods) = template.metadata {
            metadata.labels = of_pods.labels;
            metadata.annotations = of_pods.annotations;
        }
        objects.push(Object::Pod(Pod {
            metadata,
            spec: Some(spec),
            status: None,
        }));
    }
    (objects, task.overridden.relocate(notes))
}

/// Returns the pods of the tasks on each of their capacity providers, without what `kubernetes.pod` adds.
pub(super) fn base(cx: &Context<'_>, task: &Task) -> Vec<PodTemplateSpec> {
    let (mut template, _) = pod::pod_template(cx, &mut Diagnostics::new());
    add_metadata(task, &mut template);
    capacity::placed(cx, &template)
}

/// Returns a text that differs between versions of a task.
fn digest(template: &PodTemplateSpec) -> String {
    // The template consists of strings, numbers and lists of them, which can always be serialized as JSON.
    let content = serde_json::to_string(template).unwrap_or_default();
    hex_digest(&content, 8)
}

/// Returns how many tasks each capacity provider gets that gets any; without a strategy, `None` gets them all.
pub(super) fn shares(task: &Task) -> Vec<(Option<&CapacityProvider>, u32)> {
    let count = clamp(task.count);
    let shares = capacity::shares(count, &task.capacity).into_iter();
    let shares = shares.filter(|(_, count)| *count > 0);
    let shares: Vec<_> = shares.map(|(it, count)| (Some(it), count)).collect();
    if shares.is_empty() {
        return vec![(None, count)];
    }
    shares
}

/// Returns the capacity provider of each task in turn; without a strategy, always `None`.
fn providers(task: &Task) -> impl Iterator<Item = Option<&CapacityProvider>> {
    let shares = shares(task).into_iter();
    let chosen = shares.flat_map(|(provider, count)| (0..count).map(move |_| provider));
    chosen.chain(std::iter::repeat(None))
}

/// Adds the starter of the task, its reference ID, and its tags.
pub(super) fn add_metadata(task: &Task, template: &mut PodTemplateSpec) {
    let metadata = template.metadata.get_or_insert_default();
    let mut annotations: Labels = metadata.annotations.take().unwrap_or_default();
    annotations.extend(tags_annotation(&task.tags));
    if let Some(id) = &task.reference_id {
        annotations.insert(REFERENCE_ID.to_owned(), id.clone());
    }
    if let Some(starter) = &task.started_by {
        annotations.insert(STARTED_BY.to_owned(), starter.clone());
        if is_label_value(starter) {
            let labels = metadata.labels.get_or_insert_default();
            labels.insert(STARTED_BY.to_owned(), starter.clone());
        }
    }
    metadata.annotations = (!annotations.is_empty()).then_some(annotations);
}

fn report_name(cx: &Context<'_>, notes: &mut Diagnostics) {
    let name = cx.name();
    if name != cx.ecs_name() {
        let original = cx.ecs_name().to_owned();
        let path = cx.root().field("taskDefinition");
        notes.report(path, Message::NameSanitized { original, name });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::{
        diagnostic::Reason,
        translate::testing::{Scenario, yaml},
    };

    const JOB: &str = r#"{"family": "job", "networkMode": "awsvpc", "tags": [{"key": "team", "value": "data"}, {"key": "env", "value": "dev"}],
        "containerDefinitions": [
        {"name": "work", "image": "busybox", "memory": 256, "cpu": 100, "command": ["run"],
         "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
         "secrets": [{"name": "TOKEN", "valueFrom": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:token-AbCdEf"}]},
        {"name": "side", "image": "busybox", "memory": 64, "essential": false}]}"#;
    const ROLE: &str = r#""executionRoleArn": "arn:aws:iam::111122223333:role/exec""#;

    fn run(request: &str) -> crate::translate::testing::Outcome {
        let job = JOB.replacen('{', &format!("{{{ROLE}, "), 1);
        Scenario::task(job).request(request).run()
    }

    fn annotation(request: &str, name: &str) -> Value {
        run(request).pod()["metadata"]["annotations"][name].clone()
    }

    #[test]
    fn each_task_is_a_pod_that_ends() {
        let outcome = run(r#"{"count": 3, "group": "nightly"}"#);
        for name in ["job-0", "job-1", "job-2"] {
            let pod = outcome.object("Pod", name);
            assert_eq!(pod["spec"]["restartPolicy"], "Never");
            let labels = &pod["metadata"]["labels"];
            assert_eq!(labels["ecs-operator.dev/task"], "job");
            assert_eq!(labels["ecs-operator.dev/group"], "nightly");
            assert_eq!(pod["metadata"]["ownerReferences"], Value::Null);
        }
        assert_eq!(outcome.objects_of("Pod").len(), 3);
        assert_eq!(run("{}").objects_of("Pod").len(), 1);
    }

    #[test]
    fn who_started_it_is_an_annotation_and_a_label_where_it_can_be() {
        for (starter, label) in [
            ("ci_42", json!("ci_42")),
            ("ecs-svc/123", Value::Null),
            ("-ci", Value::Null),
            (&"x".repeat(64), Value::Null),
        ] {
            let outcome = run(&format!(
                r#"{{"startedBy": "{starter}", "referenceId": "r 1"}}"#
            ));
            let metadata = &outcome.pod()["metadata"];
            assert_eq!(
                metadata["annotations"]["ecs-operator.dev/started-by"],
                starter
            );
            assert_eq!(metadata["labels"]["ecs-operator.dev/started-by"], label);
            assert_eq!(
                metadata["annotations"]["ecs-operator.dev/reference-id"],
                "r 1"
            );
        }
    }

    #[test]
    fn tags_of_the_task_win_over_those_of_its_definition() {
        let tags = r#""tags": [{"key": "env", "value": "prod"}]"#;
        for (request, expected) in [
            ("{}".to_owned(), Value::Null),
            (format!("{{{tags}}}"), json!(r#"{"env":"prod"}"#)),
            (
                format!(r#"{{{tags}, "propagateTags": "NONE"}}"#),
                json!(r#"{"env":"prod"}"#),
            ),
            (
                format!(r#"{{{tags}, "propagateTags": "TASK_DEFINITION"}}"#),
                json!(r#"{"env":"prod","team":"data"}"#),
            ),
        ] {
            assert_eq!(
                annotation(&request, "ecs-operator.dev/tags"),
                expected,
                "{request}"
            );
        }
    }

    #[test]
    fn overrides_replace_what_the_definition_says() {
        let outcome = run(
            r#"{"overrides": {"containerOverrides": [{"name": "work", "command": ["sh", "-c", "echo $(date)"],
            "cpu": 512, "memory": 1024, "memoryReservation": 128,
            "resourceRequirements": [{"type": "GPU", "value": "1"}]}]}}"#,
        );
        let work = outcome.container("work");
        assert_eq!(work["args"], yaml("[sh, -c, echo $$(date)]"));
        assert_eq!(
            work["resources"],
            yaml(
                "{limits: {memory: 1Gi, nvidia.com/gpu: '1'}, requests: {cpu: 500m, memory: 128Mi}}"
            )
        );
        let side = outcome.container("side");
        assert_eq!(side["resources"]["limits"], yaml("{memory: 64Mi}"));
    }

    #[test]
    fn the_size_of_the_task_can_be_overridden() {
        let fargate = r#"{"launchType": "FARGATE", "overrides": {"cpu": "1 vCPU", "memory": "3 GB", "ephemeralStorage": {"sizeInGiB": 40}}}"#;
        let outcome = run(fargate);
        let size = yaml("{cpu: '1', memory: 3Gi}");
        assert_eq!(outcome.pod_spec()["resources"]["limits"], size);
        let storage = &outcome.container("work")["resources"]["limits"]["ephemeral-storage"];
        assert_eq!(*storage, "40Gi");
    }

    #[test]
    fn findings_about_an_override_point_at_it() {
        let at = "overrides.containerOverrides[0]";
        for (request, expected) in [
            (
                r#"{"launchType": "FARGATE", "overrides": {"cpu": "256", "memory": "4 GB"}}"#,
                "overrides.memory: FargateCpuMemory: Fargate has no size with cpu 256 and memory 4096; memory for 256 must be one of 512, 1024, 2048".to_owned(),
            ),
            (
                r#"{"overrides": {"containerOverrides": [{"name": "work", "memory": 2}]}}"#,
                format!("{at}.memory: ContainerMemoryTooSmall: 2 MiB is below the minimum of 6 MiB; give at least 6; the unit is MiB"),
            ),
            (
                r#"{"overrides": {"containerOverrides": [{"name": "work", "resourceRequirements": [{"type": "GPU", "value": "ALL"}]}]}}"#,
                format!("{at}.resourceRequirements[0].value: GpuAllUnsupported: GPUs are requested by number; ALL is not supported yet; give the number of GPUs"),
            ),
            (
                r#"{"overrides": {"containerOverrides": [{"name": "wrok", "cpu": 1}]}}"#,
                format!("{at}.name: UnknownContainer: container wrok does not exist in the task definition; correct the name"),
            ),
            (
                r#"{"overrides": {"containerOverrides": [{"cpu": 1}]}}"#,
                format!("{at}.name: RequiredField: name is required"),
            ),
            (
                r#"{"overrides": {"containerOverrides": [{"name": "work", "environment": [{"name": "TOKEN", "value": "x"}]}]}}"#,
                format!("{at}.environment[0].name: SecretEnvNameConflict: TOKEN is set in environment and in secrets; remove one of them"),
            ),
            (
                r#"{"overrides": {"ephemeralStorage": {"sizeInGiB": 176}, "cpu": "256", "memory": "512"}, "launchType": "FARGATE"}"#,
                "overrides.ephemeralStorage.sizeInGiB: EphemeralStorageTooLarge: EKS Fargate provides at most 175 GiB, not 176; ask for less, or put the data on EFS".to_owned(),
            ),
        ] {
            let job = JOB.replacen('{', &format!("{{{ROLE}, "), 1);
            let scenario = Scenario::task(job)
                .request(request)
                .settings(|s| s.compute = crate::settings::Compute::EksFargate);
            assert_eq!(scenario.rejections(), [expected], "{request}");
        }
        let storage = r#"{"overrides": {"ephemeralStorage": {"sizeInGiB": 30}}}"#;
        let notes = run(storage).notes_of(&[Reason::EphemeralStorageOnEc2]);
        assert_eq!(
            notes,
            ["overrides.ephemeralStorage.sizeInGiB: EphemeralStorageOnEc2"]
        );
    }

    #[test]
    fn requests_that_ecs_refuses_are_rejected() {
        let long = "x".repeat(8192 - 55);
        let overrides = |command: &str| {
            format!(
                r#"{{"overrides": {{"containerOverrides": [{{"name": "work", "command": ["{command}"]}}]}}}}"#
            )
        };
        let job = JOB.replacen('{', &format!("{{{ROLE}, "), 1);
        Scenario::task(job.as_str()).request(overrides(&long)).run();
        for (request, expected) in [
            (
                r#"{"count": 0}"#.to_owned(),
                "count: TaskCountRange: count must be 1 to 10; send several requests for more tasks",
            ),
            (
                r#"{"count": 11}"#.to_owned(),
                "count: TaskCountRange: count must be 1 to 10; send several requests for more tasks",
            ),
            (
                r#"{"group": "service:web"}"#.to_owned(),
                "group: InvalidTaskGroup: group service:web must not start with service:; choose another name: that prefix is for the tasks of services",
            ),
            (
                r#"{"propagateTags": "SERVICE"}"#.to_owned(),
                "propagateTags: PropagateTagsService: propagateTags SERVICE is not allowed for stand-alone tasks; use TASK_DEFINITION or NONE",
            ),
            (
                r#"{"taskDefinition": "job:*"}"#.to_owned(),
                "taskDefinition: InvalidTaskDefinitionReference: job:* is not family, family:revision or a task definition ARN; write web, web:3 or an ARN; a revision is a number above 0",
            ),
            (
                r#"{"tags": [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]}"#.to_owned(),
                "tags[1].key: DuplicateTag: tag key a is used twice; keep one of them",
            ),
            (
                overrides(&format!("{long}x")),
                "overrides: OverridesTooLong: overrides are 8193 characters, the limit is 8192; move long values into the task definition or a secret",
            ),
        ] {
            let scenario = Scenario::task(job.as_str()).request(request);
            assert_eq!(scenario.rejections(), [expected]);
        }
    }

    #[test]
    fn tasks_split_over_capacity_providers() {
        let outcome = run(
            r#"{"count": 3, "capacityProviderStrategy": [{"capacityProvider": "spot", "base": 2, "weight": 0},
            {"capacityProvider": "on-demand", "weight": 1}]}"#,
        );
        let providers: Vec<&Value> = outcome
            .objects_of("Pod")
            .into_iter()
            .map(|pod| &pod["spec"]["nodeSelector"]["ecs-operator.dev/capacity-provider"])
            .collect();
        assert_eq!(providers, ["spot", "spot", "on-demand"]);
    }

    #[test]
    fn security_groups_select_the_tasks() {
        let outcome = run(
            r#"{"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}}}"#,
        );
        let policy = outcome.object("SecurityGroupPolicy", "job-task");
        let selector = &policy["spec"]["podSelector"]["matchLabels"];
        assert_eq!(*selector, yaml("{ecs-operator.dev/task: job}"));
        assert!(outcome.has("SubnetsNotEnforced"));
    }
}

//! How GPUs of containers differ from those of ECS. Their number is a resource of the container, in another file.

use super::{Draft, container::path, devices};
use crate::{
    diagnostic::{Diagnostics, Message},
    translate::Context,
    validate::Container,
};

/// The variable by which the NVIDIA runtime knows the GPUs of a container
/// (<https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html>).
const VISIBLE_DEVICES: &str = "NVIDIA_VISIBLE_DEVICES";

/// Removes the variable that ECS overwrites, and reports GPUs that a container gets in another way than in ECS. The
/// variables of the containers are set.
pub(super) fn apply(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    for source in &cx.task_definition.containers {
        let path = path(source.index);
        if let (Some(index), Some(resource)) =
            (source.resources.gpu_share, &cx.settings.gpu_resource)
        {
            let path = path.field("resourceRequirements").index(index);
            let resource = resource.clone();
            notes.report(
                path.field("sharingStrategy"),
                Message::GpuSharedByPlugin { resource },
            );
        }
        if devices::gpu_resource_of(cx, source).is_some() {
            keep_devices_of_plugin(source, draft);
        } else if let Some(value) = visible_devices(source)
            && !cx.task_definition.fargate
        {
            let value = value.to_owned();
            notes.report(
                path.field("environment"),
                Message::GpuNotRequested { value },
            );
        }
    }
}

/// Removes the variable from a container with GPUs. ECS overwrites it with the GPUs that it assigns
/// (<https://github.com/aws/amazon-ecs-agent/blob/master/agent/api/task/task.go>); in a pod it would overwrite what the
/// device plugin sets, and give the container the GPUs of others.
fn keep_devices_of_plugin(source: &Container, draft: &mut Draft) {
    let Some(container) = draft.container_mut(source.index) else {
        return;
    };
    if let Some(variables) = &mut container.env {
        variables.retain(|variable| variable.name != VISIBLE_DEVICES);
    }
    container.env = container.env.take().filter(|env| !env.is_empty());
}

/// Returns the GPUs that a container asks the NVIDIA runtime for.
fn visible_devices(source: &Container) -> Option<&str> {
    let mut variables = source.environment.variables.iter();
    let (_, value) = variables.find(|(name, _)| name == VISIBLE_DEVICES)?;
    // With these, the runtime adds no GPU.
    (!matches!(value.as_str(), "" | "none" | "void")).then_some(value.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::diagnostic::Reason;
    use crate::translate::testing::{Outcome, Scenario, yaml};

    /// Returns a service of a container with these members.
    fn with(container: &str) -> Scenario {
        Scenario::service(format!(
            r#"{{"family": "web", "containerDefinitions": [{{"name": "web", "image": "cuda", "memory": 64, {container}}}]}}"#
        ))
    }

    fn said(outcome: &Outcome) -> Vec<String> {
        let mut said = outcome.warnings();
        said.retain(|line| line.contains(": Gpu"));
        said
    }

    fn variable(value: &str) -> String {
        format!(r#""environment": [{{"name": "NVIDIA_VISIBLE_DEVICES", "value": "{value}"}}]"#)
    }

    #[test]
    fn a_gpu_that_is_not_requested_is_reported() {
        let at = "containerDefinitions[0].environment: GpuNotRequested";
        for (value, expected) in [
            ("all", vec![at]),
            ("0,1", vec![at]),
            ("none", vec![]),
            ("void", vec![]),
            ("", vec![]),
        ] {
            let outcome = with(&variable(value)).run();
            assert_eq!(said(&outcome), expected, "{value}");
            assert_eq!(outcome.container("web")["env"][0]["value"], value);
        }
    }

    #[test]
    fn a_container_sees_the_gpus_that_it_requests() {
        let requirement = r#""resourceRequirements": [{"type": "GPU", "value": "1"}]"#;
        let outcome = with(&format!("{requirement}, {}", variable("all"))).run();
        assert_eq!(said(&outcome), [""; 0]);
        assert_eq!(outcome.container("web")["env"], Value::Null);
        let outcome = with(&format!(
            r#"{requirement}, "environment": [{{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}}, {{"name": "A", "value": "b"}}]"#
        ))
        .run();
        assert_eq!(
            outcome.container("web")["env"],
            yaml("[{name: A, value: b}]")
        );
    }

    #[test]
    fn a_device_that_is_a_gpu_of_a_plugin_is_a_request() {
        let device = r#""linuxParameters": {"devices": [{"hostPath": "/dev/nvidia0"}]}"#;
        let scenario = with(&format!("{device}, {}", variable("all")));
        let missing = |outcome: &Outcome| outcome.notes_of(&[Reason::GpusNeedDevicePlugin]);
        for (gpu_resource, resource) in [
            (None, "nvidia.com/gpu"),
            (Some("nvidia.com/gpu.shared"), "nvidia.com/gpu"),
            (Some("nvidia.com/gpu.shared"), "nvidia.com/gpu.shared"),
        ] {
            let outcome = scenario
                .clone()
                .settings(|settings| {
                    settings.gpu_resource = gpu_resource.map(str::to_owned);
                    settings.devices = [("/dev/nvidia0".to_owned(), resource.to_owned())].into();
                })
                .run();
            assert_eq!(said(&outcome), [""; 0]);
            assert_eq!(outcome.container("web")["env"], Value::Null);
            assert_eq!(
                missing(&outcome),
                ["containerDefinitions[0].linuxParameters.devices: GpusNeedDevicePlugin"]
            );
        }
    }

    #[test]
    fn a_share_is_a_resource_of_the_device_plugin() {
        let share = with(
            r#""resourceRequirements": [{"type": "GPU", "sharingStrategy": {"nvidiaMps": {"memory": 1024, "maxComputePercent": 25}}}]"#,
        );
        let at = "containerDefinitions[0].resourceRequirements[0].sharingStrategy";
        let rejections = share.rejections();
        let begin = format!("{at}: GpuMpsUnsupported: ");
        assert!(
            rejections.len() == 1 && rejections.iter().all(|it| it.starts_with(&begin)),
            "{rejections:?}"
        );
        let resource = "nvidia.com/gpu.shared";
        let outcome = share
            .settings(|settings| settings.gpu_resource = Some(resource.to_owned()))
            .run();
        let limits = &outcome.container("web")["resources"]["limits"];
        assert_eq!(limits[resource], "1");
        assert_eq!(said(&outcome), [format!("{at}: GpuSharedByPlugin")]);
    }
}

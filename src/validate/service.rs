//! A service as a whole.

use std::collections::BTreeMap;

use super::{
    AutoScaling, Capacity, Deployment, EbsVolume, Expose, LoadBalancer, NetworkConfiguration,
    Placement, PodOverlay, ScaledService, ServiceConnect, ServiceRegistry, TaskDefinition,
    TaskDefinitionReference, VolumeConfigurations, arn::has_placeholder, check_pods_of_service,
    clamp, validate_capacity, validate_deployment, validate_ebs_volumes, validate_expose,
    validate_load_balancers, validate_network_configuration, validate_placement, validate_pod,
    validate_scaling, validate_service_connect, validate_service_registries,
    validate_task_definition,
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    ecs,
    input::ServiceInput,
    settings::{Mode, Settings, WorkloadTarget},
};

/// A service that can be translated.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// The name in ECS.
    pub name: String,
    /// The cluster, if named.
    pub cluster: Option<String>,
    /// The task definition.
    pub task_definition: TaskDefinition,
    /// The number of tasks, or one on each node.
    pub scheduling: Scheduling,
    /// The settings for replacing tasks.
    pub deployment: Deployment,
    /// The text that forces a deployment whenever it changes.
    pub force_new_deployment: Option<String>,
    /// The target groups.
    pub load_balancers: Vec<LoadBalancer>,
    /// A load balancer that is created for the service.
    pub expose: Option<Expose>,
    /// The AWS Cloud Map registries.
    pub service_registries: Vec<ServiceRegistry>,
    /// Service Connect, if enabled.
    pub service_connect: Option<ServiceConnect>,
    /// The capacity that runs the tasks.
    pub capacity: Capacity,
    /// Constraints and strategies.
    pub placement: Placement,
    /// Whether tasks are balanced over zones (if `ENABLED` is specified).
    pub availability_zone_rebalancing: bool,
    /// The VPC settings.
    pub network_configuration: NetworkConfiguration,
    /// EBS volumes.
    pub volumes: Vec<EbsVolume>,
    /// Seconds in which failing health checks are ignored.
    pub health_check_grace_period_seconds: Option<i64>,
    /// Tags of the service.
    pub tags: BTreeMap<String, String>,
    /// Tags that are propagated to its tasks (`propagateTags`).
    pub propagated_tags: BTreeMap<String, String>,
    /// Whether a DAEMON service has a `desiredCount`, which ECS ignores.
    pub desired_count_ignored: bool,
    /// Whether the request leaves the count to the autoscaler, which begins with the smallest one.
    pub count_is_left: bool,
    /// What the pods have beyond the fields of ECS.
    pub pod: Option<PodOverlay>,
    /// The scaling of the service.
    pub auto_scaling: Option<AutoScaling>,
}

/// `schedulingStrategy` with its count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheduling {
    /// A number of tasks.
    Replica {
        /// `desiredCount`.
        desired_count: i64,
    },
    /// One task on each node.
    Daemon,
}

/// Validates a service together with the task definition that it runs.
///
/// # Errors
///
/// Returns all errors in either of them, relative to the document of each.
pub fn validate_service(input: &ServiceInput, settings: &Settings) -> Result<Service, Diagnostics> {
    let mut sink = Diagnostics::new();
    let service = service(input, settings, &mut sink);
    if !sink.has_errors() {
        check_pods_of_service(&service, settings, &mut sink);
    }
    if sink.has_errors() {
        Err(sink)
    } else {
        Ok(service)
    }
}

#[allow(
    clippy::too_many_lines,
    reason = "one call for each part, and the service that they make"
)]
fn service(input: &ServiceInput, settings: &Settings, sink: &mut Diagnostics) -> Service {
    let raw = &input.request;
    let root = FieldPath::root(Subject::Service);
    let daemon = raw.scheduling_strategy.as_deref() == Some("DAEMON");
    check_request(input, daemon, &root, sink);
    let capacity = validate_capacity(
        raw.launch_type.as_deref(),
        &raw.capacity_provider_strategy,
        &root,
        sink,
    );
    let task_definition = definition(input, daemon, &capacity, settings, sink);
    let name = raw.service_name.clone().unwrap_or_default();
    let tags = super::task_definition::tags(&raw.tags);
    let auto_scaling = validate_scaling(
        input.extensions.auto_scaling.as_ref(),
        ScaledService {
            name: &name,
            cluster: raw.cluster.as_deref(),
        },
        daemon,
        &task_definition,
        settings,
        sink,
    );
    check_split_scaling(&capacity, auto_scaling.as_ref(), settings, &root, sink);
    let deployment = validate_deployment(
        raw.deployment_configuration.as_ref(),
        daemon,
        &root.field("deploymentConfiguration"),
        sink,
    );
    let Traffic {
        load_balancers,
        expose,
        service_registries,
        service_connect,
    } = traffic(input, &task_definition, settings, &root, sink);
    let placement = validate_placement(
        &raw.placement_constraints,
        &raw.placement_strategy,
        task_definition.fargate,
        &task_definition.constraints,
        &root,
        sink,
    );
    let volumes = validate_ebs_volumes(
        VolumeConfigurations::Service(&raw.volume_configurations),
        &task_definition,
        &tags,
        &root,
        sink,
    );
    Service {
        cluster: raw.cluster.clone(),
        scheduling: scheduling(raw, daemon, auto_scaling.as_ref()),
        deployment,
        force_new_deployment: input
            .extensions
            .kubernetes
            .as_ref()
            .and_then(|kubernetes| kubernetes.force_new_deployment.clone()),
        load_balancers,
        expose,
        service_registries,
        service_connect,
        placement,
        availability_zone_rebalancing: raw.availability_zone_rebalancing.as_deref()
            == Some("ENABLED"),
        network_configuration: validate_network_configuration(raw.network_configuration.as_ref()),
        volumes,
        health_check_grace_period_seconds: raw.health_check_grace_period_seconds,
        propagated_tags: propagated_tags(raw, &task_definition),
        tags,
        desired_count_ignored: daemon && raw.desired_count.is_some(),
        count_is_left: raw.desired_count.is_none() && auto_scaling.is_some(),
        pod: validate_pod(
            input.extensions.kubernetes.as_ref(),
            &input.task_definition.request,
            &root,
            sink,
        ),
        auto_scaling,
        capacity,
        task_definition,
        name,
    }
}

fn definition(
    input: &ServiceInput,
    daemon: bool,
    capacity: &Capacity,
    settings: &Settings,
    sink: &mut Diagnostics,
) -> TaskDefinition {
    let compatible = &input.task_definition.request.requires_compatibilities;
    let only_fargate = !compatible.is_empty() && compatible.iter().all(|c| c == "FARGATE");
    if daemon && (capacity.asks_for_fargate() || only_fargate) {
        let path = FieldPath::root(Subject::Service).field("schedulingStrategy");
        sink.report(path, Message::DaemonOnFargate);
    }
    let configured_volumes: Vec<_> = input
        .request
        .volume_configurations
        .iter()
        .filter_map(|volume| volume.name.as_deref())
        .collect();
    validate_task_definition(
        &input.task_definition,
        capacity,
        &configured_volumes,
        settings,
        sink,
    )
}

/// How the tasks can be reached.
struct Traffic {
    load_balancers: Vec<LoadBalancer>,
    expose: Option<Expose>,
    service_registries: Vec<ServiceRegistry>,
    service_connect: Option<ServiceConnect>,
}

fn traffic(
    input: &ServiceInput,
    task_definition: &TaskDefinition,
    settings: &Settings,
    root: &FieldPath,
    sink: &mut Diagnostics,
) -> Traffic {
    let raw = &input.request;
    let kubernetes = input.extensions.kubernetes.as_ref();
    Traffic {
        load_balancers: validate_load_balancers(
            &raw.load_balancers,
            task_definition,
            settings,
            &root.field("loadBalancers"),
            sink,
        ),
        expose: validate_expose(
            kubernetes.and_then(|kubernetes| kubernetes.expose.as_ref()),
            task_definition,
            settings,
            &root.field("kubernetes").field("expose"),
            sink,
        ),
        service_registries: validate_service_registries(
            &raw.service_registries,
            task_definition,
            &root.field("serviceRegistries"),
            sink,
        ),
        service_connect: validate_service_connect(
            raw.service_connect_configuration.as_ref(),
            raw.service_name.as_deref().unwrap_or_default(),
            task_definition,
            &input.connect_hosts,
            &root.field("serviceConnectConfiguration"),
            sink,
        ),
    }
}

fn propagated_tags(
    raw: &ecs::Service,
    task_definition: &TaskDefinition,
) -> BTreeMap<String, String> {
    match raw.propagate_tags.as_deref() {
        Some("TASK_DEFINITION") => task_definition.tags.clone(),
        Some("SERVICE") => super::task_definition::tags(&raw.tags),
        _ => BTreeMap::new(),
    }
}

/// Checks the request itself.
///
/// `forceNewDeployment` is ignored: it requests an action, which a declarative spec cannot express. The extension of
/// that name is a text that changes; the reader reports that `convert` forces nothing.
fn check_request(input: &ServiceInput, daemon: bool, root: &FieldPath, sink: &mut Diagnostics) {
    let raw = &input.request;
    let at = root.field("taskDefinition");
    match raw.task_definition.as_deref() {
        None => sink.report(at, Message::TaskDefinitionRequired),
        // The reader has linked references with placeholders.
        Some(text) if has_placeholder(text) => {}
        Some(text) if TaskDefinitionReference::parse(text).is_none() => sink.report(
            at,
            Message::InvalidTaskDefinitionReference {
                value: text.to_owned(),
            },
        ),
        Some(_) => {}
    }
    let controller = raw.deployment_controller.as_ref();
    if let Some(value) = controller.and_then(|controller| controller.r#type.as_deref())
        && matches!(value, "CODE_DEPLOY" | "EXTERNAL")
    {
        sink.report(
            root.field("deploymentController").field("type"),
            Message::DeploymentControllerUnsupported {
                value: value.to_owned(),
            },
        );
    }
    if !daemon {
        let scaling = input.extensions.auto_scaling.as_ref();
        let has_range = scaling.is_some_and(|scaling| scaling.scalable_target.is_some());
        if raw.desired_count.is_none() && !has_range {
            sink.report(root.field("desiredCount"), Message::DesiredCountRequired);
        }
        return;
    }
    if !raw.placement_strategy.is_empty() {
        sink.report(
            root.field("placementStrategy"),
            Message::DaemonPlacementStrategy,
        );
    }
    if !raw.volume_configurations.is_empty() {
        sink.report(
            root.field("volumeConfigurations"),
            Message::DaemonVolumeConfigurations,
        );
    }
}

/// Rejects autoscaling of several Deployments without the operator, which would derive their counts from the count of
/// the autoscaler.
fn check_split_scaling(
    capacity: &Capacity,
    scaling: Option<&AutoScaling>,
    settings: &Settings,
    root: &FieldPath,
    sink: &mut Diagnostics,
) {
    let offline =
        settings.mode == Mode::Convert && settings.workload_target == WorkloadTarget::Deployment;
    if offline && capacity.is_split() && scaling.is_some_and(AutoScaling::has_autoscaler) {
        sink.report(
            root.field("capacityProviderStrategy"),
            Message::SplitScalingNeedsController,
        );
    }
}

/// Returns the scheduling. Registering a scalable target immediately changes the desired count to be within its range
/// (<https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html>).
fn scheduling(raw: &ecs::Service, daemon: bool, scaling: Option<&AutoScaling>) -> Scheduling {
    if daemon {
        return Scheduling::Daemon;
    }
    let desired = raw.desired_count.unwrap_or(0);
    Scheduling::Replica {
        desired_count: i64::from(clamp(match scaling {
            Some(range) => desired.max(range.min_capacity).min(range.max_capacity),
            None => desired,
        })),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        crd::ServiceExtensions,
        input::{ConnectHosts, TaskDefinitionInput},
    };

    /// Returns the rejections of a service with this request.
    fn rejections(request: &Value, compatibilities: &[&str]) -> Vec<String> {
        let definition: ecs::TaskDefinition = serde_json::from_value(json!({
            "family": "web", "networkMode": "awsvpc", "cpu": "256", "memory": "512", "requiresCompatibilities": compatibilities,
            "containerDefinitions": [{"name": "web", "image": "nginx"}],
        }))
        .expect("the shape takes it");
        let request: ecs::Service =
            serde_json::from_value(request.clone()).expect("the shape takes it");
        let input = ServiceInput {
            connect_hosts: ConnectHosts::new(),
            request,
            extensions: ServiceExtensions::default(),
            task_definition: TaskDefinitionInput {
                request: definition,
                extensions: crate::crd::TaskDefinitionExtensions::default(),
                revision: None,
            },
        };
        let Err(findings) = validate_service(&input, &Settings::default()) else {
            return Vec::new();
        };
        findings
            .into_sorted()
            .into_iter()
            .map(|finding| format!("{}: {}", finding.path, finding.reason()))
            .collect()
    }

    #[test]
    fn a_service_names_its_task_definition() {
        for good in [
            "web",
            "web:7",
            "arn:aws:ecs:us-east-1:123456789012:task-definition/web:7",
            "{{ .TaskDefinition }}",
        ] {
            let request = json!({"serviceName": "web", "taskDefinition": good, "desiredCount": 1});
            assert_eq!(rejections(&request, &[]), [""; 0], "{good}");
        }
        for bad in [
            "web:*",
            "web:latest",
            "arn:aws:ecs:us-east-1:123456789012:service/web",
        ] {
            let request = json!({"serviceName": "web", "taskDefinition": bad, "desiredCount": 1});
            assert_eq!(
                rejections(&request, &[]),
                ["taskDefinition: InvalidTaskDefinitionReference"],
                "{bad}"
            );
        }
        assert_eq!(
            rejections(&json!({"serviceName": "web"}), &[]),
            [
                "desiredCount: DesiredCountRequired",
                "taskDefinition: TaskDefinitionRequired"
            ]
        );
    }

    #[test]
    fn daemons_run_on_nodes_and_nothing_else_is_chosen_for_them() {
        let daemon = |more: Value| {
            let mut request = json!({"serviceName": "web", "taskDefinition": "web", "schedulingStrategy": "DAEMON"});
            let members = more.as_object().expect("an object").clone();
            request.as_object_mut().expect("an object").extend(members);
            request
        };
        for (request, compatibilities, expected) in [
            (daemon(json!({})), vec!["EC2", "FARGATE"], vec![]),
            (
                daemon(json!({})),
                vec!["FARGATE"],
                vec!["schedulingStrategy: DaemonOnFargate"],
            ),
            (
                daemon(json!({"launchType": "FARGATE"})),
                vec![],
                vec!["schedulingStrategy: DaemonOnFargate"],
            ),
            (
                daemon(json!({"placementStrategy": [{"type": "random"}]})),
                vec![],
                vec!["placementStrategy: DaemonPlacementStrategy"],
            ),
        ] {
            assert_eq!(
                rejections(&request, &compatibilities),
                expected,
                "{request}"
            );
        }
        let volumes = json!([{"name": "data", "managedEBSVolume": {"sizeInGiB": 1}}]);
        assert!(
            rejections(&daemon(json!({"volumeConfigurations": volumes})), &[])
                .contains(&"volumeConfigurations: DaemonVolumeConfigurations".to_owned())
        );
    }

    #[test]
    fn only_the_controller_of_ecs_deploys() {
        for (controller, expected) in [
            ("ECS", vec![]),
            (
                "CODE_DEPLOY",
                vec!["deploymentController.type: DeploymentControllerUnsupported"],
            ),
            (
                "EXTERNAL",
                vec!["deploymentController.type: DeploymentControllerUnsupported"],
            ),
        ] {
            let request = json!({"serviceName": "web", "taskDefinition": "web", "desiredCount": 1, "deploymentController": {"type": controller}});
            assert_eq!(rejections(&request, &[]), expected);
        }
    }

    #[test]
    fn a_scalable_target_moves_the_desired_count() {
        let range = |min_capacity, max_capacity| AutoScaling {
            min_capacity,
            max_capacity,
            ..AutoScaling::default()
        };
        for (desired, scaling, expected) in [
            (1, Some(range(2, 10)), 2),
            (20, Some(range(2, 10)), 10),
            (5, Some(range(2, 10)), 5),
            (5, Some(range(0, 0)), 0),
            (5, None, 5),
            (-1, None, 0),
        ] {
            let raw = ecs::Service {
                desired_count: Some(desired),
                ..ecs::Service::default()
            };
            assert_eq!(
                scheduling(&raw, false, scaling.as_ref()),
                Scheduling::Replica {
                    desired_count: expected
                }
            );
        }
    }
}

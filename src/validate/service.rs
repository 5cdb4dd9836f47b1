//! A service as a whole.

use std::collections::BTreeMap;

use super::{
    AutoScaling, Capacity, Deployment, EbsVolume, LoadBalancer, Placement, ServiceConnect,
    TaskDefinition, TaskDefinitionInput, validate_capacity, validate_deployment,
    validate_placement, validate_scaling, validate_task_definition,
};
use crate::{
    crd,
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    ecs,
    settings::Settings,
};

/// A service, what this operator adds to it, and the task definition it runs.
#[derive(Clone, Copy, Debug)]
pub struct ServiceInput<'a> {
    /// The `CreateService` request.
    pub request: &'a ecs::Service,
    /// Scaling and other members that AWS keeps elsewhere or does not have.
    pub extensions: &'a crd::ServiceExtensions,
    /// The task definition it names.
    pub task_definition: TaskDefinitionInput<'a>,
}

/// A service that can be translated.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// The name as ECS has it.
    pub name: String,
    /// The cluster, if named.
    pub cluster: Option<String>,
    /// The task definition.
    pub task_definition: TaskDefinition,
    /// How many tasks, or one on each node.
    pub scheduling: Scheduling,
    /// How tasks are replaced.
    pub deployment: Deployment,
    /// Target groups.
    pub load_balancers: Vec<LoadBalancer>,
    /// Service Connect, if enabled.
    pub service_connect: Option<ServiceConnect>,
    /// Which capacity runs the tasks.
    pub capacity: Capacity,
    /// Constraints and strategies.
    pub placement: Placement,
    /// EBS volumes.
    pub volumes: Vec<EbsVolume>,
    /// Seconds in which failing health checks are ignored.
    pub health_check_grace_period_seconds: Option<i64>,
    /// Tags of the service.
    pub tags: BTreeMap<String, String>,
    /// How it scales.
    pub auto_scaling: Option<AutoScaling>,
}

/// `schedulingStrategy` with its count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheduling {
    /// This many tasks.
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
/// Everything that is wrong with either of them, relative to its own document.
pub fn validate_service(
    input: &ServiceInput<'_>,
    settings: &Settings,
) -> Result<Service, Diagnostics> {
    let mut sink = Diagnostics::new();
    let service = service(input, settings, &mut sink);
    if sink.has_errors() {
        Err(sink)
    } else {
        Ok(service)
    }
}

fn service(input: &ServiceInput<'_>, settings: &Settings, sink: &mut Diagnostics) -> Service {
    let raw = input.request;
    let root = FieldPath::root(Subject::Service);
    let daemon = raw.scheduling_strategy.as_deref() == Some("DAEMON");
    if !daemon && raw.desired_count.is_none() {
        sink.report(root.field("desiredCount"), Message::DesiredCountRequired);
    }
    let capacity = validate_capacity(
        raw.launch_type.as_deref(),
        &raw.capacity_provider_strategy,
        &root,
        sink,
    );
    let task_definition = validate_task_definition(
        input.task_definition,
        capacity.asks_for_fargate(),
        false,
        settings,
        sink,
    );
    let name = raw.service_name.clone().unwrap_or_default();
    Service {
        cluster: raw.cluster.clone(),
        scheduling: if daemon {
            Scheduling::Daemon
        } else {
            Scheduling::Replica {
                desired_count: raw.desired_count.unwrap_or(0),
            }
        },
        deployment: validate_deployment(
            raw.deployment_configuration.as_ref(),
            daemon,
            settings,
            &root.field("deploymentConfiguration"),
            sink,
        ),
        load_balancers: Vec::new(),
        service_connect: None,
        placement: validate_placement(
            &raw.placement_constraints,
            &raw.placement_strategy,
            task_definition.fargate,
            &task_definition.constraints,
            &root,
            sink,
        ),
        volumes: Vec::new(),
        health_check_grace_period_seconds: raw.health_check_grace_period_seconds,
        tags: super::task_definition::tags(&raw.tags),
        auto_scaling: validate_scaling(
            input.extensions.auto_scaling.as_ref(),
            &name,
            daemon,
            &task_definition,
            settings,
            sink,
        ),
        capacity,
        task_definition,
        name,
    }
}

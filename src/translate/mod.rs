//! Step 2, pure and total: validated types and [`Settings`] in, Kubernetes objects and notes out.
//!
//! After validation nothing can fail for a user's reason: a feature either becomes objects or a note says what differs.

mod escape;
mod identity;
mod labels;
mod manifests;
mod names;
mod pod;
mod quantity;
pub(crate) mod service;
mod task;
#[cfg(test)]
pub(crate) mod testing;

pub use escape::escape_dollars;
pub use labels::{CAPACITY_PROVIDER, SERVICE, TASK};
pub use manifests::{CustomObject, Manifests, Object};
pub use names::{LABEL_LENGTH, WORKLOAD_LENGTH, kname};
pub use quantity::{container_cpu, mebibytes, task_cpu};
pub use service::{connect_namespace_label, translate_service};
pub use task::{pod_name, translate_task};

use crate::{
    diagnostic::{FieldPath, Subject},
    settings::Settings,
    validate,
};

/// Whose pods are made.
#[derive(Clone, Copy)]
pub(crate) enum Workload<'a> {
    /// Those of a service: they run for ever.
    Service(&'a validate::Service),
    /// Those of a stand-alone task: they end.
    Task(&'a validate::Task),
}

/// What every translation function may know.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) workload: Workload<'a>,
    pub(crate) task_definition: &'a validate::TaskDefinition,
}

impl<'a> Context<'a> {
    pub(crate) fn of_service(service: &'a validate::Service, settings: &'a Settings) -> Self {
        Self {
            settings,
            workload: Workload::Service(service),
            task_definition: &service.task_definition,
        }
    }

    pub(crate) fn of_task(task: &'a validate::Task, settings: &'a Settings) -> Self {
        Self {
            settings,
            workload: Workload::Task(task),
            task_definition: &task.task_definition,
        }
    }

    /// The path of the service or task document.
    pub(crate) const fn root(&self) -> FieldPath {
        FieldPath::root(match self.workload {
            Workload::Service(_) => Subject::Service,
            Workload::Task(_) => Subject::Task,
        })
    }

    /// The name of the service or task, made to fit Kubernetes.
    pub(crate) fn name(&self) -> String {
        kname(self.ecs_name(), WORKLOAD_LENGTH)
    }

    /// The base for the names of objects that a service and a task both have, so that a service and a task of one name
    /// keep apart.
    pub(crate) fn object_name(&self) -> String {
        let name = self.name();
        match self.workload {
            Workload::Service(_) => name,
            Workload::Task(_) => format!("{name}-task"),
        }
    }

    /// The name of the service or task as ECS has it.
    pub(crate) fn ecs_name(&self) -> &'a str {
        match self.workload {
            Workload::Service(service) => &service.name,
            Workload::Task(task) => &task.name,
        }
    }

    /// What tells the stand-alone task from others of its name, if anything does.
    pub(crate) fn uid(&self) -> Option<&'a str> {
        match self.workload {
            Workload::Service(_) => None,
            Workload::Task(task) => task.uid.as_deref(),
        }
    }

    /// Whether the pods end by themselves.
    pub(crate) const fn is_task(&self) -> bool {
        matches!(self.workload, Workload::Task(_))
    }

    /// Whether there is one pod for each node.
    pub(crate) fn is_daemon(&self) -> bool {
        match self.workload {
            Workload::Service(service) => service.scheduling == validate::Scheduling::Daemon,
            Workload::Task(_) => false,
        }
    }

    /// The task group as ECS has it.
    pub(crate) fn group(&self) -> String {
        match self.workload {
            Workload::Service(service) => format!("service:{}", service.name),
            Workload::Task(task) => task.group.clone(),
        }
    }

    /// The cluster's name; ECS's default is `default`.
    pub(crate) fn cluster(&self) -> &'a str {
        let cluster = match self.workload {
            Workload::Service(service) => service.cluster.as_deref(),
            Workload::Task(task) => task.cluster.as_deref(),
        };
        cluster.map_or("default", |name| name.rsplit('/').next().unwrap_or(name))
    }

    /// Whether a load balancer sends traffic to the pods.
    pub(crate) const fn is_load_balanced(&self) -> bool {
        match self.workload {
            Workload::Service(service) => {
                !service.load_balancers.is_empty() || service.expose.is_some()
            }
            Workload::Task(_) => false,
        }
    }

    /// Which capacity runs the pods.
    pub(crate) const fn capacity(&self) -> &'a validate::Capacity {
        match self.workload {
            Workload::Service(service) => &service.capacity,
            Workload::Task(task) => &task.capacity,
        }
    }

    /// Subnets and security groups of the service or task.
    pub(crate) const fn network_configuration(&self) -> &'a validate::NetworkConfiguration {
        match self.workload {
            Workload::Service(service) => &service.network_configuration,
            Workload::Task(task) => &task.network_configuration,
        }
    }

    /// Constraints and strategies of the service or task.
    pub(crate) const fn placement(&self) -> &'a validate::Placement {
        match self.workload {
            Workload::Service(service) => &service.placement,
            Workload::Task(task) => &task.placement,
        }
    }

    /// EBS volumes that the service or task configures.
    pub(crate) fn volumes_at_launch(&self) -> &'a [validate::EbsVolume] {
        match self.workload {
            Workload::Service(service) => &service.volumes,
            Workload::Task(task) => &task.volumes,
        }
    }
}

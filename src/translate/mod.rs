//! Step 2, pure and total: converts validated types and [`Settings`] to Kubernetes objects and notes.
//!
//! After validation, no input can cause an error: a feature becomes objects, or a note reports the difference.

mod capacity_provider;
mod escape;
mod identity;
mod labels;
mod manifests;
mod names;
mod pod;
mod quantity;
mod schedule;
pub(crate) mod service;
mod spare_room;
mod task;
#[cfg(test)]
pub(crate) mod testing;

pub use capacity_provider::*;
pub use escape::escape_dollars;
pub(crate) use labels::is_owned_key;
pub use labels::{CAPACITY_PROVIDER, SERVICE, TASK};
pub use manifests::{CustomObject, Manifests, Object};
pub(crate) use names::hex_digest;
pub use names::{LABEL_LENGTH, WORKLOAD_LENGTH, kname};
pub use quantity::{container_cpu, mebibytes, task_cpu};
pub use schedule::translate_schedule;
pub use service::{autoscaler_windows, connect_namespace_label, keeps_a_task, translate_service};
pub use spare_room::spare_room;
pub use task::{pod_name, translate_task};

use crate::{
    diagnostic::{Diagnostics, FieldPath, Subject},
    settings::Settings,
    validate,
};

/// The owner of the pods that are created.
#[derive(Clone, Copy)]
pub(crate) enum Workload<'a> {
    /// A service, whose pods run indefinitely.
    Service(&'a validate::Service),
    /// A stand-alone task, whose pods end.
    Task(&'a validate::Task),
}

/// Reports what `kubernetes.pod` would take away of the pods of a valid service or task. Only the translation knows what
/// ECS and the operator give them, and validation calls this, so that translating does not fail.
pub(crate) fn pod_conflicts(workload: Workload<'_>, settings: &Settings, sink: &mut Diagnostics) {
    let (cx, templates) = match workload {
        Workload::Service(service) => {
            let cx = Context::of_service(service, settings);
            let templates = cx.overlays().next().map(|_| service::base(&cx, service));
            (cx, templates)
        }
        Workload::Task(task) => {
            let cx = Context::of_task(task, settings);
            let templates = cx.overlays().next().map(|_| task::base(&cx, task));
            (cx, templates)
        }
    };
    for template in templates.into_iter().flatten() {
        pod::overlay::conflicts(&cx, &template, sink);
        if sink.has_errors() {
            return;
        }
    }
}

/// The input of every translation function.
pub(crate) struct Context<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) workload: Workload<'a>,
    pub(crate) task_definition: &'a validate::TaskDefinition,
    /// The name as a Kubernetes name, and the labels with it and others: every object has them, and most are digests.
    name: String,
    labels: labels::Labels,
}

impl<'a> Context<'a> {
    pub(crate) fn of_service(service: &'a validate::Service, settings: &'a Settings) -> Self {
        Self::new(
            Workload::Service(service),
            &service.task_definition,
            settings,
        )
    }

    pub(crate) fn of_task(task: &'a validate::Task, settings: &'a Settings) -> Self {
        Self::new(Workload::Task(task), &task.task_definition, settings)
    }

    fn new(
        workload: Workload<'a>,
        task_definition: &'a validate::TaskDefinition,
        settings: &'a Settings,
    ) -> Self {
        let mut context = Self {
            settings,
            workload,
            task_definition,
            name: String::new(),
            labels: labels::Labels::new(),
        };
        context.name = kname(context.ecs_name(), WORKLOAD_LENGTH);
        context.labels = context.own_labels();
        context
    }

    /// Returns the path of the service or task document.
    pub(crate) const fn root(&self) -> FieldPath {
        FieldPath::root(match self.workload {
            Workload::Service(_) => Subject::Service,
            Workload::Task(_) => Subject::Task,
        })
    }

    /// Returns the name of the service or task as a Kubernetes name.
    pub(crate) fn name(&self) -> String {
        self.name.clone()
    }

    /// Returns the base for the names of objects that both services and tasks have. A service and a task with the same
    /// name have different bases.
    pub(crate) fn object_name(&self) -> String {
        let name = self.name();
        match self.workload {
            Workload::Service(_) => name,
            Workload::Task(_) => format!("{name}-task"),
        }
    }

    /// Returns the name of the service or task in ECS.
    pub(crate) fn ecs_name(&self) -> &'a str {
        match self.workload {
            Workload::Service(service) => &service.name,
            Workload::Task(task) => &task.name,
        }
    }

    /// Returns the UID that distinguishes the stand-alone task from others with its name, if there is one.
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

    /// Returns the task group in ECS.
    pub(crate) fn group(&self) -> String {
        match self.workload {
            Workload::Service(service) => format!("service:{}", service.name),
            Workload::Task(task) => task.group.clone(),
        }
    }

    /// Returns the cluster's name; ECS's default is `default`.
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

    /// Returns the capacity that runs the pods.
    pub(crate) const fn capacity(&self) -> &'a validate::Capacity {
        match self.workload {
            Workload::Service(service) => &service.capacity,
            Workload::Task(task) => &task.capacity,
        }
    }

    /// Returns the subnets and security groups of the service or task.
    pub(crate) const fn network_configuration(&self) -> &'a validate::NetworkConfiguration {
        match self.workload {
            Workload::Service(service) => &service.network_configuration,
            Workload::Task(task) => &task.network_configuration,
        }
    }

    /// Returns the constraints and strategies of the service or task.
    pub(crate) const fn placement(&self) -> &'a validate::Placement {
        match self.workload {
            Workload::Service(service) => &service.placement,
            Workload::Task(task) => &task.placement,
        }
    }

    /// Returns the EBS volumes that the service or task configures.
    pub(crate) fn volumes_at_launch(&self) -> &'a [validate::EbsVolume] {
        match self.workload {
            Workload::Service(service) => &service.volumes,
            Workload::Task(task) => &task.volumes,
        }
    }
}

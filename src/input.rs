//! Requests that belong together: what a reader makes of files or custom resources, and validation takes.
//!
//! Data only. A reader leaves out what has the wrong name or type; whether the rest is right is not known yet.

use std::collections::BTreeMap;

use crate::{crd, ecs};

/// A task definition, and which revision of its family it is.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskDefinitionInput {
    /// The `RegisterTaskDefinition` request.
    pub request: ecs::TaskDefinition,
    /// What AWS does not have.
    pub extensions: crd::TaskDefinitionExtensions,
    /// The revision, where it is known: that of the custom resource, of `DescribeTaskDefinition` output, of a pinned
    /// reference. A request does not know the revision that it makes.
    pub revision: Option<u64>,
}

/// A service, what this operator adds to it, and the task definition that it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceInput {
    /// The `CreateService` request; made up where only a task definition was given.
    pub request: ecs::Service,
    /// Scaling, which AWS takes in requests of its own, and what AWS does not have.
    pub extensions: crd::ServiceExtensions,
    /// What `taskDefinition` of the request names; nothing here says that it is the same family.
    pub task_definition: TaskDefinitionInput,
    /// The names of its Service Connect namespace that need an entry in `/etc/hosts`, as the cluster has them when a
    /// deployment begins; empty outside of a cluster.
    pub connect_hosts: ConnectHosts,
}

/// Names that DNS does not resolve, and the addresses that they have. Clients find them in their `/etc/hosts`.
pub type ConnectHosts = BTreeMap<String, String>;

/// Tasks that run to completion, and the task definition that they run.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskInput {
    /// What its pods are named after, before that is made to fit Kubernetes: the custom resource, or the family where
    /// there is none. `RunTask` itself gives no name.
    pub name: String,
    /// What tells it from others of that name, as the identity of a custom resource does.
    pub uid: Option<String>,
    /// The `RunTask` request.
    pub request: ecs::Task,
    /// What AWS does not have.
    pub extensions: crd::TaskExtensions,
    /// What `taskDefinition` of the request names, before the overrides of the request.
    pub task_definition: TaskDefinitionInput,
}

/// A service of App Runner, and how it is scaled.
#[derive(Clone, Debug, PartialEq)]
pub struct AppRunnerInput {
    /// The `CreateService` request of App Runner.
    pub request: ecs::AppRunnerService,
    /// The document that `AutoScalingConfigurationArn` of the request names.
    pub auto_scaling: Option<ecs::AutoScalingConfiguration>,
    /// What AWS does not have.
    pub extensions: crd::AppRunnerExtensions,
}

impl AppRunnerInput {
    /// How the service is scaled; `None` for the default of AWS.
    #[must_use]
    pub const fn scaling(&self) -> Option<&ecs::AutoScalingConfiguration> {
        match &self.extensions.auto_scaling_configuration {
            Some(own) => Some(own),
            None => self.auto_scaling.as_ref(),
        }
    }

    /// Whether no instance shall run.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.extensions.paused == Some(true)
    }
}

/// A schedule that starts tasks, and the task definition that they run.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduleInput {
    /// The `CreateSchedule` request.
    pub request: ecs::Schedule,
    /// What the text in `Target.Input` says.
    pub overrides: Option<ecs::TaskOverride>,
    /// What AWS does not have.
    pub extensions: crd::ScheduleExtensions,
    /// What `TaskDefinitionArn` of the request names, before the overrides.
    pub task_definition: TaskDefinitionInput,
}

impl ScheduleInput {
    /// What its tasks have that `RunTask` does not have.
    #[must_use]
    pub fn task_extensions(&self) -> crd::TaskExtensions {
        crd::TaskExtensions {
            kubernetes: self.extensions.kubernetes.clone(),
            ..crd::TaskExtensions::default()
        }
    }
}

/// A pipe that starts tasks for messages, and the task definition that they run.
#[derive(Clone, Debug, PartialEq)]
pub struct PipeInput {
    /// The `CreatePipe` request.
    pub request: ecs::Pipe,
    /// What AWS does not have.
    pub extensions: crd::PipeExtensions,
    /// What `TaskDefinitionArn` names, before the overrides; `None` if it comes from the message.
    pub task_definition: Option<TaskDefinitionInput>,
}

/// A rule with a target that starts tasks, and the task definition that they run.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleInput {
    /// The `PutRule` request with all its targets.
    pub request: ecs::Rule,
    /// The index of the target, counted from 0.
    pub target: usize,
    /// What the text in `Input` of the target says.
    pub overrides: Option<ecs::TaskOverride>,
    /// What AWS does not have.
    pub extensions: crd::RuleExtensions,
    /// What `TaskDefinitionArn` of the target names, before the overrides; `None` if it comes from the event.
    pub task_definition: Option<TaskDefinitionInput>,
}

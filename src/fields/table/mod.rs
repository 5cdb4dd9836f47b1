//! The rows, a file per request. Each row stands on one line, so that a new field is one added line.

mod cluster;
mod example;
mod extension;
mod scalable_target;
mod scaling_policy;
mod scheduled_action;
mod service;
mod task;
mod task_definition;

use super::{Api, Field, Rule};

pub(super) use example::EXAMPLES;

/// The leaves of a request, in the order of the AWS model.
pub(super) const fn fields(api: Api) -> &'static [&'static [Field]] {
    match api {
        Api::TaskDefinition => &[task_definition::FIELDS],
        Api::Service => &[service::FIELDS, extension::UPDATE_SERVICE],
        Api::Task => &[task::FIELDS],
        Api::Cluster => &[cluster::FIELDS],
        Api::ScalableTarget => &[scalable_target::FIELDS],
        Api::ScalingPolicy => &[scaling_policy::FIELDS, extension::ALARM],
        Api::ScheduledAction => &[scheduled_action::FIELDS],
        Api::Kubernetes => &[extension::KUBERNETES],
    }
}

/// What holds for members of a request as a whole.
pub(super) const fn rules(api: Api) -> &'static [Rule] {
    match api {
        Api::TaskDefinition => task_definition::RULES,
        Api::Service => service::RULES,
        Api::Task => task::RULES,
        Api::Cluster => cluster::RULES,
        Api::ScalableTarget => scalable_target::RULES,
        Api::ScalingPolicy => scaling_policy::RULES,
        Api::ScheduledAction => scheduled_action::RULES,
        Api::Kubernetes => extension::KUBERNETES_RULES,
    }
}

/// Members that only the answers of AWS have. They say nothing that a request would.
pub(super) const fn read_only(api: Api) -> &'static [&'static str] {
    match api {
        Api::TaskDefinition => &[
            "taskDefinitionArn",
            "revision",
            "status",
            "requiresAttributes",
            "compatibilities",
            "registeredAt",
            "registeredBy",
            "deregisteredAt",
            "deleteRequestedAt",
        ],
        Api::Service => &[
            "serviceArn",
            "clusterArn",
            "status",
            "runningCount",
            "pendingCount",
            "platformFamily",
            "taskSets",
            "deployments",
            "roleArn",
            "events",
            "createdAt",
            "createdBy",
            "currentServiceDeployment",
            "currentServiceRevisions",
            "resourceManagementType",
        ],
        Api::Task | Api::Kubernetes => &[],
        Api::Cluster => &[
            "clusterArn",
            "status",
            "registeredContainerInstancesCount",
            "runningTasksCount",
            "pendingTasksCount",
            "activeServicesCount",
            "statistics",
            "attachments",
            "attachmentsStatus",
        ],
        Api::ScalableTarget => &["CreationTime", "ScalableTargetARN", "PredictedCapacity"],
        Api::ScalingPolicy => &["PolicyARN", "Alarms", "CreationTime"],
        Api::ScheduledAction => &["ScheduledActionARN", "CreationTime"],
    }
}

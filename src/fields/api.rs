//! The requests that have a table.

use std::{collections::BTreeMap, sync::LazyLock};

use super::{Field, Node, table, tree};

/// A request that has a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Api {
    /// `RegisterTaskDefinition`
    TaskDefinition,
    /// `CreateService`, with the members of `UpdateService`
    Service,
    /// `RunTask`
    Task,
    /// `CreateCluster`
    Cluster,
    /// `CreateCapacityProvider`
    CapacityProvider,
    /// `RegisterScalableTarget`
    ScalableTarget,
    /// `PutScalingPolicy`
    ScalingPolicy,
    /// `PutScheduledAction`
    ScheduledAction,
    /// `PutMetricAlarm`
    MetricAlarm,
    /// `CreateSchedule`
    Schedule,
    /// `CreateService` of App Runner
    AppRunnerService,
    /// `CreateAutoScalingConfiguration` of App Runner
    AutoScalingConfiguration,
    /// `PutRule`, with the members of `PutTargets`
    Rule,
    /// `CreatePipe`
    Pipe,
    /// `spec.kubernetes` of an EcsService; an EcsTaskDefinition and an EcsTask have its `pod`
    Kubernetes,
}

/// Other names of requests: operations, types of CloudFormation, custom resources.
const NAMES: &[(Api, &[&str])] = &[
    (
        Api::TaskDefinition,
        &[
            "DescribeTaskDefinition",
            "AWS::ECS::TaskDefinition",
            "EcsTaskDefinition",
        ],
    ),
    (
        Api::Service,
        &[
            "UpdateService",
            "DescribeServices",
            "AWS::ECS::Service",
            "EcsService",
        ],
    ),
    (Api::Task, &["StartTask", "EcsTask"]),
    (
        Api::Cluster,
        &["UpdateCluster", "AWS::ECS::Cluster", "EcsCluster"],
    ),
    (
        Api::CapacityProvider,
        &[
            "UpdateCapacityProvider",
            "DescribeCapacityProviders",
            "AWS::ECS::CapacityProvider",
            "EcsCapacityProvider",
        ],
    ),
    (
        Api::ScalableTarget,
        &[
            "DescribeScalableTargets",
            "AWS::ApplicationAutoScaling::ScalableTarget",
        ],
    ),
    (
        Api::ScalingPolicy,
        &[
            "DescribeScalingPolicies",
            "AWS::ApplicationAutoScaling::ScalingPolicy",
        ],
    ),
    (Api::ScheduledAction, &["DescribeScheduledActions"]),
    (
        Api::MetricAlarm,
        &["DescribeAlarms", "AWS::CloudWatch::Alarm"],
    ),
    (
        Api::Schedule,
        &[
            "UpdateSchedule",
            "GetSchedule",
            "AWS::Scheduler::Schedule",
            "EcsSchedule",
        ],
    ),
    (
        Api::Rule,
        &[
            "PutTargets",
            "DescribeRule",
            "ListTargetsByRule",
            "AWS::Events::Rule",
            "EcsRule",
        ],
    ),
    (
        Api::Pipe,
        &["UpdatePipe", "DescribePipe", "AWS::Pipes::Pipe", "EcsPipe"],
    ),
    (
        Api::AppRunnerService,
        &["DescribeService", "AWS::AppRunner::Service"],
    ),
    (
        Api::AutoScalingConfiguration,
        &[
            "DescribeAutoScalingConfiguration",
            "AWS::AppRunner::AutoScalingConfiguration",
        ],
    ),
];

impl Api {
    /// Every request, in the order of the documentation.
    pub const ALL: &[Self] = &[
        Self::TaskDefinition,
        Self::Service,
        Self::Task,
        Self::Cluster,
        Self::CapacityProvider,
        Self::ScalableTarget,
        Self::ScalingPolicy,
        Self::ScheduledAction,
        Self::MetricAlarm,
        Self::Schedule,
        Self::AppRunnerService,
        Self::AutoScalingConfiguration,
        Self::Rule,
        Self::Pipe,
        Self::Kubernetes,
    ];

    /// Returns the name of the operation.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TaskDefinition => "RegisterTaskDefinition",
            Self::Service => "CreateService",
            Self::Task => "RunTask",
            Self::Cluster => "CreateCluster",
            Self::CapacityProvider => "CreateCapacityProvider",
            Self::ScalableTarget => "RegisterScalableTarget",
            Self::ScalingPolicy => "PutScalingPolicy",
            Self::ScheduledAction => "PutScheduledAction",
            Self::MetricAlarm => "PutMetricAlarm",
            Self::Schedule => "CreateSchedule",
            Self::AppRunnerService => "CreateService of App Runner",
            Self::AutoScalingConfiguration => "CreateAutoScalingConfiguration",
            Self::Rule => "PutRule",
            Self::Pipe => "CreatePipe",
            Self::Kubernetes => "spec.kubernetes of an EcsService",
        }
    }

    /// Returns the request with this name, or of a CloudFormation type or custom resource with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let is_it = |other: &str| other.eq_ignore_ascii_case(name);
        let own = Self::ALL.iter().copied().find(|api| is_it(api.name()));
        let mut names = NAMES.iter();
        let other = names.find(|(_, names)| names.iter().any(|other| is_it(other)));
        own.or_else(|| other.map(|(api, _)| *api))
    }

    /// Returns the page where AWS documents the structures of this request.
    pub(super) const fn reference(self) -> &'static str {
        match self {
            Self::TaskDefinition
            | Self::Service
            | Self::Task
            | Self::Cluster
            | Self::CapacityProvider => {
                "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_"
            }
            Self::ScalableTarget | Self::ScalingPolicy | Self::ScheduledAction => {
                "https://docs.aws.amazon.com/autoscaling/application/APIReference/API_"
            }
            Self::MetricAlarm => {
                "https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_"
            }
            Self::Schedule => "https://docs.aws.amazon.com/scheduler/latest/APIReference/API_",
            Self::AppRunnerService | Self::AutoScalingConfiguration => {
                "https://docs.aws.amazon.com/apprunner/latest/api/API_"
            }
            Self::Rule => "https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_",
            Self::Pipe => "https://docs.aws.amazon.com/eventbridge/latest/pipes-reference/API_",
            Self::Kubernetes => "",
        }
    }

    /// Returns the leaves of the request, in the order of the AWS model.
    pub fn fields(self) -> impl Iterator<Item = &'static Field> {
        table::fields(self).iter()
    }

    /// Returns the members that only AWS responses have.
    #[must_use]
    pub const fn read_only(self) -> &'static [&'static str] {
        table::read_only(self)
    }

    /// Returns the request as a tree.
    #[must_use]
    pub fn tree(self) -> &'static Node {
        static TREES: LazyLock<BTreeMap<Api, Node>> =
            LazyLock::new(|| Api::ALL.iter().map(|api| (*api, tree(*api))).collect());
        static EMPTY: Node = Node::object();
        // Every request is in the map; the empty tree only avoids a panic.
        TREES.get(&self).unwrap_or(&EMPTY)
    }
}

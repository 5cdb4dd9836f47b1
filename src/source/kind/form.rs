//! The kinds of documents and the forms in which they appear.

use crate::diagnostic::Subject;

/// Which request a document contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `RegisterTaskDefinition`.
    TaskDefinition,
    /// `CreateService` or `UpdateService`.
    Service,
    /// `RunTask`.
    Task,
    /// `CreateCluster`, which only the operator reads.
    Cluster,
    /// `CreateCapacityProvider`.
    CapacityProvider,
    /// `RegisterScalableTarget`.
    ScalableTarget,
    /// `PutScalingPolicy`.
    ScalingPolicy,
    /// `PutScheduledAction`.
    ScheduledAction,
    /// `PutMetricAlarm` of CloudWatch.
    Alarm,
    /// `CreateSchedule` of EventBridge Scheduler.
    Schedule,
    /// `CreateService` of App Runner.
    AppRunnerService,
    /// `CreateAutoScalingConfiguration` of App Runner.
    AutoScalingConfiguration,
    /// `PutRule` of EventBridge, with its targets or without them.
    Rule,
    /// `PutTargets` of EventBridge: the targets of a rule that is another document.
    RuleTargets,
    /// `CreatePipe` of EventBridge Pipes.
    Pipe,
}

impl Kind {
    /// Returns the common name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TaskDefinition => "task definition",
            Self::Service => "service",
            Self::Task => "task",
            Self::Cluster => "cluster",
            Self::CapacityProvider => "capacity provider",
            Self::ScalableTarget => "scalable target",
            Self::ScalingPolicy => "scaling policy",
            Self::ScheduledAction => "scheduled action",
            Self::Alarm => "alarm",
            Self::Schedule => "schedule",
            Self::AppRunnerService => "App Runner service",
            Self::AutoScalingConfiguration => "auto scaling configuration",
            Self::Rule => "rule",
            Self::RuleTargets => "targets of a rule",
            Self::Pipe => "pipe",
        }
    }

    /// Returns what the paths of its fields are relative to.
    #[must_use]
    pub const fn subject(self) -> Subject {
        match self {
            Self::TaskDefinition => Subject::TaskDefinition,
            Self::Service => Subject::Service,
            Self::Task => Subject::Task,
            Self::Cluster => Subject::Cluster,
            Self::CapacityProvider => Subject::CapacityProvider,
            Self::Schedule => Subject::Schedule,
            Self::AppRunnerService => Subject::AppRunnerService,
            Self::AutoScalingConfiguration => Subject::AutoScalingConfiguration,
            Self::Rule | Self::RuleTargets => Subject::Rule,
            Self::Pipe => Subject::Pipe,
            Self::ScalableTarget | Self::ScalingPolicy | Self::ScheduledAction | Self::Alarm => {
                Subject::AutoScaling
            }
        }
    }
}

/// What surrounds the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::source) enum Envelope {
    /// Nothing.
    Bare,
    /// `{"taskDefinition": {...}, "tags": [...]}`.
    TaskDefinition,
    /// `{"service": {...}}`.
    Service,
    /// `{"capacityProvider": {...}}`.
    CapacityProvider,
    /// `{"Service": {...}, "OperationId": "..."}`.
    AppRunnerService,
    /// `{"AutoScalingConfiguration": {...}}`.
    AutoScalingConfiguration,
    /// `{"Type": "AWS::...", "Properties": {...}}`.
    Properties,
    /// A custom resource of this operator: `apiVersion`, `kind`, `metadata`, `spec`.
    Resource,
    /// A list of container definitions alone.
    ContainerList,
}

impl Envelope {
    /// Returns the member that contains the request.
    pub(in crate::source) const fn member(self) -> Option<&'static str> {
        match self {
            Self::Bare | Self::ContainerList => None,
            Self::TaskDefinition => Some("taskDefinition"),
            Self::Service => Some("service"),
            Self::CapacityProvider => Some("capacityProvider"),
            Self::AppRunnerService => Some("Service"),
            Self::AutoScalingConfiguration => Some("AutoScalingConfiguration"),
            Self::Properties => Some("Properties"),
            Self::Resource => Some("spec"),
        }
    }
}

/// How members are spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::source) enum Spelling {
    /// The spelling of the API.
    Api,
    /// The spelling of CloudFormation, which differs from resource to resource.
    CloudFormation,
}

/// How a document was recognized, and why. One is kept of each document, so it is small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    pub(in crate::source) kind: Kind,
    pub(in crate::source) envelope: Envelope,
    pub(in crate::source) spelling: Spelling,
    words: &'static (&'static str, &'static str),
}

impl Form {
    /// Creates the form of this name, which was recognized for this reason.
    pub(in crate::source) const fn new(
        kind: Kind,
        words: &'static (&'static str, &'static str),
    ) -> Self {
        Self {
            kind,
            envelope: Envelope::Bare,
            spelling: Spelling::Api,
            words,
        }
    }

    /// Returns the name of the form, such as "CreateService request".
    #[must_use]
    pub const fn label(&self) -> &'static str {
        self.words.0
    }

    /// Returns why the document was recognized: "it has containerDefinitions".
    #[must_use]
    pub const fn because(&self) -> &'static str {
        self.words.1
    }

    pub(in crate::source) const fn within(mut self, envelope: Envelope) -> Self {
        self.envelope = envelope;
        self
    }

    pub(super) const fn cloud_formation(mut self) -> Self {
        self.spelling = Spelling::CloudFormation;
        self
    }

    /// Returns which request the document contains.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }
}

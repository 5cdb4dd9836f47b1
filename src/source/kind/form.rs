//! What a document can be.

use crate::diagnostic::Subject;

/// Which request a document holds.
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
    /// `RegisterScalableTarget`.
    ScalableTarget,
    /// `PutScalingPolicy`.
    ScalingPolicy,
    /// `PutScheduledAction`.
    ScheduledAction,
}

impl Kind {
    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TaskDefinition => "task definition",
            Self::Service => "service",
            Self::Task => "task",
            Self::Cluster => "cluster",
            Self::ScalableTarget => "scalable target",
            Self::ScalingPolicy => "scaling policy",
            Self::ScheduledAction => "scheduled action",
        }
    }

    /// What the paths of its fields are relative to.
    #[must_use]
    pub const fn subject(self) -> Subject {
        match self {
            Self::TaskDefinition => Subject::TaskDefinition,
            Self::Service => Subject::Service,
            Self::Task => Subject::Task,
            Self::Cluster => Subject::Cluster,
            Self::ScalableTarget | Self::ScalingPolicy | Self::ScheduledAction => {
                Subject::AutoScaling
            }
        }
    }
}

/// What stands around the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::source) enum Envelope {
    /// Nothing.
    Bare,
    /// `{"taskDefinition": {...}, "tags": [...]}`.
    TaskDefinition,
    /// `{"service": {...}}`.
    Service,
    /// `{"Type": "AWS::...", "Properties": {...}}`.
    Properties,
    /// A custom resource of ours: `apiVersion`, `kind`, `metadata`, `spec`.
    Resource,
    /// The list of container definitions alone.
    ContainerList,
}

impl Envelope {
    /// The member that holds the request.
    pub(in crate::source) const fn member(self) -> Option<&'static str> {
        match self {
            Self::Bare | Self::ContainerList => None,
            Self::TaskDefinition => Some("taskDefinition"),
            Self::Service => Some("service"),
            Self::Properties => Some("Properties"),
            Self::Resource => Some("spec"),
        }
    }
}

/// How members are spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::source) enum Spelling {
    /// As the API spells them.
    Api,
    /// As CloudFormation spells them, which differs from resource to resource.
    CloudFormation,
}

/// What a document was taken for, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    pub(in crate::source) kind: Kind,
    pub(in crate::source) envelope: Envelope,
    pub(in crate::source) spelling: Spelling,
    /// What it was taken for.
    pub label: &'static str,
    /// Why: "it has containerDefinitions".
    pub because: &'static str,
}

impl Form {
    pub(in crate::source) const fn new(
        kind: Kind,
        label: &'static str,
        because: &'static str,
    ) -> Self {
        Self {
            kind,
            envelope: Envelope::Bare,
            spelling: Spelling::Api,
            label,
            because,
        }
    }

    pub(in crate::source) const fn within(mut self, envelope: Envelope) -> Self {
        self.envelope = envelope;
        self
    }

    pub(super) const fn cloud_formation(mut self) -> Self {
        self.spelling = Spelling::CloudFormation;
        self
    }

    /// Which request it holds.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }
}

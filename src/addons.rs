//! Software that a cluster may have beside Kubernetes.

use serde::{Deserialize, Serialize};

/// Software that a cluster may have beside Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Addon {
    /// `elbv2.k8s.aws`: TargetGroupBinding.
    AwsLoadBalancerController,
    /// `eks.amazonaws.com`: the TargetGroupBinding of EKS Auto Mode.
    EksAutoMode,
    /// `external-secrets.io`.
    ExternalSecrets,
    /// `keda.sh`.
    Keda,
    /// `vpcresources.k8s.aws`: security groups for pods.
    SecurityGroupsForPods,
    /// `eks.services.k8s.aws`: the ACK controller that makes Pod Identity associations.
    AckEks,
}

impl Addon {
    /// Every add-on that offline conversion assumes.
    pub const ALL: &[Self] = &[
        Self::AwsLoadBalancerController,
        Self::ExternalSecrets,
        Self::Keda,
        Self::SecurityGroupsForPods,
    ];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AwsLoadBalancerController => "aws-load-balancer-controller",
            Self::EksAutoMode => "eks-auto-mode",
            Self::ExternalSecrets => "external-secrets",
            Self::Keda => "keda",
            Self::SecurityGroupsForPods => "security-groups-for-pods",
            Self::AckEks => "ack-eks",
        }
    }
}

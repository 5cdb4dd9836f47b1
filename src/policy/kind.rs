//! The kinds of things that a policy is about.

/// The list of a policy that a kind of thing is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// `spec.allow`: what someone who may edit a namespace cannot use without the operator. Nothing of it is allowed
    /// unless a policy says so.
    Allow,
    /// `spec.limitTo`: what this person can use without the operator. All of it is allowed unless a policy has the member.
    LimitTo,
}

impl List {
    /// Returns the member of the spec.
    #[must_use]
    pub const fn member(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::LimitTo => "limitTo",
        }
    }
}

/// What is said about a kind.
struct Facts {
    list: List,
    member: &'static str,
    noun: &'static str,
    is: &'static str,
}

/// Declares [`Kind`] from a table. Each row is `Name, "member of the list", "what one of them is", "what the list is";`.
macro_rules! kinds {
    ($($list:ident { $($name:ident, $member:literal, $noun:literal, $is:literal;)* })*) => {
        /// A kind of thing that a spec can use, and a policy can allow.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "the table describes each variant")]
        pub enum Kind {
            $($($name,)*)*
        }

        impl Kind {
            /// Every one, in the order of the documentation.
            pub const ALL: &[Self] = &[$($(Self::$name,)*)*];

            const fn facts(self) -> Facts {
                match self { $($(Self::$name => Facts {
                    list: List::$list,
                    member: $member,
                    noun: $noun,
                    is: $is,
                },)*)* }
            }
        }
    };
}

kinds! {
    Allow {
        TaskRole, "taskRoles", "the task role", "ARNs of the IAM roles that tasks run as.";
        ExecutionRole, "executionRoles", "the execution role", "ARNs of the IAM roles with which secrets are read, and images of ECR pulled where the operator makes pull secrets.";
        TargetGroup, "targetGroups", "the target group", "ARNs of the target groups that tasks are registered in.";
        SecurityGroup, "securityGroups", "the security group", "IDs of the security groups that pods are in.";
        FileSystem, "fileSystems", "the file system", "IDs of the file systems of Amazon EFS that are mounted, such as fs-0123456789abcdef0, or of one with the only access point by which it is mounted, such as fs-0123456789abcdef0/fsap-0123456789abcdef0. Of FSx for Windows File Server, the DNS names.";
        EbsVolumeType, "ebsVolumeTypes", "the volume type", "Types of the EBS volumes that are created for tasks, such as gp3.";
        KmsKey, "kmsKeys", "the KMS key", "IDs, aliases or ARNs of the keys that encrypt these volumes, as the spec names them.";
        Snapshot, "snapshots", "the snapshot", "IDs of the EBS snapshots that volumes are created from.";
        SecretStore, "clusterSecretStores", "the ClusterSecretStore", "Names of the ClusterSecretStores that secrets are read from without an execution role, such as ecs-sm-eu-west-1.";
        Secret, "clusterSecrets", "the secret", "Names or ARNs of the secrets and parameters that are read from these stores.";
        MetricNamespace, "metricNamespaces", "the CloudWatch namespace", "Namespaces of the CloudWatch metrics by which KEDA scales, or the operator where it reads them from CloudWatch itself, such as AWS/SQS.";
        Queue, "queues", "the queue", "ARNs of the SQS queues whose messages the operator receives for EcsPipes, and to which it sends the dead letters of EcsSchedules and EcsRules.";
        EventSource, "eventSources", "the event source", "Sources of the events that EcsRules get from the queue of the operator, such as aws.s3 or shop.orders.";
        Setting, "settings", "the annotation", "Names of the settings of the operator that annotations of services and tasks override, such as steady-seconds.";
    }
    LimitTo {
        HostPath, "hostPaths", "the path of the host", "Paths of nodes that pods mount.";
        Privilege, "privileges", "the privilege", "Privileges of pods: privileged, hostNetwork, hostPID, hostIPC, hostPort, hostProcess, an added capability such as NET_ADMIN, or a sysctl such as net.core.somaxconn.";
        LoadBalancerScheme, "loadBalancerSchemes", "the load balancer scheme", "Schemes of the load balancers that are created: internal, internet-facing.";
        CapacityProvider, "capacityProviders", "the capacity provider", "Capacity providers that a service or task, or the EcsCluster of the namespace, names.";
        PatchedMember, "patchedMembers", "the patched member", "Members of pods that kubernetes.pod.patch changes, such as spec.dnsPolicy or spec.containers[].stdin.";
    }
}

impl Kind {
    /// Returns the list of a policy that it is in.
    #[must_use]
    pub const fn list(self) -> List {
        self.facts().list
    }

    /// Returns its member of that list.
    #[must_use]
    pub const fn member(self) -> &'static str {
        self.facts().member
    }

    /// Returns what a message calls one thing of this kind.
    #[must_use]
    pub const fn noun(self) -> &'static str {
        self.facts().noun
    }

    /// Returns what the list holds, as a sentence.
    #[must_use]
    pub const fn description(self) -> &'static str {
        self.facts().is
    }

    /// Returns the kind of a member of a list.
    #[must_use]
    pub fn named(list: List, member: &str) -> Option<Self> {
        let mut kinds = Self::ALL.iter().copied();
        kinds.find(|kind| kind.list() == list && kind.member() == member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_names_one_kind() {
        for kind in Kind::ALL {
            assert_eq!(Kind::named(kind.list(), kind.member()), Some(*kind));
            assert!(kind.description().ends_with('.'), "{kind:?}");
        }
        assert_eq!(Kind::named(List::LimitTo, "taskRoles"), None);
    }
}

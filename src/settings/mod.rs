//! Everything that validation and translation may know besides their input.
//!
//! The clock, the cluster's version, the account: nothing is looked up, all of it is given here, so that the same
//! input and the same settings give the same bytes on every machine.

mod annotations;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use crate::{addons::Addon, names::*};

/// The longest time that a setting can ask for, in seconds.
pub const LONGEST_SECONDS: u32 = 3600;

/// The oldest Kubernetes minor version that is supported (1.33).
pub const OLDEST_KUBERNETES_MINOR: u32 = 33;
/// The newest Kubernetes minor version that is supported (1.37).
pub const NEWEST_KUBERNETES_MINOR: u32 = 37;

/// What validate and translate may know besides their input.
///
/// The operator keeps the settings that a service revision was rendered with, so a member keeps its name, and one that
/// an older version of the operator did not write has its default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// The namespace of the objects.
    #[serde(skip)]
    pub namespace: String,
    /// The minor version of the cluster: 36 for Kubernetes 1.36.
    pub kubernetes_minor: u32,
    /// Who reads the result.
    pub mode: Mode,
    /// What an autoscaler scales.
    pub workload_target: WorkloadTarget,
    /// Where tasks that ask for Fargate run.
    pub compute: Compute,
    /// How pods get AWS credentials.
    pub iam: Iam,
    /// What happens when an essential container of several exits.
    pub essential_exit: EssentialExit,
    /// Seconds between deregistration from a load balancer and SIGTERM, if they are given. It is the target group's
    /// attribute, which is not looked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deregistration_delay_seconds: Option<u32>,
    /// The security group of the EKS cluster, which pods need beside those of their task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_security_group: Option<String>,
    /// Whether other targets than those of the cluster stay in target groups, if that is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_groups: Option<TargetGroups>,
    /// Which secret store the execution role leads to.
    pub secret_store: SecretStore,
    /// How often secrets are read again, in the notation of External Secrets (`5m`).
    pub secret_refresh_interval: String,
    /// The AWS account, needed for roles given by name.
    pub aws_account_id: Option<String>,
    /// The AWS partition: `aws`, `aws-cn`, `aws-us-gov`.
    pub aws_partition: String,
    /// The AWS region, needed for SSM parameters given by name and for CloudWatch metrics.
    pub aws_region: Option<String>,
    /// The EKS cluster's name, for Pod Identity associations.
    pub eks_cluster_name: Option<String>,
    /// The RuntimeClass that stands for ISOLATED_SANDBOX.
    pub isolated_sandbox_runtime_class: Option<String>,
    /// The class of the Ingress that is made for an exposed service.
    pub ingress_class: String,
    /// Whether a service with port mappings gets a ClusterIP Service of its name.
    pub cluster_ip_services: bool,
    /// Whether S3 Files volumes are translated instead of rejected.
    pub allow_s3_files: bool,
    /// When the kubelet asks the registry for an image.
    pub image_pull_policy: ImagePullPolicy,
    /// Seconds until a task without any health check counts as steady (ECS: 40).
    pub steady_seconds: u32,
    /// The add-ons that the cluster has.
    pub addons: BTreeSet<Addon>,
    /// The contents of environment files, by S3 object ARN.
    #[serde(skip)]
    pub environment_files: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            namespace: "default".to_owned(),
            kubernetes_minor: 36,
            mode: Mode::Convert,
            workload_target: WorkloadTarget::Deployment,
            compute: Compute::Nodes,
            iam: Iam::Irsa,
            essential_exit: EssentialExit::Replace,
            deregistration_delay_seconds: None,
            cluster_security_group: None,
            target_groups: None,
            secret_store: SecretStore::PerExecutionRole,
            secret_refresh_interval: "5m".to_owned(),
            aws_account_id: None,
            aws_partition: "aws".to_owned(),
            aws_region: None,
            eks_cluster_name: None,
            isolated_sandbox_runtime_class: None,
            ingress_class: "alb".to_owned(),
            cluster_ip_services: true,
            allow_s3_files: false,
            image_pull_policy: ImagePullPolicy::AlwaysForTags,
            steady_seconds: 40,
            addons: Addon::ALL.iter().copied().collect(),
            environment_files: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// Whether the cluster has `addon`.
    #[must_use]
    pub fn has(&self, addon: Addon) -> bool {
        self.addons.contains(&addon)
    }

    /// Seconds between deregistration from a load balancer and SIGTERM; ELB's default is 300
    /// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html>).
    #[must_use]
    pub fn deregistration_delay(&self) -> u32 {
        self.deregistration_delay_seconds.unwrap_or(300)
    }
}

/// Whether this can be the number of an AWS account.
#[must_use]
pub fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether this can be the id of a security group.
#[must_use]
pub fn is_security_group(text: &str) -> bool {
    let id = text.strip_prefix("sg-").unwrap_or_default();
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether this is a time in the notation of External Secrets, such as `5m`.
#[must_use]
pub fn is_duration(text: &str) -> bool {
    let number = text.trim_end_matches(['s', 'm', 'h']);
    number.len() + 1 == text.len() && number.parse::<u32>().is_ok()
}

/// Who reads the result of a translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// A person: what the operator would do over time is not done, and notes say so.
    Convert,
    /// The running operator.
    Controller,
}

/// What a HorizontalPodAutoscaler or ScaledObject scales.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WorkloadTarget {
    /// The EcsService, whose controller recomputes the rollout numbers.
    EcsService,
    /// The Deployment itself, where the operator does not run.
    Deployment,
}

/// Where tasks that ask for Fargate run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Compute {
    /// On nodes like all others.
    Nodes,
    /// On EKS Fargate, with its limits.
    EksFargate,
}

/// How pods get AWS credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Iam {
    /// IAM roles for service accounts.
    Irsa,
    /// EKS Pod Identity.
    PodIdentity,
    /// Not at all.
    None,
}

/// What happens when an essential container of several exits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EssentialExit {
    /// The operator replaces the pod, with its grace period.
    Replace,
    /// The kubelet restarts that container alone.
    RestartInPlace,
    /// The kubelet restarts all containers, without grace (Kubernetes 1.36).
    RestartAllContainers,
}

/// Which External Secrets store is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SecretStore {
    /// A SecretStore per execution role, made here.
    PerExecutionRole,
    /// A ClusterSecretStore that exists already.
    Cluster,
}

/// What becomes of targets in a target group that are not of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TargetGroups {
    /// They stay, such as the tasks that ECS runs.
    Shared,
    /// They are deregistered.
    Exclusive,
}

/// When the kubelet asks the registry for an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ImagePullPolicy {
    /// At every start for tags, as ECS does; digests never change.
    AlwaysForTags,
    /// Only when the node does not have the image, for side-loaded images.
    IfNotPresent,
}

//! All inputs of validation and translation besides the documents.
//!
//! The clock, the cluster's version and the account are not looked up but specified here, so that the same input and
//! the same settings result in the same bytes on every machine.

mod annotations;
mod capacity;
mod cloud_watch;
mod credential_spec;
mod device;
mod dns;
mod external_metrics;
mod fsx;
mod identity;
mod metric_queries;
mod metric_sources;
mod query_template;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub(crate) use self::dns::{is_bounded, is_label_value};
pub use self::{
    annotations::is_setting, capacity::*, cloud_watch::*, credential_spec::*, device::*,
    dns::is_subdomain, external_metrics::*, fsx::*, identity::*, metric_queries::*,
    metric_sources::*,
};
pub use crate::{addons::Addon, names::*};

/// The maximum of settings in seconds.
pub const LONGEST_SECONDS: u32 = 3600;

/// The oldest supported Kubernetes minor version (1.33).
pub const OLDEST_KUBERNETES_MINOR: u32 = 33;
/// The newest supported Kubernetes minor version (1.37).
pub const NEWEST_KUBERNETES_MINOR: u32 = 37;

/// All inputs of validation and translation besides the documents.
///
/// The operator stores the settings that a service revision was rendered with, so members keep their names, and a
/// member that an older version of the operator did not store has its default. A new member with its default is not
/// stored: settings that nobody changed are the same in each version, and what runs does not have to be rendered again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Settings {
    /// The namespace of the objects.
    #[serde(skip)]
    pub namespace: String,
    /// Whether that is specified. Otherwise custom resources name none, and `kubectl` decides.
    #[serde(skip)]
    pub namespace_is_given: bool,
    /// Whether the result is for a cluster at once, so that nothing can be filled in any more.
    #[serde(skip)]
    pub in_cluster: bool,
    /// The minor version of the cluster: 36 for Kubernetes 1.36.
    pub kubernetes_minor: u32,
    /// Who uses the result.
    pub mode: Mode,
    /// The target of autoscalers.
    pub workload_target: WorkloadTarget,
    /// Where tasks that request Fargate run.
    pub compute: Compute,
    /// How pods get AWS credentials.
    pub iam: Iam,
    /// What happens when an essential container exits in a task of several containers.
    pub essential_exit: EssentialExit,
    /// Seconds between deregistration from a load balancer and SIGTERM, if specified. In AWS, this is an attribute of
    /// the target group, which is not looked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deregistration_delay_seconds: Option<u32>,
    /// The security group of the EKS cluster, which pods need in addition to those of their task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_security_group: Option<String>,
    /// Whether targets outside the cluster stay in target groups, if specified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_groups: Option<TargetGroups>,
    /// Which secret store is used with the execution role.
    pub secret_store: SecretStore,
    /// How often External Secrets refreshes secrets, in its notation (`5m`).
    pub secret_refresh_interval: String,
    /// The AWS account, needed for roles specified by name.
    pub aws_account_id: Option<String>,
    /// The AWS partition: `aws`, `aws-cn`, `aws-us-gov`.
    pub aws_partition: String,
    /// The AWS region, needed for SSM parameters specified by name and for CloudWatch metrics.
    pub aws_region: Option<String>,
    /// The EKS cluster's name, for Pod Identity associations.
    pub eks_cluster_name: Option<String>,
    /// The RuntimeClass for ISOLATED_SANDBOX.
    pub isolated_sandbox_runtime_class: Option<String>,
    /// The resource of the NVIDIA device plugin that a GPU is, if it is not `nvidia.com/gpu`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu_resource: Option<String>,
    /// The class of the Ingress of an exposed service.
    pub ingress_class: String,
    /// Whether a service with port mappings gets a ClusterIP Service of its name.
    pub cluster_ip_services: bool,
    /// Whether S3 Files volumes are translated instead of rejected.
    pub allow_s3_files: bool,
    /// When the kubelet checks the registry for an image.
    pub image_pull_policy: ImagePullPolicy,
    /// Seconds until a task without any health check counts as steady (ECS: 40).
    pub steady_seconds: u32,
    /// Which agent on the nodes sends logs to CloudWatch.
    #[serde(skip_serializing_if = "is_default")]
    pub logs: LogAgent,
    /// Where tasks run that ask for Fargate Spot while there is no Spot capacity.
    #[serde(skip_serializing_if = "is_default")]
    pub fargate_spot_fallback: SpotFallback,
    /// The IDs of users and groups that task definitions name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub users: BTreeMap<String, Identity>,
    /// The resources of device plugins that devices of the host are, by their paths. Only an administrator sets this
    /// and what follows up to the add-ons: it decides what pods get of nodes and of other systems.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub devices: BTreeMap<String, String>,
    /// Whether a container that has a device of the host runs privileged.
    #[serde(skip_serializing_if = "is_default")]
    pub allow_host_devices: bool,
    /// Whether the nodes have the NRI plugin `ulimit-adjuster`, which no API shows.
    #[serde(skip_serializing_if = "is_default")]
    pub ulimit_adjuster: bool,
    /// Whether images of private ECR registries are pulled with the execution role.
    #[serde(skip_serializing_if = "is_default")]
    pub ecr_pull_secrets: EcrPullSecrets,
    /// The names of the GMSACredentialSpecs that were made from credential specs, by the locations of these.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub gmsa_credential_specs: BTreeMap<String, String>,
    /// The DNS names of file systems of FSx for Windows File Server, by their IDs.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fsx_hosts: BTreeMap<String, String>,
    /// The add-ons that are installed in the cluster.
    pub addons: BTreeSet<Addon>,
    /// Which nodes the pods of capacity providers select, by the names of the providers. Pods of all others select a
    /// label. Only the providers that a service or task names are in it, so that it stays as it is for the rest.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub capacity_providers: BTreeMap<String, NodeSelection>,
    /// The capacity providers whose nodes get the label without anyone setting it. It changes no pod, and is not stored.
    #[serde(skip)]
    pub labeled_providers: BTreeSet<String>,
    /// Whether the cluster is taken to have nothing from AWS. Only the command line knows, so it is not stored.
    #[serde(skip)]
    pub outside_aws: bool,
    /// The CloudWatch metrics that the operator reads. Only who scales a service depends on them, which follows the settings
    /// of today like counts, so they are not stored.
    #[serde(skip)]
    pub metric_sources: MetricSources,
    /// Whether the operator runs the policies of the service already, so that a metric that it can no longer measure takes
    /// none of the others from it. Not stored, as above.
    #[serde(skip)]
    pub keeps_policies: bool,
    /// The contents of environment files, by S3 object ARN.
    #[serde(skip)]
    pub environment_files: BTreeMap<String, String>,
    /// The contents of configuration files of FireLens, by S3 object ARN.
    #[serde(skip)]
    pub firelens_files: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            namespace: "default".to_owned(),
            namespace_is_given: false,
            in_cluster: false,
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
            gpu_resource: None,
            ingress_class: "alb".to_owned(),
            cluster_ip_services: true,
            allow_s3_files: false,
            image_pull_policy: ImagePullPolicy::AlwaysForTags,
            steady_seconds: 40,
            logs: LogAgent::None,
            fargate_spot_fallback: SpotFallback::None,
            users: BTreeMap::new(),
            devices: BTreeMap::new(),
            allow_host_devices: false,
            ulimit_adjuster: false,
            ecr_pull_secrets: EcrPullSecrets::Off,
            gmsa_credential_specs: BTreeMap::new(),
            fsx_hosts: BTreeMap::new(),
            addons: Addon::ALL.iter().copied().collect(),
            capacity_providers: BTreeMap::new(),
            labeled_providers: BTreeSet::new(),
            outside_aws: false,
            metric_sources: MetricSources::default(),
            keeps_policies: false,
            environment_files: BTreeMap::new(),
            firelens_files: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// Whether the cluster has `addon`.
    #[must_use]
    pub fn has(&self, addon: Addon) -> bool {
        self.addons.contains(&addon)
    }

    /// Returns the seconds between deregistration from a load balancer and SIGTERM; ELB's default is 300
    /// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html>).
    #[must_use]
    pub fn deregistration_delay(&self) -> u32 {
        self.deregistration_delay_seconds.unwrap_or(300)
    }
}

/// Whether this is a valid ID of an AWS account.
#[must_use]
pub fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether this is a valid ID of a security group.
#[must_use]
pub fn is_security_group(text: &str) -> bool {
    let id = text.strip_prefix("sg-").unwrap_or_default();
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether this is a resource of the NVIDIA device plugin, such as `nvidia.com/gpu.shared` or `nvidia.com/mig-1g.5gb`
/// (<https://github.com/NVIDIA/k8s-device-plugin#shared-access-to-gpus>). GPUs of ECS are those of NVIDIA, and no other
/// device shall be available under the name of a GPU.
#[must_use]
pub fn is_gpu_resource(text: &str) -> bool {
    text.starts_with("nvidia.com/") && is_extended_resource(text)
}

/// Whether this is a time in the notation of External Secrets, such as `5m`.
#[must_use]
pub fn is_duration(text: &str) -> bool {
    let number = text.trim_end_matches(['s', 'm', 'h']);
    number.len() + 1 == text.len() && number.parse::<u32>().is_ok()
}

/// Who uses the result of a translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// A person: later actions of the operator do not happen, and notes report that.
    Convert,
    /// The running operator.
    Controller,
}

/// What a HorizontalPodAutoscaler or ScaledObject scales.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WorkloadTarget {
    /// The EcsService, whose controller recalculates the rollout numbers.
    EcsService,
    /// The Deployment itself, if the operator is not running.
    Deployment,
}

/// Where tasks that request Fargate run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Compute {
    /// On nodes, like all other tasks.
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
    /// No credentials.
    None,
}

/// What happens when an essential container exits in a task of several containers.
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
    /// A SecretStore per execution role, created by this program.
    PerExecutionRole,
    /// An existing ClusterSecretStore.
    Cluster,
}

/// Whether pods have pull secrets for private ECR registries, which External Secrets makes with the execution role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EcrPullSecrets {
    /// They have none: the node pulls.
    #[default]
    Off,
    /// They have them.
    On,
    /// They should have them, but the cluster does not have the kind `ECRAuthorizationToken`, so the node pulls.
    NoGenerator,
}

impl EcrPullSecrets {
    /// Returns what is possible of this in a cluster that has the kind `ECRAuthorizationToken`, or does not.
    #[must_use]
    pub const fn in_cluster(self, has_generator: bool) -> Self {
        match (self, has_generator) {
            (Self::Off, _) => Self::Off,
            (Self::On | Self::NoGenerator, true) => Self::On,
            (Self::On | Self::NoGenerator, false) => Self::NoGenerator,
        }
    }
}

/// What happens to targets in a target group that are not in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TargetGroups {
    /// They stay, for example tasks that ECS runs.
    Shared,
    /// They are deregistered.
    Exclusive,
}

/// When the kubelet checks the registry for an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ImagePullPolicy {
    /// At every start for tags, as in ECS; digests never change.
    AlwaysForTags,
    /// Only when the node does not have the image, for side-loaded images.
    IfNotPresent,
}

/// Which agent on the nodes sends the logs of containers with driver `awslogs` to CloudWatch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LogAgent {
    /// None that this program knows.
    #[default]
    None,
    /// The Fluent Bit of the Helm chart, which follows the annotations of pods.
    FluentBit,
}

/// Where tasks run that ask for Fargate Spot while there is no Spot capacity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SpotFallback {
    /// Nowhere: they wait for it, as in ECS.
    #[default]
    None,
    /// On other nodes.
    OnDemand,
}

/// Whether a setting has its default, and need not be stored.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_setting_with_its_default_is_not_stored() {
        let stored = serde_json::to_value(Settings::default()).expect("settings are plain data");
        let members = stored.as_object().expect("they are an object").keys();
        // This list stays as it is: services of older versions have the digest of these members.
        let first = [
            "kubernetesMinor",
            "mode",
            "workloadTarget",
            "compute",
            "iam",
            "essentialExit",
            "secretStore",
            "secretRefreshInterval",
            "awsAccountId",
            "awsPartition",
            "awsRegion",
            "eksClusterName",
            "isolatedSandboxRuntimeClass",
            "ingressClass",
            "clusterIpServices",
            "allowS3Files",
            "imagePullPolicy",
            "steadySeconds",
            "addons",
        ];
        assert_eq!(members.collect::<Vec<_>>(), first);
    }
}

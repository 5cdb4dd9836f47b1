//! The settings of every translation, as options of `convert` and `controller`.

use std::collections::BTreeMap;

use clap::{Args, ValueEnum};

use super::values::{
    account_id, credential_spec, device, duration, fsx_host, gpu_resource, identity,
    security_group, values,
};
use crate::settings::{
    Compute, EcrPullSecrets, EssentialExit, Iam, Identity, ImagePullPolicy, LogAgent, SecretStore,
    Settings, SpotFallback, TargetGroups, add_identity,
};

/// The settings of every translation.
#[derive(Debug, Args)]
pub(super) struct SettingsOptions {
    /// The platform that the objects will run on
    #[arg(long, value_enum, default_value = "eks", help_heading = "Cluster")]
    pub(super) platform: Platform,
    /// The Ingress class for exposed services [default: alb; the cluster's default on platforms other than EKS]
    #[arg(long, value_name = "CLASS", help_heading = "Cluster")]
    ingress_class: Option<String>,
    /// The RuntimeClass to use for ISOLATED_SANDBOX
    #[arg(long, value_name = "CLASS", help_heading = "Cluster")]
    isolated_sandbox_runtime_class: Option<String>,
    /// The agent on the nodes that sends logs to CloudWatch: none, or the Fluent Bit of the Helm chart
    #[arg(long, value_enum, default_value = "none", help_heading = "Cluster")]
    logs: LogAgentArgument,
    /// The resource of the NVIDIA device plugin that a GPU is, such as nvidia.com/gpu.shared [default: nvidia.com/gpu]
    #[arg(long, value_name = "NAME", value_parser = gpu_resource, help_heading = "Cluster")]
    gpu_resource: Option<String>,
    #[command(flatten)]
    nodes: NodeOptions,
    #[command(flatten)]
    behavior: BehaviorOptions,
    #[command(flatten)]
    aws: AwsOptions,
}

/// What containers get of their nodes. Only an administrator decides this, so objects have no annotation for it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Nodes")]
struct NodeOptions {
    /// The resource of a device plugin that a device of the host is, such as /dev/fuse=example.com/fuse
    #[arg(long = "device", value_name = "HOSTPATH=RESOURCE", value_parser = device)]
    devices: Vec<(String, String)>,
    /// Run containers privileged that have other devices of the host, instead of rejecting them
    #[arg(long)]
    allow_host_devices: bool,
    /// The nodes have the NRI plugin ulimit-adjuster, which applies the ulimits of containers
    #[arg(long)]
    ulimit_adjuster: bool,
    /// The GMSACredentialSpec made from a credential spec in S3, SSM or a file, such as arn:aws:s3:::specs/web.json=web
    #[arg(long = "gmsa-credential-spec", value_name = "ARN=NAME", value_parser = credential_spec)]
    gmsa_credential_specs: Vec<(String, String)>,
    /// The DNS name of a file system of FSx for Windows File Server, which cannot be derived from its ID
    #[arg(long = "fsx-host", value_name = "FSID=DNSNAME", value_parser = fsx_host)]
    fsx_hosts: Vec<(String, String)>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Behavior")]
struct BehaviorOptions {
    /// What happens when an essential container exits in a task of several containers
    #[arg(long, value_enum, default_value = "replace")]
    essential_exit: EssentialExitArgument,
    /// Seconds between deregistration from a load balancer and SIGTERM [default: 300, with a warning]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(0..=3600))]
    deregistration_delay: Option<u32>,
    /// Whether targets outside the cluster, such as ECS tasks, stay in target groups [default: shared, with a warning]
    #[arg(long, value_enum)]
    target_groups: Option<TargetGroupsArgument>,
    /// Seconds until a task without any health check counts as steady
    #[arg(long, default_value_t = 40, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(0..=3600))]
    steady_seconds: u32,
    /// When the kubelet checks the registry for an image: for every tag as in ECS, or only if the image is missing
    #[arg(long, value_enum, default_value = "always-for-tags")]
    image_pull_policy: ImagePullPolicyArgument,
    /// Where tasks run that ask for FARGATE_SPOT while there is no Spot capacity: nowhere as in ECS, or on other nodes
    #[arg(long, value_enum, default_value = "none")]
    fargate_spot_fallback: SpotFallbackArgument,
    /// Create no ClusterIP Service for services that only have port mappings
    #[arg(long)]
    no_cluster_ip_services: bool,
    /// The IDs of a user in images that task definitions name, or of a group as :NAME=GID
    #[arg(long = "user", value_name = "NAME=UID[:GID]", value_parser = identity, value_delimiter = ',')]
    users: Vec<(String, Identity)>,
    /// Translate S3 Files volumes instead of rejecting them
    #[arg(long)]
    allow_s3_files: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "AWS")]
struct AwsOptions {
    /// How pods get the credentials of their task role
    #[arg(long, value_enum, default_value = "irsa")]
    iam: IamArgument,
    /// The AWS account, for roles given by name
    #[arg(long, value_name = "ID", value_parser = account_id)]
    aws_account_id: Option<String>,
    /// The AWS region, for SSM parameters given by name and for CloudWatch metrics
    #[arg(long, value_name = "REGION")]
    aws_region: Option<String>,
    /// The AWS partition
    #[arg(long, default_value = "aws", value_name = "PARTITION")]
    aws_partition: String,
    /// The name of the EKS cluster, for Pod Identity associations
    #[arg(long, value_name = "NAME")]
    eks_cluster_name: Option<String>,
    /// The security group of the EKS cluster, which pods with their own security groups need too
    #[arg(long, value_name = "ID", value_parser = security_group)]
    cluster_security_group: Option<String>,
    /// Where secrets are read from: a store for each execution role, or the cluster's own store
    #[arg(long, value_enum, default_value = "per-execution-role")]
    secret_store: SecretStoreArgument,
    /// Have External Secrets make pull secrets for private images of ECR with the execution role, instead of pulling with
    /// the role of the node
    #[arg(long)]
    ecr_pull_secrets: bool,
    /// How often secrets are refreshed
    #[arg(long, default_value = "5m", value_name = "DURATION", value_parser = duration)]
    secret_refresh_interval: String,
}

/// The platform that the objects will run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Platform {
    /// Amazon EKS with nodes and its usual add-ons
    Eks,
    /// Amazon EKS, with Fargate tasks on Fargate profiles
    EksFargate,
    /// Any other Kubernetes, with External Secrets and KEDA and nothing from AWS
    Kubernetes,
}

values! {
    EssentialExitArgument => EssentialExit {
        Replace => Self::Replace,
        RestartInPlace => Self::RestartInPlace,
        RestartAllContainers => Self::RestartAllContainers,
    }
    ImagePullPolicyArgument => ImagePullPolicy {
        AlwaysForTags => Self::AlwaysForTags,
        IfNotPresent => Self::IfNotPresent,
    }
    SpotFallbackArgument => SpotFallback {
        None => Self::None,
        OnDemand => Self::OnDemand,
    }
    LogAgentArgument => LogAgent {
        None => Self::None,
        FluentBit => Self::FluentBit,
    }
    TargetGroupsArgument => TargetGroups {
        Shared => Self::Shared,
        Exclusive => Self::Exclusive,
    }
    IamArgument => Iam {
        Irsa => Self::Irsa,
        PodIdentity => Self::PodIdentity,
        None => Self::None,
    }
    SecretStoreArgument => SecretStore {
        PerExecutionRole => Self::PerExecutionRole,
        Cluster => Self::Cluster,
    }
}

impl SettingsOptions {
    /// Returns these settings; all others are those of a conversion without options.
    pub(super) fn settings(&self) -> Settings {
        let Self {
            platform,
            ingress_class,
            isolated_sandbox_runtime_class,
            logs,
            gpu_resource,
            nodes,
            behavior,
            aws,
        } = self;
        let mut users = BTreeMap::new();
        for (name, identity) in &behavior.users {
            add_identity(&mut users, name.clone(), *identity);
        }
        Settings {
            users,
            devices: nodes.devices.iter().cloned().collect(),
            allow_host_devices: nodes.allow_host_devices,
            ulimit_adjuster: nodes.ulimit_adjuster,
            fsx_hosts: nodes.fsx_hosts.iter().cloned().collect(),
            gmsa_credential_specs: nodes.gmsa_credential_specs.iter().cloned().collect(),
            compute: match platform {
                Platform::EksFargate => Compute::EksFargate,
                Platform::Eks | Platform::Kubernetes => Compute::Nodes,
            },
            iam: aws.iam.into(),
            essential_exit: behavior.essential_exit.into(),
            deregistration_delay_seconds: behavior.deregistration_delay,
            cluster_security_group: aws.cluster_security_group.clone(),
            target_groups: behavior.target_groups.map(Into::into),
            secret_store: aws.secret_store.into(),
            ecr_pull_secrets: if aws.ecr_pull_secrets {
                EcrPullSecrets::On
            } else {
                EcrPullSecrets::Off
            },
            secret_refresh_interval: aws.secret_refresh_interval.clone(),
            aws_account_id: aws.aws_account_id.clone(),
            aws_partition: aws.aws_partition.clone(),
            aws_region: aws.aws_region.clone(),
            eks_cluster_name: aws.eks_cluster_name.clone(),
            gpu_resource: gpu_resource.clone(),
            isolated_sandbox_runtime_class: isolated_sandbox_runtime_class.clone(),
            ingress_class: ingress_class.clone().unwrap_or_else(|| match platform {
                Platform::Eks | Platform::EksFargate => "alb".to_owned(),
                Platform::Kubernetes => String::new(),
            }),
            cluster_ip_services: !behavior.no_cluster_ip_services,
            allow_s3_files: behavior.allow_s3_files,
            image_pull_policy: behavior.image_pull_policy.into(),
            steady_seconds: behavior.steady_seconds,
            fargate_spot_fallback: behavior.fargate_spot_fallback.into(),
            logs: (*logs).into(),
            ..Settings::default()
        }
    }
}

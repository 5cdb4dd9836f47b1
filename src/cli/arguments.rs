//! What can be typed, and the settings that it means.

use std::{collections::BTreeSet, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::{
    Error,
    values::{account_id, denied, duration, kubernetes_minor, namespace, pair},
};
use crate::{
    convert::{Denied, Target},
    settings::{
        Addon, Compute, EssentialExit, Iam, ImagePullPolicy, Mode, SecretStore, Settings,
        WorkloadTarget,
    },
};

/// Amazon ECS task definitions, services and tasks on Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "ecs-operator", version, about)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Translate ECS documents to Kubernetes objects, without a cluster
    Convert(Box<ConvertOptions>),
    /// Tell how a field is translated, or what a reason means
    Explain(ExplainOptions),
}

#[derive(Debug, Args)]
pub(super) struct ExplainOptions {
    /// A field such as containerDefinitions.dependsOn, or a reason; without it all fields are listed
    pub(super) name: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ConvertOptions {
    /// Files, folders, or - for standard input
    #[arg(required = true, value_name = "INPUT")]
    pub(super) inputs: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) input: InputOptions,
    #[command(flatten)]
    pub(super) output: OutputOptions,
    #[command(flatten)]
    cluster: ClusterOptions,
    #[command(flatten)]
    behaviour: BehaviourOptions,
    #[command(flatten)]
    aws: AwsOptions,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Input")]
pub(super) struct InputOptions {
    /// Fill the placeholders <NAME>, ${NAME} and {{ NAME }}
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
    pub(super) fill: Vec<(String, String)>,
    /// Give the contents of an environment file that is kept in S3
    #[arg(long = "env-file", value_name = "ARN=PATH", value_parser = pair)]
    environment_files: Vec<(String, String)>,
    /// Say what each document was taken for, and why
    #[arg(long)]
    pub(super) explain_input: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct OutputOptions {
    /// What to make
    #[arg(
        long = "as",
        value_enum,
        default_value = "manifests",
        value_name = "WHAT"
    )]
    target: TargetArgument,
    /// How to write it
    #[arg(long, value_enum, default_value = "yaml")]
    pub(super) output: Format,
    /// Write a file for each object into this folder instead of standard output
    #[arg(long, value_name = "FOLDER")]
    pub(super) output_dir: Option<PathBuf>,
    /// How to write diagnostics
    #[arg(long, value_enum, default_value = "full")]
    pub(super) diagnostics: DiagnosticsFormat,
    /// Reject documents with warnings: all, or those with these reasons
    #[arg(
        long,
        value_name = "REASON,...",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "all",
        value_parser = denied
    )]
    deny_warnings: Option<Denied>,
    /// Show notes too
    #[arg(long, short)]
    pub(super) verbose: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Cluster")]
struct ClusterOptions {
    /// The namespace of the objects
    #[arg(long, default_value = "default", value_parser = namespace)]
    namespace: String,
    /// Where the objects will run
    #[arg(long, value_enum, default_value = "eks")]
    platform: Platform,
    /// The version of Kubernetes, 1.33 to 1.37
    #[arg(long, default_value = "1.36", value_parser = kubernetes_minor, value_name = "VERSION")]
    kubernetes_version: u32,
    /// Assume that this add-on is installed
    #[arg(long, value_enum, value_name = "ADD-ON")]
    with_addon: Vec<AddonArgument>,
    /// Assume that this add-on is not installed
    #[arg(long, value_enum, value_name = "ADD-ON")]
    without_addon: Vec<AddonArgument>,
    /// The class of the Ingress of an exposed service [default: alb; the cluster's own elsewhere than on EKS]
    #[arg(long, value_name = "CLASS")]
    ingress_class: Option<String>,
    /// The RuntimeClass that stands for ISOLATED_SANDBOX
    #[arg(long, value_name = "CLASS")]
    isolated_sandbox_runtime_class: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Behaviour")]
struct BehaviourOptions {
    /// What autoscalers scale [default: deployment]
    #[arg(long, value_enum)]
    workload_target: Option<WorkloadTargetArgument>,
    /// What happens when an essential container of several exits
    #[arg(long, value_enum, default_value = "replace")]
    essential_exit: EssentialExitArgument,
    /// Seconds between deregistration from a load balancer and SIGTERM
    #[arg(long, default_value_t = 300, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(0..=3600))]
    deregistration_delay: u32,
    /// Seconds until a task without any health check counts as steady
    #[arg(long, default_value_t = 40, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(0..=3600))]
    steady_seconds: u32,
    /// When the kubelet asks the registry for an image: for every tag as ECS does, or if it is not present
    #[arg(long, value_enum, default_value = "always-for-tags")]
    image_pull_policy: ImagePullPolicyArgument,
    /// Make no ClusterIP Service for services that only have port mappings
    #[arg(long)]
    no_cluster_ip_services: bool,
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
    /// The account, for roles that are given by name
    #[arg(long, value_name = "ID", value_parser = account_id)]
    aws_account_id: Option<String>,
    /// The region, for SSM parameters that are given by name and for CloudWatch metrics
    #[arg(long, value_name = "REGION")]
    aws_region: Option<String>,
    /// The partition
    #[arg(long, default_value = "aws", value_name = "PARTITION")]
    aws_partition: String,
    /// The name of the EKS cluster, for Pod Identity associations
    #[arg(long, value_name = "NAME")]
    eks_cluster_name: Option<String>,
    /// Where secrets are read: with a store for each execution role, or with the cluster's own
    #[arg(long, value_enum, default_value = "per-execution-role")]
    secret_store: SecretStoreArgument,
    /// How often secrets are read again
    #[arg(long, default_value = "5m", value_name = "DURATION", value_parser = duration)]
    secret_refresh_interval: String,
}

/// Declares an enum of the command line and what each value stands for.
macro_rules! values {
    ($($name:ident => $target:ty { $($variant:ident => $value:expr,)* })*) => {
        $(
            #[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
            enum $name { $($variant,)* }

            impl From<$name> for $target {
                fn from(argument: $name) -> Self {
                    match argument { $($name::$variant => $value,)* }
                }
            }
        )*
    };
}

values! {
    TargetArgument => Target {
        Manifests => Self::Manifests,
        Resources => Self::Resources,
    }
    WorkloadTargetArgument => WorkloadTarget {
        Deployment => Self::Deployment,
        EcsService => Self::EcsService,
    }
    EssentialExitArgument => EssentialExit {
        Replace => Self::Replace,
        RestartInPlace => Self::RestartInPlace,
        RestartAllContainers => Self::RestartAllContainers,
    }
    ImagePullPolicyArgument => ImagePullPolicy {
        AlwaysForTags => Self::AlwaysForTags,
        IfNotPresent => Self::IfNotPresent,
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
    AddonArgument => Addon {
        AwsLoadBalancerController => Self::AwsLoadBalancerController,
        EksAutoMode => Self::EksAutoMode,
        ExternalSecrets => Self::ExternalSecrets,
        Keda => Self::Keda,
        SecurityGroupsForPods => Self::SecurityGroupsForPods,
        AckEks => Self::AckEks,
    }
}

/// How objects are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// YAML documents
    Yaml,
    /// One List, indented
    Json,
}

/// How diagnostics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum DiagnosticsFormat {
    /// With an excerpt of the file
    Full,
    /// One line each
    Concise,
    /// One JSON object each
    Json,
    /// Annotations of a GitHub workflow
    Github,
}

/// Where the objects will run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Platform {
    /// Amazon EKS with nodes and its usual add-ons
    Eks,
    /// Amazon EKS, Fargate tasks on Fargate profiles
    EksFargate,
    /// Any other Kubernetes: External Secrets and KEDA, nothing of AWS
    Kubernetes,
}

impl ConvertOptions {
    /// What is made.
    pub(super) fn target(&self) -> Target {
        self.output.target.into()
    }

    /// Which warnings reject a document.
    pub(super) fn denied(&self) -> Denied {
        self.output.deny_warnings.clone().unwrap_or_default()
    }

    /// The settings; reads the environment files.
    pub(super) fn settings(&self) -> Result<Settings, Error> {
        let Self {
            inputs: _,
            input,
            output,
            cluster,
            behaviour,
            aws,
        } = self;
        let target = Target::from(output.target);
        let mut settings = Settings {
            namespace: cluster.namespace.clone(),
            kubernetes_minor: cluster.kubernetes_version,
            mode: if target == Target::Resources {
                Mode::Controller
            } else {
                Mode::Convert
            },
            workload_target: behaviour
                .workload_target
                .map_or(WorkloadTarget::Deployment, Into::into),
            compute: match cluster.platform {
                Platform::EksFargate => Compute::EksFargate,
                Platform::Eks | Platform::Kubernetes => Compute::Nodes,
            },
            iam: aws.iam.into(),
            essential_exit: behaviour.essential_exit.into(),
            deregistration_delay_seconds: behaviour.deregistration_delay,
            secret_store: aws.secret_store.into(),
            secret_refresh_interval: aws.secret_refresh_interval.clone(),
            aws_account_id: aws.aws_account_id.clone(),
            aws_partition: aws.aws_partition.clone(),
            aws_region: aws.aws_region.clone(),
            eks_cluster_name: aws.eks_cluster_name.clone(),
            isolated_sandbox_runtime_class: cluster.isolated_sandbox_runtime_class.clone(),
            ingress_class: cluster.ingress_class.clone().unwrap_or_else(|| {
                match cluster.platform {
                    Platform::Eks | Platform::EksFargate => "alb".to_owned(),
                    Platform::Kubernetes => String::new(),
                }
            }),
            cluster_ip_services: !behaviour.no_cluster_ip_services,
            allow_s3_files: behaviour.allow_s3_files,
            image_pull_policy: behaviour.image_pull_policy.into(),
            steady_seconds: behaviour.steady_seconds,
            addons: cluster.addons(),
            environment_files: std::collections::BTreeMap::new(),
        };
        for (arn, path) in &input.environment_files {
            let path = PathBuf::from(path);
            let text =
                std::fs::read_to_string(&path).map_err(|source| Error::Read { path, source })?;
            settings.environment_files.insert(arn.clone(), text);
        }
        Ok(settings)
    }
}

impl ClusterOptions {
    fn addons(&self) -> BTreeSet<Addon> {
        let mut addons: BTreeSet<Addon> = match self.platform {
            Platform::Eks | Platform::EksFargate => Addon::ALL.iter().copied().collect(),
            Platform::Kubernetes => [Addon::ExternalSecrets, Addon::Keda].into(),
        };
        addons.extend(self.with_addon.iter().map(|addon| Addon::from(*addon)));
        for addon in &self.without_addon {
            addons.remove(&Addon::from(*addon));
        }
        addons
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn defaults_are_those_of_the_settings() {
        let arguments = Arguments::parse_from(["ecs-operator", "convert", "x.json"]);
        let Command::Convert(options) = arguments.command else {
            panic!("not convert");
        };
        assert_eq!(options.settings().unwrap(), Settings::default());
        assert_eq!(options.denied(), Denied::Nothing);
    }
}

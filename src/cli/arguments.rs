//! The command-line arguments, and the settings that they set.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::{
    Error,
    app_runner::AppRunnerOptions,
    cluster::{
        DiffOptions, ImagesOptions, LogsOptions, RenewOptions, RunOptions, ScalingOptions,
        StatusOptions,
    },
    controller::ControllerOptions,
    layout::Layout,
    settings::{Platform, SettingsOptions},
    simulate::SimulateOptions,
    values::{denied, fill, kubernetes_minor, namespace, overlay, pair, values, warning},
};
use crate::{
    convert::{Denied, Target},
    diagnostic::Reason,
    settings::{Addon, Mode, Settings, WorkloadTarget},
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
    /// Run the operator in a cluster
    Controller(Box<ControllerOptions>),
    /// Explain how a field is translated, or what a reason means
    Explain(ExplainOptions),
    /// Show a service in a cluster: its deployments, tasks and events
    Status(StatusOptions),
    /// Print the logs of a service's or task's containers
    Logs(LogsOptions),
    /// Show what applying resources or ECS documents would change in a cluster, and which tasks it would replace
    Diff(Box<DiffOptions>),
    /// Say which images that services run, or return to, a lifecycle policy of ECR deletes or archives
    Images(Box<ImagesOptions>),
    /// Explain the scaling of a service in a cluster
    Scaling(ScalingOptions),
    /// Play the scaling of a service over a load, without a cluster
    Simulate(SimulateOptions),
    /// Replace the tasks of services with tasks as this version would render them, a few services at a time
    Renew(RenewOptions),
    /// Help to move from App Runner
    Apprunner(AppRunnerOptions),
    /// Start the tasks of a schedule in a cluster now, whether it is due or not
    Run(RunOptions),
}

#[derive(Debug, Args)]
pub(super) struct ExplainOptions {
    /// A field such as containerDefinitions.dependsOn, a request such as CreateService, or a reason; without it, all fields are listed
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
    settings: SettingsOptions,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Input")]
pub(super) struct InputOptions {
    /// Fill in the placeholders <NAME>, ${NAME} and {{ NAME }}
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = fill)]
    pub(super) fill: Vec<(String, String)>,
    /// Give a parameter of a CloudFormation template or a variable of a Terraform configuration a value
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = pair)]
    pub(super) parameters: Vec<(String, String)>,
    /// Read parameters and variables from a file, as aws cloudformation takes them for create-stack and deploy
    #[arg(long = "parameters-file", value_name = "PATH")]
    pub(super) parameters_files: Vec<PathBuf>,
    /// The name of the stack that a CloudFormation template makes [default: the name of the file]
    #[arg(long, value_name = "NAME")]
    pub(super) stack_name: Option<String>,
    /// The environment of AWS Copilot for which its manifests are read [default: none, the manifest without any]
    #[arg(long, value_name = "NAME")]
    pub(super) environment: Option<String>,
    /// Give a container its image, in place of the one that its task definition has
    #[arg(long = "image", value_name = "CONTAINER=IMAGE", value_parser = pair)]
    pub(super) images: Vec<(String, String)>,
    /// Read the content of an environment file in S3 from a local file
    #[arg(long = "env-file", value_name = "ARN=PATH", value_parser = pair)]
    environment_files: Vec<(String, String)>,
    /// Read a configuration file of FireLens in S3 from a local file
    #[arg(long = "firelens-config", value_name = "ARN=PATH", value_parser = pair)]
    firelens_files: Vec<(String, String)>,
    /// Print how each document was recognized, and why
    #[arg(long)]
    pub(super) explain_input: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct OutputOptions {
    /// What to generate
    #[arg(
        long = "as",
        value_enum,
        default_value = "manifests",
        value_name = "WHAT"
    )]
    target: TargetArgument,
    /// The format of the output
    #[arg(long, value_enum, default_value = "yaml")]
    pub(super) output: Format,
    /// Write a file for each object into this folder instead of printing them
    #[arg(long, value_name = "FOLDER")]
    pub(super) output_dir: Option<PathBuf>,
    /// What the folder is laid out for; all but plain require --output-dir
    #[arg(
        long,
        value_enum,
        default_value = "plain",
        requires_ifs = [("kustomize", "output_dir"), ("helm", "output_dir")]
    )]
    pub(super) layout: Layout,
    /// Write an overlay of this name for --layout kustomize, unless it is there [default: default]
    #[arg(long = "overlay", value_name = "NAME", value_parser = overlay)]
    overlays: Vec<String>,
    /// The format of diagnostics
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
    /// Do not reject documents for warnings with these reasons
    #[arg(
        long,
        value_name = "REASON,...",
        value_delimiter = ',',
        requires = "deny_warnings",
        value_parser = warning
    )]
    allow_warnings: Vec<Reason>,
    /// Also show notes
    #[arg(long, short)]
    pub(super) verbose: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Cluster")]
struct ClusterOptions {
    /// The namespace of the objects [default: that of the custom resources in the input, if they name only one; otherwise `default`, or with `--as resources` the one that kubectl uses]
    #[arg(long, value_parser = namespace)]
    namespace: Option<String>,
    /// The version of Kubernetes, 1.33 to 1.37
    #[arg(long, default_value = "1.36", value_parser = kubernetes_minor, value_name = "VERSION")]
    kubernetes_version: u32,
    /// Assume that this add-on is installed
    #[arg(long, value_enum, value_name = "ADD-ON")]
    with_addon: Vec<AddonArgument>,
    /// Assume that this add-on is not installed
    #[arg(long, value_enum, value_name = "ADD-ON")]
    without_addon: Vec<AddonArgument>,
    /// What autoscalers scale [default: deployment]
    #[arg(long, value_enum)]
    workload_target: Option<WorkloadTargetArgument>,
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
    AddonArgument => Addon {
        AwsLoadBalancerController => Self::AwsLoadBalancerController,
        EksAutoMode => Self::EksAutoMode,
        ExternalSecrets => Self::ExternalSecrets,
        Keda => Self::Keda,
        SecurityGroupsForPods => Self::SecurityGroupsForPods,
        AckEks => Self::AckEks,
    }
}

/// The format of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// YAML documents
    Yaml,
    /// One List, indented
    Json,
}

/// The format of diagnostics.
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

impl OutputOptions {
    /// Returns the names of overlays, each once.
    pub(super) fn overlays(&self) -> Result<Vec<String>, Error> {
        let is_yaml = self.output == Format::Yaml;
        match self.layout {
            Layout::Kustomize | Layout::Helm if !is_yaml => Err(Error::LayoutIsYaml),
            Layout::Plain | Layout::Helm if !self.overlays.is_empty() => {
                Err(Error::OverlayWithoutKustomize)
            }
            Layout::Kustomize if self.overlays.is_empty() => Ok(vec!["default".to_owned()]),
            _ => {
                let names: BTreeSet<&String> = self.overlays.iter().collect();
                Ok(names.into_iter().cloned().collect())
            }
        }
    }
}

impl ConvertOptions {
    /// Returns what to generate.
    pub(super) fn target(&self) -> Target {
        self.output.target.into()
    }

    /// Returns which warnings reject a document.
    pub(super) fn denied(&self) -> Denied {
        let mut denied = self.output.deny_warnings.clone().unwrap_or_default();
        let allowed = self.output.allow_warnings.iter().copied();
        match &mut denied {
            Denied::Nothing => {}
            Denied::AllBut(spared) => spared.extend(allowed),
            Denied::Reasons(reasons) => {
                for reason in allowed {
                    reasons.remove(&reason);
                }
            }
        }
        denied
    }

    /// Returns the settings, after reading the environment files.
    pub(super) fn settings(&self) -> Result<Settings, Error> {
        let Self {
            inputs: _,
            input,
            output,
            cluster,
            settings,
        } = self;
        let target = Target::from(output.target);
        let mut settings = Settings {
            namespace_is_given: cluster.namespace.is_some(),
            kubernetes_minor: cluster.kubernetes_version,
            mode: if target == Target::Resources {
                Mode::Controller
            } else {
                Mode::Convert
            },
            workload_target: match (cluster.workload_target, target) {
                (Some(target), _) => target.into(),
                (None, Target::Resources) => WorkloadTarget::EcsService,
                (None, Target::Manifests) => WorkloadTarget::Deployment,
            },
            addons: cluster.addons(settings.platform),
            outside_aws: settings.platform == Platform::Kubernetes,
            ..settings.settings()
        };
        if let Some(namespace) = &cluster.namespace {
            settings.namespace.clone_from(namespace);
        }
        settings.environment_files = contents(&input.environment_files)?;
        settings.firelens_files = contents(&input.firelens_files)?;
        Ok(settings)
    }
}

/// Reads local files that stand for objects in S3.
fn contents(files: &[(String, String)]) -> Result<BTreeMap<String, String>, Error> {
    let read = |(arn, path): &(String, String)| {
        let path = PathBuf::from(path);
        let text = std::fs::read_to_string(&path).map_err(|source| Error::Read { path, source })?;
        Ok((arn.clone(), text))
    };
    files.iter().map(read).collect()
}

impl ClusterOptions {
    fn addons(&self, platform: Platform) -> BTreeSet<Addon> {
        let mut addons: BTreeSet<Addon> = match platform {
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

//! Everything that validation and translation may know besides their input.
//!
//! The clock, the cluster's version, the account: nothing is looked up, all of it is given here, so that the same
//! input and the same settings give the same bytes on every machine.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::diagnostic::{Diagnostics, FieldPath, Message, Subject, advice};

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
    /// Seconds between deregistration from a load balancer and SIGTERM (the target group's attribute; ELB's default is 300).
    pub deregistration_delay_seconds: u32,
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
            deregistration_delay_seconds: 300,
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

    /// These settings with those that the annotations of an object give instead. `path` is that of the annotations,
    /// for what is said about one of ours that is no setting, or has another value than it may have.
    #[must_use]
    pub fn with_annotations(
        mut self,
        annotations: &BTreeMap<String, String>,
        path: &FieldPath,
        sink: &mut Diagnostics,
    ) -> Self {
        let requests = requests_of(path.subject());
        for (key, value) in annotations {
            let Some(name) = key.strip_prefix(ANNOTATION_PREFIX) else {
                continue;
            };
            if requests.contains(&key.as_str()) {
                continue;
            }
            let Some((_, set)) = OF_OBJECTS.iter().find(|(known, _)| *known == name) else {
                let known = OF_OBJECTS.iter().map(|(name, _)| *name);
                let known = known.chain(requests.iter().copied());
                let message = Message::UnknownAnnotation {
                    name: key.clone(),
                    advice: advice(name, ANNOTATION_PREFIX, known.collect()),
                };
                sink.report(path.field(key.clone()), message);
                continue;
            };
            if let Err(allowed) = set(&mut self, value) {
                let value = match value.as_str() {
                    "" => "an empty text".to_owned(),
                    value => value.to_owned(),
                };
                let message = Message::InvalidValue { value, allowed };
                sink.report(path.field(key.clone()), message);
            }
        }
        self
    }
}

/// The annotations that are no settings: by which something is asked of the running operator, and its own notes.
const fn requests_of(subject: Subject) -> &'static [&'static str] {
    match subject {
        Subject::Service => &[RENEW_DEPLOYMENT, ROLL_BACK_DEPLOYMENT, STOP_DEPLOYMENT],
        Subject::Task => &[BEGUN],
        Subject::TaskDefinition | Subject::Cluster | Subject::AutoScaling => &[],
    }
}

/// Sets one setting to what a text says, or tells what it may say.
type Set = fn(&mut Settings, &str) -> Result<(), String>;

/// The settings that an object may have of its own, by the names of their annotations. All others are facts of the
/// cluster or of the whole conversion.
const OF_OBJECTS: &[(&str, Set)] = &[
    ("allow-s3-files", |s, text| {
        choose(&mut s.allow_s3_files, text, TRUTH)
    }),
    ("aws-account-id", |s, text| {
        let text = check(text, is_account_id, "12 digits")?;
        s.aws_account_id = Some(text);
        Ok(())
    }),
    ("aws-partition", |s, text| {
        s.aws_partition = check(text, |text| !text.is_empty(), "a partition such as aws")?;
        Ok(())
    }),
    ("aws-region", |s, text| {
        let text = check(text, |text| !text.is_empty(), "a region such as eu-west-1")?;
        s.aws_region = Some(text);
        Ok(())
    }),
    ("cluster-ip-services", |s, text| {
        choose(&mut s.cluster_ip_services, text, TRUTH)
    }),
    ("compute", |s, text| choose(&mut s.compute, text, COMPUTE)),
    ("deregistration-delay-seconds", |s, text| {
        seconds(&mut s.deregistration_delay_seconds, text)
    }),
    ("essential-exit", |s, text| {
        choose(&mut s.essential_exit, text, ESSENTIAL_EXIT)
    }),
    ("iam", |s, text| choose(&mut s.iam, text, IAM)),
    ("image-pull-policy", |s, text| {
        choose(&mut s.image_pull_policy, text, IMAGE_PULL_POLICY)
    }),
    ("ingress-class", |s, text| {
        text.clone_into(&mut s.ingress_class);
        Ok(())
    }),
    ("isolated-sandbox-runtime-class", |s, text| {
        let text = check(text, |text| !text.is_empty(), "the name of a RuntimeClass")?;
        s.isolated_sandbox_runtime_class = Some(text);
        Ok(())
    }),
    ("secret-refresh-interval", |s, text| {
        let allowed = "a number and s, m or h, such as 5m";
        s.secret_refresh_interval = check(text, is_duration, allowed)?;
        Ok(())
    }),
    ("secret-store", |s, text| {
        choose(&mut s.secret_store, text, SECRET_STORE)
    }),
    ("steady-seconds", |s, text| {
        seconds(&mut s.steady_seconds, text)
    }),
];

const TRUTH: &[(&str, bool)] = &[("true", true), ("false", false)];
const COMPUTE: &[(&str, Compute)] = &[
    ("nodes", Compute::Nodes),
    ("eks-fargate", Compute::EksFargate),
];
const ESSENTIAL_EXIT: &[(&str, EssentialExit)] = &[
    ("replace", EssentialExit::Replace),
    ("restart-in-place", EssentialExit::RestartInPlace),
    (
        "restart-all-containers",
        EssentialExit::RestartAllContainers,
    ),
];
const IAM: &[(&str, Iam)] = &[
    ("irsa", Iam::Irsa),
    ("pod-identity", Iam::PodIdentity),
    ("none", Iam::None),
];
const IMAGE_PULL_POLICY: &[(&str, ImagePullPolicy)] = &[
    ("always-for-tags", ImagePullPolicy::AlwaysForTags),
    ("if-not-present", ImagePullPolicy::IfNotPresent),
];
const SECRET_STORE: &[(&str, SecretStore)] = &[
    ("per-execution-role", SecretStore::PerExecutionRole),
    ("cluster", SecretStore::Cluster),
];

fn choose<T: Copy>(setting: &mut T, text: &str, values: &[(&str, T)]) -> Result<(), String> {
    // As on the command line, or as the operator's own configuration spells it.
    let is_it = |name: &str| name == text || camel_case(name) == text;
    if let Some((_, value)) = values.iter().find(|(name, _)| is_it(name)) {
        *setting = *value;
        return Ok(());
    }
    let names: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
    Err(format!("must be one of {}", names.join(", ")))
}

/// `restartInPlace` for `restart-in-place`.
fn camel_case(name: &str) -> String {
    let mut words = name.split('-');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |text, word| {
        let (initial, rest) = word.split_at(word.len().min(1));
        text + &initial.to_ascii_uppercase() + rest
    })
}

fn check(text: &str, fits: impl Fn(&str) -> bool, allowed: &str) -> Result<String, String> {
    if fits(text) {
        Ok(text.to_owned())
    } else {
        Err(format!("must be {allowed}"))
    }
}

fn seconds(setting: &mut u32, text: &str) -> Result<(), String> {
    let value = text.parse().ok().filter(|value| *value <= LONGEST_SECONDS);
    *setting = value.ok_or_else(|| format!("must be 0 to {LONGEST_SECONDS} seconds"))?;
    Ok(())
}

/// Whether this can be the number of an AWS account.
#[must_use]
pub fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
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

/// When the kubelet asks the registry for an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ImagePullPolicy {
    /// At every start for tags, as ECS does; digests never change.
    AlwaysForTags,
    /// Only when the node does not have the image, for side-loaded images.
    IfNotPresent,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The settings with one annotation, and what is said about it.
    fn with(name: &str, value: &str) -> (Settings, Vec<String>) {
        let annotations = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let mut sink = Diagnostics::new();
        let path = FieldPath::root(Subject::Service);
        let settings = Settings::default().with_annotations(&annotations, &path, &mut sink);
        let said = sink.iter().map(|finding| finding.reason().to_string());
        (settings, said.collect())
    }

    #[test]
    fn every_setting_of_an_object_can_be_set() {
        for (name, _) in OF_OBJECTS {
            let values = [
                "true",
                "false",
                "eks-fargate",
                "restart-in-place",
                "none",
                "if-not-present",
                "cluster",
                "123456789012",
                "aws-cn",
                "nginx",
                "1h",
                "7",
            ];
            let changed = values.iter().any(|value| {
                let (settings, said) = with(&format!("{ANNOTATION_PREFIX}{name}"), value);
                said.is_empty() && settings != Settings::default()
            });
            assert!(changed, "{name}");
        }
    }

    #[test]
    fn only_our_annotations_are_settings() {
        let (settings, said) = with("example.com/iam", "never");
        assert_eq!((settings, said), (Settings::default(), vec![]));
        for name in ["namespace", "kubernetes-version", "Iam", ""] {
            let (settings, said) = with(&format!("{ANNOTATION_PREFIX}{name}"), "none");
            assert_eq!(settings, Settings::default());
            assert_eq!(said, ["UnknownAnnotation"], "{name}");
        }
    }

    #[test]
    fn an_annotation_that_there_is_not_is_told_from_those_that_there_are() {
        let told = |subject, name: &str| {
            let annotations =
                BTreeMap::from([(format!("{ANNOTATION_PREFIX}{name}"), String::new())]);
            let mut sink = Diagnostics::new();
            let path = FieldPath::root(subject);
            let _settings = Settings::default().with_annotations(&annotations, &path, &mut sink);
            let help = sink.iter().map(|finding| finding.message.help());
            help.collect::<String>()
        };
        let of_service = told(Subject::Service, "stop-deploymnt");
        assert!(
            of_service.starts_with("did you mean ecs-operator.dev/stop-deployment? after ecs-"),
            "{of_service}"
        );
        assert!(
            of_service.contains("roll-back-deployment, "),
            "{of_service}"
        );
        let of_task = told(Subject::Task, "stop-deployment");
        assert!(of_task.starts_with("after ecs-operator.dev/"), "{of_task}");
        assert!(!of_task.contains("stop-deployment"), "{of_task}");
    }

    #[test]
    fn values_are_spelled_as_on_the_command_line_or_as_in_a_configuration() {
        for value in ["restart-all-containers", "restartAllContainers"] {
            let (settings, said) = with("ecs-operator.dev/essential-exit", value);
            assert_eq!(settings.essential_exit, EssentialExit::RestartAllContainers);
            assert_eq!(said, [""; 0]);
        }
        let (_, said) = with("ecs-operator.dev/essential-exit", "RestartAllContainers");
        assert_eq!(said, ["InvalidValue"]);
    }
}

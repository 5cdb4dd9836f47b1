//! The settings of a single object, in its annotations.

use std::collections::BTreeMap;

use super::{
    ANNOTATION_PREFIX, BEGUN, Compute, EssentialExit, Iam, ImagePullPolicy, LONGEST_SECONDS,
    RENEW_DEPLOYMENT, ROLL_BACK_DEPLOYMENT, RULE_DEPTH, SCHEDULED_AT, START_DEPLOYMENT,
    STOP_DEPLOYMENT, SecretStore, Settings, SpotFallback, TargetGroups, add_identity, identities,
    is_account_id, is_duration, is_gpu_resource, is_security_group, parse_identity,
};
use crate::diagnostic::{Diagnostics, FieldPath, Message, Subject, advice};

impl Settings {
    /// Returns these settings, overridden by the annotations of an object. `path` is that of the annotations, for
    /// errors about an annotation of this operator that is not a setting or has an invalid value.
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
            let Some(setting) = OF_OBJECTS.iter().find(|known| known.name == name) else {
                let known = OF_OBJECTS.iter().map(|known| known.name);
                let known = known.chain(requests.iter().copied());
                let message = Message::UnknownAnnotation {
                    name: key.clone(),
                    advice: advice(name, ANNOTATION_PREFIX, known.collect()),
                };
                sink.report(path.field(key.clone()), message);
                continue;
            };
            if let Err(allowed) = (setting.set)(&mut self, value) {
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

    /// Returns the names of the settings that the annotations of an object change.
    #[must_use]
    pub fn overridden_by(&self, annotations: &BTreeMap<String, String>) -> Vec<&'static str> {
        let changes = |setting: &&OfObject| {
            let name = format!("{ANNOTATION_PREFIX}{}", setting.name);
            annotations.get(&name).is_some_and(|text| {
                let mut changed = self.clone();
                (setting.set)(&mut changed, text).is_ok() && changed != *self
            })
        };
        OF_OBJECTS
            .iter()
            .filter(changes)
            .map(|setting| setting.name)
            .collect()
    }

    /// Returns the annotations with which an object has these settings where all others have `usual` ones.
    #[must_use]
    pub fn annotations(&self, usual: &Self) -> BTreeMap<String, String> {
        let differing = OF_OBJECTS.iter().filter_map(|setting| {
            let text = (setting.text)(self)?;
            let differs = (setting.text)(usual).as_ref() != Some(&text);
            differs.then(|| (format!("{ANNOTATION_PREFIX}{}", setting.name), text))
        });
        differing.collect()
    }
}

/// Returns the annotations that are not settings: requests to the running operator, and its own records.
const fn requests_of(subject: Subject) -> &'static [&'static str] {
    match subject {
        Subject::Service => &[RENEW_DEPLOYMENT, ROLL_BACK_DEPLOYMENT, STOP_DEPLOYMENT],
        Subject::Task => &[BEGUN, RULE_DEPTH, SCHEDULED_AT],
        Subject::AppRunnerService => &[START_DEPLOYMENT],
        Subject::TaskDefinition
        | Subject::Cluster
        | Subject::CapacityProvider
        | Subject::Schedule
        | Subject::AutoScalingConfiguration
        | Subject::Rule
        | Subject::Pipe
        | Subject::AutoScaling
        | Subject::LifecyclePolicy => &[],
    }
}

/// Whether the annotation of this name is a setting.
#[must_use]
pub fn is_setting(annotation: &str) -> bool {
    let name = annotation.strip_prefix(ANNOTATION_PREFIX);
    name.is_some_and(|name| OF_OBJECTS.iter().any(|known| known.name == name))
}

/// A setting that an object can override.
struct OfObject {
    /// The name of its annotation, without the prefix.
    name: &'static str,
    /// Sets it to the value of a text, or returns the allowed values.
    set: fn(&mut Settings, &str) -> Result<(), String>,
    /// Returns the text that sets it to its value; `None` if it has none.
    text: fn(&Settings) -> Option<String>,
}

/// The settings that an object can override. All other settings are facts of the cluster or of the whole conversion.
const OF_OBJECTS: &[OfObject] = &[
    OfObject {
        name: "allow-s3-files",
        set: |s, text| choose(&mut s.allow_s3_files, text, TRUTH),
        text: |s| name_of(s.allow_s3_files, TRUTH),
    },
    OfObject {
        name: "aws-account-id",
        set: |s, text| {
            let text = check(text, is_account_id, "12 digits")?;
            s.aws_account_id = Some(text);
            Ok(())
        },
        text: |s| s.aws_account_id.clone(),
    },
    OfObject {
        name: "aws-partition",
        set: |s, text| {
            s.aws_partition = check(text, |text| !text.is_empty(), "a partition such as aws")?;
            Ok(())
        },
        text: |s| Some(s.aws_partition.clone()),
    },
    OfObject {
        name: "aws-region",
        set: |s, text| {
            let text = check(text, |text| !text.is_empty(), "a region such as eu-west-1")?;
            s.aws_region = Some(text);
            Ok(())
        },
        text: |s| s.aws_region.clone(),
    },
    OfObject {
        name: "cluster-ip-services",
        set: |s, text| choose(&mut s.cluster_ip_services, text, TRUTH),
        text: |s| name_of(s.cluster_ip_services, TRUTH),
    },
    OfObject {
        name: "cluster-security-group",
        set: |s, text| {
            let allowed = "the ID of a security group such as sg-0123456789abcdef0";
            s.cluster_security_group = Some(check(text, is_security_group, allowed)?);
            Ok(())
        },
        text: |s| s.cluster_security_group.clone(),
    },
    OfObject {
        name: "compute",
        set: |s, text| choose(&mut s.compute, text, COMPUTE),
        text: |s| name_of(s.compute, COMPUTE),
    },
    OfObject {
        name: "deregistration-delay-seconds",
        set: |s, text| {
            let mut delay = 0;
            seconds(&mut delay, text)?;
            s.deregistration_delay_seconds = Some(delay);
            Ok(())
        },
        text: |s| s.deregistration_delay_seconds.map(|n| n.to_string()),
    },
    OfObject {
        name: "essential-exit",
        set: |s, text| choose(&mut s.essential_exit, text, ESSENTIAL_EXIT),
        text: |s| name_of(s.essential_exit, ESSENTIAL_EXIT),
    },
    OfObject {
        name: "fargate-spot-fallback",
        set: |s, text| choose(&mut s.fargate_spot_fallback, text, SPOT_FALLBACK),
        text: |s| name_of(s.fargate_spot_fallback, SPOT_FALLBACK),
    },
    OfObject {
        name: "gpu-resource",
        set: |s, text| {
            let allowed = "a resource such as nvidia.com/gpu.shared";
            s.gpu_resource = Some(check(text, is_gpu_resource, allowed)?);
            Ok(())
        },
        text: |s| s.gpu_resource.clone(),
    },
    OfObject {
        name: "iam",
        set: |s, text| choose(&mut s.iam, text, IAM),
        text: |s| name_of(s.iam, IAM),
    },
    OfObject {
        name: "image-pull-policy",
        set: |s, text| choose(&mut s.image_pull_policy, text, IMAGE_PULL_POLICY),
        text: |s| name_of(s.image_pull_policy, IMAGE_PULL_POLICY),
    },
    OfObject {
        name: "ingress-class",
        set: |s, text| {
            text.clone_into(&mut s.ingress_class);
            Ok(())
        },
        text: |s| Some(s.ingress_class.clone()),
    },
    OfObject {
        name: "isolated-sandbox-runtime-class",
        set: |s, text| {
            let text = check(text, |text| !text.is_empty(), "the name of a RuntimeClass")?;
            s.isolated_sandbox_runtime_class = Some(text);
            Ok(())
        },
        text: |s| s.isolated_sandbox_runtime_class.clone(),
    },
    OfObject {
        name: "secret-refresh-interval",
        set: |s, text| {
            let allowed = "a number and s, m or h, such as 5m";
            s.secret_refresh_interval = check(text, is_duration, allowed)?;
            Ok(())
        },
        text: |s| Some(s.secret_refresh_interval.clone()),
    },
    OfObject {
        name: "secret-store",
        set: |s, text| choose(&mut s.secret_store, text, SECRET_STORE),
        text: |s| name_of(s.secret_store, SECRET_STORE),
    },
    OfObject {
        name: "steady-seconds",
        set: |s, text| seconds(&mut s.steady_seconds, text),
        text: |s| Some(s.steady_seconds.to_string()),
    },
    OfObject {
        name: "target-groups",
        set: |s, text| {
            let mut groups = TargetGroups::Shared;
            choose(&mut groups, text, TARGET_GROUPS)?;
            s.target_groups = Some(groups);
            Ok(())
        },
        text: |s| name_of(s.target_groups?, TARGET_GROUPS),
    },
    OfObject {
        name: "user",
        set: |s, text| {
            for entry in text.split(',') {
                let identity = parse_identity(entry.trim());
                let (name, identity) = identity.ok_or_else(|| {
                    "must be NAME=UID[:GID], or :NAME=GID for a group, separated by commas; root is always 0"
                        .to_owned()
                })?;
                add_identity(&mut s.users, name, identity);
            }
            Ok(())
        },
        text: |s| (!s.users.is_empty()).then(|| identities(&s.users)),
    },
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
const SPOT_FALLBACK: &[(&str, SpotFallback)] = &[
    ("none", SpotFallback::None),
    ("on-demand", SpotFallback::OnDemand),
];
const IMAGE_PULL_POLICY: &[(&str, ImagePullPolicy)] = &[
    ("always-for-tags", ImagePullPolicy::AlwaysForTags),
    ("if-not-present", ImagePullPolicy::IfNotPresent),
];
const SECRET_STORE: &[(&str, SecretStore)] = &[
    ("per-execution-role", SecretStore::PerExecutionRole),
    ("cluster", SecretStore::Cluster),
];

const TARGET_GROUPS: &[(&str, TargetGroups)] = &[
    ("shared", TargetGroups::Shared),
    ("exclusive", TargetGroups::Exclusive),
];

/// Returns the name of a value.
fn name_of<T: Copy + PartialEq>(value: T, values: &[(&str, T)]) -> Option<String> {
    let found = values.iter().find(|(_, other)| *other == value);
    found.map(|(name, _)| (*name).to_owned())
}

fn choose<T: Copy>(setting: &mut T, text: &str, values: &[(&str, T)]) -> Result<(), String> {
    // As on the command line, or in the spelling of the operator's own configuration.
    let is_it = |name: &str| name == text || camel_case(name) == text;
    if let Some((_, value)) = values.iter().find(|(name, _)| is_it(name)) {
        *setting = *value;
        return Ok(());
    }
    let names: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
    Err(format!("must be one of {}", names.join(", ")))
}

/// Converts `restart-in-place` to `restartInPlace`.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the settings with one annotation, and the reported errors.
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
        for OfObject { name, .. } in OF_OBJECTS {
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
                "exclusive",
                "sg-0a1b2c",
                "nginx=101, :staff=50",
                "nvidia.com/mig-1g.5gb",
                "on-demand",
            ];
            let changed = values.iter().any(|value| {
                let (settings, said) = with(&format!("{ANNOTATION_PREFIX}{name}"), value);
                let usual = Settings::default();
                let annotations = settings.annotations(&usual);
                let mut sink = Diagnostics::new();
                let path = FieldPath::root(Subject::Service);
                let read = usual
                    .clone()
                    .with_annotations(&annotations, &path, &mut sink);
                assert_eq!((&read, sink.has_errors()), (&settings, false), "{name}");
                said.is_empty() && settings != usual
            });
            assert!(changed, "{name}");
        }
    }

    #[test]
    fn an_annotation_overrides_a_setting_if_its_value_is_another() {
        let overridden = |name: &str, value: &str| {
            let name = format!("{ANNOTATION_PREFIX}{name}");
            Settings::default().overridden_by(&[(name, value.to_owned())].into())
        };
        assert_eq!(overridden("steady-seconds", "0"), ["steady-seconds"]);
        assert_eq!(overridden("steady-seconds", "40"), [""; 0]);
        assert_eq!(overridden("steady-seconds", "soon"), [""; 0]);
        assert_eq!(overridden("stop-deployment", "ecs-svc/1"), [""; 0]);
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
    fn only_an_administrator_decides_what_pods_get_of_their_nodes() {
        for (name, value) in [
            ("device", "/dev/fuse=example.com/fuse"),
            ("devices", "/dev/fuse=example.com/fuse"),
            ("allow-host-devices", "true"),
            ("ulimit-adjuster", "true"),
            ("ecr-pull-secrets", "true"),
            ("fsx-host", "fs-0123abcd=files.example.com"),
            ("fsx-hosts", "fs-0123abcd=files.example.com"),
            ("gmsa-credential-spec", "arn:aws:s3:::specs/web.json=web"),
            ("gmsa-credential-specs", "arn:aws:s3:::specs/web.json=web"),
        ] {
            let (settings, said) = with(&format!("{ANNOTATION_PREFIX}{name}"), value);
            assert_eq!(settings, Settings::default(), "{name}");
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
    fn a_gpu_is_a_resource_of_nvidia() {
        for value in ["nvidia.com/gpu.shared", "nvidia.com/mig-3g.20gb"] {
            let (settings, said) = with("ecs-operator.dev/gpu-resource", value);
            assert_eq!(settings.gpu_resource.as_deref(), Some(value));
            assert_eq!(said, [""; 0]);
        }
        for value in [
            "cpu",
            "nvidia.com/",
            "nvidia.com/a b",
            "nvidia.com/-a",
            "github.com/fuse",
        ] {
            let (settings, said) = with("ecs-operator.dev/gpu-resource", value);
            assert_eq!(
                (settings, said),
                (Settings::default(), vec!["InvalidValue".to_owned()])
            );
        }
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

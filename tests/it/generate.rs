//! Generates documents from the field table: mostly sensible, sometimes not.

use ecs_operator::{
    diagnostic::Severity,
    fields::{Api, Characters, Field, Kind, Node, Outcome, Shape},
    settings::{
        Addon, Compute, EcrPullSecrets, EssentialExit, Iam, Identity, ImagePullPolicy, LogAgent,
        Mode, SecretStore, Settings, WorkloadTarget,
    },
};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Map, Value, json};

use crate::sense;

/// Requests that belong together.
#[derive(Clone, Debug)]
pub struct Requests {
    pub task_definition: Value,
    pub service: Option<Value>,
    pub task: Option<Value>,
    pub scaling: Vec<Value>,
    pub alarms: Vec<Value>,
}

impl Requests {
    /// Returns all documents.
    pub fn documents(&self) -> Vec<&Value> {
        let others = self.service.iter().chain(&self.task).chain(&self.scaling);
        let others = others.chain(&self.alarms);
        [&self.task_definition].into_iter().chain(others).collect()
    }
}

/// Generates a task definition, optionally with a service, its scaling, or a task.
pub fn requests() -> impl Strategy<Value = Requests> {
    let scaling = (
        value(Api::ScalableTarget.tree()),
        vec(value(Api::ScalingPolicy.tree()), 0..3),
        vec(value(Api::MetricAlarm.tree()), 0..3),
    );
    (
        value(Api::TaskDefinition.tree()),
        prop::option::weighted(0.5, value(Api::Service.tree())),
        prop::option::weighted(0.3, value(Api::Task.tree())),
        prop::option::weighted(0.3, scaling),
        prop::bool::weighted(0.85),
    )
        .prop_map(|(task_definition, service, task, scaling, sensible)| {
            let (scaling, alarms) = match (&service, scaling) {
                (Some(_), Some((target, policies, alarms))) => {
                    ([target].into_iter().chain(policies).collect(), alarms)
                }
                _ => (Vec::new(), Vec::new()),
            };
            let mut requests = Requests {
                task_definition,
                scaling,
                alarms,
                service,
                task,
            };
            if sensible {
                sense::make(&mut requests);
            }
            requests
        })
}

/// Generates settings.
pub fn settings() -> impl Strategy<Value = Settings> {
    let cluster = (33_u32..=37, addons(), any::<bool>(), any::<bool>());
    let choices = (
        select(vec![Compute::Nodes, Compute::Nodes, Compute::EksFargate]),
        select(vec![Iam::Irsa, Iam::PodIdentity, Iam::None]),
        select(vec![
            EssentialExit::Replace,
            EssentialExit::RestartInPlace,
            EssentialExit::RestartAllContainers,
        ]),
        select(vec![SecretStore::PerExecutionRole, SecretStore::Cluster]),
        select(vec![WorkloadTarget::Deployment, WorkloadTarget::EcsService]),
        select(vec![Mode::Convert, Mode::Controller]),
        select(vec![
            ImagePullPolicy::AlwaysForTags,
            ImagePullPolicy::IfNotPresent,
        ]),
    );
    (cluster, choices, any::<bool>(), any::<bool>(), 0_u32..4000).prop_map(
        |(
            (kubernetes_minor, addons, region, account),
            choices,
            allow_s3_files,
            cluster_ip_services,
            seconds,
        )| {
            let (
                compute,
                iam,
                essential_exit,
                secret_store,
                workload_target,
                mode,
                image_pull_policy,
            ) = choices;
            Settings {
                kubernetes_minor,
                addons,
                compute,
                iam,
                essential_exit,
                secret_store,
                workload_target,
                mode,
                image_pull_policy,
                allow_s3_files,
                cluster_ip_services,
                deregistration_delay_seconds: account.then_some(seconds),
                aws_region: region.then(|| "eu-central-1".to_owned()),
                aws_account_id: account.then(|| "123456789012".to_owned()),
                eks_cluster_name: account.then(|| "shop".to_owned()),
                isolated_sandbox_runtime_class: region.then(|| "kata".to_owned()),
                gpu_resource: region.then(|| "nvidia.com/gpu.shared".to_owned()),
                devices: [("/dev/fuse".to_owned(), "example.com/fuse".to_owned())].into(),
                allow_host_devices: region,
                ulimit_adjuster: account,
                ecr_pull_secrets: if region {
                    EcrPullSecrets::On
                } else {
                    EcrPullSecrets::Off
                },
                fsx_hosts: [(
                    "fs-01234567".to_owned(),
                    "files.corp.example.com".to_owned(),
                )]
                .into(),
                gmsa_credential_specs: [("file://web.json".to_owned(), "web".to_owned())].into(),
                logs: if account {
                    LogAgent::FluentBit
                } else {
                    LogAgent::None
                },
                users: [(
                    "app".to_owned(),
                    Identity {
                        uid: Some(1000),
                        gid: Some(1000),
                    },
                )]
                .into(),
                ..Settings::default()
            }
        },
    )
}

fn addons() -> impl Strategy<Value = std::collections::BTreeSet<Addon>> {
    let all = vec![
        Addon::AwsLoadBalancerController,
        Addon::EksAutoMode,
        Addon::ExternalSecrets,
        Addon::Keda,
        Addon::SecurityGroupsForPods,
        Addon::AckEks,
    ];
    prop::sample::subsequence(all.clone(), 0..=all.len())
        .prop_map(|addons| addons.into_iter().collect())
}

/// Generates a value for a member of a request.
fn value(node: &'static Node) -> BoxedStrategy<Value> {
    match &node.shape {
        Shape::Object(members) => object(members.iter()),
        Shape::List(element) => {
            let most = node.max_items.unwrap_or(3).clamp(1, 3);
            vec(value(element), 1..=most).prop_map(Value::Array).boxed()
        }
        Shape::Leaf(field) => leaf(field),
    }
}

fn object(
    members: impl ExactSizeIterator<Item = (&'static &'static str, &'static Node)>,
) -> BoxedStrategy<Value> {
    // Objects of all sizes get about five members.
    let usual = (5.0 / members.len().max(1) as f64).clamp(0.1, 0.6);
    let members: Vec<_> = members
        .map(|(name, node)| {
            let probability = if node.required {
                0.99
            } else if is_rejected(node) {
                0.005
            } else if TELLING.contains(name) {
                0.95
            } else {
                usual
            };
            prop::option::weighted(probability, value(node)).prop_map(|value| (*name, value))
        })
        .collect();
    members
        .prop_map(|members| {
            let present = members
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?)));
            Value::Object(present.collect::<Map<_, _>>())
        })
        .boxed()
}

/// Members without which their object has no meaning or is rejected, whether AWS always requires them or not.
const TELLING: &[&str] = &[
    "condition",
    "containerName",
    "containerPath",
    "containerPort",
    "executionRoleArn",
    "expression",
    "hardLimit",
    "ipAddress",
    "key",
    "name",
    "namespace",
    "size",
    "sourceContainer",
    "sourceVolume",
    "type",
    "value",
    "valueFrom",
];

/// Whether the member is always, or nearly always, an error.
fn is_rejected(node: &Node) -> bool {
    let always = node
        .always
        .is_some_and(|reason| reason.severity() == Severity::Error);
    let leaf = matches!(node.shape, Shape::Leaf(field) if field.outcome == Outcome::Rejected);
    always || leaf
}

fn leaf(field: &'static Field) -> BoxedStrategy<Value> {
    prop_oneof![
        400 => sensible(field),
        1 => hostile(),
    ]
    .boxed()
}

/// Generates a value that AWS accepts.
fn sensible(field: &'static Field) -> BoxedStrategy<Value> {
    if !field.limits.values.is_empty() {
        return select(field.limits.values).prop_map(Value::from).boxed();
    }
    match field.kind {
        Kind::String => strings(field),
        Kind::Integer => numbers(field).prop_map(|number| json!(number)).boxed(),
        Kind::Number => numbers(field)
            .prop_map(|number| json!(number as f64 + 0.5))
            .boxed(),
        Kind::Boolean => any::<bool>().prop_map(Value::from).boxed(),
        Kind::StringMap => {
            prop::collection::btree_map("[a-z]{1,8}([._-][A-Za-z]{1,4})?", "[ -~]{0,12}", 1..3)
                .prop_map(|map| json!(map))
                .boxed()
        }
        Kind::Timestamp => Just(json!("2026-03-01T12:00:00Z")).boxed(),
        Kind::Document | Kind::Kubernetes => Just(json!({"key": ["value", 1]})).boxed(),
    }
}

fn numbers(field: &'static Field) -> BoxedStrategy<i64> {
    let low = field.limits.min.unwrap_or(0.0) as i64;
    let high = field.limits.max.unwrap_or(4096.0) as i64;
    let usual: Vec<i64> = sense::numbers(field.name())
        .iter()
        .copied()
        .filter(|number| (low..=high).contains(number))
        .collect();
    let range = (low..=high.max(low)).boxed();
    if usual.is_empty() {
        return range;
    }
    prop_oneof![6 => select(usual), 1 => range].boxed()
}

fn strings(field: &'static Field) -> BoxedStrategy<Value> {
    let usual = sense::strings(field);
    let allowed = field.limits.characters;
    let longest = field.limits.max_length.unwrap_or(usize::MAX);
    if !usual.is_empty() {
        return select(usual).prop_map(Value::from).boxed();
    }
    let fits = move |text: &&&str| allowed.allow(text) && text.len() <= longest;
    let odd: Vec<&'static str> = ODD.iter().filter(fits).copied().collect();
    let made = match allowed {
        Characters::Any => "[ -~]{1,20}",
        Characters::Letters(_) => "[A-Za-z0-9]{1,20}",
        Characters::Lower(_) => "[a-z0-9]{1,20}",
    };
    if odd.is_empty() {
        return made.prop_map(Value::from).boxed();
    }
    prop_oneof![2 => select(odd).prop_map(Value::from), 1 => made.prop_map(Value::from)].boxed()
}

/// Texts that some parser interprets in a special way.
const ODD: &[&str] = &[
    "a",
    "web",
    "Web_1",
    "web.example",
    "yes",
    "no",
    "true",
    "null",
    "~",
    "0x1F",
    "017",
    "1e3",
    "12:30:45",
    "2026-01-01",
    "$(HOME)",
    "$$",
    "$HOME",
    "a: b",
    "- a",
    "# a",
    "'",
    "\"",
    "a\nb\n",
    " a ",
    "{{ a }}x",
    "ünïcödé",
    "日本",
    "[]",
    "{}",
    "*a",
    "&a",
    "!a",
    "%a",
    "@a",
    "`a`",
    "|",
    ">",
    "a\tb",
    "\\n",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

/// Generates a value of any type, far outside all expectations.
fn hostile() -> impl Strategy<Value = Value> {
    select(vec![
        json!(null),
        json!(""),
        json!([]),
        json!({}),
        json!(-1),
        json!(0),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1.25),
        json!(0.1),
        json!(true),
        json!("-1"),
        json!("\u{0}"),
        json!([[[]]]),
        json!({"a": {"b": null}}),
        json!("9".repeat(400)),
        json!("arn:::::"),
        json!("/".repeat(5000)),
        json!("é".repeat(70)),
    ])
}

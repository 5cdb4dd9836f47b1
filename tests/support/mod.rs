//! A cluster with a running operator, and a namespace for a test.

pub mod addons;
pub mod helm;
pub mod scaling;
pub mod sources;

use std::{
    env,
    fmt::Debug,
    net::TcpListener,
    path::{Path, PathBuf},
    sync::LazyLock,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use ecs_operator_testbed::{Cluster, Namespace, Process, until};
use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{Event, Pod},
};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::{ListParams, Patch, PatchParams, PostParams},
    core::{DynamicObject, GroupVersionKind},
    discovery::ApiResource,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The timeout of a condition on a busy machine.
pub const LIMIT: Duration = Duration::from_mins(2);

/// The namespace of the operator, and its service account.
pub const OPERATOR: &str = "ecs-operator";

/// Returns a folder with the files and the program of another version of the operator, which is tested in place of this
/// one. This shows that a test for a fault fails on a version with the fault.
fn other_version() -> Option<&'static Path> {
    static FOLDER: LazyLock<Option<PathBuf>> =
        LazyLock::new(|| env::var_os("OPERATOR_FROM").map(PathBuf::from));
    FOLDER.as_deref()
}

/// Returns the tested program.
pub fn program() -> &'static Path {
    static OTHER: LazyLock<Option<PathBuf>> =
        LazyLock::new(|| other_version().map(|folder| folder.join("ecs-operator")));
    match OTHER.as_deref() {
        Some(program) => program,
        None => Path::new(env!("CARGO_BIN_EXE_ecs-operator")),
    }
}

/// Returns the folder with its files.
pub fn files() -> &'static Path {
    other_version().unwrap_or_else(root)
}

/// Returns the root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A running operator.
pub struct Operator {
    process: Process,
    /// The address of its health and metrics.
    pub address: String,
}

impl Operator {
    /// Starts the program with the permissions of the chart, and waits until it is ready.
    pub async fn start(cluster: &Cluster, name: &str, arguments: &[&str]) -> Result<Self> {
        Self::spawn(cluster, name, arguments).await?.ready().await
    }

    /// Does the same with another program.
    pub async fn start_program(
        program: &Path,
        cluster: &Cluster,
        name: &str,
        arguments: &[&str],
    ) -> Result<Self> {
        let operator = Self::spawn_program((program, &[]), cluster, name, arguments).await?;
        operator.ready().await
    }

    /// Starts the program with more variables of its environment, as NAME=VALUE.
    pub async fn start_in(
        environment: &[String],
        cluster: &Cluster,
        name: &str,
        arguments: &[&str],
    ) -> Result<Self> {
        let what = (program(), environment);
        let operator = Self::spawn_program(what, cluster, name, arguments).await?;
        operator.ready().await
    }

    /// Waits until it is ready.
    pub async fn ready(self) -> Result<Self> {
        until("the operator to be ready", LIMIT, async || {
            Ok(self.is_ready().await.then_some(()))
        })
        .await
        .with_context(|| self.process.last_words())?;
        Ok(self)
    }

    /// Starts the program with the permissions of the chart. The arguments replace the defaults of these tests.
    pub async fn spawn(cluster: &Cluster, name: &str, arguments: &[&str]) -> Result<Self> {
        Self::spawn_program((program(), &[]), cluster, name, arguments).await
    }

    async fn spawn_program(
        (program, environment): (&Path, &[String]),
        cluster: &Cluster,
        name: &str,
        arguments: &[&str],
    ) -> Result<Self> {
        let kubeconfig = cluster
            .kubeconfig_for_service_account(OPERATOR, OPERATOR)
            .await?;
        let by = (program, kubeconfig.as_path(), environment);
        Self::spawn_program_by(by, cluster, name, arguments)
    }

    /// Starts the program with a separate kubeconfig file.
    pub fn spawn_by(
        kubeconfig: &Path,
        cluster: &Cluster,
        name: &str,
        arguments: &[&str],
    ) -> Result<Self> {
        Self::spawn_program_by((program(), kubeconfig, &[]), cluster, name, arguments)
    }

    fn spawn_program_by(
        (program, kubeconfig, environment): (&Path, &Path, &[String]),
        cluster: &Cluster,
        name: &str,
        arguments: &[&str],
    ) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let mut line: Vec<String> = vec![
            "env".to_owned(),
            format!("KUBECONFIG={}", kubeconfig.display()),
        ];
        line.extend_from_slice(environment);
        line.extend([
            program.display().to_string(),
            "controller".to_owned(),
            format!("--identity={name}"),
            "--log-format=text".to_owned(),
        ]);
        let listen = format!("--listen={address}");
        let defaults = [
            listen.as_str(),
            "--image-pull-policy=if-not-present",
            "--platform=kubernetes",
            "--iam=none",
            "--steady-seconds=0",
        ];
        let is_of_today = program == Path::new(env!("CARGO_BIN_EXE_ecs-operator"));
        let tenancy = is_of_today.then_some("--tenancy=single");
        let flag = |argument: &str| argument.split('=').next().map(str::to_owned);
        let given: Vec<_> = arguments.iter().map(|argument| flag(argument)).collect();
        let defaults = defaults
            .iter()
            .chain(&tenancy)
            .filter(|argument| !given.contains(&flag(argument)));
        line.extend(
            defaults
                .chain(arguments)
                .map(|argument| (*argument).to_owned()),
        );
        let process = Process::start(
            name,
            cluster.folder(),
            &line.into_iter().map(Into::into).collect::<Vec<_>>(),
        )?;
        Ok(Self { process, address })
    }

    /// Whether its caches are filled.
    pub async fn is_ready(&self) -> bool {
        let answer = self.get("/readyz").await;
        answer.is_some_and(|(code, _)| code == 200)
    }

    /// Whether it has exited.
    pub fn has_ended(&mut self) -> bool {
        self.process.ended().is_ok_and(|status| status.is_some())
    }

    /// Sends it a signal, such as `STOP`.
    pub fn signal(&self, signal: &str) -> Result<()> {
        self.process.signal(signal)
    }

    /// Returns its process ID.
    pub fn process(&self) -> Option<u32> {
        self.process.program()
    }

    /// Returns the sum of a metric over all series with labels that contain `labels`.
    pub async fn metric(&self, name: &str, labels: &str) -> u64 {
        let (_, text) = self.get("/metrics").await.unwrap();
        let series = text
            .lines()
            .filter(|line| line.starts_with(name) && line.contains(labels));
        series
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
            .sum()
    }

    /// Waits until it is the leader.
    pub async fn leads(&self) {
        until("the operator to lead", LIMIT, async || {
            Ok((self.metric("ecs_operator_leader", "").await == 1).then_some(()))
        })
        .await
        .unwrap();
    }

    /// Terminates it, as the kubelet does; returns its exit status.
    pub fn terminate(self) -> Option<i32> {
        self.process.terminate(LIMIT).unwrap().code()
    }

    /// Returns the end of its log.
    pub fn last_words(&self) -> String {
        self.process.last_words()
    }

    /// Returns the response of an endpoint; `None` if there is none.
    pub async fn get(&self, path: &str) -> Option<(u16, String)> {
        self.ask("GET", path, "").await
    }

    /// Returns the status with which an endpoint accepts a text.
    pub async fn put(&self, path: &str, body: &str) -> Option<u16> {
        self.ask("PUT", path, body).await.map(|(code, _)| code)
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = tokio::net::TcpStream::connect(&self.address).await.ok()?;
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let code = answer.split(' ').nth(1)?.parse().ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        Some((code, body.to_owned()))
    }
}

/// The kinds of the plain manifests that grant permissions. The operator itself runs outside the cluster here.
const RIGHTS: &[&str] = &[
    "Namespace",
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "FlowSchema",
];

/// Applies the custom resources and the permissions of the operator as they are installed without Helm.
pub async fn install(cluster: &Cluster) -> Result<()> {
    install_from(files(), cluster).await
}

/// Does the same with another version, whose files are below `root`.
pub async fn install_from(root: &Path, cluster: &Cluster) -> Result<()> {
    cluster.install_crds(root.join("crds")).await?;
    let manifests = std::fs::read_to_string(root.join("deploy/operator.yaml"))?;
    let gives_rights = |document: &&str| {
        let mut lines = document.lines();
        let kind = lines
            .find_map(|line| line.strip_prefix("kind: "))
            .unwrap_or_default();
        RIGHTS.contains(&kind)
    };
    let rights: Vec<&str> = manifests.split("\n---\n").filter(gives_rights).collect();
    // Namespace, account, three roles, a binding, and two for the lease; newer versions also have two priorities.
    assert!([8, 10].contains(&rights.len()), "{}", rights.len());
    cluster.apply(OPERATOR, &rights.join("\n---\n")).await
}

/// A namespace for a test.
pub struct Bed {
    pub client: Client,
    pub namespace: Namespace,
}

impl Bed {
    /// Creates a namespace in the cluster of a kubeconfig file.
    pub async fn new(kubeconfig: &Path, prefix: &str) -> Self {
        let client = ecs_operator_testbed::client(kubeconfig).await.unwrap();
        let namespace = Namespace::create(&client, kubeconfig, prefix)
            .await
            .unwrap();
        Self { client, namespace }
    }

    /// Returns the API of a kind in the namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), self.namespace.name())
    }

    /// Applies a custom resource as `kubectl apply --server-side` does.
    pub async fn apply(&self, kind: &str, name: &str, spec: Value) -> kube::Result<DynamicObject> {
        apply(&self.client, self.namespace.name(), kind, name, spec).await
    }

    /// Applies a custom resource that the API server has to accept.
    pub async fn must_apply(&self, kind: &str, name: &str, spec: Value) {
        self.apply(kind, name, spec).await.unwrap();
    }

    /// Allows the namespace what a policy's `spec.allow` says, by a policy with its name.
    pub async fn allow(&self, allow: Value) {
        let name = self.namespace.name();
        let policy = json!({
            "apiVersion": "ecs-operator.dev/v1alpha1", "kind": "EcsPolicy",
            "metadata": {"name": name},
            "spec": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
                "allow": allow,
            },
        });
        let policy = serde_json::from_value(policy).unwrap();
        let params = PostParams::default();
        let created = policies(&self.client).create(&params, &policy).await;
        created.unwrap();
    }

    /// Returns the API of a custom resource.
    pub fn resources(&self, kind: &str) -> Api<DynamicObject> {
        resources(&self.client, self.namespace.name(), kind)
    }

    /// Returns the pods of a service that are not terminating.
    pub async fn tasks(&self, service: &str) -> Vec<Pod> {
        let of_service =
            ListParams::default().labels(&format!("ecs-operator.dev/service={service}"));
        let pods = self.api::<Pod>().list(&of_service).await.unwrap();
        let there = |pod: &Pod| pod.metadata.deletion_timestamp.is_none();
        pods.into_iter().filter(there).collect()
    }

    /// Waits until a custom resource meets a condition, and returns it.
    pub async fn until(
        &self,
        kind: &str,
        name: &str,
        what: &str,
        fits: impl Fn(&Value) -> bool,
    ) -> Value {
        let api = self.resources(kind);
        let last = std::cell::RefCell::new(Value::Null);
        let result = until(what, LIMIT, async || {
            let object = api.get_opt(name).await?;
            let object = object.map_or(Value::Null, |object| json!(object));
            let found = fits(&object).then(|| object.clone());
            *last.borrow_mut() = object;
            Ok(found)
        })
        .await;
        result.unwrap_or_else(|error| panic!("{error}: {:#}", last.borrow()["status"]))
    }

    /// Waits until a condition of a custom resource has this status, for its newest generation.
    pub async fn condition(&self, kind: &str, name: &str, type_: &str, status: &str) -> Value {
        let what = format!("{type_}={status} of {kind} {name}");
        let object = self
            .until(kind, name, &what, |object| {
                let found = condition(object, type_);
                found["status"] == status
                    && found["observedGeneration"] == object["metadata"]["generation"]
            })
            .await;
        condition(&object, type_)
    }

    /// Waits until an object exists and meets a condition.
    pub async fn eventually<K>(&self, name: &str, what: &str, fits: impl Fn(&K) -> bool) -> K
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
        K: DeserializeOwned + Clone + Debug,
    {
        let api = self.api::<K>();
        until(what, LIMIT, async || {
            Ok(api.get_opt(name).await?.filter(&fits))
        })
        .await
        .unwrap()
    }

    /// Waits until an object no longer exists.
    pub async fn gone<K>(&self, name: &str)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
        K: DeserializeOwned + Clone + Debug,
    {
        let api = self.api::<K>();
        let what = format!("{} {name} to be gone", K::kind(&()));
        until(&what, LIMIT, async || {
            Ok(api.get_opt(name).await?.is_none().then_some(()))
        })
        .await
        .unwrap();
    }

    /// Waits until a custom resource is gone.
    pub async fn gone_resource(&self, kind: &str, name: &str) {
        let api = self.resources(kind);
        let what = format!("{kind} {name} to be gone");
        until(&what, LIMIT, async || {
            Ok(api.get_opt(name).await?.is_none().then_some(()))
        })
        .await
        .unwrap();
    }

    /// Waits for an event about an object, and returns its note.
    pub async fn event(&self, name: &str, reason: &str) -> String {
        let api = self.api::<Event>();
        let what = format!("an event {reason} about {name}");
        until(&what, LIMIT, async || {
            let events = api.list(&Default::default()).await?;
            Ok(events.into_iter().find_map(|event| {
                let is_it = event.involved_object.name.as_deref() == Some(name)
                    && event.reason.as_deref() == Some(reason);
                is_it.then(|| event.message.unwrap_or_default())
            }))
        })
        .await
        .unwrap()
    }
}

/// Returns the API of a custom resource.
fn resources(client: &Client, namespace: &str, kind: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("ecs-operator.dev", "v1alpha1", kind);
    Api::namespaced_with(client.clone(), namespace, &ApiResource::from_gvk(&kind))
}

/// Waits until `ask` has had the same result for some seconds: whatever changes it has come to rest.
pub async fn at_rest<T: PartialEq + Clone>(what: &str, ask: impl AsyncFn() -> T) -> T {
    let mut last = (Instant::now(), ask().await);
    until(&format!("{what} at rest"), LIMIT, async || {
        let now = ask().await;
        if now != last.1 {
            last = (Instant::now(), now);
        }
        Ok((last.0.elapsed() > Duration::from_secs(3)).then(|| last.1.clone()))
    })
    .await
    .unwrap()
}

/// Applies a custom resource as `kubectl apply --server-side` does.
pub async fn apply(
    client: &Client,
    namespace: &str,
    kind: &str,
    name: &str,
    spec: Value,
) -> kube::Result<DynamicObject> {
    let body = json!({
        "apiVersion": "ecs-operator.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    });
    let params = PatchParams {
        field_validation: Some(kube::api::ValidationDirective::Strict),
        ..PatchParams::apply("test").force()
    };
    resources(client, namespace, kind)
        .patch(name, &params, &Patch::Apply(body))
        .await
}

/// Waits until a service is steady in its newest generation.
pub async fn ready(client: &Client, namespace: &str, name: &str) {
    let api = resources(client, namespace, "EcsService");
    let last = std::cell::RefCell::new(Value::Null);
    let result = until("the service to be ready", LIMIT, async || {
        let object = json!(api.get(name).await?);
        let found = condition(&object, "Ready");
        let steady = found["status"] == "True"
            && found["observedGeneration"] == object["metadata"]["generation"];
        *last.borrow_mut() = object;
        Ok(steady.then_some(()))
    })
    .await;
    result.unwrap_or_else(|error| panic!("{error}: {:#}", last.borrow()["status"]));
}

/// Returns a condition of an object.
pub fn condition(object: &Value, type_: &str) -> Value {
    let conditions = object["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    conditions
        .find(|condition| condition["type"] == type_)
        .cloned()
        .unwrap_or(Value::Null)
}

/// Returns the API of policies.
pub fn policies(client: &Client) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("ecs-operator.dev", "v1alpha1", "EcsPolicy");
    let mut kind = ApiResource::from_gvk(&kind);
    "ecspolicies".clone_into(&mut kind.plural);
    Api::all_with(client.clone(), &kind)
}

/// Returns a task definition of one container.
pub fn task_definition(image: &str) -> Value {
    json!({
        "networkMode": "awsvpc",
        "containerDefinitions": [{
            "name": "app",
            "image": image,
            "cpu": 32,
            "memory": 64,
            "portMappings": [{"containerPort": 80}],
        }],
    })
}

/// Returns a task definition of one container that nobody reaches.
pub fn job_definition(image: &str) -> Value {
    let mut definition = task_definition(image);
    let app = definition["containerDefinitions"][0].as_object_mut();
    app.unwrap().remove("portMappings");
    definition
}

/// Returns a scaling policy that keeps the CPU use of a service at 60 %.
pub fn cpu_policy() -> Value {
    json!({
        "PolicyName": "cpu",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": 60,
            "PredefinedMetricSpecification": {
                "PredefinedMetricType": "ECSServiceAverageCPUUtilization",
            },
        },
    })
}

/// Returns the UID of an object.
pub fn uid<K: Resource>(object: &K) -> String {
    object.uid().unwrap_or_default()
}

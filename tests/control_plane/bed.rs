//! The control plane with the operator, and a namespace for a test.

use std::{fmt::Debug, net::TcpListener, path::Path, time::Duration};

use anyhow::{Context as _, Result};
use ecs_operator_testbed::{ControlPlane, Namespace, Process, until};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        core::v1::{Event, ServiceAccount},
        rbac::v1::ClusterRoleBinding,
    },
};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::{Patch, PatchParams, PostParams},
    core::{DynamicObject, GroupVersionKind},
    discovery::ApiResource,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// How long a condition may take on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(60);

/// The namespace of the operator.
const OPERATOR: &str = "ecs-operator";

/// A running operator.
pub struct Operator {
    _process: Process,
    /// Its health and metrics.
    pub address: String,
}

impl Operator {
    /// Starts the program with the rights of the chart.
    pub async fn start(plane: &ControlPlane, name: &str, arguments: &[&str]) -> Result<Self> {
        let kubeconfig = plane
            .kubeconfig_for_service_account(OPERATOR, OPERATOR)
            .await?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let mut line: Vec<String> = vec![
            "env".to_owned(),
            format!("KUBECONFIG={}", kubeconfig.display()),
            env!("CARGO_BIN_EXE_ecs-operator").to_owned(),
            "controller".to_owned(),
            format!("--listen={address}"),
            format!("--identity={name}"),
            "--log-format=text".to_owned(),
            "--image-pull-policy=if-not-present".to_owned(),
            "--platform=kubernetes".to_owned(),
            "--iam=none".to_owned(),
            "--steady-seconds=0".to_owned(),
        ];
        line.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        let process = Process::start(
            name,
            plane.folder(),
            &line.into_iter().map(Into::into).collect::<Vec<_>>(),
        )?;
        let operator = Self {
            _process: process,
            address,
        };
        until("the operator to be ready", LIMIT, async || {
            Ok(operator
                .get("/readyz")
                .await
                .filter(|(code, _)| *code == 200))
        })
        .await
        .with_context(|| operator._process.last_words())?;
        Ok(operator)
    }

    /// What an endpoint answers; `None` if it does not.
    pub async fn get(&self, path: &str) -> Option<(u16, String)> {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = tokio::net::TcpStream::connect(&self.address).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let code = answer.split(' ').nth(1)?.parse().ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        Some((code, body.to_owned()))
    }
}

/// Applies what the operator needs of a cluster.
pub async fn install(plane: &ControlPlane) -> Result<()> {
    let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    plane.install_crds(crds).await?;
    let client = plane.client().await?;
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(client.clone());
    let namespace = serde_json::from_value(json!({"metadata": {"name": OPERATOR}}))?;
    namespaces
        .create(&PostParams::default(), &namespace)
        .await?;
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), OPERATOR);
    let account = serde_json::from_value(json!({"metadata": {"name": OPERATOR}}))?;
    accounts.create(&PostParams::default(), &account).await?;
    let bindings: Api<ClusterRoleBinding> = Api::all(client);
    let binding = serde_json::from_value(json!({
        "metadata": {"name": OPERATOR},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": OPERATOR, "namespace": OPERATOR}],
    }))?;
    bindings.create(&PostParams::default(), &binding).await?;
    Ok(())
}

async fn shared() -> Result<&'static (Operator, &'static ControlPlane)> {
    static SHARED: OnceCell<(Operator, &'static ControlPlane)> = OnceCell::const_new();
    SHARED
        .get_or_try_init(async || {
            let plane = ControlPlane::shared().await?;
            install(plane).await?;
            Ok((Operator::start(plane, "operator", &[]).await?, plane))
        })
        .await
}

/// A namespace for a test, with the operator at work.
pub struct Bed {
    pub client: Client,
    pub namespace: Namespace,
    pub operator: &'static Operator,
    pub plane: &'static ControlPlane,
}

impl Bed {
    /// A fresh namespace.
    pub async fn new(prefix: &str) -> Self {
        let (operator, plane) = shared().await.unwrap();
        Self {
            client: plane.client().await.unwrap(),
            namespace: plane.namespace(prefix).await.unwrap(),
            operator,
            plane,
        }
    }

    /// The API of a kind in the namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), self.namespace.name())
    }

    /// Applies one of our custom resources as `kubectl apply --server-side` does.
    pub async fn apply(&self, kind: &str, name: &str, spec: Value) -> kube::Result<DynamicObject> {
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
        self.resources(kind)
            .patch(name, &params, &Patch::Apply(body))
            .await
    }

    /// Applies a custom resource that has to be accepted by the API server.
    pub async fn must_apply(&self, kind: &str, name: &str, spec: Value) {
        self.apply(kind, name, spec).await.unwrap();
    }

    /// The API of one of our kinds.
    pub fn resources(&self, kind: &str) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("ecs-operator.dev", "v1alpha1", kind);
        Api::namespaced_with(
            self.client.clone(),
            self.namespace.name(),
            &ApiResource::from_gvk(&kind),
        )
    }

    /// Waits until an object of ours has this to say, and returns it.
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

    /// Waits until a condition of an object of ours has this status, for its newest generation.
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

    /// Waits until an object is there and fits.
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

    /// Waits until an object is not there any more.
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

/// A condition of an object.
pub fn condition(object: &Value, type_: &str) -> Value {
    let conditions = object["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    conditions
        .find(|condition| condition["type"] == type_)
        .cloned()
        .unwrap_or(Value::Null)
}

/// A task definition of one container.
pub fn task_definition(image: &str) -> Value {
    json!({
        "networkMode": "awsvpc",
        "containerDefinitions": [{
            "name": "app",
            "image": image,
            "memory": 64,
            "portMappings": [{"containerPort": 80}],
        }],
    })
}

/// The uid of an object.
pub fn uid<K: Resource>(object: &K) -> String {
    object.uid().unwrap_or_default()
}

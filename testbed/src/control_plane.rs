//! A real control plane with simulated nodes.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::ServiceAccount,
};
use kube::{Api, Client, api::PostParams};
use tokio::sync::OnceCell;

use crate::{
    kubeconfig::{self, Cluster},
    manifests,
    namespace::Namespace,
    start::{self, Running},
};

/// What a control plane can be started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many simulated nodes there are, in three zones in turn.
    pub nodes: usize,
    /// How often a HorizontalPodAutoscaler is looked at; Kubernetes' own default is 15 s.
    pub autoscaler_sync: Duration,
    /// More arguments of the API server, such as those of an audit log.
    pub apiserver_args: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: 3,
            autoscaler_sync: Duration::from_secs(2),
            apiserver_args: Vec::new(),
        }
    }
}

/// A running control plane: etcd, the API server with RBAC, the controller manager, the scheduler and simulated nodes.
///
/// Dropping it ends everything. So does the end of this process, however it comes.
#[derive(Debug)]
pub struct ControlPlane {
    running: Running,
}

impl ControlPlane {
    /// The one that all tests of a test binary share, started by the first that asks.
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
        SHARED.get_or_try_init(Self::start).await
    }

    /// Starts one and waits until pods run on it.
    pub async fn start() -> Result<Self> {
        Self::start_with(&Options::default()).await
    }

    /// Starts one with options and waits until pods run on it.
    pub async fn start_with(options: &Options) -> Result<Self> {
        let running = start::start(options).await?;
        Ok(Self { running })
    }

    /// Everything that it writes: logs, data, keys. Gone when it ends, unless `ECS_OPERATOR_TESTBED_KEEP` is set.
    pub fn folder(&self) -> &Path {
        &self.running.cluster.folder
    }

    /// The address of the API server, `https://127.0.0.1:PORT`.
    pub fn server(&self) -> &str {
        &self.running.cluster.server
    }

    /// The kubeconfig file of a user who may do everything.
    pub fn kubeconfig(&self) -> PathBuf {
        self.running.cluster.path(start::ADMIN)
    }

    /// A client of a user who may do everything.
    ///
    /// It dies with the runtime that it was made on, so each test makes its own.
    pub async fn client(&self) -> Result<Client> {
        kubeconfig::client(&self.kubeconfig()).await
    }

    /// Writes a kubeconfig file with which a program is a service account, with its rights and no others.
    ///
    /// The account has to be there; its token is good for a day.
    pub async fn kubeconfig_for_service_account(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<PathBuf> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client().await?, namespace);
        let request = TokenRequest {
            spec: Some(TokenRequestSpec {
                expiration_seconds: Some(24 * 60 * 60),
                ..TokenRequestSpec::default()
            }),
            ..TokenRequest::default()
        };
        let answer = accounts
            .create_token_request(name, &PostParams::default(), &request)
            .await
            .with_context(|| format!("ask for a token of {namespace}/{name}"))?;
        let token = answer.status.and_then(|status| status.token);
        let token = token.context("a token request without a token")?;
        self.cluster()
            .by_token(&format!("{namespace}.{name}"), namespace, &token)
    }

    /// A client that is a service account, see [`Self::kubeconfig_for_service_account`].
    pub async fn client_for_service_account(&self, namespace: &str, name: &str) -> Result<Client> {
        kubeconfig::client(&self.kubeconfig_for_service_account(namespace, name).await?).await
    }

    /// Applies the definitions of custom resources in a folder (`*.yaml`, `*.json`) and waits until they are served.
    pub async fn install_crds(&self, folder: impl AsRef<Path>) -> Result<()> {
        manifests::install_crds(&self.client().await?, folder.as_ref()).await
    }

    /// A fresh namespace whose name begins with `prefix`.
    pub async fn namespace(&self, prefix: &str) -> Result<Namespace> {
        Namespace::create(&self.client().await?, &self.kubeconfig(), prefix).await
    }

    fn cluster(&self) -> &Cluster {
        &self.running.cluster
    }
}

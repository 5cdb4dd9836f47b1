//! Access to a cluster of any kind.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::ServiceAccount,
};
use kube::{Api, Client, api::PostParams};

use crate::{kubeconfig, manifests, namespace::Namespace};

/// The user with all permissions.
pub(crate) const ADMIN: &str = "admin";

/// A running cluster.
#[derive(Debug)]
pub struct Cluster {
    pub(crate) server: String,
    /// The certificate of the server's certificate authority.
    pub(crate) authority: PathBuf,
    pub(crate) folder: PathBuf,
}

impl Cluster {
    /// Returns the folder of everything that it writes: logs, data, keys. It is deleted when the cluster ends, unless
    /// `ECS_OPERATOR_TESTBED_KEEP` is set.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the address of the API server, `https://127.0.0.1:PORT`.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Returns the kubeconfig file of a user with all permissions.
    pub fn kubeconfig(&self) -> PathBuf {
        self.path(ADMIN)
    }

    /// Returns a client of a user with all permissions.
    ///
    /// The client works only while the runtime that created it exists, so each test creates its own.
    pub async fn client(&self) -> Result<Client> {
        kubeconfig::client(&self.kubeconfig()).await
    }

    /// Writes a kubeconfig file with the identity and permissions of a service account.
    ///
    /// The account has to exist; its token is valid for a day.
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
        self.by_token(&format!("{namespace}.{name}"), namespace, &token)
    }

    /// Returns a client with the identity of a service account, see [`Self::kubeconfig_for_service_account`].
    pub async fn client_for_service_account(&self, namespace: &str, name: &str) -> Result<Client> {
        kubeconfig::client(&self.kubeconfig_for_service_account(namespace, name).await?).await
    }

    /// Applies the definitions of custom resources in a folder (`*.yaml`, `*.json`) and waits until they are served.
    pub async fn install_crds(&self, folder: impl AsRef<Path>) -> Result<()> {
        manifests::install_crds(&self.client().await?, folder.as_ref()).await
    }

    /// Applies objects, YAML documents of any kinds that the server supports; those without a namespace go to
    /// `namespace`.
    pub async fn apply(&self, namespace: &str, text: &str) -> Result<()> {
        manifests::apply(&self.client().await?, namespace, text).await
    }

    /// Creates a namespace with a name that begins with `prefix`.
    pub async fn namespace(&self, prefix: &str) -> Result<Namespace> {
        Namespace::create(&self.client().await?, &self.kubeconfig(), prefix).await
    }
}

//! Ways to reach a cluster, however it came to be.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::ServiceAccount,
};
use kube::{Api, Client, api::PostParams};

use crate::{kubeconfig, manifests, namespace::Namespace};

/// The user who may do everything.
pub(crate) const ADMIN: &str = "admin";

/// A cluster that runs.
#[derive(Debug)]
pub struct Cluster {
    pub(crate) server: String,
    /// The certificate of the server's authority.
    pub(crate) authority: PathBuf,
    pub(crate) folder: PathBuf,
}

impl Cluster {
    /// Everything that it writes: logs, data, keys. Gone when it ends, unless `ECS_OPERATOR_TESTBED_KEEP` is set.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The address of the API server, `https://127.0.0.1:PORT`.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The kubeconfig file of a user who may do everything.
    pub fn kubeconfig(&self) -> PathBuf {
        self.path(ADMIN)
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
        self.by_token(&format!("{namespace}.{name}"), namespace, &token)
    }

    /// A client that is a service account, see [`Self::kubeconfig_for_service_account`].
    pub async fn client_for_service_account(&self, namespace: &str, name: &str) -> Result<Client> {
        kubeconfig::client(&self.kubeconfig_for_service_account(namespace, name).await?).await
    }

    /// Applies the definitions of custom resources in a folder (`*.yaml`, `*.json`) and waits until they are served.
    pub async fn install_crds(&self, folder: impl AsRef<Path>) -> Result<()> {
        manifests::install_crds(&self.client().await?, folder.as_ref()).await
    }

    /// Applies objects, YAML documents of any kinds that the server has; those without a namespace go to `namespace`.
    pub async fn apply(&self, namespace: &str, text: &str) -> Result<()> {
        manifests::apply(&self.client().await?, namespace, text).await
    }

    /// A fresh namespace whose name begins with `prefix`.
    pub async fn namespace(&self, prefix: &str) -> Result<Namespace> {
        Namespace::create(&self.client().await?, &self.kubeconfig(), prefix).await
    }
}

//! A namespace for one test.

use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use k8s_openapi::api::core::v1::{Namespace as Object, ServiceAccount};
use kube::{
    Api, Client,
    api::{DeleteParams, ObjectMeta, PostParams},
};

use crate::{kubeconfig, wait::until};

/// A new namespace, which is deleted when the value is dropped unless it is kept.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    kubeconfig: PathBuf,
    kept: bool,
}

impl Namespace {
    /// Creates a namespace with a name that begins with `prefix`, and waits until pods can be created in it.
    ///
    /// The kubeconfig file must be for the cluster of the client: the deletion creates its own client.
    pub async fn create(client: &Client, kubeconfig: &Path, prefix: &str) -> Result<Self> {
        // Random names would work, but names that are sorted by age are easier to read.
        let age = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let object = Object {
            metadata: ObjectMeta {
                generate_name: Some(format!("{prefix}-{:05}-", age.as_secs() % 100_000)),
                ..ObjectMeta::default()
            },
            ..Object::default()
        };
        let object = Api::all(client.clone())
            .create(&PostParams::default(), &object)
            .await
            .context("create a namespace")?;
        let namespace = Self {
            name: object.metadata.name.context("a namespace without a name")?,
            kubeconfig: kubeconfig.to_owned(),
            kept: false,
        };
        // Pods are rejected until the controller manager has created their service account.
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace.name());
        until(
            "the default service account",
            Duration::from_mins(1),
            async || Ok(accounts.get_opt("default").await?),
        )
        .await?;
        Ok(namespace)
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Keeps the namespace and its objects, for inspection or until the control plane ends.
    pub fn keep(&mut self) {
        self.kept = true;
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let (name, kubeconfig) = (self.name.clone(), self.kubeconfig.clone());
        // The runtime of the test may be ending, and blocking on it is not allowed. Errors are ignored: the control
        // plane may have ended, and the namespace with it.
        let deletion = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let namespaces: Api<Object> = Api::all(kubeconfig::client(&kubeconfig).await?);
                let params = DeleteParams::default();
                let delete = namespaces.delete(&name, &params);
                tokio::time::timeout(Duration::from_secs(5), delete).await??;
                anyhow::Ok(())
            })
        });
        let _ = deletion.join();
    }
}

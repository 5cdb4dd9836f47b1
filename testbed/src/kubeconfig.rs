//! Kubeconfig files, written as JSON, which is also YAML.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};

use crate::cluster::Cluster;

impl Cluster {
    /// Writes `<name>.kubeconfig` for a user with the certificate `<certificates>/<name>.crt`.
    pub(crate) fn by_certificate(&self, name: &str, certificates: &Path) -> Result<PathBuf> {
        let file = |ending: &str| certificates.join(format!("{name}.{ending}"));
        let user = json!({"client-certificate": file("crt"), "client-key": file("key")});
        self.write(name, &user, "default")
    }

    /// Writes `<name>.kubeconfig` for the holder of a bearer token.
    pub(crate) fn by_token(&self, name: &str, namespace: &str, token: &str) -> Result<PathBuf> {
        self.write(name, &json!({"token": token}), namespace)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.kubeconfig"))
    }

    fn write(&self, name: &str, user: &Value, namespace: &str) -> Result<PathBuf> {
        let path = self.path(name);
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{
                "name": "testbed",
                "cluster": {"server": self.server, "certificate-authority": self.authority},
            }],
            "users": [{"name": "testbed", "user": user}],
            "contexts": [{
                "name": "testbed",
                "context": {"cluster": "testbed", "user": "testbed", "namespace": namespace},
            }],
            "current-context": "testbed",
        });
        fs::write(&path, format!("{config:#}\n"))
            .with_context(|| format!("write {}", path.display()))?;
        Ok(path)
    }
}

/// Returns a client for the cluster of a kubeconfig file.
///
/// The client works only on the runtime that created it, so each test creates its own.
pub async fn client(path: &Path) -> Result<Client> {
    let config = Kubeconfig::read_from(path).with_context(|| format!("read {}", path.display()))?;
    let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

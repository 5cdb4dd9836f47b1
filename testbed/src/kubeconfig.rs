//! Kubeconfig files, written as JSON, which is YAML too.

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

/// The cluster that kubeconfig files are written for.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// `https://host:port`.
    pub(crate) server: String,
    /// The certificate of the server's authority.
    pub(crate) authority: PathBuf,
    /// Where the files go.
    pub(crate) folder: PathBuf,
}

impl Cluster {
    /// Writes `<name>.kubeconfig` for a user with the certificate `<certificates>/<name>.crt`.
    pub(crate) fn by_certificate(&self, name: &str, certificates: &Path) -> Result<PathBuf> {
        let file = |ending: &str| certificates.join(format!("{name}.{ending}"));
        self.write(
            name,
            &json!({"client-certificate": file("crt"), "client-key": file("key")}),
        )
    }

    /// Writes `<name>.kubeconfig` for the bearer of a token.
    pub(crate) fn by_token(&self, name: &str, namespace: &str, token: &str) -> Result<PathBuf> {
        let path = self.path(name);
        self.write_context(&path, &json!({"token": token}), Some(namespace))?;
        Ok(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.kubeconfig"))
    }

    fn write(&self, name: &str, user: &Value) -> Result<PathBuf> {
        let path = self.path(name);
        self.write_context(&path, user, None)?;
        Ok(path)
    }

    fn write_context(&self, path: &Path, user: &Value, namespace: Option<&str>) -> Result<()> {
        let mut context = json!({"cluster": "testbed", "user": "testbed"});
        if let (Some(context), Some(namespace)) = (context.as_object_mut(), namespace) {
            context.insert("namespace".to_owned(), json!(namespace));
        }
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{
                "name": "testbed",
                "cluster": {"server": self.server, "certificate-authority": self.authority},
            }],
            "users": [{"name": "testbed", "user": user}],
            "contexts": [{"name": "testbed", "context": context}],
            "current-context": "testbed",
        });
        fs::write(path, format!("{config:#}\n"))
            .with_context(|| format!("write {}", path.display()))
    }
}

/// A client for what a kubeconfig file names.
///
/// It works on the runtime that it was made on only, so each test makes its own.
pub(crate) async fn client(path: &Path) -> Result<Client> {
    let config = Kubeconfig::read_from(path).with_context(|| format!("read {}", path.display()))?;
    let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

//! An API server that fails when a test wants it to: a proxy between a program and the real one.

mod server;
mod watch;

use std::{
    fs,
    future::Future,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use http::{Method, StatusCode, request::Parts};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

pub use watch::Watching;

/// A request of the program, as far as it tells what it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its method.
    pub method: Method,
    /// Its path, without the query.
    pub path: String,
    /// What stands behind the question mark.
    pub query: String,
    /// The name of the object in its body, where there is one.
    pub named: Option<String>,
}

impl Asked {
    fn new(parts: &Parts, body: &[u8]) -> Self {
        Self {
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            named: name_of(body),
        }
    }

    /// Whether the answer is a stream that ends when one of both sides wants that.
    pub fn is_watch(&self) -> bool {
        self.query
            .split('&')
            .any(|part| matches!(part, "watch=true" | "watch=1"))
    }
}

/// The name in the metadata of an object.
fn name_of(body: &[u8]) -> Option<String> {
    let object: Value = serde_json::from_slice(body).ok()?;
    let name = object.pointer("/metadata/name")?;
    name.as_str().map(str::to_owned)
}

/// What becomes of a request, or of its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes where it should.
    Pass,
    /// It goes nowhere, and the connection ends.
    Drop,
    /// The program gets this answer instead.
    Refuse(Refusal),
}

/// The answer of an API server that does not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub code: StatusCode,
    /// The reason in the `Status` object, such as `Conflict`.
    pub reason: &'static str,
    /// How many seconds the program is asked to wait before it tries again.
    pub retry_after: Option<u32>,
}

/// Decides what goes wrong.
///
/// `before` and `after` may take their time and do what they like to the program meanwhile. They are called on a task
/// of their own: should the program give up its request or be killed, they end all the same, and so does the request.
pub trait Faults: Send + Sync + 'static {
    /// Called with each request before it is passed on; only [`Verdict::Pass`] passes it on.
    fn before(&self, request: &Asked) -> impl Future<Output = Verdict> + Send;

    /// Called when a request was carried out and its answer is there, before the program gets it.
    fn after(&self, request: &Asked, status: StatusCode) -> impl Future<Output = Verdict> + Send;

    /// What becomes of the events of a watch that begins.
    fn watching(&self, request: &Asked) -> Watching;
}

/// A proxy before the API server, on a port of loopback. It ends with all its connections when it is dropped.
///
/// It speaks HTTP/1.1 without TLS, and it has credentials of its own, so that the program behind it needs none.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    serves: JoinHandle<()>,
}

impl Proxy {
    /// Starts a proxy that asks the API server as the user of a kubeconfig file.
    pub async fn start(kubeconfig: &Path, faults: Arc<impl Faults>) -> Result<Self> {
        let config = Kubeconfig::read_from(kubeconfig)
            .with_context(|| format!("read {}", kubeconfig.display()))?;
        let mut config =
            Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await?;
        // What the API server says is for the program to deal with.
        config.default_retry = false;
        Self::before(Client::try_from(config)?, faults).await
    }

    /// Starts a proxy that passes requests on by a client.
    async fn before(client: Client, faults: Arc<impl Faults>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("listen on loopback")?;
        let address = listener.local_addr()?;
        let serves = tokio::spawn(server::serve(listener, client, faults));
        Ok(Self { address, serves })
    }

    /// The address of the proxy, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Writes a kubeconfig file that leads to the proxy.
    pub fn kubeconfig(&self, folder: &Path) -> Result<PathBuf> {
        let path = folder.join(format!("proxy-{}.kubeconfig", self.address.port()));
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "proxy", "cluster": {"server": self.url()}}],
            "users": [{"name": "proxy", "user": {}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
            "current-context": "proxy",
        });
        fs::write(&path, format!("{config:#}\n"))
            .with_context(|| format!("write {}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serves.abort();
    }
}

#[cfg(test)]
mod tests;

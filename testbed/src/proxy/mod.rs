//! A proxy between a program and the API server that injects faults on behalf of a test.

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

/// A request of the program, as far as it is relevant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its method.
    pub method: Method,
    /// Its path, without the query.
    pub path: String,
    /// The query string.
    pub query: String,
    /// The name of the object in its body, if there is one.
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

    /// Whether the response is a stream that ends when either side closes it.
    pub fn is_watch(&self) -> bool {
        self.query
            .split('&')
            .any(|part| matches!(part, "watch=true" | "watch=1"))
    }
}

/// Returns the name in the metadata of an object.
fn name_of(body: &[u8]) -> Option<String> {
    let object: Value = serde_json::from_slice(body).ok()?;
    let name = object.pointer("/metadata/name")?;
    name.as_str().map(str::to_owned)
}

/// The decision about a request, or its response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is passed on.
    Pass,
    /// It is dropped, and the connection is closed.
    Drop,
    /// The program gets this response instead.
    Refuse(Refusal),
}

/// The response of an API server that does not carry out a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub code: StatusCode,
    /// The reason in the `Status` object, such as `Conflict`.
    pub reason: &'static str,
    /// How many seconds the program should wait before it retries.
    pub retry_after: Option<u32>,
}

/// Decides about faults.
///
/// `before` and `after` may take time and act on the program in the meantime. They are called on a separate task: if
/// the program cancels its request or is killed, they still complete, and so does the request.
pub trait Faults: Send + Sync + 'static {
    /// Called for each request before it is passed on; only [`Verdict::Pass`] passes it on.
    fn before(&self, request: &Asked) -> impl Future<Output = Verdict> + Send;

    /// Called when a request was carried out and its response has arrived, before the program gets it.
    fn after(&self, request: &Asked, status: StatusCode) -> impl Future<Output = Verdict> + Send;

    /// Decides about the events of a watch that starts.
    fn watching(&self, request: &Asked) -> Watching;
}

/// A proxy in front of the API server, on a loopback port. It ends with all its connections when it is dropped.
///
/// It speaks HTTP/1.1 without TLS and has its own credentials, so that the program needs none.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    serves: JoinHandle<()>,
}

impl Proxy {
    /// Starts a proxy that sends requests to the API server as the user of a kubeconfig file.
    pub async fn start(kubeconfig: &Path, faults: Arc<impl Faults>) -> Result<Self> {
        let config = Kubeconfig::read_from(kubeconfig)
            .with_context(|| format!("read {}", kubeconfig.display()))?;
        let mut config =
            Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await?;
        // The program has to handle the responses of the API server itself.
        config.default_retry = false;
        Self::before(Client::try_from(config)?, faults).await
    }

    /// Starts a proxy that passes requests on with a client.
    async fn before(client: Client, faults: Arc<impl Faults>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("listen on loopback")?;
        let address = listener.local_addr()?;
        let serves = tokio::spawn(server::serve(listener, client, faults));
        Ok(Self { address, serves })
    }

    /// Returns the address of the proxy, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Writes a kubeconfig file for the proxy.
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

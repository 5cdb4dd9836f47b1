//! A proxy between one operator and the API server, which withholds answers and remembers what it was asked.

use std::{
    cell::RefCell,
    convert::Infallible,
    future::pending,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::Result;
use axum::{Router, extract::Request, response::Response};
use ecs_operator_testbed::{Cluster, until};
use futures::StreamExt as _;
use http_body_util::BodyExt as _;
use kube::{
    Client, Config,
    client::Body,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch};

use crate::support::LIMIT;

/// What happens to requests of a method whose URL contains a text.
#[derive(Clone, Debug)]
pub struct Fault {
    pub method: &'static str,
    pub url: &'static str,
    /// The API server has the request, and only its answer is withheld; otherwise it never hears of it.
    pub is_served: bool,
}

/// The proxy. It ends with the runtime of the test.
pub struct Proxy {
    /// What an operator needs to come this way.
    pub kubeconfig: PathBuf,
    shared: Arc<Shared>,
}

struct Shared {
    client: Client,
    fault: watch::Sender<Option<Fault>>,
    /// Parts of URLs; watches of them that had begun tell nothing any more.
    stalled: Mutex<Vec<&'static str>>,
    stalls: AtomicUsize,
    seen: Mutex<Vec<String>>,
}

impl Proxy {
    /// Starts one for a program with the rights of the operator.
    pub async fn start(cluster: &Cluster) -> Result<Self> {
        let account = cluster
            .kubeconfig_for_service_account("ecs-operator", "ecs-operator")
            .await?;
        let read = Kubeconfig::read_from(&account)?;
        let mut config =
            Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await?;
        // Who asks brings a token.
        config.auth_info = Default::default();
        config.default_retry = false;
        let shared = Arc::new(Shared {
            client: Client::try_from(config)?,
            fault: watch::Sender::new(None),
            stalled: Mutex::default(),
            stalls: AtomicUsize::new(0),
            seen: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mut own: Value = serde_json::from_str(&std::fs::read_to_string(&account)?)?;
        own["clusters"][0]["cluster"] = json!({"server": format!("http://{address}")});
        let kubeconfig = cluster.folder().join(format!("proxy-{}", address.port()));
        std::fs::write(&kubeconfig, own.to_string())?;
        let answers = shared.clone();
        let router = Router::new().fallback(move |request: Request| {
            let shared = answers.clone();
            async move { Ok::<_, Infallible>(shared.answer(request).await) }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { kubeconfig, shared })
    }

    /// From now on this happens to requests, until [`Self::heal`].
    pub fn fail(&self, fault: Fault) {
        self.shared.fault.send_replace(Some(fault));
    }

    /// Withheld answers are given, and no more are withheld.
    pub fn heal(&self) {
        self.shared.fault.send_replace(None);
    }

    /// Watches of these URLs that have begun tell nothing any more; new ones do.
    pub fn stall(&self, urls: &[&'static str]) {
        *self.shared.stalled.lock().unwrap() = urls.to_vec();
        self.shared.stalls.fetch_add(1, Ordering::SeqCst);
    }

    /// Waits until a request comes that contains a text so many times. Returns all that came meanwhile.
    pub async fn until_seen(&self, text: &str, times: usize) -> Vec<String> {
        let all = RefCell::new(Vec::new());
        until(&format!("{times} times {text}"), 2 * LIMIT, async || {
            let mut all = all.borrow_mut();
            all.extend(self.seen());
            let found = all.iter().filter(|request| request.contains(text));
            Ok((found.count() >= times).then_some(()))
        })
        .await
        .unwrap();
        all.into_inner()
    }

    /// The requests since the last call, each as its method and URL.
    pub fn seen(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.seen.lock().unwrap())
    }
}

/// Whether a request changes something that is not the lease.
pub fn is_write(request: &str) -> bool {
    !request.starts_with("GET ") && !request.contains("/leases")
}

impl Shared {
    async fn answer(self: Arc<Self>, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let (method, url) = (head.method.as_str().to_owned(), head.uri.to_string());
        self.seen.lock().unwrap().push(format!("{method} {url}"));
        let mut fault = self.fault.subscribe();
        let now = fault.borrow_and_update().clone();
        let now = now.filter(|fault| fault.method == method && url.contains(fault.url));
        if now.as_ref().is_some_and(|fault| !fault.is_served) {
            pending::<()>().await;
        }
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let request = http::Request::from_parts(head, Body::from(body.to_vec()));
        let answer = self.client.send(request).await;
        if now.is_some() {
            let _ = fault.wait_for(Option::is_none).await;
        }
        match answer {
            Ok(answer) => self.pass(url, answer),
            Err(error) => http::Response::builder()
                .status(502)
                .body(error.to_string().into())
                .unwrap(),
        }
    }

    /// Passes an answer on as it comes.
    fn pass(self: Arc<Self>, url: String, answer: http::Response<Body>) -> Response {
        let (mut head, body) = answer.into_parts();
        // How it is sent from here is another matter.
        head.headers.remove(http::header::TRANSFER_ENCODING);
        let begun = self.stalls.load(Ordering::SeqCst);
        let chunks = body.into_data_stream().then(move |chunk| {
            let shared = self.clone();
            let is_watch = url.contains("watch=true");
            let stalls = shared
                .stalled
                .lock()
                .unwrap()
                .iter()
                .any(|part| url.contains(part));
            async move {
                if is_watch && stalls && shared.stalls.load(Ordering::SeqCst) > begun {
                    pending::<()>().await;
                }
                chunk
            }
        });
        Response::from_parts(head, axum::body::Body::from_stream(chunks))
    }
}

//! The client of the API server, with every request counted.

use std::{
    future::Future,
    pin::Pin,
    task::{self, Poll},
};

use kube::{Client, Config, client::ClientBuilder};
use tower::{Layer, Service};

use crate::server::Metrics;

/// A client that counts its requests.
///
/// # Errors
///
/// When the configuration has certificates or credentials that cannot be used.
pub(super) fn client(config: Config, metrics: Metrics) -> Result<Client, kube::Error> {
    Ok(ClientBuilder::try_from(config)?
        .with_layer(&CountLayer(metrics))
        .build())
}

struct CountLayer(Metrics);

impl<S> Layer<S> for CountLayer {
    type Service = Count<S>;

    fn layer(&self, inner: S) -> Count<S> {
        Count {
            inner,
            metrics: self.0.clone(),
        }
    }
}

/// Counts requests by their method and the status of the answer.
#[derive(Clone)]
struct Count<S> {
    inner: S,
    metrics: Metrics,
}

impl<S, Body, Answer> Service<http::Request<Body>> for Count<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Answer>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let (method, metrics) = (request.method().clone(), self.metrics.clone());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            let code = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
            metrics.requested(&method, code);
            answer
        })
    }
}

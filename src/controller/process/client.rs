//! The client of the API server: it counts every request, limits its time, and sends writes only while this replica
//! leads.

use std::{
    future::Future,
    pin::Pin,
    task::{self, Poll},
    time::Duration,
};

use http::{Method, StatusCode, header::RETRY_AFTER, request::Parts};
use http_body_util::{BodyExt as _, Full};
use kube::{
    Client, Config,
    client::{Body, ClientBuilder, DynBody},
};
use serde_json::{Value, json};
use tokio::time::timeout;
use tower::{BoxError, Layer, Service};

use super::fence::Fence;
use crate::server::Metrics;

/// How long a request may take, including its whole response; for a watch, the start of the response. This is the
/// longest timeout of an admission webhook
/// (<https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#timeouts>) plus a
/// margin.
const DEADLINE: Duration = Duration::from_secs(35);

type Answer = http::Response<Box<DynBody>>;

/// Returns a client that counts its requests, times out, and sends no write that `fence` blocks. The client for the
/// lease itself, which decides who leads, has no fence (`None`).
///
/// The client does not retry requests that the API server rejects: that would hold up the reconcile that sent it, and
/// all that wait for its slot.
///
/// # Errors
///
/// When the configuration has unusable certificates or credentials.
pub(crate) fn client(
    mut config: Config,
    metrics: Metrics,
    fence: Option<Fence>,
) -> Result<Client, kube::Error> {
    config.default_retry = false;
    let guard = GuardLayer {
        metrics,
        fence,
        deadline: DEADLINE,
    };
    Ok(ClientBuilder::try_from(config)?.with_layer(&guard).build())
}

/// No response came in time.
#[derive(Debug, thiserror::Error)]
#[error("the API server did not answer within {} s", .0.as_secs())]
struct NoAnswer(Duration);

/// The lease was not renewed in time, so another replica may lead.
#[derive(Debug, thiserror::Error)]
#[error("this replica is no longer the leader")]
struct NotLeading;

struct GuardLayer {
    metrics: Metrics,
    fence: Option<Fence>,
    deadline: Duration,
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard {
            inner,
            metrics: self.metrics.clone(),
            fence: self.fence.clone(),
            deadline: self.deadline,
        }
    }
}

/// The layer between the operator and the client.
#[derive(Clone)]
struct Guard<S> {
    inner: S,
    metrics: Metrics,
    fence: Option<Fence>,
    deadline: Duration,
}

impl<S> Service<http::Request<Body>> for Guard<S>
where
    S: Service<http::Request<Body>, Response = Answer, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Answer;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let (metrics, fence, deadline) = (self.metrics.clone(), self.fence.clone(), self.deadline);
        let (head, body) = request.into_parts();
        let (method, streams) = (head.method.clone(), is_watch(&head));
        let answer = self.inner.call(http::Request::from_parts(head, body));
        Box::pin(async move {
            // Check here and not above, because a request may wait in between.
            if method != Method::GET && fence.is_some_and(|fence| !fence.is_open()) {
                return Err(NotLeading.into());
            }
            let answer = match timeout(deadline, read(answer, streams)).await {
                Ok(answer) => answer,
                Err(_elapsed) => Err(NoAnswer(deadline).into()),
            };
            let code = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
            metrics.requested(&method, code);
            answer
        })
    }
}

fn is_watch(head: &Parts) -> bool {
    let mut query = head.uri.query().unwrap_or_default().split('&');
    query.any(|part| matches!(part, "watch=true" | "watch=1"))
}

/// Waits for a response, including its whole body unless it is a stream.
async fn read(
    answer: impl Future<Output = Result<Answer, BoxError>>,
    streams: bool,
) -> Result<Answer, BoxError> {
    let (head, body) = answer.await?.into_parts();
    if streams && head.status.is_success() {
        return Ok(Answer::from_parts(head, body));
    }
    let mut body = body.collect().await?.to_bytes();
    if let Some(seconds) = retry_after(&head) {
        body = refusal(head.status, &body, seconds).to_string().into();
    }
    let body = Full::new(body).map_err(|never| match never {});
    Ok(Answer::from_parts(head, Box::new(body)))
}

/// Returns how many seconds the API server asks to wait.
fn retry_after(head: &http::response::Parts) -> Option<u32> {
    let refuses = matches!(
        head.status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    );
    let value = head.headers.get(RETRY_AFTER).filter(|_| refuses)?;
    value.to_str().ok()?.parse().ok()
}

/// Returns the response as a Status that contains the seconds. An API server with too many requests rejects them with
/// plain text and a header, which would otherwise not appear in the error.
fn refusal(status: StatusCode, body: &[u8], seconds: u32) -> Value {
    let said = serde_json::from_slice(body).ok();
    let mut said = said
        .filter(|said: &Value| said.get("kind").and_then(Value::as_str) == Some("Status"))
        .unwrap_or_else(|| {
            json!({
                "kind": "Status",
                "apiVersion": "v1",
                "status": "Failure",
                "message": String::from_utf8_lossy(body).trim(),
                "reason": status.canonical_reason().unwrap_or_default().replace(' ', ""),
                "code": status.as_u16(),
            })
        });
    let members = said.as_object_mut();
    let details = members.map(|members| members.entry("details").or_insert_with(|| json!({})));
    if let Some(details) = details.and_then(Value::as_object_mut) {
        details.insert("retryAfterSeconds".to_owned(), json!(seconds));
    }
    said
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use futures::{StreamExt as _, TryStreamExt as _};
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::{
        Api,
        api::{PostParams, WatchParams},
    };
    use tower::service_fn;

    use super::*;
    use crate::controller::process::fence::since_boot;

    /// Returns a client whose API server answers with this status, header and text, and never ends the body if it is
    /// `endless`.
    fn answering(
        status: u16,
        seconds: Option<u32>,
        text: &'static str,
        endless: bool,
        fence: Option<Fence>,
    ) -> (Api<ConfigMap>, Metrics) {
        let server = service_fn(move |_: http::Request<Body>| {
            let mut answer = http::Response::builder().status(status);
            if let Some(seconds) = seconds {
                answer = answer.header(RETRY_AFTER, seconds);
            }
            let body = Full::from(text).map_err(|never| match never {});
            let body: Box<DynBody> = if endless {
                Box::new(body.with_trailers(Box::pin(pending())))
            } else {
                Box::new(body)
            };
            ready(Ok::<_, BoxError>(answer.body(body).expect("it is valid")))
        });
        let metrics = Metrics::default();
        let guard = GuardLayer {
            metrics: metrics.clone(),
            fence,
            deadline: Duration::from_millis(50),
        };
        let client = ClientBuilder::new(server, "default")
            .with_layer(&guard)
            .build();
        (Api::default_namespaced(client), metrics)
    }

    fn has(metrics: &Metrics, line: &str) -> bool {
        let text = metrics.text().expect("it can be written");
        text.lines().any(|other| other == line)
    }

    #[tokio::test]
    async fn an_answer_that_does_not_end_is_an_error() {
        let (api, metrics) = answering(200, None, r#"{"metadata": "#, true, None);
        let error = api.get("web").await.expect_err("it never ends");
        assert!(error.to_string().contains("did not answer"), "{error}");
        let line = "ecs_operator_api_requests_total{method=\"GET\",code=\"0\"} 1";
        assert!(has(&metrics, line), "{:?}", metrics.text());
    }

    #[tokio::test]
    async fn a_watch_may_go_on_for_ever() {
        let event = "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"web\"}}}\n";
        let (api, _) = answering(200, None, event, true, None);
        let events = api.watch(&WatchParams::default(), "0").await;
        let mut events = events.expect("it begins").boxed();
        assert!(events.try_next().await.expect("an event").is_some());
        let more = timeout(Duration::from_millis(100), events.next()).await;
        assert!(more.is_err(), "it is not cut off: {more:?}");
    }

    #[tokio::test]
    async fn a_write_is_sent_only_while_the_fence_is_open() {
        let fence = Fence::default();
        let (api, metrics) = answering(201, None, "{\"metadata\":{}}", false, Some(fence.clone()));
        let create = async || {
            api.create(&PostParams::default(), &ConfigMap::default())
                .await
        };
        let error = create().await.expect_err("nobody leads");
        assert!(
            error.to_string().contains("no longer the leader"),
            "{error}"
        );
        assert!(api.get("web").await.is_ok(), "reads are let through");
        fence.open_until(since_boot() + Duration::from_mins(1));
        assert!(create().await.is_ok());
        fence.close();
        assert!(create().await.is_err());
        let line = "ecs_operator_api_requests_total{method=\"POST\",code=\"201\"} 1";
        assert!(has(&metrics, line), "{:?}", metrics.text());
    }

    #[tokio::test]
    async fn a_server_that_is_busy_says_when_to_come_back() {
        for text in [
            "Too many requests, please try again later.\n",
            r#"{"kind":"Status","code":429,"message":"Too many requests, please try again later."}"#,
        ] {
            let (api, metrics) = answering(429, Some(7), text, false, None);
            let Err(kube::Error::Api(status)) = api.get("web").await else {
                panic!("it is refused")
            };
            assert_eq!(status.code, 429);
            assert_eq!(status.message, "Too many requests, please try again later.");
            assert_eq!(
                status.details.map(|details| details.retry_after_seconds),
                Some(7)
            );
            let line = "ecs_operator_api_requests_total{method=\"GET\",code=\"429\"} 1";
            assert!(
                has(&metrics, line),
                "it is asked once: {:?}",
                metrics.text()
            );
        }
    }
}

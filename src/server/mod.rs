//! The HTTP endpoints of the operator: health and metrics.

mod metrics;

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    Router,
    extract::{ConnectInfo, DefaultBodyLimit, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::{get, put},
};
use tokio::net::TcpListener;

pub use metrics::Metrics;

/// The content type of OpenMetrics text.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Sets the log level, or returns what is wrong with it.
pub type SetLogLevel = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// The longest text for the log level, in bytes.
const LONGEST_LEVEL: usize = 1024;

/// The input of the endpoints.
#[derive(Clone)]
pub struct Health {
    /// Returns what is stuck, if anything; the process should then be restarted.
    pub stuck: Arc<dyn Fn() -> Option<&'static str> + Send + Sync>,
    /// Whether the caches are filled.
    pub ready: Arc<AtomicBool>,
    /// The metrics.
    pub metrics: Metrics,
    /// Updates the metrics that nothing counts, such as the length of queues, before they are returned.
    pub measure: Arc<dyn Fn(&Metrics) + Send + Sync>,
    /// Sets the log level; the error says what is wrong with it.
    pub set_log_level: SetLogLevel,
}

/// Serves `/livez`, `/readyz`, `/metrics` and `PUT /log-level` forever, even while the operator shuts down, so that it
/// is not considered dead. The log level can be set only from the same machine or pod: others who can reach the metrics
/// should not be able to silence the log.
///
/// # Errors
///
/// When the listener fails.
pub async fn serve(listener: TcpListener, health: Health) -> io::Result<()> {
    let service = router(health).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).await
}

fn router(health: Health) -> Router {
    Router::new()
        .route("/livez", get(alive))
        .route("/readyz", get(ready))
        .route("/metrics", get(numbers))
        .route("/log-level", put(log_level))
        .layer(DefaultBodyLimit::max(LONGEST_LEVEL))
        .with_state(health)
}

async fn alive(State(health): State<Health>) -> impl IntoResponse {
    match (health.stuck)() {
        None => (StatusCode::OK, "ok"),
        Some(what) => (StatusCode::SERVICE_UNAVAILABLE, what),
    }
}

async fn ready(State(health): State<Health>) -> impl IntoResponse {
    if health.ready.load(Ordering::SeqCst) {
        (StatusCode::OK, "ok")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the caches are not filled yet",
        )
    }
}

async fn numbers(State(health): State<Health>) -> impl IntoResponse {
    (health.measure)(&health.metrics);
    match health.metrics.text() {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn log_level(
    State(health): State<Health>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    level: String,
) -> impl IntoResponse {
    if !peer.ip().to_canonical().is_loopback() {
        let help =
            "the log level can only be set over the loopback address, see kubectl port-forward";
        return (StatusCode::FORBIDDEN, help.to_owned());
    }
    match (health.set_log_level)(level.trim()) {
        Ok(()) => (StatusCode::OK, String::new()),
        Err(error) => (StatusCode::BAD_REQUEST, error),
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(stuck: Option<&'static str>, method: &str, path: &str, peer: &str) -> StatusCode {
        let health = Health {
            stuck: Arc::new(move || stuck),
            ready: Arc::default(),
            metrics: Metrics::default(),
            measure: Arc::new(|_| {}),
            set_log_level: Arc::new(|_| Ok(())),
        };
        let peer: SocketAddr = peer.parse().expect("it is an address");
        let request = Request::builder().method(method).uri(path);
        let request = request
            .extension(ConnectInfo(peer))
            .body(Body::from("debug"));
        let request = request.expect("it is a request");
        let answer = router(health).oneshot(request).await;
        answer.expect("it is answered").status()
    }

    #[tokio::test]
    async fn the_level_of_the_log_is_set_from_the_same_machine_only() {
        for (peer, status) in [
            ("127.0.0.1:1", StatusCode::OK),
            ("[::1]:1", StatusCode::OK),
            ("[::ffff:127.0.0.1]:1", StatusCode::OK),
            ("10.0.0.7:1", StatusCode::FORBIDDEN),
            ("[fd00::7]:1", StatusCode::FORBIDDEN),
            ("[::ffff:10.0.0.7]:1", StatusCode::FORBIDDEN),
        ] {
            assert_eq!(ask(None, "PUT", "/log-level", peer).await, status, "{peer}");
        }
    }

    #[tokio::test]
    async fn it_is_alive_until_something_is_stuck() {
        let peer = "10.0.0.7:1";
        assert_eq!(ask(None, "GET", "/livez", peer).await, StatusCode::OK);
        let stuck = ask(Some("the queue"), "GET", "/livez", peer).await;
        assert_eq!(stuck, StatusCode::SERVICE_UNAVAILABLE);
    }
}

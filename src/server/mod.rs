//! What the operator answers over HTTP: health and numbers.

mod metrics;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::{get, put},
};
use tokio::net::TcpListener;

pub use metrics::Metrics;

/// The content type of OpenMetrics text.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Sets the level of the log, or tells what is wrong with it.
pub type SetLogLevel = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// What the endpoints look at.
#[derive(Clone)]
pub struct Health {
    /// Whether the caches have everything.
    pub ready: Arc<AtomicBool>,
    /// The numbers.
    pub metrics: Metrics,
    /// Reads the numbers that nobody counts, such as the length of queues, before they are told.
    pub measure: Arc<dyn Fn(&Metrics) + Send + Sync>,
    /// Sets the level of the log; the error tells what is wrong with it.
    pub set_log_level: SetLogLevel,
}

/// Answers `/livez`, `/readyz`, `/metrics` and `PUT /log-level` for ever: also while the operator shuts down, so that
/// nobody takes it for dead.
///
/// # Errors
///
/// When the listener fails.
pub async fn serve(listener: TcpListener, health: Health) -> io::Result<()> {
    axum::serve(listener, router(health)).await
}

fn router(health: Health) -> Router {
    Router::new()
        .route("/livez", get(async || "ok"))
        .route("/readyz", get(ready))
        .route("/metrics", get(numbers))
        .route("/log-level", put(log_level))
        .with_state(health)
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

async fn log_level(State(health): State<Health>, level: String) -> impl IntoResponse {
    match (health.set_log_level)(level.trim()) {
        Ok(()) => (StatusCode::OK, String::new()),
        Err(error) => (StatusCode::BAD_REQUEST, error),
    }
}

//! Tests of a Prometheus that answers well, badly or not at all.

use std::{future::pending, sync::Arc};

use axum::{
    Router,
    body::{Body as AxumBody, Bytes},
    http::{HeaderMap, Uri},
    routing::post,
};
use futures::stream;
use serde_json::json;
use tokio::net::TcpListener;

use super::{
    super::asked::{CONCURRENT, values},
    *,
};

fn vector(values: &[&str]) -> String {
    let series = values.iter();
    let series: Vec<_> = series
        .map(|value| json!({"metric": {"pod": value}, "value": [1_700_000_000.5, value]}))
        .collect();
    json!({"status": "success", "data": {"resultType": "vector", "result": series}}).to_string()
}

/// Returns what an owner is shown of an answer, or its value.
fn shown(status: u16, body: &str) -> Result<f64, &'static str> {
    let status = StatusCode::from_u16(status).expect("it is a status");
    value(status, body.as_bytes()).map_err(|failure| failure.why)
}

#[test]
fn an_answer_has_one_finite_value_or_none() {
    assert_eq!(shown(200, &vector(&["12.5"])), Ok(12.5));
    let scalar = json!({"data": {"resultType": "scalar", "result": [1.0, "3"]}}).to_string();
    assert_eq!(shown(200, &scalar), Ok(3.0));
    assert_eq!(shown(200, &vector(&[])), Err(NOTHING));
    for text in ["NaN", "+Inf", "-Inf", "much"] {
        assert_eq!(shown(200, &vector(&[text])), Err(NOT_A_NUMBER), "{text}");
    }
    assert_eq!(shown(200, &vector(&["1", "2"])), Err(SEVERAL));
    let matrix = json!({"data": {"resultType": "matrix", "result": []}}).to_string();
    for body in ["<html>", "", "{}", "[]", &matrix] {
        assert_eq!(shown(200, body), Err(REFUSED), "{body}");
    }
    assert_eq!(shown(503, &vector(&["1"])), Err(REFUSED));
}

#[test]
fn only_the_administrator_sees_what_prometheus_says() {
    let secret = r#"found duplicate series for the match group {namespace="other"}"#;
    let body = json!({"status": "error", "errorType": "execution", "error": secret}).to_string();
    let failure = value(StatusCode::UNPROCESSABLE_ENTITY, body.as_bytes());
    let failure = failure.expect_err("it is an error");
    assert!(!failure.why.contains("other"), "{failure:?}");
    assert!(failure.detail.is_some_and(|detail| detail.contains(secret)));
}

/// Starts a server with this answer to queries, and returns its URL with a path.
async fn server<F, A>(
    answer: impl Fn(Uri, HeaderMap, Bytes) -> F + Clone + Send + Sync + 'static,
) -> Uri
where
    F: Future<Output = A> + Send,
    A: axum::response::IntoResponse + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("it listens");
    let address = listener.local_addr().expect("it has an address");
    let app = Router::new().route("/prefix/api/v1/query", post(answer));
    tokio::spawn(async { axum::serve(listener, app).await });
    let url = format!("http://{address}/prefix");
    url.parse().expect("it is a URL")
}

fn prometheus(url: Uri, token_file: Option<PathBuf>) -> Prometheus {
    Prometheus::new(PrometheusOptions {
        url,
        token_file,
        ca_file: None,
    })
}

#[tokio::test]
async fn a_query_is_sent_with_its_limits_and_the_token_of_now() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = seen.clone();
    let url = server(move |_: Uri, headers: HeaderMap, body: Bytes| {
        let token = headers.get(AUTHORIZATION).cloned();
        let token = token.map(|it| it.to_str().expect("it is a text").to_owned());
        let form = form_urlencoded::parse(&body).into_owned();
        lock(&sink).push((token, form.collect::<Vec<_>>()));
        async { vector(&["4"]) }
    })
    .await;
    let file = std::env::temp_dir().join(format!("ecs-operator-token-{}", std::process::id()));
    let prometheus = prometheus(url, Some(file.clone()));
    let without = prometheus.value("up").await.expect_err("it has no token");
    assert_eq!(without.why, NO_ACCESS);
    for token in ["first\n", "second"] {
        fs::write(&file, token).expect("it is written");
        assert_eq!(prometheus.value("a{b=\"c&d\"}").await, Ok(4.0));
    }
    fs::write(&file, "not\na token").expect("it is written");
    let wrong = prometheus.value("up").await.expect_err("it has no token");
    assert_eq!(wrong.why, NO_ACCESS);
    fs::remove_file(&file).expect("it is deleted");
    assert!(!format!("{wrong:?}").contains("a token"), "{wrong:?}");
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let form = vec![
        pair("query", "a{b=\"c&d\"}"),
        pair("timeout", "5s"),
        pair("limit", "2"),
    ];
    let expected = ["Bearer first", "Bearer second"].map(|it| (Some(it.to_owned()), form.clone()));
    assert_eq!(*lock(&seen), expected);
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let url = server(async |_: Uri, _: HeaderMap, _: Bytes| {
        let part = || Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 1024]));
        AxumBody::from_stream(stream::repeat_with(part))
    })
    .await;
    let failure = prometheus(url, None).value("up").await;
    assert_eq!(failure.map_err(|it| it.why), Err(REFUSED));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_is_not_waited_for() {
    let url = server(async |_: Uri, _: HeaderMap, _: Bytes| pending::<String>().await).await;
    let prometheus = prometheus(url, None);
    let (answers, _) = values(&["up"], |query| prometheus.value(query)).await;
    assert_eq!(answers, [("up", Err(Failure::late()))]);
}

#[tokio::test]
async fn a_server_that_is_gone_is_a_failure_until_it_comes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("it listens");
    let address = listener.local_addr().expect("it has an address");
    drop(listener);
    let url: Uri = format!("http://{address}").parse().expect("it is a URL");
    let prometheus = prometheus(url, None);
    let gone = prometheus.value("up").await.expect_err("it is gone");
    assert_eq!(gone.why, "it cannot be reached");
    let listener = TcpListener::bind(address).await.expect("it listens");
    let app = Router::new().route("/api/v1/query", post(async || vector(&["1"])));
    tokio::spawn(async { axum::serve(listener, app).await });
    assert_eq!(prometheus.value("up").await, Ok(1.0));
}

#[tokio::test(start_paused = true)]
async fn queries_that_hang_take_a_share_of_a_minute_and_not_those_of_others() {
    let url = server(async |_: Uri, _: HeaderMap, body: Bytes| {
        if body.starts_with(b"query=slow") {
            pending::<()>().await;
        }
        vector(&["1"])
    })
    .await;
    let prometheus = prometheus(url, None);
    let slow: Vec<String> = (0..40).map(|index| format!("slow{index}")).collect();
    let mut queries = vec!["fast"];
    queries.extend(slow.iter().map(String::as_str));
    queries.push("last");
    let (answers, asked) = values(&queries, |query| prometheus.value(query)).await;
    // Two times as many as are sent at a time hang, and the first one has made room for another.
    assert_eq!(asked, 2 * CONCURRENT + 1);
    let known = answers.iter().filter(|(_, value)| value.is_ok());
    assert_eq!(known.map(|(query, _)| *query).collect::<Vec<_>>(), ["fast"]);
    assert_eq!(answers.len(), 42, "each query has a value or a reason");
    let (values, asked) = values(&["last", "fast"], |query| prometheus.value(query)).await;
    assert_eq!((values.len(), asked), (2, 2));
    assert!(values.iter().all(|(_, value)| *value == Ok(1.0)));
}

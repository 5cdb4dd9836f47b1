//! Tests of questions to registries.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use tokio::{net::TcpListener, sync::Semaphore};

use super::*;

/// Serves a registry, and returns its name.
async fn registry<F, A>(answer: impl Fn(Request) -> F + Clone + Send + Sync + 'static) -> String
where
    F: Future<Output = A> + Send,
    A: IntoResponse + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("it listens");
    let address = listener.local_addr().expect("it has an address");
    let app = Router::new().fallback(answer);
    tokio::spawn(async { axum::serve(listener, app).await });
    address.to_string()
}

fn listing(names: &[&str]) -> Registries {
    let listed = names
        .iter()
        .map(|name| name.parse().expect("it is a registry"));
    Registries::new(RegistryOptions {
        listed: listed.collect(),
        ecr_endpoint: None,
        role_arn: None,
        ca_file: None,
    })
}

fn digest(of: &str) -> String {
    format!("sha256:{}", of.repeat(32))
}

fn with_digest(digest: &str) -> Response {
    ([("docker-content-digest", digest.to_owned())], "").into_response()
}

/// Resolves one image.
async fn resolve(registries: &Registries, image: &str) -> Result<Option<String>, DigestFailure> {
    let (mut digests, failures) = registries.resolve([image.to_owned()].into()).await;
    match failures.into_iter().next() {
        Some((_, failure)) => Err(failure),
        None => Ok(digests.remove(image)),
    }
}

#[tokio::test]
async fn only_listed_registries_are_asked() {
    let host = registry(|request: Request| async move {
        assert_eq!(request.uri().path(), "/v2/shop/web/manifests/1");
        with_digest(&digest("0a"))
    })
    .await;
    let image = format!("{host}/shop/web:1");
    let listed = listing(&["docker.io", "http://127.0.0.*"]);
    assert_eq!(resolve(&listed, &image).await, Ok(Some(digest("0a"))));
    let others = listing(&["http://127.0.0.2*", "docker.io"]);
    assert_eq!(resolve(&others, &image).await, Ok(None));
    for name in [
        "",
        "http://",
        "docker.io/library",
        "https://docker.io",
        "a b",
    ] {
        assert!(name.parse::<ListedRegistry>().is_err(), "{name:?}");
    }
}

#[tokio::test]
async fn a_token_is_fetched_and_a_manifest_hashed_where_the_registry_wants_it() {
    let host = registry(|request: Request| async move {
        let headers: &HeaderMap = request.headers();
        let authority = headers["host"].to_str().expect("it is a text").to_owned();
        match (request.uri().path(), headers.get("authorization")) {
            ("/token", _) => r#"{"token": "t1"}"#.into_response(),
            (_, Some(token)) if token == "Bearer t1" => "manifest".into_response(),
            _ => {
                let challenge = format!("Bearer realm=\"http://{authority}/token\"");
                let head = [("www-authenticate", challenge)];
                (StatusCode::UNAUTHORIZED, head).into_response()
            }
        }
    })
    .await;
    let registries = listing(&["http://*"]);
    let found = resolve(&registries, &format!("{host}/web")).await;
    // printf manifest | sha256sum
    let expected = "sha256:05b3abf2579a5eb66403cd78be557fd860633a1fe2103c7642030defe32c657f";
    let found = found.map(Option::unwrap_or_default);
    assert_eq!(found.as_deref(), Ok(expected));
}

#[tokio::test]
async fn a_tag_that_cannot_be_resolved_has_a_reason() {
    let host = registry(|request: Request| async move {
        match request.uri().path() {
            "/v2/gone/manifests/latest" => StatusCode::NOT_FOUND.into_response(),
            "/v2/odd/manifests/latest" => with_digest("sha256:../../x"),
            _ => StatusCode::TOO_MANY_REQUESTS.into_response(),
        }
    })
    .await;
    let registries = listing(&["http://*"]);
    let gone = resolve(&registries, &format!("{host}/gone")).await;
    assert_eq!(gone, Err(DigestFailure::NotFound));
    let odd = resolve(&registries, &format!("{host}/odd")).await;
    assert!(matches!(odd, Err(DigestFailure::Answer(_))), "{odd:?}");
    let busy = resolve(&registries, &format!("{host}/busy")).await;
    let status = DigestFailure::Refused("HTTP status 429".to_owned());
    assert_eq!(busy, Err(status));
}

#[tokio::test]
async fn a_repository_that_does_not_answer_holds_up_no_further_deployment() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let host = registry(|_| async {
        ASKED.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<StatusCode>().await
    })
    .await;
    let registries = listing(&["http://*"]);
    for tag in ["a", "b", "c"] {
        let failure = resolve(&registries, &format!("{host}/web:{tag}")).await;
        assert_eq!(failure, Err(DigestFailure::Late));
    }
    assert_eq!(ASKED.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_question_is_shared_only_by_those_who_asked_before_it_was_sent() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    static ANSWERS: Semaphore = Semaphore::const_new(0);
    let host = registry(|_| async {
        let asked = ASKED.fetch_add(1, Ordering::SeqCst);
        ANSWERS.acquire().await.expect("it is open").forget();
        with_digest(&digest(if asked == 0 { "0a" } else { "0b" }))
    })
    .await;
    let registries = Arc::new(listing(&["http://*"]));
    let image = format!("{host}/web");
    let ask = || {
        let (registries, image) = (registries.clone(), image.clone());
        tokio::spawn(async move { resolve(&registries, &image).await })
    };
    let first = ask();
    while ASKED.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let others = [ask(), ask(), ask()];
    // All of them wait: the map, the first one and three have the entry.
    let waiting = || lock(&registries.asked).get(&image).map(Arc::strong_count);
    while waiting() != Some(5) {
        tokio::task::yield_now().await;
    }
    ANSWERS.add_permits(2);
    assert_eq!(first.await.expect("it ends"), Ok(Some(digest("0a"))));
    for other in others {
        assert_eq!(other.await.expect("it ends"), Ok(Some(digest("0b"))));
    }
    assert_eq!(ASKED.load(Ordering::SeqCst), 2);
    assert!(lock(&registries.asked).is_empty());
}

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::{Request, Response, StatusCode};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, Config,
    api::{ListParams, PostParams, WatchParams},
    client::Body,
};
use serde_json::json;
use tokio::sync::Notify;

use super::*;

/// Applies the same fault to each request, and records how far each got.
struct Always {
    before: Verdict,
    after: Verdict,
    watching: Watching,
    /// If this exists, requests are passed on only after it is notified.
    held: Option<Notify>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Always {
    fn passing() -> Self {
        Self {
            before: Verdict::Pass,
            after: Verdict::Pass,
            watching: Watching::Faithful,
            held: None,
            log: Arc::default(),
        }
    }
}

fn note(log: &Mutex<Vec<String>>, text: String) {
    log.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(text);
}

impl Faults for Always {
    async fn before(&self, request: &Asked) -> Verdict {
        let named = request.named.as_deref().unwrap_or("-");
        note(
            &self.log,
            format!("before {} {} {named}", request.method, request.path),
        );
        if let Some(held) = &self.held {
            held.notified().await;
        }
        self.before.clone()
    }

    async fn after(&self, _: &Asked, status: StatusCode) -> Verdict {
        note(&self.log, format!("after {}", status.as_u16()));
        self.after.clone()
    }

    fn watching(&self, _: &Asked) -> Watching {
        self.watching
    }
}

/// Returns an API server that returns the object that it was sent, and sends three events to watches.
fn server(log: Arc<Mutex<Vec<String>>>) -> Client {
    let answer = move |request: Request<Body>| {
        let log = log.clone();
        async move {
            let uri = request.uri().to_string();
            note(&log, format!("carried out {} {uri}", request.method()));
            let body = if uri.contains("watch=true") {
                let event =
                    |name: &str| json!({"type": "ADDED", "object": {"metadata": {"name": name}}});
                format!("{}\n{}\n{}\n", event("a"), event("b"), event("c")).into_bytes()
            } else {
                request.into_body().collect_bytes().await?.to_vec()
            };
            Ok::<_, kube::Error>(Response::new(Body::from(body)))
        }
    };
    Client::new(tower::service_fn(answer), "default")
}

/// Starts a proxy in front of that server, and returns the API of a client that uses it.
async fn proxy(faults: &Arc<Always>) -> (Proxy, Api<ConfigMap>) {
    let proxy = Proxy::before(server(faults.log.clone()), faults.clone())
        .await
        .unwrap();
    let mut config = Config::new(proxy.url().parse().unwrap());
    config.default_retry = false;
    let client = Client::try_from(config).unwrap();
    (proxy, Api::namespaced(client, "shop"))
}

async fn create(api: &Api<ConfigMap>) -> kube::Result<ConfigMap> {
    let object = json!({"metadata": {"name": "one"}});
    let object = serde_json::from_value(object).unwrap();
    api.create(&PostParams::default(), &object).await
}

fn log(faults: &Always) -> Vec<String> {
    faults.log.lock().unwrap().clone()
}

const BEFORE: &str = "before POST /api/v1/namespaces/shop/configmaps one";
const CARRIED_OUT: &str = "carried out POST /api/v1/namespaces/shop/configmaps?";

#[tokio::test]
async fn what_nothing_happens_to_is_carried_out_and_answered() {
    let faults = Arc::new(Always::passing());
    let (_proxy, api) = proxy(&faults).await;
    assert_eq!(
        create(&api).await.unwrap().metadata.name.as_deref(),
        Some("one")
    );
    assert_eq!(log(&faults), [BEFORE, CARRIED_OUT, "after 200"]);
}

#[tokio::test]
async fn a_request_that_is_dropped_before_is_not_carried_out() {
    let faults = Arc::new(Always {
        before: Verdict::Drop,
        ..Always::passing()
    });
    let (_proxy, api) = proxy(&faults).await;
    assert!(create(&api).await.is_err());
    let carried_out = log(&faults)
        .iter()
        .any(|line| line.starts_with("carried out"));
    assert!(!carried_out);
}

#[tokio::test]
async fn a_request_whose_answer_is_dropped_is_carried_out() {
    let faults = Arc::new(Always {
        after: Verdict::Drop,
        ..Always::passing()
    });
    let (_proxy, api) = proxy(&faults).await;
    assert!(create(&api).await.is_err());
    assert_eq!(log(&faults), [BEFORE, CARRIED_OUT, "after 200"]);
}

#[tokio::test]
async fn a_refusal_is_an_answer_of_the_api_server() {
    let faults = Arc::new(Always {
        before: Verdict::Refuse(Refusal {
            code: StatusCode::CONFLICT,
            reason: "Conflict",
            retry_after: None,
        }),
        ..Always::passing()
    });
    let (_proxy, api) = proxy(&faults).await;
    let error = create(&api).await.unwrap_err();
    let kube::Error::Api(status) = error else {
        panic!("{error}")
    };
    assert_eq!((status.code, status.reason.as_str()), (409, "Conflict"));
    assert_eq!(log(&faults), [BEFORE]);
}

#[tokio::test]
async fn who_is_told_to_wait_is_told_how_long() {
    let refusal = Refusal {
        code: StatusCode::TOO_MANY_REQUESTS,
        reason: "TooManyRequests",
        retry_after: Some(7),
    };
    let faults = Arc::new(Always {
        before: Verdict::Refuse(refusal),
        ..Always::passing()
    });
    let (proxy, _) = proxy(&faults).await;
    let mut config = Config::new(proxy.url().parse().unwrap());
    config.default_retry = false;
    let client = Client::try_from(config).unwrap();
    let request = Request::get("/api/v1/namespaces/shop/configmaps/one")
        .body(Body::empty())
        .unwrap();
    let answer = client.send(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.headers()["retry-after"], "7");
}

#[tokio::test]
async fn a_request_is_carried_out_although_the_program_has_given_it_up() {
    let faults = Arc::new(Always {
        held: Some(Notify::new()),
        ..Always::passing()
    });
    let (_proxy, api) = proxy(&faults).await;
    let wait_for = async |line: &str| {
        crate::until(line, Duration::from_secs(30), async || {
            Ok(log(&faults).iter().any(|it| it == line).then_some(()))
        })
        .await
        .unwrap();
    };
    tokio::select! {
        answer = create(&api) => panic!("{answer:?}"),
        () = wait_for(BEFORE) => {}
    }
    faults.held.as_ref().unwrap().notify_one();
    wait_for(CARRIED_OUT).await;
}

/// Returns the events that a watch receives, and how it ends.
async fn events(watching: Watching) -> Vec<String> {
    use futures_util::TryStreamExt as _;
    let faults = Arc::new(Always {
        watching,
        ..Always::passing()
    });
    let (_proxy, api) = proxy(&faults).await;
    let stream = api.watch(&WatchParams::default(), "0").await.unwrap();
    let events: Vec<_> = stream.try_collect().await.unwrap();
    let told = |event: &kube::api::WatchEvent<ConfigMap>| match event {
        kube::api::WatchEvent::Added(object) => object.metadata.name.clone().unwrap_or_default(),
        kube::api::WatchEvent::Error(status) => status.code.to_string(),
        other => format!("{other:?}"),
    };
    events.iter().map(told).collect()
}

#[tokio::test]
async fn watches_are_disturbed_as_they_are_told() {
    assert_eq!(events(Watching::Faithful).await, ["a", "b", "c"]);
    assert_eq!(
        events(Watching::Late(Duration::from_millis(1))).await,
        ["a", "b", "c"]
    );
    assert_eq!(events(Watching::Ends { after: 2 }).await, ["a", "b"]);
    assert_eq!(events(Watching::Gone { after: 2 }).await, ["a", "b", "410"]);
    assert_eq!(events(Watching::Gone { after: 9 }).await, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_list_is_no_watch() {
    let faults = Arc::new(Always::passing());
    let (_proxy, api) = proxy(&faults).await;
    // The response of this server is not a list, which does not matter here.
    let _list = api.list(&ListParams::default()).await;
    assert_eq!(log(&faults).len(), 3);
}

#[tokio::test]
async fn a_program_finds_the_proxy_by_its_kubeconfig() {
    let folder = tempfile::tempdir().unwrap();
    let faults = Arc::new(Always::passing());
    let (proxy, _) = proxy(&faults).await;
    let path = proxy.kubeconfig(folder.path()).unwrap();
    let client = crate::client(&path).await.unwrap();
    create(&Api::namespaced(client, "shop")).await.unwrap();
    assert_eq!(log(&faults), [BEFORE, CARRIED_OUT, "after 200"]);
}

//! A client that cannot write.

use http::Method;
use kube::{Client, client::Body};
use tower::{BoxError, service_fn};

/// A request that is not only a read.
#[derive(Debug, thiserror::Error)]
#[error("this needs a write ({method} {path}), and a preview makes none")]
struct Write {
    method: Method,
    path: String,
}

/// Returns a client that sends reads through another one, and refuses to send anything else.
#[must_use]
pub fn read_only(client: Client) -> Client {
    let namespace = client.default_namespace().to_owned();
    let send = move |request: http::Request<Body>| {
        let client = client.clone();
        async move {
            if request.method() != Method::GET {
                return Err(BoxError::from(Write {
                    method: request.method().clone(),
                    path: request.uri().path().to_owned(),
                }));
            }
            client.send(request).await.map_err(BoxError::from)
        }
    };
    Client::new(service_fn(send), namespace)
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use http::Response;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::{
        Api,
        api::{DeleteParams, PostParams},
    };

    use super::*;

    #[tokio::test]
    async fn only_reads_are_sent() {
        let sent = Arc::new(AtomicUsize::new(0));
        let count = sent.clone();
        let server = Client::new(
            service_fn(move |_: http::Request<Body>| {
                count.fetch_add(1, Ordering::SeqCst);
                let body = r#"{"metadata": {"name": "a"}}"#.as_bytes().to_vec();
                async move { Ok::<_, BoxError>(Response::new(Body::from(body))) }
            }),
            "shop",
        );
        let maps: Api<ConfigMap> = Api::default_namespaced(read_only(server));
        maps.get("a").await.expect("a read is sent");
        let map = ConfigMap::default();
        let created = maps.create(&PostParams::default(), &map).await;
        let error = created.expect_err("a write is not sent").to_string();
        assert!(
            error.contains("POST /api/v1/namespaces/shop/configmaps"),
            "{error}"
        );
        let deleted = maps.delete("a", &DeleteParams::default()).await;
        assert!(deleted.is_err());
        assert_eq!(sent.load(Ordering::SeqCst), 1);
    }
}

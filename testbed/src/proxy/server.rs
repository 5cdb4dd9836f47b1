//! Handles the connections of the proxy and the requests on them.

use std::{convert::Infallible, io, sync::Arc};

use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use kube::{Client, Error, client::Body};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinSet};

use super::{Asked, Faults, Refusal, Verdict, watch};

type Answer = Response<UnsyncBoxBody<Bytes, Error>>;

/// Serves until it is aborted; its connections end with it.
pub(super) async fn serve(listener: TcpListener, client: Client, faults: Arc<impl Faults>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        // Finished connections are removed.
        while connections.try_join_next().is_some() {}
        let (client, faults) = (client.clone(), faults.clone());
        let service = service_fn(move |request| handle(client.clone(), faults.clone(), request));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        connections.spawn(async move {
            // It fails when the program exits, and when a request is dropped.
            let _ended = connection.await;
        });
    }
}

/// Responds to a request; an error closes the connection without a response.
async fn handle(
    client: Client,
    faults: Arc<impl Faults>,
    request: Request<Incoming>,
) -> io::Result<Answer> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let asked = Asked::new(&parts, &body);
    let request = Request::from_parts(parts, Body::from(body));
    if asked.is_watch() {
        let watching = faults.watching(&asked);
        let answer = pass_on(&client, request).await?;
        return Ok(answer.map(|body| watch::disturbed(body, watching)));
    }
    // A separate task completes what it has started, even if the program no longer waits.
    let handled = tokio::spawn(async move { exchange(&client, &*faults, asked, request).await });
    handled.await.map_err(io::Error::other)?
}

/// Passes a request on and its response back, unless a fault prevents it.
async fn exchange(
    client: &Client,
    faults: &impl Faults,
    asked: Asked,
    request: Request<Body>,
) -> io::Result<Answer> {
    match faults.before(&asked).await {
        Verdict::Pass => {}
        Verdict::Drop => return Err(io::Error::other("dropped before it was carried out")),
        Verdict::Refuse(refusal) => return Ok(refused(&refusal)),
    }
    let (parts, body) = pass_on(client, request).await?.into_parts();
    // When the response is complete, the request is carried out.
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    match faults.after(&asked, parts.status).await {
        Verdict::Pass => Ok(Response::from_parts(parts, full(body))),
        Verdict::Drop => Err(io::Error::other("dropped after it was carried out")),
        Verdict::Refuse(refusal) => Ok(refused(&refusal)),
    }
}

/// Passes a request on as the user of the client.
async fn pass_on(client: &Client, mut request: Request<Body>) -> io::Result<Answer> {
    let headers = request.headers_mut();
    for hop in [header::HOST, header::CONNECTION, header::AUTHORIZATION] {
        headers.remove(hop);
    }
    match client.send(request).await {
        Ok(answer) => {
            let (mut parts, body) = answer.into_parts();
            // The body is decoded and encoded again.
            parts.headers.remove(header::TRANSFER_ENCODING);
            Ok(Response::from_parts(parts, body.boxed_unsync()))
        }
        Err(error) => Err(io::Error::other(error)),
    }
}

/// Returns an error response in the format of the API server.
fn refused(refusal: &Refusal) -> Answer {
    let status = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": format!("{}: a fault of the test", refusal.reason),
        "reason": refusal.reason,
        "code": refusal.code.as_u16(),
    });
    let mut answer = Response::new(full(Bytes::from(status.to_string())));
    *answer.status_mut() = refusal.code;
    let headers = answer.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    if let Some(seconds) = refusal.retry_after {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    answer
}

fn full(bytes: Bytes) -> UnsyncBoxBody<Bytes, Error> {
    Full::new(bytes)
        .map_err(|never: Infallible| match never {})
        .boxed_unsync()
}

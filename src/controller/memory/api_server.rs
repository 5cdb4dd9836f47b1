//! An API server in memory, as a client sees it.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll},
};

use http::{Response, StatusCode};
use kube::{Client, client::Body};
use serde_json::{Value, json};
use tower::{BoxError, Service};

use super::{
    request::{NAMESPACE, Request},
    store::{Refused, Store},
    trial::overtake,
};
use crate::controller::context::lock;

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// Somebody else was faster: 409, and nothing is changed.
    Conflict,
    /// The API server is in trouble: 500, and nothing is changed.
    Trouble,
    /// It is carried out, and no answer comes.
    AnswerLost,
    /// Before it comes, another replica leads and does all that there is to do. The one that sent it hears of nothing.
    Overtaken,
}

/// A request that came, and the objects before and after it.
pub(super) struct Asked {
    /// What was asked for.
    pub(super) what: String,
    pub(super) is_write: bool,
    pub(super) before: Store,
    pub(super) after: Store,
}

/// The API server. Clones are the same.
#[derive(Clone)]
pub(super) struct ApiServer(Arc<Mutex<State>>);

struct State {
    store: Store,
    asked: Vec<Asked>,
    /// What was told by events.
    events: Vec<Value>,
    /// The request at which something goes wrong, by its number, and what.
    fault: Option<(usize, Wrong)>,
}

impl ApiServer {
    /// An API server with these objects.
    pub(super) fn new(store: Store) -> Self {
        Self(Arc::new(Mutex::new(State {
            store,
            asked: Vec::new(),
            events: Vec::new(),
            fault: None,
        })))
    }

    /// Lets something go wrong at a request, by its number.
    pub(super) fn fail(&self, fault: Option<(usize, Wrong)>) {
        self.state().fault = fault;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }

    /// A client of it.
    pub(super) fn client(&self) -> Client {
        Client::new(self.clone(), NAMESPACE)
    }

    /// The objects.
    pub(super) fn store(&self) -> Store {
        self.state().store.clone()
    }

    /// Does something with the objects that no client asks for.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Store) -> T) -> T {
        act(&mut self.state().store)
    }

    /// What was told by events, since this was last asked for.
    pub(super) fn take_events(&self) -> Vec<Value> {
        std::mem::take(&mut self.state().events)
    }

    /// The requests that came, but for events; they are counted anew then.
    pub(super) fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.state().asked)
    }

    /// Whether another replica is to do its work before a request. That happens once.
    fn is_overtaken(&self, request: Option<&Request>) -> bool {
        let mut state = self.state();
        let is_it = state.fault == Some((state.asked.len(), Wrong::Overtaken))
            && request.is_some_and(|request| !request.is_event());
        if is_it {
            state.fault = None;
        }
        is_it
    }

    fn answer(&self, request: Option<Request>) -> Result<Response<Body>, BoxError> {
        let Some(request) = request else {
            return Err("the API server in memory does not know this request".into());
        };
        if request.is_event() {
            self.state().events.push(request.body.clone());
            return Ok(response(StatusCode::OK, &request.body));
        }
        let mut state = self.state();
        let number = state.asked.len();
        let fault = state.fault.filter(|(at, _)| *at == number);
        let before = state.store.clone();
        let result = match fault.map(|(_, wrong)| wrong) {
            Some(Wrong::Conflict) => Err(Refused::conflict(&request.place, "it was changed")),
            Some(Wrong::Trouble) => Err(Refused {
                code: StatusCode::INTERNAL_SERVER_ERROR,
                reason: "InternalError",
                message: "the API server is in trouble".to_owned(),
            }),
            Some(Wrong::AnswerLost | Wrong::Overtaken) | None => state.store.carry_out(&request),
        };
        let after = state.store.clone();
        state.asked.push(Asked {
            what: request.to_string(),
            is_write: request.is_write(),
            before,
            after,
        });
        if let Some((_, Wrong::AnswerLost)) = fault {
            return Err("the connection was lost".into());
        }
        Ok(match result {
            Ok(object) => response(StatusCode::OK, &object),
            Err(refused) => response(refused.code, &status(&refused)),
        })
    }
}

fn response(code: StatusCode, body: &Value) -> Response<Body> {
    let body = Body::from(body.to_string().into_bytes());
    let response = Response::builder().status(code).body(body);
    response.expect("it is valid")
}

fn status(refused: &Refused) -> Value {
    json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": refused.message,
        "reason": refused.reason,
        "code": refused.code.as_u16(),
    })
}

impl Service<http::Request<Body>> for ApiServer {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let server = self.clone();
        let (head, body) = request.into_parts();
        Box::pin(async move {
            let body = body.collect_bytes().await?;
            let request = Request::read(&head, &body);
            if server.is_overtaken(request.as_ref()) {
                overtake(server.clone()).await;
            }
            server.answer(request)
        })
    }
}

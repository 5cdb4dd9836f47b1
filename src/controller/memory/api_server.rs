//! An in-memory API server, as a client sees it.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, Weak},
    task::Poll,
};

use http::{Response, StatusCode};
use kube::{Client, client::Body};
use serde_json::{Value, json};
use tower::{BoxError, Service};

use super::{
    request::{NAMESPACE, Request},
    store::{Refused, Store},
    trial::overtake,
    watches::observe,
};
use crate::controller::context::{Context, lock};

/// The fault of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// Someone else was faster: 409, and nothing is changed.
    Conflict,
    /// The API server has an error: 500, and nothing is changed.
    Trouble,
    /// The request is carried out, and the response is lost.
    AnswerLost,
    /// The request is carried out, and someone deletes the object that it made. The watch reports both before the response
    /// arrives.
    Deleted,
    /// Before the request arrives, another replica leads and does all pending work. The replica that sent it learns
    /// nothing of that.
    Overtaken,
}

/// A received request, and the objects before and after it.
pub(super) struct Asked {
    /// A description of the request.
    pub(super) what: String,
    pub(super) is_write: bool,
    pub(super) before: Store,
    pub(super) after: Store,
}

impl Asked {
    /// Whether it has made an object without which tasks go on, and which is made again when someone deletes it.
    pub(super) fn makes(&self) -> bool {
        let tasks = ["pods", "daemonsets", "deployments"];
        let mut after = self.after.objects().keys();
        after.any(|it| self.before.get(it).is_none() && !tasks.contains(&it.plural.as_str()))
    }
}

/// The API server. Clones share their state.
#[derive(Clone)]
pub(super) struct ApiServer(Arc<Mutex<State>>);

struct State {
    store: Store,
    asked: Vec<Asked>,
    /// The events that were reported.
    events: Vec<Value>,
    /// The number of the request with a fault, and the fault.
    fault: Option<(usize, Wrong)>,
    /// The replica whose watches are fast.
    watcher: Weak<Context>,
}

impl ApiServer {
    /// Returns an API server with these objects.
    pub(super) fn new(store: Store) -> Self {
        Self(Arc::new(Mutex::new(State {
            store,
            asked: Vec::new(),
            events: Vec::new(),
            fault: None,
            watcher: Weak::new(),
        })))
    }

    /// Reports to the watches of a replica what happens before the response to a request.
    pub(super) fn report_to(&self, watcher: &Arc<Context>) {
        self.state().watcher = Arc::downgrade(watcher);
    }

    /// Injects a fault at a request, by its number.
    pub(super) fn fail(&self, fault: Option<(usize, Wrong)>) {
        self.state().fault = fault;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }

    /// Returns a client of this API server.
    pub(super) fn client(&self) -> Client {
        Client::new(self.clone(), NAMESPACE)
    }

    /// Returns a copy of the objects.
    pub(super) fn store(&self) -> Store {
        self.state().store.clone()
    }

    /// Changes the objects without a request.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Store) -> T) -> T {
        act(&mut self.state().store)
    }

    /// Takes the events that were reported since the last call.
    pub(super) fn take_events(&self) -> Vec<Value> {
        std::mem::take(&mut self.state().events)
    }

    /// Takes the requests since the last call, except events, and restarts their numbering.
    pub(super) fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.state().asked)
    }

    /// Whether another replica has to do its work before a request. That happens once.
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
            Some(Wrong::AnswerLost | Wrong::Deleted | Wrong::Overtaken) | None => {
                state.store.carry_out(&request)
            }
        };
        if let Some((_, Wrong::Deleted)) = fault {
            state.delete_what_was_made(&before);
        }
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

impl State {
    fn delete_what_was_made(&mut self, before: &Store) {
        let mut all = self.store.objects().iter();
        let made = all.find(|(place, _)| before.get(place).is_none());
        let Some((place, object)) = made.map(|(place, object)| (place.clone(), object.clone()))
        else {
            return;
        };
        self.store.remove(&place);
        if let Some(watcher) = self.watcher.upgrade() {
            observe(&watcher, &place, &object, false);
            observe(&watcher, &place, &object, true);
        }
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

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<(), BoxError>> {
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

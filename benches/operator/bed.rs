//! A control plane with a running operator that watches one of several namespaces.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use ecs_operator_testbed::{ControlPlane, Namespace, Options, until};
use kube::{Client, api::GetParams, core::Request};

use crate::{
    numbers::Counts,
    shop,
    support::{self, Operator, install},
};

/// The maximum duration of any step; the largest runs take minutes on a busy machine.
pub const LIMIT: Duration = Duration::from_mins(30);

/// The namespace and account of the operator.
const OPERATOR: &str = "ecs-operator";

pub struct Bed {
    pub plane: ControlPlane,
    /// The user who creates the services, and has all permissions.
    pub user: Client,
    /// A client with the permissions of the operator, so that the API server checks the same rules.
    pub plain: Client,
    pub operator: Option<Operator>,
    /// The only namespace that the operator watches.
    pub namespace: Namespace,
    started: AtomicUsize,
}

impl Bed {
    /// Starts a control plane with an operator that leads.
    pub async fn new() -> Result<Self> {
        let mut bed = Self::without_operator().await?;
        bed.start_operator().await?;
        until("the operator to be ready", LIMIT, async || {
            Ok(bed.operator().is_ready().await.then_some(()))
        })
        .await
        .with_context(|| bed.operator().last_words())?;
        bed.operator().leads().await;
        Ok(bed)
    }

    /// Starts a control plane of its own for one measurement: what is in an API server slows it down.
    pub async fn without_operator() -> Result<Self> {
        let options = Options {
            nodes: 0,
            // Namespaces of the test bed have a service account.
            controllers: vec!["serviceaccount-controller".to_owned()],
            ..Options::default()
        };
        let plane = ControlPlane::start_with(&options).await?;
        install(&plane).await?;
        let user = plane.client().await?;
        let plain = plane.client_for_service_account(OPERATOR, OPERATOR).await?;
        let mut namespace = plane.namespace("operated").await?;
        // All of it is deleted with the control plane.
        namespace.keep();
        let definition = shop::task_definition();
        support::apply(
            &user,
            namespace.name(),
            "EcsTaskDefinition",
            shop::FAMILY,
            definition,
        )
        .await?;
        Ok(Self {
            plane,
            user,
            plain,
            operator: None,
            namespace,
            started: AtomicUsize::new(0),
        })
    }

    /// Starts an operator in place of the previous one, which must have exited.
    pub async fn start_operator(&mut self) -> Result<()> {
        self.operator = Some(self.another_operator().await?);
        Ok(())
    }

    /// Starts an operator, which leads when no other one does.
    pub async fn another_operator(&self) -> Result<Operator> {
        let number = self.started.fetch_add(1, Ordering::SeqCst);
        let namespaces = format!("--namespaces={}", self.namespace.name());
        let name = format!("operator-{number}");
        Operator::spawn(&self.plane, &name, &[&namespaces]).await
    }

    pub fn operator(&self) -> &Operator {
        self.operator.as_ref().expect("there is one at all times")
    }

    /// Returns the requests of the operator by method.
    pub async fn requests(&self) -> Result<Counts> {
        let answer = self.operator().get("/metrics").await;
        let (_, text) = answer.context("the operator tells no metrics")?;
        Ok(Counts::of(
            &text,
            "ecs_operator_api_requests_total",
            |label| Some(label("method")),
        ))
    }

    /// Returns the writes that the API server has accepted from all clients, by resource.
    pub async fn writes(&self) -> Result<Counts> {
        let request = Request::new("").get("metrics", &GetParams::default())?;
        let text = self.user.request_text(request).await?;
        Ok(Counts::of(&text, "apiserver_request_total", |label| {
            let verb = label("verb");
            let reads = ["GET", "LIST", "WATCH", "CONNECT"];
            let (resource, part) = (label("resource"), label("subresource"));
            let name = if part.is_empty() {
                resource
            } else {
                format!("{resource}/{part}")
            };
            (!reads.contains(&verb.as_str())).then_some(name)
        }))
    }

    /// Waits until the operator has written nothing for a while. Returns its requests until then, and the time of the
    /// last one, except those for its lease.
    pub async fn quiet(&self) -> Result<(Counts, Instant)> {
        const QUIET: Duration = Duration::from_secs(3);
        let mut last = (Counts::default(), Instant::now());
        until("the operator to write nothing", LIMIT, async || {
            let (_lease, writes) = self.requests().await?.split(&["GET", "PUT"]);
            if writes != last.0 {
                last = (writes, Instant::now());
            }
            Ok((last.1.elapsed() > QUIET).then_some(()))
        })
        .await?;
        Ok((self.requests().await?, last.1))
    }
}

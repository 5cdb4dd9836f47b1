//! A run of a scenario, disturbed or not, in a namespace of its own.

use std::{future::Future, panic::AssertUnwindSafe, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Result;
use ecs_operator_testbed::{ControlPlane, Proxy};
use futures::FutureExt as _;
use kube::{Client, api::ApiResource};
use tokio::time::{Instant, sleep};

use crate::{
    injection::{Fault, Injection},
    mode::Mode,
    normal::State,
    observe::Observer,
    operators::Operators,
    request::Point,
    scenario::Scenario,
    support::Bed,
};

/// What all runs have in common.
pub struct World {
    pub plane: &'static ControlPlane,
    pub client: Client,
    /// Of the operator.
    pub kubeconfig: PathBuf,
    pub kinds: Arc<Vec<ApiResource>>,
    /// How long a request is delayed.
    pub delay: Duration,
}

/// How a run ended.
pub struct Outcome {
    /// The requests that were numbered.
    pub points: Vec<Point>,
    /// Whether what should go wrong did.
    pub struck: bool,
    pub state: State,
    /// What should not have happened.
    pub errors: Vec<String>,
    pub took: Duration,
}

impl Outcome {
    /// Of a run that did not come to its end.
    pub fn broken(error: anyhow::Error) -> Self {
        Self {
            points: Vec::new(),
            struck: false,
            state: State::default(),
            errors: vec![format!("{error:#}")],
            took: Duration::ZERO,
        }
    }
}

/// How long nothing is written when an operator with nothing to do has done everything.
const QUIET: Duration = Duration::from_millis(1000);
/// How long nothing is written when nothing will be: what waits in an operator to be tried again waits less.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long it may take until that is so.
const LIMIT: Duration = Duration::from_secs(150);
/// How often it is asked.
const PAUSE: Duration = Duration::from_millis(300);

/// Runs a scenario until it has the state that is expected, or none that changes.
pub async fn run(
    world: &World,
    scenario: &'static Scenario,
    fault: Option<Fault>,
    expected: Option<&State>,
) -> Result<Outcome> {
    let begun = Instant::now();
    let bed = Arc::new(Bed::new(&world.plane.kubeconfig(), "faults").await);
    let namespace = bed.namespace.name().to_owned();
    let operators = Operators::new(world.plane, world.client.clone(), &namespace);
    let mode = fault.as_ref().map(|fault| fault.mode);
    let injection = Injection::new(fault, world.delay, operators.clone());
    let proxy = Proxy::start(&world.kubeconfig, injection.clone()).await?;
    let observer = Observer::new(world.client.clone(), &namespace, world.kinds.clone());
    operators
        .start(proxy.kubeconfig(world.plane.folder())?)
        .await?;
    let tended = tokio::spawn(tend(operators.clone()));
    let trial = Trial {
        operators: &operators,
        injection: &injection,
        observer: &observer,
    };
    let mut errors = Vec::new();
    errors.extend(acted((scenario.prepare)(bed.clone())).await);
    trial.settle(QUIET, None, &mut errors).await?;
    if mode == Some(Mode::TwoLeaders) {
        operators.stand_by().await?;
    }
    injection.begin();
    errors.extend(acted((scenario.act)(bed.clone())).await);
    if mode == Some(Mode::Freeze) {
        trial.settle(QUIET, None, &mut errors).await?;
        operators.thaw().await?;
        injection.release();
    }
    if mode == Some(Mode::Freeze) || mode == Some(Mode::TwoLeaders) && injection.has_struck() {
        errors.extend(operators.others_end().await.err().map(|it| it.to_string()));
    }
    let state = trial.settle(PATIENCE, expected, &mut errors).await?;
    tended.abort();
    errors.extend(injection.errors());
    errors.extend(operators.panics().await);
    Ok(Outcome {
        points: injection.points(),
        struck: injection.has_struck(),
        state,
        errors,
        took: begun.elapsed(),
    })
}

/// Waits for a part of a scenario; what it waits for in vain ends it with a panic, as in a test.
async fn acted(part: impl Future<Output = ()>) -> Option<String> {
    let panic = AssertUnwindSafe(part).catch_unwind().await.err()?;
    let text = panic.downcast_ref::<String>().cloned();
    Some(text.unwrap_or_else(|| "the scenario panicked".to_owned()))
}

/// Keeps an operator running.
async fn tend(operators: Arc<Operators>) {
    loop {
        // The run ends with an error by itself when none can be started.
        let _none = operators.tend().await;
        sleep(PAUSE).await;
    }
}

struct Trial<'t> {
    operators: &'t Operators,
    injection: &'t Injection,
    observer: &'t Observer,
}

impl Trial<'_> {
    /// Waits until the state is the one that is expected and nothing is written, or nothing was written for long.
    async fn settle(
        &self,
        patience: Duration,
        expected: Option<&State>,
        errors: &mut Vec<String>,
    ) -> Result<State> {
        let begun = Instant::now();
        loop {
            let quiet = self.injection.quiet().unwrap_or_default();
            if quiet >= QUIET && self.operators.idle().await {
                let state = self.observer.state().await?;
                if expected == Some(&state) || quiet >= patience {
                    return Ok(state);
                }
            }
            if begun.elapsed() > LIMIT {
                errors.push("the operator does not come to rest".to_owned());
                return self.observer.state().await;
            }
            sleep(PAUSE).await;
        }
    }
}

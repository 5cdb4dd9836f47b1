//! Where and when something goes wrong in a run.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ecs_operator_testbed::{Asked, Faults, Refusal, Verdict, Watching};
use http::{Method, StatusCode};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use crate::{
    mode::Mode,
    operators::Operators,
    request::{self, Numbers, Point},
};

/// What goes wrong in a run: at a request, or all the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub mode: Mode,
    pub point: Option<Point>,
}

/// Stands between the operators of a run and the API server.
pub struct Injection {
    fault: Option<Fault>,
    /// How long a request is delayed.
    delay: Duration,
    operators: Arc<Operators>,
    progress: Mutex<Progress>,
    released: watch::Sender<bool>,
}

struct Progress {
    /// Whether requests are numbered: not while the scenario is being prepared.
    numbers: bool,
    requests: Numbers,
    /// When the last request came, or was carried out, that can have changed something.
    active: Instant,
    strike: Strike,
    errors: Vec<String>,
}

/// How far it is with what should go wrong at one request.
#[derive(Debug, PartialEq, Eq)]
enum Strike {
    /// The request has not come yet.
    Awaited,
    /// It has come, and something is being done.
    UnderWay,
    /// It is being carried out, and then something is done.
    Answer(Asked),
    /// Done.
    Over,
}

impl Injection {
    pub fn new(fault: Option<Fault>, delay: Duration, operators: Arc<Operators>) -> Arc<Self> {
        Arc::new(Self {
            fault,
            delay,
            operators,
            progress: Mutex::new(Progress {
                numbers: false,
                requests: Numbers::default(),
                active: Instant::now(),
                strike: Strike::Awaited,
                errors: Vec::new(),
            }),
            released: watch::Sender::new(false),
        })
    }

    /// Begins to number requests.
    pub fn begin(&self) {
        self.progress().numbers = true;
    }

    /// The requests that were numbered, in the order in which they came.
    pub fn points(&self) -> Vec<Point> {
        self.progress().requests.points().to_vec()
    }

    /// Whether the request came at which something should go wrong.
    pub fn has_struck(&self) -> bool {
        self.progress().strike != Strike::Awaited
    }

    /// What went wrong that should not.
    pub fn errors(&self) -> Vec<String> {
        self.progress().errors.clone()
    }

    /// How long nothing was written; `None` while a request is being held.
    pub fn quiet(&self) -> Option<Duration> {
        let progress = self.progress();
        let held = matches!(progress.strike, Strike::UnderWay | Strike::Answer(_));
        let waits = held && (self.mode() != Some(Mode::Freeze) || *self.released.borrow());
        (!waits).then(|| progress.active.elapsed())
    }

    /// Lets a request go on that waits for the end of the scenario.
    pub fn release(&self) {
        self.released.send_replace(true);
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mode(&self) -> Option<Mode> {
        self.fault.as_ref().map(|fault| fault.mode)
    }

    /// Numbers a request, and tells whether it is the one at which something goes wrong.
    fn is_struck(&self, name: String, asked: &Asked) -> Option<Mode> {
        let mut progress = self.progress();
        if !progress.numbers {
            return None;
        }
        let point = progress.requests.next(name);
        let fault = self.fault.as_ref()?;
        if progress.strike != Strike::Awaited || fault.point.as_ref() != Some(&point) {
            return None;
        }
        progress.strike = match fault.mode {
            Mode::KillAfter | Mode::DropAfter => Strike::Answer(asked.clone()),
            _ => Strike::UnderWay,
        };
        Some(fault.mode)
    }

    async fn strike(&self, mode: Mode) -> Verdict {
        if let Some(refusal) = mode.refusal() {
            return Verdict::Refuse(refusal);
        }
        let done = match mode {
            Mode::KillBefore => self.operators.replace().await,
            Mode::Delay => {
                sleep(self.delay).await;
                Ok(())
            }
            Mode::Freeze => self.operators.freeze().await,
            Mode::TwoLeaders => self.operators.promote().await,
            _ => Ok(()),
        };
        if let Err(error) = done {
            self.progress().errors.push(format!("{error:#}"));
        }
        if mode == Mode::Freeze {
            let mut released = self.released.subscribe();
            // The sender lives as long as this does.
            let _released = released.wait_for(|released| *released).await;
        }
        match mode {
            Mode::KillBefore | Mode::DropBefore => Verdict::Drop,
            _ => Verdict::Pass,
        }
    }

    fn over(&self) {
        let mut progress = self.progress();
        progress.active = Instant::now();
        progress.strike = Strike::Over;
    }
}

impl Faults for Injection {
    async fn before(&self, asked: &Asked) -> Verdict {
        if asked.method != Method::GET && !asked.path.contains("/leases") {
            self.progress().active = Instant::now();
        }
        if request::is_of_another_run(asked, self.operators.namespace()) {
            return Verdict::Refuse(Refusal {
                code: StatusCode::NOT_FOUND,
                reason: "NotFound",
                retry_after: None,
            });
        }
        let name = request::name(asked, self.operators.namespace());
        let Some(mode) = name.and_then(|name| self.is_struck(name, asked)) else {
            return Verdict::Pass;
        };
        if matches!(mode, Mode::KillAfter | Mode::DropAfter) {
            return Verdict::Pass;
        }
        let verdict = self.strike(mode).await;
        self.over();
        verdict
    }

    async fn after(&self, asked: &Asked, _: StatusCode) -> Verdict {
        if self.progress().strike != Strike::Answer(asked.clone()) {
            return Verdict::Pass;
        }
        if self.mode() == Some(Mode::KillAfter)
            && let Err(error) = self.operators.replace().await
        {
            self.progress().errors.push(format!("{error:#}"));
        }
        self.over();
        Verdict::Drop
    }

    fn watching(&self, asked: &Asked) -> Watching {
        match &self.fault {
            Some(fault) => fault.mode.watching(asked),
            None => Watching::Faithful,
        }
    }
}

//! The whole way from a unit of documents to objects, without input or output.

mod app_runner;
mod draft;
mod environment_files;
mod given;
mod left_out;
mod pipe;
mod resources;
mod rule;
mod scaling;
mod schedule;

use std::collections::BTreeSet;

pub use self::{
    draft::{Draft, Drafter},
    given::{Claims, Given, Settled},
};
use crate::{
    diagnostic::{Diagnostic, Reason, Severity},
    print::{self, Ordered},
    settings::{Mode, Settings, WorkloadTarget},
    source::Unit,
};

/// What documents are converted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Kubernetes objects that run without the operator.
    Manifests,
    /// Our custom resources, for a cluster in which the operator runs.
    Resources,
}

/// Which warnings reject a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Denied {
    /// None.
    #[default]
    Nothing,
    /// All but those with these reasons.
    AllBut(BTreeSet<Reason>),
    /// Those with these reasons.
    Reasons(BTreeSet<Reason>),
}

impl Denied {
    /// What a diagnostic does to its document when these warnings are denied.
    #[must_use]
    pub fn severity(&self, reason: Reason) -> Severity {
        let denied = match self {
            Self::Nothing => false,
            Self::AllBut(allowed) => !allowed.contains(&reason),
            Self::Reasons(reasons) => reasons.contains(&reason),
        };
        match reason.severity() {
            Severity::Warning if denied => Severity::Error,
            severity => severity,
        }
    }
}

/// What a unit gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conversion {
    /// The objects in the order of application, their members in the order of reading; none if it is rejected.
    pub objects: Vec<Ordered>,
    /// Everything that was found, sorted by path.
    pub diagnostics: Vec<Diagnostic>,
}

/// Converts units one after another.
pub struct Converter<'a> {
    drafter: Drafter<'a>,
    given: Given,
    /// The files of the units so far.
    files: Vec<String>,
}

impl<'a> Converter<'a> {
    /// A converter that has seen nothing.
    #[must_use]
    pub fn new(settings: &'a Settings, target: Target, denied: Denied) -> Self {
        Self {
            drafter: Drafter::new(settings, target, denied),
            given: Given::default(),
            files: Vec::new(),
        }
    }

    /// Converts one unit.
    ///
    /// # Errors
    ///
    /// When an object cannot be printed, which is a defect of this program.
    pub fn convert(&mut self, unit: &Unit) -> Result<Conversion, print::Error> {
        let draft = self.drafter.draft(unit)?;
        let settled = self.given.settle(self.files.len(), draft.claims());
        self.files.push(unit.file().to_owned());
        let file = |number: usize| self.files.get(number).cloned().unwrap_or_default();
        Ok(draft.conversion(settled, file))
    }
}

/// Converts for a cluster in which the operator runs.
#[must_use]
pub fn for_resources(mut settings: Settings) -> Settings {
    settings.mode = Mode::Controller;
    settings.workload_target = WorkloadTarget::EcsService;
    settings
}

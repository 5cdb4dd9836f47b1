//! Diagnostics for users: one [`Diagnostic`] per finding, with a stable reason, a field path and advice.

mod nearest;
mod page;
mod path;
mod reason;
pub mod render;
mod shell;
mod state;

pub(crate) use nearest::{advice, nearest};
pub use page::Page;
pub use path::{FieldPath, Segment, Subject};
pub use reason::{Message, Reason, UnknownReason};
pub(crate) use shell::shell_word;
pub use state::{StateReason, StatusReason};

/// The effect of a diagnostic on its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The document is rejected.
    Error,
    /// It is translated, and behaves differently from ECS.
    Warning,
    /// Useful to know, shown on request.
    Note,
}

impl Severity {
    /// Returns the word before a message.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// One finding about one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The field, relative to its document.
    pub path: FieldPath,
    /// The reason and its facts.
    pub message: Message,
}

impl Diagnostic {
    /// Returns the stable name of the finding.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.message.reason()
    }

    /// Returns the effect of the finding on its document.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.reason().severity()
    }
}

/// A collection of findings. Checking continues after the first one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    findings: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Creates an empty collection.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            findings: Vec::new(),
        }
    }

    /// Records a finding about the field at `path`.
    pub fn report(&mut self, path: FieldPath, message: Message) {
        self.findings.push(Diagnostic { path, message });
    }

    /// Records a finding, unless one with its reason is there: it is the same for all other paths.
    pub fn report_once(&mut self, path: FieldPath, message: Message) {
        if !self.has(message.reason()) {
            self.report(path, message);
        }
    }

    /// Whether there is a finding with this reason.
    #[must_use]
    pub fn has(&self, reason: Reason) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.reason() == reason)
    }

    /// Adds the findings of `other`.
    pub fn append(&mut self, other: Self) {
        self.findings.extend(other.findings);
    }

    /// Drops the findings with this reason.
    pub fn forget(&mut self, reason: Reason) {
        self.findings.retain(|finding| finding.reason() != reason);
    }

    /// Whether a finding rejects the document.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.severity() == Severity::Error)
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// Returns the findings in the order in which they were recorded.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.findings.iter()
    }

    /// Returns the findings sorted by path, then by reason, without duplicates.
    #[must_use]
    pub fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.findings
            .sort_by(|a, b| (&a.path, a.reason()).cmp(&(&b.path, b.reason())));
        self.findings.dedup();
        self.findings
    }
}

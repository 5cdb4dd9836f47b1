//! Scans of images for vulnerabilities, and which of their findings hold a deployment back
//! (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-scanning.html>).

mod answer;
mod judge;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, fmt, str::FromStr, time::Duration};

pub use answer::ScanPage;
pub use judge::Decision;

/// What holds a deployment back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanRules {
    /// The least severity of the findings that do.
    pub block: FindingSeverity,
    /// What happens if there are no findings because there is no scan.
    pub on_missing: OnMissing,
    /// How long the end of a scan is waited for.
    pub wait: Duration,
    /// The findings that do not count, such as `CVE-2026-1234`.
    pub ignored: BTreeSet<String>,
    /// Whether only findings count for which there may be a fix.
    pub fixable_only: bool,
}

/// What happens to a deployment whose images have no scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnMissing {
    /// It begins.
    Allow,
    /// It is held back.
    Block,
}

/// How severe a finding is. Words that are not known are the least severe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingSeverity {
    /// Nobody has said it yet: `UNDEFINED` or `UNTRIAGED`.
    Undefined,
    /// `INFORMATIONAL`.
    Informational,
    /// `LOW`.
    Low,
    /// `MEDIUM`.
    Medium,
    /// `HIGH`.
    High,
    /// `CRITICAL`.
    Critical,
}

/// What ECR says about an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// How far the scan is.
    pub state: ScanState,
    /// What it has found.
    pub findings: Vec<ScanFinding>,
}

/// How far a scan is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScanState {
    /// It is done.
    Done,
    /// It is done, and not all of its findings were read.
    Cut,
    /// It is not done.
    Pending,
    /// There are no findings: why, as the end of a sentence.
    Missing(String),
    /// The image is archived, and cannot be pulled.
    Archived,
}

/// A finding of a scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanFinding {
    /// Its name, such as `CVE-2026-1234`.
    pub name: String,
    /// How severe it is.
    pub severity: FindingSeverity,
    /// Whether there may be a fix: unknown for basic scans.
    pub fix: Option<bool>,
    /// Whether somebody has said that it does not matter, or it is over.
    pub is_suppressed: bool,
}

impl FindingSeverity {
    /// All of them, the least severe first.
    pub const ALL: [Self; 6] = [
        Self::Undefined,
        Self::Informational,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::Critical,
    ];

    /// Returns the word of AWS.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Undefined => "UNDEFINED",
            Self::Informational => "INFORMATIONAL",
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
        }
    }
}

impl fmt::Display for FindingSeverity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for FindingSeverity {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|it| it.name() == word);
        known.ok_or_else(|| {
            let words: Vec<_> = Self::ALL.iter().rev().map(|it| it.name()).collect();
            format!("expected one of {}", words.join(", "))
        })
    }
}

impl Scan {
    /// Returns that there are no findings, and why.
    #[must_use]
    pub fn missing(why: impl Into<String>) -> Self {
        Self {
            state: ScanState::Missing(why.into()),
            findings: Vec::new(),
        }
    }

    /// Whether there are no findings because there is no scan.
    #[must_use]
    pub const fn is_missing(&self) -> bool {
        matches!(self.state, ScanState::Missing(_))
    }

    /// Returns what the scans of an image's platforms say together. It may be the one without a scan that runs. `None` without
    /// platforms.
    #[must_use]
    pub fn of_platforms(scans: Vec<Self>) -> Option<Self> {
        let rank = |state: &ScanState| match state {
            ScanState::Archived => 0,
            ScanState::Pending => 1,
            ScanState::Missing(_) => 2,
            ScanState::Cut => 3,
            ScanState::Done => 4,
        };
        let state = scans.iter().map(|scan| &scan.state);
        let state = state.min_by_key(|state| rank(state))?.clone();
        let findings = scans.into_iter().flat_map(|scan| scan.findings).collect();
        Some(Self { state, findings })
    }
}

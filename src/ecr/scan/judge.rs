//! Whether a deployment may begin with an image.

use std::collections::{BTreeMap, BTreeSet};

use super::{FindingSeverity, OnMissing, Scan, ScanFinding, ScanRules, ScanState};

/// How many findings are named.
const NAMED: usize = 5;
/// The longest name that is told whole, in characters. Some findings have a sentence in place of one.
const LONGEST_NAME: usize = 60;

/// Whether a deployment may begin with an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may.
    Passes,
    /// It may, although there are no findings: why, as the end of a sentence.
    PassesUnseen(String),
    /// Not yet: the scan is not done.
    Waits,
    /// It may not: what is wrong with the image, as the end of a sentence.
    Blocked(String),
    /// It may not, because there are no findings: the same.
    BlockedUnseen(String),
}

impl ScanRules {
    /// Decides about an image with this scan. A scan that is not done is waited for, until `is_over`.
    #[must_use]
    pub fn decide(&self, scan: &Scan, is_over: bool) -> Decision {
        let counted: Vec<&ScanFinding> =
            scan.findings.iter().filter(|it| self.counts(it)).collect();
        let missing = match &scan.state {
            ScanState::Archived => {
                return Decision::Blocked("is archived, and cannot be pulled".to_owned());
            }
            _ if !counted.is_empty() => {
                let is_all = scan.state != ScanState::Cut;
                return Decision::Blocked(told(&counted, is_all));
            }
            ScanState::Done => return Decision::Passes,
            ScanState::Pending if !is_over => return Decision::Waits,
            ScanState::Pending => "its scan is still not done",
            ScanState::Cut => "it has more findings than the operator reads",
            ScanState::Missing(why) => why,
        };
        self.unseen(missing)
    }

    fn unseen(&self, missing: &str) -> Decision {
        match self.on_missing {
            OnMissing::Allow => Decision::PassesUnseen(missing.to_owned()),
            OnMissing::Block => Decision::BlockedUnseen(format!(
                "has no findings that could be judged, because {missing}"
            )),
        }
    }

    /// Returns what is decided about an image that stays a tag: what it names when a task starts is not known, although what it
    /// names now may pass.
    #[must_use]
    pub fn of_tag(&self, decision: Decision) -> Decision {
        match decision {
            Decision::Passes => self.unseen(
                "its tag is not resolved to a digest, and may name another image when a task starts",
            ),
            decision => decision,
        }
    }

    /// Whether some of these findings hold a deployment back.
    #[must_use]
    pub fn hold_back(&self, findings: &[ScanFinding]) -> bool {
        findings.iter().any(|it| self.counts(it))
    }

    fn counts(&self, finding: &ScanFinding) -> bool {
        finding.severity >= self.block
            && !finding.is_suppressed
            && !self.ignored.contains(&finding.name)
            && !(self.fixable_only && finding.fix == Some(false))
    }
}

/// Says how many findings there are, if these are all, and names the most severe of them.
fn told(findings: &[&ScanFinding], is_all: bool) -> String {
    // One may be in several packages, and is a finding for each.
    let names: BTreeSet<_> = findings
        .iter()
        .map(|it| (std::cmp::Reverse(it.severity), &*it.name))
        .collect();
    let mut counts: BTreeMap<_, usize> = BTreeMap::new();
    for finding in findings {
        *counts
            .entry(std::cmp::Reverse(finding.severity))
            .or_default() += 1;
    }
    let counts = counts
        .iter()
        .map(|(severity, count)| format!("{count} {}", severity.0));
    let counts: Vec<String> = counts.collect();
    let one = if findings.len() == 1 { "" } else { "s" };
    let named = names
        .iter()
        .take(NAMED)
        .map(|(severity, name)| format!("{} ({})", short(name), FindingSeverity::name(severity.0)));
    let mut named: Vec<String> = named.collect();
    if names.len() > NAMED {
        named.push(format!("and {} more", names.len() - NAMED));
    }
    let at_least = if is_all { "" } else { "at least " };
    format!(
        "has {at_least}{} finding{one}: {}",
        counts.join(" and "),
        named.join(", ")
    )
}

fn short(name: &str) -> String {
    if name.chars().count() <= LONGEST_NAME {
        return name.to_owned();
    }
    let begin: String = name.chars().take(LONGEST_NAME).collect();
    format!("{begin}...")
}

//! Task definitions of one family. Tools register each of them as a revision of it, and what refers to one of them runs that
//! revision (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html#family>). An
//! object is named after the family, so that only one of them can keep it.

use std::collections::{BTreeMap, BTreeSet};

use super::text::Span;
use crate::diagnostic::Message;

/// What becomes of a task definition whose family another one keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Revision {
    /// Something refers to it, or nothing runs any of them: it gets a family of its own.
    Renamed(String),
    /// Nothing refers to it, and another one is run.
    LeftOut,
}

/// What becomes of the task definitions that do not keep their families, by what their source calls them.
pub(super) type Revisions = BTreeMap<String, Revision>;

/// One of the task definitions of a family.
#[derive(Debug)]
pub(super) struct Candidate {
    /// What its source calls it, such as the logical ID.
    pub(super) id: String,
    /// What may tell its family from the others, the best first.
    pub(super) suffixes: [String; 2],
    pub(super) span: Span,
}

/// What there is to say of one family: the task definition that it is said of, its position and the message.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) id: String,
    pub(super) span: Span,
    pub(super) message: Message,
}

/// The task definitions of a source by their families, in the order of the source.
#[derive(Debug, Default)]
pub(super) struct Families(BTreeMap<String, Vec<Candidate>>);

impl Families {
    pub(super) fn add(&mut self, family: String, candidate: Candidate) {
        self.0.entry(family).or_default().push(candidate);
    }

    /// Whether a family has several task definitions.
    pub(super) fn are_shared(&self) -> bool {
        self.0.values().any(|same| same.len() > 1)
    }

    /// Returns the task definitions that do not keep their families, and what there is to say of it. `run` are those
    /// that something runs, `unclear` those that something runs or may run, with what there is to say of that, and
    /// `mentioned` those that anything refers to.
    pub(super) fn revisions(
        self,
        run: &BTreeSet<String>,
        unclear: &BTreeMap<String, String>,
        mentioned: &BTreeSet<String>,
    ) -> (Revisions, Vec<Finding>) {
        let mut taken: BTreeSet<String> = self.0.keys().cloned().collect();
        let (mut revisions, mut findings) = (Revisions::new(), Vec::new());
        for (family, same) in self.0.into_iter().filter(|(_, same)| same.len() > 1) {
            let is_run = |it: &Candidate| run.contains(&it.id);
            let may_run = |it: &Candidate| unclear.contains_key(&it.id);
            let any = same.iter().any(|it| is_run(it) || may_run(it));
            let kept = same.iter().position(is_run);
            let kept = kept.or_else(|| same.iter().position(may_run)).unwrap_or(0);
            let mut outcomes = Vec::with_capacity(same.len());
            let mut first = None;
            for (index, candidate) in same.into_iter().enumerate() {
                let Candidate { id, suffixes, span } = candidate;
                if index == kept {
                    outcomes.push(format!("{id} keeps it{}", remark(unclear, &id)));
                    continue;
                }
                let revision = if any && !run.contains(&id) && !mentioned.contains(&id) {
                    let why = if unclear.contains_key(&id) {
                        "nothing else refers to it"
                    } else {
                        "nothing refers to it"
                    };
                    outcomes.push(format!("{id} is left out, as {why}"));
                    Revision::LeftOut
                } else {
                    let name = free_name(&family, &suffixes, &taken);
                    taken.insert(name.clone());
                    outcomes.push(format!("{id} becomes {name}{}", remark(unclear, &id)));
                    Revision::Renamed(name)
                };
                first = first.or_else(|| Some((id.clone(), span)));
                revisions.insert(id, revision);
            }
            let outcomes = outcomes.join(", ");
            if let Some((id, span)) = first {
                let message = Message::FamilyShared { family, outcomes };
                findings.push(Finding { id, span, message });
            }
        }
        (revisions, findings)
    }
}

/// Returns what there is to say of what runs a task definition.
fn remark(unclear: &BTreeMap<String, String>, id: &str) -> String {
    let found = unclear.get(id);
    found.map_or_else(String::new, |it| format!(", as {it}"))
}

/// Returns the family with one of the suffixes, which no other task definition has.
fn free_name(family: &str, suffixes: &[String; 2], taken: &BTreeSet<String>) -> String {
    let [best, other] = suffixes;
    let name = format!("{family}-{best}");
    if taken.contains(&name) {
        format!("{family}-{other}")
    } else {
        name
    }
}

//! What a stack leaves open, what is given for it, and what is evaluated without saying so.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};

use super::{
    super::{
        super::tree::Node,
        carried::{Carried, each_text},
    },
    Stack,
};

/// Why a name is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Open {
    /// A parameter without a value.
    Parameter,
    /// What only AWS knows of a resource that the template makes, or of one that another stack has made.
    Resource,
    /// What stands in the rest of a template, of which this is a part.
    Elsewhere,
    /// A condition in the rest of a template.
    Condition,
}

/// Whether a text is the placeholder of one value.
pub(in super::super) fn is_open(text: &str) -> bool {
    let inner = text.strip_prefix("${").and_then(|it| it.strip_suffix('}'));
    inner.is_some_and(|inner| !inner.contains(['$', '{', '}']))
}

impl<'t> Stack<'t, '_> {
    /// Evaluates something that is not a part of a document, so that nothing is said of it.
    pub(in super::super) fn aside<T>(&mut self, evaluate: impl FnOnce(&mut Self) -> T) -> T {
        let (open, conditions) = (self.open.clone(), self.conditions.clone());
        let (said, is_assumed) = (self.findings.len(), self.is_assumed);
        let result = evaluate(self);
        self.open = open;
        self.conditions = conditions;
        self.is_assumed = is_assumed;
        self.findings.truncate(said);
        result
    }

    /// Returns the placeholders so far.
    pub(in super::super) fn opened(&self) -> BTreeMap<String, Open> {
        self.open.clone()
    }

    /// Takes back the placeholders since then, but not those that are in a value.
    pub(in super::super) fn keep_opened(
        &mut self,
        before: BTreeMap<String, Open>,
        value: &Node<'_>,
    ) {
        let mut kept = before;
        each_text(value, &mut |text| kept.extend(self.opened_in(text)));
        self.open = kept;
    }

    /// Returns the logical IDs that something refers to that is evaluated.
    pub(in super::super) fn referring(
        &mut self,
        evaluate: impl FnOnce(&mut Self),
    ) -> BTreeSet<String> {
        let outer = self.referred.replace(BTreeSet::new());
        self.aside(evaluate);
        mem::replace(&mut self.referred, outer).unwrap_or_default()
    }

    /// Notes that something refers to a resource.
    pub(in super::super) fn refer(&mut self, id: &str) {
        if let Some(referred) = &mut self.referred {
            referred.insert(id.to_owned());
        }
    }

    /// Returns the value that the stack around this one passes for a parameter.
    pub(in super::super) fn passed(&self, name: &str) -> Option<Carried> {
        self.passed.as_ref()?.get(name).cloned()
    }

    /// Notes that a text is not shown.
    pub(in super::super) fn keep_secret(&mut self, text: &str) {
        if !text.is_empty() {
            self.secrets.insert(text.to_owned());
        }
    }

    /// Returns a name of this stack as it is outside of it.
    pub(in super::super) fn qualified(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Returns the placeholder of what is not known.
    pub(in super::super) fn open(&mut self, name: &str, why: Open) -> String {
        let name = self.qualified(name);
        self.open_globally(&name, why)
    }

    /// Returns the placeholder of what is not known and is the same in each stack.
    pub(in super::super) fn open_globally(&mut self, name: &str, why: Open) -> String {
        self.open.insert(name.to_owned(), why);
        self.names.insert(name.to_owned());
        format!("${{{name}}}")
    }

    /// Returns the placeholders that stand in a text.
    pub(in super::super) fn opened_in(&self, text: &str) -> Vec<(String, Open)> {
        if !text.contains("${") {
            return Vec::new();
        }
        let open = self.open.iter();
        let open = open.filter(|(name, _)| text.contains(&format!("${{{name}}}")));
        open.map(|(name, why)| (name.clone(), *why)).collect()
    }

    /// Returns the value that was given for a name.
    pub(in super::super) fn given(&mut self, name: &str) -> Option<&'t str> {
        let name = self.qualified(name);
        self.given_globally(&name)
    }

    /// Returns the value that was given for a name that is the same in each stack.
    pub(in super::super) fn given_globally(&mut self, name: &str) -> Option<&'t str> {
        let value = self.values.fill.get(name)?;
        self.names.insert(name.to_owned());
        Some(value)
    }

    /// Adds names by which values may be given to nested stacks.
    pub(in super::super) fn take_names(&mut self, names: &BTreeSet<String>) {
        self.names.extend(names.iter().cloned());
    }
}

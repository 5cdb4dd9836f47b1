//! The state of one evaluation.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    rc::Rc,
};

use super::{
    super::{expand::Expanded, family::Revisions, text::Span, tree::Node, values::Values},
    Document,
    address::placeholder_name,
    attribute::Attribute,
    cluster::Cluster,
    collect,
    family::Mentions,
    resource::Resource,
};
use crate::diagnostic::Message;

/// The most references that may lead from one to the next.
const DEEPEST: usize = 32;

/// The most references that an evaluation follows: outputs of modules may refer to others any number of times.
const MOST: usize = 200_000;

/// A plan or a state, and what its evaluation has found.
pub(super) struct Plan<'t, 'a> {
    pub(super) values: &'t Values,
    resources: Rc<[Resource<'t, 'a>]>,
    by_address: BTreeMap<String, usize>,
    /// The module that the configuration begins with; a state has none.
    pub(super) configuration: Option<&'t Node<'a>>,
    /// The task definitions that do not keep their families, by their addresses.
    pub(super) revisions: Revisions,
    /// What else refers to task definitions, if it is not in the configuration of a plan.
    pub(super) mentioned: Option<Mentions>,
    /// The task definitions by their numbers, with the families that their arguments have.
    pub(super) families: Option<Rc<[(usize, String)]>>,
    pub(super) clusters: Option<Rc<[Cluster]>>,
    findings: Vec<(Span, Message)>,
    open: BTreeSet<String>,
    names: BTreeSet<String>,
    sensitive: BTreeSet<String>,
    depth: usize,
    followed: usize,
}

impl<'t, 'a> Plan<'t, 'a> {
    pub(super) fn new(root: &'t Node<'a>, document: Document, values: &'t Values) -> Self {
        let configuration = root.get("configuration");
        Self {
            configuration: configuration.and_then(|it| it.get("root_module")),
            ..Self::of(collect::resources(root, document), values)
        }
    }

    /// Returns the plan of resources that are at hand.
    pub(super) fn of(resources: Vec<Resource<'t, 'a>>, values: &'t Values) -> Self {
        let addresses = resources.iter().enumerate();
        let by_address = addresses.map(|(index, it)| (it.address.clone(), index));
        Self {
            values,
            by_address: by_address.collect(),
            resources: resources.into(),
            configuration: None,
            revisions: Revisions::new(),
            mentioned: None,
            families: None,
            clusters: None,
            findings: Vec::new(),
            open: BTreeSet::new(),
            names: BTreeSet::new(),
            sensitive: BTreeSet::new(),
            depth: 0,
            followed: 0,
        }
    }

    /// Returns all resources.
    pub(super) fn resources(&self) -> Rc<[Resource<'t, 'a>]> {
        Rc::clone(&self.resources)
    }

    /// Returns the number of the resource of an address.
    pub(super) fn find(&self, address: &str) -> Option<usize> {
        self.by_address.get(address).copied()
    }

    /// Returns everything that is known of the arguments of a resource.
    pub(super) fn attributes(&self, resource: &Resource<'t, 'a>) -> Attribute<'t, 'a> {
        Attribute {
            value: resource.values,
            unknown: resource.unknown,
            expression: resource.expressions.or_else(|| self.expressions(resource)),
        }
    }

    /// Follows a reference, unless too many are underway.
    pub(super) fn within<T>(&mut self, follow: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        self.followed = self.followed.saturating_add(1);
        if self.depth == DEEPEST || self.followed > MOST {
            return None;
        }
        self.depth += 1;
        let value = follow(self);
        self.depth -= 1;
        value
    }

    /// Returns the placeholder of what is not known. The name may be an address.
    pub(super) fn open(&mut self, address: &str) -> String {
        let name = placeholder_name(address);
        self.open.insert(name.clone());
        self.names.insert(name.clone());
        format!("${{{name}}}")
    }

    /// Returns the placeholders so far.
    pub(super) fn opened(&self) -> BTreeSet<String> {
        self.open.clone()
    }

    /// Takes back the placeholders since then.
    pub(super) fn forget(&mut self, opened: BTreeSet<String>) {
        self.open = opened;
    }

    /// Returns the value that was given for an address, or for the name of its placeholder.
    pub(super) fn given(&mut self, address: &str) -> Option<&'t str> {
        let name = placeholder_name(address);
        let mut known = [address, &name].into_iter();
        let (name, value) = known.find_map(|name| self.values.fill.get_key_value(name))?;
        self.names.insert(name.clone());
        Some(value)
    }

    /// Adds what there is to say of the file.
    pub(super) fn say(&mut self, span: Span, message: Message) {
        self.findings.push((span, message));
    }

    /// Remembers that the output has the value of an argument that Terraform does not print.
    pub(super) fn reveal(&mut self, resource: &Resource<'_, '_>, name: &str) {
        if resource.sensitive.contains(&name) {
            self.sensitive
                .insert(format!("{}.{name}", resource.address));
        }
    }

    /// Returns what the plan stands for.
    pub(super) fn finish(mut self, span: Span, resources: Vec<Node<'a>>) -> Expanded<'a> {
        let joined = |names: &BTreeSet<String>| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            (!names.is_empty()).then(|| names.join(", "))
        };
        // The variables of a configuration are given as others are.
        let (variables, open): (BTreeSet<String>, BTreeSet<String>) = mem::take(&mut self.open)
            .into_iter()
            .partition(|it| variable(it).is_some());
        let variables = variables.iter();
        let variables = variables.filter_map(|it| variable(it)).map(str::to_owned);
        if let Some(names) = joined(&variables.collect()) {
            self.findings
                .push((span, Message::ParametersNotGiven { names }));
        }
        if let Some(names) = joined(&open) {
            self.findings
                .push((span, Message::KnownAfterApply { names }));
        }
        if let Some(names) = joined(&self.sensitive) {
            self.findings
                .push((span, Message::SensitiveValues { names }));
        }
        Expanded {
            resources,
            findings: self.findings,
            names: self.names,
            is_part: false,
            is_own: false,
        }
    }
}

/// Returns the variable of the root module whose value, or a part of it, a placeholder stands for.
fn variable(name: &str) -> Option<&str> {
    let name = name.strip_prefix("var.")?;
    name.split('.').next()
}

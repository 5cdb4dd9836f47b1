//! Reads the configuration itself: the `*.tf` of a folder, which is a module, and the modules that it calls from the same
//! folder (<https://developer.hashicorp.com/terraform/language/syntax/configuration>).
//!
//! The expressions are evaluated as far as they can be without a provider. What only an apply tells is a value that is
//! not known, with the address that has it, and goes the way of what a plan does not know. So each instance of a
//! resource has the form in which a plan has it, and nothing after that depends on where it comes from.
//!
//! Files are read through [`Files`], so that the evaluation does no input or output of its own.

mod attribute_of;
mod block;
mod call;
mod described;
mod emit;
mod evaluator;
mod expression;
mod files;
mod function;
mod instance;
mod interpolation;
mod json_syntax;
mod mention;
mod module;
mod named_file;
mod operator;
mod origin;
mod override_file;
mod provider;
mod template;
mod traversal;
mod value;
mod variable;
mod version;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock},
};

pub(super) use self::emit::opened_in;
use self::files::is_override;
use self::{emit::Made, evaluator::Evaluator, module::Modules};
pub(in crate::source) use self::{
    files::{Files, Texts, is_json, is_source, join, plain, relative, split},
    module::{check, variables},
};
use super::{
    super::{text::Span, values::Values},
    family::Mentions,
    table::Type,
};
use crate::diagnostic::{Message, Severity};

/// The configurations of the input.
#[derive(Debug, Default)]
pub(crate) struct Configurations {
    all: Vec<Configuration>,
    /// The names of the files of the input.
    inputs: BTreeSet<String>,
}

/// The folders of one of the paths that were given, and where their files come from.
#[derive(Debug)]
pub(in crate::source) struct Given {
    pub(in crate::source) files: Box<dyn Files>,
    /// The folders that have files of the input.
    pub(in crate::source) folders: BTreeSet<String>,
}

/// One configuration: a module that no other calls, with those that it calls.
#[derive(Debug)]
pub(super) struct Configuration {
    modules: Modules,
    files: Arc<dyn Files>,
    outcome: OnceLock<Outcome>,
}

/// What the evaluation of a configuration gives.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) resources: Vec<Made>,
    /// By the names of files.
    findings: BTreeMap<String, Vec<(Span, Message)>>,
    /// The names of placeholders that stand in texts.
    pub(super) opened: BTreeSet<String>,
    /// The names by which values may be given.
    pub(super) names: BTreeSet<String>,
    /// The variables of the root without a value that arguments depend on.
    pub(super) not_given: BTreeSet<String>,
    /// The task definitions that anything refers to, besides what runs tasks.
    pub(super) mentions: Mentions,
    /// The names of the files that functions have read.
    read: BTreeSet<String>,
}

impl Configurations {
    /// Finds the configurations in folders.
    pub(in crate::source) fn new(given: Vec<Given>, inputs: BTreeSet<String>) -> Self {
        let mut all = Vec::new();
        for Given { files, folders } in given {
            let files: Arc<dyn Files> = files.into();
            let read = |folder: &String| Modules::read(folder, &*files);
            let found: Vec<(String, Modules)> =
                folders.iter().map(|it| (it.clone(), read(it))).collect();
            let called: BTreeSet<String> = found
                .iter()
                .flat_map(|(own, it)| it.called().filter(move |path| path != own))
                .map(str::to_owned)
                .collect();
            // Modules that call each other in a circle are all roots, and say so.
            let is_circle = folders.iter().all(|it| called.contains(it));
            for (folder, modules) in found {
                if is_circle || !called.contains(&folder) {
                    all.push(Configuration {
                        modules,
                        files: Arc::clone(&files),
                        outcome: OnceLock::new(),
                    });
                }
            }
        }
        Self { all, inputs }
    }

    /// Returns the names of the files that expressions read, which are parts of the configurations that do.
    pub(in crate::source) fn files_read(&self, values: &Values) -> BTreeSet<String> {
        let outcomes = self.all.iter().map(|it| it.outcome(values, &self.inputs));
        let read = outcomes.flat_map(|it| it.read.iter());
        // A configuration that reads its own blocks, such as for their digest, still has them.
        read.filter(|it| !is_source(it)).cloned().collect()
    }

    /// Returns the folder whose files a file overrides, if none of these is in the input.
    pub(super) fn overridden_by<'n>(&self, name: &'n str) -> Option<&'n str> {
        let (folder, _) = split(name);
        let is_beside = |it: &str| is_source(it) && !is_override(it) && split(it).0 == folder;
        let mut all = self.all.iter().flat_map(|it| &it.modules.files);
        let is_of_input = self.inputs.iter().any(|it| is_beside(it));
        let is_alone = is_override(name) && !is_of_input && all.any(|it| is_beside(it));
        is_alone.then_some(if folder.is_empty() { "." } else { folder })
    }

    /// Returns the configurations that a file is a part of, evaluated.
    pub(super) fn of_file(&self, name: &str, values: &Values) -> Vec<&Outcome> {
        let has = |it: &&Configuration| it.modules.files.iter().any(|file| file == name);
        let own = self.all.iter().filter(has);
        own.map(|it| it.outcome(values, &self.inputs)).collect()
    }
}

impl Configuration {
    fn outcome(&self, values: &Values, inputs: &BTreeSet<String>) -> &Outcome {
        self.outcome.get_or_init(|| {
            let evaluator = Evaluator::new(&self.modules, &*self.files, values);
            evaluator.outcome(inputs)
        })
    }
}

impl Outcome {
    /// Returns what there is to say of a file.
    pub(super) fn findings(&self, file: &str) -> &[(Span, Message)] {
        self.findings.get(file).map_or(&[], Vec::as_slice)
    }

    /// Whether there is an error, which says more than that nothing is converted.
    pub(super) fn has_errors(&self) -> bool {
        let mut all = self.findings.values().flatten();
        all.any(|(_, message)| message.reason().severity() == Severity::Error)
    }

    /// Whether a file is the first that has documents, and says what there is to say of the whole.
    pub(super) fn is_first(&self, file: &str, is_converted: impl Fn(&Made) -> bool) -> bool {
        let mut converted = self.resources.iter().filter(|it| is_converted(it));
        converted.next().is_some_and(|it| it.file == file)
    }
}

impl Evaluator<'_> {
    /// Adds the instances of resources of some types.
    fn make(
        &mut self,
        is_wanted: &dyn Fn(&str) -> bool,
        is_input: &dyn Fn(&str) -> bool,
        resources: &mut Vec<Made>,
    ) {
        for instance in self.all_instances(is_wanted) {
            let anchor = self.anchor(&instance, is_input);
            match self.made(&instance, anchor, anchor.span) {
                Ok(Some(made)) => resources.push(made),
                Ok(None) => {}
                Err(failure) => self.fail(anchor, instance.address.clone(), failure),
            }
        }
    }

    /// Returns what there is to say of the files of modules that cannot be read. One of the input says it itself.
    fn broken(&self, inputs: &BTreeSet<String>) -> Vec<Message> {
        let is_of = |name: &str, path: &str| {
            let outer = name.strip_suffix(path);
            outer.is_some_and(|it| it.is_empty() || it.ends_with('/'))
        };
        let broken = self.modules.broken.iter();
        let others = broken.filter(|(path, _)| !inputs.iter().any(|name| is_of(name, path)));
        let errors = others
            .map(|(path, why)| format!("the module has {path} too, which cannot be read: {why}"));
        errors
            .map(|error| Message::UnreadableFile { error })
            .collect()
    }

    /// Takes what is known before anything is evaluated.
    fn prepare(&mut self) {
        for orphan in &self.modules.orphans {
            let block = orphan.name.clone();
            let place = self.modules.head(&orphan.declared);
            self.say(place, Message::OverriddenBlockMissing { block });
        }
        self.read.extend(self.modules.read.iter().cloned());
        // A value that nothing converted depends on is no mistake.
        let declared = self.module(0).map(|it| it.variables.keys());
        let declared = declared.into_iter().flatten();
        self.names.extend(declared.cloned());
    }

    /// Evaluates all resources.
    fn outcome(mut self, inputs: &BTreeSet<String>) -> Outcome {
        let is_input = |name: &str| inputs.contains(name);
        let is_converted = |type_: &str| Type::named(type_).is_some();
        let mut resources = Vec::new();
        self.prepare();
        self.call_modules();
        self.make(&is_converted, &is_input, &mut resources);
        // Nothing is said of what is not converted.
        let said = self.findings.len();
        let not_given = self.not_given.clone();
        self.make(&|type_| !is_converted(type_), &is_input, &mut resources);
        self.read_named_files();
        self.findings.truncate(said);
        let unread: Vec<String> = std::mem::take(&mut self.unread_modules)
            .into_iter()
            .collect();
        let first = resources.iter().map(|it| (it.file.clone(), it.span)).next();
        let first = first.or_else(|| {
            let mut files = self.modules.files.iter().filter(|it| is_input(it));
            files.next().map(|it| (it.clone(), Span::default()))
        });
        let (first, start) = first.unwrap_or_default();
        let mut findings: BTreeMap<String, Vec<(Span, Message)>> = BTreeMap::new();
        for (address, why) in &self.modules.unread {
            let (address, why) = (address.clone(), why.clone());
            let all = findings.entry(first.clone()).or_default();
            let message = Message::ExpressionNotEvaluated { address, why };
            all.push((Span::new(start.start, start.start), message));
        }
        for message in self.broken(inputs) {
            let all = findings.entry(first.clone()).or_default();
            all.push((Span::new(start.start, start.start), message));
        }
        if !unread.is_empty() {
            let names = unread.join(", ");
            let all = findings.entry(first.clone()).or_default();
            all.push((
                Span::new(start.start, start.start),
                Message::ModulesNotRead { names },
            ));
        }
        for (place, message) in std::mem::take(&mut self.findings) {
            let name = place.file.and_then(|file| self.modules.files.get(file));
            let name = name.filter(|name| is_input(name));
            // What is in no file of the input is said of the whole.
            let (name, span) = match name {
                Some(name) => (name.clone(), place.span),
                None => (first.clone(), start),
            };
            findings.entry(name).or_default().push((span, message));
        }
        Outcome {
            mentions: self.mentions(),
            resources,
            findings,
            opened: self.opened,
            names: self.names,
            not_given,
            read: self.read,
        }
    }
}

#[cfg(test)]
mod tests;

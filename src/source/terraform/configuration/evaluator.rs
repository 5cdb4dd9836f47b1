//! The state of the evaluation of one configuration.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use super::{
    super::{
        super::values::Values,
        address::{Step, placeholder_name},
    },
    files::Files,
    json_syntax::Positions,
    module::{Declared, Module, Modules},
    value::{Evaluated, Failure, Kind, Members, Place, Turn, Val},
};
use crate::diagnostic::Message;

/// The most expressions that are evaluated.
const MOST: usize = 200_000;

/// The most values that are made.
const MOST_VALUES: usize = 500_000;

/// The most bytes of texts that are made.
const MOST_TEXT: usize = 32 << 20;

/// The deepest nesting of expressions, also through references. The evaluation is recursive, so that the limit protects
/// the stack.
const DEEPEST: usize = 128;

/// An instance of a module.
#[derive(Debug)]
pub(super) struct ModuleInstance {
    /// The number of the module.
    pub(super) module: usize,
    /// The call that stands for everything in it, if it is one of a description.
    pub(super) anchor: Option<Place>,
    /// The calls that lead to it.
    pub(super) steps: Vec<Step>,
    /// The address, with a dot behind it; empty for the root.
    pub(super) prefix: String,
    /// The instance of the module that calls it, the number of the call in it, and which instance of the call it is.
    pub(super) caller: Option<(usize, usize, Turn)>,
}

/// What an expression can refer to by a name of its own: an element of a loop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'f> {
    pub(super) name: &'f str,
    pub(super) value: &'f Val,
    pub(super) outer: Option<&'f Self>,
}

impl Frame<'_> {
    pub(super) fn find(&self, name: &str) -> Option<&Val> {
        let mut frame = Some(self);
        while let Some(this) = frame {
            if this.name == name {
                return Some(this.value);
            }
            frame = this.outer;
        }
        None
    }
}

/// Where an expression is evaluated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'c> {
    /// The instance of the module.
    pub(super) module: usize,
    /// The file that has the expression; `None` for the text of a template.
    pub(super) file: Option<usize>,
    /// What stands for the places of all expressions, if these are in a description.
    pub(super) anchor: Option<Place>,
    /// Where the expressions are in a file in JSON.
    pub(super) positions: Option<&'c Positions>,
    pub(super) frame: Option<&'c Frame<'c>>,
    /// What a template is given.
    pub(super) variables: Option<&'c Members>,
    pub(super) turn: &'c Turn,
}

/// The turn of what has only one instance.
pub(super) const ONCE: &Turn = &Turn {
    index: None,
    each: None,
};

impl<'c> Context<'c> {
    pub(super) const fn of(module: usize, file: usize, turn: &'c Turn) -> Self {
        Self {
            module,
            file: Some(file),
            anchor: None,
            positions: None,
            frame: None,
            variables: None,
            turn,
        }
    }

    /// Returns the same context with one more name.
    pub(super) const fn with<'d>(&self, frame: &'d Frame<'d>) -> Context<'d>
    where
        'c: 'd,
    {
        Context {
            module: self.module,
            file: self.file,
            anchor: self.anchor,
            positions: self.positions,
            frame: Some(frame),
            variables: self.variables,
            turn: self.turn,
        }
    }

    pub(super) fn find(&self, name: &str) -> Option<&Val> {
        let found = self.frame.and_then(|frame| frame.find(name));
        found.or_else(|| self.variables?.get(name).map(|member| &member.value))
    }
}

/// A configuration, and what its evaluation has found.
pub(super) struct Evaluator<'m> {
    pub(super) modules: &'m Modules,
    pub(super) files: &'m dyn Files,
    pub(super) values: &'m Values,
    /// The first is that of the root.
    pub(super) instances: Vec<ModuleInstance>,
    /// The instances of the calls of modules, once they are known.
    pub(super) calls: BTreeMap<(usize, usize), Val>,
    known: BTreeMap<String, Evaluated>,
    /// What is being evaluated: a reference to it would not end.
    underway: BTreeSet<String>,
    depth: usize,
    evaluated: usize,
    made: usize,
    text: usize,
    pub(super) findings: Vec<(Place, Message)>,
    /// The names of placeholders that stand in texts.
    pub(super) opened: BTreeSet<String>,
    /// The names by which values may be given.
    pub(super) names: BTreeSet<String>,
    pub(super) unread_modules: BTreeSet<String>,
    /// The variables of the root without a value that arguments depend on.
    pub(super) not_given: BTreeSet<String>,
    /// The names of the files that functions have read.
    pub(super) read: BTreeSet<String>,
    /// The families that data sources of task definitions read, by their addresses.
    pub(super) families_read: BTreeMap<String, Val>,
    /// The values of variables that are sensitive.
    secrets: BTreeSet<String>,
}

impl<'m> Evaluator<'m> {
    pub(super) fn new(modules: &'m Modules, files: &'m dyn Files, values: &'m Values) -> Self {
        let root = ModuleInstance {
            module: 0,
            anchor: None,
            steps: Vec::new(),
            prefix: String::new(),
            caller: None,
        };
        Self {
            modules,
            files,
            values,
            instances: vec![root],
            calls: BTreeMap::new(),
            known: BTreeMap::new(),
            underway: BTreeSet::new(),
            depth: 0,
            evaluated: 0,
            made: 0,
            text: 0,
            findings: Vec::new(),
            opened: BTreeSet::new(),
            names: BTreeSet::new(),
            unread_modules: BTreeSet::new(),
            not_given: BTreeSet::new(),
            read: BTreeSet::new(),
            families_read: BTreeMap::new(),
            secrets: BTreeSet::new(),
        }
    }

    /// Returns the blocks of the module of an instance.
    pub(super) fn module(&self, instance: usize) -> Option<&'m Module> {
        self.modules.get(self.instances.get(instance)?.module)
    }

    /// Returns what the addresses of an instance of a module begin with.
    pub(super) fn prefix(&self, instance: usize) -> String {
        let instance = self.instances.get(instance);
        instance.map_or_else(String::new, |it| it.prefix.clone())
    }

    /// Returns where expressions of an instance of a module are evaluated.
    pub(super) fn context<'t>(&self, module: usize, file: usize, turn: &'t Turn) -> Context<'t>
    where
        'm: 't,
    {
        Context {
            positions: self.modules.positions.get(&file),
            anchor: self.instances.get(module).and_then(|it| it.anchor),
            ..Context::of(module, file, turn)
        }
    }

    /// Returns the same context in another file of the module.
    pub(super) fn in_file<'c>(&self, file: usize, context: &Context<'c>) -> Context<'c>
    where
        'm: 'c,
    {
        Context {
            file: Some(file),
            positions: self.modules.positions.get(&file),
            ..*context
        }
    }

    /// Returns where a block of an instance of a module is.
    pub(super) fn head(&self, module: usize, declared: &Declared) -> Place {
        let instance = self.instances.get(module);
        let anchor = instance.and_then(|it| it.anchor);
        anchor.unwrap_or_else(|| self.modules.head(declared))
    }

    /// Evaluates something with a name once; a reference from it to itself is an error.
    pub(super) fn once(
        &mut self,
        name: String,
        evaluate: impl FnOnce(&mut Self) -> Evaluated,
    ) -> Evaluated {
        if let Some(known) = self.known.get(&name) {
            return known.clone();
        }
        let value = self.alone(&name, evaluate);
        // A limit may be that of the way that led here.
        if !value.as_ref().is_err_and(|failure| failure.is_final) {
            self.known.insert(name, value.clone());
        }
        value
    }

    /// Evaluates something that must not refer to itself.
    pub(super) fn alone<T>(
        &mut self,
        name: &str,
        evaluate: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if !self.underway.insert(name.to_owned()) {
            return Err(Failure::new(format!("{name} refers to itself")));
        }
        let value = self.deeper(evaluate);
        self.underway.remove(name);
        value
    }

    /// Counts an expression.
    pub(super) fn deeper<T>(
        &mut self,
        evaluate: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.evaluated += 1;
        if self.evaluated > MOST {
            return Err(Failure::limit(format!("it takes more than {MOST} steps")));
        }
        if self.depth == DEEPEST {
            let why = format!("expressions refer to each other more than {DEEPEST} deep");
            return Err(Failure::limit(why));
        }
        self.depth += 1;
        let value = evaluate(self);
        self.depth -= 1;
        value
    }

    /// Counts values and texts that are made.
    pub(super) fn spend(&mut self, values: usize, text: usize) -> Result<(), Failure> {
        self.made = self.made.saturating_add(values);
        self.text = self.text.saturating_add(text);
        if self.made > MOST_VALUES || self.text > MOST_TEXT {
            return Err(Failure::limit("it makes more values than are read"));
        }
        Ok(())
    }

    pub(super) fn say(&mut self, place: Place, message: Message) {
        let finding = (place, message);
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// Returns what stands for a value in a text, if it is one that an address has.
    pub(super) fn placeholder(&mut self, val: &Val) -> Option<String> {
        let Kind::Unknown(unknown) = &val.kind else {
            return None;
        };
        if !unknown.is_direct {
            return None;
        }
        if let Some(known) = &unknown.known {
            return Some(known.clone());
        }
        let name = placeholder_name(unknown.addresses.first()?);
        self.opened.insert(name.clone());
        self.names.insert(name.clone());
        Some(format!("${{{name}}}"))
    }

    /// Returns the addresses that a value depends on, if it is not known; a text may have placeholders.
    pub(super) fn addresses(&self, val: &Val) -> Option<Vec<String>> {
        match &val.kind {
            Kind::Unknown(unknown) => Some(unknown.addresses.clone()),
            Kind::Instance(instance) => Some(vec![instance.address.clone()]),
            Kind::Text(text) if text.text.contains("${") => {
                let mut names = Vec::new();
                for part in text.text.split("${").skip(1) {
                    let name = part.split('}').next().unwrap_or_default();
                    if self.opened.contains(name) {
                        names.push(name.to_owned());
                    }
                }
                (!names.is_empty()).then_some(names)
            }
            _ => None,
        }
    }

    /// Returns where placeholders are in a text.
    pub(super) fn placeholders_in(&self, text: &str) -> Vec<Range<usize>> {
        let starts = text.match_indices("${");
        let found = starts.filter_map(|(start, mark)| {
            let inner = text.get(start + mark.len()..)?;
            let (name, _) = inner.split_once('}')?;
            let end = start + mark.len() + name.len() + 1;
            self.opened.contains(name).then_some(start..end)
        });
        found.collect()
    }

    /// Remembers a value that no message may have. The depth of values is limited.
    pub(super) fn keep_secret(&mut self, val: &Val) {
        match &val.kind {
            Kind::List(list) => list.elements.iter().for_each(|it| self.keep_secret(it)),
            Kind::Object(object) => {
                let members = object.members.values();
                members.for_each(|it| self.keep_secret(&it.value));
            }
            _ => {
                let text = val.scalar().filter(|text| !text.is_empty());
                self.secrets.extend(text);
            }
        }
    }

    /// Whether a text has the value of a variable that is sensitive.
    pub(super) fn has_secret(&self, text: &str) -> bool {
        self.secrets.iter().any(|it| text.contains(it.as_str()))
    }

    /// Returns a text without the values of variables that are sensitive.
    pub(super) fn without_secrets(&self, text: String) -> String {
        let mut text = text;
        for secret in &self.secrets {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), "(sensitive value)");
            }
        }
        text
    }

    /// Returns the value that is given for an address.
    pub(super) fn given(&mut self, address: &str) -> Option<&'m str> {
        let name = placeholder_name(address);
        let values = self.values;
        let mut known = [address, &name].into_iter();
        let (name, value) = known.find_map(|name| values.fill.get_key_value(name))?;
        self.names.insert(name.clone());
        Some(value)
    }
}

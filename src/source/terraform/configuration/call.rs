//! What a call gives the module that it calls.

use std::collections::BTreeSet;

use hcl_edit::expr::Expression;

use super::{
    block::META,
    described::{reference, without_credentials},
    evaluator::{Context, Evaluator},
    module::{Call, Module},
    value::{Failure, Kind, Place, Turn, Val, number_of},
};
use crate::diagnostic::Message;

/// The argument by which a description gives another one the members of an object, each as an input.
const ALL: &str = "inputs";

/// The input of a description that has the major version that it is read as.
const VERSION: &str = "module_version";

/// The arguments of a call that are no inputs, besides those of any block.
const OF_THE_CALL: &[&str] = &["source", "version", ALL];

/// The local value of a description that lists inputs which change no task.
const OF_NO_EFFECT: &str = "of_no_effect";

/// The local value of a description that lists inputs which the version that it is read as does not have.
const NOT_IN_VERSION: &str = "not_in_version";

impl<'m> Evaluator<'m> {
    /// Returns what a call gives an instance of a module for a variable, if it gives anything.
    pub(super) fn given_by_call(
        &mut self,
        module: usize,
        name: &str,
    ) -> Result<Option<Val>, Failure> {
        let Some((outer, call, turn)) = self.call_of(module) else {
            return Ok(None);
        };
        let context = self.context(outer, call.declared.file_of(name), &turn);
        let Some(described) = call.described else {
            let argument = call.declared.argument(name);
            return argument.map(|it| self.expression(it, &context)).transpose();
        };
        let others = if name == VERSION {
            BTreeSet::new()
        } else {
            self.not_in_version(module)?
        };
        let is_own = name != VERSION || self.is_description(outer);
        let is_taken = |name: &str| is_own && !others.contains(name);
        if let Some(argument) = call.declared.argument(name).filter(|_| is_taken(name)) {
            return self.expression(argument, &context).map(Some);
        }
        if name == VERSION {
            let major = usize::try_from(described.major).unwrap_or_default();
            let major = Kind::Number(number_of(major));
            return Ok(Some(Val::new(major, Place::NOWHERE)));
        }
        let camel = camel_case(name);
        if let Some(argument) = call.declared.argument(&camel).filter(|_| is_taken(&camel)) {
            return self.expression(argument, &context).map(Some);
        }
        let Some(all) = self.all_inputs(outer, call, &context)? else {
            return Ok(None);
        };
        match all.members() {
            Some(members) => {
                let mut names = [name, &camel].into_iter().filter(|name| is_taken(name));
                let member = names.find_map(|name| members.get(name));
                Ok(member.map(|it| it.value.clone()))
            }
            None if all.is_null() => Ok(None),
            None => self.attribute(&all, name, all.place).map(Some),
        }
    }

    /// Returns the object whose members a description gives to another one.
    fn all_inputs(
        &mut self,
        outer: usize,
        call: &Call,
        context: &Context<'_>,
    ) -> Result<Option<Val>, Failure> {
        match call.declared.argument(ALL) {
            Some(all) if self.is_description(outer) => self.expression(all, context).map(Some),
            _ => Ok(None),
        }
    }

    /// Returns the inputs of a description that the version does not have which it is read as.
    fn not_in_version(&mut self, module: usize) -> Result<BTreeSet<String>, Failure> {
        let mut names = BTreeSet::new();
        let called = self.module(module);
        if called.is_some_and(|it| it.locals.contains_key(NOT_IN_VERSION)) {
            let list = self.local(module, NOT_IN_VERSION)?;
            let list = list.elements().unwrap_or_default().iter();
            names.extend(list.filter_map(Val::text).map(str::to_owned));
        }
        Ok(names)
    }

    /// Whether an instance of a module is a description, which may give another one what no user can.
    fn is_description(&self, module: usize) -> bool {
        self.module(module).is_some_and(|it| it.is_described)
    }

    /// Returns the call of an instance of a module, with the instance that has it, and which of its turns it is.
    fn call_of(&self, module: usize) -> Option<(usize, &'m Call, Turn)> {
        let (outer, call, turn) = self.instances.get(module)?.caller.clone()?;
        let call = self.module(outer)?.calls.get(call)?;
        Some((outer, call, turn))
    }

    /// Says that a module is read by its inputs, and what of them is not read.
    pub(super) fn say_description(&mut self, module: usize) -> Result<(), Failure> {
        let Some((outer, call, turn)) = self.call_of(module) else {
            return Ok(());
        };
        let Some(described) = call.described else {
            return Ok(());
        };
        let here = self.head(outer, &call.declared);
        let name = format!("{}module.{}", self.prefix(outer), call.name);
        if !self.is_description(outer) {
            let message = Message::ModuleReadByInputs {
                name: name.clone(),
                source: call.shown_source(),
            };
            self.say(here, message);
            if let Some(version) = call.version_not_known() {
                let message = Message::ModuleVersionNotKnown {
                    name: name.clone(),
                    version,
                    known: described.major.to_string(),
                };
                self.say(here, message);
            }
        }
        let context = self.context(outer, call.declared.file, &turn);
        let names = self.inputs_not_read(module, (outer, call), &context)?;
        if !names.is_empty() {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let names = names.join(", ");
            self.say(here, Message::ModuleInputsNotRead { name, names });
        }
        Ok(())
    }

    /// Returns the inputs that a call gives a description and that this does not read. One that is null is not given.
    fn inputs_not_read(
        &mut self,
        module: usize,
        (outer, call): (usize, &Call),
        context: &Context<'_>,
    ) -> Result<BTreeSet<String>, Failure> {
        let mut unread = BTreeSet::new();
        let Some(called) = self.module(module) else {
            return Ok(unread);
        };
        let mut of_other_versions = self.not_in_version(module)?;
        if !self.is_description(outer) {
            of_other_versions.insert(VERSION.to_owned());
        }
        let is_unread = |input: &str| !called.takes(input) || of_other_versions.contains(input);
        for argument in call.declared.block.body.attributes() {
            let input = argument.key.as_str();
            if META.contains(&input) || OF_THE_CALL.contains(&input) || !is_unread(input) {
                continue;
            }
            // An expression that fails is given all the same.
            let context = self.in_file(call.declared.file_of(input), context);
            let value = self.expression(&argument.value, &context);
            if !value.is_ok_and(|it| it.is_null()) {
                unread.insert(input.to_owned());
            }
        }
        let all = self.all_inputs(outer, call, context)?;
        let members = all.as_ref().and_then(Val::members).into_iter().flatten();
        let members = members.filter(|(input, it)| is_unread(input) && !it.value.is_null());
        unread.extend(members.map(|(input, _)| input.clone()));
        Ok(unread)
    }
}

impl Call {
    /// Returns the source as messages have it.
    pub(super) fn shown_source(&self) -> String {
        match self.declared.argument("source") {
            Some(source) if source.as_str().is_none() => {
                "its source is an expression: write it as a text".to_owned()
            }
            Some(_) => without_credentials(&self.source),
            None => "it has no source".to_owned(),
        }
    }

    /// Returns the version that is asked for, if it is not known what it is.
    fn version_not_known(&self) -> Option<String> {
        let version = self.declared.argument("version");
        let text = version.and_then(Expression::as_str);
        if version.is_some() && text.is_none() {
            return Some("of an expression".to_owned());
        }
        let asked = text.or_else(|| reference(&self.source));
        let asked = asked.filter(|_| self.described.is_some_and(|it| it.is_assumed));
        asked.map(str::to_owned)
    }
}

impl Module {
    /// Whether a description has an input, or says that it has no effect.
    fn takes(&self, input: &str) -> bool {
        let mut names = self.variables.keys();
        let is = |name: &String| name == input || camel_case(name) == input;
        names.any(is) || self.is_of_no_effect(input)
    }

    fn is_of_no_effect(&self, input: &str) -> bool {
        let list = self.locals.get(OF_NO_EFFECT);
        let Some((_, Expression::Array(patterns))) = list.map(|(file, it)| (file, &it.value))
        else {
            return false;
        };
        let mut patterns = patterns.iter().filter_map(Expression::as_str);
        patterns.any(|it| fits(it, input))
    }
}

/// Whether a name fits a pattern, in which a star at either end stands for anything.
fn fits(pattern: &str, name: &str) -> bool {
    let inner = pattern.trim_matches('*');
    match (pattern.starts_with('*'), pattern.ends_with('*')) {
        (true, true) => name.contains(inner),
        (true, false) => name.ends_with(inner),
        (false, true) => name.starts_with(inner),
        (false, false) => name == inner,
    }
}

/// Returns a name in snake case as the API writes it.
fn camel_case(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut is_start = false;
    for c in name.chars() {
        if c == '_' {
            is_start = true;
        } else if std::mem::take(&mut is_start) {
            camel.extend(c.to_uppercase());
        } else {
            camel.push(c);
        }
    }
    camel
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_the_api_does() {
        for (name, expected) in [
            ("image", "image"),
            ("readonly_root_filesystem", "readonlyRootFilesystem"),
            ("", ""),
        ] {
            assert_eq!(camel_case(name), expected);
        }
    }

    #[test]
    fn patterns_have_a_star_at_either_end() {
        for (pattern, name, expected) in [
            ("tags", "tags", true),
            ("tags", "task_tags", false),
            ("iam_role_*", "iam_role_name", true),
            ("iam_role_*", "tasks_iam_role_name", false),
            ("*_tags", "task_tags", true),
            ("*log*", "a_log_b", true),
            ("*log*", "a", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}

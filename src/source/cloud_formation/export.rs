//! The outputs of stacks, and what they export to others
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-exports.html>).

use std::{collections::BTreeMap, mem};

use super::{
    super::tree::{Node, Value},
    carried::Carried,
    for_each,
    function::{Call, Failure, plain},
    scope::Scope,
    stack::{Open, Stack},
};
use crate::diagnostic::Message;

/// The outputs of a stack, or why one has no value.
pub(super) type Outputs = BTreeMap<String, Result<Carried, Box<Message>>>;

/// A value that a template exports.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Export {
    name: Name,
    value: Carried,
    /// The file of the template.
    pub(super) file: String,
}

/// The name of an export.
#[derive(Clone, Debug, PartialEq)]
enum Name {
    Known(String),
    /// What is before and after the name of the stack, which only a deployment knows.
    OfStack(String, String),
    /// Something else in it is not known.
    Open,
}

/// Stands for the name of a stack, which only a deployment knows.
const HOLE: &str = "\u{1}";

/// Returns the outputs of a stack, and those that it exports.
pub(super) fn outputs(stack: &mut Stack<'_, '_>) -> (Outputs, Vec<Export>) {
    let mut outputs = Outputs::new();
    let mut exports = Vec::new();
    // Most of them are for people, and what is open in them is said where it is used.
    stack.aside(|stack| {
        let members = stack.section("Outputs");
        for_each::members(stack, members, &Scope::default(), &mut |stack, it| {
            let condition = it.value.get("Condition").and_then(Node::text);
            if condition.is_some_and(|name| !stack.condition(name).unwrap_or(true)) {
                return;
            }
            let Some(value) = it.value.get("Value") else {
                return;
            };
            let Some(value) = stack.node(value, &it.scope) else {
                return;
            };
            let value = match value.value {
                Value::Unresolved(why) => Err(why),
                _ => Ok(stack.carry(value)),
            };
            let named = it.value.get("Export").and_then(|it| it.get("Name"));
            if let (Some(named), Ok(value)) = (named, &value) {
                let known = mem::replace(&mut stack.name, HOLE.to_owned());
                let name = name_of(stack, named, &it.scope);
                stack.name = known;
                exports.push(Export {
                    name,
                    value: value.clone(),
                    file: stack.file.clone(),
                });
            }
            outputs.insert(it.key.to_string(), value);
        });
    });
    (outputs, exports)
}

fn name_of<'t, 'a>(stack: &mut Stack<'t, 'a>, name: &'t Node<'a>, scope: &Scope<'a>) -> Name {
    let name = stack.node(name, scope);
    let Some(name) = name.as_ref().and_then(Node::scalar) else {
        return Name::Open;
    };
    if !stack.opened_in(name).is_empty() {
        return Name::Open;
    }
    match name.split_once(HOLE) {
        None => Name::Known(name.to_owned()),
        Some((before, after)) if around_a_name(before, after) => {
            Name::OfStack(before.to_owned(), after.to_owned())
        }
        Some(_) => Name::Open,
    }
}

/// Whether what is between these two texts is one whole part of a name, and they say something themselves.
fn around_a_name(before: &str, after: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric();
    !before.ends_with(is_part)
        && !after.starts_with(is_part)
        && !after.contains(HOLE)
        && (before.contains(is_part) || after.contains(is_part))
}

impl<'a> Call<'_, '_, 'a> {
    /// Returns what another stack exports: the value that a template of the input gives it, or a placeholder.
    pub(super) fn import(&mut self) -> Result<Node<'a>, Failure> {
        let (argument, scope, span) = (self.argument, self.scope, self.span);
        // An export is mostly named after a stack, which may be open itself, and need not be known.
        let (name, open) = self.stack.aside(|stack| {
            let mut call = Call {
                stack,
                argument,
                scope,
                span,
            };
            let name = call.only_text()?;
            let open = call.stack.opened_in(&name);
            Ok((name, open))
        })?;
        let key = plain(&name);
        let stack = &mut *self.stack;
        for key in [&name, &key] {
            if let Some(value) = stack.given_globally(key) {
                let value = value.to_owned();
                return Ok(self.string(value));
            }
        }
        let open_names: Vec<&str> = open.iter().map(|(name, _)| name.as_str()).collect();
        stack.work.ask();
        let around = stack.around;
        let others = around.exports.iter().filter(|it| it.file != stack.file);
        let export = found(others, &name, &open_names);
        let says_something = |it: &&Found<'_>| {
            it.export.value.known().is_some() || it.export.value.delay().is_some()
        };
        if let Some(found) = export.as_ref().filter(says_something) {
            note(stack, found, &key);
            if found.export.value.known().is_some() {
                return Ok(stack.receive(&found.export.value, span));
            }
        }
        for (name, why) in open {
            stack.open_globally(&name, why);
        }
        let text = stack.open_globally(&key, Open::Resource);
        if let Some(seconds) = export.and_then(|it| it.export.value.delay()) {
            stack.delays.insert(text.clone(), (seconds, span));
        }
        Ok(self.string(text))
    }
}

/// An export that is imported.
struct Found<'e> {
    export: &'e Export,
    /// Whether it has the name; otherwise it is the only one that may have it.
    is_sure: bool,
}

/// Notes where an imported value is from.
fn note(stack: &mut Stack<'_, '_>, found: &Found<'_>, key: &str) {
    let file = &found.export.file;
    if found.is_sure {
        stack.imported.insert(format!("{key} of {file}"));
        return;
    }
    let value = &found.export.value;
    let shown = value.known().filter(|_| !value.is_secret);
    stack.assumed.insert(match shown {
        Some(value) => format!("{key} is {value} of {file}"),
        None => format!("{key} is that of {file}"),
    });
}

/// Returns the only export of a name; else the only one that has it if its stack is called so. `open` are the
/// placeholders in the name.
fn found<'e>(
    exports: impl Iterator<Item = &'e Export>,
    name: &str,
    open: &[&str],
) -> Option<Found<'e>> {
    let (mut sure, mut possible) = (Vec::new(), Vec::new());
    for export in exports {
        match &export.name {
            Name::Known(known) if open.is_empty() && known == name => sure.push(export),
            Name::OfStack(before, after) if may_be(name, open, before, after) => {
                possible.push(export);
            }
            _ => {}
        }
    }
    let is_sure = !sure.is_empty();
    let fitting = if is_sure { sure } else { possible };
    match fitting.as_slice() {
        [export] => Some(Found { export, is_sure }),
        _ => None,
    }
}

/// Whether there is one name of a stack, or a placeholder for it, between these parts of a name.
fn may_be(name: &str, open: &[&str], before: &str, after: &str) -> bool {
    let rest = name.strip_prefix(before);
    let Some(stack) = rest.and_then(|it| it.strip_suffix(after)) else {
        return false;
    };
    match open {
        [] => {
            stack.starts_with(|c: char| c.is_ascii_alphabetic())
                && stack.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        }
        [open] => stack == format!("${{{open}}}"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_stack_is_a_whole_part_of_a_name() {
        for (before, after, expected) in [
            ("", "-VPC", true),
            ("net-", "-VPC", true),
            ("net:", "", true),
            ("", "VPC", false),
            ("net", "-VPC", false),
            ("", "", false),
            ("", "-\u{1}-Id", false),
        ] {
            assert_eq!(around_a_name(before, after), expected, "{before} {after}");
        }
    }

    #[test]
    fn a_name_may_have_that_of_one_stack() {
        for (name, open, before, after, expected) in [
            ("net-VPC", &[][..], "", "-VPC", true),
            ("net-prod-VPC", &[], "", "-VPC", true),
            ("a:net-VPC", &[], "", "-VPC", false),
            ("-VPC", &[], "", "-VPC", false),
            ("net-Subnets", &[], "", "-VPC", false),
            ("${Net}-VPC", &["Net"], "", "-VPC", true),
            ("${Net}-a-VPC", &["Net"], "", "-VPC", false),
            ("${Net}-${Env}-VPC", &["Env", "Net"], "", "-VPC", false),
        ] {
            assert_eq!(may_be(name, open, before, after), expected, "{name}");
        }
    }
}

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
#[derive(Clone, Debug)]
pub(super) struct Export {
    /// Its name, if the stack is named after the file.
    name: String,
    /// Its name with `*` in place of what is not known: the name of the stack, and parameters without a value.
    pattern: String,
    value: Carried,
    /// The file of the template.
    pub(super) file: String,
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
            if let (Some(named), Ok(value)) = (named, &value)
                && let Some(name) = name_of(stack, named, &it.scope)
            {
                let known = mem::replace(&mut stack.name, HOLE.to_owned());
                let open = name_of(stack, named, &it.scope);
                stack.name = known;
                let open = open.as_deref().unwrap_or(&name);
                exports.push(Export {
                    pattern: pattern(stack, open),
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

fn name_of<'t, 'a>(
    stack: &mut Stack<'t, 'a>,
    name: &'t Node<'a>,
    scope: &Scope<'a>,
) -> Option<String> {
    let name = stack.node(name, scope)?;
    name.scalar().map(str::to_owned)
}

/// Returns a name with `*` in place of what is not known.
fn pattern(stack: &Stack<'_, '_>, name: &str) -> String {
    let mut pattern = name.replace(HOLE, "*");
    for (open, _) in stack.opened_in(name) {
        pattern = pattern.replace(&format!("${{{open}}}"), "*");
    }
    pattern
}

impl<'a> Call<'_, '_, 'a> {
    /// Returns what another stack exports: the value that a template of the input gives it, or a placeholder.
    pub(super) fn import(&mut self) -> Result<Node<'a>, Failure> {
        let (argument, scope, span) = (self.argument, self.scope, self.span);
        // An export is mostly named after a stack, which may be open itself, and need not be known.
        let (name, open, pattern) = self.stack.aside(|stack| {
            let mut call = Call {
                stack,
                argument,
                scope,
                span,
            };
            let name = call.only_text()?;
            let open = call.stack.opened_in(&name);
            let pattern = pattern(call.stack, &name);
            Ok((name, open, pattern))
        })?;
        let key = plain(&name);
        let stack = &mut *self.stack;
        for key in [&name, &key] {
            if let Some(value) = stack.given_globally(key) {
                let value = value.to_owned();
                return Ok(self.string(value));
            }
        }
        let export = found(&stack.around.exports, &name, &pattern);
        let says_something =
            |it: &&Export| it.value.known().is_some() || it.value.delay().is_some();
        if let Some(export) = export.filter(says_something) {
            stack.imported.insert(format!("{key} of {}", export.file));
            if export.value.known().is_some() {
                return Ok(stack.receive(&export.value, span));
            }
        }
        for (name, why) in open {
            stack.open_globally(&name, why);
        }
        let text = stack.open_globally(&key, Open::Resource);
        if let Some(seconds) = export.and_then(|it| it.value.delay()) {
            stack.delays.insert(text.clone(), (seconds, span));
        }
        Ok(self.string(text))
    }
}

/// Returns the only export of a name; else the only one that may have it, once the stacks are deployed.
fn found<'e>(exports: &'e [Export], name: &str, pattern: &str) -> Option<&'e Export> {
    let only = |matches: &dyn Fn(&Export) -> bool| {
        let mut found = exports.iter().filter(|it| matches(it));
        let first = found.next()?;
        Some(found.next().is_none().then_some(first))
    };
    let named = only(&|it| it.name == name);
    named.or_else(|| only(&|it| may_equal(&it.pattern, pattern)))?
}

/// Whether two names may be the same one, once what is not known in them is known.
fn may_equal(a: &str, b: &str) -> bool {
    let says_something = |it: &str| it.contains(|c: char| c.is_ascii_alphanumeric());
    if a == b {
        return says_something(a);
    }
    match (a.contains('*'), b.contains('*')) {
        (true, false) => says_something(a) && fits(a, b),
        (false, true) => says_something(b) && fits(b, a),
        _ => false,
    }
}

/// Whether a name fits a pattern.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(first) else {
        return false;
    };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        match name.split_once(piece) {
            Some((_, after)) => name = after,
            None => return false,
        }
    }
    name.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_exports_are_compared_without_what_is_open() {
        for (a, b, expected) in [
            ("*-VPC", "*-VPC", true),
            ("*-VPC", "net-VPC", true),
            ("net-VPC", "*-VPC", true),
            ("net-*-VPC", "net-prod-VPC", true),
            ("*-VPC", "net-Subnets", false),
            ("*-*-Id", "a-b-Id", true),
            ("*-*-Id", "a-Id", false),
            ("*", "net-VPC", false),
            ("*", "*", false),
            ("net-VPC", "dev-VPC", false),
            ("a*-VPC", "*b-VPC", false),
        ] {
            assert_eq!(may_equal(a, b), expected, "{a} {b}");
        }
    }
}

//! Conditions.

use super::{
    super::{
        placeholder::placeholders,
        tree::{Member, Node, Value},
    },
    function::{Failure, list},
    scope::Scope,
    stack::{Open, Stack},
};
use crate::diagnostic::Message;

impl<'t, 'a> Stack<'t, 'a> {
    /// Returns whether a condition of the template holds.
    ///
    /// # Errors
    ///
    /// When there is no such condition, or it cannot be evaluated.
    pub(super) fn condition(&mut self, name: &str) -> Result<bool, Failure> {
        if let Some(known) = self.conditions.get(name) {
            return Ok(*known);
        }
        let Some(member) = self.in_section("Conditions", name) else {
            return self.condition_elsewhere(name);
        };
        let outer = std::mem::take(&mut self.is_assumed);
        let holds = self.within(name, |stack| stack.holds(&member.value, &Scope::default()));
        // What depends on it is not said too.
        let is_assumed = std::mem::replace(&mut self.is_assumed, outer);
        let holds = holds?;
        if is_assumed {
            let (name, value) = (name.to_owned(), holds.to_string());
            self.say(member.key_span, Message::ConditionAssumed { name, value });
        }
        self.conditions.insert(name.to_owned(), holds);
        Ok(holds)
    }

    /// Returns whether a condition holds that the rest of the template has: not, unless `--set` gives it.
    fn condition_elsewhere(&mut self, name: &str) -> Result<bool, Failure> {
        if !self.is_part {
            return Err(Failure::new(format!("there is no condition {name}")));
        }
        match self.given(name) {
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(_) => Err(Failure::new(format!("condition {name} is true or false"))),
            None => {
                self.open(name, Open::Condition);
                Ok(false)
            }
        }
    }

    /// Returns whether the expression of a condition holds.
    pub(super) fn holds(&mut self, node: &'t Node<'a>, scope: &Scope<'a>) -> Result<bool, Failure> {
        let Some([only]) = node.members() else {
            return self.is_true(node, scope);
        };
        match &*only.key {
            "Condition" => match only.value.text() {
                Some(name) => self.condition(name),
                None => Err(Failure::new("Condition takes the name of a condition")),
            },
            "Fn::Not" => Ok(!self.holds(one(only)?, scope)?),
            "Fn::And" => {
                for node in list(&only.value)? {
                    if !self.holds(node, scope)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            "Fn::Or" => {
                for node in list(&only.value)? {
                    if self.holds(node, scope)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            "Fn::Equals" => self.are_equal(only, scope),
            _ => self.is_true(node, scope),
        }
    }

    fn are_equal(&mut self, function: &'t Member<'a>, scope: &Scope<'a>) -> Result<bool, Failure> {
        let [a, b] = list(&function.value)? else {
            return Err(Failure::new("Fn::Equals takes two values"));
        };
        let (a, b) = (self.node(a, scope), self.node(b, scope));
        for side in [&a, &b].into_iter().flatten() {
            if let Value::Unresolved(why) = &side.value {
                return Err(Failure::of(Message::clone(why)));
            }
            let is_open = side
                .scalar()
                .is_some_and(|text| placeholders(text).next().is_some());
            self.is_assumed |= is_open;
        }
        Ok(match (&a, &b) {
            (Some(a), Some(b)) => match (a.scalar(), b.scalar()) {
                // `1` and `"1"` are equal.
                (Some(a), Some(b)) => a == b,
                _ => a.same_content(b),
            },
            (a, b) => a.is_none() == b.is_none(),
        })
    }

    /// A condition may also be a value: `Fn::FindInMap`, or the parameter of a loop.
    fn is_true(&mut self, node: &'t Node<'a>, scope: &Scope<'a>) -> Result<bool, Failure> {
        let value = self.node(node, scope);
        match value.as_ref().and_then(Node::scalar) {
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            _ => Err(Failure::new("a condition is true or false")),
        }
    }
}

fn one<'t, 'a>(function: &'t Member<'a>) -> Result<&'t Node<'a>, Failure> {
    match list(&function.value)? {
        [one] => Ok(one),
        _ => Err(Failure::new(format!("{} takes one value", function.key))),
    }
}

//! The values of parameters.

use super::{
    super::{
        text::Span,
        tree::{Node, Value},
    },
    carried::Carried,
    function::Failure,
    stack::{Open, Stack},
};
use crate::diagnostic::Message;

impl<'a> Stack<'_, 'a> {
    /// Returns the value of a parameter: the given one, or its default; otherwise a placeholder. `None` if the template
    /// has no such parameter.
    ///
    /// A parameter of Systems Manager has the name of a value, which only AWS knows
    /// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-supplied-parameter-types.html>).
    pub(super) fn parameter(
        &mut self,
        name: &str,
        span: Span,
    ) -> Option<Result<Node<'a>, Failure>> {
        let declared = &self.in_section("Parameters", name)?.value;
        let kind = declared.get("Type").and_then(Node::text);
        let kind = kind.unwrap_or_default();
        let is_of_ssm = kind.starts_with("AWS::SSM::Parameter::Value");
        let is_hidden = is_hidden(declared);
        let is_list = kind == "CommaDelimitedList" || kind.contains("List<");
        // The stack around it passes the name of such a value too.
        if let Some(passed) = self.passed(name).filter(|_| !is_of_ssm) {
            return Some(self.passed_value(name, &passed, declared, is_list, span));
        }
        let qualified = self.qualified(name);
        let own = self
            .values
            .parameters
            .get(&qualified)
            .filter(|_| !is_of_ssm);
        let given = own.map(String::as_str).or_else(|| self.given(name));
        if let Some(given) = given
            && let Some(failure) = not_allowed(name, given, declared, is_hidden)
        {
            return Some(Err(failure));
        }
        let default = declared.get("Default").filter(|_| !is_of_ssm);
        let value = match (given, default) {
            (Some(given), _) => Value::String(given.to_owned().into()),
            (None, Some(default)) => default.value.clone(),
            (None, None) => Value::String(self.open(name, Open::Parameter).into()),
        };
        let value = Node { value, span };
        if is_hidden && let Some(text) = value.scalar() {
            self.keep_secret(text);
        }
        Some(Ok(if is_list { split(&value) } else { value }))
    }

    /// Returns the value that the stack around this one passes.
    fn passed_value(
        &mut self,
        name: &str,
        passed: &Carried,
        declared: &Node<'_>,
        is_list: bool,
        span: Span,
    ) -> Result<Node<'a>, Failure> {
        if let Value::Unresolved(why) = passed.value() {
            return Err(Failure::of(Message::clone(why)));
        }
        let is_hidden = passed.is_secret || is_hidden(declared);
        if let Some(text) = passed.known()
            && let Some(failure) = not_allowed(name, text, declared, is_hidden)
        {
            return Err(failure);
        }
        let value = self.receive(passed, span);
        if is_hidden && let Some(text) = passed.known() {
            self.keep_secret(text);
        }
        let is_text = value.scalar().is_some();
        Ok(if is_list && is_text {
            split(&value)
        } else {
            value
        })
    }
}

/// Whether the value of a parameter is not shown.
fn is_hidden(declared: &Node<'_>) -> bool {
    let no_echo = declared.get("NoEcho").and_then(Node::scalar);
    no_echo.is_some_and(|it| it.eq_ignore_ascii_case("true"))
}

/// Returns why a value that was given for a parameter cannot be used.
fn not_allowed(name: &str, given: &str, declared: &Node<'_>, is_hidden: bool) -> Option<Failure> {
    let allowed = declared.get("AllowedValues")?;
    let mut values = allowed.elements()?.iter().filter_map(Node::scalar);
    if values.any(|value| value == given) {
        return None;
    }
    let all = allowed.elements()?.iter().filter_map(Node::scalar);
    let (value, allowed) = if is_hidden {
        let hidden = "what was given, which NoEcho hides";
        (hidden.to_owned(), "its AllowedValues".to_owned())
    } else {
        (given.to_owned(), all.collect::<Vec<_>>().join(", "))
    };
    let name = name.to_owned();
    let message = Message::ParameterNotAllowed {
        name,
        value,
        allowed,
    };
    Some(Failure::of(message))
}

/// Returns the elements of a list that is written with commas.
fn split<'a>(value: &Node<'a>) -> Node<'a> {
    let span = value.span;
    let whole = value.scalar().unwrap_or_default();
    let elements = whole.split(',').filter(|_| !whole.is_empty());
    let elements = elements.map(|element| Node {
        value: Value::String(element.trim().to_owned().into()),
        span,
    });
    Node {
        value: Value::List(elements.collect()),
        span,
    }
}

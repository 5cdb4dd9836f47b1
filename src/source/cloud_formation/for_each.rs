//! `Fn::ForEach`, which repeats members of an object.

use std::borrow::Cow;

use super::{
    super::{
        text::Span,
        tree::{Member, Node, Value},
    },
    scope::Scope,
    stack::Stack,
};

/// A member of an object, after loops have been repeated.
pub(super) struct Repeated<'t, 'a> {
    pub(super) key: Cow<'a, str>,
    pub(super) key_span: Span,
    pub(super) value: &'t Node<'a>,
    /// The variables that its value sees.
    pub(super) scope: Scope<'a>,
}

/// Calls `each` for the members of an object, and for those that its loops make
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-foreach.html>).
pub(super) fn members<'t, 'a>(
    stack: &mut Stack<'t, 'a>,
    members: &'t [Member<'a>],
    scope: &Scope<'a>,
    each: &mut dyn FnMut(&mut Stack<'t, 'a>, Repeated<'t, 'a>),
) {
    for member in members {
        let is_loop = member.key.starts_with("Fn::ForEach::");
        let Some([identifier, collection, output]) = of_loop(member).filter(|_| is_loop) else {
            if is_loop {
                stack.fail(member, "it takes an identifier, a collection and an output");
                continue;
            }
            each(
                stack,
                Repeated {
                    key: scope.in_key(&member.key),
                    key_span: member.key_span,
                    value: &member.value,
                    scope: scope.clone(),
                },
            );
            continue;
        };
        let (Value::String(identifier), Some(output)) = (&identifier.value, output.members())
        else {
            stack.fail(member, "its identifier is a text, and its output an object");
            continue;
        };
        let collection = stack.node(collection, scope).map(|it| it.value);
        let elements = match collection {
            Some(Value::List(elements)) => elements,
            Some(Value::Unresolved(why)) => {
                stack.say(member.key_span, *why);
                continue;
            }
            _ => {
                stack.fail(member, "its collection is a list");
                continue;
            }
        };
        for element in elements {
            if stack.spend_text(0).is_err() {
                stack.fail(member, "it makes too much");
                return;
            }
            let inner = scope.with(identifier.clone(), element);
            self::members(stack, output, &inner, each);
        }
    }
}

/// Returns the identifier, the collection and the output of a loop.
fn of_loop<'t, 'a>(member: &'t Member<'a>) -> Option<&'t [Node<'a>; 3]> {
    member.key.strip_prefix("Fn::ForEach::")?;
    member.value.elements()?.try_into().ok()
}

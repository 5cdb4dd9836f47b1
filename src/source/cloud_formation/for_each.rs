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
        if !member.key.starts_with("Fn::ForEach::") {
            let repeated = Repeated {
                key: scope.in_key(&member.key),
                key_span: member.key_span,
                value: &member.value,
                scope: scope.clone(),
            };
            each(stack, repeated);
            continue;
        }
        let Some([identifier, collection, output]) = member.value.elements() else {
            stack.fail(member, "it takes an identifier, a collection and an output");
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

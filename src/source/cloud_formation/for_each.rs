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
        let Some([identifier, collection, output]) = of_loop(member) else {
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
        let Value::String(identifier) = &identifier.value else {
            continue;
        };
        let collection = stack.node(collection, scope);
        let elements = collection.as_ref().and_then(Node::elements);
        for element in elements.unwrap_or_default() {
            if stack.spend_text(0).is_err() {
                return;
            }
            let inner = scope.with(identifier.clone(), element.clone());
            let output = output.members().unwrap_or_default();
            self::members(stack, output, &inner, each);
        }
    }
}

/// Returns the identifier, the collection and the output of a loop.
fn of_loop<'t, 'a>(member: &'t Member<'a>) -> Option<&'t [Node<'a>; 3]> {
    member.key.strip_prefix("Fn::ForEach::")?;
    member.value.elements()?.try_into().ok()
}

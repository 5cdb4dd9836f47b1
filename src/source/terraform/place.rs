//! Builds an object from values at paths in it.

use super::{
    super::{
        text::Span,
        tree::{Node, Value},
    },
    member,
};

/// Puts a value at a path of members, in the spelling of `CloudFormation`. The first value at a path stays.
pub(super) fn put<'a>(object: &mut Node<'a>, path: &str, value: Node<'a>, key_span: Span) {
    let Value::Object(members) = &mut object.value else {
        return;
    };
    let (first, rest) = match path.split_once('.') {
        Some((first, rest)) => (capital(first), Some(rest)),
        None => (capital(path), None),
    };
    let found = members.iter_mut().find(|member| member.key == first);
    match (found, rest) {
        (Some(known), Some(rest)) => put(&mut known.value, rest, value, key_span),
        (Some(known), None) => merge(&mut known.value, value),
        (None, None) => members.push(member(&first, key_span, value)),
        (None, Some(rest)) => {
            let mut inner = Node {
                value: Value::Object(Vec::new()),
                span: value.span,
            };
            put(&mut inner, rest, value, key_span);
            members.push(member(&first, key_span, inner));
        }
    }
}

/// Adds the members of another object, as a block and arguments outside it make one object.
fn merge<'a>(object: &mut Node<'a>, other: Node<'a>) {
    if let (Value::Object(members), Value::Object(more)) = (&mut object.value, other.value) {
        for member in more {
            if members.iter().all(|known| known.key != member.key) {
                members.push(member);
            }
        }
    }
}

fn capital(name: &str) -> String {
    let mut chars = name.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::{super::tree::print, string},
        *,
    };

    #[test]
    fn values_at_paths_make_one_object() {
        let span = Span::default();
        let mut object = Node {
            value: Value::Object(Vec::new()),
            span,
        };
        for (path, text) in [
            ("a.b", "1"),
            ("a.c", "2"),
            ("a.b", "3"),
            ("d", "4"),
            ("d", "5"),
        ] {
            put(&mut object, path, string(text, span), span);
        }
        assert_eq!(print(&object), r#"{A:{B:"1",C:"2"},D:"4"}"#);
    }
}

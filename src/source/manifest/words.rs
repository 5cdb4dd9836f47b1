//! Commands that are written as one text.

use super::{
    super::tree::{Node, Value},
    object::{list, text},
    section::plain_text,
};

/// Returns a command as a list. A text is split as a shell does; `None` if its quotes do not match, or if the value is
/// neither a text nor a list.
pub(in crate::source) fn words(node: Node<'_>) -> Option<Node<'_>> {
    match &node.value {
        Value::List(elements) => {
            // A number among the words is a word.
            let words = elements
                .iter()
                .map(|word| plain_text(word).unwrap_or_else(|| word.clone()));
            Some(list(node.span, words.collect()))
        }
        Value::String(line) => {
            let words = shlex::split(line)?;
            let words = words.into_iter().map(|word| text(node.span, word));
            Some(list(node.span, words.collect()))
        }
        _ => None,
    }
}

//! Escapes `$` in strings that Kubernetes expands and ECS does not.

use std::borrow::Cow;

/// Protects `text` from the expansion of `$(NAME)` in commands, arguments, probes and variables.
///
/// Kubernetes replaces `$(NAME)` with a value and `$$` with `$`
/// (<https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/>). If
/// neither occurs, nothing would be expanded and the text is returned unchanged; otherwise every `$` is doubled.
#[must_use]
pub fn escape_dollars(text: &str) -> Cow<'_, str> {
    if text.contains("$(") || text.contains("$$") {
        Cow::Owned(text.replace('$', "$$"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_dollars_only_where_kubernetes_would_expand() {
        for (text, expected) in [
            ("a$b", "a$b"),
            ("$HOME", "$HOME"),
            ("$(date)", "$$(date)"),
            ("$$x", "$$$$x"),
            ("echo $(hostname) $HOME", "echo $$(hostname) $$HOME"),
        ] {
            assert_eq!(escape_dollars(text), expected);
        }
    }
}

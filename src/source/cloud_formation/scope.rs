//! The variables of `Fn::ForEach` and `Fn::Sub`.

use std::borrow::Cow;

use super::super::tree::Node;

/// The variables that an expression sees, the innermost last.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope<'a>(Vec<(Cow<'a, str>, Node<'a>)>);

impl<'a> Scope<'a> {
    /// Returns the value of a variable.
    pub(super) fn get(&self, name: &str) -> Option<&Node<'a>> {
        let mut innermost = self.0.iter().rev();
        innermost
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }

    /// Returns the same scope with one more variable.
    pub(super) fn with(&self, name: Cow<'a, str>, value: Node<'a>) -> Self {
        let mut inner = self.clone();
        inner.0.push((name, value));
        inner
    }

    /// Replaces `${Name}`, and the `&{Name}` of names without special characters, in the key of a loop's output
    /// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-foreach.html>).
    pub(super) fn in_key(&self, key: &Cow<'a, str>) -> Cow<'a, str> {
        if !key.contains("${") && !key.contains("&{") {
            return key.clone();
        }
        let mut filled = key.clone().into_owned();
        for (name, value) in self.0.iter().rev() {
            let Some(text) = value.scalar() else {
                continue;
            };
            let plain: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
            filled = filled.replace(&format!("${{{name}}}"), text);
            filled = filled.replace(&format!("&{{{name}}}"), &plain);
        }
        Cow::Owned(filled)
    }
}

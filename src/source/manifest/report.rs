//! What there is to say of a file as a whole.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{expand::Expanded, text::Span, tree::Node, values::Values},
    object::text,
};
use crate::diagnostic::Message;

/// Members with the same advice, and where the first of them is.
#[derive(Debug)]
struct Named {
    span: Span,
    paths: Vec<String>,
    known: BTreeSet<String>,
}

/// What was found while a file was read.
#[derive(Debug)]
pub(in crate::source) struct Report<'v> {
    pub(in crate::source) values: &'v Values,
    findings: Vec<(Span, Message)>,
    unread: BTreeMap<&'static str, Named>,
    unused: BTreeMap<&'static str, Named>,
    open: BTreeSet<String>,
    names: BTreeSet<String>,
}

impl<'v> Report<'v> {
    /// Returns an empty report.
    pub(in crate::source) const fn new(values: &'v Values) -> Self {
        Self {
            values,
            findings: Vec::new(),
            unread: BTreeMap::new(),
            unused: BTreeMap::new(),
            open: BTreeSet::new(),
            names: BTreeSet::new(),
        }
    }

    /// Names a member that is not translated, and what to do about it.
    pub(in crate::source) fn unread(&mut self, span: Span, path: String, advice: &'static str) {
        add(&mut self.unread, span, path, advice);
    }

    /// Names a member that has no meaning here, and why.
    pub(in crate::source) fn unused(&mut self, span: Span, path: String, why: &'static str) {
        add(&mut self.unused, span, path, why);
    }

    /// Adds what there is to say.
    pub(in crate::source) fn say(&mut self, span: Span, message: Message) {
        if !self.findings.iter().any(|(_, known)| *known == message) {
            self.findings.push((span, message));
        }
    }

    /// Returns the placeholder of a value that the file does not have.
    pub(in crate::source) fn open<'a>(&mut self, span: Span, name: &str) -> Node<'a> {
        text(span, self.placeholder(name))
    }

    /// Returns the same as a text.
    pub(in crate::source) fn placeholder(&mut self, name: &str) -> String {
        let name = placeholder_name(name);
        let placeholder = format!("${{{name}}}");
        if self.given(&name).is_none() {
            self.open.insert(name);
        }
        placeholder
    }

    /// Returns the value that `--set` gives for a name.
    pub(in crate::source) fn given(&mut self, name: &str) -> Option<&'v str> {
        self.names.insert(name.to_owned());
        self.values.fill.get(name).map(String::as_str)
    }

    /// Returns what the file stands for.
    pub(in crate::source) fn finish(
        mut self,
        span: Span,
        resources: Vec<Node<'_>>,
    ) -> Expanded<'_> {
        for (advice, named) in std::mem::take(&mut self.unread) {
            let message = Message::ManifestFieldNotRead {
                fields: named.paths.join(", "),
                advice: advice.to_owned(),
            };
            self.findings.push((named.span, message));
        }
        for (why, named) in std::mem::take(&mut self.unused) {
            let message = Message::ManifestFieldUnused {
                fields: named.paths.join(", "),
                why: why.to_owned(),
            };
            self.findings.push((named.span, message));
        }
        if !self.open.is_empty() {
            let names: Vec<_> = self.open.into_iter().collect();
            let message = Message::ManifestValuesOpen {
                names: names.join(", "),
            };
            self.findings.push((span, message));
        }
        self.findings.sort_by_key(|(span, _)| span.start);
        Expanded {
            resources,
            findings: self.findings,
            names: self.names,
            is_part: false,
            is_own: false,
        }
    }
}

fn add(all: &mut BTreeMap<&'static str, Named>, span: Span, path: String, advice: &'static str) {
    let named = all.entry(advice).or_insert_with(|| Named {
        span,
        paths: Vec::new(),
        known: BTreeSet::new(),
    });
    if named.known.insert(path.clone()) {
        named.paths.push(path);
    }
}

/// Returns a name that can stand between `${` and `}`.
fn placeholder_name(name: &str) -> String {
    let name = name.replace("${", "").replace('}', "");
    let allowed = |c: char| match c {
        c if c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-') => c,
        _ => '-',
    };
    let name: String = name.chars().map(allowed).collect();
    let name = name.trim_start_matches(|c: char| !c.is_ascii_alphabetic() && c != '_');
    if name.is_empty() { "value" } else { name }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_have_names_that_can_be_set() {
        let table = [
            ("web.image", "web.image"),
            ("my service.image", "my-service.image"),
            (
                "${COPILOT_APPLICATION_NAME}-prod-Db",
                "COPILOT_APPLICATION_NAME-prod-Db",
            ),
            ("1st.image", "st.image"),
            ("", "value"),
        ];
        let values = Values::default();
        for (name, expected) in table {
            let mut report = Report::new(&values);
            let node = report.open(Span::default(), name);
            let expected = format!("${{{expected}}}");
            assert_eq!(node.text(), Some(expected.as_str()), "{name}");
        }
    }

    #[test]
    fn members_with_the_same_advice_are_named_together() {
        let values = Values::default();
        let mut report = Report::new(&values);
        report.unread(Span::new(7, 8), "a".to_owned(), "do it");
        report.unread(Span::new(9, 10), "b".to_owned(), "do it");
        report.unread(Span::new(9, 10), "b".to_owned(), "do it");
        report.unused(Span::new(1, 2), "c".to_owned(), "because");
        let found = report.finish(Span::default(), Vec::new()).findings;
        let found: Vec<_> = found.iter().map(|(_, message)| message.clone()).collect();
        let expected = [
            Message::ManifestFieldUnused {
                fields: "c".to_owned(),
                why: "because".to_owned(),
            },
            Message::ManifestFieldNotRead {
                fields: "a, b".to_owned(),
                advice: "do it".to_owned(),
            },
        ];
        assert_eq!(found, expected);
    }
}

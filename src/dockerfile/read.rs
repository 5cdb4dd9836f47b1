//! Reads values of a document, and collects what is wrong with them.

use super::{Finding, Level, runtime::Runtime};
use crate::source::{Member, Node, SourceText, Span, Value};

/// The port that a program listens on by default.
pub(super) const PORT: &str = "8080";

/// A document and what was found in it.
pub(super) struct Reader<'s> {
    source: &'s SourceText,
    findings: Vec<Finding>,
}

impl<'s> Reader<'s> {
    pub(super) const fn new(source: &'s SourceText) -> Self {
        Self {
            source,
            findings: Vec::new(),
        }
    }

    pub(super) fn into_findings(self) -> Vec<Finding> {
        self.findings
    }

    pub(super) fn report(&mut self, span: Span, level: Level, text: impl Into<String>) {
        self.findings.push(Finding {
            line: self.source.position(span.start).line,
            level,
            text: text.into(),
        });
    }

    pub(super) fn error(&mut self, node: &Node<'_>, text: impl Into<String>) {
        self.report(node.span, Level::Error, text);
    }

    pub(super) fn missing(&mut self, around: &Node<'_>, name: &str) {
        self.error(around, format!("{name} is required"));
    }

    /// Returns the members of an object, after a warning for each that is not among `known`.
    pub(super) fn object<'n, 'a>(
        &mut self,
        node: &'n Node<'a>,
        what: &str,
        known: &[&str],
    ) -> Option<&'n [Member<'a>]> {
        let Some(members) = node.members() else {
            self.error(
                node,
                format!("{what} must be an object, not {}", node.describe()),
            );
            return None;
        };
        for member in members {
            if !known.contains(&&*member.key) {
                let text = format!("{what} has no member {:?}, so it is ignored", &*member.key);
                self.report(member.key_span, Level::Warning, text);
            }
        }
        Some(members)
    }

    /// Returns a text, a number or a boolean as it is written.
    pub(super) fn text(&mut self, node: &Node<'_>, what: &str) -> Option<String> {
        match &node.value {
            Value::String(text) | Value::Number(text) | Value::Bool(text) => {
                Some(text.clone().into_owned())
            }
            _ => {
                let is = node.describe();
                self.error(node, format!("{what} must be a text, not {is}"));
                None
            }
        }
    }

    /// Returns the elements of a list, none for `null`.
    pub(super) fn list<'n, 'a>(&mut self, node: &'n Node<'a>, what: &str) -> &'n [Node<'a>] {
        if matches!(node.value, Value::Null) {
            return &[];
        }
        let Some(elements) = node.elements() else {
            let is = node.describe();
            self.error(node, format!("{what} must be a list, not {is}"));
            return &[];
        };
        elements
    }

    /// Returns the commands of a list.
    pub(super) fn commands(
        &mut self,
        node: &Node<'_>,
        what: &str,
        runtime: Option<&Runtime>,
    ) -> Vec<String> {
        let mut commands = Vec::new();
        for element in self.list(node, what) {
            if let Some(command) = self.text(element, &format!("a command of {what}")) {
                self.check_command(element, &command, runtime);
                commands.push(command);
            }
        }
        commands
    }

    /// Warns of a command that the image of the runtime does not have.
    pub(super) fn check_command(
        &mut self,
        node: &Node<'_>,
        command: &str,
        runtime: Option<&Runtime>,
    ) {
        let mut words = command.split(|c: char| !c.is_ascii_alphanumeric());
        let tool = words.find(|word| matches!(*word, "yum" | "dnf" | "microdnf"));
        if let (Some(tool), Some(runtime)) = (tool, runtime.filter(|it| !it.has_yum)) {
            let text = format!(
                "{} has no {tool}: use apt-get there, or choose an image of Amazon Linux with --from",
                runtime.image
            );
            self.report(node.span, Level::Warning, text);
        }
    }

    /// Returns a variable of an image, unless no Dockerfile can have it.
    pub(super) fn variable(
        &mut self,
        node: &Node<'_>,
        name: String,
        value: String,
    ) -> Option<(String, String)> {
        if !is_name(&name) {
            let text = format!("{name:?} is no name of an environment variable");
            self.error(node, text);
            return None;
        }
        if value.contains(['\n', '\r']) {
            let text = format!(
                "the value of {name} has a line break, which ENV cannot have: leave it out here, and set it in the service"
            );
            self.error(node, text);
            return None;
        }
        Some((name, value))
    }

    /// Returns the port, or the default.
    pub(super) fn port(&mut self, node: Option<&Node<'_>>, what: &str) -> String {
        let text = node.and_then(|node| self.text(node, what));
        let Some(text) = text else {
            return PORT.to_owned();
        };
        if !text.parse::<u16>().is_ok_and(|port| port > 0)
            && let Some(node) = node
        {
            self.error(node, format!("{what} must be 1 to 65535, not {text:?}"));
        }
        text
    }
}

/// Whether this can be the name of a variable in a Dockerfile, and nothing else.
pub(super) fn is_name(text: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    !text.is_empty()
        && text.chars().all(is_letter)
        && !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-'))
}

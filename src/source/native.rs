//! `spec.kubernetes`, and the parts of it that Kubernetes defines. Validation checks them against its schema.

use std::borrow::Cow;

use super::{
    kind::Envelope,
    leaf::{integer, number},
    placeholder::{Style, placeholders},
    request::Reader,
    sink::{Sink, Trail},
    tree::{Node, Value},
    walk::Walk,
};
use crate::{crd, diagnostic::Message, fields::Api};

impl Walk<'_> {
    /// Returns a part of a pod with its placeholders filled, and with numbers as JSON has them.
    pub(super) fn of_kubernetes<'a>(&mut self, value: Value<'a>, path: &str) -> Value<'a> {
        match value {
            Value::String(text) => {
                let text = self.fill_in(text, path, "");
                // A program may expand a text with a dollar itself.
                for found in placeholders(&text).filter(|it| it.style != Style::Dollar) {
                    self.sink.keep_placeholder(found);
                }
                Value::String(text)
            }
            Value::Number(text) => plain(text),
            Value::List(elements) => {
                let elements = elements.into_iter().map(|element| Node {
                    value: self.of_kubernetes(element.value, path),
                    ..element
                });
                Value::List(elements.collect())
            }
            Value::Object(members) => {
                let members = members.into_iter().map(|mut member| {
                    let value = member.value.take_value();
                    member.value.value = self.of_kubernetes(value, path);
                    member
                });
                Value::Object(members.collect())
            }
            other => other,
        }
    }
}

impl Reader<'_> {
    /// Reads `spec.kubernetes`, which is specific to this operator.
    pub(super) fn kubernetes(&self, node: Node<'_>, sink: &mut Sink) -> Option<crd::Kubernetes> {
        let mut walk = self.walk(Api::Kubernetes, sink);
        let root = Trail::Root(&self.root);
        let trail = Trail::Field(&root, "kubernetes");
        let node = walk.node(node, Api::Kubernetes.tree(), trail)?;
        Some(self.fit(Some(node), sink))
    }

    /// Reads `spec.kubernetes` of a task definition or a task, which has only `pod`.
    pub(super) fn kubernetes_of_pods(
        &self,
        body: &mut Node<'_>,
        sink: &mut Sink,
    ) -> Option<crd::Kubernetes> {
        if self.entry.form.envelope != Envelope::Resource {
            return None;
        }
        let mut node = body.take("kubernetes")?.value;
        if let Value::Object(members) = &mut node.value {
            let root = Trail::Root(&self.root);
            let trail = Trail::Field(&root, "kubernetes");
            members.retain(|member| {
                let of_services = matches!(&*member.key, "expose" | "forceNewDeployment");
                if of_services {
                    let message = Message::UnknownField {
                        name: member.key.to_string(),
                        advice: "only an EcsService has it".to_owned(),
                    };
                    sink.note(Trail::Key(&trail, &member.key), message);
                }
                !of_services
            });
        }
        self.kubernetes(node, sink)
    }
}

/// Returns a number as JSON writes it. `kubectl` reads `0400` as octal, as most people mean it for the mode of a file.
fn plain(text: Cow<'_, str>) -> Value<'_> {
    if let Some(digits) = text.strip_prefix('0')
        && let Ok(mode) = i64::from_str_radix(digits, 8)
    {
        return Value::Number(mode.to_string().into());
    }
    let trimmed = text.trim();
    match integer(trimmed, &text).or_else(|| number(trimmed, &text)) {
        Some(number) => number.into_value(text),
        None => Value::String(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_kubectl() {
        for (text, expected) in [
            ("0400", "256"),
            ("0o400", "256"),
            ("0x10", "16"),
            ("0", "0"),
            ("-1", "-1"),
            ("+1", "1"),
            ("1e3", "1000"),
            ("1.50", "1.50"),
            ("089", "089"),
        ] {
            assert_eq!(plain(text.into()), Value::Number(expected.into()), "{text}");
        }
    }
}

//! Reads the custom domains of an App Runner service.

use super::{
    request::Reader,
    sink::{Sink, Trail},
    tree::{Member, Node, Value},
};
use crate::{
    crd::CustomDomain,
    diagnostic::Message,
    validate::{NO_HOST, is_host},
};

/// The member of an AppRunnerService that has them.
const CUSTOM_DOMAINS: &str = "CustomDomains";
const NAME: &str = "DomainName";
const WWW: &str = "EnableWWWSubdomain";

impl Reader<'_> {
    /// Takes the custom domains.
    pub(super) fn custom_domains(&self, body: &mut Node<'_>, sink: &mut Sink) -> Vec<CustomDomain> {
        let Some(node) = body.take(CUSTOM_DOMAINS) else {
            return Vec::new();
        };
        let root = Trail::Root(&self.root);
        let trail = Trail::Field(&root, CUSTOM_DOMAINS);
        match &node.value.value {
            Value::Null => Vec::new(),
            Value::List(elements) => {
                let elements = elements.iter().enumerate();
                let domains = elements.filter_map(|(index, element)| {
                    domain(element, Trail::Element(&trail, index), sink)
                });
                domains.collect()
            }
            _ => {
                reject(trail, node.value.describe(), "must be a list", sink);
                Vec::new()
            }
        }
    }
}

fn domain(node: &Node<'_>, trail: Trail<'_>, sink: &mut Sink) -> Option<CustomDomain> {
    let Some(members) = node.members() else {
        reject(
            trail,
            node.describe(),
            "must be an object with DomainName",
            sink,
        );
        return None;
    };
    for member in members {
        if !matches!(&*member.key, NAME | WWW) {
            let message = Message::UnknownField {
                name: member.key.to_string(),
                advice: format!("a domain has {NAME} and {WWW}"),
            };
            sink.note(Trail::Key(&trail, &member.key), message);
        }
    }
    let www = www(members, trail, sink);
    let Some(name) = node.get(NAME).and_then(Node::text) else {
        let name = NAME.to_owned();
        sink.reject(Trail::Field(&trail, NAME), Message::RequiredField { name });
        return None;
    };
    if !is_host(name) {
        reject(Trail::Field(&trail, NAME), name, NO_HOST, sink);
        return None;
    }
    Some(CustomDomain {
        domain_name: name.to_owned(),
        enable_www_subdomain: www,
    })
}

fn www(members: &[Member<'_>], trail: Trail<'_>, sink: &mut Sink) -> Option<bool> {
    let member = members.iter().find(|member| member.key == WWW)?;
    let value = &member.value;
    let read = match &value.value {
        Value::Null => return None,
        Value::Bool(text) => text.parse().ok(),
        _ => None,
    };
    if read.is_none() {
        let text = value.text().unwrap_or_else(|| value.describe());
        reject(
            Trail::Field(&trail, WWW),
            text,
            "must be true or false",
            sink,
        );
    }
    read
}

fn reject(trail: Trail<'_>, value: &str, allowed: &str, sink: &mut Sink) {
    let message = Message::InvalidValue {
        value: value.to_owned(),
        allowed: allowed.to_owned(),
    };
    sink.reject(trail, message);
}

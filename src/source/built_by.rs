//! Reads which object of a builder has the image of an App Runner service from source code.

use super::{
    request::Reader,
    sink::{Sink, Trail},
    tree::{Member, Node, Value},
};
use crate::{
    crd::{self, BuilderKind, BuiltBy},
    diagnostic::Message,
    ecs,
    validate::is_dns_name,
};

/// The member of an AppRunnerService that names the object.
const BUILT_BY: &str = "builtBy";
/// Where the program has its settings if the request does not have them.
const REPOSITORY: &str = "REPOSITORY";

impl Reader<'_> {
    /// Takes the object that builds the image.
    pub(super) fn built_by(&self, body: &mut Node<'_>, sink: &mut Sink) -> Option<BuiltBy> {
        let node = body.take(BUILT_BY)?.value;
        let root = Trail::Root(&self.root);
        let trail = Trail::Field(&root, BUILT_BY);
        let members = match &node.value {
            Value::Null => return None,
            Value::Object(members) => members,
            _ => {
                let message = Message::InvalidValue {
                    value: node.describe().to_owned(),
                    allowed: "must be an object with kind and name".to_owned(),
                };
                sink.reject(trail, message);
                return None;
            }
        };
        for member in members {
            if !matches!(&*member.key, "kind" | "name") {
                let message = Message::UnknownField {
                    name: member.key.to_string(),
                    advice: "builtBy has kind and name".to_owned(),
                };
                sink.note(Trail::Key(&trail, &member.key), message);
            }
        }
        let kind = text(members, "kind", trail, sink).and_then(|text| {
            let kinds = [BuilderKind::Image, BuilderKind::Build];
            let known = kinds.into_iter().find(|kind| kind.name() == text);
            or_reject(known, text, "must be Image or Build", (trail, "kind"), sink)
        });
        let name = text(members, "name", trail, sink).and_then(|text| {
            let is_name = is_dns_name(text);
            let allowed = "must be the name of an object";
            let name = is_name.then(|| text.to_owned());
            or_reject(name, text, allowed, (trail, "name"), sink)
        });
        kind.zip(name).map(|(kind, name)| BuiltBy { kind, name })
    }

    /// Says what of a service from source code counts, and what does not, if a builder makes its image.
    pub(super) fn check_built(
        &self,
        service: &ecs::AppRunnerService,
        mut extensions: crd::AppRunnerExtensions,
        sink: &mut Sink,
    ) -> crd::AppRunnerExtensions {
        let Some(built_by) = &extensions.built_by else {
            return extensions;
        };
        let root = Trail::Root(&self.root);
        let source = service.source_configuration.as_ref();
        let Some(code) = source.and_then(|source| source.code_repository.as_ref()) else {
            let message = Message::InvalidValue {
                value: built_by.name.clone(),
                allowed: "only a service with CodeRepository has it".to_owned(),
            };
            sink.reject(Trail::Field(&root, BUILT_BY), message);
            extensions.built_by = None;
            return extensions;
        };
        let source = Trail::Field(&root, "SourceConfiguration");
        let trail = Trail::Field(&source, "CodeRepository");
        let builder = format!("{} {}", built_by.kind.name(), built_by.name);
        sink.note(trail, Message::BuilderDecidesSource { builder });
        let configuration = code.code_configuration.as_ref();
        let is_given = configuration.is_some_and(|it| {
            it.configuration_source.as_deref() != Some(REPOSITORY)
                && it.code_configuration_values.is_some()
        });
        if !is_given {
            let trail = match configuration {
                Some(_) => Trail::Field(&trail, "CodeConfiguration"),
                None => trail,
            };
            sink.note(trail, Message::AppRunnerFileNotRead);
        }
        extensions
    }
}

fn text<'m>(
    members: &'m [Member<'_>],
    name: &'static str,
    trail: Trail<'_>,
    sink: &mut Sink,
) -> Option<&'m str> {
    let member = members.iter().find(|member| member.key == name);
    let text = member.and_then(|member| member.value.text());
    if text.is_none() {
        let name_of = name.to_owned();
        let message = Message::RequiredField { name: name_of };
        sink.reject(Trail::Field(&trail, name), message);
    }
    text
}

fn or_reject<T>(
    read: Option<T>,
    text: &str,
    allowed: &str,
    (trail, name): (Trail<'_>, &'static str),
    sink: &mut Sink,
) -> Option<T> {
    if read.is_none() {
        let message = Message::InvalidValue {
            value: text.to_owned(),
            allowed: allowed.to_owned(),
        };
        sink.reject(Trail::Field(&trail, name), message);
    }
    read
}

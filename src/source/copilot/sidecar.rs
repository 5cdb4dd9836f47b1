//! The other containers of a task (<https://aws.github.io/copilot-cli/docs/developing/sidecars/>).

use super::{
    super::{
        manifest::{Object, Report, Section, boolean, is_true, text},
        text::Span,
        tree::{Node, Value},
    },
    container::{Shared, credentials_of, dependencies, image_of, texts_of},
    health_check::health_check,
    member::command,
    variables::{self, Part},
};

/// A sidecar before its container is made.
#[derive(Debug)]
pub(super) struct Sidecar<'a> {
    pub(super) name: String,
    pub(super) name_span: Span,
    pub(super) section: Section<'a>,
}

/// Takes the sidecars, in the order of their names, as Copilot has them.
pub(super) fn sidecars<'a>(top: &mut Section<'a>, report: &mut Report<'_>) -> Vec<Sidecar<'a>> {
    let Some(mut map) = top.section("sidecars") else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for member in map.take_all() {
        let path = map.path(&member.key);
        match Section::of(path.clone(), member.value) {
            Ok(section) => found.push(Sidecar {
                name: member.key.to_string(),
                name_span: member.key_span,
                section,
            }),
            Err(node) if matches!(node.value, Value::Null) => {}
            Err(node) => report.unread(node.span, path, "write its image and port as an object"),
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// Returns the container of a sidecar.
pub(super) fn container<'a>(
    shared: &Shared<'_, 'a>,
    sidecar: Sidecar<'a>,
    report: &mut Report<'_>,
) -> Node<'a> {
    let Sidecar {
        name,
        name_span,
        mut section,
    } = sidecar;
    let mut made = Object::new(section.span);
    made.put("name", text(name_span, name.clone()));
    let open = shared.workload.placeholder(&format!("{name}.image"));
    made.put("image", image(&mut section, &open, report));
    let essential = section.take("essential");
    made.maybe(
        "essential",
        essential.map(|node| boolean(node.span, is_true(&node))),
    );
    let credentials = section.text("credentialsParameter");
    made.maybe("repositoryCredentials", credentials.map(credentials_of));
    section.take("port");
    made.elements("portMappings", shared.ports.mappings(&name));
    made.maybe("healthCheck", health_check(&mut section, report));
    made.elements("dependsOn", dependencies(&mut section));
    made.maybe("dockerLabels", section.section("labels").map(texts_of));
    made.maybe("entryPoint", command(&mut section, "entrypoint"));
    made.maybe("command", command(&mut section, "command"));
    variables::add(
        &mut made,
        Part::Other,
        &mut section,
        shared.workload,
        shared.provided,
        report,
    );
    made.elements("mountPoints", mount_points(&mut section, report));
    made.put(
        "logConfiguration",
        shared.logging.of_others(shared.workload),
    );
    section.finish(report);
    made.node()
}

/// Takes an image that is a text, or an object as that of the main container.
fn image<'a>(section: &mut Section<'a>, open: &str, report: &mut Report<'_>) -> Node<'a> {
    if let Some(location) = section.text("image") {
        return location;
    }
    let Some(mut image) = section.section("image") else {
        return report.open(section.span, open);
    };
    let made = image_of(&mut image, open, report);
    image.finish(report);
    made
}

/// Takes the places where a sidecar has the volumes of its task.
fn mount_points<'a>(section: &mut Section<'a>, report: &mut Report<'_>) -> Vec<Node<'a>> {
    let path = section.path("mount_points");
    let elements = section.elements("mount_points").unwrap_or_default();
    let mut made = Vec::new();
    for (index, element) in elements.into_iter().enumerate() {
        let Ok(mut element) = Section::of(format!("{path}[{index}]"), element) else {
            continue;
        };
        let mut point = Object::new(element.span);
        point.maybe("sourceVolume", element.text("source_volume"));
        point.maybe("containerPath", element.text("path"));
        // A mount is read-only unless the manifest says otherwise.
        let read_only = element.take("read_only");
        let read_only = read_only.unwrap_or_else(|| boolean(element.span, true));
        point.put("readOnly", read_only);
        element.finish(report);
        made.push(point.node());
    }
    made
}

//! The main container of a task.

use super::{
    super::{
        manifest::{Object, Report, Section, is_true, text},
        text::Span,
        tree::{Member, Node},
    },
    exposure::Ports,
    health_check::health_check,
    logging::Logging,
    member::command,
    storage::Storage,
    variables::{self, Part, Provided},
    workload::Workload,
};

/// What all containers of a task share.
#[derive(Debug)]
pub(super) struct Shared<'s, 'a> {
    pub(super) workload: &'s Workload<'a>,
    pub(super) provided: &'s Provided,
    pub(super) logging: &'s Logging<'a>,
    pub(super) ports: &'s Ports,
}

/// Returns the main container.
pub(super) fn main_container<'a>(
    shared: &Shared<'_, 'a>,
    top: &mut Section<'a>,
    storage: &mut Storage<'a>,
    report: &mut Report<'_>,
) -> Node<'a> {
    let workload = shared.workload;
    let span = workload.span();
    let mut made = Object::new(span);
    made.put("name", workload.name_node.clone());
    let mut image = top.section("image").unwrap_or_else(|| Section::empty(span));
    let open = workload.placeholder("image");
    made.put("image", image_of(&mut image, &open, report));
    let credentials = image.text("credentials");
    made.maybe("repositoryCredentials", credentials.map(credentials_of));
    image.take("port");
    made.elements("portMappings", shared.ports.mappings(&workload.name));
    made.maybe("healthCheck", health_check(&mut image, report));
    made.elements("dependsOn", dependencies(&mut image));
    made.maybe("dockerLabels", image.section("labels").map(texts_of));
    image.finish(report);
    made.maybe("entryPoint", command(top, "entrypoint"));
    made.maybe("command", command(top, "command"));
    let provided = shared.provided;
    variables::add(&mut made, Part::Main, top, workload, provided, report);
    made.elements("mountPoints", std::mem::take(&mut storage.mount_points));
    if storage.read_only.as_ref().is_some_and(is_true) {
        made.maybe("readonlyRootFilesystem", storage.read_only.take());
    }
    made.put("logConfiguration", shared.logging.of_main(workload));
    made.node()
}

/// Returns an image: its location, or a placeholder for one that is built.
pub(super) fn image_of<'a>(
    image: &mut Section<'a>,
    open: &str,
    report: &mut Report<'_>,
) -> Node<'a> {
    let location = image.text("location");
    let build = image.take("build");
    let span = build.map_or(image.span, |build| build.span);
    location.unwrap_or_else(|| report.open(span, open))
}

/// Returns the credentials of a registry.
pub(super) fn credentials_of(arn: Node<'_>) -> Node<'_> {
    let mut made = Object::new(arn.span);
    made.put("credentialsParameter", arn);
    made.node()
}

/// Takes the containers that must be in a state before one starts, such as `{nginx: start}`.
pub(super) fn dependencies<'a>(section: &mut Section<'a>) -> Vec<Node<'a>> {
    let map = section.section("depends_on");
    let members = map.map(|mut map| map.take_all()).unwrap_or_default();
    let one = |member: Member<'a>| {
        let condition = member.value.scalar().unwrap_or_default();
        let condition = text(member.value.span, condition.to_ascii_uppercase());
        let mut made = Object::new(member.value.span);
        made.put("containerName", text(member.key_span, member.key));
        made.put("condition", condition);
        made.node()
    };
    members.into_iter().map(one).collect()
}

/// Returns a map as one of texts.
pub(super) fn texts_of(mut map: Section<'_>) -> Node<'_> {
    let mut made = Object::new(map.span);
    for member in map.take_all() {
        let value = super::super::manifest::plain_text(&member.value);
        made.put(member.key, value.unwrap_or(member.value));
    }
    made.node()
}

/// Returns a name at a place.
pub(super) fn name_at<'a>(span: Span, name: &str) -> Node<'a> {
    text(span, name.to_owned())
}

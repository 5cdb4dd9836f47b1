//! The volumes of a task (<https://aws.github.io/copilot-cli/docs/developing/storage/>).

use super::{
    super::{
        manifest::{Object, Report, Section, boolean, is_true, text},
        text::Span,
        tree::{Node, Value},
    },
    member::export,
    workload::Workload,
};

/// The disk that every task of Fargate has, in GiB: AWS takes only larger sizes as a setting.
const LEAST_DISK: &str = "20";

/// What `storage` says.
#[derive(Debug, Default)]
pub(super) struct Storage<'a> {
    pub(super) ephemeral: Option<Node<'a>>,
    pub(super) read_only: Option<Node<'a>>,
    pub(super) volumes: Vec<Node<'a>>,
    /// Where the main container has the volumes.
    pub(super) mount_points: Vec<Node<'a>>,
}

/// Takes the storage of a task.
pub(super) fn storage<'a>(
    workload: &Workload<'a>,
    top: &mut Section<'a>,
    report: &mut Report<'_>,
) -> Storage<'a> {
    let mut made = Storage::default();
    let Some(mut section) = top.section("storage") else {
        return made;
    };
    if let Some(size) = section.take("ephemeral")
        && size.scalar() != Some(LEAST_DISK)
    {
        let mut disk = Object::new(size.span);
        disk.put("sizeInGiB", size);
        made.ephemeral = Some(disk.node());
    }
    made.read_only = section.take("readonly_fs");
    if let Some(mut volumes) = section.section("volumes") {
        for member in volumes.take_all() {
            let path = volumes.path(&member.key);
            let Ok(volume) = Section::of(path, member.value) else {
                continue;
            };
            let name = text(member.key_span, member.key);
            add(workload, name, volume, &mut made, report);
        }
    }
    section.finish(report);
    made
}

fn add<'a>(
    workload: &Workload<'a>,
    name: Node<'a>,
    mut volume: Section<'a>,
    made: &mut Storage<'a>,
    report: &mut Report<'_>,
) {
    let span = volume.span;
    if let Some(path) = volume.text("path") {
        let mut point = Object::new(span);
        point.put("sourceVolume", name.clone());
        point.put("containerPath", path);
        // A mount is read-only unless the manifest says otherwise.
        let read_only = volume.take("read_only");
        point.put("readOnly", read_only.unwrap_or_else(|| boolean(span, true)));
        made.mount_points.push(point.node());
    }
    let mut one = Object::new(span);
    one.put("name", name);
    if let Some(efs) = volume.take("efs") {
        one.maybe(
            "efsVolumeConfiguration",
            file_system(workload, &volume, efs, report),
        );
    }
    made.volumes.push(one.node());
    volume.finish(report);
}

/// Returns the file system of a volume. One that Copilot makes is not known; it has an access point for each service.
fn file_system<'a>(
    workload: &Workload<'a>,
    volume: &Section<'a>,
    efs: Node<'a>,
    report: &mut Report<'_>,
) -> Option<Node<'a>> {
    let span = efs.span;
    let is_managed = match &efs.value {
        Value::Object(_) => efs.get("id").is_none(),
        _ => is_true(&efs),
    };
    if is_managed {
        let id = report.open(span, &workload.placeholder("FileSystem"));
        let point = report.open(span, &workload.placeholder("AccessPoint"));
        if let Ok(mut rest) = Section::of(volume.path("efs"), efs) {
            let why = "the access point that Copilot made has them already";
            rest.unused(&["uid", "gid"], why, report);
            rest.finish(report);
        }
        let authorization = authorization(span, true, Some(point));
        return Some(configuration(id, text(span, "/"), authorization));
    }
    let mut efs = Section::of(volume.path("efs"), efs).ok()?;
    let id = efs.take("id")?;
    let id = export(&id, report).unwrap_or(id);
    let root = efs.text("root_dir");
    let auth = efs.section("auth");
    let authorization = auth.map(|mut auth| {
        // Copilot's documentation says that this is true by default, and what it deploys has it disabled.
        let iam = auth.take("iam").is_some_and(|node| is_true(&node));
        let made = authorization(span, iam, auth.text("access_point_id"));
        auth.finish(report);
        made
    });
    efs.finish(report);
    let root = root.unwrap_or_else(|| text(span, "/"));
    let none = || authorization_off(span);
    Some(configuration(id, root, authorization.unwrap_or_else(none)))
}

fn configuration<'a>(id: Node<'a>, root: Node<'a>, authorization: Node<'a>) -> Node<'a> {
    let span = id.span;
    let mut made = Object::new(span);
    made.put("fileSystemId", id);
    made.put("rootDirectory", root);
    made.put("transitEncryption", text(span, "ENABLED"));
    made.put("authorizationConfig", authorization);
    made.node()
}

fn authorization(span: Span, iam: bool, access_point: Option<Node<'_>>) -> Node<'_> {
    let mut made = Object::new(span);
    made.maybe("accessPointId", access_point);
    let iam = if iam { "ENABLED" } else { "DISABLED" };
    made.put("iam", text(span, iam));
    made.node()
}

fn authorization_off<'a>(span: Span) -> Node<'a> {
    authorization(span, false, None)
}

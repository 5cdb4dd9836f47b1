//! Secrets and configs, which are files of a container (<https://github.com/compose-spec/compose-spec/blob/main/09-secrets.md>).
//!
//! Secrets of ECS are environment variables. A Secret of Kubernetes can be a file, as Compose has it.

use super::super::{
    manifest::{Object, Report, Section, boolean, list, text},
    text::Span,
    tree::Node,
};

/// What a kind of file is in Kubernetes.
struct Kind {
    key: &'static str,
    /// The member of a volume, and what names the object in it.
    volume: (&'static str, &'static str),
    folder: &'static str,
    advice: &'static str,
}

const KINDS: &[Kind] = &[
    Kind {
        key: "secrets",
        volume: ("secret", "secretName"),
        folder: "/run/secrets/",
        advice: "create a Secret of the same name with a key of the same name: kubectl create secret generic NAME --from-file=NAME=FILE",
    },
    Kind {
        key: "configs",
        volume: ("configMap", "name"),
        folder: "/",
        advice: "create a ConfigMap of the same name with a key of the same name: kubectl create configmap NAME --from-file=NAME=FILE",
    },
];

/// Takes the files of a service, and adds them to `spec.kubernetes.pod` of an `EcsService`.
pub(super) fn add_file_mounts<'a>(
    pod: &mut Object<'a>,
    container: &Node<'a>,
    section: &mut Section<'a>,
    report: &mut Report<'_>,
) -> Option<()> {
    let mut volumes = Vec::new();
    let mut mounts = Vec::new();
    for kind in KINDS {
        let path = section.path(kind.key);
        for element in section.elements(kind.key).unwrap_or_default() {
            let span = element.span;
            let (source, target) = match Section::of(path.clone(), element) {
                Ok(mut long) => {
                    let names = (long.text("source"), long.text("target"));
                    let advice = "the file belongs to root, and every user can read it";
                    long.unread(&["uid", "gid", "mode"], advice, report);
                    long.finish(report);
                    names
                }
                Err(short) => (Some(short), None),
            };
            let Some(source) = source.as_ref().and_then(Node::scalar) else {
                continue;
            };
            let target = target.as_ref().and_then(Node::scalar).unwrap_or(source);
            report.unread(span, format!("{path}.{source}"), kind.advice);
            add(kind, source, target, span, &mut volumes, &mut mounts);
        }
    }
    let span = mounts.first()?.span;
    let mut one = Object::new(span);
    one.put("name", container.clone());
    one.put("volumeMounts", list(span, mounts));
    pod.put("volumes", list(span, volumes));
    pod.put("containers", list(span, vec![one.node()]));
    Some(())
}

fn add<'a>(
    kind: &Kind,
    source: &str,
    target: &str,
    span: Span,
    volumes: &mut Vec<Node<'a>>,
    mounts: &mut Vec<Node<'a>>,
) {
    let object = object_name(source);
    let (member, name) = kind.volume;
    let volume = format!("{member}-{object}").to_ascii_lowercase();
    let mut of = Object::new(span);
    of.put(name, text(span, object));
    let mut made = Object::new(span);
    made.put("name", text(span, volume.clone()));
    made.put(member, of.node());
    volumes.push(made.node());
    let path = if target.starts_with('/') {
        target.to_owned()
    } else {
        format!("{}{target}", kind.folder)
    };
    let mut mount = Object::new(span);
    mount.put("name", text(span, volume));
    mount.put("mountPath", text(span, path));
    mount.put("subPath", text(span, source.to_owned()));
    mount.put("readOnly", boolean(span, true));
    mounts.push(mount.node());
}

/// Returns a name that an object of Kubernetes may have.
fn object_name(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    name.replace(|c: char| !c.is_ascii_alphanumeric(), "-")
        .trim_matches('-')
        .to_owned()
}

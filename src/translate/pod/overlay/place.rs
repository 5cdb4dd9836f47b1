//! Where an overlay gives something of the pod.

use serde_json::Value;

use super::strategic::keys_of;
use crate::{
    diagnostic::FieldPath,
    translate::{LABEL_LENGTH, kname},
    validate::PodOverlay,
};

/// Something of a pod template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thing<'t> {
    /// A member of `metadata`, such as `labels`, and its key.
    Metadata(&'t str, &'t str),
    /// A member of the PodSpec.
    Spec(&'t str),
    /// A label of nodes.
    NodeSelector(&'t str),
    /// A volume by its name.
    Volume(&'t str),
    /// A container and a member of it.
    Container(&'t str, &'t str),
    /// A container and the path of a mount.
    Mount(&'t str, &'t str),
    /// A container and `preStop` of its lifecycle.
    PreStop(&'t str),
}

/// Returns the path in the members of an overlay beside its patch.
pub(super) fn typed(overlay: &PodOverlay, thing: Thing<'_>) -> FieldPath {
    let path = &overlay.path;
    let member = |container: &str, member: &str| {
        let mut containers = overlay.containers.iter();
        let found = containers.find(|it| it.name == container);
        let path = path.field("containers");
        found.map_or_else(
            || path.clone(),
            |found| path.index(found.index).field(member.to_owned()),
        )
    };
    match thing {
        Thing::Metadata(map, key) => path.field(map.to_owned()).field(key.to_owned()),
        Thing::Spec(name) => path.field(name.to_owned()),
        Thing::NodeSelector(key) => path.field("nodeSelector").field(key.to_owned()),
        Thing::Volume(name) => {
            let index = overlay.volumes.iter().position(|it| it.name == name);
            let path = path.field("volumes");
            index.map_or_else(|| path.clone(), |index| path.index(index).field("name"))
        }
        Thing::Container(container, name) => member(container, name),
        Thing::Mount(container, at) => {
            let path = member(container, "volumeMounts");
            let containers = overlay.containers.iter();
            let mounts = containers.filter(|it| it.name == container);
            let mut mounts = mounts.flat_map(|it| it.volume_mounts.iter().enumerate());
            let plain = |path: &str| path.trim_end_matches('/').to_owned();
            let found = mounts.find(|(_, mount)| plain(&mount.mount_path) == plain(at));
            found.map_or_else(|| path.clone(), |(index, _)| path.index(index))
        }
        Thing::PreStop(container) => member(container, "lifecycle").field("preStop"),
    }
}

/// Returns the path in the patch of an overlay, as far as the patch has it.
pub(super) fn patched(overlay: &PodOverlay, thing: Thing<'_>) -> FieldPath {
    let lists = ["containers", "initContainers"];
    let of_container = |rest: &[&str], name: &str| {
        let both = lists.map(|list| {
            let steps = [&["spec", list, name], rest].concat();
            walk(overlay, &steps)
        });
        let [a, b] = both;
        if b.segments().len() > a.segments().len() {
            b
        } else {
            a
        }
    };
    match thing {
        Thing::Metadata(map, key) => walk(overlay, &["metadata", map, key]),
        Thing::Spec(name) => walk(overlay, &["spec", name]),
        Thing::NodeSelector(key) => walk(overlay, &["spec", "nodeSelector", key]),
        Thing::Volume(name) => walk(overlay, &["spec", "volumes", name]),
        Thing::Container(container, member) => of_container(&[member], container),
        Thing::Mount(container, at) => of_container(&["volumeMounts", at], container),
        Thing::PreStop(container) => of_container(&["lifecycle", "preStop"], container),
    }
}

/// Follows names of members and keys of elements.
fn walk(overlay: &PodOverlay, steps: &[&str]) -> FieldPath {
    let mut path = overlay.path.field("patch");
    let mut value = overlay.patch.as_ref().unwrap_or(&Value::Null);
    let mut list = "";
    for step in steps {
        match value {
            Value::Object(members) => {
                let Some(member) = members.get(*step) else {
                    return path;
                };
                path = path.field((*step).to_owned());
                value = member;
            }
            Value::Array(elements) => {
                let Some(key) = keys_of(list).and_then(|keys| keys.first()) else {
                    return path;
                };
                let is_it = |element: &Value| {
                    let name = element.get(key).and_then(Value::as_str);
                    name.is_some_and(|name| name == *step || kname(name, LABEL_LENGTH) == *step)
                };
                let mut elements = elements.iter().enumerate();
                let Some((index, element)) = elements.find(|(_, element)| is_it(element)) else {
                    return path;
                };
                path = path.index(index);
                value = element;
            }
            _ => return path,
        }
        list = step;
    }
    path
}

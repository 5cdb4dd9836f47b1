//! Image, command and arguments of each container.

use k8s_openapi::api::core::v1::{Container, PodSpec};

use super::{Draft, Plan};
use crate::{
    diagnostic::Diagnostics,
    translate::{Context, LABEL_LENGTH, Manifests, escape_dollars, kname},
    validate,
};

/// The pod with its containers in their places, each with what concerns no other file.
pub(super) fn draft(cx: &Context<'_>, plan: Plan, _notes: &mut Diagnostics) -> Draft {
    let containers = |indexes: &[usize]| -> Vec<Container> {
        indexes
            .iter()
            .filter_map(|index| cx.task_definition.containers.get(*index))
            .map(container)
            .collect()
    };
    let init = containers(&plan.init);
    let spec = PodSpec {
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        init_containers: (!init.is_empty()).then_some(init),
        containers: containers(&plan.main),
        restart_policy: cx.is_task().then(|| "Never".to_owned()),
        ..PodSpec::default()
    };
    Draft {
        annotations: std::collections::BTreeMap::new(),
        spec,
        plan,
        objects: Manifests::default(),
    }
}

fn container(container: &validate::Container) -> Container {
    let escaped = |words: &[String]| -> Option<Vec<String>> {
        (!words.is_empty()).then(|| {
            words
                .iter()
                .map(|word| escape_dollars(word).into_owned())
                .collect()
        })
    };
    Container {
        name: kname(&container.name, LABEL_LENGTH),
        image: Some(container.image.clone()),
        command: escaped(&container.process.entry_point),
        args: escaped(&container.process.command),
        ..Container::default()
    }
}

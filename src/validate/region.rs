//! The AWS region of resources that are specified by name.

use super::{Scope, arn::has_placeholder, secret_reference::ParsedReference};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
    settings::{Mode, Settings},
};

/// A region, and how it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// Its name, for instance `eu-west-1`.
    pub name: String,
    /// How it is known.
    pub certainty: Certainty,
}

/// How a region is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// An ARN or the settings have it.
    Given,
    /// It is that of the rest of the task definition.
    Assumed,
    /// It is not known, and a placeholder stands for it. Only offline.
    Unknown,
}

impl Region {
    pub(super) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            certainty: Certainty::Given,
        }
    }

    /// What stands for the region as long as it is not known.
    pub(crate) fn unknown() -> Self {
        Self {
            name: "<AWS_REGION>".to_owned(),
            certainty: Certainty::Unknown,
        }
    }

    /// Returns the warning for a region that is not certain.
    pub(crate) fn doubt(&self) -> Option<Message> {
        match self.certainty {
            Certainty::Given => None,
            Certainty::Assumed => Some(Message::RegionAssumed {
                region: self.name.clone(),
            }),
            Certainty::Unknown => Some(Message::RegionUnknown),
        }
    }
}

/// Returns the region that a task runs in: that of the settings, or else the only one in the task definition.
pub(super) fn region_of_task(scope: &Scope<'_>) -> Option<Region> {
    let known = scope.settings.aws_region.as_deref().map(Region::named);
    known.or_else(|| {
        let name = only_region(scope.request)?.to_owned();
        Some(Region {
            name,
            certainty: Certainty::Assumed,
        })
    })
}

/// Returns the region of a resource that is specified by name, which is that of the task. Where the operator would need
/// it, `convert` writes a placeholder, and the translation reports that.
pub(super) fn default_region(
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<Region> {
    let region = region_of_task(scope);
    if region.is_none() && may_be_unknown(scope.settings) {
        return Some(Region::unknown());
    }
    if region.is_none() {
        sink.report_once(path.clone(), Message::RegionRequired);
    }
    region
}

/// Whether a placeholder may stand for a region: what a cluster is given is not filled any more.
pub(super) fn may_be_unknown(settings: &Settings) -> bool {
    !settings.in_cluster && settings.mode == Mode::Convert
}

/// Returns the region of the logs, or else that of the secrets with an ARN, if they agree; a placeholder only if no
/// region is written out. Images are not considered: they are often in another region.
fn only_region(request: &ecs::TaskDefinition) -> Option<&str> {
    let containers = &request.container_definitions;
    let logs: Vec<&str> = containers.iter().filter_map(region_of_logs).collect();
    let secrets: Vec<&str> = containers.iter().flat_map(regions_of_secrets).collect();
    for open in [false, true] {
        for regions in [&logs, &secrets] {
            let mut named = regions
                .iter()
                .filter(|region| has_placeholder(region) == open);
            if let Some(first) = named.next() {
                return named.all(|region| region == first).then_some(first);
            }
        }
    }
    None
}

fn region_of_logs(container: &ecs::ContainerDefinition) -> Option<&str> {
    let log = container.log_configuration.as_ref()?;
    let region = log.options.get("awslogs-region")?.as_str();
    (log.log_driver.as_deref() == Some("awslogs") && !region.is_empty()).then_some(region)
}

fn regions_of_secrets(container: &ecs::ContainerDefinition) -> impl Iterator<Item = &str> {
    let log = container.log_configuration.as_ref();
    let options = log.map_or(&[][..], |log| &log.secret_options);
    container
        .secrets
        .iter()
        .chain(options)
        .filter_map(|secret| {
            ParsedReference::parse(secret.value_from.as_deref()?)
                .ok()?
                .region
        })
}

//! The AWS region of what is given by a name.

use super::{
    Scope,
    arn::has_placeholder,
    secret::{ParsedReference, report_once},
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
};

/// A region, and how it is known.
pub(super) struct Region {
    pub(super) name: String,
    /// Whether it is only what the rest of the task definition names.
    pub(super) assumed: bool,
}

impl Region {
    pub(super) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            assumed: false,
        }
    }
}

/// The region of what is given by a name: that of the settings, else the only one that the task definition names.
pub(super) fn default_region(
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<Region> {
    let known = scope.settings.aws_region.as_deref().map(Region::named);
    let region = known.or_else(|| {
        let name = only_region(scope.request)?.to_owned();
        Some(Region {
            name,
            assumed: true,
        })
    });
    if region.is_none() {
        report_once(path, Message::RegionRequired, sink);
    }
    region
}

/// The region that the secrets with an ARN and the logs are in; a placeholder only if nothing else is named. Images say
/// nothing: they often come from elsewhere.
fn only_region(request: &ecs::TaskDefinition) -> Option<&str> {
    let named = || request.container_definitions.iter().flat_map(regions);
    let plain = |region: &&str| !has_placeholder(region);
    let first = named().find(plain).or_else(|| named().next())?;
    let mut judged = named().filter(|region| plain(region) || !plain(&first));
    judged.all(|region| region == first).then_some(first)
}

fn regions(container: &ecs::ContainerDefinition) -> impl Iterator<Item = &str> {
    let log = container.log_configuration.as_ref();
    let logs = log
        .filter(|log| log.log_driver.as_deref() == Some("awslogs"))
        .and_then(|log| log.options.get("awslogs-region"));
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
        .chain(logs.map(String::as_str))
        .filter(|region| !region.is_empty())
}

//! Reads the spec of a custom resource like a separate document, so that both are checked in the same way.

use super::{
    entry::{CONFIGURATION, Entry},
    kind::{Envelope, Form, Kind},
    link::{DEFAULT_CONFIGURATION, revision_name},
    reference::Reference,
    request::{Reader, Request},
    syntax::parse_one,
    text::Span,
    tree::{Node, Value},
    values::Values,
};
use crate::{
    crd,
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
};

/// Reads the spec of the EcsTaskDefinition of this name as JSON text. Invalid values are reported and left out.
#[must_use]
pub fn read_task_definition(
    name: &str,
    spec: &str,
) -> (
    ecs::TaskDefinition,
    crd::TaskDefinitionExtensions,
    Diagnostics,
) {
    let read = read(Kind::TaskDefinition, Some(name), spec, |reader, node| {
        reader.task_definition(node)
    });
    let ((request, diagnostics), extensions) = read;
    (request, extensions, diagnostics)
}

/// Reads the spec of the EcsService of this name as JSON text. Invalid values are reported and left out.
#[must_use]
pub fn read_service(name: &str, spec: &str) -> (ecs::Service, crd::ServiceExtensions, Diagnostics) {
    let read = read(Kind::Service, Some(name), spec, |reader, node| {
        reader.service(node, None)
    });
    let ((request, diagnostics), extensions) = read;
    (request, extensions, diagnostics)
}

/// Reads the spec of an EcsTask as JSON text. Invalid values are reported and left out.
#[must_use]
pub fn read_task(spec: &str) -> (ecs::Task, crd::TaskExtensions, Diagnostics) {
    let ((request, diagnostics), extensions) =
        read(Kind::Task, None, spec, |reader, node| reader.task(node));
    (request, extensions, diagnostics)
}

/// Reads the spec of an EcsCluster as JSON text. Invalid values are reported and left out.
#[must_use]
pub fn read_cluster(spec: &str) -> (ecs::Cluster, Diagnostics) {
    read(Kind::Cluster, None, spec, |reader, node| {
        (reader.cluster(node), ())
    })
    .0
}

/// Reads the spec of the EcsCapacityProvider of this name as JSON text. Invalid values are reported and left out.
#[must_use]
pub fn read_capacity_provider(name: &str, spec: &str) -> (ecs::CapacityProvider, Diagnostics) {
    read(Kind::CapacityProvider, Some(name), spec, |reader, node| {
        (reader.capacity_provider(node), ())
    })
    .0
}

/// Reads the spec of the EcsSchedule of this name as JSON text, with the overrides of its tasks and what AWS does not
/// have. Invalid values are reported and left out.
#[must_use]
pub fn read_schedule(
    name: &str,
    spec: &str,
) -> (
    ecs::Schedule,
    Option<ecs::TaskOverride>,
    crd::ScheduleExtensions,
    Diagnostics,
) {
    let read = read(Kind::Schedule, Some(name), spec, |reader, node| {
        reader.schedule(node)
    });
    let ((request, diagnostics), also) = read;
    (request, also.overrides, also.extensions, diagnostics)
}

/// Reads the spec of the EcsPipe of this name as JSON text, with what AWS does not have. Invalid values are reported and
/// left out.
#[must_use]
pub fn read_pipe(name: &str, spec: &str) -> (ecs::Pipe, crd::PipeExtensions, Diagnostics) {
    let read = read(Kind::Pipe, Some(name), spec, |reader, node| {
        reader.pipe(node)
    });
    let ((request, diagnostics), extensions) = read;
    (request, extensions, diagnostics)
}

/// Reads the spec of the EcsRule of this name as JSON text, with what AWS does not have. What is wrong with any of its
/// targets is reported; invalid values are left out.
#[must_use]
pub fn read_rule(name: &str, spec: &str) -> (ecs::Rule, crd::RuleExtensions, Diagnostics) {
    let read = read(Kind::Rule, Some(name), spec, |reader, node| {
        reader.rule_with_targets(node)
    });
    let ((request, diagnostics), extensions) = read;
    (request, extensions, diagnostics)
}

/// Reads the spec of the AppRunnerService of this name as JSON text, with what AWS does not have. Invalid values are
/// reported and left out; so is a reference to an auto scaling configuration that is not known here.
#[must_use]
pub fn read_app_runner_service(
    name: &str,
    spec: &str,
) -> (ecs::AppRunnerService, crd::AppRunnerExtensions, Diagnostics) {
    let read = read(Kind::AppRunnerService, Some(name), spec, |reader, node| {
        reader.app_runner_service(node, false)
    });
    let ((request, mut diagnostics), extensions) = read;
    let reference = request.auto_scaling_configuration_arn.as_deref();
    if let Some(text) = reference.filter(|_| extensions.auto_scaling_configuration.is_none()) {
        let value = match Reference::of_auto_scaling_configuration(text) {
            Some(known) if &*known.family == DEFAULT_CONFIGURATION => None,
            Some(other) => Some(revision_name(&other.family, other.revision)),
            None => Some(text.to_owned()),
        };
        if let Some(value) = value {
            let path = FieldPath::root(Kind::AppRunnerService.subject()).field(CONFIGURATION);
            diagnostics.report(path, Message::AutoScalingConfigurationUnknown { value });
        }
    }
    (request, extensions, diagnostics)
}

fn read<T: Default, E>(
    kind: Kind,
    name: Option<&str>,
    spec: &str,
    request: impl FnOnce(&Reader<'_>, Node<'_>) -> (Request<T>, E),
) -> ((T, Diagnostics), E) {
    let form = Form::new(kind, &("a custom resource", "it is one")).within(Envelope::Resource);
    let entry = Entry::alone(Span::new(0, spec.len()), form, name);
    let values = Values::default();
    let reader = Reader {
        entry: &entry,
        fill: &values.fill,
        images: &values.images,
        root: FieldPath::root(kind.subject()),
    };
    let text = format!("{{\"spec\":{spec}}}");
    let parsed = parse_one("spec.json", &text).ok().flatten();
    // The text was serialized from a tree, so it can be parsed; if it could not, all members would be missing.
    let node = parsed.unwrap_or_else(|| Node {
        value: Value::Null,
        span: Span::new(0, 0),
    });
    let (request, extensions) = request(&reader, node);
    ((request.body, request.diagnostics), extensions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(diagnostics: &Diagnostics) -> Vec<String> {
        let said = diagnostics
            .iter()
            .map(|finding| format!("{}: {}", finding.path, finding.reason()));
        said.collect()
    }

    #[test]
    fn a_spec_is_judged_like_a_file() {
        let spec = r#"{"containerDefinitions":[{"name":"a","image":"","cpus":1,"memory":"64"}]}"#;
        let (request, _, diagnostics) = read_task_definition("web", spec);
        assert_eq!(
            said(&diagnostics),
            [
                "containerDefinitions[0].cpus: UnknownField",
                "containerDefinitions[0].image: ImageRequired"
            ]
        );
        assert_eq!(request.container_definitions[0].memory, Some(64));
    }

    #[test]
    fn what_we_add_is_read_too() {
        let spec = r#"{"taskDefinition":"web","autoScaling":{"scalableTarget":{"MaxCapacity":3}},"kubernetes":{"expose":{"type":"alb","containerName":"a","containerPort":80}}}"#;
        let (request, extensions, diagnostics) = read_service("web", spec);
        assert_eq!(said(&diagnostics), [""; 0]);
        assert_eq!(request.task_definition.as_deref(), Some("web"));
        let target = extensions
            .auto_scaling
            .and_then(|scaling| scaling.scalable_target);
        assert_eq!(target.and_then(|target| target.max_capacity), Some(3));
        assert!(extensions.kubernetes.is_some());
        let (_, extensions, diagnostics) =
            read_task(r#"{"taskDefinition":"job","ttlSecondsAfterFinished":60}"#);
        assert_eq!(said(&diagnostics), [""; 0]);
        assert_eq!(extensions.ttl_seconds_after_finished, Some(60));
    }

    #[test]
    fn an_auto_scaling_configuration_is_in_the_spec_or_the_one_that_each_account_has() {
        let arn = |name: &str| format!("arn:aws:apprunner:eu-west-1:111122223333:{name}");
        let reference = |name: &str| format!(r#""AutoScalingConfigurationArn":"{}""#, arn(name));
        let other = reference("autoscalingconfiguration/shop/2");
        let own = r#""AutoScalingConfiguration":{"MaxSize":3}"#;
        for (members, unknown) in [
            (String::new(), None),
            (
                reference("autoscalingconfiguration/DefaultConfiguration/1/0000"),
                None,
            ),
            (other.clone(), Some("shop:2")),
            (format!("{other},{own}"), None),
            (own.to_owned(), None),
            (
                r#""AutoScalingConfigurationArn":"shop""#.to_owned(),
                Some("shop"),
            ),
        ] {
            let members = members.trim_end_matches(',');
            let (_, extensions, diagnostics) =
                read_app_runner_service("hello", &format!("{{{members}}}"));
            let found = diagnostics
                .iter()
                .find_map(|finding| match &finding.message {
                    Message::AutoScalingConfigurationUnknown { value } => Some(value.as_str()),
                    _ => None,
                });
            assert_eq!(found, unknown, "{members}");
            let own = extensions.auto_scaling_configuration;
            let most = own.and_then(|it| it.max_size);
            assert_eq!(most.is_some(), members.contains("MaxSize"), "{members}");
        }
    }

    #[test]
    fn a_cluster_is_read_and_what_means_nothing_is_noted() {
        let spec = r#"{"clusterName":"shop","tags":[{"key":"a","value":"b"}],"serviceConnectDefaults":{"namespace":"internal"},"defaultCapacityProviderStrategy":[{"capacityProvider":"spot","weight":1001}]}"#;
        let (request, diagnostics) = read_cluster(spec);
        assert_eq!(
            said(&diagnostics),
            [
                "clusterName: ClusterIsNamespace",
                "tags: ClusterTagsIgnored",
                "defaultCapacityProviderStrategy[0].weight: InvalidValue",
            ]
        );
        let namespace = request
            .service_connect_defaults
            .and_then(|defaults| defaults.namespace);
        assert_eq!(namespace.as_deref(), Some("internal"));
    }

    #[test]
    fn a_text_that_is_no_json_is_no_panic() {
        let (_, _, diagnostics) = read_task_definition("web", "{");
        assert!(diagnostics.has_errors());
    }
}

//! What is said about a spec that uses more than it may.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Kind, List, Rules, Use, origin};
use crate::{
    diagnostic::{FieldPath, Subject},
    names::ANNOTATION_PREFIX,
};

/// The specs that objects were made from.
#[derive(Clone, Copy, Debug)]
pub struct Specs<'a> {
    /// That of the service or task.
    pub own: &'a Value,
    /// What `own` is.
    pub subject: Subject,
    /// That of its task definition.
    pub task_definition: &'a Value,
}

/// Returns a line about each thing that is used in a namespace and not allowed there: where the spec says it, what it
/// is, and which line of a policy would allow it. Empty if everything is allowed.
#[must_use]
pub fn refusals(
    rules: &Rules,
    namespace: &str,
    uses: &BTreeSet<Use>,
    specs: Specs<'_>,
) -> Vec<String> {
    let refused: Vec<&Use> = uses.iter().filter(|used| !rules.allow(used)).collect();
    let mut lines: Vec<String> = Vec::new();
    for used in &refused {
        let (noun, value) = (used.kind.noun(), &used.value);
        let line = line_of_policy(used);
        let help = match used.kind.list() {
            List::Allow if used.kind == Kind::Setting => format!(
                "the same value in the settings of the operator, or an EcsPolicy with {line}, would allow it"
            ),
            List::Allow => format!("an EcsPolicy with {line} would allow it"),
            List::LimitTo => format!(
                "{} limits {}: {line} would allow it",
                policies(rules, used.kind),
                used.kind.member()
            ),
        };
        let place = place(used, specs);
        lines.push(format!(
            "{place}: {noun} {value} is not allowed in the namespace {namespace} ({help})"
        ));
    }
    let lacks = refused.iter().any(|used| used.kind.list() == List::Allow);
    if lacks && rules.is_empty() {
        lines.push(format!(
            "no EcsPolicy selects the namespace {namespace}: ask an administrator for one, or for settings.tenancy=single in the chart of the operator if one team has the whole cluster"
        ));
    }
    lines
}

/// Returns the line of a policy that allows a thing.
fn line_of_policy(used: &Use) -> String {
    let (list, member) = (used.kind.list().member(), used.kind.member());
    format!("spec.{list}.{member}: [{:?}]", used.value)
}

fn policies(rules: &Rules, kind: Kind) -> String {
    format!("the EcsPolicy {}", rules.with(kind).join(" and "))
}

/// Returns where a spec says it, as other errors do.
fn place(used: &Use, specs: Specs<'_>) -> String {
    if used.kind == Kind::Setting {
        let annotations = FieldPath::root(specs.subject).field("metadata");
        let name = format!("{ANNOTATION_PREFIX}{}", used.value);
        return annotations.field("annotations").field(name).to_string();
    }
    let own = origin::find(used, specs.own, specs.subject);
    let path = own.or_else(|| origin::find(used, specs.task_definition, Subject::TaskDefinition));
    match path.unwrap_or_else(|| usual(used, specs.subject)) {
        path if path.subject() == Subject::TaskDefinition => format!("task definition: {path}"),
        path => path.to_string(),
    }
}

/// Returns where a spec usually says it.
fn usual(used: &Use, subject: Subject) -> FieldPath {
    let (own, definition) = (
        FieldPath::root(subject),
        FieldPath::root(Subject::TaskDefinition),
    );
    let containers = || definition.field("containerDefinitions");
    match used.kind {
        Kind::TaskRole => definition.field("taskRoleArn"),
        Kind::ExecutionRole => definition.field("executionRoleArn"),
        Kind::TargetGroup => own.field("loadBalancers"),
        Kind::SecurityGroup => own.field("networkConfiguration"),
        Kind::EbsVolumeType | Kind::KmsKey | Kind::Snapshot => own.field("volumeConfigurations"),
        Kind::MetricNamespace => own.field("autoScaling"),
        Kind::FileSystem | Kind::HostPath => definition.field("volumes"),
        Kind::SecretStore | Kind::Secret | Kind::Privilege => containers(),
        Kind::EventSource => own.field("EventPattern"),
        Kind::Queue => own.field("Source"),
        Kind::LoadBalancerScheme => own.field("kubernetes").field("expose"),
        Kind::CapacityProvider => own.field("capacityProviderStrategy"),
        Kind::Setting => own.field("metadata").field("annotations"),
        Kind::PatchedMember => own.field("kubernetes").field("pod").field("patch"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::policy::{Policy, Tenancy};

    fn said(policies: &[(&str, Value)], uses: &[(Kind, &str)]) -> Vec<String> {
        let policies = policies.iter().map(|(name, spec)| {
            let policy = Policy::read(name, &spec.to_string());
            Arc::new(policy.expect("it can be read"))
        });
        let rules = Rules::new(Tenancy::Multiple, policies.collect());
        let uses = uses.iter().map(|(kind, value)| Use::new(*kind, value));
        let (own, task_definition) = (
            json!({"kubernetes": {"pod": {"volumes": []}}}),
            json!({
                "family": "web",
                "taskRoleArn": "web",
                "volumes": [{"name": "a"}, {"host": {"sourcePath": "/var/log/"}}],
                "containerDefinitions": [{"dockerLabels": {"a/b": "fs-1"}}],
            }),
        );
        let specs = Specs {
            own: &own,
            subject: Subject::Service,
            task_definition: &task_definition,
        };
        refusals(&rules, "shop", &uses.collect(), specs)
    }

    #[test]
    fn it_says_where_what_and_which_line_would_allow_it() {
        let role = "arn:aws:iam::111122223333:role/web";
        assert_eq!(
            said(&[], &[(Kind::TaskRole, role)]),
            [
                "task definition: taskRoleArn: the task role arn:aws:iam::111122223333:role/web is not allowed in the namespace shop (an EcsPolicy with spec.allow.taskRoles: [\"arn:aws:iam::111122223333:role/web\"] would allow it)",
                "no EcsPolicy selects the namespace shop: ask an administrator for one, or for settings.tenancy=single in the chart of the operator if one team has the whole cluster",
            ]
        );
        let limits = json!({"namespaceSelector": {}, "limitTo": {"hostPaths": []}});
        let uses = [(Kind::HostPath, "/var/log"), (Kind::Setting, "iam")];
        assert_eq!(
            said(&[("strict", limits)], &uses),
            [
                "metadata.annotations[\"ecs-operator.dev/iam\"]: the annotation iam is not allowed in the namespace shop (the same value in the settings of the operator, or an EcsPolicy with spec.allow.settings: [\"iam\"], would allow it)",
                "task definition: volumes[1].host.sourcePath: the path of the host /var/log is not allowed in the namespace shop (the EcsPolicy strict limits hostPaths: spec.limitTo.hostPaths: [\"/var/log\"] would allow it)",
            ]
        );
        assert_eq!(said(&[], &[(Kind::Privilege, "privileged")]), [""; 0]);
    }

    #[test]
    fn what_the_spec_has_in_another_form_is_where_it_usually_is() {
        for kind in Kind::ALL {
            let policy =
                json!({"namespaceSelector": {}, kind.list().member(): {kind.member(): ["other"]}});
            let said = said(&[("one", policy)], &[(*kind, "nowhere")]);
            let [line] = said.as_slice() else {
                panic!("{said:?}")
            };
            assert!(line.contains("nowhere is not allowed"), "{line}");
            assert!(!line.starts_with(':'), "{line}");
        }
    }
}

//! Requests as our custom resources.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

use super::environment_files::{inline_definition, inline_overrides};
use crate::{
    crd,
    diagnostic::{Diagnostic, Diagnostics, FieldPath, Message, Reason, Subject},
    ecs,
    input::{ServiceInput, TaskDefinitionInput, TaskInput},
    print::{self, Ordered},
    settings::{ANNOTATION_PREFIX, EcrPullSecrets, LogAgent, Settings},
    source::{Kind, Unit},
    translate::{self, WORKLOAD_LENGTH, kname},
    validate::TaskDefinitionReference,
};

/// Makes the custom resources of a unit.
#[derive(Clone, Copy)]
pub(super) struct Resources<'a> {
    /// The settings of the unit.
    pub(super) settings: &'a Settings,
    /// Those of the whole conversion.
    pub(super) given: &'a Settings,
    pub(super) unit: &'a Unit,
}

impl Resources<'_> {
    pub(super) fn of_service(
        self,
        input: &ServiceInput,
        mut notes: Diagnostics,
        diagnostics: &mut Diagnostics,
    ) -> Result<Vec<Ordered>, print::Error> {
        let definition = &input.task_definition.request;
        let mut objects = vec![self.task_definition(&input.task_definition, diagnostics)?];
        for reason in [Reason::ServiceAssumed, Reason::TaskDefinitionNotRun] {
            if diagnostics.has(reason) {
                // A task definition that no service runs is a resource of its own, as in ECS.
                diagnostics.forget(reason);
                notes.forget(Reason::EnvironmentFileSnapshot);
                let of_definition =
                    |finding: &&Diagnostic| finding.path.subject() == Subject::TaskDefinition;
                for finding in notes.iter().filter(of_definition) {
                    diagnostics.report(finding.path.clone(), finding.message.clone());
                }
                return Ok(objects);
            }
        }
        notes.forget(Reason::EnvironmentFileSnapshot);
        diagnostics.append(notes);
        let mut request = input.request.clone();
        let path = FieldPath::root(Subject::Service).field("taskDefinition");
        follow_newest(&mut request.task_definition, path, diagnostics);
        leave_count(&mut request, input, diagnostics);
        let spec = extended(&request, &input.extensions)?;
        let name = request.service_name.as_deref().unwrap_or_default();
        objects.push(self.resource(Kind::Service, name, definition, spec)?);
        Ok(objects)
    }

    pub(super) fn of_task(
        self,
        input: &TaskInput,
        diagnostics: &mut Diagnostics,
    ) -> Result<Vec<Ordered>, print::Error> {
        let mut request = input.request.clone();
        let path = FieldPath::root(Subject::Task).field("taskDefinition");
        follow_newest(&mut request.task_definition, path, diagnostics);
        let definition = &input.task_definition.request;
        inline_overrides(&mut request, definition, self.settings, diagnostics);
        let spec = extended(&request, &input.extensions)?;
        Ok(vec![
            self.task_definition(&input.task_definition, diagnostics)?,
            self.resource(Kind::Task, &input.name, definition, spec)?,
        ])
    }

    pub(super) fn of_capacity_provider(
        self,
        request: &ecs::CapacityProvider,
    ) -> Result<Ordered, print::Error> {
        let name = request.name.as_deref().unwrap_or_default();
        let name = kname(name, translate::LABEL_LENGTH);
        let resource = json!({
            "apiVersion": crd::API_VERSION,
            "kind": "EcsCapacityProvider",
            // It has no namespace.
            "metadata": {
                "name": name,
                "labels": {
                    "app.kubernetes.io/name": name,
                    "app.kubernetes.io/instance": name,
                    "app.kubernetes.io/managed-by": "ecs-operator",
                },
            },
        });
        let mut resource = Ordered::new(&resource)?;
        if let Ordered::Map(members) = &mut resource {
            members.push(("spec".into(), Ordered::unsorted(request)?));
        }
        Ok(resource)
    }

    pub(super) fn task_definition(
        self,
        input: &TaskDefinitionInput,
        diagnostics: &mut Diagnostics,
    ) -> Result<Ordered, print::Error> {
        self.report_settings(diagnostics);
        let mut definition = input.request.clone();
        inline_definition(&mut definition, self.settings, diagnostics);
        let family = definition.family.as_deref().unwrap_or_default();
        let spec = extended(&definition, &input.extensions)?;
        self.resource(Kind::TaskDefinition, family, &definition, spec)
    }

    pub(super) fn resource(
        self,
        kind: Kind,
        name: &str,
        definition: &ecs::TaskDefinition,
        spec: Ordered,
    ) -> Result<Ordered, print::Error> {
        let name = kname(name, WORKLOAD_LENGTH);
        let annotations = self.annotations(kind);
        let family = kname(
            definition.family.as_deref().unwrap_or_default(),
            translate::LABEL_LENGTH,
        );
        let kind_name = match kind {
            Kind::Task => "EcsTask",
            Kind::TaskDefinition => "EcsTaskDefinition",
            Kind::Schedule => "EcsSchedule",
            Kind::Pipe => "EcsPipe",
            Kind::Rule => "EcsRule",
            _ => "EcsService",
        };
        let resource = json!({
            "apiVersion": crd::API_VERSION,
            "kind": kind_name,
            "metadata": {
                "name": name,
                "namespace": self.namespace(),
                "annotations": (!annotations.is_empty()).then_some(annotations),
                "labels": {
                    "app.kubernetes.io/name": family,
                    "app.kubernetes.io/instance": name,
                    "app.kubernetes.io/managed-by": "ecs-operator",
                },
            },
        });
        // The request keeps AWS's own order; only the envelope is ordered.
        let mut resource = Ordered::new(&resource)?;
        if let Ordered::Map(members) = &mut resource {
            members.push(("spec".into(), spec));
        }
        Ok(resource)
    }

    /// Returns the namespace that the resources name.
    fn namespace(&self) -> Option<&str> {
        let settings = self.settings;
        settings.namespace_is_given.then_some(&*settings.namespace)
    }

    /// Returns the annotations of a resource: its own, and those that give the operator the settings of this conversion.
    ///
    /// Services and tasks may share a task definition, so it does not get what is known of only one of them.
    fn annotations(self, kind: Kind) -> BTreeMap<String, String> {
        // The operator is configured for the platform, as is this conversion.
        let usual = Settings {
            compute: self.given.compute,
            ingress_class: match self.given.ingress_class.as_str() {
                "" => String::new(),
                _ => Settings::default().ingress_class,
            },
            ..Settings::default()
        };
        let of_definition = self.unit.annotations(Kind::TaskDefinition);
        let settings = match (kind, of_definition) {
            (Kind::TaskDefinition, Some(own)) => {
                // What is wrong with them has been reported.
                let path = FieldPath::root(Subject::TaskDefinition);
                let given = self.given.clone();
                given.with_annotations(own, &path, &mut Diagnostics::new())
            }
            (Kind::TaskDefinition, None) => self.given.clone(),
            _ => self.settings.clone(),
        };
        let mut annotations = settings.annotations(&usual);
        // The IDs of users add up. Any other annotation stays where it was written.
        let users = format!("{ANNOTATION_PREFIX}user");
        let is_written =
            |name: &String| of_definition.is_some_and(|written| written.contains_key(name));
        annotations.retain(|name, _| *name == users || !is_written(name));
        let own = self.unit.annotations(kind).into_iter().flatten();
        let own = own.filter(|(name, _)| **name != users);
        annotations.extend(own.map(|(name, value)| (name.clone(), value.clone())));
        annotations
    }

    /// Reports the settings of this conversion that no annotation can give to the operator.
    fn report_settings(self, diagnostics: &mut Diagnostics) {
        let given = self.given;
        let settings = [
            ("allowHostDevices", given.allow_host_devices),
            ("devices", !given.devices.is_empty()),
            (
                "ecrPullSecrets",
                given.ecr_pull_secrets != EcrPullSecrets::Off,
            ),
            ("fsxHosts", !given.fsx_hosts.is_empty()),
            (
                "gmsaCredentialSpecs",
                !given.gmsa_credential_specs.is_empty(),
            ),
            ("logs", given.logs != LogAgent::None),
            ("ulimitAdjuster", given.ulimit_adjuster),
        ];
        let names: Vec<&str> = settings
            .iter()
            .filter_map(|(name, is_given)| is_given.then_some(*name))
            .collect();
        if !names.is_empty() {
            let names = names.join(", ");
            let path = FieldPath::root(Subject::TaskDefinition);
            diagnostics.report(path, Message::OperatorNeedsSettings { names });
        }
    }
}

/// Returns a request with what AWS does not have, as the spec of a resource.
pub(super) fn extended(
    request: &impl Serialize,
    extensions: &impl Serialize,
) -> Result<Ordered, print::Error> {
    let mut spec = Ordered::unsorted(request)?;
    if let (Ordered::Map(spec), Ordered::Map(extensions)) =
        (&mut spec, Ordered::unsorted(extensions)?)
    {
        spec.extend(extensions);
    }
    Ok(spec)
}

/// Leaves out a count that scaling changes: what is written here is applied again and again.
fn leave_count(request: &mut ecs::Service, input: &ServiceInput, diagnostics: &mut Diagnostics) {
    if !diagnostics.has(Reason::DesiredCountUndoesScaling) {
        return;
    }
    let scaling = input.extensions.auto_scaling.as_ref();
    let range = scaling.and_then(|scaling| scaling.scalable_target.as_ref());
    let (Some(count), Some(least)) = (
        request.desired_count,
        range.and_then(|range| range.min_capacity),
    ) else {
        return;
    };
    diagnostics.forget(Reason::DesiredCountUndoesScaling);
    request.desired_count = None;
    if count != least {
        let path = FieldPath::root(Subject::Service).field("desiredCount");
        let (n, least) = (count.to_string(), least.to_string());
        let name = kname(
            request.service_name.as_deref().unwrap_or_default(),
            WORKLOAD_LENGTH,
        );
        diagnostics.report(path, Message::DesiredCountLeftOut { n, least, name });
    }
}

/// A pinned revision of AWS does not exist in a cluster where revisions begin anew, so the newest is followed.
pub(super) fn follow_newest(
    reference: &mut Option<String>,
    path: FieldPath,
    diagnostics: &mut Diagnostics,
) {
    let Some(text) = reference.clone() else {
        return;
    };
    if let Some(parsed) = TaskDefinitionReference::parse(&text)
        && parsed.family != text
    {
        diagnostics.report(
            path,
            Message::NewestRevisionFollowed {
                value: text.clone(),
                family: parsed.family.to_owned(),
            },
        );
        *reference = Some(parsed.family.to_owned());
    }
}

//! The choice of the revision for the spec of a task definition.

use kube::ResourceExt as _;

use super::{fetch::remembered_number, lookup::settings};
use crate::{
    controller::{
        context::Context,
        error::Error,
        refusal::{Refusal, refused},
    },
    crd::{EcsTaskDefinition, TaskDefinitionStatus, WarningStatus},
    decide::revision::{Newest, number},
    diagnostic::Subject,
    input::TaskDefinitionInput,
    source::read_task_definition,
    translate::{WORKLOAD_LENGTH, kname},
    validate::check_task_definition,
};

/// Returns the differences from ECS that apply to every user of the task definition, if ECS would register it and
/// Kubernetes can run it.
pub(super) fn check(
    definition: &EcsTaskDefinition,
    cx: &Context,
) -> Result<Vec<WarningStatus>, Refusal> {
    let name = definition.name_any();
    let (request, extensions, mut findings) = read_task_definition(&name, definition.spec.text());
    let own = request.family.as_deref().unwrap_or_default();
    let expected = kname(own, WORKLOAD_LENGTH);
    if expected != name {
        return Err(Refusal::name_differs("family", own, &expected));
    }
    let settings = settings(
        cx,
        &definition.namespace().unwrap_or_default(),
        definition.annotations(),
        Subject::TaskDefinition,
        &mut findings,
    );
    let input = TaskDefinitionInput {
        request,
        extensions,
        revision: None,
    };
    if !findings.has_errors() {
        findings.append(check_task_definition(&input, &settings));
    }
    if findings.has_errors() {
        return Err(refused(findings));
    }
    Ok(Refusal::warnings(findings))
}

/// Returns the number of the revision that holds the spec.
///
/// # Errors
///
/// When a request fails.
pub(super) async fn number_of_spec(
    definition: &EcsTaskDefinition,
    cx: &Context,
    newest: Newest,
    before: &TaskDefinitionStatus,
) -> Result<u64, Error> {
    let (namespace, name) = (
        definition.namespace().unwrap_or_default(),
        definition.name_any(),
    );
    let kept = cx.revisions.of(&namespace, &name);
    Ok(match newest {
        // The status records the registration. The spec is not compared, because another version may read it
        // differently.
        Newest::Revision {
            number,
            holds_spec: true,
        } => number,
        Newest::Revision { .. } | Newest::Missing | Newest::AboutToAppear => {
            let highest = kept.last_key_value();
            let highest = highest.map(|(number, spec)| (*number, **spec == definition.spec));
            match before
                .revision
                .and_then(|number| u64::try_from(number).ok())
            {
                None => remembered_number(cx, definition, highest).await?,
                reported => number(highest, reported),
            }
        }
    })
}

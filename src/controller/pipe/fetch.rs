//! What a pipe says, and the tasks that it has started.

use std::sync::Arc;

use kube::ResourceExt as _;

use crate::{
    controller::{
        context::Context,
        refusal::{Refusal, refused},
    },
    crd::{EcsPipe, EcsTask, PipeExtensions, WarningStatus},
    diagnostic::{FieldPath, Subject},
    settings::{PIPE, Settings},
    source::read_pipe,
    translate::{WORKLOAD_LENGTH, kname},
    validate::{Pipe, validate_pipe},
};

/// A pipe that is not rejected.
#[derive(Clone)]
pub(super) struct Accepted {
    pub(super) pipe: Pipe,
    pub(super) extensions: PipeExtensions,
    /// The differences from AWS.
    pub(super) warnings: Vec<WarningStatus>,
}

/// Returns what a pipe says, or everything that is wrong with it.
pub(super) fn read(pipe: &EcsPipe) -> Result<Accepted, Refusal> {
    let name = pipe.name_any();
    let (request, extensions, mut findings) = read_pipe(&name, pipe.spec.text());
    // They become those of its tasks, of which all would be rejected.
    let path = FieldPath::root(Subject::Pipe).field("metadata");
    let path = path.field("annotations");
    let _read = Settings::default().with_annotations(pipe.annotations(), &path, &mut findings);
    if findings.has_errors() {
        return Err(refused(findings));
    }
    let validated = validate_pipe(&request).map_err(refused)?;
    let expected = kname(&validated.name, WORKLOAD_LENGTH);
    if expected != name {
        return Err(Refusal::name_differs("Name", &validated.name, &expected));
    }
    Ok(Accepted {
        pipe: validated,
        extensions,
        warnings: Refusal::warnings(findings),
    })
}

/// Returns the tasks that a pipe has started and that exist, as far as the cache knows.
pub(super) fn own_tasks(cx: &Context, pipe: &EcsPipe) -> Vec<Arc<EcsTask>> {
    let name = pipe.name_any();
    let tasks = cx.tasks.within(&pipe.namespace().unwrap_or_default());
    let is_own = |task: &Arc<EcsTask>| {
        task.labels().get(PIPE) == Some(&name) && task.metadata.deletion_timestamp.is_none()
    };
    tasks.filter(is_own).collect()
}

//! Pipes as our custom resources.

use super::{
    Target,
    resources::{Resources, extended, follow_newest},
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    ecs,
    input::PipeInput,
    print::{self, Ordered},
    settings::Settings,
    source::Kind,
    translate::translate_task,
    validate::{place_pipe_tasks, validate_pipe, validate_pipe_tasks},
};

/// Returns the differences from AWS of the tasks of a pipe.
///
/// # Errors
///
/// Returns everything that is wrong with it and with them.
fn check(input: &PipeInput, settings: &Settings) -> Result<Diagnostics, Diagnostics> {
    let pipe = validate_pipe(&input.request)?;
    let Some(task) = validate_pipe_tasks(input, &pipe, settings)? else {
        return Ok(Diagnostics::new());
    };
    let (_, notes) = translate_task(&task, settings);
    Ok(place_pipe_tasks(&pipe, &notes))
}

impl Resources<'_> {
    /// Returns what a pipe becomes; nothing if it is rejected, which is reported.
    pub(super) fn pipe(
        self,
        input: &PipeInput,
        target: Target,
        diagnostics: &mut Diagnostics,
    ) -> Result<Vec<Ordered>, print::Error> {
        let root = FieldPath::root(Subject::Pipe);
        if target == Target::Manifests {
            diagnostics.report(root, Message::PipeNeedsController);
            let findings = validate_pipe(&input.request).err();
            diagnostics.append(findings.unwrap_or_default());
            return Ok(Vec::new());
        }
        match check(input, self.settings) {
            Ok(notes) => diagnostics.append(notes),
            Err(findings) => {
                diagnostics.append(findings);
                return Ok(Vec::new());
            }
        }
        let mut request = input.request.clone();
        let mut objects = Vec::new();
        let name = request.name.clone().unwrap_or_default();
        let Some(definition) = &input.task_definition else {
            let spec = extended(&request, &input.extensions)?;
            return Ok(vec![self.resource(
                Kind::Pipe,
                &name,
                &ecs::TaskDefinition::default(),
                spec,
            )?]);
        };
        let target = request.target_parameters.as_mut();
        if let Some(parameters) = target.and_then(|target| target.ecs_task_parameters.as_mut()) {
            let path = root.field("TargetParameters").field("EcsTaskParameters");
            let path = path.field("TaskDefinitionArn");
            follow_newest(&mut parameters.task_definition_arn, path, diagnostics);
        }
        let spec = extended(&request, &input.extensions)?;
        objects.push(self.task_definition(definition, diagnostics)?);
        objects.push(self.resource(Kind::Pipe, &name, &definition.request, spec)?);
        Ok(objects)
    }
}

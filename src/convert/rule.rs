//! Rules for events as our custom resources.

use super::resources::{Resources, extended, follow_newest};
use crate::{
    diagnostic::{Diagnostics, Message},
    ecs,
    input::RuleInput,
    print::{self, Ordered},
    settings::Settings,
    source::Kind,
    translate::translate_task,
    validate::{foreign_events, of_operator, place_event_target, validate_event_target},
};

/// The longest `Name` of a rule, which it can exceed with the ID of a target.
const LONGEST_NAME: usize = 64;

/// Returns the differences from AWS of the tasks that a target of a rule starts.
///
/// # Errors
///
/// Returns everything that is wrong with it and with them.
fn check(input: &RuleInput, settings: &Settings) -> Result<Diagnostics, Diagnostics> {
    let (target, task) = validate_event_target(input, settings)?;
    let mut notes = Diagnostics::new();
    if let Some((path, what)) = foreign_events(&input.request) {
        notes.report(path, Message::EventsNeedQueue { what });
    }
    if let Some(task) = task {
        let (_, found) = translate_task(&task, settings);
        notes.append(place_event_target(input.starter(), &target, &found));
    }
    Ok(notes)
}

impl Resources<'_> {
    /// Returns the EcsRule of one target of a rule for events; nothing if it is rejected, which is reported.
    pub(super) fn event_rule(
        self,
        input: &RuleInput,
        diagnostics: &mut Diagnostics,
    ) -> Result<Vec<Ordered>, print::Error> {
        of_operator(diagnostics);
        match check(input, self.settings) {
            Ok(notes) => diagnostics.append(notes),
            Err(findings) => {
                diagnostics.append(findings);
                return Ok(Vec::new());
            }
        }
        // Other targets are reported as not read, or are rules of their own.
        let mut target = input.request.targets.get(input.target).cloned();
        let parameters = target.as_mut().and_then(|it| it.ecs_parameters.as_mut());
        if let Some(parameters) = parameters
            && input.task_definition.is_some()
        {
            let path = input.starter().target().field("EcsParameters");
            let path = path.field("TaskDefinitionArn");
            follow_newest(&mut parameters.task_definition_arn, path, diagnostics);
        }
        let name = input.schedule_name();
        let request = ecs::Rule {
            // That of the object is made of one that is too long.
            name: Some(name.clone()).filter(|name| name.len() <= LONGEST_NAME),
            rule: None,
            targets: target.into_iter().collect(),
            ..input.request.clone()
        };
        let spec = extended(&request, &input.extensions)?;
        let Some(definition) = &input.task_definition else {
            let none = ecs::TaskDefinition::default();
            return Ok(vec![self.resource(Kind::Rule, &name, &none, spec)?]);
        };
        Ok(vec![
            self.task_definition(definition, diagnostics)?,
            self.resource(Kind::Rule, &name, &definition.request, spec)?,
        ])
    }
}

//! What a unit gives to validation.

use crate::{
    source::Content,
    validate::{ServiceInput, TaskDefinitionInput, TaskInput},
};

/// The requests of a unit, as validation takes them.
pub(super) enum Input<'a> {
    Service(ServiceInput<'a>),
    Task(TaskInput<'a>),
}

impl<'a> Input<'a> {
    /// The requests; none where the reader found none that could be converted.
    pub(super) fn of(content: &'a Content) -> Option<Self> {
        match content {
            Content::Service {
                request,
                extensions,
                task_definition,
                revision,
            } => Some(Self::Service(ServiceInput {
                request,
                extensions,
                task_definition: TaskDefinitionInput {
                    request: task_definition,
                    revision: *revision,
                },
            })),
            Content::Task {
                name,
                request,
                extensions: _,
                task_definition,
                revision,
            } => Some(Self::Task(TaskInput {
                name,
                request,
                task_definition: TaskDefinitionInput {
                    request: task_definition,
                    revision: *revision,
                },
            })),
            Content::Nothing => None,
        }
    }
}

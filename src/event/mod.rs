//! Events as Amazon EventBridge routes them: which events a rule matches, and what its target gets of them. Pure.
//!
//! Sources: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html>,
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html>, the API model of
//! EventBridge of 2015-10-07 for limits, and for patterns, where the guide is silent, the matcher that AWS publishes,
//! <https://github.com/aws/event-ruler>, in version 2.1.0.

pub mod input;
mod message;
pub mod pattern;

pub use self::{
    input::{Context, EventPath, Input, InputError, InputSpec, RenderError},
    message::Message,
    pattern::{Pattern, PatternError},
};

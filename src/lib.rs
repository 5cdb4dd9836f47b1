//! `ecs-operator` runs Amazon ECS task definitions, services and tasks as pods.
//!
//! The way of the data is the layout: [`source`] reads files into [`ecs`] shapes, [`validate`] turns shapes into
//! validated types or says everything that is wrong, [`translate`] turns validated types into Kubernetes objects.
//! [`fields`] knows the fate of every field of the AWS API, [`diagnostic`] is what we tell the user, and [`settings`]
//! is all that the pure parts may know besides their input.

pub mod diagnostic;
pub mod ecs;
pub mod settings;
pub mod source;

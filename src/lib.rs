//! `ecs-operator` runs Amazon ECS task definitions, services and tasks as pods.
//!
//! The way of the data is the layout: [`ecs`] has the shapes of the AWS API, [`source`] reads them, [`input`] has those
//! that belong together, [`validate`] turns these into validated types or says everything that is wrong, [`translate`]
//! turns validated types into Kubernetes objects. [`diagnostic`] is what we tell the user, [`settings`] is all that the
//! pure parts may know besides their input.
#![cfg_attr(
    test,
    allow(
        clippy::too_many_lines,
        clippy::type_complexity,
        clippy::unnecessary_wraps,
        clippy::unwrap_in_result,
        reason = "tests have long tables of cases, and fail by panicking"
    )
)]

pub mod addons;
pub mod app_runner;
pub mod cli;
pub mod controller;
pub mod convert;
pub mod crd;
pub mod decide;
pub mod diagnostic;
pub mod dockerfile;
pub mod ecr;
pub mod ecs;
pub mod event;
pub mod fields;
pub mod image;
pub mod input;
pub mod names;
mod parallel;
pub mod policy;
pub mod print;
pub mod quantity;
pub mod rendering;
pub mod schedule;
pub mod server;
pub mod settings;
pub mod source;
pub mod telemetry;
pub mod translate;
pub mod validate;

//! The operator against an in-memory API server that fails at every request in turn.
//!
//! This module is only for tests. A [`scenario`] is what users do, one thing after the other. A [`replica`] of the
//! operator carries it out: its reconciles are those of the program, its client leads to an [`api_server`] whose
//! objects are in a [`store`], and between two reconciles its caches are updated. [`kubernetes`] models what Kubernetes
//! itself does. A [`trial`] is one run with one fault, and [`tests`] have a trial for every third fault of
//! all requests, or by name for every one: all of them have to end as if there had been no fault. Where the exact end
//! matters, [`ends`] check it.

mod api_server;
mod ends;
mod kubernetes;
mod needs;
mod nodes;
mod normal;
mod patch;
mod pods;
mod previews;
mod replica;
mod request;
mod scenario;
mod services_of_app_runner;
mod store;
mod tests;
mod trial;
mod watches;

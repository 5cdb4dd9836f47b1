//! The operator against an API server in memory, which fails at every request in turn.
//!
//! What is here is only for tests. A [`scenario`] is what somebody asks for, one thing after the other. A [`replica`] of
//! the operator brings it about: its reconciles are those of the program, its client leads to an [`api_server`] that has
//! its objects in a [`store`], and between two reconciles its caches are told what has changed. What Kubernetes does by
//! itself is in [`kubernetes`]. A [`trial`] is one run of that with one thing that goes wrong, and [`tests`] have a trial
//! for each request and each of those things: all of them have to end as if nothing had gone wrong. What
//! that end is, [`ends`] say where it matters.

mod api_server;
mod ends;
mod kubernetes;
mod needs;
mod normal;
mod patch;
mod pods;
mod replica;
mod request;
mod scenario;
mod store;
mod tests;
mod trial;
mod watches;

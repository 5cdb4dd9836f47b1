//! The running operator: watches, reconciles, writes.
mod apply;
mod child;
mod child_kind;
mod children;
mod error;
mod owned_fields;
mod revisions;
mod status;

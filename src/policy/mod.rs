//! What the specs of a namespace may use, as EcsPolicies say: pure.
//!
//! Whoever may write an EcsService has the operator write objects that Kubernetes may not let this person write: those
//! that have no namespace, those that name resources of AWS, and those of add-ons. So a deployment or task begins only
//! if its objects use nothing but what the policies of its namespace allow. What runs is not judged again.
//!
//! The objects are judged, not the members of the spec that lead to them: there is no second way to the same object.

mod kind;
mod origin;
mod pattern;
mod refusals;
mod rules;
mod uses;

pub use kind::{Kind, List};
pub(crate) use pattern::is_like;
pub use refusals::{Specs, refusals};
pub use rules::{Policy, PolicyError, Rules, Tenancy};
pub use uses::{Use, capacity_providers, patched_members, uses};

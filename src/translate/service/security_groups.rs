//! Security groups for pods.

use crate::{
    diagnostic::Diagnostics,
    translate::{Context, Manifests},
};

/// Adds the SecurityGroupPolicy.
pub(crate) fn apply(_cx: &Context<'_>, _objects: &mut Manifests, _notes: &mut Diagnostics) {}

//! Target groups and load balancers.

use crate::{
    diagnostic::Diagnostics,
    translate::{Context, Manifests},
    validate::Service,
};

/// Adds this feature's objects.
pub(super) fn apply(
    _cx: &Context<'_>,
    _service: &Service,
    _objects: &mut Manifests,
    _notes: &mut Diagnostics,
) {
}

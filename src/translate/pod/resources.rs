//! CPU, memory, GPUs and ephemeral storage.

use super::Draft;
use crate::{diagnostic::Diagnostics, translate::Context};

/// Adds this feature's part to the pod.
pub(super) fn apply(_cx: &Context<'_>, _draft: &mut Draft, _notes: &mut Diagnostics) {}

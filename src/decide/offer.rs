//! What a task offers by Service Connect.

use crate::settings::OFFERS;

/// A name of Service Connect, and a digest of the ports that it leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    name: String,
    ports: String,
}

impl Offer {
    /// As a label of a pod, or a selector of a Service, has it.
    #[must_use]
    pub fn of(label: &str, value: &str) -> Option<Self> {
        Some(Self {
            name: label.strip_prefix(OFFERS)?.to_owned(),
            ports: value.to_owned(),
        })
    }
}

//! The owners of objects.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

/// A custom resource that owns objects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Owner {
    /// A service, by namespace and name.
    Service(String, String),
    /// A task, by namespace and name.
    Task(String, String),
}

impl Owner {
    /// Returns the owner that an object in this namespace refers to; `None` if that is of another kind.
    #[must_use]
    pub(crate) fn of_reference(reference: &OwnerReference, namespace: &str) -> Option<Self> {
        let (namespace, name) = (namespace.to_owned(), reference.name.clone());
        match reference.kind.as_str() {
            "EcsService" => Some(Self::Service(namespace, name)),
            "EcsTask" => Some(Self::Task(namespace, name)),
            _ => None,
        }
    }

    /// Returns its namespace.
    #[must_use]
    pub(crate) fn namespace(&self) -> &str {
        let (Self::Service(namespace, _) | Self::Task(namespace, _)) = self;
        namespace
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(_, name) => write!(f, "EcsService {name}"),
            Self::Task(_, name) => write!(f, "EcsTask {name}"),
        }
    }
}

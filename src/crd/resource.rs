//! The custom resources as the operator reads them.

use std::{borrow::Cow, fmt};

use k8s_openapi::{
    ClusterResourceScope, NamespaceResourceScope, apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};

use super::{
    API_VERSION, AppRunnerServiceStatus, CapacityProviderStatus, ClusterStatus, PipeStatus,
    RuleStatus, ScheduleStatus, ServiceStatus, TaskDefinitionStatus, TaskStatus,
};

/// The `spec` of a custom resource as compact JSON text, with its members sorted by name.
///
/// It is text because that is small in a cache, and because deserializing it cannot fail: otherwise, one object with an
/// unexpected shape of a member would hide all others of its list.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Spec(Box<str>);

impl Spec {
    /// Returns the JSON text.
    #[must_use]
    pub const fn text(&self) -> &str {
        &self.0
    }

    /// Parses the spec as a request.
    ///
    /// # Errors
    ///
    /// Returns an error if a member has an unexpected type, which the schema of the CustomResourceDefinition prevents.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }
}

impl From<Value> for Spec {
    fn from(mut spec: Value) -> Self {
        spec.sort_all_objects();
        Self(spec.to_string().into())
    }
}

impl<'de> Deserialize<'de> for Spec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        // A spec that is nested too deeply is kept as it is; its reader reports it.
        Ok(serde_json::from_str(text.get())
            .map_or_else(|_| Self(text.get().into()), |spec: Value| Self::from(spec)))
    }
}

impl Serialize for Spec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value: Value = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        value.serialize(serializer)
    }
}

/// A spec may contain secrets in plain text, so it is not printed.
impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Spec({} bytes)", self.0.len())
    }
}

/// Reads a status; one that an older version wrote in another shape counts as absent.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    let text = Box::<RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(text.get()).unwrap_or_default())
}

macro_rules! kind {
    ($name:ident, $scope:ty, $plural:literal) => {
        impl kube::Resource for $name {
            type DynamicType = ();
            type Scope = $scope;

            fn kind((): &()) -> Cow<'_, str> {
                stringify!($name).into()
            }

            fn group((): &()) -> Cow<'_, str> {
                API_VERSION
                    .split_once('/')
                    .map_or(API_VERSION, |(group, _)| group)
                    .into()
            }

            fn version((): &()) -> Cow<'_, str> {
                API_VERSION
                    .split_once('/')
                    .map_or("", |(_, version)| version)
                    .into()
            }

            fn plural((): &()) -> Cow<'_, str> {
                $plural.into()
            }

            fn meta(&self) -> &ObjectMeta {
                &self.metadata
            }

            fn meta_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
        }
    };
}

macro_rules! resources {
    ($($(#[$doc:meta])* $name:ident($status:ty), $scope:ty, $plural:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, Default, Serialize, Deserialize)]
            pub struct $name {
                /// Name, namespace, labels.
                pub metadata: ObjectMeta,
                /// The desired state.
                #[serde(default)]
                pub spec: Spec,
                /// The last reported state.
                #[serde(default, deserialize_with = "lenient")]
                pub status: $status,
            }

            kind!($name, $scope, $plural);
        )*
    };
}

resources! {
    /// A task definition.
    EcsTaskDefinition(TaskDefinitionStatus), NamespaceResourceScope, "ecstaskdefinitions";
    /// A service.
    EcsService(ServiceStatus), NamespaceResourceScope, "ecsservices";
    /// Tasks that run to completion.
    EcsTask(TaskStatus), NamespaceResourceScope, "ecstasks";
    /// Tasks that start at certain times.
    EcsSchedule(ScheduleStatus), NamespaceResourceScope, "ecsschedules";
    /// Tasks that start for the messages of a queue.
    EcsPipe(PipeStatus), NamespaceResourceScope, "ecspipes";
    /// Tasks that start for events.
    EcsRule(RuleStatus), NamespaceResourceScope, "ecsrules";
    /// A service of App Runner.
    AppRunnerService(AppRunnerServiceStatus), NamespaceResourceScope, "apprunnerservices";
    /// The defaults of a namespace.
    EcsCluster(ClusterStatus), NamespaceResourceScope, "ecsclusters";
    /// Where the nodes of a capacity provider come from.
    EcsCapacityProvider(CapacityProviderStatus), ClusterResourceScope, "ecscapacityproviders";
}

/// What the specs of some namespaces may use. It has no namespace, and no status: the API server checks its spec.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct EcsPolicy {
    /// Name, labels.
    pub metadata: ObjectMeta,
    /// The policy.
    #[serde(default)]
    pub spec: Spec,
}

kind!(EcsPolicy, ClusterResourceScope, "ecspolicies");

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_spec_is_the_same_text_in_whatever_order_its_members_come() {
        let one = Spec::from(json!({"b": [{"y": 1, "x": 2}], "a": null}));
        let other = Spec::from(json!({"a": null, "b": [{"x": 2, "y": 1}]}));
        assert_eq!(one, other);
        assert_eq!(one.text(), r#"{"a":null,"b":[{"x":2,"y":1}]}"#);
    }

    #[test]
    fn any_shape_can_be_read() {
        let service: EcsService = serde_json::from_value(
            json!({"metadata": {"name": "web"}, "spec": [1], "status": "no"}),
        )
        .expect("no shape of spec and status is refused");
        assert_eq!(service.spec.text(), "[1]");
        assert_eq!(service.status, ServiceStatus::default());
    }

    #[test]
    fn what_a_spec_holds_is_not_printed() {
        let spec = Spec::from(json!({"password": "hunter2"}));
        assert_eq!(format!("{spec:?}"), "Spec(22 bytes)");
    }
}

//! Generates the schemas of the statuses from their types.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use schemars::{JsonSchema, Schema, generate::SchemaSettings, transform::transform_subschemas};
use serde_json::{Value, json};

/// Returns the schema of a status, in the form of a CustomResourceDefinition: without references, and without keywords
/// that the API server acts on, such as defaults.
pub(super) fn status_schema<T: JsonSchema>() -> JSONSchemaProps {
    let mut settings = SchemaSettings::openapi3();
    settings.inline_subschemas = true;
    settings.meta_schema = None;
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    plain(&mut schema);
    // The schema of a type is one that the API server accepts; a unit test checks each.
    serde_json::from_value(schema.to_value()).unwrap_or_default()
}

/// Removes keywords that are irrelevant for a status, and marks the conditions as a list by type.
fn plain(schema: &mut Schema) {
    for keyword in ["default", "nullable", "title"] {
        schema.remove(keyword);
    }
    if let Some(Value::Object(conditions)) = schema.pointer_mut("/properties/conditions") {
        conditions.insert("x-kubernetes-list-type".to_owned(), json!("map"));
        conditions.insert("x-kubernetes-list-map-keys".to_owned(), json!(["type"]));
    }
    let status = "/properties/conditions/items/properties/status";
    if let Some(Value::Object(status)) = schema.pointer_mut(status) {
        let values = json!(["True", "False", "Unknown"]);
        status.insert("enum".to_owned(), values);
    }
    transform_subschemas(&mut plain, schema);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crd::{
        AppRunnerServiceStatus, CapacityProviderStatus, ClusterStatus, PipeStatus, RuleStatus,
        ScheduleStatus, ServiceStatus, TaskDefinitionStatus, TaskStatus,
    };

    /// Returns the members of a schema and of all schemas below it, with the reason why one is not valid.
    fn problems(schema: &JSONSchemaProps, path: &str) -> Vec<String> {
        let mut problems = Vec::new();
        if schema.type_.is_none() || schema.ref_path.is_some() {
            problems.push(format!("{path} has no type"));
        }
        if schema.default.is_some() {
            problems.push(format!(
                "{path} has a default, which the API server would write"
            ));
        }
        for (name, member) in schema.properties.iter().flatten() {
            let path = format!("{path}.{name}");
            if member.description.is_none() {
                problems.push(format!("{path} has no description"));
            }
            problems.extend(self::problems(member, &path));
        }
        problems
    }

    #[test]
    fn every_member_has_a_type_and_a_description_and_no_default() {
        for (name, schema) in [
            (
                "AppRunnerService",
                status_schema::<AppRunnerServiceStatus>(),
            ),
            ("EcsCluster", status_schema::<ClusterStatus>()),
            (
                "EcsCapacityProvider",
                status_schema::<CapacityProviderStatus>(),
            ),
            ("EcsService", status_schema::<ServiceStatus>()),
            ("EcsTask", status_schema::<TaskStatus>()),
            ("EcsPipe", status_schema::<PipeStatus>()),
            ("EcsRule", status_schema::<RuleStatus>()),
            ("EcsSchedule", status_schema::<ScheduleStatus>()),
            ("EcsTaskDefinition", status_schema::<TaskDefinitionStatus>()),
        ] {
            assert_eq!(problems(&schema, name), [""; 0]);
            let members = schema.properties.unwrap_or_default();
            assert!(members.contains_key("warnings") && members.contains_key("conditions"));
        }
    }
}

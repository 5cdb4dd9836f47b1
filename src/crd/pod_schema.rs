//! The schema of a pod template as Kubernetes has it, without its descriptions.

use std::sync::LazyLock;

use k8s_openapi::{
    api::core::v1::PodTemplateSpec,
    apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps,
};
use schemars::{Schema, generate::SchemaSettings, transform::transform_subschemas};
use serde_json::Value;

/// Keywords that are for readers, or that the API server would act on.
const LEFT_OUT: &[&str] = &["default", "description", "nullable", "title"];

/// Returns the schema of a PodTemplateSpec in one piece, without references.
pub(crate) fn pod_template() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
        let mut settings = SchemaSettings::openapi3();
        settings.inline_subschemas = true;
        settings.meta_schema = None;
        let generator = settings.into_generator();
        let mut schema = generator.into_root_schema_for::<PodTemplateSpec>();
        plain(&mut schema);
        schema.to_value()
    });
    &SCHEMA
}

fn plain(schema: &mut Schema) {
    for keyword in LEFT_OUT {
        schema.remove(*keyword);
    }
    transform_subschemas(&mut plain, schema);
}

/// Returns the schema of a part of the PodSpec, such as `volumes[].configMap`.
pub(crate) fn of_spec(path: &str) -> Option<&'static Value> {
    let spec = pod_template().pointer("/properties/spec")?;
    path.split('.').try_fold(spec, |schema, segment| {
        let name = segment.trim_end_matches("[]");
        let member = schema.get("properties")?.get(name)?;
        if segment.ends_with("[]") {
            member.get("items")
        } else {
            Some(member)
        }
    })
}

/// Returns the schema of a member of `spec.kubernetes` that Kubernetes defines: that of Kubernetes, or that of any object
/// if it is a patch.
pub(super) fn of_member(path: &str) -> JSONSchemaProps {
    let path = path.trim_start_matches("pod.");
    let of_kubernetes = of_spec(path).map(|schema| serde_json::from_value(schema.clone()));
    match of_kubernetes {
        Some(Ok(schema)) => schema,
        _ => JSONSchemaProps {
            x_kubernetes_preserve_unknown_fields: Some(true),
            ..super::schema::of_type("object")
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::{Api, Kind};

    #[test]
    fn all_but_the_patch_have_the_schema_of_kubernetes() {
        for field in Api::Kubernetes.fields() {
            if field.kind == Kind::Kubernetes {
                let schema = of_member(field.path);
                let is_any = schema.x_kubernetes_preserve_unknown_fields == Some(true);
                assert_eq!(is_any, field.path == "pod.patch", "{}", field.path);
                assert_eq!(schema.description, None);
                assert!(schema.type_.is_some(), "{}", field.path);
            }
        }
    }

    #[test]
    fn nothing_in_it_refers_to_something_else() {
        let text = pod_template().to_string();
        assert!(!text.contains("$ref") && !text.contains("description\":\""));
    }
}

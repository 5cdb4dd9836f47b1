//! What `ecs-operator explain` says of members that only the custom resources have.

use std::fmt::Write as _;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray,
};

use super::definitions;

/// Explains the members of the specs of custom resources that have this name, or whose path ends with it, in any case and
/// with or without `[]`. Returns `None` if there are none.
#[must_use]
pub fn explain_member(query: &str) -> Option<String> {
    let query = query.replace("[]", "").to_ascii_lowercase();
    let wanted = query.strip_prefix("spec.").unwrap_or(&query);
    let mut text = String::new();
    for definition in definitions() {
        let kind = definition.spec.names.kind;
        let versions = definition.spec.versions.into_iter();
        let schemas = versions.filter_map(|version| version.schema?.open_api_v3_schema);
        for schema in schemas {
            let members = schema.properties.into_iter().flatten();
            for (_, spec) in members.filter(|(name, _)| name == "spec") {
                visit(&spec, "spec", &mut |path, member| {
                    if ends_with(path, wanted) {
                        add(&mut text, &kind, path, member);
                    }
                });
            }
        }
    }
    (!text.is_empty()).then_some(text)
}

fn visit(schema: &JSONSchemaProps, path: &str, see: &mut impl FnMut(&str, &JSONSchemaProps)) {
    for (name, member) in schema.properties.iter().flatten() {
        let path = format!("{path}.{name}");
        see(&path, member);
        visit(member, &path, see);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(element)) = &schema.items {
        visit(element, &format!("{path}[]"), see);
    }
}

fn ends_with(path: &str, wanted: &str) -> bool {
    let path = path.replace("[]", "").to_ascii_lowercase();
    let start = path.strip_suffix(wanted);
    start.is_some_and(|start| start.ends_with('.'))
}

fn add(text: &mut String, kind: &str, path: &str, schema: &JSONSchemaProps) {
    if !text.is_empty() {
        text.push('\n');
    }
    let element = match &schema.items {
        Some(JSONSchemaPropsOrArray::Schema(element)) => Some(&**element),
        _ => None,
    };
    let (brackets, schema_of_members) = element.map_or(("", schema), |element| ("[]", element));
    let _ = writeln!(text, "{path}{brackets} of an {kind}\n");
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(text, "  {name:<12}{value}");
        }
    };
    line("is", schema.description.as_deref().unwrap_or_default());
    line("type", &type_of(schema_of_members));
    let members = schema_of_members.properties.iter().flatten();
    let members: Vec<&str> = members.map(|(name, _)| name.as_str()).collect();
    line("members", &members.join(", "));
}

fn type_of(schema: &JSONSchemaProps) -> String {
    let mut text = schema.type_.clone().unwrap_or_default();
    let values = schema.enum_.iter().flatten();
    let values: Vec<&str> = values.filter_map(|value| value.0.as_str()).collect();
    if !values.is_empty() {
        let _ = write!(text, ", one of {}", values.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_custom_resources_are_found_by_name_or_path() {
        let scaler = explain_member("scaler").expect("it is a member");
        assert!(scaler.starts_with("spec.autoScaling.scaler of an EcsService\n"));
        assert!(scaler.contains("  type        string, one of operator\n"));
        for query in [
            "spec.autoScaling.scaler",
            "autoscaling.SCALER",
            "autoScaling.scaler",
        ] {
            assert_eq!(explain_member(query), Some(scaler.clone()), "{query}");
        }
        let scaling = explain_member("autoScaling").expect("it is a member");
        let members =
            "  members     alarms, scalableTarget, scaler, scalingPolicies, scheduledActions\n";
        assert!(scaling.contains(members), "{scaling}");
        let allowed = explain_member("allow.metricNamespaces[]").expect("it is a member");
        assert!(allowed.starts_with("spec.allow.metricNamespaces[] of an EcsPolicy\n"));
        assert_eq!(explain_member("caler"), None);
        assert_eq!(explain_member(""), None);
    }
}

//! The table of fields → the schemas of custom resources, so that the API server refuses what the reader would.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

use super::pod_schema;
use crate::fields::{Characters, Field, Kind, Node, Outcome, Shape};

/// The schema of a member with everything below it.
pub(super) fn schema(node: &Node) -> JSONSchemaProps {
    match &node.shape {
        Shape::Object(members) => {
            let required = members.iter().filter(|(_, member)| member.required);
            let required: Vec<String> = required.map(|(name, _)| (*name).to_owned()).collect();
            JSONSchemaProps {
                description: sentence(node.is),
                properties: Some(
                    members
                        .iter()
                        .map(|(name, member)| ((*name).to_owned(), schema(member)))
                        .collect(),
                ),
                required: (!required.is_empty()).then_some(required),
                ..of_type("object")
            }
        }
        Shape::List(element) => JSONSchemaProps {
            description: match &element.shape {
                Shape::Leaf(field) => Some(description(field)),
                _ => sentence(node.is),
            },
            ..list(schema(element), node.max_items)
        },
        Shape::Leaf(field) => leaf(field),
    }
}

/// An object with these members.
pub(super) fn object<'a>(
    description: &str,
    members: impl IntoIterator<Item = (&'a str, JSONSchemaProps)>,
) -> JSONSchemaProps {
    let members = members.into_iter();
    JSONSchemaProps {
        description: Some(description.to_owned()),
        properties: Some(
            members
                .map(|(name, member)| (name.to_owned(), member))
                .collect(),
        ),
        ..of_type("object")
    }
}

/// A list. Its elements have no description, because that of the list is about them.
pub(super) fn list(mut element: JSONSchemaProps, max_items: Option<usize>) -> JSONSchemaProps {
    element.description = None;
    JSONSchemaProps {
        items: Some(JSONSchemaPropsOrArray::Schema(Box::new(element))),
        max_items: max_items.and_then(|most| most.try_into().ok()),
        ..of_type("array")
    }
}

/// A value of a type with nothing else said about it.
pub(super) fn of_type(name: &str) -> JSONSchemaProps {
    JSONSchemaProps {
        type_: Some(name.to_owned()),
        format: (name == "integer").then(|| "int64".to_owned()),
        ..JSONSchemaProps::default()
    }
}

fn leaf(field: &Field) -> JSONSchemaProps {
    let limits = &field.limits;
    // No member is without a type: an object could be nested in it as deeply as somebody likes.
    let text_or_number = || JSONSchemaProps {
        x_kubernetes_int_or_string: Some(true),
        ..JSONSchemaProps::default()
    };
    let mut schema = match field.kind {
        Kind::String => of_type("string"),
        Kind::Integer => of_type("integer"),
        Kind::Number => of_type("number"),
        Kind::Boolean => of_type("boolean"),
        Kind::StringMap => JSONSchemaProps {
            additional_properties: Some(JSONSchemaPropsOrBool::Schema(Box::new(of_type("string")))),
            ..of_type("object")
        },
        // AWS takes a text as well as seconds.
        Kind::Timestamp => text_or_number(),
        // AWS takes any JSON.
        Kind::Document => JSONSchemaProps {
            additional_properties: Some(JSONSchemaPropsOrBool::Schema(Box::new(text_or_number()))),
            ..of_type("object")
        },
        Kind::Kubernetes => pod_schema::of_member(field.path),
    };
    schema.description = Some(description(field));
    schema.minimum = limits.min;
    schema.maximum = limits.max;
    schema.max_length = limits.max_length.and_then(|most| most.try_into().ok());
    schema.pattern = pattern(limits.characters);
    if !limits.values.is_empty() {
        let values = limits.values.iter();
        schema.enum_ = Some(values.map(|value| JSON((*value).into())).collect());
    }
    schema
}

/// The characters as a regular expression of RE2.
fn pattern(characters: Characters) -> Option<String> {
    let escaped = |more: &str| -> String {
        more.chars()
            .flat_map(|c| match c {
                '\\' | ']' | '[' | '^' | '-' => vec!['\\', c],
                c => vec![c],
            })
            .collect()
    };
    match characters {
        Characters::Any => None,
        Characters::Letters(more) => Some(format!("^[A-Za-z0-9{}]*$", escaped(more))),
        Characters::Lower(more) => Some(format!("^[a-z0-9{}]*$", escaped(more))),
    }
}

/// A description, if there is one.
fn sentence(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// What `kubectl explain` shows of a field: what it is, then what becomes of it.
fn description(field: &Field) -> String {
    let mut sentences = vec![field.is.to_owned()];
    if !field.unit.is_empty() {
        sentences.push(format!("Unit: {}.", field.unit));
    }
    if let Some(default) = field.default {
        sentences.push(format!("Default: {default}."));
    }
    if field.extension {
        sentences.push("An extension of this operator.".to_owned());
    }
    match field.outcome {
        Outcome::Rejected => sentences.push("Rejected.".to_owned()),
        Outcome::Noted => sentences.push("Has no meaning in Kubernetes.".to_owned()),
        Outcome::NotYet => sentences.push("Has no effect yet.".to_owned()),
        Outcome::Translated | Outcome::Warned if field.target.is_empty() => {}
        Outcome::Translated | Outcome::Warned => {
            sentences.push(format!(
                "In Kubernetes: {}.",
                field.target.trim_end_matches('.')
            ));
        }
    }
    if !field.rule.is_empty() {
        let mut rule = field.rule.trim_end_matches('.').chars();
        let first = rule.next().map(|first| first.to_ascii_uppercase());
        let rule: String = first.into_iter().chain(rule).collect();
        sentences.push(format!("{rule}."));
    }
    if !field.reasons.is_empty() {
        let names: Vec<&str> = field.reasons.iter().map(|reason| reason.name()).collect();
        sentences.push(format!("See {}.", names.join(", ")));
    }
    sentences.join(" ")
}

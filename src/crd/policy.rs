//! The CustomResourceDefinition of policies.

use k8s_openapi::{
    apiextensions_apiserver::pkg::apis::apiextensions::v1::{
        CustomResourceColumnDefinition, CustomResourceDefinition, CustomResourceDefinitionNames,
        CustomResourceDefinitionSpec, CustomResourceDefinitionVersion, CustomResourceValidation,
        JSON, JSONSchemaProps, JSONSchemaPropsOrBool, ValidationRule,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{
    API_VERSION,
    schema::{list, object, of_type},
};
use crate::policy::{Kind, List};

/// The maximum length of a pattern: more than an ARN has.
const PATTERN_LENGTH: i64 = 2048;
/// The maximum number of patterns in a list.
const PATTERNS: usize = 1000;

/// Returns the definition of EcsPolicy.
pub(super) fn definition() -> CustomResourceDefinition {
    let (group, version) = API_VERSION.split_once('/').unwrap_or((API_VERSION, ""));
    CustomResourceDefinition {
        metadata: ObjectMeta {
            name: Some(format!("ecspolicies.{group}")),
            ..ObjectMeta::default()
        },
        spec: CustomResourceDefinitionSpec {
            group: group.to_owned(),
            scope: "Cluster".to_owned(),
            names: CustomResourceDefinitionNames {
                kind: "EcsPolicy".to_owned(),
                list_kind: Some("EcsPolicyList".to_owned()),
                plural: "ecspolicies".to_owned(),
                singular: Some("ecspolicy".to_owned()),
                short_names: Some(vec!["ecspol".to_owned()]),
                // Not among those of `kubectl get ecs`, which lists what is in a namespace.
                categories: None,
            },
            versions: vec![CustomResourceDefinitionVersion {
                name: version.to_owned(),
                served: true,
                storage: true,
                additional_printer_columns: Some(vec![CustomResourceColumnDefinition {
                    name: "Age".to_owned(),
                    type_: "date".to_owned(),
                    json_path: ".metadata.creationTimestamp".to_owned(),
                    ..CustomResourceColumnDefinition::default()
                }]),
                schema: Some(CustomResourceValidation {
                    open_api_v3_schema: Some(root()),
                }),
                ..CustomResourceDefinitionVersion::default()
            }],
            ..CustomResourceDefinitionSpec::default()
        },
        status: None,
    }
}

fn root() -> JSONSchemaProps {
    let mut spec = object(
        "The policy. Those that select the same namespace add up.",
        [
            ("namespaceSelector", selector()),
            (
                List::Allow.member(),
                lists(
                    List::Allow,
                    "What the specs of these namespaces may use in addition to what anyone who may edit the namespace can use. Each member is a list of patterns, in which * stands for any text and ? for one character; in an ARN, neither reaches beyond the next colon.",
                ),
            ),
            (
                List::LimitTo.member(),
                lists(
                    List::LimitTo,
                    "What the specs of these namespaces may use at most of what anyone who may edit the namespace can use. A member that no policy has is not limited.",
                ),
            ),
        ],
    );
    spec.required = Some(vec!["namespaceSelector".to_owned()]);
    let mut root = object(
        "What the EcsServices, EcsTasks and EcsTaskDefinitions of some namespaces may use.",
        [("spec", spec)],
    );
    root.required = Some(vec!["spec".to_owned()]);
    root
}

fn lists(of: List, description: &str) -> JSONSchemaProps {
    let kinds = Kind::ALL.iter().filter(|kind| kind.list() == of);
    let members = kinds.map(|kind| {
        let pattern = JSONSchemaProps {
            max_length: Some(PATTERN_LENGTH),
            min_length: Some(1),
            ..of_type("string")
        };
        let patterns = JSONSchemaProps {
            description: Some(kind.description().to_owned()),
            ..list(pattern, Some(PATTERNS))
        };
        (kind.member(), patterns)
    });
    object(description, members)
}

/// Returns the schema of a LabelSelector.
fn selector() -> JSONSchemaProps {
    let text = || of_type("string");
    let labels = JSONSchemaProps {
        description: Some("Labels that a namespace has with these values.".to_owned()),
        additional_properties: Some(JSONSchemaPropsOrBool::Schema(Box::new(text()))),
        ..of_type("object")
    };
    let operators = ["In", "NotIn", "Exists", "DoesNotExist"];
    let operator = JSONSchemaProps {
        description: Some("How the label is compared with the values.".to_owned()),
        enum_: Some(operators.map(|it| JSON(it.into())).into()),
        ..text()
    };
    let key = JSONSchemaProps {
        description: Some("The label.".to_owned()),
        ..text()
    };
    let values = JSONSchemaProps {
        description: Some("The values, for In and NotIn.".to_owned()),
        ..list(text(), Some(100))
    };
    let mut expression = object(
        "",
        [("key", key), ("operator", operator), ("values", values)],
    );
    expression.required = Some(vec!["key".to_owned(), "operator".to_owned()]);
    expression.x_kubernetes_validations = Some(vec![ValidationRule {
        rule: "self.operator in ['In', 'NotIn'] == (has(self.values) && size(self.values) > 0)"
            .to_owned(),
        message: Some("In and NotIn need values, and Exists and DoesNotExist have none".to_owned()),
        ..ValidationRule::default()
    }]);
    let expressions = JSONSchemaProps {
        description: Some("Requirements that the labels of a namespace meet.".to_owned()),
        ..list(expression, Some(100))
    };
    object(
        "The namespaces that the policy is about, by their labels; {} selects all. Each has the label kubernetes.io/metadata.name with its name.",
        [("matchLabels", labels), ("matchExpressions", expressions)],
    )
}

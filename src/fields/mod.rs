//! The translation of every field: what AWS accepts, what the field becomes, and why.
//!
//! The same table is used by the reader (existing members, their types and limits), `ecs-operator explain` and
//! `docs/fields.md`. A test compares it with the AWS API model, so that no field can be forgotten.

mod api;
mod example;
mod explain;
mod markdown;
mod sample;
mod table;

use std::collections::BTreeMap;

pub use api::Api;
pub use example::Example;
pub use explain::{Explanation, consequence, explain, list};
pub use markdown::{fields_markdown, reasons_markdown};

use crate::diagnostic::Reason;

/// Reasons that apply to any field, or to a document as a whole.
pub const OF_DOCUMENTS: &[Reason] = &[
    Reason::AmbiguousDocument,
    Reason::AppRunnerFileNotRead,
    Reason::AppRunnerServicePaused,
    Reason::ArgumentsNotRead,
    Reason::BuilderDecidesSource,
    Reason::ClusterNotUnique,
    Reason::ClusterStrategyUsed,
    Reason::ConditionAssumed,
    Reason::ConditionNotKnown,
    Reason::ConditionsNotInFile,
    Reason::ConflictingObjects,
    Reason::ContainerListOnly,
    Reason::CopilotVariablesNotSet,
    Reason::CountAssumed,
    Reason::DescribeFailure,
    Reason::DuplicateDocument,
    Reason::DynamicReferencesAsSecrets,
    Reason::EcsParamsUnclear,
    Reason::EcsParamsUsed,
    Reason::EcspressoNamesDiffer,
    Reason::EcspressoNamesUsed,
    Reason::EnvironmentFileUnused,
    Reason::EnvironmentNotChosen,
    Reason::EnvironmentNotInManifest,
    Reason::ExpressionNotEvaluated,
    Reason::FamilyAssumed,
    Reason::FamilyShared,
    Reason::FileSkipped,
    Reason::FilesKept,
    Reason::FilesLeft,
    Reason::FirelensFileUnused,
    Reason::FolderWithoutDocuments,
    Reason::ImageRequired,
    Reason::ImportsAssumed,
    Reason::ImportsOfTemplates,
    Reason::IntrinsicFunction,
    Reason::InvalidValue,
    Reason::JsonnetValuesAssumed,
    Reason::KnownAfterApply,
    Reason::KnownAfterDeployment,
    Reason::LifecyclePolicyInvalid,
    Reason::MacrosNotRun,
    Reason::ManifestFieldNotRead,
    Reason::ManifestFieldUnused,
    Reason::ManifestValuesOpen,
    Reason::ManifestWithoutTasks,
    Reason::ModuleInputsNotRead,
    Reason::ModuleReadByInputs,
    Reason::ModuleVersionNotKnown,
    Reason::ModulesNotRead,
    Reason::NameSanitized,
    Reason::NamespaceReplaced,
    Reason::NestedStackFailed,
    Reason::NestedStackNotRead,
    Reason::NestedStacksAlike,
    Reason::NestedTemplateLeftOut,
    Reason::NotKnownBeforeApply,
    Reason::NothingToConvert,
    Reason::OperatorNeedsSettings,
    Reason::OptionUnused,
    Reason::OrphanScaling,
    Reason::OutputWithheld,
    Reason::OverriddenBlockMissing,
    Reason::ParameterNotAllowed,
    Reason::ParametersNotGiven,
    Reason::PascalCaseRead,
    Reason::PipeNeedsController,
    Reason::PlaceholderDefaultsUsed,
    Reason::PlaceholderNotFilled,
    Reason::PlaceholderStylesDiffer,
    Reason::PlaceholdersFilled,
    Reason::PlaceholdersKept,
    Reason::ReadOnlyFieldIgnored,
    Reason::RequiredField,
    Reason::ResourcesNotRead,
    Reason::RolePoliciesStay,
    Reason::RuleWithoutTargets,
    Reason::ScalerNeedsController,
    Reason::ScalingDocumentLeftOut,
    Reason::SensitiveValues,
    Reason::ServiceAssumed,
    Reason::SetUnused,
    Reason::SyntaxError,
    Reason::TargetsWithoutRule,
    Reason::TaskDefinitionNotRun,
    Reason::TaskSizeAssumed,
    Reason::TemplateFunctionFailed,
    Reason::TemplateNested,
    Reason::UnknownAnnotation,
    Reason::UnknownField,
    Reason::UnreadableFile,
    Reason::UpdateLeavesOut,
    Reason::WholeTemplate,
];

/// One leaf of a request.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The path, such as `containerDefinitions[].portMappings[].hostPort`; `[]` means the elements of a list.
    pub path: &'static str,
    /// What the member is in ECS, in a sentence.
    pub is: &'static str,
    /// The unit of a number; empty if it has none.
    pub unit: &'static str,
    /// The JSON type.
    pub kind: Kind,
    /// The values that AWS accepts, whatever the launch type.
    pub limits: Limits,
    /// The value that AWS uses if it is absent, if that means the same as absence.
    pub default: Option<&'static str>,
    /// The usual outcome.
    pub outcome: Outcome,
    /// All reasons that may be reported for it.
    pub reasons: &'static [Reason],
    /// What it becomes in Kubernetes; empty if nothing.
    pub target: &'static str,
    /// When it has another outcome, and what else to know.
    pub rule: &'static str,
    /// The AWS structure that has this member.
    pub shape: &'static str,
    /// Whether it is an extension of this operator, not a field of AWS.
    pub extension: bool,
}

/// An empty row; the rows of the tables set what differs from it.
const FIELD: Field = Field {
    path: "",
    is: "",
    unit: "",
    kind: Kind::String,
    limits: Limits::NONE,
    default: None,
    outcome: Outcome::Translated,
    reasons: &[],
    target: "",
    rule: "",
    shape: "",
    extension: false,
};

impl Field {
    /// Returns the name of the last member.
    #[must_use]
    pub fn name(&self) -> &'static str {
        let path = self.path.trim_end_matches("[]");
        path.rsplit('.').next().unwrap_or(path)
    }
}

/// The JSON type of a leaf. Lists are part of its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    String,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// An object of strings.
    StringMap,
    /// A date and time, as text or as seconds since 1970.
    Timestamp,
    /// Anything.
    Document,
    /// A part of a pod as Kubernetes has it.
    Kubernetes,
}

/// The values of a leaf that AWS accepts.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The allowed values; empty if all are allowed.
    pub values: &'static [&'static str],
    /// The smallest number.
    pub min: Option<f64>,
    /// The largest number.
    pub max: Option<f64>,
    /// The reason of the rule that reports a number out of range; if there is none, the reader does.
    pub checked_by: Option<Reason>,
    /// The maximum number of characters.
    pub max_length: Option<usize>,
    /// The allowed characters.
    pub characters: Characters,
}

impl Limits {
    /// No limits.
    pub const NONE: Self = Self {
        values: &[],
        min: None,
        max: None,
        checked_by: None,
        max_length: None,
        characters: Characters::Any,
    };
}

/// The characters of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Characters {
    /// Any.
    Any,
    /// Letters, digits and these.
    Letters(&'static str),
    /// Lowercase letters, digits and these.
    Lower(&'static str),
}

impl Characters {
    /// Whether `text` contains only these characters.
    #[must_use]
    pub fn allow(self, text: &str) -> bool {
        text.chars().all(|c| match self {
            Self::Any => true,
            Self::Letters(more) => c.is_ascii_alphanumeric() || more.contains(c),
            Self::Lower(more) => c.is_ascii_lowercase() || c.is_ascii_digit() || more.contains(c),
        })
    }

    /// Describes the rule in words; empty if all characters are allowed.
    #[must_use]
    pub fn describe(self) -> String {
        let spelled = |more: &str| more.chars().map(String::from).collect::<Vec<_>>().join(" ");
        match self {
            Self::Any => String::new(),
            Self::Letters(more) => format!("letters, digits and {}", spelled(more)),
            Self::Lower(more) => format!("lower-case letters, digits and {}", spelled(more)),
        }
    }
}

/// The usual outcome of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The same behavior.
    Translated,
    /// It runs, with a difference that is reported.
    Warned,
    /// The document is rejected, and the message says what to do instead.
    Rejected,
    /// It has no meaning in Kubernetes.
    Noted,
    /// It is not supported yet, which causes a warning or a rejection.
    NotYet,
}

impl Outcome {
    /// Returns the outcome in a word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Translated => "translated",
            Self::Warned => "translated with a warning",
            Self::Rejected => "rejected",
            Self::Noted => "noted",
            Self::NotYet => "not yet",
        }
    }
}

/// The properties of a member as a whole: a leaf, a list or an object.
#[derive(Clone, Copy, Debug)]
struct Member {
    path: &'static str,
    is: &'static str,
    required: bool,
    max_items: Option<usize>,
    always: Option<Reason>,
    needs_controller: Option<&'static str>,
}

const MEMBER: Member = Member {
    path: "",
    is: "",
    required: false,
    max_items: None,
    always: None,
    needs_controller: None,
};

/// A member of a request with everything below it.
#[derive(Debug)]
pub struct Node {
    /// What the member is in ECS, in a sentence; empty for a request and for the elements of a list.
    pub is: &'static str,
    /// The shape of the member.
    pub shape: Shape,
    /// Whether it is required in its object.
    pub required: bool,
    /// The maximum number of elements of a list.
    pub max_items: Option<usize>,
    /// The reason that is reported whenever it is present and not the default.
    pub always: Option<Reason>,
    /// What does not happen unless the operator is running.
    pub needs_controller: Option<&'static str>,
}

/// The shape of a member.
#[derive(Debug)]
pub enum Shape {
    /// An object with these members.
    Object(BTreeMap<&'static str, Node>),
    /// A list of these.
    List(Box<Node>),
    /// A value.
    Leaf(&'static Field),
}

impl Node {
    const fn new(shape: Shape) -> Self {
        Self {
            is: "",
            shape,
            required: false,
            max_items: None,
            always: None,
            needs_controller: None,
        }
    }

    const fn object() -> Self {
        Self::new(Shape::Object(BTreeMap::new()))
    }

    /// Changes the node at `path` below this one. Missing nodes are created as empty objects.
    fn change(&mut self, path: &'static str, change: impl FnOnce(&mut Self)) {
        let (name, rest) = match path.find(['.', '[']) {
            _ if path.is_empty() => return change(self),
            Some(0) if path.starts_with("[]") => ("[]", path.get(2..).unwrap_or_default()),
            Some(end) => path.split_at(end),
            None => (path, ""),
        };
        let rest = rest.strip_prefix('.').unwrap_or(rest);
        if name == "[]" {
            if !matches!(self.shape, Shape::List(_)) {
                self.shape = Shape::List(Box::new(Self::object()));
            }
            if let Shape::List(element) = &mut self.shape {
                element.change(rest, change);
            }
        } else if let Shape::Object(members) = &mut self.shape {
            members
                .entry(name)
                .or_insert_with(Self::object)
                .change(rest, change);
        }
    }
}

fn tree(api: Api) -> Node {
    let mut root = Node::object();
    for field in api.fields() {
        root.change(field.path, |node| {
            node.shape = Shape::Leaf(field);
        });
    }
    for member in table::members(api) {
        root.change(member.path, |node| {
            node.is = member.is;
            node.required = member.required;
            node.max_items = member.max_items;
            node.always = member.always;
            node.needs_controller = member.needs_controller;
        });
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_follow_the_paths() {
        let Shape::Object(members) = &Api::TaskDefinition.tree().shape else {
            panic!("not an object");
        };
        let containers = &members["containerDefinitions"];
        assert!(containers.required);
        let Shape::List(container) = &containers.shape else {
            panic!("not a list");
        };
        let Shape::Object(container) = &container.shape else {
            panic!("not an object");
        };
        assert!(container["image"].required && !container["cpu"].required);
        assert_eq!(
            container["dockerLabels"].always,
            Some(Reason::DockerLabelsAsAnnotation)
        );
        assert!(
            matches!(&container["command"].shape, Shape::List(word) if matches!(word.shape, Shape::Leaf(_)))
        );
    }
}

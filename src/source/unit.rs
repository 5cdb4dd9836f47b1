//! Documents that are converted together.

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    document::{Document, Location},
    kind::Kind,
    text::{SourceText, Span},
};
use crate::{
    diagnostic::{Diagnostic, Diagnostics, FieldPath, Message, Segment, Subject},
    ecs,
    input::{AppRunnerInput, PipeInput, RuleInput, ScheduleInput, ServiceInput, TaskInput},
    settings::{ANNOTATION_PREFIX, Mode, Settings},
};

/// The input of one result, with all findings of the reader.
#[derive(Debug)]
pub struct Unit {
    /// The requests.
    pub content: Content,
    /// The documents that they were read from. The first is the one that the unit represents.
    pub documents: Vec<Document>,
    /// The reader's findings. Paths are relative to the document of their subject.
    pub diagnostics: Diagnostics,
    /// The members and elements that the documents have, but the requests lack because they were invalid. Findings of
    /// the validation may only be consequences.
    pub left_out: Vec<FieldPath>,
    /// Whether another unit has the same task definition, and all that is found about it.
    pub shares: bool,
}

/// The requests of a unit.
#[derive(Debug)]
pub enum Content {
    /// A service.
    Service(Box<ServiceInput>),
    /// Tasks that run to completion.
    Task(Box<TaskInput>),
    /// A capacity provider.
    CapacityProvider(Box<ecs::CapacityProvider>),
    /// A schedule that starts tasks.
    Schedule(Box<ScheduleInput>),
    /// A service of App Runner.
    AppRunner(Box<AppRunnerInput>),
    /// A target of a rule that starts tasks.
    Rule(Box<RuleInput>),
    /// A pipe that starts tasks.
    Pipe(Box<PipeInput>),
    /// Nothing that could be converted; the diagnostics contain the reason.
    Nothing,
}

impl Content {
    /// Returns what the whole unit is about.
    #[must_use]
    pub const fn subject(&self) -> Subject {
        match self {
            Self::Task(_) => Subject::Task,
            Self::CapacityProvider(_) => Subject::CapacityProvider,
            Self::Schedule(_) => Subject::Schedule,
            Self::AppRunner(_) => Subject::AppRunnerService,
            Self::Rule(_) => Subject::Rule,
            Self::Pipe(_) => Subject::Pipe,
            Self::Service(_) | Self::Nothing => Subject::Service,
        }
    }
}

impl Unit {
    /// Returns the file of its first document.
    #[must_use]
    pub fn file(&self) -> &str {
        let first = self.documents.first();
        first.map_or("", |document| document.source().name())
    }

    /// Returns the name of the unit: that of its service, task or task definition.
    #[must_use]
    pub fn name(&self) -> &str {
        let own = match &self.content {
            Content::Service(input) => input.request.service_name.as_deref(),
            Content::Task(input) => Some(input.name.as_str()),
            Content::CapacityProvider(request) => request.name.as_deref(),
            Content::Schedule(input) => input.request.name.as_deref(),
            Content::AppRunner(input) => input.request.service_name.as_deref(),
            Content::Rule(input) => input.request.name.as_deref(),
            Content::Pipe(input) => input.request.name.as_deref(),
            Content::Nothing => None,
        };
        let document = || self.documents.first()?.name.as_deref();
        own.or_else(document).unwrap_or_default()
    }

    /// Returns the document that a path refers to, and the path within it.
    #[must_use]
    pub fn document_of(&self, path: &FieldPath) -> Option<(&Document, FieldPath)> {
        let (document, segments) = self.resolve(path)?;
        let start = FieldPath::root(path.subject());
        let inner = segments.iter().cloned();
        Some((document, inner.fold(start, |path, step| path.child(step))))
    }

    /// Returns the position of the field of a path.
    #[must_use]
    pub fn locate(&self, path: &FieldPath) -> Option<(&SourceText, Location)> {
        let (document, segments) = self.resolve(path)?;
        Some((document.source(), document.locate_segments(&segments)?))
    }

    /// Returns what a diagnostic points at.
    #[must_use]
    pub fn point_at(&self, diagnostic: &Diagnostic) -> Option<(&SourceText, Span)> {
        let (source, location) = self.locate(&diagnostic.path)?;
        Some((source, source.whole(location.span(diagnostic.reason()))))
    }

    /// Returns the settings of this unit: `settings`, overridden by the annotations of its documents. Those of the
    /// service or task take precedence over those of its task definition. If the account and the region are not set,
    /// they are taken from the ARNs in AWS responses.
    #[must_use]
    pub fn settings<'s>(
        &self,
        settings: &'s Settings,
        sink: &mut Diagnostics,
    ) -> Cow<'s, Settings> {
        let mut settings = Cow::Borrowed(settings);
        for document in self.documents.iter().rev() {
            let ours = |name: &String| name.starts_with(ANNOTATION_PREFIX);
            if document.annotations.keys().any(ours) {
                let path = FieldPath::root(document.kind().subject());
                let path = path.field("metadata").field("annotations");
                let own = settings.into_owned();
                settings = Cow::Owned(own.with_annotations(&document.annotations, &path, sink));
            }
        }
        let elsewhere = |document: &&Document| {
            let own = document.namespace.as_deref();
            own.is_some_and(|own| own != settings.namespace)
        };
        if let Some(document) = self.documents.iter().find(elsewhere) {
            let path = FieldPath::root(document.kind().subject());
            let message = Message::NamespaceReplaced {
                value: document.namespace.clone().unwrap_or_default(),
                ns: if settings.mode == Mode::Controller && !settings.namespace_is_given {
                    "the one that kubectl uses".to_owned()
                } else {
                    settings.namespace.clone()
                },
            };
            sink.report(path.field("metadata").field("namespace"), message);
        }
        let home = self
            .documents
            .iter()
            .find_map(|document| document.home.as_ref());
        if let Some(home) = home
            && home.adds_to(&settings)
        {
            home.complete(settings.to_mut());
        }
        settings
    }

    /// Returns the annotations of the custom resource that contains this kind of request.
    #[must_use]
    pub fn annotations(&self, kind: Kind) -> Option<&BTreeMap<String, String>> {
        let document = self.documents.iter().find(|doc| doc.kind() == kind)?;
        (!document.annotations.is_empty()).then_some(&document.annotations)
    }

    fn resolve(&self, path: &FieldPath) -> Option<(&Document, Vec<Segment>)> {
        let segments = path.segments();
        let of_kind = |kind| self.documents.iter().find(move |doc| doc.kind() == kind);
        let found = match path.subject() {
            Subject::TaskDefinition => of_kind(Kind::TaskDefinition),
            Subject::Service => of_kind(Kind::Service),
            Subject::Task => of_kind(Kind::Task),
            Subject::Cluster => of_kind(Kind::Cluster),
            Subject::CapacityProvider => of_kind(Kind::CapacityProvider),
            Subject::Schedule => of_kind(Kind::Schedule),
            Subject::AppRunnerService => of_kind(Kind::AppRunnerService),
            Subject::AutoScalingConfiguration => of_kind(Kind::AutoScalingConfiguration),
            Subject::Rule => {
                let rule = of_kind(Kind::Rule);
                let has = |document: &&Document| {
                    let location = document.locate_segments(segments.get(..1).unwrap_or_default());
                    !segments.is_empty() && location.is_some_and(|location| location.exact)
                };
                let targets = of_kind(Kind::RuleTargets).filter(has);
                rule.filter(has).or(targets).or(rule)
            }
            Subject::Pipe => of_kind(Kind::Pipe),
            Subject::AutoScaling => return self.scaling_document(segments),
            Subject::LifecyclePolicy => None,
        };
        match found {
            Some(document) => Some((document, segments.to_vec())),
            // A member of an assumed service belongs to the document that the service was assumed for.
            None => Some((self.documents.first()?, Vec::new())),
        }
    }

    /// Returns the document of a path such as `scalingPolicies[2]`, which counts the service's own `autoScaling` first
    /// and then the documents.
    fn scaling_document(&self, segments: &[Segment]) -> Option<(&Document, Vec<Segment>)> {
        let service = self.documents.first()?;
        let extension = || {
            let mut inner = vec![Segment::Member("autoScaling".into())];
            inner.extend_from_slice(segments);
            (service, inner)
        };
        let [Segment::Member(list), rest @ ..] = segments else {
            return Some(extension());
        };
        let (kind, index, rest) = match (&**list, rest) {
            ("scalableTarget", rest) => (Kind::ScalableTarget, 0, rest),
            ("scalingPolicies", [Segment::Element(index), rest @ ..]) => {
                (Kind::ScalingPolicy, *index, rest)
            }
            ("alarms", [Segment::Element(index), rest @ ..]) => (Kind::Alarm, *index, rest),
            ("scheduledActions", [Segment::Element(index), rest @ ..]) => {
                (Kind::ScheduledAction, *index, rest)
            }
            _ => return Some(extension()),
        };
        let path = [
            Segment::Member("autoScaling".into()),
            Segment::Member(list.clone()),
        ];
        let own = service
            .locate_segments(&path)
            .filter(|location| location.exact && service.kind() == Kind::Service)
            .map_or(0, |_| service.list_length(&path));
        let document = index.checked_sub(own).and_then(|index| {
            let of_kind = self.documents.iter().filter(|doc| doc.kind() == kind);
            of_kind.into_iter().nth(index)
        });
        Some(match document {
            Some(document) => (document, rest.to_vec()),
            None => extension(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::units;
    use crate::{
        diagnostic::{Diagnostics, FieldPath, Subject},
        settings::Settings,
    };

    /// Returns the text at a path of the first unit, and whether it is the field itself.
    fn at(files: &[(&str, &str)], path: &FieldPath) -> (String, String, bool) {
        let (units, problems) = units(files, &[]);
        assert_eq!(problems, Vec::<String>::new());
        let (source, location) = units[0].locate(path).unwrap();
        let span = if location.exact {
            location.value
        } else {
            location.key.unwrap_or(location.value)
        };
        (
            source.name().to_owned(),
            source.slice(span).to_owned(),
            location.exact,
        )
    }

    #[test]
    fn fields_are_found_through_wrappers_and_spellings() {
        let cpu = FieldPath::root(Subject::TaskDefinition)
            .field("containerDefinitions")
            .index(0)
            .field("cpu");
        for (name, text) in [
            (
                "a.json",
                r#"{"family":"a","containerDefinitions":[{"name":"a","image":"b","cpu":77}]}"#,
            ),
            (
                "a.json",
                r#"{"taskDefinition":{"family":"a","containerDefinitions":[{"name":"a","image":"b","cpu":77}]}}"#,
            ),
            (
                "a.json",
                r#"{"Properties":{"Family":"a","ContainerDefinitions":[{"Name":"a","Image":"b","Cpu":77}]}}"#,
            ),
            ("a.json", r#"[{"name":"a","image":"b","cpu":77}]"#),
            (
                "a.json",
                r#"[{"family":"a","containerDefinitions":[{"name":"a","image":"b","cpu":77}]}]"#,
            ),
            (
                "a.yaml",
                "- family: a\n  containerDefinitions:\n  - {name: a, image: b, cpu: 77}\n",
            ),
            (
                "a.yaml",
                "apiVersion: ecs-operator.dev/v1alpha1\nkind: EcsTaskDefinition\nmetadata: {name: ä}\nspec:\n  containerDefinitions:\n  - {name: a, image: b, cpu: 77}\n",
            ),
        ] {
            let found = at(&[(name, text)], &cpu);
            assert_eq!(found, (name.to_owned(), "77".to_owned(), true), "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_shown_at_what_is_around_it() {
        let files = [(
            "a.json",
            r#"{"family":"a","containerDefinitions":[{"name":"a","image":"b","logConfiguration":{"logDriver":"awslogs"}}]}"#,
        )];
        let container = FieldPath::root(Subject::TaskDefinition)
            .field("containerDefinitions")
            .index(0);
        let options = container.field("logConfiguration").field("options");
        let (_, text, exact) = at(&files, &options.field("awslogs-group"));
        assert_eq!((&*text, exact), ("\"logConfiguration\"", false));
        let desired = FieldPath::root(Subject::Service).field("desiredCount");
        let (file, text, _) = at(&files, &desired);
        assert!(file == "a.json" && text.starts_with("{\"family\""));
    }

    #[test]
    fn scaling_paths_lead_to_their_documents() {
        let service = "apiVersion: ecs-operator.dev/v1alpha1\nkind: EcsService\nmetadata: {name: web}\nspec:\n  taskDefinition: web\n  desiredCount: 1\n  autoScaling:\n    scalingPolicies: [{PolicyName: own}]\n";
        let files = [
            ("s.yaml", service),
            (
                "t.json",
                r#"{"family":"web","containerDefinitions":[{"name":"a","image":"b"}]}"#,
            ),
            (
                "p.json",
                r#"{"ScalingPolicies":[{"PolicyName":"first","ResourceId":"service/c/web"},{"PolicyName":"second","ResourceId":"service/c/web"}]}"#,
            ),
        ];
        let policies = FieldPath::root(Subject::AutoScaling).field("scalingPolicies");
        for (index, file, name) in [
            (0, "s.yaml", "own"),
            (1, "p.json", "\"first\""),
            (2, "p.json", "\"second\""),
        ] {
            let (found, text, exact) = at(&files, &policies.index(index).field("PolicyName"));
            assert_eq!((&*found, &*text, exact), (file, name, true));
        }
        let (units, _) = units(&files, &[]);
        let path = policies.index(2).field("PolicyName");
        let (document, inner) = units[0].document_of(&path).unwrap();
        assert_eq!(
            (document.source().name(), inner.to_string()),
            ("p.json", "PolicyName".to_owned())
        );
    }

    #[test]
    fn what_aws_answered_tells_region_and_account() {
        let arn = "arn:aws-cn:ecs:cn-north-1:123456789012:task-definition/web:3";
        let known = |text: &str, settings: &Settings| {
            let (units, _) = units(&[("a.json", text)], &[]);
            let settings = units[0].settings(settings, &mut Diagnostics::new());
            (
                settings.aws_region.clone(),
                settings.aws_account_id.clone(),
                settings.aws_partition.clone(),
            )
        };
        let some = |text: &str| Some(text.to_owned());
        let container = r#""containerDefinitions": [{"name": "web", "image": "nginx"}]"#;
        let described = format!(
            r#"{{"taskDefinition": {{"taskDefinitionArn": "{arn}", "family": "web", {container}}}}}"#
        );
        let none = Settings::default();
        let expected = (
            some("cn-north-1"),
            some("123456789012"),
            "aws-cn".to_owned(),
        );
        assert_eq!(known(&described, &none), expected);
        let given = Settings {
            aws_region: some("eu-west-1"),
            ..Settings::default()
        };
        assert_eq!(known(&described, &given).0, some("eu-west-1"));
        for unclear in [
            "arn:aws:ecs:${REGION}:123456789012:task-definition/web:3",
            "web:3",
        ] {
            let text = described.replace(arn, unclear);
            assert_eq!(
                known(&text, &none),
                (None, None, "aws".to_owned()),
                "{unclear}"
            );
        }
    }
}

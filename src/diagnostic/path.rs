//! Paths of fields in a document.

use std::{borrow::Cow, fmt};

/// The document that a path is relative to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A `RegisterTaskDefinition` request.
    TaskDefinition,
    /// A `CreateService` or `UpdateService` request.
    Service,
    /// A `RunTask` request.
    Task,
    /// A `CreateCluster` request.
    Cluster,
    /// A `CreateCapacityProvider` request.
    CapacityProvider,
    /// A `CreateSchedule` request.
    Schedule,
    /// A `CreateService` request of App Runner.
    AppRunnerService,
    /// A `CreateAutoScalingConfiguration` request of App Runner.
    AutoScalingConfiguration,
    /// A `PutRule` request with its targets.
    Rule,
    /// A `CreatePipe` request.
    Pipe,
    /// The `scalableTarget`, `scalingPolicies[]` and `scheduledActions[]` of a service.
    AutoScaling,
    /// A lifecycle policy of ECR.
    LifecyclePolicy,
}

/// One step of a [`FieldPath`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// A member of an object.
    Member(Cow<'static, str>),
    /// An element of a list.
    Element(usize),
}

/// The path of a field in a request body, printed as `containerDefinitions[1].portMappings[0].hostPort`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath {
    subject: Subject,
    segments: Vec<Segment>,
}

impl FieldPath {
    /// Returns the path of the whole document.
    #[must_use]
    pub const fn root(subject: Subject) -> Self {
        Self {
            subject,
            segments: Vec::new(),
        }
    }

    /// Returns the path of a member of the object at this path.
    #[must_use]
    pub fn field(&self, name: impl Into<Cow<'static, str>>) -> Self {
        self.child(Segment::Member(name.into()))
    }

    /// Returns the path of an element of the list at this path.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.child(Segment::Element(index))
    }

    /// Returns the path one step below this one.
    #[must_use]
    pub fn child(&self, segment: Segment) -> Self {
        let mut segments = Vec::with_capacity(self.segments.len() + 1);
        segments.extend_from_slice(&self.segments);
        segments.push(segment);
        Self {
            subject: self.subject,
            segments,
        }
    }

    /// Returns the document that the path is relative to.
    #[must_use]
    pub const fn subject(&self) -> Subject {
        self.subject
    }

    /// Returns the steps from the document to the field.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Returns the same steps in another document.
    #[must_use]
    pub fn with_subject(mut self, subject: Subject) -> Self {
        self.subject = subject;
        self
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.segments.iter().enumerate() {
            match segment {
                Segment::Element(index) => write!(f, "[{index}]")?,
                Segment::Member(name) if needs_quotes(name) => write!(f, "[{name:?}]")?,
                Segment::Member(name) if position == 0 => f.write_str(name)?,
                Segment::Member(name) => write!(f, ".{name}")?,
            }
        }
        Ok(())
    }
}

/// Whether a key has to be quoted. Keys of maps (labels, options) may contain any characters.
fn needs_quotes(name: &str) -> bool {
    name.is_empty()
        || !name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_a_json_path() {
        let path = FieldPath::root(Subject::TaskDefinition)
            .field("containerDefinitions")
            .index(1)
            .field("dockerLabels")
            .field("com.example/team");
        assert_eq!(
            path.to_string(),
            r#"containerDefinitions[1].dockerLabels["com.example/team"]"#
        );
    }
}

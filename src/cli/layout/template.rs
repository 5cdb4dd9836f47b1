//! An object as a template of a Helm chart (<https://helm.sh/docs/chart_template_guide/>).
//!
//! Values take the place of whole scalars of the object, before it is printed: each of them is a mark, which no other text
//! of the object contains, and becomes its expression afterwards. What else has the braces of a template is escaped.

use super::{
    chart_values::ChartValues,
    workload::{self, Image, NAMESPACE},
};
use crate::{
    print::{self, Ordered},
    source::open_placeholders,
};

/// The names of the templates that `templates/_values.tpl` defines.
pub(super) const IMAGE: &str = "ecs-operator.image";
pub(super) const PLACEHOLDER: &str = "ecs-operator.placeholder";

/// An expression that prints a brace.
const BRACE: &str = "{{ \"{\" }}";

/// The names of placeholders that a document keeps.
#[derive(Debug, Default)]
pub(in crate::cli) struct Kept(Vec<String>);

impl Kept {
    /// Takes the lists of the notes that say so.
    pub(in crate::cli) fn new<'n>(lists: impl Iterator<Item = &'n String>) -> Self {
        Self(lists.map(|names| format!(", {names}, ")).collect())
    }

    fn has(&self, name: &str) -> bool {
        let name = format!(", {name}, ");
        self.0.iter().any(|names| names.contains(&name))
    }

    fn is_in(&self, text: &str) -> bool {
        open_placeholders(text).any(|(_, _, name)| self.has(name))
    }
}

/// Makes a template of an object, and the values that it uses. With `namespace`, the release decides the namespace, which
/// the object has as this one.
pub(super) fn template(
    object: &Ordered,
    kept: &Kept,
    namespace: Option<&str>,
) -> Result<(String, ChartValues), print::Error> {
    let mut object = object.clone();
    let plain = print::yaml(&object)?;
    let mut marks = Marks {
        // Each candidate has another number, so one of them is not in the text.
        prefix: (0..=plain.len())
            .map(|number| format!("mark{number}x"))
            .find(|prefix| !plain.contains(prefix.as_str()))
            .unwrap_or_default(),
        expressions: Vec::new(),
        values: ChartValues::default(),
        kept,
    };
    if let Some(namespace) = namespace {
        marks.namespaces(&mut object, namespace);
    }
    marks.counts(&mut object);
    marks.images(&mut object);
    // The name of a pod that runs once stands for its contents.
    if object.identity().0 != "Pod" {
        marks.placeholders(&mut object);
    }
    let text = marks.unmarked(&print::yaml(&object)?);
    Ok((text, marks.values))
}

struct Marks<'k> {
    prefix: String,
    /// What each mark stands for.
    expressions: Vec<String>,
    values: ChartValues,
    kept: &'k Kept,
}

impl Marks<'_> {
    /// Returns a new mark. It is a word, so that it is printed without quotes.
    fn mark(&mut self, expression: String) -> String {
        self.expressions.push(expression);
        format!("{}{}x", self.prefix, self.expressions.len() - 1)
    }

    fn scalar(&mut self, expression: String) -> Ordered {
        Ordered::String(self.mark(expression))
    }

    fn namespaces(&mut self, object: &mut Ordered, namespace: &str) {
        let others = workload::namespaces_of_others(object.identity().0);
        for path in others.chain([NAMESPACE]) {
            if let Some(value) = object.at_mut(path)
                && value.as_str() == Some(namespace)
            {
                *value = self.scalar("\"{{ .Release.Namespace }}\"".to_owned());
            }
        }
    }

    fn counts(&mut self, object: &mut Ordered) {
        let (kind, name) = object.identity();
        let (kind, name) = (kind.to_owned(), name.to_owned());
        if let Some(path) = workload::replicas(&kind)
            && let Some(count) = object.at_mut(path)
        {
            self.values.add_replicas(&name, count.clone());
            *count = self.scalar(format!("{{{{ index .Values.replicas {} }}}}", word(&name)));
        }
        for (member, called) in workload::limits(&kind) {
            if let Some(limit) = object.at_mut(&["spec", member]) {
                self.values.add_limit(&name, called, limit.clone());
                let index = format!("index .Values.autoscaling {} \"{called}\"", word(&name));
                *limit = self.scalar(format!("{{{{ {index} }}}}"));
            }
        }
    }

    /// Gives each image a value. One with an open placeholder is left to the value of the placeholder.
    fn images(&mut self, object: &mut Ordered) {
        let workload = workload_name(object);
        workload::for_each_image(object, |container, image| {
            let Some(text) = image.as_str().filter(|text| !self.kept.is_in(text)) else {
                return;
            };
            self.values.add_image(&workload, container, Image::of(text));
            let (workload, container) = (word(&workload), word(container));
            let value = format!("index .Values.images {workload} {container}");
            *image = self.scalar(format!("\"{{{{ include \"{IMAGE}\" ({value}) }}}}\""));
        });
    }

    /// Gives the open placeholders in all texts and names of members their values. Objects are as deep as they are printed.
    fn placeholders(&mut self, value: &mut Ordered) {
        match value {
            Ordered::String(text) => {
                if let Some(mark) = self.with_placeholders(text) {
                    *text = mark;
                }
            }
            Ordered::List(elements) => {
                for element in elements {
                    self.placeholders(element);
                }
            }
            Ordered::Map(members) => {
                for (name, value) in members {
                    if let Some(mark) = self.with_placeholders(name) {
                        *name = mark.into();
                    }
                    self.placeholders(value);
                }
            }
            Ordered::Null | Ordered::Bool(_) | Ordered::Number(_) => {}
        }
    }

    /// Returns a mark for a text in double quotes in which expressions take the place of placeholders.
    fn with_placeholders(&mut self, text: &str) -> Option<String> {
        if !self.kept.is_in(text) {
            return None;
        }
        let mut scalar = String::from("\"");
        let mut end = 0;
        for (start, found, name) in open_placeholders(text) {
            if !self.kept.has(name) {
                continue;
            }
            let before = escaped(&quoted(text.get(end..start).unwrap_or_default()));
            match before.strip_suffix('{') {
                // It would be one of the braces of the expression.
                Some(before) => {
                    scalar.push_str(before);
                    scalar.push_str(BRACE);
                }
                None => scalar.push_str(&before),
            }
            let (key, default) = (word(name), word(found));
            let include = format!("include \"{PLACEHOLDER}\" (list . {key} {default})");
            scalar.push_str(&["{{ ", &include, " }}"].concat());
            self.values.add_placeholder(name, found);
            end = start + found.len();
        }
        scalar.push_str(&escaped(&quoted(text.get(end..).unwrap_or_default())));
        scalar.push('"');
        Some(self.mark(scalar))
    }

    /// Returns a text with expressions instead of marks, and everything else escaped.
    fn unmarked(&self, text: &str) -> String {
        let mut parts = text.split(self.prefix.as_str());
        let mut template = escaped(parts.next().unwrap_or_default());
        for part in parts {
            // A mark is its prefix, its number and an x.
            let (number, rest) = part.split_once('x').unwrap_or((part, ""));
            let expression = number
                .parse()
                .ok()
                .and_then(|number: usize| self.expressions.get(number));
            template.push_str(expression.map_or("", String::as_str));
            template.push_str(&escaped(rest));
        }
        template
    }
}

/// Returns what values call a workload. ECS services have their own names; what else runs may be named like one of them.
fn workload_name(object: &Ordered) -> String {
    match object.identity() {
        ("DaemonSet" | "Deployment" | "StatefulSet", name) => name.to_owned(),
        (kind, name) => format!("{}/{name}", kind.to_ascii_lowercase()),
    }
}

/// Escapes the braces that would begin an expression (<https://pkg.go.dev/text/template>).
fn escaped(text: &str) -> String {
    text.replace("{{", "{{ \"{{\" }}")
}

/// Returns a text as the inside of double quotes, in JSON, YAML and Go alike.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(character);
            }
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            // YAML 1.1 folds the line breaks of Unicode.
            '\0'..='\u{1f}' | '\u{7f}'..='\u{a0}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                let code = format!("\\u{:04x}", u32::from(character));
                quoted.push_str(&code);
            }
            _ => quoted.push(character),
        }
    }
    quoted
}

/// Returns a text as a word of an expression.
fn word(text: &str) -> String {
    format!("\"{}\"", quoted(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(object: &serde_json::Value, kept: &str, namespace: Option<&str>) -> (String, String) {
        let object = Ordered::new(object).unwrap();
        let kept = Kept::new([kept.to_owned()].iter());
        let (text, values) = template(&object, &kept, namespace).unwrap();
        (text, values.print().unwrap())
    }

    #[test]
    fn values_take_the_place_of_what_people_change() {
        let object = json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {
                "replicas": 3,
                "template": {"spec": {"containers": [
                    {"name": "app", "image": "shop/web:1.2", "args": ["replicas", "default"]},
                    {"name": "log", "image": "${REGISTRY}/log:7"},
                ]}},
            },
        });
        let (text, values) = of(&object, "REGISTRY", Some("default"));
        let expected = r#"apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: "{{ .Release.Namespace }}"
spec:
  replicas: {{ index .Values.replicas "web" }}
  template:
    spec:
      containers:
      - name: app
        image: "{{ include "ecs-operator.image" (index .Values.images "web" "app") }}"
        args:
        - replicas
        - default
      - name: log
        image: "{{ include "ecs-operator.placeholder" (list . "REGISTRY" "${REGISTRY}") }}/log:7"
"#;
        assert_eq!(text, expected);
        for line in [
            "  web: 3\n",
            "      tag: \"1.2\"\n",
            "  REGISTRY: ${REGISTRY}\n",
        ] {
            assert!(values.contains(line), "{values}");
        }
        let (text, _) = of(&object, "", None);
        assert!(text.contains("namespace: default\n"), "{text}");
        assert!(text.contains("\"web\" \"log\""), "{text}");
    }

    #[test]
    fn limits_are_those_of_each_autoscaler() {
        for (kind, low, high) in [
            ("HorizontalPodAutoscaler", "minReplicas", "maxReplicas"),
            ("ScaledObject", "minReplicaCount", "maxReplicaCount"),
        ] {
            let spec = json!({low: 1, high: 5});
            let object = json!({"kind": kind, "metadata": {"name": "a"}, "spec": spec});
            let (text, values) = of(&object, "", None);
            for (member, called) in [(low, "minReplicas"), (high, "maxReplicas")] {
                let line =
                    format!("  {member}: {{{{ index .Values.autoscaling \"a\" \"{called}\" }}}}\n");
                assert!(text.contains(&line), "{text}");
            }
            assert!(
                values.ends_with("    maxReplicas: 5\n    minReplicas: 1\n"),
                "{values}"
            );
        }
    }

    #[test]
    fn braces_of_others_are_no_expressions() {
        let open = r#"{{ "{{" }}"#;
        for (text, kept, expected) in [
            (
                "docker inspect -f '{{.Id}}'",
                "",
                format!("docker inspect -f '{open}.Id}}}}'"),
            ),
            ("{{{ a }}}", "", format!("{open}{{ a }}}}}}")),
            ("{{{{", "", format!("{open}{open}")),
            ("mark0x0x", "", "mark0x0x".to_owned()),
            (
                "{<A>}",
                "A",
                r#"{{ "{" }}{{ include "ecs-operator.placeholder" (list . "A" "<A>") }}}"#
                    .to_owned(),
            ),
            (
                "{{{<A>",
                "A",
                format!(
                    r#"{open}{{{{ "{{" }}}}{{{{ include "ecs-operator.placeholder" (list . "A" "<A>") }}}}"#
                ),
            ),
            (
                "\"{{ A }}\"\n",
                "A",
                r#"\"{{ include "ecs-operator.placeholder" (list . "A" "{{ A }}") }}\"\n"#
                    .to_owned(),
            ),
            (
                "<A> <B>",
                "B, C",
                r#"<A> {{ include "ecs-operator.placeholder" (list . "B" "<B>") }}"#.to_owned(),
            ),
        ] {
            let (found, _) = of(&json!({ "a": text }), kept, None);
            assert!(found.contains(&expected), "{text}: {found}");
        }
        let (text, _) = of(&json!({"<A>": 1}), "A", None);
        assert!(text.starts_with("\"{{ include"), "{text}");
    }
}

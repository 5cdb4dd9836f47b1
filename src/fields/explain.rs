//! `ecs-operator explain`: one field, the fields below a member, or a reason, in plain text.

use std::{collections::BTreeSet, fmt::Write as _};

use super::{Api, Example, Field, Kind, Outcome, sample, table};
use crate::diagnostic::{Page, Reason, Severity, StateReason};

/// The answer to a question about a field or reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Explanation {
    /// It is known; this is the text.
    Found(String),
    /// It is not; these names are nearest.
    Unknown {
        /// At most three, best first.
        nearest: Vec<String>,
    },
}

/// Explains a field path (with or without `[]` and indexes), a member and all below it, a request, or a reason.
#[must_use]
pub fn explain(query: &str) -> Explanation {
    let query = with_case(query);
    if let Ok(reason) = query.parse::<Reason>() {
        return Explanation::Found(explain_reason(reason));
    }
    if let Some(reason) = StateReason::named(query) {
        return Explanation::Found(explain_state(reason));
    }
    if let Some(api) = Api::named(query) {
        return Explanation::Found(list_of(api));
    }
    let wanted = member_of(&plain(query).to_ascii_lowercase());
    let mut exact = Vec::new();
    let mut below = Vec::new();
    let mut within = Vec::new();
    for (api, field) in every_field() {
        let path = plain(field.path).to_ascii_lowercase();
        if path == wanted {
            exact.push((api, field));
        } else if has_members(&path, &format!("{wanted}.")) {
            below.push((api, field));
        } else if has_members(&format!("{path}."), &format!(".{wanted}.")) {
            within.push((api, field));
        }
    }
    // A member's own name is enough where no path begins with it.
    if exact.is_empty() && below.is_empty() {
        below = within;
    }
    if exact.is_empty() && below.is_empty() {
        return Explanation::Unknown {
            nearest: nearest(&wanted),
        };
    }
    let mut text = String::new();
    let mut fields = exact.into_iter().chain(below).peekable();
    while let Some((api, field)) = fields.next() {
        if !text.is_empty() {
            text.push('\n');
        }
        explain_field(&mut text, api, field);
        let next = fields
            .peek()
            .and_then(|(api, field)| Example::of(*api, field));
        match Example::of(api, field) {
            None => line(&mut text, "example", &sample::smallest(field)),
            // Neighbours share theirs.
            Some(example) if next.is_some_and(|next| std::ptr::eq(next, example)) => {}
            Some(example) => explain_example(&mut text, example),
        }
    }
    Explanation::Found(text)
}

/// Every field with its outcome, one a line.
#[must_use]
pub fn list() -> String {
    let mut text = String::new();
    for api in Api::ALL {
        text.push_str(&list_of(*api));
    }
    text
}

/// Every field of one request with its outcome, one a line.
fn list_of(api: Api) -> String {
    let mut text = format!("{}\n", api.name());
    for field in api.fields() {
        let _ = writeln!(text, "  {:<72} {}", field.path, field.outcome.name());
    }
    text
}

fn every_field() -> impl Iterator<Item = (Api, &'static Field)> {
    Api::ALL
        .iter()
        .flat_map(|api| api.fields().map(|field| (*api, field)))
}

/// Whether a path has these members: those that it begins with, or, after a dot, those that stand anywhere in it.
fn has_members(path: &str, members: &str) -> bool {
    if members.starts_with('.') {
        members.len() > "..".len() && path.contains(members)
    } else {
        path.starts_with(members)
    }
}

/// Returns the path that the table has for one that a finding has: scaling requests and the settings of Kubernetes are
/// members of a resource there, and the keys of a map follow its name.
fn member_of(path: &str) -> String {
    const SCALING: [&str; 4] = [
        "alarms.",
        "scalabletarget.",
        "scalingpolicies.",
        "scheduledactions.",
    ];
    if let Some(path) = path.strip_prefix("kubernetes.") {
        // The table ends where a part that Kubernetes defines begins.
        let fields = Api::Kubernetes.fields();
        let mut paths = fields.map(|field| plain(field.path).to_ascii_lowercase());
        let whole = paths.find(|field| format!("{path}.").starts_with(&format!("{field}.")));
        return whole.unwrap_or_else(|| path.to_owned());
    }
    let path = path.strip_prefix("autoscaling.").unwrap_or(path);
    let path = SCALING
        .iter()
        .find_map(|list| path.strip_prefix(list))
        .unwrap_or(path);
    let is_field =
        |path: &str| every_field().any(|(_, field)| plain(field.path).eq_ignore_ascii_case(path));
    match path.rsplit_once('.') {
        Some((map, _)) if !is_field(path) && is_field(map) => map.to_owned(),
        _ => path.to_owned(),
    }
}

/// The path without list markers and indexes.
fn plain(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    let mut inside = false;
    for c in path.chars() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            _ if !inside => plain.push(c),
            _ => {}
        }
    }
    plain
}

/// Returns the name of the reason that a query names in other case, if there is one, or else the query.
fn with_case(query: &str) -> &str {
    let mut names = reasons();
    names
        .find(|name| name.eq_ignore_ascii_case(query))
        .unwrap_or(query)
}

fn reasons() -> impl Iterator<Item = &'static str> {
    let findings = Reason::ALL.iter().map(|reason| reason.name());
    findings.chain(StateReason::ALL.iter().map(|reason| reason.name()))
}

/// Returns the reasons and parts of paths, of as many members as `wanted` has, that resemble it in lower case.
fn nearest(wanted: &str) -> Vec<String> {
    let similarity =
        |name: &str| strsim::normalized_damerau_levenshtein(&name.to_ascii_lowercase(), wanted);
    let length = wanted.split('.').count();
    let parts = every_field().flat_map(|(_, field)| {
        let path = plain(field.path);
        let members: Vec<&str> = path.split('.').collect();
        let parts = members.windows(length).map(|part| part.join("."));
        parts.collect::<Vec<_>>()
    });
    let names: BTreeSet<String> = parts.chain(reasons().map(str::to_owned)).collect();
    let mut scored: Vec<(f64, String)> = names
        .into_iter()
        .map(|name| (similarity(&name), name))
        .collect();
    // Names that are as near keep their order.
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored
        .into_iter()
        .filter(|(score, _)| *score > 0.7)
        .take(3)
        .map(|(_, name)| name)
        .collect()
}

fn explain_field(text: &mut String, api: Api, field: &Field) {
    let _ = writeln!(text, "{}\n", field.path);
    let mut line = |name, value: &str| line(text, name, value);
    line("is", field.is);
    line("request", api.name());
    line("type", &describe_type(api, field));
    line("outcome", field.outcome.name());
    line(
        "becomes",
        if field.target.is_empty() {
            "nothing"
        } else {
            field.target
        },
    );
    line("rule", field.rule);
    let member = table::members(api).iter().find(|it| it.path == field.path);
    if let Some(what) = member.and_then(|it| it.needs_controller) {
        line("offline", what);
    }
    for reason in field.reasons {
        line(reason.severity().name(), &one_line(*reason));
    }
    line("source", &source(api, field));
}

/// One line of an explanation; none for an empty value.
fn line(text: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        let _ = writeln!(text, "  {name:<12}{value}");
    }
}

fn explain_example(text: &mut String, example: &Example) {
    line(text, "example", example.request);
    for (number, gives) in example.gives.trim().lines().enumerate() {
        line(text, if number == 0 { "gives" } else { "" }, gives);
    }
}

/// The type of a field and what AWS accepts, in words.
pub(super) fn describe_type(api: Api, field: &Field) -> String {
    let limits = &field.limits;
    let kind = match field.kind {
        Kind::String => "string",
        Kind::Integer => "integer",
        Kind::Number => "number",
        Kind::Boolean => "boolean",
        Kind::StringMap => "map of strings",
        Kind::Timestamp => "timestamp",
        Kind::Document => "any value",
        Kind::Kubernetes => "as in a pod of Kubernetes",
    };
    let mut parts = vec![kind.to_owned()];
    if !field.unit.is_empty() {
        parts.push(field.unit.to_owned());
    }
    match (limits.min, limits.max) {
        (Some(min), Some(max)) => parts.push(format!("{min} to {max}")),
        (Some(min), None) => parts.push(format!("at least {min}")),
        (None, Some(max)) => parts.push(format!("at most {max}")),
        (None, None) => {}
    }
    if !limits.values.is_empty() {
        parts.push(format!("one of {}", limits.values.join(", ")));
    }
    if let Some(length) = limits.max_length {
        parts.push(format!("at most {length} characters"));
    }
    let characters = limits.characters.describe();
    if !characters.is_empty() {
        parts.push(characters);
    }
    if let Some(default) = field.default {
        parts.push(format!("default {default}"));
    }
    let member = field.path.trim_end_matches("[]");
    if let Some(member) = table::members(api).iter().find(|it| it.path == member) {
        if let Some(most) = member.max_items {
            parts.push(format!("at most {most} elements"));
        }
        if member.required {
            parts.push("required".to_owned());
        }
    }
    parts.join(", ")
}

/// Where the field is documented.
pub(super) fn source(api: Api, field: &Field) -> String {
    if field.extension {
        "an extension of this operator".to_owned()
    } else {
        // The table has another structure of this name.
        let shape = match field.shape {
            "AlarmTag" | "AppRunnerTag" | "PipeTag" | "RuleTag" => "Tag",
            "AppRunnerNetworkConfiguration" | "ScheduleNetworkConfiguration" => {
                "NetworkConfiguration"
            }
            "CreateAppRunnerService" => "CreateService",
            "RuleEcsParameters" => "EcsParameters",
            "RuleTarget" | "ScheduleTarget" => "Target",
            "ScheduleVpcConfiguration" => "AwsVpcConfiguration",
            shape => shape,
        };
        format!("{}{shape}.html", api.reference())
    }
}

fn one_line(reason: Reason) -> String {
    let texts = [
        (reason.message_template(), reason.readable_message()),
        (reason.help_template(), reason.readable_help()),
    ];
    let texts = texts
        .into_iter()
        .filter(|(template, _)| says_something(template));
    let texts: Vec<String> = texts.map(|(_, text)| text).collect();
    match texts.as_slice() {
        [] => reason.name().to_owned(),
        texts => format!("{}: {}", reason.name(), texts.join("; ")),
    }
}

/// Whether a text has words of its own beside the facts that are filled in.
fn says_something(template: &str) -> bool {
    let mut inside = false;
    template.chars().any(|c| {
        inside = (inside || c == '{') && c != '}';
        !inside && c.is_alphabetic()
    })
}

/// Returns what a finding with this reason does, or where it is shown.
#[must_use]
pub fn consequence(reason: Reason) -> &'static str {
    match reason.severity() {
        Severity::Error => "the document is rejected",
        Severity::Warning => "it is translated, and this differs from ECS",
        Severity::Note if is_of_clusters(reason) => {
            "about an EcsCluster, whose notes no command shows"
        }
        Severity::Note => "shown with --verbose",
    }
}

/// Whether only fields of a cluster have this reason. `convert` takes no cluster, and a status has warnings alone.
fn is_of_clusters(reason: Reason) -> bool {
    let mut fields = every_field().filter(|(_, field)| field.reasons.contains(&reason));
    let is_it = |(api, _): &(Api, &Field)| *api == Api::Cluster;
    fields.next().is_some_and(|first| is_it(&first)) && fields.all(|field| is_it(&field))
}

fn explain_reason(reason: Reason) -> String {
    let mut text = format!(
        "{reason}\n\n  {}: {}\n  {}\n",
        reason.severity().name(),
        consequence(reason),
        reason.readable_message()
    );
    let help = reason.readable_help();
    if !help.is_empty() {
        let _ = writeln!(text, "  help: {help}");
    }
    let paths: Vec<&str> = every_field()
        .filter(|(_, field)| field.reasons.contains(&reason))
        .map(|(_, field)| field.path)
        .collect();
    if !paths.is_empty() {
        let _ = writeln!(text, "  fields: {}", paths.join(", "));
    }
    add_page(&mut text, reason.page());
    text
}

/// Adds what a page says beside the texts of the registry.
fn add_page(text: &mut String, page: Page<'_>) {
    for part in [page.explanation(), page.example()] {
        if !part.is_empty() {
            let _ = writeln!(text, "\n{part}");
        }
    }
}

fn explain_state(reason: StateReason) -> String {
    let mut text = format!(
        "{reason}\n\n  of conditions, events and stopped tasks\n  {}\n",
        reason.meaning()
    );
    if !reason.help().is_empty() {
        let _ = writeln!(text, "  help: {}", reason.help());
    }
    add_page(&mut text, reason.page());
    text
}

impl Outcome {
    /// The letter of the documentation's tables.
    pub(super) const fn mark(self) -> &'static str {
        match self {
            Self::Translated => "yes",
            Self::Warned => "yes, with a warning",
            Self::Rejected => "no",
            Self::Noted => "no meaning",
            Self::NotYet => "not yet",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(query: &str) -> String {
        match explain(query) {
            Explanation::Found(text) => text,
            Explanation::Unknown { nearest } => panic!("{query} is unknown, nearest {nearest:?}"),
        }
    }

    #[test]
    fn settings_of_kubernetes_are_found_as_resources_have_them() {
        for (query, first) in [
            ("kubernetes.pod.affinity", "pod.affinity"),
            ("kubernetes.pod.patch.spec.hostNetwork", "pod.patch"),
            (
                "kubernetes.pod.volumes[0].configMap.items[1].key",
                "pod.volumes[].configMap",
            ),
            ("kubernetes.expose.path", "expose.path"),
        ] {
            let Explanation::Found(text) = explain(query) else {
                panic!("{query} is not found");
            };
            assert_eq!(text.lines().next(), Some(first), "{query}");
        }
    }

    #[test]
    fn a_field_is_found_with_and_without_indexes() {
        for query in [
            "containerDefinitions.dependsOn.condition",
            "containerDefinitions[].dependsOn[].condition",
            "containerDefinitions[3].dependsOn[0].condition",
        ] {
            let text = text(query);
            assert!(
                text.starts_with("containerDefinitions[].dependsOn[].condition\n"),
                "{text}"
            );
            assert!(text.contains("API_ContainerDependency.html"), "{text}");
        }
    }

    #[test]
    fn the_paths_of_findings_are_known() {
        for (query, field) in [
            ("scalingPolicies[0].PolicyType", "PolicyType\n"),
            ("scalableTarget.ResourceId", "ResourceId\n"),
            (
                "containerDefinitions[0].logConfiguration.options.Name",
                "containerDefinitions[].logConfiguration.options\n",
            ),
            (
                "containerDefinitions[1].logConfiguration.options[\"@type\"]",
                "containerDefinitions[].logConfiguration.options\n",
            ),
        ] {
            let text = text(query);
            assert!(text.starts_with(field), "{query}: {text}");
        }
    }

    #[test]
    fn a_member_lists_what_is_below_it() {
        let text = text("containerDefinitions.dependsOn");
        assert!(
            text.contains("dependsOn[].containerName") && text.contains("dependsOn[].condition")
        );
    }

    #[test]
    fn a_request_lists_its_fields_by_each_of_its_names() {
        for query in [
            "CreateService",
            "updateservice",
            "AWS::ECS::Service",
            "EcsService",
        ] {
            let text = text(query);
            assert!(text.starts_with("CreateService\n"), "{query}: {text}");
            assert!(text.contains("  desiredCount "), "{query}: {text}");
            assert!(!text.contains("containerDefinitions"), "{query}: {text}");
        }
        assert!(text("RegisterScalableTarget").contains("MinCapacity"));
    }

    #[test]
    fn names_are_found_in_any_case_and_with_slips() {
        let reason = text("unknownfield");
        assert!(reason.starts_with("UnknownField\n"), "{reason}");
        assert!(
            reason.contains("<name> is not a member of this API"),
            "{reason}"
        );
        assert_eq!(text("HEALTHCHECK"), text("healthCheck"));
        for (query, expected) in [
            ("helthCheck", "healthCheck"),
            (
                "containerDefinitions.helthCheck",
                "containerDefinitions.healthCheck",
            ),
            ("helthCheck.intervall", "healthCheck.interval"),
            ("UnknwonField", "UnknownField"),
        ] {
            let Explanation::Unknown { nearest } = explain(query) else {
                panic!("{query} is known");
            };
            assert_eq!(
                nearest.first().map(String::as_str),
                Some(expected),
                "{query}"
            );
            text(&nearest[0]);
        }
    }

    #[test]
    fn a_members_own_name_is_enough() {
        let text = text("dependsOn");
        assert!(
            text.starts_with("containerDefinitions[].dependsOn[].containerName\n"),
            "{text}"
        );
        // There is a field of this path, so the containers' are not meant.
        assert!(!self::text("memory").contains("containerDefinitions[].memory\n"));
        assert!(matches!(explain(""), Explanation::Unknown { .. }));
    }

    #[test]
    fn facts_alone_are_no_text() {
        let text = text("containerDefinitions.ulimits.softLimit");
        assert!(text.contains("error       InvalidValue\n"), "{text}");
        let text = self::text("FargateCpuMemory");
        assert!(
            text.contains("Fargate has no size with cpu <cpu>"),
            "{text}"
        );
    }

    #[test]
    fn an_example_shows_what_comes_of_it() {
        let text = text("containerDefinitions.dependsOn");
        let example = text.find("\n  example     {").expect("an example");
        assert!(
            text[example..].contains("\n  gives       initContainers:\n"),
            "{text}"
        );
        assert_eq!(text.matches("\n  example     ").count(), 1, "{text}");
    }

    #[test]
    fn a_reason_names_its_fields() {
        let text = text("MemoryBelowReservation");
        assert!(
            text.contains("containerDefinitions[].memoryReservation"),
            "{text}"
        );
    }

    #[test]
    fn an_unknown_name_gets_the_nearest_ones() {
        let Explanation::Unknown { nearest } = explain("containerDefinitions.helthCheck.command")
        else {
            panic!("found");
        };
        assert_eq!(
            nearest.first().map(String::as_str),
            Some("containerDefinitions.healthCheck.command")
        );
    }
}

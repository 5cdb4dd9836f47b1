//! Changes each field of the rules and pipes in the golden cases, and compares what happens with what the table says.

use ecs_operator::{
    convert::Target,
    crd::PipeExtensions,
    fields::Api,
    settings::Settings,
    source::{Catalog, Content, Fill, Unit, read_pipe},
    validate::validate_pipe,
};
use serde_json::{Value, json};

use crate::{
    cases::{cases, inputs},
    library,
    rows::{Findings, wrong_rows},
};

/// Returns a path without the numbers of elements, as the table has it.
fn without_numbers(path: &str) -> String {
    let mut plain = String::new();
    let mut inside = false;
    for c in path.chars() {
        inside = (inside && c != ']') || c == '[';
        if !inside || c == '[' {
            plain.push(c);
        }
    }
    plain
}

/// Returns what is said about documents.
fn findings(result: &library::Result) -> Findings {
    let findings = result.conversions.iter().flat_map(|it| &it.diagnostics);
    let findings = findings.map(|it| {
        let path = it.path.to_string();
        let text = format!("{path} {} {}", it.reason(), it.message);
        (without_numbers(&path), it.severity(), text)
    });
    findings.collect()
}

/// Returns what becomes of a rule, and what is said about it.
fn effects(rule: &Value, definitions: &[Value]) -> (Vec<Value>, Findings) {
    let texts = definitions.iter().chain([rule]).map(Value::to_string);
    let result = library::convert(texts, &Settings::default());
    (result.objects(), findings(&result))
}

/// Returns the requests of the golden cases that `take` finds, each with all task definitions of its case.
fn requests(take: impl Fn(&Content) -> Option<Value>) -> Vec<(Value, Vec<Value>)> {
    let mut all = Vec::new();
    for case in cases() {
        let paths = inputs(&case).into_iter().map(|name| case.join(name));
        let paths: Vec<_> = paths.collect();
        let catalog = Catalog::read(&paths, None, Fill::default(), &mut |_| {});
        let units: Vec<Unit> = catalog.into_units().filter_map(Result::ok).collect();
        let mut definitions = Vec::new();
        for unit in &units {
            let definition = match &unit.content {
                Content::Rule(input) => &input.task_definition,
                Content::Pipe(input) => &input.task_definition,
                _ => continue,
            };
            if let Some(definition) = definition
                && !definitions.contains(&json!(definition.request))
            {
                definitions.push(json!(definition.request));
            }
        }
        let mut found: Vec<Value> = units.iter().filter_map(|it| take(&it.content)).collect();
        found.dedup();
        all.extend(found.into_iter().map(|it| (it, definitions.clone())));
    }
    all
}

#[test]
fn every_row_of_a_rule_says_what_is_so() {
    let rules = requests(|content| match content {
        Content::Rule(input) => Some(json!(input.request)),
        _ => None,
    });
    let wrong = wrong_rows(Api::Rule, &rules, |rule, beside| effects(rule, beside));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Returns what the operator makes of a pipe, and what is said about its conversion for the operator.
fn effects_of_pipe(pipe: &Value, definitions: &[Value]) -> (String, Findings) {
    let texts = definitions.iter().chain([pipe]).map(Value::to_string);
    let result = library::convert_to(texts, &Settings::default(), Target::Resources);
    let (request, extensions, _) = read_pipe("pipe", &pipe.to_string());
    assert_eq!(extensions, PipeExtensions::default());
    let validated = format!("{:?}", validate_pipe(&request).ok());
    (validated, findings(&result))
}

#[test]
fn every_row_of_a_pipe_says_what_is_so() {
    let pipes = requests(|content| match content {
        Content::Pipe(input) => Some(json!(input.request)),
        _ => None,
    });
    let wrong = wrong_rows(Api::Pipe, &pipes, |pipe, beside| {
        effects_of_pipe(pipe, beside)
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_rule_changes_nothing_beside_it() {
    let definition = json!({"family": "web", "containerDefinitions": [{"name": "web", "image": "nginx", "memory": 64}]});
    let service = json!({"serviceName": "web", "taskDefinition": "web", "desiredCount": 2});
    let task = json!({"taskDefinition": "web", "count": 2});
    let target = |id: &str, family: &str| {
        json!({
            "Id": id, "Arn": "arn:aws:ecs:eu-west-1:111122223333:cluster/shop",
            "EcsParameters": {"TaskDefinitionArn": family},
        })
    };
    for (expression, families, expected) in [
        ("rate(1 hour)", &["web"][..], 1),
        ("rate(1 hour)", &["web", "web"], 2),
        ("rate(1 hour)", &["web", "gone"], 1),
        ("rate(7 minutes)", &["web"], 0),
        ("rate(1 hour)", &["gone"], 0),
    ] {
        let targets = families.iter().zip(["a", "b"]);
        let targets: Vec<Value> = targets.map(|(family, id)| target(id, family)).collect();
        let rule = json!({"Name": "hourly", "ScheduleExpression": expression, "Targets": targets});
        let texts = [&definition, &service, &task].map(Value::to_string);
        let without = library::convert(texts.clone(), &Settings::default()).objects();
        assert_eq!(without.len(), 4);
        let more = texts.into_iter().chain([rule.to_string()]);
        let mut with = library::convert(more, &Settings::default()).objects();
        let before = with.len();
        with.retain(|object| object["kind"] != "CronJob");
        assert_eq!(before - with.len(), expected, "{expression} {families:?}");
        assert_eq!(with, without);
    }
}

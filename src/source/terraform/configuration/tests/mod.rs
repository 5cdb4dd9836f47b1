//! Tests of expressions, and of configurations as a whole.

mod clusters;
mod described;
mod families;
mod overridden;
mod unread;

use std::fmt::Write as _;

use super::{
    super::super::{
        configured::of_texts,
        testing::expansion,
        text::SourceText,
        tree::{Node, print},
    },
    super::expand_file,
    evaluator::{Context, Evaluator, ONCE},
    function::json_of_value,
    *,
};

fn values(parameters: &[(&str, &str)], fill: &[(&str, &str)]) -> Values {
    let owned = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect::<BTreeMap<_, _>>()
    };
    Values {
        fill: owned(fill),
        parameters: owned(parameters),
        region: Some("eu-west-1".to_owned()),
        account_id: Some("111122223333".to_owned()),
        ..Values::default()
    }
}

/// What expressions can refer to.
const SURROUNDINGS: &str = r#"
variable "open" {}
variable "count_of" { default = 3 }
variable "typed" {
  type    = object({ a = number, b = optional(string, "x"), c = optional(list(string)) })
  default = { a = "7" }
}
locals {
  name = "shop"
  more      = var.open + 1
  a_in_json = jsonencode([local.more])
  list = ["b", "a", "b"]
  map  = { b = 2, a = 1 }
  one  = local.two
  two  = local.one
  deep = { list = [{ port = 80 }, { port = 81 }] }
}
resource "aws_iam_role" "app" { name = "app-${local.name}" }
resource "aws_subnet" "a" {
  count = 2
}
resource "aws_sqs_queue" "q" {
  for_each = toset(["x", "y"])
  name     = "q-${each.key}"
}
data "aws_caller_identity" "me" {}
data "aws_region" "here" {}
data "aws_ssm_parameter" "key" { name = "/shop/key" }
data "template_file" "t" {
  template = "a-$${v}"
  vars = { v = local.name }
}
"#;

/// Returns the JSON of an expression, `?` with what it depends on, or `!` with what is wrong.
fn evaluated(expression: &str) -> String {
    let texts = Texts(BTreeMap::from([
        (
            "main.tf".to_owned(),
            SourceText::new("main.tf", SURROUNDINGS),
        ),
        (
            "t.tpl".to_owned(),
            SourceText::new("t.tpl", "hello ${name}%{ if loud }!%{ endif }\n"),
        ),
        (
            "x.yaml".to_owned(),
            SourceText::new("x.yaml", "a: 1\nb: [c, 2.50]\n"),
        ),
    ]));
    let modules = Modules::read("", &texts);
    let values = values(&[], &[]);
    let mut evaluator = Evaluator::new(&modules, &texts, &values);
    let expression = match hcl_edit::parser::parse_expr(expression) {
        Ok(expression) => expression,
        Err(error) => return format!("syntax: {error}"),
    };
    let context = Context::of(0, 0, ONCE);
    match evaluator.expression(&expression, &context) {
        Ok(value) => match json_of_value(&mut evaluator, &value) {
            Ok((text, open)) if open.is_empty() => text,
            Ok((_, open)) => format!("?{}", open.join(",")),
            Err(failure) => format!("!{}", failure.why),
        },
        Err(failure) => format!("!{}", failure.why),
    }
}

fn check(table: &[(&str, &str)]) {
    let mut wrong = String::new();
    for (expression, expected) in table {
        let found = evaluated(expression);
        if found != *expected {
            writeln!(
                wrong,
                "{expression}\n  expected {expected}\n  found    {found}"
            )
            .unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn operators_and_conditions_are_evaluated() {
    check(&[
        ("1 + 2 * 3", "7"),
        ("7 / 2", "3.5"),
        ("-7 % 4", "-3"),
        ("1 / 0", "!a number is divided by zero, or too large"),
        ("256 * 2", "512"),
        ("0.5 + 0.5", "1"),
        ("100 * 1.1", "110"),
        ("0.1 + 0.2", "0.3"),
        ("aws_iam_role.app.arn != \"\" ? 1 : 2", "1"),
        ("aws_sqs_queue.q[\"x\"].id == null", "false"),
        ("aws_iam_role.app != null", "true"),
        ("data.aws_ssm_parameter.key.id == null ? 1 : 2", "2"),
        ("var.open == null ? 1 : 2", "2"),
        ("1e3", "1000"),
        ("!true || 1 < 2", "true"),
        ("\"a\" == \"a\" && [1] == [1]", "true"),
        ("1 == \"1\"", "false"),
        ("\"1\" + \"2\"", "3"),
        ("null == null", "true"),
        ("{ a = 1 } == { a = 1 }", "true"),
        ("true ? \"a\" : 1 / 0", "\"a\""),
        (
            "[1] ? 1 : 2",
            "!a condition is true or false, and not a list",
        ),
        ("false && var.open", "false"),
        ("var.open == \"a\" ? 1 : 2", "2"),
        ("var.open + 1", "?var.open"),
        ("var.open == var.open", "true"),
        ("var.open || true", "true"),
    ]);
}

#[test]
fn references_lead_to_values() {
    check(&[
        ("local.name", "\"shop\""),
        ("local.one", "!local.one refers to itself"),
        ("local.none", "!there is no local.none"),
        ("var.none", "!there is no variable none"),
        ("var.open", "\"${var.open}\""),
        ("var.open.a[0]", "\"${var.open.a.0}\""),
        ("var.count_of", "3"),
        ("var.typed", r#"{"a":7,"b":"x","c":null}"#),
        ("local.deep.list[1].port", "81"),
        ("local.deep.list[*].port", "[80,81]"),
        ("local.deep.list.*.port", "[80,81]"),
        ("local.deep.list.0.port", "80"),
        ("local.deep.list[5]", "!there is no element 5"),
        ("local.map[\"a\"]", "1"),
        ("local.map.c", "!there is no attribute c"),
        ("local.map[\"${var.open}_c\"]", "?var.open"),
        ("aws_iam_role.app.name", "\"app-shop\""),
        (
            "aws_iam_role.app.arn",
            "\"arn:aws:iam::111122223333:role/app-shop\"",
        ),
        ("aws_iam_role.none.arn", "!there is no aws_iam_role.none"),
        (
            "aws_subnet.a[*].id",
            r#"["${aws_subnet.a.0.id}","${aws_subnet.a.1.id}"]"#,
        ),
        ("aws_subnet.a[1].id", "\"${aws_subnet.a.1.id}\""),
        ("aws_sqs_queue.q[\"x\"].name", "\"q-x\""),
        (
            "[for k, q in aws_sqs_queue.q : \"${k}=${q.name}\"]",
            r#"["x=q-x","y=q-y"]"#,
        ),
        (
            "values(aws_sqs_queue.q)[*].arn",
            r#"["arn:aws:sqs:eu-west-1:111122223333:q-x","arn:aws:sqs:eu-west-1:111122223333:q-y"]"#,
        ),
        ("data.aws_caller_identity.me.account_id", "\"111122223333\""),
        ("data.aws_region.here.name", "\"eu-west-1\""),
        (
            "data.aws_ssm_parameter.key.arn",
            "\"arn:aws:ssm:eu-west-1:111122223333:parameter/shop/key\"",
        ),
        (
            "data.aws_ssm_parameter.key.value",
            "\"${data.aws_ssm_parameter.key.value}\"",
        ),
        ("data.template_file.t.rendered", "\"a-shop\""),
        ("terraform.workspace", "\"default\""),
        ("path.module", "\".\""),
        ("each.key", "!each is outside a block with for_each"),
    ]);
}

#[test]
fn loops_and_templates_make_values() {
    check(&[
        (
            "[for x in local.list : upper(x) if x != \"a\"]",
            r#"["B","B"]"#,
        ),
        ("{ for k, v in local.map : k => v * 2 }", r#"{"a":2,"b":4}"#),
        (
            "{ for x in local.list : x => 1... }",
            r#"{"a":[1],"b":[1,1]}"#,
        ),
        (
            "{ for x in local.list : x => 1 }",
            "!a loop gives one key two values",
        ),
        ("[for i, x in local.list : i]", "[0,1,2]"),
        ("[for x in var.open : x]", "?var.open"),
        ("\"a-${local.name}-${1 + 1}\"", "\"a-shop-2\""),
        ("\"${local.map}\"", r#"{"a":1,"b":2}"#),
        (
            "\"x${local.map}\"",
            "!a text has a string, a number or a boolean in it, and not an object",
        ),
        ("\"${var.open}/x\"", "\"${var.open}/x\""),
        ("\"$${literal}\"", "\"${literal}\""),
        ("\"n${var.open + 1}\"", "?var.open"),
        // What is computed has the name of the local value that has it.
        ("\"n${local.more}\"", "\"n${local.more}\""),
        ("\"[${local.a_in_json}, ${jsonencode(1)}]\"", "?var.open"),
        ("\"%{ if true }a%{ else }b%{ endif }\"", "\"a\""),
        ("\"%{ for x in local.list }${x},%{ endfor }\"", "\"b,a,b,\""),
        ("\"a %{ if true ~} b %{~ endif } c\"", "\"a b c\""),
        // A mark removes spaces up to the end of its line, and not those of the next one.
        (
            "<<EOT\na\n  %{~ for x in [1, 2] ~}\n  b${x}\n  %{~ endfor ~}\n  c\nEOT",
            "\"a\\n  b1\\n  b2\\n  c\\n\"",
        ),
        (
            "<<EOT\na\n%{~ if true ~}\n\n  b\n%{~ endif ~}\nc\nEOT",
            "\"a\\n  bc\\n\"",
        ),
        (
            "<<-EOT\n    a\n      b ${local.name}\n    EOT",
            "\"a\\n  b shop\\n\"",
        ),
        ("{ (local.name) = 1, \"a.b\" = 2 }", r#"{"a.b":2,"shop":1}"#),
    ]);
}

/// Calls of functions, and what they make.
const FUNCTIONS: &[(&str, &str)] = &[
    (
        "jsonencode({ b = [1, true, null], a = \"x\" })",
        r#""{\"a\":\"x\",\"b\":[1,true,null]}""#,
    ),
    ("jsondecode(\"{\\\"a\\\": [1]}\").a[0]", "1"),
    ("yamldecode(file(\"x.yaml\"))", r#"{"a":1,"b":["c",2.5]}"#),
    ("jsondecode(\"{\")", "!jsondecode takes a text in JSON"),
    (
        "templatefile(\"t.tpl\", { name = \"x\", loud = true })",
        "\"hello x!\\n\"",
    ),
    (
        "templatefile(\"t.tpl\", {})",
        "!t.tpl: the template is not given name",
    ),
    (
        "file(\"../x\")",
        "!../x is neither below the folder that is given nor in its Git work tree, so it is not read",
    ),
    (
        "file(\"/etc/passwd\")",
        "!/etc/passwd is neither below the folder that is given nor in its Git work tree, so it is not read",
    ),
    (
        "file(\"${path.module}/none\")",
        "!./none cannot be read: there is no such file",
    ),
    ("fileexists(\"x.yaml\")", "true"),
    (
        "format(\"%s-%03d-%5.1f|%-4s|%t%%\", \"a\", 7, 1.25, \"b\", true)",
        "\"a-007-  1.2|b   |true%\"",
    ),
    ("format(\"%s\", [1])", "\"[1]\""),
    ("format(\"%s/x\", var.open)", "\"${var.open}/x\""),
    (
        "formatlist(\"%s.%s\", [\"a\", \"b\"], \"c\")",
        r#"["a.c","b.c"]"#,
    ),
    ("join(\",\", local.list)", "\"b,a,b\""),
    ("split(\",\", \"a,b\")", r#"["a","b"]"#),
    ("replace(\"a.b.c\", \".\", \"-\")", "\"a-b-c\""),
    ("replace(\"abc\", \"/(b)/\", \"[$1]\")", "\"a[b]c\""),
    ("title(lower(\"HELLO WORLD\"))", "\"Hello World\""),
    ("trimspace(\" a \")", "\"a\""),
    ("trim(\"?!a?\", \"!?\")", "\"a\""),
    ("trimprefix(\"ab\", \"a\")", "\"b\""),
    ("regex(\"[a-z]+\", \"12ab34\")", "\"ab\""),
    ("regex(\"(\\\\d)(x)?\", \"12\")", r#"["1",null]"#),
    ("regex(\"v(?P<major>\\\\d+)\", \"v12.3\").major", "\"12\""),
    ("regexall(\"[a-z]\", \"1a2b\")", r#"["a","b"]"#),
    ("length(regexall(\"x\", \"abc\")) > 0", "false"),
    ("regex(\"x\", \"abc\")", "!regex finds nothing in the text"),
    (
        "regex(\"(\", \"abc\")",
        "!a regular expression is wrong, or too large",
    ),
    ("regex(\"x\", var.open)", "?var.open"),
    ("urlencode(\"a b/c\")", "\"a+b%2Fc\""),
    // What would cut a placeholder is not known.
    (
        "replace(\"x-${var.open}\", \"x-\", \"y-\")",
        "\"y-${var.open}\"",
    ),
    ("replace(\"${var.open}\", \"open\", \"-\")", "?var.open"),
    ("replace(\"${var.open}.a\", \"/[.]/\", \"-\")", "?var.open"),
    ("split(\".\", \"a.${var.open}\")", "?var.open"),
    ("split(\"/\", \"a/${var.open}\")", r#"["a","${var.open}"]"#),
    ("trimsuffix(\"a-${var.open}\", \"}\")", "?var.open"),
    ("trimsuffix(\"${var.open}-a\", \"-a\")", "\"${var.open}\""),
    // A variable that has to be given is not null.
    ("var.open == null", "false"),
    ("\"x-${var.open}\" != null", "true"),
    (
        "{ for k, v in { a = var.open, b = null } : k => v if v != null }",
        r#"{"a":"${var.open}"}"#,
    ),
    ("var.open.a == null", "?var.open.a"),
    ("substr(\"hello\", 1, 3)", "\"ell\""),
    ("substr(\"hello\", -3, -1)", "\"llo\""),
    ("merge(local.map, { a = 9 }, null)", r#"{"a":9,"b":2}"#),
    ("merge(local.map, var.open)", "?var.open"),
    ("merge([{ a = 1 }, { b = 2 }]...)", r#"{"a":1,"b":2}"#),
    ("concat([1], [2, 3])", "[1,2,3]"),
    ("lookup(local.map, \"a\", 0)", "1"),
    ("lookup(local.map, \"z\", 0)", "0"),
    ("coalesce(null, \"\", \"x\")", "\"x\""),
    ("coalesce(var.open, \"x\")", "\"${var.open}\""),
    ("coalescelist([], [1])", "[1]"),
    ("compact([\"a\", \"\", null])", r#"["a"]"#),
    ("flatten([[1, [2]], [], 3])", "[1,2,3]"),
    ("distinct(local.list)", r#"["b","a"]"#),
    ("toset(local.list)", r#"["a","b"]"#),
    ("keys(local.map)", r#"["a","b"]"#),
    ("values(local.map)", "[1,2]"),
    ("element(local.list, 4)", "\"a\""),
    ("length(local.map)", "2"),
    ("length(var.open)", "?var.open"),
    ("contains(local.list, \"a\")", "true"),
    ("index(local.list, \"a\")", "1"),
    ("slice(local.list, 0, 2)", r#"["b","a"]"#),
    ("reverse([1, 2])", "[2,1]"),
    ("sort([\"b\", \"a\"])", r#"["a","b"]"#),
    ("range(3)", "[0,1,2]"),
    ("range(1, 10, 4)", "[1,5,9]"),
    ("tostring(12)", "\"12\""),
    ("tonumber(\"1.50\")", "1.5"),
    ("try(local.map.z, local.name)", "\"shop\""),
    ("can(local.map.z)", "false"),
    ("zipmap([\"a\"], [1])", r#"{"a":1}"#),
    ("list(1, var.open)", r#"[1,"${var.open}"]"#),
    (
        "map(\"a\", 1, \"b\", var.open)",
        r#"{"a":1,"b":"${var.open}"}"#,
    ),
    ("map(\"a\")", "!map takes names and values in turn"),
    ("setunion([\"a\"], [\"b\", \"a\"])", r#"["a","b"]"#),
    ("setsubtract([\"a\", \"b\"], [\"a\"])", r#"["b"]"#),
    ("setproduct([\"a\", \"b\"], [1])", r#"[["a",1],["b",1]]"#),
    ("one([5])", "5"),
    ("max(1, 3, 2)", "3"),
    ("ceil(1.2) + floor(1.8)", "3"),
    ("parseint(\"ff\", 16)", "255"),
    ("base64decode(base64encode(\"hi\"))", "\"hi\""),
    (
        "sha256(\"\")",
        "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"",
    ),
    ("upper(var.open)", "?var.open"),
    ("upper(\"x-${var.open}\")", "?var.open"),
    ("cidrsubnet(\"10.0.0.0/16\", 8, 1)", "?cidrsubnet()"),
    ("md5(\"a\")", "?md5()"),
    ("sha1(file(\"t.tpl\"))", "?sha1()"),
    ("fileset(path.module, \"*.{yaml,json}\")", r#"["x.yaml"]"#),
    ("fileset(\".\", \"**\")", r#"["main.tf","t.tpl","x.yaml"]"#),
    ("fileset(\"\", \"[tx].t?l\")", r#"["t.tpl"]"#),
    ("fileset(\"\", \"**/*.tf\")", r#"["main.tf"]"#),
    ("fileset(\"\", \"x+yaml\")", "[]"),
    (
        "fileset(\"..\", \"*\")",
        "!.. is neither below the folder that is given nor in its Git work tree, so it is not read",
    ),
    (
        "fileset(\"\", \"[\")",
        "!fileset takes a pattern of paths, and not a string",
    ),
    ("filemd5(\"t.tpl\")", "?filemd5()"),
    (
        "soundex(\"a\")",
        "!function soundex is not one of those that are evaluated",
    ),
    ("provider::x::y(1)", "?provider::x::y()"),
    ("provider::x::y(var.open)", "?var.open"),
    ("sum([1, 2])", "3"),
    ("alltrue([true, false])", "false"),
    ("anytrue([])", "false"),
    ("sensitive(\"a\")", "\"a\""),
];

#[test]
fn functions_are_evaluated() {
    check(FUNCTIONS);
}

/// Returns local values that double from one to the next.
fn doubling() -> String {
    let mut doubling = String::from("locals {\n  l0 = [1, 2]\n");
    for level in 1..40 {
        let inner = level - 1;
        writeln!(
            doubling,
            "  l{level} = concat(local.l{inner}, local.l{inner})"
        )
        .unwrap();
    }
    doubling.push_str("  n0 = [1]\n");
    for level in 1..80 {
        writeln!(
            doubling,
            "  n{level} = [local.n{}, local.n{}]",
            level - 1,
            level - 1
        )
        .unwrap();
    }
    doubling.push_str("}\n");
    doubling
}

#[test]
fn what_grows_without_end_is_given_up() {
    let doubling = doubling();
    let limit = "it makes more values than are read";
    for (expression, expected) in [
        ("length(local.l39)", limit),
        ("jsonencode(local.n40)", limit),
        ("[local.n35, local.n49]", "it is nested too deep"),
        (
            "local.n79",
            "expressions refer to each other more than 128 deep",
        ),
        ("range(100000)", "range makes more than 1024 elements"),
        (
            "format(\"%999999d\", 1)",
            "format makes more than 1000 characters",
        ),
        (
            "[for a in range(1000) : [for b in range(1000) : [for c in range(1000) : c]]]",
            "it takes more than 200000 steps",
        ),
        (
            "setproduct(range(1000), range(1000))",
            "setproduct makes more than 10000 elements",
        ),
        (
            "try(range(100000), 1)",
            "range makes more than 1024 elements",
        ),
    ] {
        let main = format!("{doubling}output \"o\" {{\n  value = {expression}\n}}\n");
        let texts = Texts(BTreeMap::from([(
            "main.tf".to_owned(),
            SourceText::new("main.tf", &main),
        )]));
        let modules = Modules::read("", &texts);
        let values = values(&[], &[]);
        let mut evaluator = Evaluator::new(&modules, &texts, &values);
        let output = modules.get(0).unwrap().outputs["o"]
            .argument("value")
            .unwrap();
        let value = evaluator.expression(output, &Context::of(0, 0, ONCE));
        let value = value.and_then(|value| json_of_value(&mut evaluator, &value));
        assert_eq!(value.unwrap_err().why, expected, "{expression}");
    }
}

/// Returns the documents of the files of a configuration, and what is said of them.
fn expanded(
    files: &[(&str, &str)],
    parameters: &[(&str, &str)],
    fill: &[(&str, &str)],
) -> (Vec<String>, Vec<String>) {
    let texts: Vec<SourceText> = files
        .iter()
        .map(|(name, text)| SourceText::new(*name, text))
        .collect();
    let mut values = values(parameters, fill);
    values.configurations = of_texts(&texts);
    let (mut documents, mut said) = (Vec::new(), Vec::new());
    for text in texts.iter().filter(|text| is_source(text.name())) {
        let expanded = expand_file(text.name(), &values);
        within(&expanded.resources, text.text());
        let (found, findings) = expansion(text.text(), &expanded);
        documents.extend(found);
        let findings = findings.iter();
        said.extend(findings.map(|it| format!("{}: {}: {it}", text.name(), it.reason())));
    }
    (documents, said)
}

/// Checks that all positions are in the text.
fn within(nodes: &[Node<'_>], text: &str) {
    for node in nodes {
        assert!(text.get(node.span.range()).is_some(), "{}", print(node));
        within(node.elements().unwrap_or_default(), text);
        for member in node.members().unwrap_or_default() {
            assert!(
                text.get(member.key_span.range()).is_some(),
                "{}",
                member.key
            );
            within(std::slice::from_ref(&member.value), text);
        }
    }
}

const TASK: &str = r#"
resource "aws_ecs_task_definition" "web" {
  family             = "web"
  execution_role_arn = aws_iam_role.exec.arn
  task_role_arn      = var.role
  container_definitions = jsonencode([
    { Name = "web", image = "${var.image}:${var.tag}", cpu = var.cpu + 1, imgae = 1 }
  ])
}
resource "aws_iam_role" "exec" {
  name = "exec"
}
"#;

#[test]
fn a_configuration_of_several_files_is_one() {
    let files = [
        ("a/main.tf", TASK),
        (
            "a/variables.tf",
            "variable \"image\" {\n  default = \"x\"\n}\nvariable \"tag\" {}\nvariable \"role\" {}\nvariable \"cpu\" {\n  type = number\n}\n",
        ),
        ("a/terraform.tfvars", "image = \"y\"\n"),
        ("a/z.auto.tfvars", "image = \"nginx\"\n"),
    ];
    let (documents, said) = expanded(&files, &[("cpu", "255")], &[]);
    assert_eq!(
        documents,
        [
            "{Type:\"aws_ecs_task_definition\",Properties:{ContainerDefinitions:[{Name:\"web\",cpu:256,image:\"nginx:${var.tag}\"}],ExecutionRoleArn:\"arn:aws:iam::111122223333:role/exec\",Family:\"web\",TaskRoleArn:\"${var.role}\"}}"
        ]
    );
    assert_eq!(
        said,
        [
            "a/main.tf: ArgumentsNotRead: aws_ecs_task_definition.web has arguments that are not read: container_definitions[].imgae",
            "a/main.tf: ResourcesNotRead: the Terraform configuration also makes what is not converted: aws_iam_role",
            "a/main.tf: ParametersNotGiven: no value is given for role, tag, so placeholders stand for them",
        ]
    );
    let (documents, said) = expanded(
        &files,
        &[("cpu", "255"), ("tag", "v1")],
        &[("var.role", "r")],
    );
    assert!(
        documents[0].contains("nginx:v1") && documents[0].contains("TaskRoleArn:\"r\""),
        "{documents:?}"
    );
    assert_eq!(said.len(), 2, "{said:?}");
}

#[test]
fn what_terraform_reads_besides_and_is_not_read_is_said() {
    let files = [
        ("main.tf", TASK),
        ("terraform.tfvars", "a = 1\nb = {\n"),
        ("x.auto.tfvars.json", "[]"),
    ];
    let (_, said) = expanded(&files, &[], &[]);
    for expected in [
        "terraform.tfvars cannot be evaluated: line 2",
        "x.auto.tfvars.json cannot be evaluated: an object is needed here, and not a list",
    ] {
        assert!(
            said.iter().any(|it| it.contains(expected)),
            "{expected}: {said:?}"
        );
    }
}

#[test]
fn values_of_sensitive_variables_are_in_no_message() {
    let text = "variable \"pw\" {\n  sensitive = true\n  default = \"hunter2\"\n}\nresource \"aws_ecs_service\" \"s\" {\n  name = \"s\"\n  task_definition = \"t\"\n  cluster = file(var.pw)\n  launch_type = \"x-${var.pw}\"\n}\n";
    let (documents, said) = expanded(&[("main.tf", text)], &[], &[]);
    assert!(
        documents[0].contains("(sensitive value) cannot be read"),
        "{documents:?}"
    );
    assert_eq!(
        said,
        [
            "main.tf: SensitiveValues: the output has values in plain text that Terraform treats as sensitive: aws_ecs_service.s.launch_type"
        ]
    );
}

#[test]
fn the_workspace_and_words_for_switches_are_taken() {
    let text = "resource \"aws_ecs_service\" \"s\" {\n  name = \"s-${terraform.workspace}\"\n  task_definition = \"t\"\n  network_configuration {\n    subnets = [\"subnet-1\"]\n    assign_public_ip = \"true\"\n  }\n}\n";
    let (documents, _) = expanded(
        &[("main.tf", text)],
        &[],
        &[("terraform.workspace", "prod")],
    );
    assert!(
        documents[0].contains("ServiceName:\"s-prod\""),
        "{documents:?}"
    );
    assert!(
        documents[0].contains("AssignPublicIp:\"ENABLED\""),
        "{documents:?}"
    );
}

#[test]
fn a_value_that_is_computed_of_one_task_definition_names_it() {
    let task = "resource \"aws_ecs_task_definition\" \"a\" {\n  family = \"a\"\n  container_definitions = \"[]\"\n}\n";
    for expression in [
        "replace(aws_ecs_task_definition.a.arn, \"/:[0-9]+$/\", \"\")",
        "\"${aws_ecs_task_definition.a.family}:${max(aws_ecs_task_definition.a.revision, 1)}\"",
        "trimsuffix(aws_ecs_task_definition.a.arn, \":${aws_ecs_task_definition.a.revision}\")",
    ] {
        let service = format!(
            "resource \"aws_ecs_service\" \"s\" {{\n  name = \"s\"\n  task_definition = {expression}\n}}\n"
        );
        let text = format!("{task}{service}");
        let (documents, _) = expanded(&[("main.tf", &text)], &[], &[]);
        assert!(
            documents[1].contains("TaskDefinition:\"a\""),
            "{expression}: {documents:?}"
        );
    }
}

#[test]
fn instances_of_modules_are_limited() {
    let call = |to: &str| format!("module \"m\" {{\n  source = \"./{to}\"\n  count = 100\n}}\n");
    let files = [
        ("main.tf", &*call("b")),
        ("b/main.tf", &*call("c")),
        ("b/c/main.tf", TASK),
    ];
    let (_, said) = expanded(&files, &[], &[]);
    let limits = said
        .iter()
        .filter(|it| it.contains("more than 2000 modules"));
    assert_eq!(limits.count(), 1, "{said:?}");
}

#[test]
fn what_is_computed_of_open_values_has_a_placeholder_of_its_own() {
    let text = "variable \"cpu\" {}\nresource \"aws_ecs_task_definition\" \"w\" {\n  family = upper(var.cpu)\n  container_definitions = jsonencode([{ name = \"a\", cpu = var.cpu + 1 }])\n}\n";
    let (documents, said) = expanded(&[("main.tf", text)], &[], &[]);
    assert_eq!(
        documents,
        [
            "{Type:\"aws_ecs_task_definition\",Properties:{ContainerDefinitions:[{cpu:\"${aws_ecs_task_definition.w.container_definitions.0.cpu}\",name:\"a\"}],Family:\"${aws_ecs_task_definition.w.family}\"}}"
        ]
    );
    assert!(said[0].contains("no value is given for cpu"), "{said:?}");
    assert!(said[1].contains("KnownAfterApply"), "{said:?}");
    let fill = [("aws_ecs_task_definition.w.container_definitions.0.cpu", "5")];
    let (documents, _) = expanded(&[("main.tf", text)], &[], &fill);
    assert!(documents[0].contains("cpu:\"5\""), "{documents:?}");
}

#[test]
fn services_are_made_for_each_element() {
    let text = r#"
locals {
  services = { api = { port = 80, tags = ["x"] }, web = { port = 81 } }
}
resource "aws_ecs_cluster" "main" { name = "shop" }
resource "aws_lb_target_group" "t" {
  for_each             = local.services
  deregistration_delay = each.value.port
}
resource "aws_ecs_service" "s" {
  for_each        = local.services
  name            = each.key
  cluster         = aws_ecs_cluster.main.id
  task_definition = "web"
  dynamic "load_balancer" {
    for_each = [each.value.port]
    content {
      target_group_arn = aws_lb_target_group.t[each.key].arn
      container_port   = load_balancer.value
    }
  }
  network_configuration {
    subnets = concat(["subnet-1"], aws_subnet.a[*].id)
  }
  lifecycle {
    ignore_changes = [desired_count]
  }
}
resource "aws_subnet" "a" { count = 2 }
"#;
    let (documents, said) = expanded(&[("main.tf", text)], &[], &[]);
    assert_eq!(documents.len(), 2);
    assert_eq!(
        documents[0],
        "{Type:\"aws_ecs_service\",Properties:{Cluster:\"shop\",LoadBalancers:[{ContainerPort:80,TargetGroupArn:\"${aws_lb_target_group.t.api.arn}\"}],ServiceName:\"api\",NetworkConfiguration:{AwsvpcConfiguration:{Subnets:[\"subnet-1\",\"${aws_subnet.a.0.id}\",\"${aws_subnet.a.1.id}\"]}},TaskDefinition:\"web\",DesiredCount:0},metadata:{annotations:{ecs-operator.dev/deregistration-delay-seconds:\"80\"}}}"
    );
    assert_eq!(said.len(), 2, "{said:?}");
}

#[test]
fn modules_of_the_same_folder_are_read() {
    let main = "module \"web\" {\n  source = \"./modules/web\"\n  count  = 2\n  name   = \"web-${count.index}\"\n}\nmodule \"vpc\" {\n  source = \"terraform-aws-modules/vpc/aws\"\n}\nresource \"aws_ecs_service\" \"s\" {\n  name = \"s\"\n  task_definition = module.web[0].arn\n  network_configuration {\n    subnets = module.vpc.private_subnets\n  }\n}\n";
    let module = "variable \"name\" {}\nresource \"aws_ecs_task_definition\" \"this\" {\n  family = var.name\n}\noutput \"arn\" {\n  value = aws_ecs_task_definition.this.arn\n}\n";
    let (documents, said) = expanded(
        &[("main.tf", main), ("modules/web/main.tf", module)],
        &[],
        &[],
    );
    assert_eq!(
        documents,
        [
            "{Type:\"aws_ecs_service\",Properties:{ServiceName:\"s\",NetworkConfiguration:{AwsvpcConfiguration:{Subnets:[\"${module.vpc.private_subnets}\"]}},TaskDefinition:\"web-0\",DesiredCount:0}}",
            "{Type:\"aws_ecs_task_definition\",Properties:{Family:\"web-0\"}}",
            "{Type:\"aws_ecs_task_definition\",Properties:{Family:\"web-1\"}}",
        ]
    );
    assert_eq!(
        said,
        [
            "main.tf: ModulesNotRead: modules are not read, nor what they make: module.vpc (terraform-aws-modules/vpc/aws)",
            "main.tf: KnownAfterApply: only terraform apply tells module.vpc.private_subnets, so placeholders stand for them",
        ]
    );
}

#[test]
fn only_what_needs_a_value_that_fails_is_rejected() {
    let text = "resource \"aws_ecs_service\" \"a\" {\n  name = soundex(\"x\")\n  task_definition = \"t\"\n}\nresource \"aws_ecs_service\" \"b\" {\n  name = \"b\"\n  task_definition = \"t\"\n}\n";
    let (documents, _) = expanded(&[("main.tf", text)], &[], &[]);
    assert!(
        documents[0].contains("ServiceName:<aws_ecs_service.a.name cannot be evaluated: function soundex is not one of those that are evaluated>"),
        "{documents:?}"
    );
    assert!(documents[1].contains("ServiceName:\"b\""), "{documents:?}");
}

#[test]
fn modules_that_call_each_other_end() {
    let call = |name: &str| format!("module \"m\" {{\n  source = \"../{name}\"\n}}\n");
    let (a, b) = (call("b"), call("a"));
    let (documents, said) = expanded(&[("a/main.tf", &a), ("b/main.tf", &b)], &[], &[]);
    assert!(documents.is_empty());
    assert!(
        said.iter().any(|it| it.contains("ModulesNotRead")),
        "{said:?}"
    );
}

#[test]
fn parts_of_a_variable_are_named_as_the_variable() {
    let text = "variable \"settings\" {\n  type = object({ image = string, count = number })\n}\nresource \"aws_ecs_task_definition\" \"t\" {\n  family = \"t\"\n  container_definitions = jsonencode([{ name = \"t\", image = var.settings.image }])\n}\n";
    let (documents, said) = expanded(&[("main.tf", text)], &[], &[]);
    assert!(
        documents[0].contains("${var.settings.image}"),
        "{documents:?}"
    );
    assert_eq!(
        said,
        [
            "main.tf: ParametersNotGiven: no value is given for settings, so placeholders stand for them"
        ]
    );
}

#[test]
fn a_text_that_would_be_cut_is_one_placeholder() {
    let text = "variable \"name\" {}\nresource \"aws_ecs_service\" \"s\" {\n  name = replace(\"${var.name}-x\", \"name\", \"\")\n  task_definition = \"t\"\n}\n";
    let (documents, _) = expanded(&[("main.tf", text)], &[], &[]);
    assert!(
        documents[0].contains("ServiceName:\"${aws_ecs_service.s.name}\""),
        "{documents:?}"
    );
}

#[test]
fn modules_of_registries_have_outputs() {
    let text = r#"
module "cluster" {
  source       = "terraform-aws-modules/ecs/aws//modules/cluster"
  version      = "~> 6.0"
  cluster_name = "shop"
}
module "web" {
  source                = "terraform-aws-modules/ecs/aws//modules/service"
  version               = "~> 6.0"
  name                  = "web"
  cluster_arn           = module.cluster.arn
  container_definitions = { web = { image = "nginx" } }
}
resource "aws_ecs_service" "again" {
  name            = "${module.web.name}-again"
  cluster         = module.cluster.id
  task_definition = module.web.task_definition_arn
}
"#;
    let (documents, said) = expanded(&[("main.tf", text)], &[], &[]);
    let again = documents.iter().find(|it| it.contains("again")).unwrap();
    for part in [
        "ServiceName:\"web-again\"",
        "Cluster:\"shop\"",
        "TaskDefinition:\"web\"",
    ] {
        assert!(again.contains(part), "{again}");
    }
    let mut all = documents.iter();
    assert!(
        all.any(|it| it.contains("service/shop/web")),
        "{documents:?}"
    );
    let errors = said
        .iter()
        .filter(|it| it.contains("ExpressionNotEvaluated"));
    assert_eq!(errors.count(), 0, "{said:?}");
}

#[test]
fn inputs_of_modules_that_are_not_known_are_named() {
    let call = |inputs: &str| {
        format!(
            "module \"m\" {{\n  source = \"terraform-aws-modules/ecs/aws//modules/service\"\n  name = \"m\"\n{inputs}\n}}\n"
        )
    };
    for (inputs, expected) in [
        (
            "  nmae = 1\n  deisred_count = 2",
            "module.m has inputs that are not read: deisred_count, nmae",
        ),
        (
            "  container_definitions = { web = { image = \"x\", port = 80 } }",
            "module.m.module.container_definition has inputs that are not read: port",
        ),
        (
            "  version = \"~> 12.1\"",
            "module.m asks for version ~> 12.1, which is not known, and is read as version 7",
        ),
    ] {
        let (_, said) = expanded(&[("main.tf", &call(inputs))], &[], &[]);
        assert!(
            said.iter().any(|it| it.ends_with(expected)),
            "{expected}: {said:?}"
        );
    }
    let none = "  vpc_id = \"vpc-1\"\n  security_group_rules = {}\n  tags = {}\n  container_definitions = { web = { image = \"x\", portMappings = [] } }";
    let (_, said) = expanded(&[("main.tf", &call(none))], &[], &[]);
    assert!(said.iter().all(|it| !it.contains("not read:")), "{said:?}");
}

#[test]
fn an_object_in_json_is_one_block_at_any_depth() {
    let text = r#"{"resource": {
  "aws_ecs_service": {"s": {
    "name": "s",
    "service_connect_configuration": {"enabled": true, "service": {"port_name": "http", "client_alias": {"port": 80}}},
    "load_balancer": {"target_group_arn": "arn:t", "container_port": 80},
    "tags": {"name": "a", "value": "b", "empty": "", "list": ["c"]}
  }},
  "aws_appautoscaling_policy": {"p": {
    "name": "p", "service_namespace": "ecs", "policy_type": "StepScaling",
    "step_scaling_policy_configuration": {"step_adjustment": {"scaling_adjustment": 1}}
  }}
}}"#;
    let (documents, said) = expanded(&[("main.tf.json", text)], &[], &[]);
    let (documents, said) = (documents.join("\n"), said.join("\n"));
    for part in [
        "Services:[{ClientAliases:[{Port:80}],PortName:\"http\"}]",
        "LoadBalancers:[{ContainerPort:80,TargetGroupArn:\"arn:t\"}]",
        "StepAdjustments:[{ScalingAdjustment:1}]",
        "{key:\"name\",value:\"a\"}",
        "{key:\"value\",value:\"b\"}",
        "{key:\"empty\",value:\"\"}",
    ] {
        assert!(documents.contains(part), "{part}\n{documents}");
    }
    assert!(said.contains("tags.list"), "{said}");
}

#[test]
fn values_in_json_are_those_of_the_native_syntax() {
    let native = "resource \"aws_ecs_service\" \"s\" {\n  name = \"s-${local.a}\"\n  task_definition = \"t\"\n  load_balancer {\n    container_port = 80\n  }\n}\nlocals {\n  a = 1 + 2\n}\n";
    let json = r#"{"resource": {"aws_ecs_service": {"s": {"name": "s-${local.a}", "task_definition": "t", "load_balancer": {"container_port": 80}}}}, "locals": {"a": "${1 + 2}"}}"#;
    let native = expanded(&[("main.tf", native)], &[], &[]);
    let json = expanded(&[("main.tf.json", json)], &[], &[]);
    assert_eq!(native.0, json.0);
    assert_eq!(json.1, [""; 0]);
}

proptest::proptest! {
    /// Texts of the words that configurations are made of, so that many are almost right.
    #[test]
    fn no_configuration_makes_the_reader_fail(
        words in proptest::collection::vec(proptest::sample::select(WORDS), 0..40),
    ) {
        let words = words.concat();
        let text = format!("{SURROUNDINGS}{TASK}locals {{\n  x = {words}\n}}\n");
        for text in [&*text, &*words] {
            let (documents, _) = expanded(&[("main.tf", text)], &[], &[]);
            proptest::prop_assert!(documents.len() < 100);
        }
    }
}

const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    ",",
    "...",
    "\"",
    "\"${",
    "}\"",
    "\n",
    " ",
    " = ",
    " ? ",
    " : ",
    " == ",
    " + ",
    "-",
    "!",
    "1",
    "ä",
    "x",
    "[for x in ",
    "{ for k, v in ",
    " => ",
    " if ",
    "[*]",
    ".*",
    ".a",
    "[0]",
    "<<-A\n",
    "\nA\n",
    "%{ if ",
    "%{ endif }",
    "var.open",
    "local.x",
    "local.one",
    "local.map",
    "aws_subnet.a",
    "aws_iam_role.app.arn",
    "module.m",
    "each.value",
    "jsonencode(",
    "merge(",
    "flatten(",
    "range(",
    "format(\"%s\", ",
    "resource \"aws_ecs_service\" \"s\" {\n",
    "count = ",
    "for_each = ",
    "dynamic \"load_balancer\" {\n",
    "content {\n",
    "null",
    "true",
];

#[test]
fn a_list_that_is_put_together_of_texts_in_json_keeps_its_parts() {
    let text = "variable \"n\" {}\nlocals {\n  a = jsonencode({ name = \"a\", cpu = var.n + 1 })\n  b = jsonencode({ name = \"b\" })\n}\nresource \"aws_ecs_task_definition\" \"w\" {\n  family = \"w\"\n  container_definitions = \"[${local.a}, ${local.b}]\"\n}\n";
    let (documents, _) = expanded(&[("main.tf", text)], &[], &[]);
    let containers = "ContainerDefinitions:[{cpu:\"${aws_ecs_task_definition.w.container_definitions.0.cpu}\",name:\"a\"},{name:\"b\"}]";
    assert!(documents[0].contains(containers), "{documents:?}");
}

#[test]
fn default_tags_are_those_of_the_provider() {
    let providers = "provider \"aws\" {\n  default_tags {\n    tags = { stage = \"dev\" }\n  }\n}\nprovider \"aws\" {\n  alias = \"west\"\n  default_tags {\n    tags = { stage = \"west\" }\n  }\n}\n";
    let task = |provider: &str| {
        format!(
            "data \"aws_default_tags\" \"d\" {{\n  {provider}\n}}\nresource \"aws_ecs_service\" \"s\" {{\n  name = \"s-${{data.aws_default_tags.d.tags.stage}}\"\n  task_definition = \"t\"\n}}\n"
        )
    };
    let named = |documents: &[String]| {
        let (_, rest) = documents[0].split_once("ServiceName:\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    for (provider, expected) in [
        ("", "s-dev"),
        ("provider = aws.west", "s-west"),
        ("provider = \"aws.west\"", "s-west"),
        (
            "provider = aws.other",
            "s-${data.aws_default_tags.d.tags.stage}",
        ),
    ] {
        let text = format!("{providers}{}", task(provider));
        let (documents, _) = expanded(&[("main.tf", &text)], &[], &[]);
        assert_eq!(named(&documents), expected, "{provider}");
    }
    for (handed, provider, expected) in [
        ("", "", "s-dev"),
        ("providers = { aws = aws.west }", "", "s-west"),
        (
            "providers = { aws.mine = aws.west }",
            "provider = aws.mine",
            "s-west",
        ),
        (
            "providers = { aws = aws.west }",
            "provider = aws.mine",
            "s-${module.m.data.aws_default_tags.d.tags.stage}",
        ),
    ] {
        let main = format!("{providers}module \"m\" {{\n  source = \"./m\"\n  {handed}\n}}\n");
        let files = [("main.tf", &*main), ("m/main.tf", &*task(provider))];
        let (documents, _) = expanded(&files, &[], &[]);
        assert_eq!(named(&documents), expected, "{handed} {provider}");
    }
}

#[test]
fn values_that_are_given_may_be_computed_and_refer_to_nothing() {
    let main = "variable \"n\" { type = number }\nvariable \"o\" {}\nvariable \"s\" { type = string }\nlocals {\n  x = 1\n}\nresource \"aws_ecs_service\" \"s\" {\n  name = \"${var.s}-${var.o.a[1]}\"\n  task_definition = \"t\"\n  desired_count = var.n\n}\n";
    let (documents, said) = expanded(
        &[("main.tf", main)],
        &[
            ("n", "60 * 2"),
            ("o", "{ a = [-1, 2 * 3], b = 1 == 2 }"),
            ("s", "[1]"),
        ],
        &[],
    );
    assert!(
        documents[0].contains("ServiceName:\"[1]-6\"") && documents[0].contains("DesiredCount:120"),
        "{documents:?} {said:?}"
    );
    let parameters = [("n", "1"), ("o", "{ a = [1, local.x] }"), ("s", "s")];
    let (documents, _) = expanded(&[("main.tf", main)], &parameters, &[]);
    assert!(
        documents[0].contains("there is no attribute a"),
        "{documents:?}"
    );
}

#[test]
fn files_that_anything_reads_are_parts_of_the_configuration() {
    let main = "locals {\n  a = file(\"a.json\")\n  e = file(\"e.json\")\n}\nresource \"aws_iam_policy\" \"p\" {\n  policy = templatefile(\"${path.module}/b.json\", { x = aws_sqs_queue.none.arn })\n}\ndata \"template_file\" \"t\" {\n  template = file(\"../d.json\")\n}\nresource \"aws_ecs_service\" \"s\" {\n  name = \"s\"\n  task_definition = \"t\"\n}\n";
    let files = ["a.json", "b.json", "c.json", "e.json", "main.tf"];
    let texts = files.map(|name| {
        let text = match name {
            "main.tf" => main,
            "e.json" => "{\"taskDefinition\": \"web\"}",
            _ => "{}",
        };
        SourceText::new(format!("x/{name}"), text)
    });
    let values = Values {
        configurations: of_texts(&texts),
        ..values(&[], &[])
    };
    let read = values.configurations.files_read(&values);
    assert_eq!(
        read,
        BTreeSet::from(["x/a.json", "x/b.json"].map(str::to_owned))
    );
}

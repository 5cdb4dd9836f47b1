//! Tests of files as a whole.

use super::{
    super::testing::{summary, units},
    *,
};

const TASK: &str =
    "{family: 'web', containerDefinitions: [{name: 'a', image: std.native('must_env')('IMAGE')}]}";

fn read(files: &[(&str, &str)], fill: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    let (units, problems) = units(files, fill);
    (units.iter().map(summary).collect(), problems)
}

#[test]
fn what_a_file_makes_is_read() {
    let library = "{family: error 'none', containerDefinitions: [{name: 'a', image: 'b'}]}";
    let web = "service web runs web -";
    let cases: &[(&[(&str, &str)], &[&str])] = &[
        (&[("t.jsonnet", TASK)], &[web]),
        (
            &[
                (
                    "x/t.jsonnet",
                    "(import '../lib/a.libsonnet') {family: 'web'}",
                ),
                ("lib/a.libsonnet", library),
            ],
            &[web],
        ),
        (
            &[
                (
                    "ecspresso.jsonnet",
                    "{service: 'shop', cluster: 'prod', service_definition: 's.jsonnet', task_definition: 't.jsonnet'}",
                ),
                ("s.jsonnet", "local n = 2; {desiredCount: n}"),
                ("t.jsonnet", TASK),
            ],
            &["service shop runs web -"],
        ),
    ];
    for (files, expected) in cases {
        let files: Vec<_> = files.to_vec();
        let (found, problems) = read(&files, &[("IMAGE", "nginx")]);
        let others = problems
            .iter()
            .filter(|it| !it.contains("library of Jsonnet"));
        let others = others.filter(|it| !it.contains("EcspressoNamesUsed"));
        assert_eq!(
            (found.as_slice(), others.count()),
            (
                &expected
                    .iter()
                    .map(|it| (*it).to_owned())
                    .collect::<Vec<_>>()[..],
                0
            ),
            "{files:?} {problems:?}"
        );
    }
}

#[test]
fn what_is_not_given_is_open_or_assumed() {
    let program = |image: &str| {
        format!("{{family: 'web', containerDefinitions: [{{name: 'a', image: {image}}}]}}")
    };
    let env = "std.native('env')";
    let must = "std.native('must_env')";
    for (image, expected) in [
        (format!("{must}('IMAGE')"), vec![]),
        (
            format!("'a:' + {env}('TAG', 'v1')"),
            vec!["t.jsonnet: PlaceholderDefaultsUsed: "],
        ),
        (
            format!("if {must}('ENV') == 'prod' then 'a' else 'b'"),
            vec!["t.jsonnet: JsonnetValuesAssumed: "],
        ),
        // It is in the result too.
        (
            format!("local e = {must}('ENV'); e + if e == 'prod' then 'a' else 'b'"),
            vec!["t.jsonnet: JsonnetValuesAssumed: "],
        ),
        ("std.extVar('IMAGE')".to_owned(), vec![]),
        ("std.native('tfstate')('aws_ecr.a.url')".to_owned(), vec![]),
    ] {
        let (found, problems) = read(&[("t.jsonnet", &program(&image))], &[]);
        assert_eq!(found.len(), 1, "{image} {problems:?}");
        assert_eq!(problems.len(), expected.len(), "{problems:?}");
        for (problem, expected) in problems.iter().zip(expected) {
            assert!(problem.starts_with(expected), "{problem}");
        }
    }
    let (_, problems) = read(
        &[(
            "t.jsonnet",
            &program("if std.native('must_env')('ENV') == 'prod' then 'a' else 'b'"),
        )],
        &[("ENV", "prod")],
    );
    assert_eq!(problems, Vec::<String>::new());
}

#[test]
fn failures_say_where_they_are() {
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[("t.jsonnet", "{a: ")], "unexpected end of file"),
        (&[("t.jsonnet", "{a: b}")], "the variable b is not known"),
        (&[("t.jsonnet", "{a: error 'no'}")], "no"),
        (&[("t.jsonnet", "{a: 'x' - 1}")], "invalid binary op types"),
        (
            &[(
                "t.jsonnet",
                "{cpu: std.parseInt(std.native('must_env')('CPU'))}",
            )],
            "invalid base 10: '{'; placeholders stand for values that are not given: give each with --set NAME=VALUE: CPU",
        ),
        (
            &[("t.jsonnet", "import 'a.libsonnet'")],
            "a.libsonnet cannot be imported: ",
        ),
        (
            &[("t.jsonnet", "import '../../a.libsonnet'")],
            "../../a.libsonnet cannot be imported: it is outside of the folder",
        ),
        (
            &[
                ("t.jsonnet", "import 'b/a.jsonnet'"),
                ("b/a.jsonnet", "{\n  a: x\n}"),
            ],
            "b/a.jsonnet:2: the variable x is not known",
        ),
        (
            &[("t.jsonnet", "local f(x) = f(x + 1); f(0)")],
            "functions call each other too often",
        ),
        (
            &[("t.jsonnet", "function(x) x")],
            "the result has a function",
        ),
        (&[("t.libsonnet", "{}")], "this is a library of Jsonnet"),
    ];
    for (files, expected) in cases {
        let (found, problems) = read(files, &[]);
        let name = files[0].0;
        let expected = format!("{name}: SyntaxError: {expected}");
        assert!(
            problems[0].starts_with(&expected),
            "{problems:?}\n{expected}"
        );
        assert_eq!(found, Vec::<String>::new());
    }
}

#[test]
fn nested_programs_are_given_up() {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(5_000), close.repeat(5_000));
    for text in [
        deep("[", "]"),
        deep("{a: ", "}"),
        deep("local a = 1; ", ""),
        deep("if true then ", ""),
        deep("(", ")"),
        "{a: ".repeat(30_000),
        "- ".repeat(3_000),
    ] {
        // That it returns is what matters: the stack of the thread is large enough.
        read(&[("t.jsonnet", &text)], &[]);
    }
}

#[test]
fn asked_names_are_compared_with_the_result() {
    let mut asked = Asked::default();
    asked.open.insert(("A".to_owned(), "{{ A }}".to_owned()));
    let tree = |text: &'static str| Node {
        value: Value::List(vec![Node {
            value: Value::String(text.into()),
            span: Span::default(),
        }]),
        span: Span::default(),
    };
    assert_eq!(asked.deciding(&tree("x/{{ A }}")), Vec::<String>::new());
    assert_eq!(asked.deciding(&tree("x")), ["A"]);
}

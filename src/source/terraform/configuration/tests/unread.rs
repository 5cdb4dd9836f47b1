//! Tests of what is not read or evaluated, and of the files of patterns.

use super::*;

#[test]
fn what_is_not_read_is_not_known() {
    check(&[
        ("fileexists(\"../x\") ? \"a\" : \"b\"", "?fileexists(../x)"),
        ("fileexists(\"none\") ? \"a\" : \"b\"", "\"b\""),
        ("fileexists(\"x.yaml\") ? \"a\" : \"b\"", "\"a\""),
        ("try(file(\"../x\"), \"b\")", "?try()"),
        ("try(file(\"none\"), \"b\")", "\"b\""),
        ("try(csvdecode(\"a\"), \"b\")", "?try()"),
        ("try(nonsense(\"a\"), \"b\")", "\"b\""),
        ("can(file(\"../x\")) ? \"a\" : \"b\"", "?can()"),
        ("can(transpose({})) ? \"a\" : \"b\"", "?can()"),
        ("can(file(\"none\")) ? \"a\" : \"b\"", "\"b\""),
    ]);
}

#[test]
fn patterns_find_files() {
    let names = [
        "a/b.json",
        "a/c.json",
        "a/x1.json",
        "m/main.tf",
        "top.json",
        "m/[z].json",
    ];
    for (path, pattern, expected) in [
        (".", "**.json", "?top.json"),
        (
            ".",
            "**/*.json",
            "a/b.json a/c.json a/x1.json m/[z].json top.json",
        ),
        ("a", "[!x]*.json", "b.json c.json"),
        ("a", "[^b-c]*.json", "x1.json"),
        ("a", "**", "b.json c.json x1.json"),
        ("m", "../a/{b,c}.json", "../a/b.json ../a/c.json"),
        ("m", "./../a/b*", "../a/b.json"),
        ("m", "\\\\[z].json", "[z].json"),
        ("m", "../../x/*", "!"),
    ] {
        let expected = expected.trim_start_matches('?');
        let main = format!(
            "resource \"aws_ecs_service\" \"s\" {{\n  name = join(\" \", fileset(\"{path}\", \"{pattern}\"))\n  task_definition = \"t\"\n}}\n"
        );
        let mut files: Vec<(&str, &str)> = names.iter().map(|name| (*name, "")).collect();
        files.push(("main.tf", &main));
        let (documents, _) = expanded(&files, &[], &[]);
        let document = documents.iter().find(|it| it.contains("aws_ecs_service"));
        let document = document.unwrap();
        if expected == "!" {
            assert!(document.contains("so it is not read"), "{document}");
        } else {
            let name = format!("ServiceName:\"{expected}\"");
            assert!(document.contains(&name), "{pattern}: {document}");
        }
    }
}

#[test]
fn a_configuration_that_reads_its_own_blocks_has_them() {
    let main = "resource \"null_resource\" \"n\" {\n  triggers = { a = sha1(file(\"${path.module}/main.tf\")) }\n}\nlocals {\n  d = sha256(file(\"x.tf.json\"))\n}\nresource \"aws_ecs_service\" \"s\" {\n  name = local.d\n  task_definition = \"t\"\n}\n";
    let texts = [("main.tf", main), ("x.tf.json", "{}")];
    let texts = texts.map(|(name, text)| SourceText::new(name, text));
    let values = Values {
        configurations: of_texts(&texts),
        ..values(&[], &[])
    };
    assert_eq!(values.configurations.files_read(&values), BTreeSet::new());
}

#[test]
fn a_region_is_that_of_the_provider() {
    let main = "variable \"open\" {}\nprovider \"aws\" {\n  region = \"eu-north-1\"\n}\nprovider \"aws\" {\n  alias = \"us\"\n  region = \"us-east-1\"\n}\nprovider \"aws\" {\n  alias = \"open\"\n  region = var.open\n}\n";
    for (given, provider, expected) in [
        (None, "", "eu-north-1"),
        (Some("eu-west-1"), "", "eu-west-1"),
        (Some("eu-west-1"), "provider = aws.us", "us-east-1"),
        (None, "provider = aws.us", "us-east-1"),
        (Some("eu-west-1"), "provider = aws.open", "eu-west-1"),
    ] {
        let text = format!(
            "{main}data \"aws_region\" \"r\" {{\n  {provider}\n}}\nresource \"aws_ecs_service\" \"s\" {{\n  name = data.aws_region.r.name\n  task_definition = \"t\"\n}}\n"
        );
        let texts = [SourceText::new("main.tf", &text)];
        let values = Values {
            configurations: of_texts(&texts),
            region: given.map(str::to_owned),
            ..values(&[], &[])
        };
        let (documents, _) = expansion(&text, &expand_file("main.tf", &values));
        let name = format!("ServiceName:\"{expected}\"");
        assert!(documents[0].contains(&name), "{provider}: {documents:?}");
    }
}

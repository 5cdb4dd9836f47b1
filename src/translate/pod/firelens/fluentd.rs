//! The configuration of Fluentd as the log router of a task.

use std::fmt::Write as _;

use super::{
    LOG_DIRECTORY, STATE_DIRECTORY, SecretOption, log_sources, one_line, output_options,
    secret_options,
};
use crate::{
    translate::{Context, LABEL_LENGTH, kname},
    validate::{Container, FIRELENS_EXCLUDE, FIRELENS_INCLUDE, Firelens, LogRouter},
};

/// The fields of a line in a log file
/// (<https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md>), with the names that
/// Docker's driver gives them. `P` marks a part of a line that the container runtime split, as Docker does after 16 KiB
/// too.
const LOG_LINE: &str =
    "/^(?<time>[^ ]+) (?<source>stdout|stderr) (?:F|(?<partial>P))(?::[^ ]*)? (?<log>.*)$/";

/// One directive of Fluentd's configuration: `<name argument>`, parameters with values in order, and directives in it.
struct Directive<'a> {
    name: &'static str,
    argument: String,
    parameters: Vec<(&'a str, String)>,
    inner: Option<Box<Self>>,
}

/// Returns the router's configuration. It is what the ECS agent generates
/// (`agent/taskresource/firelens/firelensconfig_unix.go` in <https://github.com/aws/amazon-ecs-agent>), with a source
/// for each log file instead of Docker's socket. The agent gives Fluentd no input for a health check.
pub(super) fn configuration(
    cx: &Context<'_>,
    firelens: &Firelens,
    included: Option<&str>,
) -> String {
    let options = secret_options(cx);
    let mut text = String::new();
    write_directive(&mut text, "", &listener());
    for source in log_sources(cx) {
        write_directive(&mut text, "", &tail(source));
    }
    for filter in log_sources(cx).flat_map(patterns) {
        write_directive(&mut text, "", &filter);
    }
    if firelens.log_metadata {
        write_directive(&mut text, "", &metadata(cx));
    }
    if let Some(path) = included {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "@include {path}");
    }
    for output in log_sources(cx).filter_map(|source| output(source, &options)) {
        write_directive(&mut text, "", &output);
    }
    text
}

fn write_directive(text: &mut String, indent: &str, directive: &Directive<'_>) {
    let Directive {
        name,
        argument,
        parameters,
        inner,
    } = directive;
    let space = if argument.is_empty() { "" } else { " " };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{indent}<{name}{space}{argument}>");
    let inside = format!("{indent}  ");
    for (key, value) in parameters {
        let _ = writeln!(text, "{inside}{key} {value}");
    }
    if let Some(inner) = inner {
        write_directive(text, &inside, inner);
    }
    let _ = writeln!(text, "{indent}</{name}>");
}

fn directive<'a, const N: usize>(
    name: &'static str,
    argument: &str,
    parameters: [(&'a str, &str); N],
) -> Directive<'a> {
    let parameters = parameters.map(|(key, value)| (key, value.to_owned()));
    Directive {
        name,
        argument: argument.to_owned(),
        parameters: parameters.into(),
        inner: None,
    }
}

/// Returns the source for applications that send logs themselves.
fn listener() -> Directive<'static> {
    let parameters = [
        ("@type", "forward"),
        ("bind", "127.0.0.1"),
        ("port", "24224"),
    ];
    directive("source", "", parameters)
}

/// Returns the source of a container's log files. They do not exist yet when the router starts, and by default Fluentd
/// looks for new files once a minute (<https://docs.fluentd.org/input/tail>).
fn tail(source: &Container) -> Directive<'static> {
    let directory = kname(&source.name, LABEL_LENGTH);
    let name = in_double_quotes(&source.name);
    let tag = format!(r#""{name}-firelens-#{{ENV['POD_NAME']}}""#);
    let mut tail = directive(
        "source",
        "",
        [
            ("@type", "tail"),
            ("tag", &tag),
            ("path", &format!("{LOG_DIRECTORY}/{directory}/*.log")),
            ("pos_file", &format!("{STATE_DIRECTORY}/{directory}.pos")),
            ("read_from_head", "true"),
            ("refresh_interval", "1"),
        ],
    );
    let parse = [
        ("@type", "regexp"),
        ("expression", LOG_LINE),
        ("time_format", "%iso8601"),
    ];
    tail.inner = Some(Box::new(directive("parse", "", parse)));
    tail
}

fn metadata(cx: &Context<'_>) -> Directive<'static> {
    let definition = cx.task_definition;
    let revision = format!("{}:{}", definition.family, definition.revision);
    let mut filter = directive("filter", "**", [("@type", "record_transformer")]);
    filter.inner = Some(Box::new(directive(
        "record",
        "",
        [
            ("ecs_cluster", &literal(cx.cluster())),
            (
                "ecs_task_arn",
                r##""#{ENV['POD_NAMESPACE']}/#{ENV['POD_NAME']}""##,
            ),
            ("ecs_task_definition", &literal(&revision)),
        ],
    )));
    filter
}

/// Returns the tags that the output of a container matches; users' configuration files rely on them.
fn matching(source: &Container) -> String {
    if is_plain(&source.name) {
        format!("{}-firelens**", source.name)
    } else {
        literal(&format!("{}-firelens**", source.name))
    }
}

/// Returns the filters of a container, which compare its lines with patterns.
fn patterns(source: &Container) -> Vec<Directive<'static>> {
    let kinds = [(FIRELENS_INCLUDE, "regexp"), (FIRELENS_EXCLUDE, "exclude")];
    let patterns: Vec<_> = kinds
        .into_iter()
        .filter_map(|(option, kind)| Some((source.logging.options.get(option)?, kind)))
        .collect();
    let mut filters = Vec::new();
    if !patterns.iter().all(|(pattern, _)| pattern.is_ascii()) {
        filters.push(as_text(source));
    }
    for (pattern, kind) in patterns {
        let mut filter = directive("filter", &matching(source), [("@type", "grep")]);
        let parameters = [("key", "log"), ("pattern", pattern)];
        filter.inner = Some(Box::new(directive(kind, "", parameters)));
        filters.push(filter);
    }
    filters
}

/// Returns the filter that makes lines text. Fluentd reads a file as bytes, which it cannot compare with a pattern that
/// is not ASCII: `grep` then lets every line pass. With the parameter `encoding` of `tail`, versions before 1.19 replace
/// all other characters, and later ones drop a line that is not UTF-8.
fn as_text(source: &Container) -> Directive<'static> {
    let parameters = [("@type", "record_transformer"), ("enable_ruby", "true")];
    let mut filter = directive("filter", &matching(source), parameters);
    let text = r#"${record["log"]&.force_encoding("UTF-8")}"#;
    filter.inner = Some(Box::new(directive("record", "", [("log", text)])));
    filter
}

/// Returns the output of a container; `None` if the options do not specify one, since a configuration file may contain
/// it. Values are Fluentd's own literals, as in ECS; validation has checked that each is one.
fn output<'a>(source: &'a Container, secrets: &[SecretOption<'a>]) -> Option<Directive<'a>> {
    let variable = |name: &str| format!(r##""#{{ENV['{name}']}}""##);
    let mut options = output_options(source, secrets, variable);
    let key = LogRouter::Fluentd.output_option();
    let plugin = options.remove(key)?;
    let mut output = directive("match", &matching(source), [(key, plugin.as_str())]);
    output.parameters.extend(options);
    Some(output)
}

fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
}

/// Returns a name as a literal of Fluentd, which reads it as it is.
fn literal(name: &str) -> String {
    if name.split(':').all(is_plain) {
        return name.to_owned();
    }
    let name = one_line(name).replace('\\', r"\\").replace('\'', r"\'");
    format!("'{name}'")
}

/// Returns a name as a part of a literal in double quotes.
fn in_double_quotes(name: &str) -> String {
    let mut escaped = String::new();
    for c in one_line(name).chars() {
        if "\"\\#".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::{in_double_quotes, literal};
    use crate::{
        settings::Mode,
        translate::testing::{Outcome, Scenario, yaml},
    };

    fn logging(router: &str, containers: &[Value]) -> Scenario {
        let mut router: Value = serde_json::from_str(router).expect("JSON");
        router["name"] = json!("router");
        router["image"] = json!("fluent/fluentd:v1.19-debian-1");
        router["memory"] = json!(64);
        let all: Vec<_> = [router].iter().chain(containers).cloned().collect();
        let definition = json!({"family": "web", "containerDefinitions": all});
        Scenario::service(definition.to_string())
            .settings(|s| s.aws_region = Some("us-east-1".to_owned()))
    }

    const PLAIN: &str = r#"{"firelensConfiguration": {"type": "fluentd"}}"#;
    const WITHOUT_METADATA: &str = r#"{"firelensConfiguration": {"type": "fluentd", "options": {
        "enable-ecs-log-metadata": "false"}}}"#;

    fn source(name: &str, options: Value, secrets: Value) -> Value {
        json!({"name": name, "image": "x", "memory": 64, "logConfiguration": {
            "logDriver": "awsfirelens", "options": options, "secretOptions": secrets}})
    }

    fn generated(outcome: &Outcome) -> String {
        let text = &outcome.objects_of("ConfigMap")[0]["data"]["fluent.conf"];
        text.as_str().expect("a configuration").to_owned()
    }

    #[test]
    fn the_configuration_is_that_of_the_agent() {
        let options = json!({
            "@type": "cloudwatch_logs",
            "region": "us-east-1",
            "log_group_name": "g",
            "include-pattern": "a b",
            "exclude-pattern": "^debug",
            "log-driver-buffer-limit": "2097152",
        });
        let outcome = logging(PLAIN, &[source("My_App", options, json!([]))]).run();
        assert_eq!(
            generated(&outcome),
            r##"<source>
  @type forward
  bind 127.0.0.1
  port 24224
</source>
<source>
  @type tail
  tag "My_App-firelens-#{ENV['POD_NAME']}"
  path /var/log/ecs-containers/my-app-0e86b84b/*.log
  pos_file /var/lib/ecs-firelens/my-app-0e86b84b.pos
  read_from_head true
  refresh_interval 1
  <parse>
    @type regexp
    expression /^(?<time>[^ ]+) (?<source>stdout|stderr) (?:F|(?<partial>P))(?::[^ ]*)? (?<log>.*)$/
    time_format %iso8601
  </parse>
</source>
<filter My_App-firelens**>
  @type grep
  <regexp>
    key log
    pattern a b
  </regexp>
</filter>
<filter My_App-firelens**>
  @type grep
  <exclude>
    key log
    pattern ^debug
  </exclude>
</filter>
<filter **>
  @type record_transformer
  <record>
    ecs_cluster default
    ecs_task_arn "#{ENV['POD_NAMESPACE']}/#{ENV['POD_NAME']}"
    ecs_task_definition web:1
  </record>
</filter>
<match My_App-firelens**>
  @type cloudwatch_logs
  log_group_name g
  region us-east-1
</match>
"##
        );
        let warning = "containerDefinitions[0].firelensConfiguration: FirelensTailsContainerLogs";
        assert!(outcome.warnings().contains(&warning.to_owned()));
    }

    #[test]
    fn the_router_has_its_files_where_ecs_has_them() {
        const ARN: &str = "arn:aws:s3:::config/router.conf";
        let router = json!({"firelensConfiguration": {"type": "fluentd", "options": {
            "config-file-type": "s3", "config-file-value": ARN}}});
        let app = source("app", json!({"@type": "stdout"}), json!([]));
        let outcome = logging(&router.to_string(), &[app])
            .settings(|s| {
                s.mode = Mode::Convert;
                s.firelens_files
                    .insert(ARN.to_owned(), "<filter>\n".to_owned());
            })
            .run();
        let text = generated(&outcome);
        let end = "@include /fluentd/etc/external.conf\n<match app-firelens**>\n  @type stdout\n</match>\n";
        assert!(text.ends_with(end), "{text}");
        assert_eq!(
            outcome.container("router")["volumeMounts"],
            yaml(
                "
- {name: ecs-firelens-logs, mountPath: /var/log/ecs-containers, subPathExpr: $(POD_NAMESPACE)_$(POD_NAME)_$(POD_UID), readOnly: true}
- {name: ecs-firelens-state, mountPath: /var/lib/ecs-firelens}
- {name: ecs-firelens-config, mountPath: /fluentd/etc/fluent.conf, subPath: fluent.conf}
- {name: ecs-firelens-config, mountPath: /fluentd/etc/external.conf, subPath: external.conf}
"
            )
        );
    }

    #[test]
    fn the_router_is_root_unless_it_has_a_user() {
        let app = source("app", json!({"@type": "stdout"}), json!([]));
        for (user, uid, warned) in [
            (json!(null), 0, false),
            (json!("0"), 0, false),
            (json!("100:0"), 100, false),
            (json!("100"), 100, true),
            (json!("100:101"), 100, true),
        ] {
            let mut router: Value = serde_json::from_str(PLAIN).expect("JSON");
            if user.is_string() {
                router["user"] = user;
            }
            let outcome = logging(&router.to_string(), std::slice::from_ref(&app)).run();
            let context = &outcome.container("router")["securityContext"];
            assert_eq!(context["runAsUser"], uid);
            let warning = "containerDefinitions[0].user: FirelensRouterUser".to_owned();
            assert_eq!(outcome.warnings().contains(&warning), warned);
        }
    }

    #[test]
    fn secret_options_are_variables_that_a_shell_keeps() {
        let secrets = |names: &[&str]| {
            let list = names.iter();
            list.map(
                |name| json!({"name": name, "valueFrom": format!("/{}", name.trim_matches('@'))}),
            )
            .collect::<Value>()
        };
        let containers = [
            source("a", json!({"@type": "x"}), secrets(&["key", "hec-token"])),
            source("b", json!({}), secrets(&["@type", "2nd.key", "hec.token"])),
        ];
        let outcome = logging(WITHOUT_METADATA, &containers).run();
        let text = generated(&outcome);
        let end = r##"<match a-firelens**>
  @type x
  hec-token "#{ENV['hec_token']}"
  key "#{ENV['key']}"
</match>
<match b-firelens**>
  @type "#{ENV['_type']}"
  2nd.key "#{ENV['_2nd_key']}"
  hec.token "#{ENV['hec_token_2']}"
</match>
"##;
        assert!(text.ends_with(end), "{text}");
        let variables = outcome.container("router")["env"].to_string();
        for name in ["key", "hec_token", "_type", "_2nd_key", "hec_token_2"] {
            assert!(variables.contains(&format!(r#""name":"{name}""#)), "{name}");
        }
    }

    #[test]
    fn lines_become_text_before_they_are_compared_with_text() {
        let options = json!({"@type": "null", "exclude-pattern": "ä"});
        let outcome = logging(WITHOUT_METADATA, &[source("app", options, json!([]))]).run();
        let text = generated(&outcome);
        let filters = r#"
<filter app-firelens**>
  @type record_transformer
  enable_ruby true
  <record>
    log ${record["log"]&.force_encoding("UTF-8")}
  </record>
</filter>
<filter app-firelens**>
  @type grep
"#;
        assert!(text.contains(filters), "{text}");
    }

    #[test]
    fn options_of_another_program_and_directives_are_rejected() {
        let bad = source(
            "app",
            json!({"Name": "x", "@include": "/x", "<match>": "#", "</match>": "#", "a b": "x", "#": "x", "\"": "x"}),
            json!([{"name": "<source>", "valueFrom": "/x"}, {"name": "@include", "valueFrom": "/x"}]),
        );
        let rejections = logging(PLAIN, &[bad]).rejections();
        let log = "containerDefinitions[1].logConfiguration";
        // Nothing is said of the missing @type: a name such as <match> could be a placeholder for it.
        let expected = [
            format!(r#"{log}.options["@include"]: InvalidValue"#),
            format!(r#"{log}.options["<match>"]: InvalidValue"#),
            format!(r#"{log}.options["</match>"]: InvalidValue"#),
            format!(r#"{log}.options["a b"]: InvalidValue"#),
            format!(r##"{log}.options["#"]: InvalidValue"##),
            format!("{log}.secretOptions[0].name: InvalidValue"),
            format!("{log}.secretOptions[1].name: InvalidValue"),
        ];
        for start in &expected {
            let found = rejections.iter().any(|line| line.starts_with(start));
            assert!(found, "{start}\nnot in {rejections:#?}");
        }
        // The option that is a quotation mark has no such path.
        assert_eq!(rejections.len(), expected.len() + 1, "{rejections:#?}");
    }

    #[test]
    fn a_name_is_one_literal() {
        for (name, expected) in [
            ("web", "web"),
            ("web:7", "web:7"),
            ("", "''"),
            ("a b", "'a b'"),
            ("[x", "'[x'"),
            ("a'\\#{1}\nb", r"'a\'\\#{1}b'"),
        ] {
            assert_eq!(literal(name), expected);
        }
        assert_eq!(in_double_quotes("a\"#{1}\\\nb"), r#"a\"\#{1}\\b"#);
    }

    proptest! {
        /// A hostile value either is rejected or changes its own line only.
        #[test]
        fn no_value_adds_a_directive(value in r#"["'\[\]{}#\\<>/@ a:,\n\r\t1]{1,12}"#) {
            let scenario = |value: &str| {
                let options = json!({"@type": "x", "k": value, "include-pattern": value});
                let router = json!({"firelensConfiguration": {"type": "fluentd", "options": {
                    "config-file-type": "file", "config-file-value": value}}});
                logging(&router.to_string(), &[source("app", options, json!([]))])
            };
            if let Some(outcome) = scenario(&value).accepted() {
                let same = |line: &str| {
                    let line = line.replace(" VALUE", &format!(" {value}"));
                    line + "\n"
                };
                let expected: String = generated(&scenario("VALUE").run()).lines().map(same).collect();
                prop_assert_eq!(generated(&outcome), expected);
                prop_assert!(!value.contains(char::is_control));
                prop_assert!(!value.trim().starts_with(['"', '\'']) || value.trim().len() > 1);
            }
        }
    }
}

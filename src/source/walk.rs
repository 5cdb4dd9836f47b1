//! Walks over a document along the shape of its request, and makes all checks that do not depend on the meaning of a
//! field. In the result, members have their API names and values have their types; everything else is reported.

use std::collections::BTreeMap;

use super::{
    kind::Spelling,
    placeholder::Fill,
    sink::{Sink, Trail},
    spelling::{alias, renamed},
    tree::{Member, Node, Value},
};
use crate::{
    diagnostic::{Message, Reason, nearest},
    fields::{self, Api, Shape},
};

/// The context of a walk.
pub(super) struct Walk<'c> {
    pub(super) spelling: Spelling,
    pub(super) fill: &'c Fill,
    /// The request that the document should match.
    pub(super) api: Api,
    pub(super) sink: &'c mut Sink,
}

/// The members of an object.
type Members = BTreeMap<&'static str, fields::Node>;

impl Walk<'_> {
    /// Returns the normalized value, or nothing if it is empty or invalid.
    pub(super) fn node<'a>(
        &mut self,
        node: Node<'a>,
        expected: &fields::Node,
        trail: Trail<'_>,
    ) -> Option<Node<'a>> {
        if self.is_absent(&node) || self.is_intrinsic(&node, Some(&expected.shape), trail) {
            return None;
        }
        let node = match &expected.shape {
            Shape::Object(members) => self.object(node, members, trail),
            Shape::List(element) => self.list(node, element, (expected.max_items, false), trail),
            Shape::Leaf(field) => self.leaf(node, field, trail),
        }?;
        self.always(&node, expected, trail);
        Some(node)
    }

    /// Whether the value equals absent: `null`, or CloudFormation's notation for it.
    pub(super) fn is_absent(&self, node: &Node<'_>) -> bool {
        match &node.value {
            Value::Null => true,
            Value::Object(members) => matches!(
                members.as_slice(),
                [member] if member.key == "Ref" && member.value.text() == Some("AWS::NoValue")
            ),
            _ => false,
        }
    }

    /// Reports a CloudFormation function in place of the value, or why the value is not known.
    pub(super) fn is_intrinsic(
        &mut self,
        node: &Node<'_>,
        shape: Option<&Shape>,
        trail: Trail<'_>,
    ) -> bool {
        if let Value::Unresolved(why) = &node.value {
            self.sink.reject(trail, Message::clone(why));
            return true;
        }
        let Value::Object(members) = &node.value else {
            return false;
        };
        let [member] = members.as_slice() else {
            return false;
        };
        let own_member = || match shape {
            Some(Shape::Object(members)) => members
                .keys()
                .any(|name| name.eq_ignore_ascii_case(&member.key)),
            _ => false,
        };
        let function = match &*member.key {
            "Ref" => true,
            "Condition" => !own_member() && member.value.text().is_some(),
            name => name.starts_with("Fn::"),
        };
        if function {
            let name = member.key.to_string();
            self.sink.reject_function(trail, &name);
        }
        function
    }

    /// Returns the elements of a list of requests.
    pub(super) fn elements<'a>(
        &mut self,
        node: Node<'a>,
        element: &fields::Node,
        trail: Trail<'_>,
    ) -> Option<Node<'a>> {
        if self.is_absent(&node) || self.is_intrinsic(&node, None, trail) {
            return None;
        }
        self.list(node, element, (None, true), trail)
    }

    fn list<'a>(
        &mut self,
        node: Node<'a>,
        expected: &fields::Node,
        (max_items, of_requests): (Option<usize>, bool),
        trail: Trail<'_>,
    ) -> Option<Node<'a>> {
        let elements = match node.value {
            Value::List(elements) => elements,
            Value::String(text) if text.is_empty() => return None,
            _ => {
                self.expected(&node, "a list", trail);
                return None;
            }
        };
        let mut kept = Vec::with_capacity(elements.len());
        let present = elements
            .into_iter()
            .filter(|element| !matches!(element.value, Value::Null));
        for (index, element) in present.enumerate() {
            let trail = if of_requests {
                Trail::Request(&trail, index)
            } else {
                Trail::Element(&trail, index)
            };
            kept.extend(self.node(element, expected, trail));
        }
        if let Some(max) = max_items.filter(|max| kept.len() > *max) {
            let message = Message::InvalidValue {
                value: format!("{} elements", kept.len()),
                allowed: format!("must be at most {max}"),
            };
            self.sink.reject(trail, message);
            return None;
        }
        (!kept.is_empty()).then_some(Node {
            value: Value::List(kept),
            span: node.span,
        })
    }

    fn object<'a>(
        &mut self,
        node: Node<'a>,
        shape: &Members,
        trail: Trail<'_>,
    ) -> Option<Node<'a>> {
        let members = match node.value {
            Value::Object(members) => members,
            Value::String(text) if text.is_empty() => return None,
            Value::List(elements) if elements.is_empty() => return None,
            _ => {
                self.expected(&node, "an object", trail);
                return None;
            }
        };
        let mut kept: Vec<Member<'a>> = Vec::with_capacity(members.len());
        // A member that is present but empty or invalid is not also reported as missing.
        let mut tried: Vec<&'static str> = Vec::new();
        for member in members {
            if self.is_absent(&member.value) {
                continue;
            }
            let Some((name, expected)) = self.known(&member, shape, trail) else {
                self.unknown(&member, shape, trail);
                continue;
            };
            if kept.iter().any(|earlier| earlier.key == name) {
                self.twice(&member, name, trail);
                continue;
            }
            // AWS accepts an empty list for a required one, except for the containers themselves.
            if name != "containerDefinitions" && is_empty_list(&member.value) {
                // In place of any other type, it counts as absent.
                if matches!(expected.shape, Shape::List(_)) {
                    tried.push(name);
                }
                continue;
            }
            let before = self.sink.left_out.len();
            match self.node(member.value, expected, Trail::Field(&trail, name)) {
                Some(value) => kept.push(Member {
                    key: name.into(),
                    key_span: member.key_span,
                    value,
                }),
                None if self.sink.left_out.len() > before => tried.push(name),
                None => {}
            }
        }
        for (name, _) in shape.iter().filter(|(_, expected)| expected.required) {
            if !tried.contains(name) && kept.iter().all(|member| member.key != *name) {
                let message = required(name, &kept);
                self.sink.reject(Trail::Field(&trail, name), message);
            }
        }
        Some(Node {
            value: Value::Object(kept),
            span: node.span,
        })
    }

    /// Returns the API's name and shape of a member.
    fn known<'s>(
        &self,
        member: &Member<'_>,
        shape: &'s Members,
        trail: Trail<'_>,
    ) -> Option<(&'static str, &'s fields::Node)> {
        let by_name = |name: &str| shape.get_key_value(name).map(|(name, node)| (*name, node));
        match self.spelling {
            Spelling::Api => by_name(&member.key).or_else(|| {
                // A name in an update or an output; in the request itself, the name belongs to an object.
                let alias = alias(&member.key).filter(|_| trail.is_root())?;
                member.value.text()?;
                by_name(alias)
            }),
            Spelling::CloudFormation => renamed(&member.key).and_then(by_name).or_else(|| {
                shape
                    .iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case(&member.key))
                    .map(|(name, node)| (*name, node))
            }),
        }
    }

    fn twice(&mut self, member: &Member<'_>, name: &'static str, trail: Trail<'_>) {
        let message = Message::InvalidValue {
            value: member.key.to_string(),
            allowed: format!("{name} is given already"),
        };
        self.sink.reject(Trail::Key(&trail, &member.key), message);
    }

    /// Reports a member that the request does not have.
    fn unknown(&mut self, member: &Member<'_>, shape: &Members, trail: Trail<'_>) {
        let own = Trail::Key(&trail, &member.key);
        if trail.is_root() && self.api.read_only().contains(&&*member.key) {
            return self.sink.ignore_read_only(&member.key);
        }
        if member.key.starts_with("Fn::") {
            let name = member.key.to_string();
            return self.sink.reject_function(own, &name);
        }
        let advice = match nearest(&member.key, shape.keys().copied()) {
            Some(name) => {
                // The missing member is this one.
                self.sink.left_out.push(Trail::Key(&trail, name).path());
                format!("did you mean {}?", self.spelled(name))
            }
            None => self.elsewhere(&member.key),
        };
        let message = Message::UnknownField {
            name: member.key.to_string(),
            advice,
        };
        self.sink.diagnostics.report(own.path(), message);
    }

    /// Describes where else the request has a member of this name.
    fn elsewhere(&self, key: &str) -> String {
        let is_it = |segment: &str| match self.spelling {
            Spelling::Api => segment == key,
            Spelling::CloudFormation => segment.eq_ignore_ascii_case(key),
        };
        let found = self.api.fields().find_map(|field| {
            let mut end = 0;
            field.path.split('.').find_map(|segment| {
                end += segment.len();
                let name = segment.trim_end_matches("[]");
                let length = end - (segment.len() - name.len());
                end += 1;
                is_it(name).then(|| field.path.get(..length)).flatten()
            })
        });
        found.map_or_else(String::new, |path| format!("AWS has it at {path}"))
    }

    /// Returns a name in the spelling of this document.
    fn spelled(&self, name: &str) -> String {
        let mut chars = name.chars();
        match (self.spelling, chars.next()) {
            (Spelling::CloudFormation, Some(first)) => first.to_uppercase().chain(chars).collect(),
            _ => name.to_owned(),
        }
    }

    /// Reports what applies to a member regardless of its value, unless it has the default value.
    fn always(&mut self, node: &Node<'_>, expected: &fields::Node, trail: Trail<'_>) {
        if expected.always.is_none() && expected.needs_controller.is_none() {
            return;
        }
        let default = match (&expected.shape, &node.value) {
            (Shape::Leaf(field), Value::String(text) | Value::Number(text) | Value::Bool(text)) => {
                field.default == Some(&**text)
            }
            (_, Value::Object(members)) => members.is_empty() || is_switched_off(node),
            _ => false,
        };
        if default {
            return;
        }
        if let Some(message) = expected.always.and_then(Reason::bare_message) {
            self.sink.note(trail, message);
        }
        if let Some(what) = expected.needs_controller {
            let what = what.to_owned();
            self.sink.note(trail, Message::NeedsController { what });
        }
    }
}

/// Whether an object has its own switch, and it is off, so that its other members have no effect.
fn is_switched_off(node: &Node<'_>) -> bool {
    let switch = node.member("enable").or_else(|| node.member("Enable"));
    switch.is_some_and(|switch| match &switch.value.value {
        Value::String(text) | Value::Bool(text) => text.eq_ignore_ascii_case("false"),
        _ => false,
    })
}

fn is_empty_list(node: &Node<'_>) -> bool {
    node.elements().is_some_and(<[_]>::is_empty)
}

/// Says that an object lacks a member. A pipeline fills in the image of a container when it deploys.
fn required(name: &str, others: &[Member<'_>]) -> Message {
    if name == "image" {
        let own = others.iter().find(|member| member.key == "name");
        let container = own.and_then(|member| member.value.text());
        return Message::ImageRequired {
            container: container.unwrap_or("CONTAINER").to_owned(),
        };
    }
    Message::RequiredField {
        name: name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        testing::{findings, unit, units},
        unit::Content,
    };
    use crate::{diagnostic::Severity, ecs};

    /// Returns a task definition with these members in addition to the required ones.
    fn with(members: &str) -> String {
        format!(
            r#"{{"family":"web","containerDefinitions":[{{"name":"web","image":"nginx"}}],{members}}}"#
        )
    }

    /// Returns a task definition whose container has these members.
    fn container(members: &str) -> String {
        format!(
            r#"{{"family":"web","containerDefinitions":[{{"name":"web","image":"nginx",{members}}}]}}"#
        )
    }

    fn errors(text: &str) -> Vec<String> {
        let unit = unit(text);
        let mut found = findings(&unit);
        let mut severities = unit.diagnostics.iter().map(|found| found.severity());
        found.retain(|_| severities.next() == Some(Severity::Error));
        found
    }

    fn task_definition(text: &str) -> ecs::TaskDefinition {
        let unit = unit(text);
        assert!(!unit.diagnostics.has_errors(), "{:?}", findings(&unit));
        match unit.content {
            Content::Service(input) => input.task_definition.request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn untidy_values_are_made_plain() {
        let plain = task_definition(&with(r#""cpu":"256","memory":"512""#));
        for members in [
            r#""cpu":256,"memory":512"#,
            r#""cpu":256,"memory":"512","volumes":[],"pidMode":null,"ipcMode":"","tags":null"#,
        ] {
            assert_eq!(task_definition(&with(members)), plain, "{members}");
        }
        let plain = task_definition(&container(
            r#""cpu":10,"essential":true,"portMappings":[{"containerPort":80}],"environment":[{"name":"A","value":"1"}]"#,
        ));
        for members in [
            r#""cpu":"10","essential":"true","portMappings":[{"containerPort":"80","appProtocol":""}],"environment":[{"name":"A","value":1}]"#,
            r#""cpu":10.0,"essential":"True","portMappings":[null,{"containerPort":8e1}],"environment":[{"name":"A","value":"1"}],"links":[],"user":"""#,
        ] {
            assert_eq!(task_definition(&container(members)), plain, "{members}");
        }
    }

    #[test]
    fn empty_strings_stay_where_they_mean_something() {
        let found = task_definition(&container(
            r#""command":["sh","-c",""],"environment":[{"name":"A","value":""}],"dockerLabels":{"a":""},"hostname":"""#,
        ));
        let container = &found.container_definitions[0];
        assert_eq!(container.command, ["sh", "-c", ""]);
        assert_eq!(container.environment[0].value.as_deref(), Some(""));
        assert_eq!(container.docker_labels["a"], "");
        assert_eq!(container.hostname, None);
    }

    #[test]
    fn what_is_wrong_is_said_at_its_place() {
        let table: &[(String, &[&str])] = &[
            (
                with(r#""Cpu":"256""#),
                &["Cpu: UnknownField: Cpu is not a member of this API"],
            ),
            (
                container(r#""helthCheck":{"command":["CMD","x"]}"#),
                &["containerDefinitions[0].helthCheck: UnknownField: helthCheck is not a member of this API"],
            ),
            (
                container(r#""cpu":"many""#),
                &["containerDefinitions[0].cpu: InvalidValue: many: must be a whole number"],
            ),
            (
                container(r#""cpu":1.5"#),
                &["containerDefinitions[0].cpu: InvalidValue: 1.5: must be a whole number"],
            ),
            (
                container(r#""portMappings":{"containerPort":80}"#),
                &["containerDefinitions[0].portMappings: InvalidValue: an object: must be a list"],
            ),
            (
                with(r#""networkMode":"vpc""#),
                &["networkMode: InvalidValue: vpc: must be one of bridge, host, awsvpc, none"],
            ),
            (
                container(r#""environment":[{"value":"x"},{"name":"A","value":["x"]}]"#),
                &["containerDefinitions[0].environment[1].value: InvalidValue: a list: must be a string"],
            ),
            (
                container(r#""mountPoints":[{"readOnly":"<RO>"}]"#),
                &["containerDefinitions[0].mountPoints[0].readOnly: PlaceholderNotFilled: <RO> is not filled, and true or false is needed here"],
            ),
            (
                with(r#""networkMode":"${MODE}""#),
                &["networkMode: PlaceholderNotFilled: ${MODE} is not filled, and one of bridge, host, awsvpc, none is needed here"],
            ),
            (
                r#"{"family":"web","containerDefinitions":[{"name":"web"}]}"#.to_owned(),
                &["containerDefinitions[0].image: ImageRequired: the container has no image"],
            ),
            (
                r#"{"family":"web","containerDefinitions":[{"name":"web","image":[]}]}"#.to_owned(),
                &["containerDefinitions[0].image: ImageRequired: the container has no image"],
            ),
            (
                r#"{"family":"web","containerDefinitions":[]}"#.to_owned(),
                &["containerDefinitions: RequiredField: containerDefinitions is required"],
            ),
            (
                r#"{"Family":"web","ContainerDefinitions":[{"Name":"web","Image":{"Fn::Transform":"x"}}]}"#.to_owned(),
                &["containerDefinitions[0].image: IntrinsicFunction: CloudFormation function Fn::Transform cannot be evaluated here"],
            ),
        ];
        for (text, expected) in table {
            assert_eq!(errors(text), *expected, "{text}");
        }
    }

    #[test]
    fn the_nearest_member_is_named() {
        for (text, expected) in [
            (with(r#""Cpu":"256""#), "did you mean cpu?"),
            (container(r#""helthCheck":{}"#), "did you mean healthCheck?"),
            (
                with(r#""portMappings":[]"#),
                "AWS has it at containerDefinitions[].portMappings",
            ),
            (with(r#""colour":"x""#), ""),
        ] {
            let unit = unit(&text);
            let found = unit.diagnostics.iter().next();
            assert_eq!(found.unwrap().message.help(), expected, "{text}");
        }
    }

    #[test]
    fn cloudformation_is_read_by_the_names_of_the_api() {
        let found = task_definition(
            r#"{"Type":"AWS::ECS::TaskDefinition","Properties":{"Family":"web","Cpu":256,"Tags":[{"Key":"A","Value":"b"}],
               "ContainerDefinitions":[{"Name":"web","Image":"nginx","DockerSecurityOptions":["no-new-privileges"],
               "LogConfiguration":{"LogDriver":"awslogs","Options":{"awslogs-group":"g","Mixed":1}},"Hostname":{"Ref":"AWS::NoValue"}}],
               "Volumes":[{"Name":"v","EFSVolumeConfiguration":{"FilesystemId":"fs-1","AuthorizationConfig":{"IAM":"ENABLED"}}}]}}"#,
        );
        let container = &found.container_definitions[0];
        assert_eq!(found.cpu.as_deref(), Some("256"));
        assert_eq!(found.tags[0].key.as_deref(), Some("A"));
        assert_eq!(container.docker_security_options, ["no-new-privileges"]);
        assert_eq!(container.hostname, None);
        let log = container.log_configuration.as_ref().unwrap();
        assert_eq!(log.options["Mixed"], "1");
        let volume = found.volumes[0].efs_volume_configuration.as_ref().unwrap();
        assert_eq!(volume.file_system_id.as_deref(), Some("fs-1"));
        let authorization = volume.authorization_config.as_ref().unwrap();
        assert_eq!(authorization.iam.as_deref(), Some("ENABLED"));
    }

    #[test]
    fn placeholders_are_filled_kept_or_missed() {
        let text = container(
            r#""cpu":"<CPU>","command":["sh","-c","echo ${HOME} <X>"],"environment":[{"name":"A","value":"${B}-{{ must_env `C` }}"}]"#,
        );
        let (units, _) = units(&[("a.json", &text)], &[("CPU", "64"), ("C", "c")]);
        let unit = &units[0];
        let Content::Service(input) = &unit.content else {
            panic!("{:?}", findings(unit));
        };
        let container = &input.task_definition.request.container_definitions[0];
        assert_eq!(container.cpu, Some(64));
        assert_eq!(container.environment[0].value.as_deref(), Some("${B}-c"));
        assert_eq!(container.command[2], "echo ${HOME} <X>");
        let kept: Vec<_> = findings(unit);
        assert_eq!(
            kept[0],
            ": PlaceholdersKept: placeholders were kept as they are: X, B"
        );
    }

    #[test]
    fn outputs_are_read_as_requests() {
        let text = r#"{"taskDefinition":{"taskDefinitionArn":"arn:aws:ecs:eu-west-1:123456789012:task-definition/web:3",
            "family":"web","revision":3,"status":"ACTIVE","containerDefinitions":[{"name":"web","image":"nginx"}]},
            "tags":[{"key":"a","value":"b"}]}"#;
        let unit = unit(text);
        assert!(!unit.diagnostics.has_errors());
        let read_only = unit.diagnostics.iter();
        let read_only = read_only.filter(|found| found.reason().name() == "ReadOnlyFieldIgnored");
        let read_only: Vec<String> = read_only.map(|found| found.message.to_string()).collect();
        assert_eq!(
            read_only,
            [
                "members that only answers of AWS have were ignored: taskDefinitionArn, revision, status"
            ]
        );
        let Content::Service(input) = unit.content else {
            panic!("not a service");
        };
        let task_definition = input.task_definition;
        assert_eq!(task_definition.revision, Some(3));
        assert_eq!(task_definition.request.tags[0].value.as_deref(), Some("b"));
    }

    #[test]
    fn an_update_names_its_service_by_name_or_arn() {
        let name = |members: &str| {
            let text = format!(
                r#"{{{members},"desiredCount":1,"taskDefinition":"web"}}
                {{"family":"web","containerDefinitions":[{{"name":"web","image":"nginx"}}]}}"#
            );
            let unit = unit(&text);
            assert!(!unit.diagnostics.has_errors(), "{:?}", findings(&unit));
            match unit.content {
                Content::Service(input) => input.request.service_name,
                other => panic!("{other:?}"),
            }
        };
        let arn = r#""service":"arn:aws:ecs:eu-west-1:123456789012:service/prod/api""#;
        assert_eq!(name(r#""service":"api""#).as_deref(), Some("api"));
        assert_eq!(name(arn).as_deref(), Some("api"));
        let both = format!(r#"{arn},"serviceName":"web""#);
        assert_eq!(name(&both).as_deref(), Some("web"));
    }

    #[test]
    fn a_described_service_has_the_connections_of_its_primary_deployment() {
        let text = r#"{"services":[{"serviceName":"web","clusterArn":"arn:aws:ecs:eu-west-1:123456789012:cluster/prod",
            "desiredCount":1,"taskDefinition":"web","runningCount":1,"deployments":[
              {"status":"PRIMARY","serviceConnectConfiguration":{"enabled":true,"namespace":"n"}},
              {"status":"ACTIVE","serviceConnectConfiguration":{"enabled":false}}]}]}
            {"family":"web","containerDefinitions":[{"name":"web","image":"nginx"}]}"#;
        let unit = unit(text);
        assert!(!unit.diagnostics.has_errors(), "{:?}", findings(&unit));
        let Content::Service(input) = unit.content else {
            panic!("not a service");
        };
        let connect = input.request.service_connect_configuration.unwrap();
        assert_eq!(connect.namespace.as_deref(), Some("n"));
        assert!(input.request.cluster.unwrap().ends_with("cluster/prod"));
    }
}

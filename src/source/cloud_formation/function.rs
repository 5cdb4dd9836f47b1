//! The functions of templates
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html>).

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    super::{
        text::Span,
        tree::{Member, Node, Value, to_json},
        values::REGION,
    },
    scope::Scope,
    stack::{Open, Stack, is_open},
    sub::{Part, parts},
};
use crate::diagnostic::Message;

/// Why a value is not known.
#[derive(Debug)]
pub(super) struct Failure(Box<Message>);

impl Failure {
    /// Returns a failure of the function that is being evaluated.
    pub(super) fn new(problem: impl Into<String>) -> Self {
        Self::of(Message::TemplateFunctionFailed {
            problem: problem.into(),
        })
    }

    pub(super) fn of(message: Message) -> Self {
        Self(Box::new(message))
    }

    /// Returns what there is to say of it.
    pub(super) fn message(self) -> Message {
        *self.0
    }

    /// Returns what stands in place of the value.
    pub(super) fn at<'a>(self, span: Span) -> Node<'a> {
        Node {
            value: Value::Unresolved(self.0),
            span,
        }
    }
}

/// Whether an object with this only member is a function.
pub(super) fn is_function(key: &str) -> bool {
    key == "Ref"
        || key == "Condition"
        || key.starts_with("Fn::") && !key.starts_with("Fn::ForEach::")
}

/// Returns the arguments of a function.
pub(super) fn list<'t, 'a>(argument: &'t Node<'a>) -> Result<&'t [Node<'a>], Failure> {
    let elements = argument.elements();
    elements.ok_or_else(|| Failure::new("it takes a list"))
}

/// Returns the value of a function; `None` for `AWS::NoValue`.
///
/// # Errors
///
/// When its value is not known, or it is used wrongly.
pub(super) fn evaluate<'t, 'a>(
    stack: &mut Stack<'t, 'a>,
    function: &'t Member<'a>,
    scope: &Scope<'a>,
    span: Span,
) -> Result<Option<Node<'a>>, Failure> {
    let mut call = Call {
        stack,
        argument: &function.value,
        scope,
        span,
    };
    match &*function.key {
        // Some programs that turn short forms into long ones write `Fn::Ref`.
        "Ref" | "Fn::Ref" => {
            let name = call.name()?;
            call.stack.reference(&name, scope, span)
        }
        "Fn::GetAtt" => call.attribute().map(Some),
        "Fn::Sub" => call.sub().map(Some),
        "Fn::Join" => call.join().map(Some),
        "Fn::Select" => call.select().map(Some),
        "Fn::Split" => call.split().map(Some),
        "Fn::If" => call.choice(),
        "Fn::FindInMap" => call.find_in_map(),
        "Fn::Base64" => {
            let text = STANDARD.encode(call.only_text()?);
            Ok(Some(call.string(text)))
        }
        "Fn::ImportValue" => call.import().map(Some),
        "Fn::Length" => call.length().map(Some),
        "Fn::Cidr" => call.cidr().map(Some),
        "Fn::GetAZs" => call.zones().map(Some),
        "Fn::ToJsonString" => {
            let value = call.evaluated(call.argument)?;
            match unresolved(&value) {
                Some(why) => Err(Failure::of(why.clone())),
                None => Ok(Some(call.string(to_json(&value)))),
            }
        }
        name => Err(Failure::of(Message::IntrinsicFunction {
            name: name.to_owned(),
            others: String::new(),
        })),
    }
}

/// Returns why a value in another one is not known.
fn unresolved<'n>(node: &'n Node<'_>) -> Option<&'n Message> {
    match &node.value {
        Value::Unresolved(why) => Some(why),
        Value::List(elements) => elements.iter().find_map(unresolved),
        Value::Object(members) => members.iter().find_map(|it| unresolved(&it.value)),
        _ => None,
    }
}

/// One use of a function.
pub(super) struct Call<'s, 't, 'a> {
    pub(super) stack: &'s mut Stack<'t, 'a>,
    pub(super) argument: &'t Node<'a>,
    pub(super) scope: &'s Scope<'a>,
    pub(super) span: Span,
}

impl<'t, 'a> Call<'_, 't, 'a> {
    pub(super) fn string(&self, text: impl Into<Cow<'a, str>>) -> Node<'a> {
        Node {
            value: Value::String(text.into()),
            span: self.span,
        }
    }

    /// Returns a value that is neither `AWS::NoValue` nor unknown.
    pub(super) fn evaluated(&mut self, node: &'t Node<'a>) -> Result<Node<'a>, Failure> {
        let value = self.stack.node(node, self.scope);
        match value {
            Some(Node {
                value: Value::Unresolved(why),
                ..
            }) => Err(Failure(why)),
            Some(value) => Ok(value),
            None => Err(Failure::new("AWS::NoValue has no value")),
        }
    }

    pub(super) fn text_of(&mut self, node: &'t Node<'a>) -> Result<String, Failure> {
        let value = self.evaluated(node)?;
        let text = value.scalar().map(str::to_owned);
        let text = text.ok_or_else(|| {
            Failure::new(format!(
                "{} is given where a text is needed",
                value.describe()
            ))
        })?;
        self.stack.spend_text(text.len())?;
        Ok(text)
    }

    /// Returns the texts of a list. An element that is a list itself is not allowed.
    fn texts(&mut self, node: &'t Node<'a>) -> Result<Vec<String>, Failure> {
        let value = self.evaluated(node)?;
        let Some(elements) = value.elements() else {
            return Err(Failure::new(format!(
                "{} is given where a list is needed",
                value.describe()
            )));
        };
        let mut texts = Vec::with_capacity(elements.len());
        for element in elements {
            match (&element.value, element.scalar()) {
                (Value::Unresolved(why), _) => return Err(Failure(why.clone())),
                (_, Some(text)) => texts.push(text.to_owned()),
                _ => return Err(Failure::new("an element of the list is no text")),
            }
        }
        self.stack.spend_text(texts.iter().map(String::len).sum())?;
        Ok(texts)
    }

    /// Returns the name that is the argument; with `AWS::LanguageExtensions`, it may be a function.
    fn name(&mut self) -> Result<Cow<'a, str>, Failure> {
        match &self.argument.value {
            Value::String(name) => Ok(name.clone()),
            _ => self.text_of(self.argument).map(Cow::Owned),
        }
    }

    /// Returns the only argument, which may stand in a list.
    pub(super) fn only_text(&mut self) -> Result<String, Failure> {
        match self.argument.elements() {
            Some([only]) => self.text_of(only),
            _ => self.text_of(self.argument),
        }
    }

    fn arguments<const N: usize>(&self, what: &str) -> Result<&'t [Node<'a>; N], Failure> {
        let elements: Option<&'t [Node<'a>; N]> = list(self.argument)?.try_into().ok();
        elements.ok_or_else(|| Failure::new(format!("it takes {what}")))
    }

    fn attribute(&mut self) -> Result<Node<'a>, Failure> {
        let (id, attribute) = match self.argument.elements() {
            Some([id, attribute]) => (self.text_of(id)?, self.text_of(attribute)?),
            Some(_) => return Err(Failure::new("it takes a resource and an attribute")),
            None => {
                let name = self.text_of(self.argument)?;
                let (id, attribute) = name
                    .split_once('.')
                    .ok_or_else(|| Failure::new(format!("{name} names no attribute")))?;
                (id.to_owned(), attribute.to_owned())
            }
        };
        self.stack.attribute(&id, Some(&attribute), self.span)
    }

    fn sub(&mut self) -> Result<Node<'a>, Failure> {
        let (template, scope) = match self.argument.elements() {
            None => (self.argument, self.scope.clone()),
            Some([template]) => (template, self.scope.clone()),
            Some([template, variables]) => {
                let mut scope = self.scope.clone();
                for member in variables.members().unwrap_or_default() {
                    let value = self.evaluated(&member.value)?;
                    scope = scope.with(member.key.clone(), value);
                }
                (template, scope)
            }
            Some(_) => return Err(Failure::new("it takes a text and its variables")),
        };
        let Some(template) = template.text() else {
            return Err(Failure::new("it takes a text"));
        };
        let mut result = String::new();
        for part in parts(template) {
            match part {
                Part::Text(text) => result.push_str(text),
                Part::Literal(name) => result.extend(["${", name, "}"]),
                Part::Name(name) => result.push_str(&self.named(name, &scope)?),
            }
            self.stack.spend_text(0)?;
        }
        self.stack.spend_text(result.len())?;
        Ok(self.string(result))
    }

    /// Returns the text of what `Fn::Sub` has between braces.
    fn named(&mut self, name: &str, scope: &Scope<'a>) -> Result<String, Failure> {
        let value = match name.split_once('.') {
            Some((id, attribute)) if scope.get(name).is_none() => {
                Some(self.stack.attribute(id, Some(attribute), self.span)?)
            }
            _ => self.stack.reference(name, scope, self.span)?,
        };
        let value = value.ok_or_else(|| Failure::new("AWS::NoValue is no text"))?;
        match value.value {
            Value::String(text) | Value::Number(text) | Value::Bool(text) => Ok(text.into_owned()),
            Value::Unresolved(why) => Err(Failure(why)),
            // CloudFormation takes no list here, but the placeholder of one is a text.
            Value::List(elements) if elements.len() == 1 => {
                let only = elements.first().and_then(Node::scalar).unwrap_or_default();
                Ok(only.to_owned())
            }
            _ => Err(Failure::new(format!("{name} is no text"))),
        }
    }

    fn join(&mut self) -> Result<Node<'a>, Failure> {
        let [delimiter, elements] = self.arguments("a delimiter and a list")?;
        let delimiter = self.text_of(delimiter)?;
        let joined = self.texts(elements)?.join(&delimiter);
        self.stack.spend_text(joined.len())?;
        Ok(self.string(joined))
    }

    fn select(&mut self) -> Result<Node<'a>, Failure> {
        let [index, elements] = self.arguments("an index and a list")?;
        let index = self.text_of(index)?;
        let before = self.stack.opened();
        let value = self.evaluated(elements)?;
        let selected = self.selected(&index, value)?;
        // The other elements are not needed.
        self.stack.keep_opened(before, &selected);
        Ok(selected)
    }

    /// Returns an element of a list.
    fn selected(&mut self, index: &str, value: Node<'a>) -> Result<Node<'a>, Failure> {
        if value.text().is_some_and(is_open) {
            return Ok(value);
        }
        let elements = value.elements();
        let elements = elements.ok_or_else(|| Failure::new("it selects from a list"))?;
        if let [
            Node {
                value: Value::String(only),
                span,
            },
        ] = elements
            && is_open(only)
        {
            // It stands for a list whose length is not known.
            let only = match only.strip_suffix("AvailabilityZones}") {
                Some("${") => self.zone(index).into(),
                _ => only.clone(),
            };
            let value = Value::String(only);
            return Ok(Node { value, span: *span });
        }
        let number: Option<usize> = index.parse().ok();
        let element = number.and_then(|number| elements.get(number));
        element.cloned().ok_or_else(|| {
            let length = elements.len();
            Failure::new(format!("a list of {length} has no element {index}"))
        })
    }

    fn split(&mut self) -> Result<Node<'a>, Failure> {
        let [delimiter, whole] = self.arguments("a delimiter and a text")?;
        let (delimiter, whole) = (self.text_of(delimiter)?, self.text_of(whole)?);
        if is_open(&whole) && delimiter != "," {
            let name = whole.trim_matches(['$', '{', '}']);
            return Err(Failure::new(format!(
                "{whole} is split, and its value is not known: give it with --set {name}=VALUE"
            )));
        }
        let elements: Vec<&str> = match delimiter.as_str() {
            "" => vec![&whole],
            delimiter => whole.split(delimiter).collect(),
        };
        let elements = elements.iter().map(|text| self.string((*text).to_owned()));
        let value = Value::List(elements.collect());
        let span = self.span;
        Ok(Node { value, span })
    }

    fn choice(&mut self) -> Result<Option<Node<'a>>, Failure> {
        let [condition, then, otherwise] = self.arguments("a condition and two values")?;
        let holds = match condition.text() {
            Some(name) => self.stack.condition(name)?,
            None => self.stack.holds(condition, self.scope)?,
        };
        let value = if holds { then } else { otherwise };
        Ok(self.stack.node(value, self.scope))
    }

    fn find_in_map(&mut self) -> Result<Option<Node<'a>>, Failure> {
        let arguments = list(self.argument)?;
        let [map, first, second, rest @ ..] = arguments else {
            return Err(Failure::new("it takes a map and two keys"));
        };
        let (map, first, second) = (
            self.text_of(map)?,
            self.text_of(first)?,
            self.text_of(second)?,
        );
        let found = self.stack.in_section("Mappings", &map);
        let found = found.and_then(|map| map.value.get(&first)?.get(&second));
        if let Some(found) = found {
            let value = found.value.clone();
            let span = self.span;
            return Ok(Some(Node { value, span }));
        }
        let default = rest.iter().find_map(|it| it.get("DefaultValue"));
        match default {
            _ if self.stack.is_part => {
                let name = plain(&format!("{map}.{first}.{second}"));
                let name = match self.stack.given(&name) {
                    Some(given) => given.to_owned(),
                    None => self.stack.open(&name, Open::Elsewhere),
                };
                Ok(Some(self.string(name)))
            }
            Some(default) => Ok(self.stack.node(default, self.scope)),
            None => {
                let is_open = [&first, &second].iter().any(|it| it.contains(REGION));
                let advice = if is_open { ": pass --aws-region" } else { "" };
                Err(Failure::new(format!(
                    "map {map} has no {first} with {second}{advice}"
                )))
            }
        }
    }
}

/// Returns a name that a placeholder can have.
pub(super) fn plain(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let name = name.replace(|c| !plain(c), "_");
    name.trim_matches('_').to_owned()
}

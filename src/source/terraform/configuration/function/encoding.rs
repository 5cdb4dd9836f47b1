//! Functions of encodings and hashes (<https://developer.hashicorp.com/terraform/language/functions/jsonencode>).

use std::{fmt::Write as _, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256, Sha512};

use super::{
    super::{
        super::super::{
            syntax::parse_one,
            tree::{Node, Value},
        },
        evaluator::Evaluator,
        value::{Failure, Kind, Member, Members, Place, TextValue, Unknown, Val},
    },
    Arguments,
};

impl Evaluator<'_> {
    pub(super) fn encoding(&mut self, arguments: &Arguments<'_>) -> Result<Option<Val>, Failure> {
        let text = match arguments.name {
            // JSON is YAML.
            "jsonencode" | "yamlencode" => return self.encoded(arguments).map(Some),
            "jsondecode" => return self.decoded(arguments, "a.json").map(Some),
            "yamldecode" => return self.decoded(arguments, "a.yaml").map(Some),
            "base64encode" => STANDARD.encode(arguments.text(0)?),
            "base64decode" => {
                let bytes = STANDARD.decode(arguments.text(0)?).ok();
                let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
                text.ok_or_else(|| Failure::new("base64decode takes a text in Base64"))?
            }
            "sha256" => hexadecimal(&Sha256::digest(arguments.text(0)?)),
            "sha512" => hexadecimal(&Sha512::digest(arguments.text(0)?)),
            "base64sha256" => STANDARD.encode(Sha256::digest(arguments.text(0)?)),
            "base64sha512" => STANDARD.encode(Sha512::digest(arguments.text(0)?)),
            _ => return Ok(None),
        };
        Ok(Some(arguments.made_text(text)))
    }

    /// Returns the JSON of a value, and keeps the value: its parts have places.
    fn encoded(&mut self, arguments: &Arguments<'_>) -> Result<Val, Failure> {
        let value = arguments.get(0)?;
        if let Kind::Unknown(_) | Kind::Instance(_) = value.kind {
            return Ok(self.open(&[value], arguments.here));
        }
        let (text, open) = json(self, value)?;
        let json = Some(value.clone());
        let kind = if open.is_empty() {
            let origins = Vec::new();
            Kind::Text(Arc::new(TextValue {
                text,
                json,
                origins,
            }))
        } else {
            Kind::Unknown(Arc::new(Unknown {
                addresses: open,
                is_direct: false,
                known: None,
                json,
            }))
        };
        Ok(Val::new(kind, arguments.here))
    }

    fn decoded(&mut self, arguments: &Arguments<'_>, name: &str) -> Result<Val, Failure> {
        let value = arguments.get(0)?;
        if let Kind::Unknown(_) | Kind::Instance(_) = value.kind {
            return Ok(self.open(&[value], arguments.here));
        }
        if let Kind::Text(text) = &value.kind
            && let Some(json) = &text.json
        {
            return Ok(json.clone());
        }
        let text = arguments.text(0)?;
        let parsed = parse_one(name, &text);
        let node = parsed.ok().flatten();
        let node = node.ok_or_else(|| {
            let format = if name.ends_with("json") {
                "JSON"
            } else {
                "YAML"
            };
            Failure::new(format!("{} takes a text in {format}", arguments.name))
        })?;
        self.of_node(&node, arguments.here)
    }

    /// Returns a tree as a value.
    pub(super) fn of_node(&mut self, node: &Node<'_>, here: Place) -> Result<Val, Failure> {
        self.spend(1, 0)?;
        let kind = match &node.value {
            Value::Null | Value::Unresolved(_) => Kind::Null,
            Value::Bool(text) => Kind::Bool(text.eq_ignore_ascii_case("true")),
            Value::Number(text) => match text.parse() {
                Ok(number) => Kind::Number(number),
                Err(_) => return Ok(Val::of_text(&**text, here)),
            },
            Value::String(text) => {
                self.spend(0, text.len())?;
                return Ok(Val::of_text(&**text, here));
            }
            Value::List(elements) => {
                let all = elements.iter().map(|it| self.of_node(it, here));
                return Val::of_list(all.collect::<Result<_, _>>()?, here);
            }
            Value::Object(all) => {
                let mut members = Members::new();
                for member in all {
                    let value = self.of_node(&member.value, here)?;
                    members.insert(member.key.to_string(), Member { key: here, value });
                }
                return Val::of_members(members, here);
            }
        };
        Ok(Val::new(kind, here))
    }
}

/// Returns the JSON of a value, and the addresses of what is computed of values that are not known.
pub(in super::super) fn json(
    evaluator: &mut Evaluator<'_>,
    value: &Val,
) -> Result<(String, Vec<String>), Failure> {
    let (mut text, mut open) = (String::new(), Vec::new());
    write(evaluator, value, &mut text, &mut open)?;
    Ok((text, open))
}

/// Adds the JSON of a value; the depth of values is limited.
fn write(
    evaluator: &mut Evaluator<'_>,
    value: &Val,
    text: &mut String,
    open: &mut Vec<String>,
) -> Result<(), Failure> {
    let before = text.len();
    match &value.kind {
        Kind::Null => text.push_str("null"),
        Kind::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Kind::Number(value) => text.push_str(&value.to_string()),
        Kind::Text(value) => text.push_str(&serde_json::Value::from(&*value.text).to_string()),
        Kind::List(list) => {
            text.push('[');
            for (index, element) in list.elements.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(evaluator, element, text, open)?;
            }
            text.push(']');
        }
        Kind::Object(object) => {
            text.push('{');
            for (index, (name, member)) in object.members.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&serde_json::Value::from(&**name).to_string());
                text.push(':');
                write(evaluator, &member.value, text, open)?;
            }
            text.push('}');
        }
        Kind::Unknown(unknown) => match evaluator.placeholder(value) {
            Some(placeholder) => {
                text.push_str(&serde_json::Value::from(placeholder).to_string());
            }
            None => open.extend(unknown.addresses.iter().cloned()),
        },
        Kind::Instance(instance) => open.push(instance.address.clone()),
        Kind::Failed(why) => return Err(Failure::new(&**why)),
    }
    let is_inner = matches!(value.kind, Kind::List(_) | Kind::Object(_));
    let made = if is_inner { 2 } else { text.len() - before };
    evaluator.spend(1, made)
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        // Writing to a text cannot fail.
        let _written = write!(text, "{byte:02x}");
    }
    text
}

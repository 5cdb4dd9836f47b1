//! A serde deserializer for trees, so that a request is built directly from the tree.

use std::{borrow::Cow, fmt};

use serde::{
    de::{
        self, Deserializer, IntoDeserializer as _, Visitor,
        value::{CowStrDeserializer, MapDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};

use super::tree::{Member, Node, Value};

/// The reason why a tree does not fit a shape. The walk has checked the tree before, so this is a bug in this program.
#[derive(Debug, PartialEq, Eq)]
pub struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// Deserializes a tree into the shape `T`.
pub(super) fn from_node<'a, T: de::Deserialize<'a>>(node: Node<'a>) -> Result<T, Error> {
    T::deserialize(node)
}

impl<'de> Deserializer<'de> for Node<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Unresolved(why) => Err(de::Error::custom(why)),
            Value::Bool(text) => visitor.visit_bool(text.eq_ignore_ascii_case("true")),
            Value::Number(text) => match text.parse::<i64>() {
                Ok(number) => visitor.visit_i64(number),
                Err(_) => visitor.visit_f64(text.parse().map_err(de::Error::custom)?),
            },
            Value::String(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
            Value::String(Cow::Owned(text)) => visitor.visit_string(text),
            Value::List(elements) => visitor.visit_seq(SeqDeserializer::new(elements.into_iter())),
            Value::Object(members) => {
                visitor.visit_map(MapDeserializer::new(members.into_iter().map(into_pair)))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map struct enum identifier
    }
}

fn into_pair(member: Member<'_>) -> (CowStrDeserializer<'_, Error>, Node<'_>) {
    (member.key.into_deserializer(), member.value)
}

impl<'a> de::IntoDeserializer<'a, Error> for Node<'a> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::{super::syntax::parse_one, *};

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Shape {
        text: Option<String>,
        whole: Option<i64>,
        broken: Option<f64>,
        flag: Option<bool>,
        list: Vec<Self>,
        labels: BTreeMap<String, String>,
    }

    #[test]
    fn trees_become_shapes() {
        let text = r#"{"text": "a\n", "whole": -5, "broken": 2.5, "flag": true, "unknown": [1],
                       "list": [{}, {"broken": 3}], "labels": {"a": "b"}}"#;
        let node = parse_one("a.json", text).unwrap().unwrap();
        let shape: Shape = from_node(node).unwrap();
        assert_eq!(
            shape,
            Shape {
                text: Some("a\n".to_owned()),
                whole: Some(-5),
                broken: Some(2.5),
                flag: Some(true),
                list: vec![
                    Shape::default(),
                    Shape {
                        broken: Some(3.0),
                        ..Shape::default()
                    }
                ],
                labels: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
            }
        );
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let node = parse_one("a.json", r#"{"whole": "x"}"#);
        let error = from_node::<Shape>(node.unwrap().unwrap()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "invalid type: string \"x\", expected i64"
        );
    }
}

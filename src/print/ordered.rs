//! Objects as trees whose members are ordered for reading.

use std::borrow::Cow;

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq},
};

use super::{Error, builder::Builder};

/// Members that come before all others, in this order; the rest is sorted by name.
const FIRST: [&str; 9] = [
    "apiVersion",
    "kind",
    "metadata",
    "name",
    "namespace",
    "image",
    "imagePullPolicy",
    "command",
    "args",
];

/// Plain data, in order and without nulls, except for those of a request's maps, which remove something. Names of struct fields are borrowed, and nothing is hashed: most of the work
/// of a conversion is done on these trees.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ordered {
    /// Nothing, which only a list, the root or a map of a request can hold.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(serde_json::Number),
    /// A text.
    String(String),
    /// A list.
    List(Vec<Self>),
    /// An object.
    Map(Vec<(Cow<'static, str>, Self)>),
}

impl Ordered {
    /// Converts `object`, with its members ordered for reading.
    ///
    /// # Errors
    ///
    /// Returns an error if the object is not plain data.
    pub fn new(object: &impl Serialize) -> Result<Self, Error> {
        Ok(object.serialize(Builder { sort: true })?)
    }

    /// Converts `object`, with its members in their given order.
    ///
    /// # Errors
    ///
    /// Returns an error if the object is not plain data.
    pub fn unsorted(object: &impl Serialize) -> Result<Self, Error> {
        Ok(object.serialize(Builder { sort: false })?)
    }

    /// Returns the member of an object.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Self::Map(members) = self else {
            return None;
        };
        let found = members.iter().find(|(member, _)| member == name);
        found.map(|(_, value)| value)
    }

    /// Returns the member that a path of names leads to.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |value, name| value.get(name))
    }

    /// Returns the member that a path of names leads to, to change it.
    #[must_use]
    pub fn at_mut(&mut self, path: &[&str]) -> Option<&mut Self> {
        path.iter().try_fold(self, |value, name| {
            let Self::Map(members) = value else {
                return None;
            };
            let found = members.iter_mut().find(|(member, _)| member == name);
            found.map(|(_, value)| value)
        })
    }

    /// Returns the text, if it is a string.
    #[must_use]
    pub const fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// Returns the kind and name of a Kubernetes object.
    #[must_use]
    pub fn identity(&self) -> (&str, &str) {
        let metadata = self.get("metadata");
        let name = metadata.and_then(|metadata| metadata.get("name"));
        (text(self.get("kind")), text(name))
    }
}

fn text(value: Option<&Ordered>) -> &str {
    value.and_then(Ordered::as_str).unwrap_or_default()
}

/// Orders the members of one object for reading.
pub(super) fn sort(members: &mut [(Cow<'static, str>, Ordered)]) {
    members.sort_unstable_by(|(a, _), (b, _)| rank(a).cmp(&rank(b)).then_with(|| a.cmp(b)));
}

fn rank(name: &str) -> usize {
    FIRST
        .iter()
        .position(|first| *first == name)
        .unwrap_or(FIRST.len())
}

impl Serialize for Ordered {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => number.serialize(serializer),
            Self::String(text) => serializer.serialize_str(text),
            Self::List(elements) => {
                let mut list = serializer.serialize_seq(Some(elements.len()))?;
                for element in elements {
                    list.serialize_element(element)?;
                }
                list.end()
            }
            Self::Map(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

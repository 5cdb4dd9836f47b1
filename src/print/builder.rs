//! Converts anything that serde can serialize into a tree.

use std::borrow::Cow;

use serde::{
    Serialize, Serializer,
    ser::{
        Error as _, Impossible, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple,
        SerializeTupleStruct,
    },
};
use serde_json::{Error, Number};

use super::ordered::{Ordered, sort};

/// Builds a tree whose members are sorted or keep their order.
#[derive(Clone, Copy)]
pub(super) struct Builder {
    pub(super) sort: bool,
}

impl Serializer for Builder {
    type Ok = Ordered;
    type Error = Error;
    type SerializeSeq = List;
    type SerializeTuple = List;
    type SerializeTupleStruct = List;
    type SerializeTupleVariant = Impossible<Ordered, Error>;
    type SerializeMap = Map;
    type SerializeStruct = Map;
    type SerializeStructVariant = Impossible<Ordered, Error>;

    fn serialize_bool(self, value: bool) -> Result<Ordered, Error> {
        Ok(Ordered::Bool(value))
    }

    fn serialize_i8(self, value: i8) -> Result<Ordered, Error> {
        Ok(Ordered::Number(value.into()))
    }

    fn serialize_i16(self, value: i16) -> Result<Ordered, Error> {
        Ok(Ordered::Number(value.into()))
    }

    fn serialize_i32(self, value: i32) -> Result<Ordered, Error> {
        Ok(Ordered::Number(value.into()))
    }

    fn serialize_i64(self, value: i64) -> Result<Ordered, Error> {
        Ok(Ordered::Number(value.into()))
    }

    fn serialize_u8(self, value: u8) -> Result<Ordered, Error> {
        Ok(Ordered::Number(value.into()))
    }

    fn serialize_u16(self, value: u16) -> Result<Ordered, Error> {
        Ok(Ordered::Number(value.into()))
    }

    fn serialize_u32(self, value: u32) -> Result<Ordered, Error> {
        Ok(Ordered::Number(value.into()))
    }

    fn serialize_u64(self, value: u64) -> Result<Ordered, Error> {
        Ok(Ordered::Number(value.into()))
    }

    fn serialize_f32(self, value: f32) -> Result<Ordered, Error> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<Ordered, Error> {
        let number = Number::from_f64(value);
        number
            .map(Ordered::Number)
            .ok_or_else(|| Error::custom(format_args!("{value} is no number of JSON")))
    }

    fn serialize_char(self, value: char) -> Result<Ordered, Error> {
        Ok(Ordered::String(value.into()))
    }

    fn serialize_str(self, value: &str) -> Result<Ordered, Error> {
        Ok(Ordered::String(value.to_owned()))
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<Ordered, Error> {
        Err(Error::custom("bytes have to be encoded as text"))
    }

    fn serialize_none(self) -> Result<Ordered, Error> {
        Ok(Ordered::Null)
    }

    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<Ordered, Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Ordered, Error> {
        Ok(Ordered::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Ordered, Error> {
        Ok(Ordered::Null)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Ordered, Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Ordered, Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Ordered, Error> {
        let value = value.serialize(self)?;
        Ok(Ordered::Map(vec![(Cow::Borrowed(variant), value)]))
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<List, Error> {
        Ok(List {
            builder: self,
            elements: Vec::with_capacity(length.unwrap_or_default()),
        })
    }

    fn serialize_tuple(self, length: usize) -> Result<List, Error> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<List, Error> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Error> {
        Err(Error::custom(format_args!("{name} is not plain data")))
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Map, Error> {
        Ok(Map {
            builder: self,
            members: Vec::with_capacity(length.unwrap_or_default()),
            key: None,
        })
    }

    fn serialize_struct(self, _: &'static str, length: usize) -> Result<Map, Error> {
        self.serialize_map(Some(length))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Error> {
        Err(Error::custom(format_args!("{name} is not plain data")))
    }
}

/// A list that is being built.
pub(super) struct List {
    builder: Builder,
    elements: Vec<Ordered>,
}

impl SerializeSeq for List {
    type Ok = Ordered;
    type Error = Error;

    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        self.elements.push(value.serialize(self.builder)?);
        Ok(())
    }

    fn end(self) -> Result<Ordered, Error> {
        Ok(Ordered::List(self.elements))
    }
}

impl SerializeTuple for List {
    type Ok = Ordered;
    type Error = Error;

    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<Ordered, Error> {
        SerializeSeq::end(self)
    }
}

impl SerializeTupleStruct for List {
    type Ok = Ordered;
    type Error = Error;

    fn serialize_field<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<Ordered, Error> {
        SerializeSeq::end(self)
    }
}

/// An object that is being built.
pub(super) struct Map {
    builder: Builder,
    members: Vec<(Cow<'static, str>, Ordered)>,
    /// The name whose value comes next.
    key: Option<String>,
}

impl Map {
    fn push<T: ?Sized + Serialize>(
        &mut self,
        name: Cow<'static, str>,
        value: &T,
    ) -> Result<(), Error> {
        let value = value.serialize(self.builder)?;
        if value != Ordered::Null {
            self.members.push((name, value));
        }
        Ok(())
    }
}

impl SerializeMap for Map {
    type Ok = Ordered;
    type Error = Error;

    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> Result<(), Error> {
        let Ordered::String(key) = key.serialize(self.builder)? else {
            return Err(Error::custom("the name of a member is not a text"));
        };
        self.key = Some(key);
        Ok(())
    }

    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        let key = self.key.take();
        let key = key.ok_or_else(|| Error::custom("a member has no name"))?;
        if self.builder.sort {
            return self.push(Cow::Owned(key), value);
        }
        // A null of a request removes something: no request has one without a meaning.
        let value = value.serialize(self.builder)?;
        self.members.push((Cow::Owned(key), value));
        Ok(())
    }

    fn end(mut self) -> Result<Ordered, Error> {
        if self.builder.sort {
            sort(&mut self.members);
        }
        Ok(Ordered::Map(self.members))
    }
}

impl SerializeStruct for Map {
    type Ok = Ordered;
    type Error = Error;

    fn serialize_field<T: ?Sized + Serialize>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.push(Cow::Borrowed(name), value)
    }

    fn end(self) -> Result<Ordered, Error> {
        SerializeMap::end(self)
    }
}

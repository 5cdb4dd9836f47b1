//! Functions (<https://developer.hashicorp.com/terraform/language/functions>).

mod collection;
mod encoding;
mod file;
mod format;
mod number;
mod pattern;
mod set;
mod text;

pub(super) use self::file::NOT_READ;
#[cfg(test)]
pub(super) use encoding::json as json_of_value;

use super::{
    evaluator::Evaluator,
    origin,
    value::{Evaluated, Failure, Kind, Place, Val},
};

/// Functions that take values which are not known, or texts with placeholders, and do with them what they do with
/// others. What any other function makes of them is not known.
const TAKE_UNKNOWN: &[&str] = &[
    "alltrue",
    "anytrue",
    "coalesce",
    "coalescelist",
    "compact",
    "concat",
    "contains",
    "distinct",
    "element",
    "flatten",
    "format",
    "formatlist",
    "issensitive",
    "join",
    "jsondecode",
    "jsonencode",
    "length",
    "list",
    "lookup",
    "map",
    "matchkeys",
    "merge",
    "nonsensitive",
    "one",
    "replace",
    "reverse",
    "sensitive",
    "setintersection",
    "setproduct",
    "setsubtract",
    "setunion",
    "slice",
    "sort",
    "split",
    "templatefile",
    "templatestring",
    "tolist",
    "tomap",
    "toset",
    "tostring",
    "trimprefix",
    "trimspace",
    "trimsuffix",
    "yamldecode",
    "yamlencode",
    "zipmap",
];

/// Functions whose values depend on more than their arguments, or on what this reader leaves to Terraform.
const NOT_KNOWN: &[&str] = &[
    "base64gzip",
    "bcrypt",
    "cidrcontains",
    "cidrhost",
    "cidrnetmask",
    "cidrsubnet",
    "cidrsubnets",
    "filebase64sha512",
    "filemd5",
    "filesha1",
    "filesha512",
    "formatdate",
    "md5",
    "pathexpand",
    "plantimestamp",
    "rsadecrypt",
    "sha1",
    "timeadd",
    "timecmp",
    "timestamp",
    "uuid",
    "uuidv5",
];

/// Functions of Terraform that are not evaluated. Any other name is a mistake in the configuration.
const NOT_EVALUATED: &[&str] = &[
    "base64gunzip",
    "convert",
    "csvdecode",
    "defaults",
    "ephemeralasnull",
    "parseint",
    "sum",
    "textdecodebase64",
    "textencodebase64",
    "transpose",
    "type",
    "urldecode",
];

/// The arguments of a call.
pub(super) struct Arguments<'f> {
    pub(super) name: &'f str,
    all: Vec<Val>,
    pub(super) here: Place,
}

impl Arguments<'_> {
    pub(super) fn all(&self) -> &[Val] {
        &self.all
    }

    pub(super) fn get(&self, index: usize) -> Result<&Val, Failure> {
        let found = self.all.get(index);
        found.ok_or_else(|| Failure::new(format!("{} takes more arguments", self.name)))
    }

    /// Returns the arguments with the text of each resource that is known by its name: the ARN of a cluster, which
    /// modules take apart.
    pub(super) fn with_known_texts(&self) -> Self {
        let known = self.all.iter().map(|value| match &value.kind {
            Kind::Unknown(unknown) if unknown.is_direct => match &unknown.known {
                Some(text) => Val::of_text(text.clone(), value.place),
                None => value.clone(),
            },
            _ => value.clone(),
        });
        Self {
            all: known.collect(),
            ..*self
        }
    }

    pub(super) fn text(&self, index: usize) -> Result<String, Failure> {
        let text = self.get(index)?.scalar();
        text.ok_or_else(|| self.wrong(index, "a string"))
    }

    pub(super) fn number(&self, index: usize) -> Result<f64, Failure> {
        let number = self.get(index)?.number();
        number.ok_or_else(|| self.wrong(index, "a number"))
    }

    pub(super) fn index(&self, index: usize) -> Result<usize, Failure> {
        let number = self.get(index)?.index();
        number.ok_or_else(|| self.wrong(index, "a whole number"))
    }

    pub(super) fn list(&self, index: usize) -> Result<&[Val], Failure> {
        let elements = self.get(index)?.elements();
        elements.ok_or_else(|| self.wrong(index, "a list"))
    }

    /// Returns why an argument is wrong. Its value may be secret.
    pub(super) fn wrong(&self, index: usize, expected: &str) -> Failure {
        let found = self.all.get(index).map_or("nothing", Val::describe);
        let name = self.name;
        Failure::new(format!("{name} takes {expected}, and not {found}"))
    }

    pub(super) fn made_text(&self, text: impl Into<String>) -> Val {
        Val::of_text(text, self.here)
    }

    pub(super) const fn made_number(&self, number: f64) -> Val {
        Val::new(Kind::Number(number), self.here)
    }

    pub(super) const fn made_bool(&self, value: bool) -> Val {
        Val::of_bool(value, self.here)
    }
}

impl Evaluator<'_> {
    /// Returns the value of a function.
    pub(super) fn call(&mut self, name: &str, arguments: Vec<Val>, here: Place) -> Evaluated {
        let all: Vec<&Val> = arguments.iter().collect();
        if NOT_KNOWN.contains(&name) {
            let open = self.open(&all, here);
            return Ok(match self.addresses(&open) {
                Some(addresses) if addresses.is_empty() => {
                    Val::of_addresses(vec![format!("{name}()")], here)
                }
                _ => open,
            });
        }
        let is_open = all.iter().any(|it| self.addresses(it).is_some());
        if is_open && !TAKE_UNKNOWN.contains(&name) {
            return Ok(self.open(&all, here));
        }
        let origins = origin::of(arguments.iter());
        let arguments = Arguments {
            name,
            all: arguments,
            here,
        };
        let value = match self.collection(&arguments)? {
            Some(value) => Some(value),
            None => match self.set(&arguments)? {
                Some(value) => Some(value),
                None => self.scalar_function(&arguments)?,
            },
        };
        let value = value.ok_or_else(|| {
            let why = format!("function {name} is not one of those that are evaluated");
            if NOT_EVALUATED.contains(&name) {
                Failure::not_known(why)
            } else {
                Failure::new(why)
            }
        })?;
        self.spend(1, value.text().map_or(0, str::len))?;
        Ok(value.made_of(origins))
    }

    fn scalar_function(&mut self, arguments: &Arguments<'_>) -> Result<Option<Val>, Failure> {
        if let Some(value) = number::function(arguments)? {
            return Ok(Some(value));
        }
        if let Some(value) = self.text_function(arguments)? {
            return Ok(Some(value));
        }
        if let Some(value) = self.pattern_function(arguments)? {
            return Ok(Some(value));
        }
        if let Some(value) = self.encoding(arguments)? {
            return Ok(Some(value));
        }
        if let Some(value) = self.format_function(arguments)? {
            return Ok(Some(value));
        }
        self.file_function(arguments)
    }
}

//! The values of expressions (<https://developer.hashicorp.com/terraform/language/expressions/types>).

use std::{collections::BTreeMap, sync::Arc};

use super::super::super::text::Span;

/// The deepest nesting of a value. Values are read recursively, so that the limit protects the stack.
const DEEPEST: usize = 48;

/// Where a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The number of the file; `None` for what a file of another form has.
    pub(super) file: Option<usize>,
    pub(super) span: Span,
}

impl Place {
    /// The place of what is written nowhere.
    pub(super) const NOWHERE: Self = Self {
        file: None,
        span: Span::new(0, 0),
    };
}

/// A value, and where it is written.
#[derive(Clone, Debug)]
pub(super) struct Val {
    pub(super) kind: Kind,
    pub(super) place: Place,
}

/// What a value is. Clones share what is in it.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Number(f64),
    Text(Arc<TextValue>),
    List(Arc<List>),
    Object(Arc<Object>),
    Unknown(Arc<Unknown>),
    /// An instance of a resource, a data source or a module, whose attributes are evaluated when they are needed.
    Instance(Arc<Instance>),
    /// An argument that cannot be evaluated, with the reason.
    Failed(Arc<str>),
}

#[derive(Debug)]
pub(super) struct TextValue {
    pub(super) text: String,
    /// The value that it is the JSON of.
    pub(super) json: Option<Val>,
    /// The addresses of what it is made of that other resources are found by, such as the family of a task definition:
    /// several may have the same one.
    pub(super) origins: Vec<String>,
}

#[derive(Debug)]
pub(super) struct List {
    pub(super) elements: Vec<Val>,
    depth: usize,
}

/// The members of an object are in the order of their names, as Terraform has them.
pub(super) type Members = BTreeMap<String, Member>;

#[derive(Debug)]
pub(super) struct Object {
    pub(super) members: Members,
    depth: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) key: Place,
    pub(super) value: Val,
}

/// What only an apply or the user tells.
#[derive(Debug)]
pub(super) struct Unknown {
    /// The addresses that it depends on.
    pub(super) addresses: Vec<String>,
    /// Whether it is what the only address has, and not computed of it.
    pub(super) is_direct: bool,
    /// What can be said of it, where the reader has no better form.
    pub(super) known: Option<String>,
    /// The value that it is the JSON of.
    pub(super) json: Option<Val>,
}

/// What an instance is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Of {
    Resource,
    Data,
    /// A call of a module; the number is that of the module's own instance.
    Call(usize),
}

#[derive(Clone, Debug)]
pub(super) struct Instance {
    pub(super) of: Of,
    /// The instance of the module that has it.
    pub(super) module: usize,
    /// The number of its block in the module.
    pub(super) block: usize,
    pub(super) address: String,
    pub(super) turn: Turn,
}

/// Which of the instances of a block is evaluated.
#[derive(Clone, Debug, Default)]
pub(super) struct Turn {
    /// `count.index`.
    pub(super) index: Option<usize>,
    /// `each.key` and `each.value`.
    pub(super) each: Option<(Val, Val)>,
}

impl Turn {
    /// Returns the key in brackets.
    pub(super) fn key(&self) -> Option<String> {
        let index = self.index.map(|index| index.to_string());
        let each = self.each.as_ref();
        index.or_else(|| each.and_then(|(key, _)| key.text().map(str::to_owned)))
    }

    /// Returns what the address of the instance ends with.
    pub(super) fn suffix(&self) -> String {
        match (self.index, self.key()) {
            (Some(index), _) => format!("[{index}]"),
            (None, Some(key)) => format!("[\"{key}\"]"),
            (None, None) => String::new(),
        }
    }
}

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) why: String,
    /// Whether a limit is reached, so that `try` does not go on.
    pub(super) is_final: bool,
    /// Whether Terraform may have a value: what this reader does not read or evaluate is no error of the configuration.
    pub(super) is_not_known: bool,
}

impl Failure {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            is_final: false,
            is_not_known: false,
        }
    }

    /// Returns why this reader does not know a value that Terraform may have.
    pub(super) fn not_known(why: impl Into<String>) -> Self {
        Self {
            is_not_known: true,
            ..Self::new(why)
        }
    }

    pub(super) fn limit(why: impl Into<String>) -> Self {
        Self {
            is_final: true,
            ..Self::new(why)
        }
    }
}

pub(super) type Evaluated = Result<Val, Failure>;

impl Val {
    pub(super) const fn new(kind: Kind, place: Place) -> Self {
        Self { kind, place }
    }

    pub(super) fn of_text(text: impl Into<String>, place: Place) -> Self {
        let text = TextValue {
            text: text.into(),
            json: None,
            origins: Vec::new(),
        };
        Self::new(Kind::Text(Arc::new(text)), place)
    }

    /// Returns the same text with the addresses that it is made of; another value as it is.
    pub(super) fn made_of(self, origins: Vec<String>) -> Self {
        let Kind::Text(text) = &self.kind else {
            return self;
        };
        if origins.is_empty() || !text.origins.is_empty() {
            return self;
        }
        let text = TextValue {
            text: text.text.clone(),
            json: text.json.clone(),
            origins,
        };
        Self::new(Kind::Text(Arc::new(text)), self.place)
    }

    /// Returns the addresses that a text, or a value that is not known, is made of; those of the elements of a list.
    pub(super) fn origins(&self) -> &[String] {
        match &self.kind {
            Kind::Text(text) => &text.origins,
            Kind::Unknown(unknown) => &unknown.addresses,
            _ => &[],
        }
    }

    pub(super) const fn of_bool(value: bool, place: Place) -> Self {
        Self::new(Kind::Bool(value), place)
    }

    /// Returns a list, unless it is nested too deep.
    pub(super) fn of_list(elements: Vec<Self>, place: Place) -> Evaluated {
        let depth = deeper(elements.iter())?;
        Ok(Self::new(
            Kind::List(Arc::new(List { elements, depth })),
            place,
        ))
    }

    /// Returns an object, unless it is nested too deep.
    pub(super) fn of_members(members: Members, place: Place) -> Evaluated {
        let depth = deeper(members.values().map(|member| &member.value))?;
        Ok(Self::new(
            Kind::Object(Arc::new(Object { members, depth })),
            place,
        ))
    }

    /// Returns what the reference to an address stands for.
    pub(super) fn of_address(address: String, known: Option<String>, place: Place) -> Self {
        let unknown = Unknown {
            addresses: vec![address],
            is_direct: true,
            known,
            json: None,
        };
        Self::new(Kind::Unknown(Arc::new(unknown)), place)
    }

    /// Returns what is computed of values that are not known.
    pub(super) fn of_addresses(addresses: Vec<String>, place: Place) -> Self {
        let unknown = Unknown {
            addresses,
            is_direct: false,
            known: None,
            json: None,
        };
        Self::new(Kind::Unknown(Arc::new(unknown)), place)
    }

    pub(super) fn depth(&self) -> usize {
        match &self.kind {
            Kind::List(list) => list.depth,
            Kind::Object(object) => object.depth,
            Kind::Text(text) => text.json.as_ref().map_or(0, Self::depth),
            Kind::Unknown(unknown) => unknown.json.as_ref().map_or(0, Self::depth),
            _ => 0,
        }
    }

    /// Returns the text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(&text.text),
            _ => None,
        }
    }

    /// Returns the text of a scalar.
    pub(super) fn scalar(&self) -> Option<String> {
        match &self.kind {
            Kind::Text(text) => Some(text.text.clone()),
            Kind::Bool(value) => Some(value.to_string()),
            Kind::Number(value) => Some(value.to_string()),
            _ => None,
        }
    }

    /// Returns the number of a number, or of a text that has one.
    pub(super) fn number(&self) -> Option<f64> {
        match &self.kind {
            Kind::Number(value) => Some(*value),
            Kind::Text(text) => {
                let number: f64 = text.text.trim().parse().ok()?;
                number.is_finite().then_some(number)
            }
            _ => None,
        }
    }

    /// Returns a number that can count.
    pub(super) fn index(&self) -> Option<usize> {
        self.number()?.to_string().parse().ok()
    }

    pub(super) fn truth(&self) -> Option<bool> {
        match &self.kind {
            Kind::Bool(value) => Some(*value),
            Kind::Text(text) => text.text.parse().ok(),
            _ => None,
        }
    }

    pub(super) fn elements(&self) -> Option<&[Self]> {
        match &self.kind {
            Kind::List(list) => Some(&list.elements),
            _ => None,
        }
    }

    pub(super) fn members(&self) -> Option<&Members> {
        match &self.kind {
            Kind::Object(object) => Some(&object.members),
            _ => None,
        }
    }

    pub(super) const fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    /// Returns the type in words.
    pub(super) const fn describe(&self) -> &'static str {
        match &self.kind {
            Kind::Null => "null",
            Kind::Bool(_) => "a boolean",
            Kind::Number(_) => "a number",
            Kind::Text(_) => "a string",
            Kind::List(_) => "a list",
            Kind::Object(_) | Kind::Instance(_) => "an object",
            Kind::Unknown(_) | Kind::Failed(_) => "a value that is not known",
        }
    }

    /// Returns the same value at another place.
    pub(super) fn at(self, place: Place) -> Self {
        Self { place, ..self }
    }
}

/// Returns a count as a number.
pub(super) fn number_of(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

fn deeper<'v>(values: impl Iterator<Item = &'v Val>) -> Result<usize, Failure> {
    let depth = values.map(Val::depth).max().map_or(1, |depth| depth + 1);
    if depth > DEEPEST {
        return Err(Failure::limit("it is nested too deep"));
    }
    Ok(depth)
}

//! Functions of lists and objects (<https://developer.hashicorp.com/terraform/language/functions/merge>).

use super::{
    super::{
        evaluator::Evaluator,
        value::{Failure, Kind, Member, Members, Val, number_of},
    },
    Arguments,
    set::sorted,
};

/// The most elements that `range` makes, which is the limit of Terraform too.
const LONGEST_RANGE: usize = 1_024;

impl Evaluator<'_> {
    pub(super) fn collection(&mut self, arguments: &Arguments<'_>) -> Result<Option<Val>, Failure> {
        let here = arguments.here;
        // Functions that do something with each of their arguments.
        let value = match arguments.name {
            "merge" => self.merged(arguments)?,
            "concat" => self.concatenated(arguments)?,
            "coalesce" => self.coalesced(arguments, |it| !it.is_null() && it.text() != Some(""))?,
            "coalescelist" => self.coalesced(arguments, |it| {
                it.elements().is_some_and(|all| !all.is_empty())
            })?,
            "join" => self.joined(arguments)?,
            "range" => range(self, arguments)?,
            "zipmap" => self.zipped(arguments)?,
            // Those of old versions.
            "list" => Val::of_list(arguments.all().to_vec(), here)?,
            "map" => self.mapped(arguments)?,
            "tostring" | "tonumber" | "tobool" | "tolist" | "tomap" | "sensitive"
            | "nonsensitive" => self.converted(arguments)?,
            "issensitive" => arguments.made_bool(false),
            "lookup" => self.looked_up(arguments)?,
            _ => return self.of_collection(arguments),
        };
        // What has only been chosen keeps its place, unless it is of another form.
        let is_chosen = matches!(value.kind, Kind::Unknown(_) | Kind::Instance(_));
        Ok(Some(if is_chosen { value.at(here) } else { value }))
    }

    /// Functions of one collection.
    fn of_collection(&mut self, arguments: &Arguments<'_>) -> Result<Option<Val>, Failure> {
        const NAMES: &[&str] = &[
            "alltrue",
            "anytrue",
            "chunklist",
            "compact",
            "contains",
            "element",
            "flatten",
            "index",
            "keys",
            "length",
            "one",
            "reverse",
            "slice",
            "sort",
            "sum",
            "values",
        ];
        if !NAMES.contains(&arguments.name) {
            return Ok(None);
        }
        let first = arguments.get(0)?;
        if let Kind::Unknown(_) | Kind::Instance(_) = first.kind {
            return Ok(Some(self.open(&[first], arguments.here)));
        }
        let here = arguments.here;
        let made = |elements: Vec<Val>| Val::of_list(elements, here);
        let value = match arguments.name {
            "length" => match (first.elements(), first.members(), first.text()) {
                (Some(list), ..) => arguments.made_number(number_of(list.len())),
                (_, Some(members), _) => arguments.made_number(number_of(members.len())),
                (.., Some(_)) if self.addresses(first).is_some() => self.open(&[first], here),
                (.., Some(text)) => arguments.made_number(number_of(text.chars().count())),
                _ => return Err(arguments.wrong(0, "a list, an object or a string")),
            },
            "keys" => {
                let members = first
                    .members()
                    .ok_or_else(|| arguments.wrong(0, "an object"))?;
                let keys = members
                    .iter()
                    .map(|(name, it)| Val::of_text(name.as_str(), it.key));
                made(keys.collect())?
            }
            "values" => {
                let members = first
                    .members()
                    .ok_or_else(|| arguments.wrong(0, "an object"))?;
                made(members.values().map(|it| it.value.clone()).collect())?
            }
            _ => return self.picked(arguments).map(Some),
        };
        Ok(Some(value))
    }

    /// Functions that choose some of the elements of a list.
    fn picked(&mut self, arguments: &Arguments<'_>) -> Result<Val, Failure> {
        let (first, here) = (arguments.get(0)?, arguments.here);
        let made = |elements: Vec<Val>| Val::of_list(elements, here);
        Ok(match arguments.name {
            "flatten" => {
                let mut flat = Vec::new();
                self.flatten(arguments.list(0)?, &mut flat)?;
                made(flat)?
            }
            "compact" => {
                let kept = arguments.list(0)?.iter();
                let kept = kept.filter(|it| !it.is_null() && it.text() != Some(""));
                made(kept.cloned().collect())?
            }
            "reverse" => made(arguments.list(0)?.iter().rev().cloned().collect())?,
            "sort" => made(sorted(arguments.list(0)?.to_vec()))?,
            "slice" => {
                let (from, to) = (arguments.index(1)?, arguments.index(2)?);
                let part = arguments.list(0)?.get(from..to);
                made(
                    part.ok_or_else(|| arguments.wrong(1, "indexes of the list"))?
                        .to_vec(),
                )?
            }
            "chunklist" => {
                let size = arguments.index(1)?.max(1);
                let chunks = arguments.list(0)?.chunks(size);
                made(
                    chunks
                        .map(|it| made(it.to_vec()))
                        .collect::<Result<_, _>>()?,
                )?
            }
            "element" => {
                let list = arguments.list(0)?;
                let index = match arguments.get(1)? {
                    key if self.addresses(key).is_some() => {
                        return Ok(self.open(&[first, key], here));
                    }
                    _ => arguments.index(1)?,
                };
                let element = index
                    .checked_rem(list.len())
                    .and_then(|index| list.get(index));
                element
                    .cloned()
                    .ok_or_else(|| arguments.wrong(0, "a list with elements"))?
            }
            "one" => match arguments.list(0)? {
                [] => Val::new(Kind::Null, here),
                [only] => only.clone(),
                _ => return Err(arguments.wrong(0, "a list of one element at most")),
            },
            _ => self.judged(arguments)?,
        })
    }

    /// Functions that say something of a list.
    fn judged(&mut self, arguments: &Arguments<'_>) -> Result<Val, Failure> {
        let list = arguments.list(0)?;
        let unknown = list.iter().find(|it| self.addresses(it).is_some());
        Ok(match arguments.name {
            "contains" => {
                let value = arguments.get(1)?;
                let is_open = unknown.is_some() || self.addresses(value).is_some();
                match (self.has(list, value)?, is_open) {
                    (true, _) => arguments.made_bool(true),
                    (false, false) => arguments.made_bool(false),
                    (false, true) => self.open(&[unknown.unwrap_or(value)], arguments.here),
                }
            }
            "index" => {
                let value = arguments.get(1)?;
                for (index, element) in list.iter().enumerate() {
                    if self.are_equal(element, value)? == Some(true) {
                        return Ok(arguments.made_number(number_of(index)));
                    }
                }
                return Err(arguments.wrong(1, "an element of the list"));
            }
            "sum" => {
                let numbers: Option<Vec<f64>> = list.iter().map(Val::number).collect();
                let numbers = numbers.ok_or_else(|| arguments.wrong(0, "a list of numbers"))?;
                arguments.made_number(numbers.iter().sum())
            }
            name => {
                let is_all = name == "alltrue";
                let decides = list.iter().any(|it| it.truth() == Some(!is_all));
                match unknown {
                    Some(unknown) if !decides => self.open(&[unknown], arguments.here),
                    _ => arguments.made_bool(decides != is_all),
                }
            }
        })
    }

    fn flatten(&mut self, list: &[Val], flat: &mut Vec<Val>) -> Result<(), Failure> {
        for element in list {
            self.spend(1, 0)?;
            match element.elements() {
                Some(inner) => self.flatten(inner, flat)?,
                None => flat.push(element.clone()),
            }
        }
        Ok(())
    }

    fn merged(&mut self, arguments: &Arguments<'_>) -> Result<Val, Failure> {
        let mut merged = Members::new();
        for (index, argument) in arguments.all().iter().enumerate() {
            match &argument.kind {
                Kind::Null => {}
                Kind::Object(object) => {
                    self.spend(object.members.len(), 0)?;
                    let members = object.members.iter();
                    merged.extend(members.map(|(name, it)| (name.clone(), it.clone())));
                }
                _ if self.addresses(argument).is_some() => {
                    return Ok(self.open(&[argument], arguments.here));
                }
                _ => return Err(arguments.wrong(index, "objects")),
            }
        }
        Val::of_members(merged, arguments.here)
    }

    fn concatenated(&mut self, arguments: &Arguments<'_>) -> Result<Val, Failure> {
        let mut elements = Vec::new();
        for (index, argument) in arguments.all().iter().enumerate() {
            match argument.elements() {
                Some(more) => {
                    self.spend(more.len(), 0)?;
                    elements.extend_from_slice(more);
                }
                None if self.addresses(argument).is_some() => {
                    return Ok(self.open(&[argument], arguments.here));
                }
                None => return Err(arguments.wrong(index, "lists")),
            }
        }
        Val::of_list(elements, arguments.here)
    }

    /// Returns the first argument that says something; that of one which is not known is not known either.
    fn coalesced(
        &mut self,
        arguments: &Arguments<'_>,
        says_something: fn(&Val) -> bool,
    ) -> Result<Val, Failure> {
        for argument in arguments.all() {
            if says_something(argument) || self.addresses(argument).is_some() {
                return Ok(argument.clone());
            }
        }
        Err(Failure::new(format!(
            "{} has only empty arguments",
            arguments.name
        )))
    }

    fn joined(&mut self, arguments: &Arguments<'_>) -> Result<Val, Failure> {
        let separator = arguments.text(0)?;
        let mut texts = Vec::new();
        for (index, argument) in arguments.all().iter().enumerate().skip(1) {
            let Some(elements) = argument.elements() else {
                return match self.addresses(argument) {
                    Some(_) => Ok(self.open(&[argument], arguments.here)),
                    None => Err(arguments.wrong(index, "a list")),
                };
            };
            for element in elements {
                match self.text_of(element) {
                    Some(text) => {
                        self.spend(0, text.len().saturating_add(separator.len()))?;
                        texts.push(text);
                    }
                    None if element.is_null() => {}
                    None if self.addresses(element).is_some() => {
                        return Ok(self.open(&[element], arguments.here));
                    }
                    None => return Err(arguments.wrong(index, "a list of strings")),
                }
            }
        }
        Ok(arguments.made_text(texts.join(&separator)))
    }

    /// Returns the map of names and values in turn.
    fn mapped(&mut self, arguments: &Arguments<'_>) -> Result<Val, Failure> {
        let mut members = Members::new();
        for pair in arguments.all().chunks(2) {
            let [key, value] = pair else {
                return Err(Failure::new("map takes names and values in turn"));
            };
            let Some(name) = self.text_of(key) else {
                return Ok(self.open(&[key], arguments.here));
            };
            self.spend(1, name.len())?;
            let (key, value) = (key.place, value.clone());
            members.insert(name, Member { key, value });
        }
        Val::of_members(members, arguments.here)
    }

    fn zipped(&mut self, arguments: &Arguments<'_>) -> Result<Val, Failure> {
        let all = arguments.all();
        if let Some(unknown) = all.iter().find(|it| matches!(it.kind, Kind::Unknown(_))) {
            return Ok(self.open(&[unknown], arguments.here));
        }
        let mut members = Members::new();
        for (key, value) in arguments.list(0)?.iter().zip(arguments.list(1)?) {
            let Some(name) = self.text_of(key) else {
                return Err(arguments.wrong(0, "a list of strings"));
            };
            self.spend(1, name.len())?;
            let (key, value) = (key.place, value.clone());
            members.insert(name, Member { key, value });
        }
        Val::of_members(members, arguments.here)
    }

    fn converted(&mut self, arguments: &Arguments<'_>) -> Result<Val, Failure> {
        let value = arguments.get(0)?;
        if value.is_null() || self.addresses(value).is_some() {
            return Ok(value.clone());
        }
        let place = value.place;
        let (converted, expected) = match arguments.name {
            "tostring" => (value.scalar().map(|it| Val::of_text(it, place)), "a scalar"),
            "tonumber" => {
                let number = value.number();
                (
                    number.map(|it| Val::new(Kind::Number(it), place)),
                    "a number",
                )
            }
            "tobool" => (value.truth().map(|it| Val::of_bool(it, place)), "a boolean"),
            "tolist" => (value.elements().map(|_| value.clone()), "a list"),
            "tomap" => (value.members().map(|_| value.clone()), "an object"),
            _ => (Some(value.clone()), ""),
        };
        converted.ok_or_else(|| arguments.wrong(0, expected))
    }

    fn looked_up(&mut self, arguments: &Arguments<'_>) -> Result<Val, Failure> {
        let (object, key) = (arguments.get(0)?, arguments.get(1)?);
        if self.addresses(object).is_some() || self.addresses(key).is_some() {
            return Ok(self.open(&[object, key], arguments.here));
        }
        let members = object
            .members()
            .ok_or_else(|| arguments.wrong(0, "an object"))?;
        let found = members.get(&arguments.text(1)?).map(|it| it.value.clone());
        match (found, arguments.all().get(2)) {
            (Some(value), _) => Ok(value),
            (None, Some(default)) => Ok(default.clone()),
            (None, None) => Err(arguments.wrong(1, "a key of the object")),
        }
    }
}

fn range(evaluator: &mut Evaluator<'_>, arguments: &Arguments<'_>) -> Result<Val, Failure> {
    let (start, end) = match arguments.all() {
        [_] => (0.0, arguments.number(0)?),
        _ => (arguments.number(0)?, arguments.number(1)?),
    };
    let step = match arguments.all().get(2) {
        Some(_) => arguments.number(2)?,
        None if start <= end => 1.0,
        None => -1.0,
    };
    let mut elements = Vec::new();
    let mut next = start;
    while (step > 0.0 && next < end) || (step < 0.0 && next > end) {
        if elements.len() == LONGEST_RANGE {
            let why = format!("range makes more than {LONGEST_RANGE} elements");
            return Err(Failure::limit(why));
        }
        elements.push(arguments.made_number(next));
        next += step;
    }
    if step == 0.0 {
        return Err(Failure::new("range takes a step that is not 0"));
    }
    evaluator.spend(elements.len(), 0)?;
    Val::of_list(elements, arguments.here)
}

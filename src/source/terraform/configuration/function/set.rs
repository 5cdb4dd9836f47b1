//! Functions of sets, which are lists without duplicates, in the order of their elements
//! (<https://developer.hashicorp.com/terraform/language/functions/toset>).

use super::{
    super::{
        evaluator::Evaluator,
        value::{Failure, Kind, Val},
    },
    Arguments,
};

/// The most sets whose elements are combined, and the most combinations.
const MOST_PRODUCTS: usize = 10_000;

impl Evaluator<'_> {
    pub(super) fn set(&mut self, arguments: &Arguments<'_>) -> Result<Option<Val>, Failure> {
        let is_set = matches!(
            arguments.name,
            "distinct" | "toset" | "setunion" | "setintersection" | "setsubtract" | "setproduct"
        );
        if !is_set {
            return Ok(None);
        }
        let unknown = arguments.all().iter().find(|it| it.elements().is_none());
        if let Some(unknown) = unknown {
            return if self.addresses(unknown).is_some() {
                Ok(Some(self.open(&[unknown], arguments.here)))
            } else {
                Err(arguments.wrong(0, "lists"))
            };
        }
        let first = arguments.list(0)?;
        let rest = arguments.all().get(1..).unwrap_or_default();
        let elements = match arguments.name {
            "distinct" => self.distinct(first)?,
            "setproduct" => return self.product(arguments).map(Some),
            "setunion" => {
                let all = arguments.all().iter().filter_map(Val::elements);
                let all: Vec<Val> = all.flatten().cloned().collect();
                sorted(self.distinct(&all)?)
            }
            "setintersection" => self.kept(first, rest, true)?,
            "setsubtract" => self.kept(first, rest, false)?,
            _ => sorted(self.distinct(first)?),
        };
        Val::of_list(elements, arguments.here).map(Some)
    }

    fn distinct(&mut self, elements: &[Val]) -> Result<Vec<Val>, Failure> {
        let mut kept: Vec<Val> = Vec::new();
        for element in elements {
            if !self.has(&kept, element)? {
                kept.push(element.clone());
            }
        }
        self.spend(kept.len(), 0)?;
        Ok(kept)
    }

    /// Whether a list has a value that is known to be equal.
    pub(super) fn has(&mut self, elements: &[Val], value: &Val) -> Result<bool, Failure> {
        for element in elements {
            if self.are_equal(element, value)? == Some(true) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns the elements that are in all other lists, or in none of them.
    fn kept(
        &mut self,
        first: &[Val],
        others: &[Val],
        is_in_all: bool,
    ) -> Result<Vec<Val>, Failure> {
        let mut kept = Vec::new();
        for element in self.distinct(first)? {
            let mut is_kept = true;
            for other in others.iter().filter_map(Val::elements) {
                is_kept &= self.has(other, &element)? == is_in_all;
            }
            if is_kept {
                kept.push(element);
            }
        }
        Ok(sorted(kept))
    }

    fn product(&mut self, arguments: &Arguments<'_>) -> Result<Val, Failure> {
        let mut rows: Vec<Vec<Val>> = vec![Vec::new()];
        for list in arguments.all().iter().filter_map(Val::elements) {
            let count = rows.len().saturating_mul(list.len());
            if count > MOST_PRODUCTS {
                let why = format!("setproduct makes more than {MOST_PRODUCTS} elements");
                return Err(Failure::limit(why));
            }
            self.spend(count.saturating_mul(2), 0)?;
            let longer = rows.iter().flat_map(|row| {
                list.iter().map(|element| {
                    let mut row = row.clone();
                    row.push(element.clone());
                    row
                })
            });
            rows = longer.collect();
        }
        let rows = rows
            .into_iter()
            .map(|row| Val::of_list(row, arguments.here));
        Val::of_list(rows.collect::<Result<_, _>>()?, arguments.here)
    }
}

/// Returns the elements in the order of a set. What is not known stays behind.
pub(super) fn sorted(mut elements: Vec<Val>) -> Vec<Val> {
    let is_plain = |it: &Val| matches!(it.kind, Kind::Text(_) | Kind::Number(_) | Kind::Bool(_));
    if elements.iter().all(is_plain) {
        elements.sort_by(|a, b| match (&a.kind, &b.kind) {
            (Kind::Number(a), Kind::Number(b)) => a.total_cmp(b),
            _ => a.scalar().cmp(&b.scalar()),
        });
    }
    elements
}

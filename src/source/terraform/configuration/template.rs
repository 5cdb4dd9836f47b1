//! Templates of texts (<https://developer.hashicorp.com/terraform/language/expressions/strings>).

use std::sync::Arc;

use hcl_edit::{
    expr::{Expression, TraversalOperator},
    template::{Directive, Element, ForDirective, IfDirective},
};

use super::{
    evaluator::{Context, Evaluator, Frame},
    expression::key_frame,
    origin,
    value::{Evaluated, Failure, Kind, Place, Unknown, Val},
};

/// What a template makes.
#[derive(Default)]
struct Made {
    text: String,
    /// Whether the spaces before the next literal are to be removed.
    strips: bool,
    /// What the text depends on, if that cannot be a part of it.
    open: Vec<Val>,
    /// The addresses that the text is made of.
    origins: Vec<String>,
}

impl Made {
    /// Adds a literal. Terraform has one for each line, and removes spaces only from the one next to a mark: not beyond
    /// the end of the line.
    fn literal(&mut self, text: &str, is_stripped_after: bool) {
        let mut text = text;
        if std::mem::take(&mut self.strips) {
            let line = text.find('\n').map_or(text.len(), |at| at + 1);
            let (first, rest) = text.split_at(line);
            let first = first.trim_start();
            self.text.push_str(if rest.is_empty() { "" } else { first });
            text = if rest.is_empty() { first } else { rest };
        }
        if is_stripped_after {
            let before = text.strip_suffix('\n').unwrap_or(text);
            let line = before.rfind('\n').map_or(0, |at| at + 1);
            let (rest, last) = text.split_at(line);
            self.text.push_str(rest);
            text = last.trim_end();
        }
        self.text.push_str(text);
    }
}

impl Evaluator<'_> {
    /// Returns the text of a template. A template that is nothing but an interpolation has its value, if `is_value`.
    pub(super) fn template<'e>(
        &mut self,
        elements: impl Iterator<Item = &'e Element>,
        is_value: bool,
        here: Place,
        context: &Context<'_>,
    ) -> Evaluated {
        let elements: Vec<&Element> = elements.collect();
        if let ([Element::Interpolation(only)], true) = (elements.as_slice(), is_value) {
            return self.expression(&only.expr, context);
        }
        let mut made = Made::default();
        self.elements(&elements, false, &mut made, context)?;
        if !made.open.is_empty() {
            if let Some(list) = self.list_in_json(&elements, here, context)? {
                return Ok(list);
            }
            let open: Vec<&Val> = made.open.iter().collect();
            return Ok(self.open(&open, here));
        }
        self.spend(1, made.text.len())?;
        Ok(Val::of_text(made.text, here).made_of(made.origins))
    }

    /// Returns the list that a template puts together of texts in JSON: `[${a},${b}]`. So what is not known in one of
    /// them is not all that is not known.
    fn list_in_json(
        &mut self,
        elements: &[&Element],
        here: Place,
        context: &Context<'_>,
    ) -> Result<Option<Val>, Failure> {
        let (mut marks, mut list, mut texts) = (String::new(), Vec::new(), Vec::new());
        for element in elements {
            match element {
                Element::Literal(text) => marks.push_str(text.value().trim()),
                Element::Interpolation(it) => {
                    let value = self.expression(&it.expr, context)?;
                    let Some(json) = json_of(&value) else {
                        return Ok(None);
                    };
                    marks.push('_');
                    list.push(json.clone());
                    texts.push(value);
                }
                Element::Directive(_) => return Ok(None),
            }
        }
        let between = vec!["_"; list.len()].join(",");
        if marks != format!("[{between}]") {
            return Ok(None);
        }
        let texts: Vec<&Val> = texts.iter().collect();
        let open = self.open(&texts, here);
        let unknown = Unknown {
            addresses: self.addresses(&open).unwrap_or_default(),
            is_direct: false,
            known: None,
            json: Some(Val::of_list(list, here)?),
        };
        Ok(Some(Val::new(Kind::Unknown(Arc::new(unknown)), here)))
    }

    /// Returns what stands for a local value or an output that is computed of what is not known: the value that is given
    /// for it, or a placeholder of its name.
    fn by_name(&mut self, expression: &Expression, context: &Context<'_>) -> Option<String> {
        let Expression::Traversal(it) = expression else {
            return None;
        };
        let (Expression::Variable(root), Some(_)) = (&it.expr, context.file) else {
            return None;
        };
        if !matches!(root.as_str(), "local" | "module") || context.find(root.as_str()).is_some() {
            return None;
        }
        let steps = it.operators.iter().map(|step| match step.value() {
            TraversalOperator::GetAttr(name) => Some(name.as_str()),
            _ => None,
        });
        let steps = steps.collect::<Option<Vec<_>>>()?.join(".");
        let address = format!("{}{}.{steps}", self.prefix(context.module), root.as_str());
        let own = self.unknown_at(address, Place::NOWHERE);
        self.text_of(&own)
    }

    /// Adds the elements of a template, or of a directive whose end removes the spaces before it.
    fn elements(
        &mut self,
        elements: &[&Element],
        end_strips: bool,
        made: &mut Made,
        context: &Context<'_>,
    ) -> Result<(), Failure> {
        for (index, element) in elements.iter().enumerate() {
            match element {
                Element::Literal(text) => {
                    let next = elements.get(index + 1);
                    let strips = next.map_or(end_strips, |it| strips_before(it));
                    made.literal(text.value(), strips);
                }
                Element::Interpolation(it) => {
                    made.strips = it.strip.strip_end();
                    let value = self.expression(&it.expr, context)?;
                    made.origins.extend(origin::of(std::iter::once(&value)));
                    match self.text_of(&value) {
                        Some(text) => {
                            self.spend(0, text.len())?;
                            made.text.push_str(&text);
                        }
                        None if self.addresses(&value).is_some() => {
                            let named = match json_of(&value) {
                                None => self.by_name(&it.expr, context),
                                Some(_) => None,
                            };
                            match named {
                                Some(text) => made.text.push_str(&text),
                                None => made.open.push(value),
                            }
                        }
                        None => {
                            let found = value.describe();
                            return Err(Failure::new(format!(
                                "a text has a string, a number or a boolean in it, and not {found}"
                            )));
                        }
                    }
                }
                Element::Directive(it) => {
                    self.deeper(|this| this.directive(it, made, context))?;
                }
            }
        }
        Ok(())
    }

    fn directive(
        &mut self,
        directive: &Directive,
        made: &mut Made,
        context: &Context<'_>,
    ) -> Result<(), Failure> {
        match directive {
            Directive::If(it) => self.if_directive(it, made, context),
            Directive::For(it) => self.for_directive(it, made, context),
        }
    }

    fn if_directive(
        &mut self,
        it: &IfDirective,
        made: &mut Made,
        context: &Context<'_>,
    ) -> Result<(), Failure> {
        let condition = self.expression(&it.if_expr.cond_expr, context)?;
        let holds = self.holds(&condition, context)?;
        let otherwise = it.else_expr.as_ref();
        let end = it.endif_expr.strip.strip_start();
        let middle = otherwise.map_or(end, |it| it.strip.strip_start());
        if holds {
            let parts: Vec<&Element> = it.if_expr.template.iter().collect();
            made.strips = it.if_expr.strip.strip_end();
            self.elements(&parts, middle, made, context)?;
        } else if let Some(otherwise) = otherwise {
            let parts: Vec<&Element> = otherwise.template.iter().collect();
            made.strips = otherwise.strip.strip_end();
            self.elements(&parts, end, made, context)?;
        }
        made.strips = it.endif_expr.strip.strip_end();
        Ok(())
    }

    fn for_directive(
        &mut self,
        it: &ForDirective,
        made: &mut Made,
        context: &Context<'_>,
    ) -> Result<(), Failure> {
        let each = &it.for_expr;
        let collection = self.expression(&each.collection_expr, context)?;
        let Some(pairs) = self.pairs(&collection)? else {
            made.open.push(collection);
            return Ok(());
        };
        let parts: Vec<&Element> = each.template.iter().collect();
        let end = it.endfor_expr.strip.strip_start();
        for (key, value) in pairs {
            let outer = key_frame(each.key_var.as_ref().map(|it| it.as_str()), &key, context);
            let frame = Frame {
                name: each.value_var.as_str(),
                value: &value,
                outer: outer.as_ref().or(context.frame),
            };
            made.strips = each.strip.strip_end();
            self.spend(1, 0)?;
            self.deeper(|this| this.elements(&parts, end, made, &context.with(&frame)))?;
        }
        made.strips = it.endfor_expr.strip.strip_end();
        Ok(())
    }
}

/// Returns the value that a text is the JSON of.
fn json_of(value: &Val) -> Option<&Val> {
    match &value.kind {
        Kind::Text(text) => text.json.as_ref(),
        Kind::Unknown(unknown) => unknown.json.as_ref(),
        _ => None,
    }
}

fn strips_before(element: &Element) -> bool {
    match element {
        Element::Literal(_) => false,
        Element::Interpolation(it) => it.strip.strip_start(),
        Element::Directive(it) => match &**it {
            Directive::If(it) => it.if_expr.strip.strip_start(),
            Directive::For(it) => it.for_expr.strip.strip_start(),
        },
    }
}

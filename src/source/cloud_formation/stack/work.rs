//! What the evaluation of a template and of those that it nests has in common: one limit for all of them, and the templates
//! that were read for it.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use super::super::{
    super::{
        syntax::parse_one,
        text::SourceText,
        tree::{Node, Size},
    },
    is_template,
    templates::Place,
};

/// The most that an evaluation may make. CloudFormation takes templates of 1 MB with 500 resources.
const LIMIT: Size = Size {
    values: 500_000,
    text: 32 << 20,
};

/// The most nested stacks that one evaluation may make.
const MOST: usize = 500;

/// A template that others nest, which is parsed once for all of them.
#[derive(Debug)]
pub(in super::super) struct Template {
    pub(in super::super) text: SourceText,
    /// Where it is as a file of the input, if it is one: it may have been named beside the folder.
    pub(in super::super) input: Option<Place>,
    /// What it has, or why that is not known.
    pub(in super::super) root: Result<Node<'static>, String>,
}

impl Template {
    pub(in super::super) fn new(text: SourceText, input: Option<Place>) -> Self {
        let file = text.name();
        let root = match parse_one(file, text.text()) {
            Ok(root) => root
                .filter(is_template)
                .map(Node::into_owned)
                .ok_or_else(|| format!("{file} is no template")),
            Err(error) => Err(format!("{file}: {}", error.message)),
        };
        Self { text, input, root }
    }
}

/// The work of one evaluation, which all stacks in it share.
#[derive(Debug, Default)]
pub(in super::super) struct Work {
    spent: Cell<Size>,
    nested: Cell<usize>,
    /// Whether it has asked for what other templates have.
    asks: Cell<bool>,
    templates: RefCell<BTreeMap<Place, Rc<Template>>>,
}

impl Work {
    /// Counts what is made. Returns whether that is allowed.
    pub(in super::super) fn spend(&self, size: Size) -> bool {
        let mut spent = self.spent.get();
        spent.add(size);
        self.spent.set(spent);
        !spent.exceeds(LIMIT)
    }

    /// Returns how many values were made.
    pub(in super::super) const fn values(&self) -> usize {
        self.spent.get().values
    }

    /// Notes that it asks for what other templates have.
    pub(in super::super) fn ask(&self) {
        self.asks.set(true);
    }

    /// Whether it has asked for that.
    pub(in super::super) const fn asks(&self) -> bool {
        self.asks.get()
    }

    /// Counts a nested stack.
    ///
    /// # Errors
    ///
    /// Why there may not be another one.
    pub(in super::super) fn nest(&self) -> Result<(), String> {
        self.nested.set(self.nested.get().saturating_add(1));
        if self.nested.get() > MOST {
            return Err(format!("there are more than {MOST} nested stacks"));
        }
        if self.spend(Size::default()) {
            Ok(())
        } else {
            Err("the template and those that it nests make too much".to_owned())
        }
    }

    /// Returns a template, which is read once.
    ///
    /// # Errors
    ///
    /// Why it is not read.
    pub(in super::super) fn template(
        &self,
        place: &Place,
        read: impl FnOnce() -> Result<Template, String>,
    ) -> Result<Rc<Template>, String> {
        let known = self.templates.borrow().get(place).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let template = Rc::new(read()?);
        let mut templates = self.templates.borrow_mut();
        templates.insert(place.clone(), Rc::clone(&template));
        Ok(template)
    }
}

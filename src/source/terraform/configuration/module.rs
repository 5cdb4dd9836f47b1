//! The blocks of a module, which is all `*.tf` of a folder
//! (<https://developer.hashicorp.com/terraform/language/files>), and of the modules that it calls.

use std::collections::BTreeMap;

use hcl_edit::{
    Span as _,
    expr::Expression,
    parser::{Error, parse_body},
    structure::{Attribute, Block, Body, Structure},
};

use super::{
    super::super::{text::Span, tree::SyntaxError},
    described::{Described, description_at},
    files::{Files, is_json, is_override, is_source, join},
    json_syntax::{self, Positions},
    override_file::Orphan,
    provider::AWS,
    value::Place,
};

/// The most files of all modules of a configuration.
const MOST_FILES: usize = 2_000;

/// A block and the number of its file.
#[derive(Debug)]
pub(super) struct Declared {
    pub(super) file: usize,
    pub(super) block: Block,
    /// The files that its arguments and blocks are in which override files have, by their names.
    pub(super) overridden: BTreeMap<String, usize>,
}

impl Declared {
    pub(super) const fn new(file: usize, block: Block) -> Self {
        Self {
            file,
            block,
            overridden: BTreeMap::new(),
        }
    }

    /// Returns the number of the file that has an argument, or the blocks of a name.
    pub(super) fn file_of(&self, name: &str) -> usize {
        self.overridden.get(name).copied().unwrap_or(self.file)
    }

    /// Returns one of its arguments.
    pub(super) fn argument(&self, name: &str) -> Option<&Expression> {
        let attribute = self.block.body.get_attribute(name)?;
        Some(&attribute.value)
    }

    /// Returns the head of the block: `resource "aws_ecs_service" "web"`.
    fn head(&self) -> Place {
        let start = self.block.ident.span();
        let last = self.block.labels.last().and_then(|label| label.span());
        let end = last.or_else(|| start.clone());
        let start = start.unwrap_or_default().start;
        Place {
            file: Some(self.file),
            span: Span::new(start, end.map_or(start, |it| it.end)),
        }
    }

    fn label(&self, index: usize) -> Option<&str> {
        self.block.labels.get(index).map(|label| label.as_str())
    }
}

/// A block with two labels: a resource or a data source.
#[derive(Debug)]
pub(super) struct Typed {
    pub(super) type_: String,
    pub(super) name: String,
    pub(super) declared: Declared,
}

/// A call of another module.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) name: String,
    /// The source as it is written.
    pub(super) source: String,
    /// The folder of the module, if its files are among those that may be read, or the path of its description.
    pub(super) path: Option<String>,
    pub(super) described: Option<Described>,
    pub(super) declared: Declared,
}

impl Call {
    /// Returns a call in the module of a folder.
    pub(super) fn new(folder: &str, name: String, declared: Declared) -> Self {
        let text = |name| declared.argument(name).and_then(Expression::as_str);
        let source = text("source").map_or_else(String::new, str::to_owned);
        let is_local = source.starts_with("./") || source.starts_with("../");
        let described = Described::of(&source, text("version")).filter(|_| !is_local);
        let path = match described {
            Some(it) => Some(it.description.path.to_owned()),
            None => is_local.then(|| join(folder, &source)).flatten(),
        };
        Self {
            name,
            source,
            path,
            described,
            declared,
        }
    }
}

/// A module.
#[derive(Debug, Default)]
pub(super) struct Module {
    pub(super) path: String,
    /// Whether it is the description of one of a registry.
    pub(super) is_described: bool,
    pub(super) variables: BTreeMap<String, Declared>,
    pub(super) locals: BTreeMap<String, (usize, Attribute)>,
    pub(super) outputs: BTreeMap<String, Declared>,
    pub(super) resources: Vec<Typed>,
    pub(super) data: Vec<Typed>,
    pub(super) calls: Vec<Call>,
    /// The providers of AWS.
    pub(super) providers: Vec<Declared>,
}

impl Module {
    /// Adds the blocks of a file.
    fn add(&mut self, file: usize, body: Body) {
        let blocks = body.into_iter().filter_map(|it| match it {
            Structure::Block(block) => Some(block),
            Structure::Attribute(_) => None,
        });
        for block in blocks {
            let declared = Declared::new(file, block);
            let label = |index| declared.label(index).map(str::to_owned);
            match (declared.block.ident.as_str(), label(0), label(1)) {
                ("variable", Some(name), _) => {
                    self.variables.insert(name, declared);
                }
                ("output", Some(name), _) => {
                    self.outputs.insert(name, declared);
                }
                ("locals", ..) => {
                    let locals = declared.block.body.into_iter();
                    let locals = locals.filter_map(|it| it.into_attribute().ok());
                    let named = locals.map(|it| (it.key.as_str().to_owned(), (file, it)));
                    self.locals.extend(named);
                }
                ("resource", Some(type_), Some(name)) => self.resources.push(Typed {
                    type_,
                    name,
                    declared,
                }),
                ("data", Some(type_), Some(name)) => self.data.push(Typed {
                    type_,
                    name,
                    declared,
                }),
                ("provider", Some(name), _) if name == AWS => self.providers.push(declared),
                ("module", Some(name), _) => {
                    self.calls.push(Call::new(&self.path, name, declared));
                }
                _ => {}
            }
        }
    }

    /// Whether it has anything at all.
    pub(super) fn is_empty(&self) -> bool {
        self.resources.is_empty() && self.calls.is_empty()
    }
}

/// The modules of a configuration; the first is its root.
#[derive(Debug, Default)]
pub(super) struct Modules {
    /// The names of all files, as messages have them.
    pub(super) files: Vec<String>,
    /// Where everything is in the files that are in JSON, by their numbers.
    pub(super) positions: BTreeMap<usize, Positions>,
    all: Vec<Module>,
    by_path: BTreeMap<String, usize>,
    /// The values of variables in `terraform.tfvars` and `*.auto.tfvars`, the later of which count.
    pub(super) given: BTreeMap<String, (usize, Attribute)>,
    /// What Terraform reads besides and is not read here, with the reason.
    pub(super) unread: Vec<(String, String)>,
    /// The blocks of override files that override nothing.
    pub(super) orphans: Vec<Orphan>,
    /// The names of the files in JSON that have values of variables.
    pub(super) read: Vec<String>,
    /// The sources that cannot be read, by their paths, with the reason.
    pub(super) broken: Vec<(String, String)>,
}

impl Modules {
    /// Reads the module of a folder, and all that it calls. A file with a syntax error is left out, and the rest is
    /// evaluated without it.
    pub(super) fn read(folder: &str, files: &dyn Files) -> Self {
        let mut modules = Self::default();
        modules.add(folder, files);
        let mut next = 0;
        while let Some(module) = modules.all.get(next) {
            let called: Vec<String> = module
                .calls
                .iter()
                .filter_map(|it| it.path.clone())
                .collect();
            for path in called {
                modules.add(&path, files);
            }
            next += 1;
        }
        let mut names = files.names(folder);
        names.retain(|name| {
            let name = name.strip_suffix(".json").unwrap_or(name);
            name == "terraform.tfvars" || name.ends_with(".auto.tfvars")
        });
        // The first count less than the others.
        names.sort_by_key(|name| match &**name {
            "terraform.tfvars" => 0,
            "terraform.tfvars.json" => 1,
            _ => 2,
        });
        for name in names {
            if let Some((file, body)) = modules.parse(folder, &name, files) {
                modules.read.extend(modules.files.get(file).cloned());
                let given = body.into_iter().filter_map(|it| it.into_attribute().ok());
                let named = given.map(|it| (it.key.as_str().to_owned(), (file, it)));
                modules.given.extend(named);
            }
        }
        modules
    }

    fn add(&mut self, folder: &str, files: &dyn Files) {
        if self.by_path.contains_key(folder) {
            return;
        }
        let mut module = Module {
            path: folder.to_owned(),
            ..Module::default()
        };
        if let Some(description) = description_at(folder) {
            module.is_described = true;
            if let Ok(body) = parse_body(description.text) {
                module.add(self.files.len(), body);
            }
            // No file has this name.
            self.files.push(folder.to_owned());
        }
        let names = files.names(folder).into_iter();
        let (overriding, own): (Vec<String>, Vec<String>) = names
            .filter(|name| is_source(name))
            .partition(|name| is_override(name));
        for name in own {
            if let Some((file, body)) = self.parse(folder, &name, files) {
                module.add(file, body);
            }
        }
        for name in overriding {
            if let Some((file, body)) = self.parse(folder, &name, files) {
                self.orphans.extend(module.merge(file, body));
            }
        }
        self.by_path.insert(folder.to_owned(), self.all.len());
        self.all.push(module);
    }

    fn parse(&mut self, folder: &str, name: &str, files: &dyn Files) -> Option<(usize, Body)> {
        if self.files.len() >= MOST_FILES {
            return None;
        }
        let path = join(folder, name)?;
        match self.parsed(&path, files) {
            Ok(parsed) => Some(parsed),
            Err(why) if is_source(name) => {
                self.broken.push((path, why));
                None
            }
            Err(why) => {
                self.unread.push((name.to_owned(), why));
                None
            }
        }
    }

    /// Returns the number and the blocks of a file, or why it cannot be read.
    fn parsed(&mut self, path: &str, files: &dyn Files) -> Result<(usize, Body), String> {
        let source = files.text(path)?;
        let number = self.files.len();
        let is_values = path.ends_with(".tfvars.json");
        let body = if is_values || is_json(path) {
            let read = if is_values {
                json_syntax::values
            } else {
                json_syntax::body
            };
            let (body, positions) = read(source.text()).map_err(|error| error.message)?;
            self.positions.insert(number, positions);
            body
        } else {
            parse_body(source.text()).map_err(|error| {
                let line = error.location().line();
                format!("line {line}: {}", error.message().trim())
            })?
        };
        self.files.push(source.name().to_owned());
        Ok((number, body))
    }

    /// Returns the head of a block.
    pub(super) fn head(&self, declared: &Declared) -> Place {
        let place = declared.head();
        match self.positions.get(&declared.file) {
            Some(positions) => Place {
                span: positions.of(place.span),
                ..place
            },
            None => place,
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<&Module> {
        self.all.get(index)
    }

    /// Returns the module of a folder.
    pub(super) fn at(&self, path: &str) -> Option<usize> {
        let index = *self.by_path.get(path)?;
        (!self.all.get(index)?.is_empty() || self.has_outputs(index)).then_some(index)
    }

    fn has_outputs(&self, index: usize) -> bool {
        let module = self.all.get(index);
        module.is_some_and(|it| !it.outputs.is_empty())
    }

    /// Returns the folders of the modules that are called.
    pub(super) fn called(&self) -> impl Iterator<Item = &str> {
        self.all.iter().skip(1).map(|module| &*module.path)
    }
}

/// Checks the syntax of a text.
///
/// # Errors
///
/// What is wrong, and where.
pub(in crate::source) fn check(text: &str, is_json: bool) -> Result<(), SyntaxError> {
    if is_json {
        return json_syntax::body(text).map(drop);
    }
    parse_body(text)
        .map(drop)
        .map_err(|error| place_of(&error, text))
}

/// Returns the values in a file of variables, each as it is written; the text of a string.
///
/// # Errors
///
/// What is wrong, and where.
pub(in crate::source) fn variables(text: &str) -> Result<Vec<(String, String)>, SyntaxError> {
    let body = parse_body(text).map_err(|error| place_of(&error, text))?;
    let given = body.attributes().map(|attribute| {
        let value = match attribute.value.as_str() {
            Some(text) => text.to_owned(),
            None => {
                let span = attribute.value.span().unwrap_or_default();
                text.get(span).unwrap_or_default().to_owned()
            }
        };
        (attribute.key.as_str().to_owned(), value)
    });
    Ok(given.collect())
}

fn place_of(error: &Error, text: &str) -> SyntaxError {
    let start = text.floor_char_boundary(error.location().offset());
    let end = text.ceil_char_boundary(start.saturating_add(1));
    SyntaxError::new(Span::new(start, end), error.message().trim().to_owned())
}

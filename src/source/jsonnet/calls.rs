//! What the evaluation of a file calls: imports, functions and variables.

use std::collections::{BTreeMap, BTreeSet};

use rsjsonnet_lang::{
    arena::Arena,
    interner::InternedStr,
    program::{Callbacks, EvalStackTraceItem, ImportError, NativeError, Program, Thunk, Value},
    span::{SourceId, SpanContext, SpanId},
};

use super::{
    super::{
        terraform::configuration::{join, split},
        text::{SourceText, Span},
    },
    Asked,
    evaluation::{Given, Imports},
    failure::{Failure, Reason},
    functions::{self, Kind, known, named_in},
};

/// The most brackets and keywords of one file. Each may nest, and the crate looks at nested expressions by calling itself.
const MOST_NESTED: usize = 20_000;

/// The keywords that begin an expression in another one.
const NESTING: &[&str] = &[
    "assert",
    "error",
    "for",
    "function",
    "if",
    "import",
    "importbin",
    "importstr",
    "local",
];

/// What a program decides by: a placeholder is no value that it asks for.
const DECIDING: &[&str] = &[
    "!=",
    "==",
    "std.count",
    "std.endsWith",
    "std.find",
    "std.get",
    "std.length",
    "std.member",
    "std.objectHas",
    "std.startsWith",
];

/// A file that is evaluated.
#[derive(Debug)]
struct Source {
    id: SourceId,
    path: String,
    text: SourceText,
}

/// What is called back while a file is evaluated.
struct Calls<'p> {
    given: Given,
    imports: Imports,
    asked: Asked,
    sources: Vec<Source>,
    /// What the files that are imported make, by their paths.
    loaded: BTreeMap<String, Thunk<'p>>,
    /// The functions and variables that are registered.
    registered: BTreeSet<String>,
    /// Why the last import or function failed, which the crate does not say.
    why: Option<Failure>,
}

/// Evaluates a file, and returns what it makes as JSON, and what it asked for.
pub(super) fn run(
    path: String,
    text: String,
    given: Given,
    imports: Imports,
) -> Result<(String, Asked), Failure> {
    let arena = Arena::new();
    let mut program = Program::new(&arena);
    let mut calls = Calls {
        given,
        imports,
        asked: Asked::default(),
        sources: Vec::new(),
        loaded: BTreeMap::new(),
        registered: BTreeSet::new(),
        why: None,
    };
    let text = SourceText::new(path.as_str(), &text);
    let thunk = calls.load(&mut program, path, text)?;
    let evaluated = program.eval_value(&thunk, &mut calls);
    let made = evaluated.and_then(|value| program.manifest_json(&value, false));
    match made {
        Ok(json) => Ok((json, calls.asked)),
        Err(error) => {
            let reason = Reason::of_evaluation(&error);
            let failure = calls.why.take();
            let failure = failure.unwrap_or_else(|| calls.place(&program, reason));
            Err(failure.with_open(&calls.asked))
        }
    }
}

impl<'p> Calls<'p> {
    /// Adds a file.
    fn load(
        &mut self,
        program: &mut Program<'p>,
        path: String,
        text: SourceText,
    ) -> Result<Thunk<'p>, Failure> {
        let (context, id) = program
            .span_manager_mut()
            .insert_source_context(text.text().len());
        let is_first = self.sources.is_empty();
        self.sources.push(Source {
            id,
            path: path.clone(),
            text: text.clone(),
        });
        if nested(text.text()) > MOST_NESTED {
            let message = "it is too large: there are too many brackets and keywords".to_owned();
            let file = (!is_first).then(|| text.name().to_owned());
            return Err(Failure::of_file(file, message));
        }
        self.asked.decides |= decides(text.text());
        self.register(program, text.text());
        let loaded = program.load_source(context, text.text().as_bytes(), true, &path);
        loaded.map_err(|error| {
            let reason = Reason::of_source(&error);
            self.place(program, reason)
        })
    }

    /// Makes known the functions and variables that a text names: the crate has to know them before they are called.
    fn register(&mut self, program: &mut Program<'p>, text: &str) {
        for name in named_in(text, "native") {
            if let Some((parameters, _)) = known(name)
                && self.registered.insert(format!("native {name}"))
            {
                let parameters: Vec<_> =
                    parameters.iter().map(|it| program.intern_str(it)).collect();
                let name = program.intern_str(name);
                program.register_native_func(name, &parameters);
            }
        }
        for name in named_in(text, "extVar") {
            if self.registered.insert(format!("variable {name}")) {
                let value = functions::variable(name, &self.given, &mut self.asked);
                let thunk = program.value_to_thunk(&Value::string(&value));
                let name = program.intern_str(name);
                program.add_ext_var(name, &thunk);
            }
        }
    }

    /// Returns where a span is: the number of the file, and the bytes in it.
    fn at(&self, program: &Program<'p>, span: SpanId) -> Option<(usize, Span)> {
        let (context, start, end) = program.span_manager().get_span(span);
        let SpanContext::Source(id) = program.span_manager().get_context(context);
        let number = self.sources.iter().position(|source| source.id == *id)?;
        Some((number, Span::new(start, end)))
    }

    /// Returns a failure at its place: that of the file itself, or the file and line of an import.
    fn place(&self, program: &Program<'p>, reason: Reason) -> Failure {
        let mut spans = reason.spans.into_iter();
        match spans.find_map(|span| self.at(program, span)) {
            Some((0, span)) => Failure {
                span,
                ..Failure::whole(reason.message)
            },
            Some((number, span)) => {
                let message = match self.sources.get(number) {
                    Some(source) => {
                        let line = source.text.position(span.start).line;
                        format!("{}:{line}: {}", source.text.name(), reason.message)
                    }
                    None => reason.message,
                };
                Failure::whole(message)
            }
            None => Failure::whole(reason.message),
        }
    }

    /// Returns the path and the text of a file that another one imports.
    fn import_text(
        &mut self,
        program: &Program<'p>,
        from: SpanId,
        path: &str,
    ) -> Result<(String, SourceText), ImportError> {
        let source = self.at(program, from);
        let source = source.and_then(|(number, _)| self.sources.get(number));
        let (folder, _) = source.map_or(("", ""), |source| split(&source.path));
        let outside =
            || "it is outside of the folder that is given, and of its Git work tree".to_owned();
        let joined = join(folder, path).ok_or_else(outside);
        let read = joined.and_then(|joined| {
            let text = self.imports.text(&joined)?;
            Ok((joined, text))
        });
        read.map_err(|error| {
            let reason = Reason {
                message: format!("{path} cannot be imported: {error}"),
                spans: vec![from],
            };
            self.why = Some(self.place(program, reason));
            ImportError
        })
    }
}

impl<'p> Callbacks<'p> for Calls<'p> {
    fn import(
        &mut self,
        program: &mut Program<'p>,
        from: SpanId,
        path: &str,
    ) -> Result<Thunk<'p>, ImportError> {
        let (path, text) = self.import_text(program, from, path)?;
        if let Some(thunk) = self.loaded.get(&path) {
            return Ok(thunk.clone());
        }
        match self.load(program, path.clone(), text) {
            Ok(thunk) => {
                self.loaded.insert(path, thunk.clone());
                Ok(thunk)
            }
            Err(failure) => {
                self.why = Some(failure);
                Err(ImportError)
            }
        }
    }

    fn import_str(
        &mut self,
        program: &mut Program<'p>,
        from: SpanId,
        path: &str,
    ) -> Result<String, ImportError> {
        let (_, text) = self.import_text(program, from, path)?;
        Ok(text.text().to_owned())
    }

    fn import_bin(
        &mut self,
        program: &mut Program<'p>,
        from: SpanId,
        path: &str,
    ) -> Result<Vec<u8>, ImportError> {
        let (_, text) = self.import_text(program, from, path)?;
        Ok(text.text().as_bytes().to_vec())
    }

    fn trace(&mut self, _: &mut Program<'p>, _: &str, _: &[EvalStackTraceItem]) {}

    fn native_call(
        &mut self,
        program: &mut Program<'p>,
        name: InternedStr<'p>,
        args: &[Value<'p>],
    ) -> Result<Value<'p>, NativeError> {
        let function = name.value();
        let Some((_, kind)) = known(function) else {
            return Err(NativeError);
        };
        if kind == Kind::Caller {
            let account = Value::string(&self.given.account);
            let account = (program.intern_str("Account"), account);
            return Ok(program.make_object(&[account]));
        }
        let words: Option<Vec<String>> = args.iter().map(word).collect();
        let Some(words) = words else {
            let message = format!("{function} takes texts");
            self.why = Some(Failure::whole(message));
            return Err(NativeError);
        };
        let value = functions::value(function, kind, &words, &self.given, &mut self.asked);
        Ok(Value::string(&value))
    }
}

/// Returns an argument as a text.
fn word(value: &Value<'_>) -> Option<String> {
    let number = || value.as_number().map(|number| number.to_string());
    let boolean = || value.as_bool().map(|boolean| boolean.to_string());
    value.to_string().or_else(number).or_else(boolean)
}

/// Whether a program has anything that decides by a value.
fn decides(text: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.any(|word| word == "if") || DECIDING.iter().any(|it| text.contains(it))
}

/// Returns how many expressions of a text may be inside each other, at most.
fn nested(text: &str) -> usize {
    let brackets = text.bytes().filter(|it| matches!(it, b'{' | b'[' | b'('));
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    brackets.count() + words.filter(|word| NESTING.contains(word)).count()
}
